//! The server's ends of connections, as the kernel shows them.
//!
//! Counting the open files of an agent says little: a pooled connection may be taken over or closed at any time. A
//! connection that is asked for by both its ports is there or is not.

use std::collections::HashMap;
use std::fs;

use tokio::net::TcpStream;

use crate::wait::{check, eventually};

const ESTABLISHED: u8 = 0x01;
/// The client has hung up, the server not yet.
const CLOSE_WAIT: u8 = 0x08;

/// A connection, by the ports of the server and of the client.
type Ports = (u16, u16);

/// What a server has of a connection that it did not close.
struct Held {
    unread: usize,
}

/// Waits until the server has read all that these clients sent.
pub async fn all_are_read(clients: &[TcpStream]) {
    let wanted = ports(clients);
    eventually("every request is read", async || {
        let held = held();
        let read = wanted.iter().filter(|ports| held.get(ports).is_some_and(|held| held.unread == 0)).count();
        check(read == clients.len(), format!("{read} of {} are", clients.len()))
    })
    .await;
}

/// Hangs up, and waits until the server has done so too.
pub async fn hang_up(clients: Vec<TcpStream>) {
    let ports = ports(&clients);
    drop(clients);
    eventually("the server has closed the connections", async || {
        let held = held();
        let open = ports.iter().filter(|ports| held.contains_key(ports)).count();
        check(open == 0, format!("{open} of {} are open", ports.len()))
    })
    .await;
}

/// Waits until a server has no connection left.
pub async fn all_are_closed(server: u16) {
    eventually("no connection is left", async || {
        let open = held().keys().filter(|(own, _)| *own == server).count();
        check(open == 0, format!("{open} are open"))
    })
    .await;
}

fn ports(clients: &[TcpStream]) -> Vec<Ports> {
    let port = |address: std::io::Result<std::net::SocketAddr>| address.ok().map(|address| address.port());
    clients
        .iter()
        .filter_map(|client| Some((port(client.peer_addr())?, port(client.local_addr())?)))
        .collect()
}

/// Every IPv4 connection that its owner has not closed. Each end is listed for itself, with its own port first.
fn held() -> HashMap<Ports, Held> {
    let table = fs::read_to_string("/proc/net/tcp").expect("the kernel shows its connections");
    table.lines().filter_map(row).collect()
}

/// `sl local remote state tx:rx …`, all numbers in hexadecimal.
fn row(line: &str) -> Option<(Ports, Held)> {
    let mut fields = line.split_whitespace().skip(1);
    let mut port = || u16::from_str_radix(fields.next()?.split_once(':')?.1, 16).ok();
    let ports = (port()?, port()?);
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let unread = usize::from_str_radix(fields.next()?.split_once(':')?.1, 16).ok()?;
    matches!(state, ESTABLISHED | CLOSE_WAIT).then_some((ports, Held { unread }))
}
