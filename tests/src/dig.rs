//! What `dig` shows, taken apart.

/// One answer as `dig` prints it: each record one line, blanks folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dig {
    /// `NOERROR`, `NXDOMAIN`, …; empty if there was no answer.
    pub status: String,
    /// `qr aa rd`
    pub flags: String,
    pub answer: Vec<String>,
    pub authority: Vec<String>,
    pub additional: Vec<String>,
    pub text: String,
}

impl Dig {
    pub fn parse(text: &str) -> Self {
        let mut dig = Self { text: text.to_owned(), ..Self::default() };
        let mut section = None;
        for line in text.lines() {
            if let Some((_, rest)) = line.split_once("status: ") {
                dig.status = rest.split(',').next().unwrap_or_default().to_owned();
            }
            if let Some(rest) = line.strip_prefix(";; flags: ") {
                dig.flags = rest.split(';').next().unwrap_or_default().to_owned();
            }
            if let Some(name) = line.strip_prefix(";; ").and_then(|rest| rest.strip_suffix(" SECTION:")) {
                section = Some(name.to_owned());
            }
            if line.starts_with(';') || line.trim().is_empty() {
                continue;
            }
            let record = line.split_whitespace().collect::<Vec<_>>().join(" ");
            match section.as_deref() {
                Some("ANSWER") => dig.answer.push(record),
                Some("AUTHORITY") => dig.authority.push(record),
                Some("ADDITIONAL") => dig.additional.push(record),
                _ => {}
            }
        }
        dig
    }

    /// The data of the answers: the fields after name, TTL, class and type.
    pub fn data(&self) -> Vec<String> {
        self.answer.iter().map(|record| record.splitn(5, ' ').nth(4).unwrap_or_default().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_told_apart() {
        let dig = Dig::parse(
            "; <<>> DiG <<>> x\n;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1\n;; flags: qr aa rd; QUERY: 1\n\n\
             ;; QUESTION SECTION:\n;web.service.consul.\t\tIN\tSRV\n\n;; ANSWER SECTION:\n\
             web.service.consul.\t0\tIN\tSRV\t1 1 80 c1.node.dc1.consul.\n\n;; ADDITIONAL SECTION:\n\
             c1.node.dc1.consul.\t0\tIN\tA\t192.168.33.21\n",
        );
        assert_eq!((dig.status.as_str(), dig.flags.as_str()), ("NOERROR", "qr aa rd"));
        assert_eq!(dig.data(), ["1 1 80 c1.node.dc1.consul."]);
        assert_eq!(dig.additional, ["c1.node.dc1.consul. 0 IN A 192.168.33.21"]);
    }
}
