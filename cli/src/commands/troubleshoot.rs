//! `consul troubleshoot`: is the network in the way?

use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::output;

pub static COMMAND: Command = Command::group(
    "troubleshoot",
    "Look for network problems",
    "Finds out what is between this machine and an agent.

    $ consul troubleshoot ports -host=10.0.0.1",
    &[&PORTS],
);

static PORTS: Command = Command {
    name: "ports",
    synopsis: "Try the ports of an agent",
    usage: "-host HOST [options]",
    about: "Opens a TCP connection to each port that an agent uses and says which of them answer.",
    http: Http::None,
    flags: &[
        Flag::text("host", "Name or address to try; by default that of CONSUL_HTTP_ADDR.").shown_as("host"),
        Flag::text("ports", "Ports to try, separated by commas.")
            .or("8600,8500,8501,8502,8503,8301,8302,8300")
            .shown_as("list"),
    ],
    body: Body::Leaf(ports),
};

const TIMEOUT: Duration = Duration::from_secs(5);

fn ports(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let host = match flags.text("host") {
        "" => {
            std::env::var("CONSUL_HTTP_ADDR").map(|address| host_of(&address).to_owned()).unwrap_or_default()
        }
        host => host.to_owned(),
    };
    if host.is_empty() {
        return Err(Failure::new("-host is required."));
    }
    let mut ports = Vec::new();
    for text in flags.text("ports").split(',') {
        ports.push(text.trim().parse::<u16>().map_err(|_| Failure::new(format!("Invalid port: {text}")))?);
    }
    let tries: Vec<_> = ports
        .into_iter()
        .map(|port| {
            let host = host.clone();
            thread::spawn(move || (port, answers(&host, port)))
        })
        .collect();
    for attempt in tries {
        let Ok((port, open)) = attempt.join() else { continue };
        let state = if open { "open" } else { "closed, unreachable, or the connection timed out" };
        output::print_line(&format!("TCP: Port {port} on {host} is {state}."))?;
    }
    Ok(Exit::SUCCESS)
}

fn host_of(address: &str) -> &str {
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    match address.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => address.split(':').next().unwrap_or_default(),
    }
}

fn answers(host: &str, port: u16) -> bool {
    let Ok(mut addresses) = (host, port).to_socket_addrs() else { return false };
    addresses.any(|address| TcpStream::connect_timeout(&address, TIMEOUT).is_ok())
}
