use bytes::Bytes;
use proptest::prelude::*;
use tokio::io::AsyncRead;

use super::*;
use crate::mux::Budget;

const SIZES: Sizes = Sizes { header_max: 1000, body_max: 10_000 };

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Bytes that arrive in pieces of `piece`.
struct Pieces<'b> {
    bytes: &'b [u8],
    piece: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let len = self.piece.min(buf.remaining()).min(self.bytes.len());
        let (now, rest) = self.bytes.split_at(len);
        buf.put_slice(now);
        self.bytes = rest;
        std::task::Poll::Ready(Ok(()))
    }
}

fn request(bytes: &[u8], piece: usize) -> Result<Option<Request>, CodecError> {
    block_on(MessageReader::new().read_request(&mut Pieces { bytes, piece }, SIZES))
}

#[test]
fn heads_have_the_bytes_of_a_captured_exchange() {
    let ping = b"\x82\xa3Seq\x01\xadServiceMethod\xabStatus.Ping";
    assert_eq!(request_head("Status.Ping", 1, 0), ping);
    let pong = b"\x83\xa5Error\xa0\xa3Seq\x01\xadServiceMethod\xabStatus.Ping";
    assert_eq!(response_head("Status.Ping", 1, "", 0), pong);
    let large = response_head(&"m".repeat(40), 70_000, &"e".repeat(300), 0);
    let header: ResponseHeader = consul_api::msgpack::from_slice(&large).unwrap();
    assert_eq!((header.service_method.len(), header.seq, header.error.len()), (40, 70_000, 300));
}

#[test]
fn what_is_not_a_header_is_malformed() {
    for bytes in [&b"\xc1"[..], b"\x05\x80", b"\xa3abc\x80", b"\x81\xa3Seq\xa1x\x80"] {
        assert!(matches!(request(bytes, 100), Err(CodecError::Malformed(_))), "{bytes:02x?}");
    }
}

#[test]
fn a_stream_may_end_between_messages_only() {
    let whole = b"\x82\xa3Seq\x01\xadServiceMethod\xa3A.B\x81\xa1a\x01";
    assert!(matches!(request(b"", 1), Ok(None)));
    for len in 1..whole.len() {
        assert!(matches!(request(&whole[..len], 7), Err(CodecError::Truncated)), "{len} bytes");
    }
    assert_eq!(request(whole, 1).unwrap().unwrap().body, Bytes::from_static(b"\x81\xa1a\x01"));
}

#[test]
fn claims_beyond_the_limit_are_refused_before_they_are_kept() {
    for head in [&b"\xdf\xff\xff\xff\xff"[..], b"\xdd\x00\x00\x10\x00", b"\xdb\x00\x00\x10\x00"] {
        assert!(matches!(request(head, 100), Err(CodecError::TooLarge { max: 1000 })), "{head:02x?}");
    }
    let deep = vec![0x91; 500];
    assert!(matches!(request(&deep, 100), Err(CodecError::Malformed(_))));
}

#[test]
fn large_messages_share_a_budget_until_they_are_complete() {
    let mut bytes = request_head("A.B", 1, 0);
    bytes.extend_from_slice(&wrap_raw(&[0; 300_000]));
    let sizes = Sizes { body_max: 1 << 20, ..SIZES };
    let read = |budget: &std::sync::Arc<Budget>, bytes: &[u8]| {
        let mut reader = MessageReader::with_budget(budget.clone());
        let read = block_on(reader.read_request(&mut Pieces { bytes, piece: 10_000 }, sizes));
        (read, reader)
    };
    let budget = Budget::new(200_000);
    assert!(matches!(read(&budget, &bytes), (Err(CodecError::Overloaded), _)));
    assert_eq!(budget.used(), 0, "what a reader held goes with it");

    let budget = Budget::new(2_000_000);
    let (request, reader) = read(&budget, &bytes);
    assert_eq!(request.unwrap().unwrap().body.len(), 300_005);
    assert_eq!(budget.used(), 0, "a complete message is not waiting any more");
    drop(reader);
}

#[test]
fn raw_values_come_out_as_they_went_in() {
    for len in [0, 31, 32, 255, 256, 65_535, 65_536, 100_000] {
        let bytes = Bytes::from(vec![9; len]);
        let wrapped = wrap_raw(&bytes);
        assert_eq!(raw_head(len), wrapped[..wrapped.len() - len]);
        assert_eq!(unwrap_raw(&wrapped).unwrap(), bytes);
    }
    for bytes in [&b""[..], b"\x80", b"\xa2a", b"\xa1ab", b"\xc4"] {
        assert!(unwrap_raw(&Bytes::copy_from_slice(bytes)).is_err(), "{bytes:02x?}");
    }
    assert_eq!(unwrap_raw(&Bytes::from_static(b"\xc4\x02ab")).unwrap(), Bytes::from_static(b"ab"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn messages_are_found_however_they_are_cut(
        bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..2000), 1..5),
        piece in 1usize..3000,
    ) {
        let mut bytes = Vec::new();
        for (seq, body) in bodies.iter().enumerate() {
            bytes.extend(request_head("Some.Method", seq as u64, 0));
            bytes.extend_from_slice(&wrap_raw(body));
        }
        let mut stream = Pieces { bytes: &bytes, piece };
        let mut reader = MessageReader::new();
        for (seq, body) in bodies.iter().enumerate() {
            let request = block_on(reader.read_request(&mut stream, SIZES)).unwrap().unwrap();
            prop_assert_eq!(request.header.seq, seq as u64);
            prop_assert_eq!(unwrap_raw(&request.body).unwrap(), body);
        }
        prop_assert!(block_on(reader.read_request(&mut stream, SIZES)).unwrap().is_none());
    }

    #[test]
    fn garbage_is_an_error_or_a_request(bytes in proptest::collection::vec(any::<u8>(), 0..300), piece in 1usize..50) {
        let _ = request(&bytes, piece);
    }
}
