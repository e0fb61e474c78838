//! When servers that wait for each other form their first cluster, and with whom.
//!
//! Servers that were told no number count too: they wait to be taken in. Of those that were told one, the server with
//! the lowest id writes the first configuration, so that two views of the members cannot become two clusters; before
//! that it asks all others whether they have data.

use std::net::SocketAddr;

use super::server_info::ServerInfo;

/// What one server sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Fewer servers than expected so far.
    Waiting { seen: usize },
    /// Everybody is there.
    Complete {
        /// The first configuration, if nobody has data.
        servers: Vec<ServerInfo>,
        /// The id of the server that writes it.
        writer: String,
    },
    /// It must not happen by itself.
    Conflict(String),
}

/// Looks at the servers of the own datacenter, this one among them.
pub fn look(expect: u32, servers: &[ServerInfo]) -> Outlook {
    let mut candidates: Vec<ServerInfo> = Vec::new();
    for server in servers.iter().filter(|server| server.alive && server.voter) {
        if !server.kin {
            return Outlook::Conflict(format!(
                "server {} ({}) replicates in another way than this one; servers of both kinds cannot form one \
                 cluster: move its data over with a snapshot, or give this server another datacenter",
                server.name, server.address
            ));
        }
        if server.bootstrap {
            return Outlook::Conflict(format!(
                "server {} ({}) has 'bootstrap' set and leads a cluster of its own; this server will join it instead of \
                 forming one",
                server.name, server.address
            ));
        }
        if server.expect != 0 && server.expect != expect {
            return Outlook::Conflict(format!(
                "server {} ({}) expects {} servers and this one {expect}; give all of them the same 'bootstrap_expect'",
                server.name, server.address, server.expect
            ));
        }
        candidates.push(server.clone());
    }
    if candidates.len() < expect as usize {
        return Outlook::Waiting { seen: candidates.len() };
    }
    candidates.sort_by(|a, b| a.id.cmp(&b.id));
    match candidates.iter().find(|server| server.expect == expect) {
        Some(writer) => Outlook::Complete { writer: writer.id.clone(), servers: candidates },
        None => Outlook::Waiting { seen: candidates.len() },
    }
}

/// What the others said when asked for their cluster's servers: an empty list if they have none.
pub type Answers = Vec<(SocketAddr, Result<Vec<String>, String>)>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody has a cluster: form one.
    Form,
    /// Somebody has: its leader will take this server in.
    Join { at: SocketAddr },
    /// Somebody did not answer, so nothing is known.
    AskAgain { silent: SocketAddr, reason: String },
}

pub fn judge(answers: &Answers) -> Verdict {
    for (address, answer) in answers {
        match answer {
            Ok(peers) if !peers.is_empty() => return Verdict::Join { at: *address },
            _ => {}
        }
    }
    for (address, answer) in answers {
        if let Err(reason) = answer {
            return Verdict::AskAgain { silent: *address, reason: reason.clone() };
        }
    }
    Verdict::Form
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(number: u8, expect: u32) -> ServerInfo {
        ServerInfo {
            name: format!("s{number}"),
            id: number.to_string(),
            datacenter: "dc1".into(),
            address: ([10, 0, 0, number], 8300).into(),
            wan_port: None,
            bootstrap: false,
            expect,
            voter: true,
            kin: true,
            build: "1.22.0".into(),
            alive: true,
            left: false,
        }
    }

    #[test]
    fn servers_wait_until_all_that_are_expected_are_there() {
        assert_eq!(look(3, &[server(1, 3), server(2, 3)]), Outlook::Waiting { seen: 2 });
        let dead = ServerInfo { alive: false, ..server(3, 3) };
        assert_eq!(look(3, &[server(1, 3), server(2, 3), dead]), Outlook::Waiting { seen: 2 });
        let all = [server(3, 3), server(1, 3), server(2, 3)];
        let Outlook::Complete { servers, writer } = look(3, &all) else { panic!("not complete") };
        assert_eq!(servers.iter().map(|server| server.id.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
        assert_eq!(writer, "1");
    }

    #[test]
    fn servers_without_a_number_count_but_do_not_write() {
        let outlook = look(3, &[server(1, 0), server(2, 3), server(3, 0)]);
        assert!(matches!(&outlook, Outlook::Complete { writer, .. } if writer == "2"), "{outlook:?}");
    }

    #[test]
    fn other_expectations_other_kinds_and_lone_servers_are_conflicts() {
        let conflicts = [
            server(2, 5),
            ServerInfo { kin: false, ..server(2, 3) },
            ServerInfo { bootstrap: true, ..server(2, 0) },
        ];
        for other in conflicts {
            let outlook = look(3, &[server(1, 3), other, server(3, 3)]);
            assert!(matches!(outlook, Outlook::Conflict(_)), "{outlook:?}");
        }
    }

    #[test]
    fn a_cluster_that_exists_is_joined_and_silence_is_no_answer() {
        let at = |number| SocketAddr::from(([10, 0, 0, number], 8300));
        let silent = (at(1), Err("timeout".to_owned()));
        let empty = (at(2), Ok(vec![]));
        let member = (at(3), Ok(vec!["10.0.0.3:8300".to_owned()]));
        assert_eq!(judge(&vec![silent.clone(), member]), Verdict::Join { at: at(3) });
        assert!(matches!(judge(&vec![empty.clone(), silent]), Verdict::AskAgain { .. }));
        assert_eq!(judge(&vec![empty]), Verdict::Form);
    }
}
