//! Writes the reply packet, cut down to what the client can take.
//!
//! The records go through hickory's encoder, but field by field: SRV targets must not be compressed (RFC 2782), and
//! with compression off hickory would write target names in lower case, while clients expect the catalog's spelling.

use std::collections::{HashMap, HashSet};

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Header, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, EncodeMode};

use crate::answer::Sections;
use crate::request::Request;
use crate::settings::Settings;

/// What every client takes over UDP (RFC 1035).
const UDP_MIN: usize = 512;
/// A UDP datagram's payload at most, less some room for tunnels.
const UDP_MAX: usize = 65_535 - 68;
/// Answers to a client without EDNS, whatever the configuration says.
const UDP_ANSWERS_MAX: usize = 8;
const TCP_MAX: usize = 65_523;
const TCP_ANSWERS_MAX: usize = 4096;
const TCP_SRV_MAX: usize = 1024;
/// The smallest answer: a compressed name and an IPv4 address.
const ANSWER_MIN: usize = 16;

const CLIENT_SUBNET: u16 = 8;
/// Offset of the header's first byte of flags, and the bit in it that says the reply is incomplete.
const FLAGS_AT: usize = 2;
const FLAG_TC: u8 = 0x02;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// How much a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of the whole packet.
    pub bytes: usize,
    pub answers: usize,
    /// The client did not say that it takes more than the minimum.
    pub minimal: bool,
}

impl Limits {
    pub fn new(request: &Request, transport: Transport, settings: &Settings) -> Self {
        let srv = request.query.query_type() == RecordType::SRV;
        if transport == Transport::Tcp {
            let answers = if srv { TCP_SRV_MAX } else { TCP_ANSWERS_MAX };
            return Self { bytes: TCP_MAX, answers, minimal: false };
        }
        let offered = request.edns.as_ref().map_or(0, |edns| usize::from(edns.udp_size));
        if offered <= UDP_MIN {
            let answers = match settings.udp_answer_limit {
                0 => UDP_ANSWERS_MAX,
                limit => limit.min(UDP_ANSWERS_MAX),
            };
            return Self { bytes: UDP_MIN, answers, minimal: true };
        }
        let bytes = offered.min(UDP_MAX);
        Self { bytes, answers: bytes / ANSWER_MIN, minimal: false }
    }
}

/// The parts of the header that are not the request's, and what else to say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamp {
    pub authoritative: bool,
    pub recursion_available: bool,
    pub code: Option<ResponseCode>,
    /// The reply depends on the client subnet.
    pub by_subnet: bool,
    /// Leaves the OPT record out.
    pub no_edns: bool,
}

/// The packet that answers `request`.
pub fn write(
    request: &Request,
    sections: Sections,
    stamp: Stamp,
    limits: Limits,
    settings: &Settings,
) -> Vec<u8> {
    let mut header = request.reply;
    header.set_authoritative(stamp.authoritative);
    header.set_recursion_available(stamp.recursion_available);
    header.set_response_code(stamp.code.unwrap_or_else(|| sections.code.into()));
    let mut draft = Draft {
        header,
        request,
        edns: edns(request, stamp, header.response_code()),
        additional: sections.additional,
        answers: sections.answers,
        authority: sections.authority,
        compress: !settings.disable_compression,
    };
    let (mut packet, cut) = draft.fit(limits);
    if let (true, Some(flags)) = (cut && settings.enable_truncate, packet.get_mut(FLAGS_AT)) {
        *flags |= FLAG_TC;
    }
    packet
}

fn edns(request: &Request, stamp: Stamp, code: ResponseCode) -> Option<Edns> {
    let client = request.edns.as_ref().filter(|_| !stamp.no_edns)?;
    let mut edns = Edns::new();
    // The header has room for the low bits only.
    edns.set_max_payload(client.udp_size).set_rcode_high(code.high());
    if let Some(subnet) = &client.subnet {
        let scope = if stamp.by_subnet { subnet.source_len() } else { 0 };
        edns.options_mut().insert(EdnsOption::Unknown(CLIENT_SUBNET, subnet.reply(scope)));
    }
    Some(edns)
}

struct Draft<'a> {
    header: Header,
    request: &'a Request,
    edns: Option<Edns>,
    answers: Vec<Record>,
    authority: Vec<Record>,
    additional: Vec<Record>,
    compress: bool,
}

