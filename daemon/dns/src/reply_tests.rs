use hickory_proto::op::{Message, Query};
use hickory_proto::rr::rdata::TXT;

use super::*;
use crate::records;
use crate::request::{Incoming, read};

fn request(name: &str, asked: RecordType, size: Option<u16>) -> Request {
    let mut message = Message::new();
    message.set_id(3).add_query(Query::query(Name::from_ascii(name).unwrap(), asked));
    if let Some(size) = size {
        message.extensions_mut().get_or_insert_with(Edns::new).set_max_payload(size);
    }
    match read(&message.to_vec().unwrap()) {
        Incoming::Question(request) => *request,
        other => panic!("{other:?}"),
    }
}

fn settings() -> Settings {
    Settings::new("dc1", "n1", "consul").unwrap()
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn addresses(count: u8) -> Sections {
    let owner = name("web.service.consul.");
    let answers = (0..count).map(|n| records::ip(owner.clone(), 0, [10, 0, 0, n].into())).collect();
    Sections { answers, ..Sections::default() }
}

/// SRV answers, each with one address and three TXT records.
fn srv(count: u16) -> Sections {
    let mut sections = Sections::default();
    for n in 0..count {
        let target = name(&format!("node-{n:03}.node.dc1.consul."));
        sections.answers.push(records::srv(name("web.service.consul."), 0, 1, n, target.clone()));
        sections.additional.push(records::ip(target.clone(), 0, [10, 0, 0, 1].into()));
        for text in ["a=1", "b=2", "consul-network-segment="] {
            let txt = RData::TXT(TXT::new(vec![text.into()]));
            sections.additional.push(Record::from_rdata(target.clone(), 0, txt));
        }
    }
    sections
}

fn sent(
    request: &Request,
    sections: Sections,
    transport: Transport,
    settings: &Settings,
) -> (Message, usize) {
    let limits = Limits::new(request, transport, settings);
    let packet = write(request, sections, Stamp::default(), limits, settings);
    assert!(packet.len() <= limits.bytes);
    (Message::from_vec(&packet).unwrap(), packet.len())
}

#[test]
fn a_client_without_edns_gets_three_answers_or_up_to_eight() {
    let request = request("web.service.consul.", RecordType::A, None);
    for (limit, want) in [(3, 3), (6, 6), (20, 8), (0, 8)] {
        let mut settings = settings();
        settings.udp_answer_limit = limit;
        let (message, _) = sent(&request, addresses(12), Transport::Udp, &settings);
        assert_eq!((message.answers().len(), message.truncated()), (want, false));
        settings.enable_truncate = true;
        assert!(sent(&request, addresses(12), Transport::Udp, &settings).0.truncated());
        assert!(!sent(&request, addresses(3), Transport::Udp, &settings).0.truncated());
    }
}

#[test]
fn edns_size_counts_with_the_opt_record() {
    let request = request("web.service.consul.", RecordType::A, Some(1232));
    let (message, len) = sent(&request, addresses(90), Transport::Udp, &settings());
    assert_eq!(message.answers().len(), 74);
    assert!(len > 1232 - 16);
    assert_eq!(message.extensions().as_ref().unwrap().max_payload(), 1232);
}

#[test]
fn txt_extras_go_first_and_every_remaining_target_keeps_its_address() {
    let settings = settings();
    let small = request("web.service.consul.", RecordType::SRV, Some(1232));
    let (message, _) = sent(&small, srv(12), Transport::Udp, &settings);
    assert_eq!((message.answers().len(), message.additionals().len()), (12, 12));
    let large = request("web.service.consul.", RecordType::SRV, Some(4096));
    let (message, _) = sent(&large, srv(12), Transport::Udp, &settings);
    assert_eq!((message.answers().len(), message.additionals().len()), (12, 48));
    let (message, _) = sent(&small, srv(90), Transport::Udp, &settings);
    assert!(message.answers().len() > 15);
    assert_eq!(message.answers().len(), message.additionals().len());
    let none = request("web.service.consul.", RecordType::SRV, None);
    let (message, _) = sent(&none, srv(12), Transport::Udp, &settings);
    assert_eq!((message.answers().len(), message.additionals().len()), (3, 3));
}

#[test]
fn tcp_carries_everything_up_to_the_limits_of_a_message() {
    let settings = settings();
    let request = request("web.service.consul.", RecordType::SRV, None);
    let (message, _) = sent(&request, srv(200), Transport::Tcp, &settings);
    assert_eq!((message.answers().len(), message.additionals().len()), (200, 800));
    let (message, _) = sent(&request, srv(3000), Transport::Tcp, &settings);
    assert!((600..=1024).contains(&message.answers().len()), "{}", message.answers().len());
}

#[test]
fn one_answer_too_large_for_the_client_says_so_instead_of_vanishing() {
    let owner = name("n1.node.consul.");
    let long = RData::TXT(TXT::from_bytes(vec![&[b'x'; 255]; 3]));
    let sections = Sections { answers: vec![Record::from_rdata(owner, 0, long)], ..Sections::default() };
    let request = request("n1.node.consul.", RecordType::TXT, None);
    let (message, _) = sent(&request, sections.clone(), Transport::Udp, &settings());
    assert!(message.truncated() && message.answers().is_empty());
    let (message, _) = sent(&request, sections, Transport::Tcp, &settings());
    assert_eq!(message.answers().len(), 1);
}

#[test]
fn large_meta_extras_never_silence_an_address() {
    let owner = name("n1.node.consul.");
    let long = RData::TXT(TXT::from_bytes(vec![&[b'x'; 255]; 3]));
    let sections = Sections {
        answers: vec![records::ip(owner.clone(), 0, [10, 0, 0, 1].into())],
        additional: vec![Record::from_rdata(owner, 0, long)],
        ..Sections::default()
    };
    let mut settings = settings();
    settings.enable_truncate = true;
    let request = request("n1.node.consul.", RecordType::A, None);
    let (message, _) = sent(&request, sections, Transport::Udp, &settings);
    assert_eq!((message.answers().len(), message.additionals().len()), (1, 0));
    assert!(!message.truncated());
}

#[test]
fn spelling_survives_with_and_without_compression_and_srv_targets_are_never_compressed() {
    let request = request("WEB.service.consul.", RecordType::SRV, Some(4096));
    let target = name("Bad_Node.node.dc1.consul.");
    let sections = Sections {
        answers: vec![records::srv(name("WEB.service.consul."), 0, 1, 80, target.clone())],
        additional: vec![records::cname(target, 0, name("Other.Example."))],
        ..Sections::default()
    };
    let mut lens = Vec::new();
    for disable_compression in [false, true] {
        let mut settings = settings();
        settings.disable_compression = disable_compression;
        let limits = Limits::new(&request, Transport::Udp, &settings);
        let packet = write(&request, sections.clone(), Stamp::default(), limits, &settings);
        assert!(packet.windows(9).any(|w| w == b"\x08Bad_Node"));
        assert!(packet.windows(8).any(|w| w == b"\x06consul\x00"));
        let message = Message::from_vec(&packet).unwrap();
        assert_eq!(
            message.answers()[0].to_string(),
            "WEB.service.consul. 0 IN SRV 1 1 80 Bad_Node.node.dc1.consul."
        );
        assert_eq!(
            message.additionals()[0].to_string(),
            "Bad_Node.node.dc1.consul. 0 IN CNAME Other.Example."
        );
        lens.push(packet.len());
    }
    assert!(lens[0] < lens[1]);
}

#[test]
fn no_packet_ever_exceeds_what_the_client_takes() {
    let settings = settings();
    for size in (512..6000).step_by(97) {
        for count in [1, 5, 40, 90] {
            let request = request("web.service.consul.", RecordType::SRV, Some(size));
            let (message, _) = sent(&request, srv(count), Transport::Udp, &settings);
            assert!(!message.answers().is_empty());
        }
    }
}
