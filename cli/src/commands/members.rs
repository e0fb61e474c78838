//! `consul members`: who the agent gossips with.

use consul_api::types::operator::Member;

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::{output, pattern};

pub static COMMAND: Command = Command {
    name: "members",
    synopsis: "List the members of the cluster",
    usage: "[options]",
    about: "Prints the members that the agent knows from gossip, with their state. If no member is left to print, \
            nothing is printed and the exit status is 2.",
    http: Http::Agent,
    flags: &[
        Flag::switch("detailed", "Print all gossip tags of each member."),
        Flag::text("filter", "Expression that members must satisfy, as in the HTTP API.")
            .shown_as("expression"),
        Flag::text("segment", "Only members of this network segment; only Consul Enterprise has any.")
            .or("_all")
            .shown_as("name"),
        Flag::text("status", "Only members whose state matches this regular expression.")
            .or(".*")
            .shown_as("regexp"),
        Flag::switch("wan", "List the servers of all datacenters instead; only a server knows them."),
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let status =
        pattern::compile(flags.text("status")).map_err(Failure::of("Failed to compile status regexp: "))?;
    let agent = Agent::connect(invocation)?;
    let mut call = agent.get("/v1/agent/members").query("segment", flags.text("segment"));
    if flags.switch("wan") {
        call = call.query("wan", "1");
    }
    let call = call.query_unless_empty("filter", flags.text("filter"));
    let found: Option<Vec<Member>> = call.json().map_err(Failure::of("Error retrieving members: "))?;
    let mut members: Vec<Member> = found.unwrap_or_default().into_iter().map(with_shown_segment).collect();
    members.retain(|member| status.is_match(status_word(member.status)));
    if members.is_empty() {
        return Ok(Exit::NEGATIVE);
    }
    members.sort_by(|a, b| (tag(a, "segment"), &a.name).cmp(&(tag(b, "segment"), &b.name)));
    let rows = if flags.switch("detailed") { detailed(&members) } else { short(&members) };
    output::print(&output::columns(&rows))?;
    Ok(Exit::SUCCESS)
}

/// Servers are in every segment; a client without one is in the default segment.
fn with_shown_segment(mut member: Member) -> Member {
    let shown = match (tag(&member, "role"), tag(&member, "segment")) {
        ("consul", _) => "<all>",
        ("node", "") => "<default>",
        _ => return member,
    };
    member.tags.insert("segment".to_owned(), shown.to_owned());
    member
}

fn tag<'a>(member: &'a Member, name: &str) -> &'a str {
    member.tags.get(name).map_or("", String::as_str)
}

fn status_word(status: i64) -> &'static str {
    match status {
        0 => "none",
        1 => "alive",
        2 => "leaving",
        3 => "left",
        4 => "failed",
        _ => "unknown",
    }
}

fn address(member: &Member) -> String {
    if member.addr.contains(':') {
        format!("[{}]:{}", member.addr, member.port)
    } else {
        format!("{}:{}", member.addr, member.port)
    }
}

fn short(members: &[Member]) -> Vec<Vec<String>> {
    let head = ["Node", "Address", "Status", "Type", "Build", "Protocol", "DC", "Segment"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for member in members {
        let build = tag(member, "build").split(':').next().unwrap_or_default();
        let rest = match tag(member, "role") {
            "consul" => ["server", build, tag(member, "vsn"), tag(member, "dc"), tag(member, "segment")],
            "node" => ["client", build, tag(member, "vsn"), tag(member, "dc"), tag(member, "segment")],
            _ => ["unknown", "", "", "", ""],
        };
        let mut row = vec![member.name.clone(), address(member), status_word(member.status).to_owned()];
        row.extend(rest.map(str::to_owned));
        rows.push(row);
    }
    rows
}

fn detailed(members: &[Member]) -> Vec<Vec<String>> {
    let mut rows = vec![["Node", "Address", "Status", "Tags"].map(str::to_owned).to_vec()];
    for member in members {
        let tags: Vec<String> = member.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let status = status_word(member.status).to_owned();
        rows.push(vec![member.name.clone(), address(member), status, tags.join(",")]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, addr: &str, tags: &[(&str, &str)]) -> Member {
        Member {
            name: name.to_owned(),
            addr: addr.to_owned(),
            port: 8301,
            status: 1,
            tags: tags.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            ..Member::default()
        }
    }

    #[test]
    fn servers_clients_and_strangers() {
        let tags = |role| [("role", role), ("build", "1.8.7:abc"), ("vsn", "2"), ("dc", "dc1")];
        let members = [
            member("s", "10.0.0.1", &tags("consul")),
            member("c", "fe80::1", &tags("node")),
            member("x", "10.0.0.3", &tags("other")),
        ]
        .map(with_shown_segment);
        let rows = short(&members);
        assert_eq!(rows[1], ["s", "10.0.0.1:8301", "alive", "server", "1.8.7", "2", "dc1", "<all>"]);
        assert_eq!(rows[2], ["c", "[fe80::1]:8301", "alive", "client", "1.8.7", "2", "dc1", "<default>"]);
        assert_eq!(rows[3], ["x", "10.0.0.3:8301", "alive", "unknown", "", "", "", ""]);
        assert_eq!(detailed(&members)[1][3], "build=1.8.7:abc,dc=dc1,role=consul,segment=<all>,vsn=2");
    }
}
