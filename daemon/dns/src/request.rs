//! A query packet, checked and reduced to what answering it needs.
//!
//! Only the header, the one question and the OPT record matter; the rest of the packet is walked for validity but
//! not decoded. A packet that deserves no answer gets none, and a malformed one gets the twelve bytes of a header, so
//! that nobody can use us to multiply traffic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::op::{Header, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder};

/// Length of a DNS header.
pub const HEADER_LEN: usize = 12;

/// The version of EDNS that we speak.
pub const EDNS_VERSION: u8 = 0;

const OPT: u16 = 41;
const CLIENT_SUBNET: u16 = 8;
/// Clients add an OPT and perhaps a signature; more records than this in a question are an attempt at something.
const ADDITIONAL_MAX: u16 = 2;

/// What to do with a packet.
#[derive(Debug)]
pub enum Incoming {
    /// Too short, or itself a response.
    Ignore,
    /// Answer with a bare header.
    Reject(Header),
    Question(Box<Request>),
}

/// A well-formed question.
#[derive(Debug, Clone)]
pub struct Request {
    /// The header of the reply so far: id, opcode, RD and CD as asked.
    pub reply: Header,
    pub query: Query,
    pub edns: Option<ClientEdns>,
}

/// What a client said in its OPT record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientEdns {
    /// The largest UDP reply it takes, in bytes.
    pub udp_size: u16,
    /// Of EDNS itself; only [`EDNS_VERSION`] is understood.
    pub version: u8,
    pub subnet: Option<ClientSubnet>,
}

/// EDNS client subnet: on whose behalf a resolver asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSubnet {
    family: u16,
    source_len: u8,
    address: Vec<u8>,
}

impl Request {
    /// Speaks a version of EDNS that we do not know, so that the rest of it cannot be relied on.
    pub fn has_unknown_edns(&self) -> bool {
        self.edns.as_ref().is_some_and(|edns| edns.version != EDNS_VERSION)
    }
}

impl ClientSubnet {
    /// The first address of the subnet, if of a family we know.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.family {
            1 => padded::<4>(&self.address).map(|octets| Ipv4Addr::from(octets).into()),
            2 => padded::<16>(&self.address).map(|octets| Ipv6Addr::from(octets).into()),
            _ => None,
        }
    }

    /// Prefix length the client gave.
    pub fn source_len(&self) -> u8 {
        self.source_len
    }

    /// The option's data for a reply that holds for `scope_len` bits of the address.
    pub fn reply(&self, scope_len: u8) -> Vec<u8> {
        let mut data = Vec::with_capacity(4 + self.address.len());
        data.extend_from_slice(&self.family.to_be_bytes());
        data.extend_from_slice(&[self.source_len, scope_len]);
        data.extend_from_slice(&self.address);
        data
    }

    fn read(data: &[u8]) -> Option<Self> {
        let [f0, f1, source_len, _scope, address @ ..] = data else { return None };
        (address.len() <= 16).then(|| Self {
            family: u16::from_be_bytes([*f0, *f1]),
            source_len: *source_len,
            address: address.to_vec(),
        })
    }
}

fn padded<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let mut octets = [0; N];
    octets.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(octets)
}

/// Reads a packet.
pub fn read(packet: &[u8]) -> Incoming {
    let Some(head) = packet.first_chunk::<HEADER_LEN>() else { return Incoming::Ignore };
    let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (flags, queries, answers, authorities, additionals) = (word(2), word(4), word(6), word(8), word(10));
    if flags & 0x8000 != 0 {
        return Incoming::Ignore;
    }
    let mut reply = Header::new();
    reply.set_id(word(0));
    reply.set_message_type(MessageType::Response);
    reply.set_recursion_desired(flags & 0x0100 != 0);
    reply.set_checking_disabled(flags & 0x0010 != 0);
    match flags >> 11 & 0x0f {
        0 => {}
        4 => {
            reply.set_op_code(OpCode::Notify);
        }
        other => return Incoming::Reject(not_implemented(reply, other)),
    }
    if queries != 1 || answers > 1 || authorities > 1 || additionals > ADDITIONAL_MAX {
        return Incoming::Reject(malformed(reply));
    }
    match body(packet, answers + authorities, additionals) {
        Some((query, edns)) => Incoming::Question(Box::new(Request { reply, query, edns })),
        None => Incoming::Reject(malformed(reply)),
    }
}

fn body(packet: &[u8], skipped: u16, additionals: u16) -> Option<(Query, Option<ClientEdns>)> {
    let mut decoder = BinDecoder::new(packet);
    decoder.read_slice(HEADER_LEN).ok()?;
    let query = Query::read(&mut decoder).ok()?;
    let mut edns = None;
    for at in 0..skipped.checked_add(additionals)? {
        Name::read(&mut decoder).ok()?;
        let kind = decoder.read_u16().ok()?.unverified();
        let class = decoder.read_u16().ok()?.unverified();
        // In an OPT record: the extended code, the version and flags.
        let [_, version, ..] = decoder.read_u32().ok()?.unverified().to_be_bytes();
        let len = decoder.read_u16().ok()?.unverified();
        let data = decoder.read_slice(usize::from(len)).ok()?.unverified();
        if kind == OPT && at >= skipped {
            edns = Some(ClientEdns { udp_size: class, version, subnet: subnet(data) });
        }
    }
    Some((query, edns))
}

