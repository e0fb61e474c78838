//! Passes questions on to other DNS servers.
//!
//! A client's packet travels as it came and the reply goes back as it came; only the id is exchanged for a random one
//! on a socket of its own, so that a forger has to guess both.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use rand::seq::SliceRandom;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{debug, error};

use crate::LOG;
use crate::answer::leads_to_address;
use crate::reply::Transport;
use crate::request::HEADER_LEN;
use crate::settings::{RecursorStrategy, Settings};
use crate::throttle::Throttle;

/// Datagrams that are not the reply waited for are skipped, up to this many.
const STRAY_MAX: usize = 64;
const MESSAGE_MAX: usize = 65_535;
/// Exchanges at once. Each holds a socket, and file descriptors are few.
const EXCHANGES_MAX: usize = 256;
const LOG_LINES_PER_SECOND: u32 = 20;

/// Asks the recursors of the settings in force.
#[derive(Debug)]
pub struct Recursor {
    exchanges: Semaphore,
    log: Throttle,
}

impl Default for Recursor {
    fn default() -> Self {
        Self { exchanges: Semaphore::new(EXCHANGES_MAX), log: Throttle::new(LOG_LINES_PER_SECOND) }
    }
}

impl Recursor {
    /// The first acceptable reply of the recursors to `packet`, asked over the client's own transport; `None` if all fail.
    pub async fn forward(&self, packet: &[u8], transport: Transport, settings: &Settings) -> Option<Vec<u8>> {
        let id = packet.get(..2)?;
        for server in order(settings) {
            match self.exchange(packet, server, transport, settings.recursor_timeout).await {
                Ok(mut reply) => {
                    reply.get_mut(..2)?.copy_from_slice(id);
                    return Some(reply);
                }
                Err(error) => {
                    debug!(target: LOG, recursor = %server, %error, network = transport.as_str(), "recurse failed");
                }
            }
        }
        None
    }

    /// The aliases and addresses that `name` leads to, as far as a question for IPv4 addresses tells.
    pub async fn addresses(&self, name: &Name, settings: &Settings) -> Vec<Record> {
        if settings.recursors.is_empty() {
            return Vec::new();
        }
        let mut question = Message::new();
        question.set_recursion_desired(true);
        question.add_query(Query::query(name.clone(), RecordType::A));
        let Ok(packet) = question.to_vec() else { return Vec::new() };
        for server in order(settings) {
            match self.ask(&packet, server, settings.recursor_timeout).await {
                Ok(mut records) => {
                    records.retain(leads_to_address);
                    return records;
                }
                Err(error) => {
                    if let Some(suppressed) = self.log.admit(Instant::now()) {
                        error!(target: LOG, %name, %error, suppressed, "cname recurse failed for name");
                    }
                }
            }
        }
        if let Some(suppressed) = self.log.admit(Instant::now()) {
            error!(target: LOG, %name, suppressed, "all resolvers failed for name");
        }
        Vec::new()
    }

    async fn ask(&self, packet: &[u8], server: SocketAddr, limit: Duration) -> io::Result<Vec<Record>> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let reply = self.exchange(packet, server, Transport::Udp, limit).await?;
        let mut message = Message::from_vec(&reply).map_err(invalid)?;
        if message.truncated() {
            let reply = self.exchange(packet, server, Transport::Tcp, limit).await?;
            message = Message::from_vec(&reply).map_err(invalid)?;
        }
        Ok(message.take_answers())
    }

    /// Sends `packet` under a fresh id and returns the reply, under that id, if it settles the question.
    async fn exchange(
        &self,
        packet: &[u8],
        server: SocketAddr,
        via: Transport,
        limit: Duration,
    ) -> io::Result<Vec<u8>> {
        let mut packet = packet.to_vec();
        if let Some(id) = packet.first_chunk_mut::<2>() {
            *id = rand::random();
        }
        let talk = async {
            let _turn = self.exchanges.acquire().await.map_err(io::Error::other)?;
            match via {
                Transport::Udp => over_udp(&packet, server).await,
                Transport::Tcp => over_tcp(&packet, server).await,
            }
        };
        let reply = timeout(limit, talk).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        match reply.get(3).map(|flags| ResponseCode::from(0, flags & 0x0f)) {
            Some(ResponseCode::NoError | ResponseCode::NXDomain) => Ok(reply),
            code => {
                Err(io::Error::other(format!("upstream answered {}", code.unwrap_or(ResponseCode::FormErr))))
            }
        }
    }
}

fn order(settings: &Settings) -> Vec<SocketAddr> {
    let mut servers = settings.recursors.clone();
    if settings.recursor_strategy == RecursorStrategy::Random {
        servers.shuffle(&mut rand::rng());
    }
    servers
}

async fn over_udp(packet: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(packet).await?;
    let mut buffer = vec![0; MESSAGE_MAX];
    for _ in 0..STRAY_MAX {
        let len = socket.recv(&mut buffer).await?;
        let reply = buffer.get(..len).unwrap_or_default();
        if is_reply_to(packet, reply) {
            return Ok(reply.to_vec());
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "too many unrelated replies"))
}

async fn over_tcp(packet: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let len = u16::try_from(packet.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&[&len.to_be_bytes()[..], packet].concat()).await?;
    let mut reply = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut reply).await?;
    if is_reply_to(packet, &reply) {
        return Ok(reply);
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "unrelated reply"))
}

/// Same id, the response bit, and the same question.
fn is_reply_to(packet: &[u8], reply: &[u8]) -> bool {
    let same_id = packet.get(..2) == reply.get(..2);
    let response = reply.get(2).is_some_and(|flags| flags & 0x80 != 0);
    same_id && response && question(packet).is_some_and(|asked| question(reply) == Some(asked))
}

fn question(packet: &[u8]) -> Option<Query> {
    let mut decoder = BinDecoder::new(packet);
    decoder.read_slice(HEADER_LEN).ok()?;
    Query::read(&mut decoder).ok().filter(|query| query.query_type() != RecordType::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::MessageType;

    fn packet(id: u16, kind: MessageType, name: &str) -> Vec<u8> {
        let mut message = Message::new();
        message.set_id(id).set_message_type(kind);
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
        message.to_vec().unwrap()
    }

    #[test]
    fn only_the_reply_to_the_very_question_counts() {
        let asked = packet(7, MessageType::Query, "www.foo.com.");
        let good = packet(7, MessageType::Response, "WWW.foo.com.");
        assert!(is_reply_to(&asked, &good));
        assert!(!is_reply_to(&asked, &packet(8, MessageType::Response, "www.foo.com.")));
        assert!(!is_reply_to(&asked, &packet(7, MessageType::Query, "www.foo.com.")));
        assert!(!is_reply_to(&asked, &packet(7, MessageType::Response, "www.bar.com.")));
        assert!(!is_reply_to(&asked, &good[..14]));
        assert!(!is_reply_to(&asked, &[]));
    }
}