impl Draft<'_> {
    /// The packet without what does not fit, and whether that includes answers.
    fn fit(&mut self, limits: Limits) -> (Vec<u8>, bool) {
        let mut cut = false;
        // A client that only knows the oldest limits may unpack the message into a buffer of that size.
        let mut measure = self.compress;
        if self.answers.len() > limits.answers {
            self.answers.truncate(limits.answers);
            self.keep_target_addresses();
            cut = true;
            measure = measure && !limits.minimal;
        }
        if let Some(packet) = self.packet_within(limits.bytes, measure) {
            return (packet, cut);
        }
        self.keep_target_addresses();
        if let Some(packet) = self.packet_within(limits.bytes, measure) {
            return (packet, cut);
        }
        if !self.answers.is_empty() {
            self.authority.clear();
        }
        let whole = self.answers.len();
        self.drop_answers(limits.bytes, measure);
        cut |= self.answers.len() < whole;
        if let Some(packet) = self.packet_within(limits.bytes, self.compress) {
            return (packet, cut);
        }
        self.additional.clear();
        match self.packet_within(limits.bytes, self.compress) {
            Some(packet) => (packet, cut),
            None => (self.packet_without_records(), true),
        }
    }

    /// Finds how many answers fit together with their targets' addresses, and keeps those, but at least one.
    fn drop_answers(&mut self, bytes: usize, compress: bool) {
        let Ok(ends) = self.answer_ends(compress) else { return };
        let mut keep = ends.partition_point(|end| *end + self.edns_len() <= bytes).max(1);
        self.answers.truncate(keep);
        self.keep_target_addresses();
        while keep > 1 && !self.fits(bytes, compress) {
            keep -= (keep / 8).max(1);
            self.answers.truncate(keep);
            self.keep_target_addresses();
        }
    }

    /// Reduces the additional section to the addresses that lead on from the remaining SRV answers.
    fn keep_target_addresses(&mut self) {
        if self.additional.is_empty() {
            return;
        }
        let mut by_owner: HashMap<Name, Vec<Record>> = HashMap::new();
        for record in self.additional.drain(..).filter(crate::answer::leads_to_address) {
            by_owner.entry(record.name().clone()).or_default().push(record);
        }
        let mut seen = HashSet::new();
        for answer in &self.answers {
            let RData::SRV(srv) = answer.data() else { continue };
            let mut next = Some(srv.target().clone());
            while let Some(name) = next.take().filter(|name| seen.insert(name.clone())) {
                for record in by_owner.remove(&name).unwrap_or_default() {
                    if let RData::CNAME(target) = record.data() {
                        next = Some(target.0.clone());
                    }
                    if !self.additional.contains(&record) {
                        self.additional.push(record);
                    }
                }
            }
        }
    }

    fn edns_len(&self) -> usize {
        let options = self.request.edns.as_ref().and_then(|edns| edns.subnet.as_ref());
        self.edns.as_ref().map_or(0, |_| 11 + options.map_or(0, |subnet| 4 + subnet.reply(0).len()))
    }

    fn fits(&self, bytes: usize, compress: bool) -> bool {
        self.encode(compress).is_ok_and(|packet| packet.len() <= bytes)
    }

    /// The packet to send, if it has at most `bytes` when measured with or without compression.
    fn packet_within(&self, bytes: usize, measure_compressed: bool) -> Option<Vec<u8>> {
        if measure_compressed != self.compress && !self.fits(bytes, measure_compressed) {
            return None;
        }
        self.encode(self.compress).ok().filter(|packet| packet.len() <= bytes)
    }

    /// Not even one answer fits: the client can only ask again over TCP, and has to be told.
    fn packet_without_records(&mut self) -> Vec<u8> {
        self.answers.clear();
        self.authority.clear();
        self.header.set_truncated(true);
        self.encode(self.compress).unwrap_or_else(|_| crate::request::header_only(&self.header))
    }

    fn encode(&self, compress: bool) -> Result<Vec<u8>, ProtoError> {
        let mut packet = Vec::with_capacity(UDP_MIN);
        let mut encoder = BinEncoder::with_mode(&mut packet, EncodeMode::Normal);
        self.head(&mut encoder)?;
        for record in self.answers.iter().chain(&self.authority).chain(&self.additional) {
            emit(&mut encoder, record, compress)?;
        }
        if let Some(edns) = &self.edns {
            edns.emit(&mut encoder)?;
        }
        Ok(packet)
    }

    /// Where each answer ends in the packet; stops where the encoder's limit is reached.
    fn answer_ends(&self, compress: bool) -> Result<Vec<usize>, ProtoError> {
        let mut packet = Vec::with_capacity(UDP_MIN);
        let mut encoder = BinEncoder::with_mode(&mut packet, EncodeMode::Normal);
        self.head(&mut encoder)?;
        let mut ends = Vec::with_capacity(self.answers.len());
        for record in &self.answers {
            if emit(&mut encoder, record, compress).is_err() {
                break;
            }
            ends.push(encoder.len());
        }
        Ok(ends)
    }

    fn head(&self, encoder: &mut BinEncoder<'_>) -> Result<(), ProtoError> {
        let count = |len: usize| u16::try_from(len).unwrap_or(u16::MAX);
        let mut header = self.header;
        header.set_query_count(1);
        header.set_answer_count(count(self.answers.len()));
        header.set_name_server_count(count(self.authority.len()));
        header.set_additional_count(count(self.additional.len() + usize::from(self.edns.is_some())));
        header.emit(encoder)?;
        let query = &self.request.query;
        query.name().emit_as_canonical(encoder, false)?;
        query.query_type().emit(encoder)?;
        query.query_class().emit(encoder)
    }
}

fn emit(encoder: &mut BinEncoder<'_>, record: &Record, compress: bool) -> Result<(), ProtoError> {
    record.name().emit_as_canonical(encoder, !compress)?;
    record.record_type().emit(encoder)?;
    record.dns_class().emit(encoder)?;
    encoder.emit_u32(record.ttl())?;
    let len = encoder.place::<u16>()?;
    match record.data() {
        RData::SRV(srv) => {
            encoder.emit_u16(srv.priority())?;
            encoder.emit_u16(srv.weight())?;
            encoder.emit_u16(srv.port())?;
            srv.target().emit_as_canonical(encoder, true)?;
        }
        RData::CNAME(name) => name.0.emit_as_canonical(encoder, !compress)?,
        RData::NS(name) => name.0.emit_as_canonical(encoder, !compress)?,
        RData::PTR(name) => name.0.emit_as_canonical(encoder, !compress)?,
        RData::SOA(soa) => {
            soa.mname().emit_as_canonical(encoder, !compress)?;
            soa.rname().emit_as_canonical(encoder, !compress)?;
            encoder.emit_u32(soa.serial())?;
            encoder.emit_i32(soa.refresh())?;
            encoder.emit_i32(soa.retry())?;
            encoder.emit_i32(soa.expire())?;
            encoder.emit_u32(soa.minimum())?;
        }
        other => other.emit(encoder)?,
    }
    let written = u16::try_from(encoder.len_since_place(&len)).map_err(|_| "record data too long")?;
    len.replace(encoder, written)
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