/// Finds the client subnet in an OPT record's options. Options that do not parse are as good as absent.
fn subnet(mut options: &[u8]) -> Option<ClientSubnet> {
    while let [c0, c1, l0, l1, rest @ ..] = options {
        let (data, next) = rest.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1])))?;
        if u16::from_be_bytes([*c0, *c1]) == CLIENT_SUBNET {
            return ClientSubnet::read(data);
        }
        options = next;
    }
    None
}

fn malformed(mut reply: Header) -> Header {
    reply.set_op_code(OpCode::Query).set_response_code(ResponseCode::FormErr);
    reply
}

fn not_implemented(mut reply: Header, opcode: u16) -> Header {
    // A number that fits four bits; whatever it is, the reply repeats it.
    let opcode = u8::try_from(opcode).unwrap_or_default();
    reply.set_op_code(OpCode::from_u8(opcode)).set_response_code(ResponseCode::NotImp);
    reply
}

/// The packet of a bare header.
pub fn header_only(header: &Header) -> Vec<u8> {
    let mut packet = Vec::with_capacity(HEADER_LEN);
    // Twelve bytes always fit.
    let _ = header.emit(&mut BinEncoder::new(&mut packet));
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::{Edns, Message};
    use hickory_proto::rr::RecordType;
    use hickory_proto::rr::rdata::opt::EdnsOption;
    use proptest::prelude::*;

    fn question(edns: Option<Edns>) -> Vec<u8> {
        let mut message = Message::new();
        message.set_id(7).set_recursion_desired(true).set_checking_disabled(true);
        message.add_query(Query::query(Name::from_ascii("Web.service.consul.").unwrap(), RecordType::A));
        if let Some(edns) = edns {
            message.set_edns(edns);
        }
        message.to_vec().unwrap()
    }

    fn rejected(packet: &[u8]) -> ResponseCode {
        match read(packet) {
            Incoming::Reject(header) => header.response_code(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_question_keeps_its_id_flags_and_spelling() {
        let Incoming::Question(request) = read(&question(None)) else { panic!() };
        assert_eq!(request.reply.id(), 7);
        assert!(request.reply.recursion_desired() && request.reply.checking_disabled());
        assert_eq!(request.query.name().to_ascii(), "Web.service.consul.");
        assert_eq!(request.edns, None);
    }

    #[test]
    fn client_subnet_is_read_and_repeated_with_a_scope() {
        let mut edns = Edns::new();
        edns.set_max_payload(1232);
        edns.options_mut().insert(EdnsOption::Unknown(10, vec![1; 8]));
        edns.options_mut().insert(EdnsOption::Unknown(8, vec![0, 1, 24, 0, 10, 0, 3]));
        let Incoming::Question(request) = read(&question(Some(edns))) else { panic!() };
        let edns = request.edns.unwrap();
        assert_eq!(edns.udp_size, 1232);
        let subnet = edns.subnet.unwrap();
        assert_eq!(subnet.ip(), Some([10, 0, 3, 0].into()));
        assert_eq!(subnet.reply(24), [0, 1, 24, 24, 10, 0, 3]);
    }

    #[test]
    fn responses_and_fragments_get_no_reply() {
        let mut packet = question(None);
        packet[2] |= 0x80;
        assert!(matches!(read(&packet), Incoming::Ignore));
        assert!(matches!(read(&packet[..11]), Incoming::Ignore));
        assert!(matches!(read(&[]), Incoming::Ignore));
    }

    #[test]
    fn malformed_packets_get_formerr() {
        let packet = question(None);
        assert_eq!(rejected(&packet[..20]), ResponseCode::FormErr);
        for count in [0, 2] {
            let mut packet = packet.clone();
            packet[5] = count;
            assert_eq!(rejected(&packet), ResponseCode::FormErr);
        }
        let mut many = packet.clone();
        many[10] = 0xff;
        assert_eq!(rejected(&many), ResponseCode::FormErr);
        let mut pointer_to_itself = packet[..HEADER_LEN].to_vec();
        pointer_to_itself.extend([0xc0, 12, 0, 1, 0, 1]);
        assert_eq!(rejected(&pointer_to_itself), ResponseCode::FormErr);
    }

    #[test]
    fn other_opcodes_are_not_implemented() {
        for opcode in [1u8, 2, 3, 5, 6, 15] {
            let mut packet = question(None);
            packet[2] |= opcode << 3;
            assert_eq!(rejected(&packet), ResponseCode::NotImp, "{opcode}");
            let Incoming::Reject(header) = read(&packet) else { panic!() };
            let reply = header_only(&header);
            assert_eq!((reply.len(), reply[2] >> 3 & 0x0f, reply[3] & 0x0f), (HEADER_LEN, opcode, 4));
        }
        let mut notify = question(None);
        notify[2] |= 4 << 3;
        assert!(matches!(read(&notify), Incoming::Question(_)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(packet in prop::collection::vec(any::<u8>(), 0..80)) {
            read(&packet);
        }

        #[test]
        fn damaged_questions_are_read_without_panic(at in 0usize..60, byte: u8, cut in 0usize..60) {
            let mut edns = Edns::new();
            edns.options_mut().insert(EdnsOption::Unknown(8, vec![0, 1, 24, 0, 10, 0, 3]));
            let mut packet = question(Some(edns));
            let len = packet.len();
            packet[at % len] = byte;
            packet.truncate(len - cut % len);
            read(&packet);
        }
    }
}
