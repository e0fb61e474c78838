//! Questions over real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{Name, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(5);

pub fn question(name: &str, asked: RecordType) -> Message {
    let mut message = Message::new();
    message.set_id(4242).set_recursion_desired(true);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), asked));
    message
}

pub fn with_edns(mut message: Message, size: u16, subnet: Option<&[u8]>) -> Message {
    let edns = message.extensions_mut().get_or_insert_with(Edns::new);
    edns.set_max_payload(size);
    if let Some(subnet) = subnet {
        edns.options_mut().insert(EdnsOption::Unknown(8, subnet.to_vec()));
    }
    message
}

pub async fn send_udp(addr: SocketAddr, packet: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(packet, addr).await.unwrap();
    let mut buffer = vec![0; 65_535];
    let (len, from) = timeout(LIMIT, socket.recv_from(&mut buffer)).await.expect("no reply").unwrap();
    assert_eq!(from, addr);
    buffer.truncate(len);
    buffer
}

pub async fn udp(addr: SocketAddr, message: &Message) -> Message {
    let reply = Message::from_vec(&send_udp(addr, &message.to_vec().unwrap()).await).unwrap();
    assert_eq!(reply.id(), message.id());
    reply
}

pub fn framed(packet: &[u8]) -> Vec<u8> {
    [&u16::try_from(packet.len()).unwrap().to_be_bytes()[..], packet].concat()
}

pub async fn read_framed(stream: &mut TcpStream) -> Message {
    let read = async {
        let mut packet = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut packet).await.unwrap();
        Message::from_vec(&packet).unwrap()
    };
    timeout(LIMIT, read).await.expect("no reply")
}

pub async fn tcp(addr: SocketAddr, message: &Message) -> Message {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(&framed(&message.to_vec().unwrap())).await.unwrap();
    read_framed(&mut stream).await
}

pub async fn ask(addr: SocketAddr, name: &str, asked: RecordType) -> Message {
    udp(addr, &question(name, asked)).await
}

/// The records as sorted text: answers are shuffled.
pub fn lines(records: &[Record]) -> Vec<String> {
    let mut lines: Vec<_> = records.iter().map(ToString::to_string).collect();
    lines.sort();
    lines
}

/// Code, answers, and the types in the authority section.
pub fn gist(message: &Message) -> (ResponseCode, usize, Vec<RecordType>) {
    let authority = message.name_servers().iter().map(Record::record_type).collect();
    (message.response_code(), message.answers().len(), authority)
}
