use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::types::bytes::{Blob, Key};
use crate::types::catalog::NodeService;
use crate::types::duration::GoDuration;
use crate::types::kv::{KvPair, KvVerb};
use crate::types::session::Session;
use crate::types::time::GoTime;
use crate::types::txn::TxnResult;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Sample {
    zulu: u64,
    alpha: i64,
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    omitted: String,
    blob: Blob,
    key: Key,
    span: GoDuration,
    time: GoTime,
    float: f64,
    flag: bool,
    list: Option<Vec<String>>,
    map: BTreeMap<String, Inner>,
    any: serde_json::Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Inner {
    zeta: u64,
    beta: String,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn integers_take_the_shortest_form() {
    for (value, hex) in [
        (0i64, "00"),
        (127, "7f"),
        (128, "cc80"),
        (255, "ccff"),
        (256, "cd0100"),
        (65536, "ce00010000"),
        (15_000_000_000, "cf000000037e11d600"),
        (-1, "ff"),
        (-32, "e0"),
        (-33, "d0df"),
        (-129, "d1ff7f"),
        (-32769, "d2ffff7fff"),
        (i64::MIN, "d38000000000000000"),
    ] {
        assert_eq!(to_vec(&value).unwrap(), bytes(hex), "{value}");
        assert_eq!(from_slice::<i64>(&bytes(hex)).unwrap(), value);
    }
}

#[test]
fn strings_and_bytes_are_raw_without_the_one_byte_length_form() {
    assert_eq!(to_vec("").unwrap(), [0xa0]);
    assert_eq!(to_vec(&"x".repeat(31)).unwrap()[..1], [0xbf]);
    assert_eq!(to_vec(&"x".repeat(32)).unwrap()[..3], [0xda, 0, 32]);
    assert_eq!(to_vec(&"x".repeat(70_000)).unwrap()[..5], [0xdb, 0, 1, 0x11, 0x70]);
    assert_eq!(to_vec(&Blob::from("hi")).unwrap(), *b"\xa2hi");
    assert_eq!(to_vec(&Blob::default()).unwrap(), [0xc0]);
}

#[test]
fn every_string_form_is_read() {
    for hex in
        ["a26869", "d9026869", "da00026869", "db000000026869", "c4026869", "c500026869", "c6000000026869"]
    {
        assert_eq!(from_slice::<String>(&bytes(hex)).unwrap(), "hi", "{hex}");
        assert_eq!(from_slice::<Blob>(&bytes(hex)).unwrap(), Blob::from("hi"), "{hex}");
        assert_eq!(from_slice::<Key>(&bytes(hex)).unwrap(), Key::from("hi"), "{hex}");
    }
    assert_eq!(from_slice::<String>(b"\xa2a\xff").unwrap(), "a\u{fffd}");
    assert_eq!(from_slice::<Key>(b"\xa2a\xff").unwrap(), Key::from(&b"a\xff"[..]));
}

#[test]
fn nil_is_the_zero_value_of_anything() {
    assert_eq!(from_slice::<String>(&[0xc0]).unwrap(), "");
    assert_eq!(from_slice::<u64>(&[0xc0]).unwrap(), 0);
    assert!(!from_slice::<bool>(&[0xc0]).unwrap());
    assert_eq!(from_slice::<f64>(&[0xc0]).unwrap(), 0.0);
    assert_eq!(from_slice::<Vec<String>>(&[0xc0]).unwrap(), [""; 0]);
    assert_eq!(from_slice::<Sample>(&[0xc0]).unwrap(), Sample::default());
    assert_eq!(from_slice::<Blob>(&[0xc0]).unwrap(), Blob::default());
    assert_eq!(from_slice::<GoTime>(&[0xc0]).unwrap(), GoTime::default());
    let names =
        ["Zulu", "Alpha", "Text", "Blob", "Key", "Span", "Time", "Float", "Flag", "List", "Map", "Any"];
    let all_nil: BTreeMap<&str, ()> = names.into_iter().map(|name| (name, ())).collect();
    assert_eq!(from_slice::<Sample>(&to_vec(&all_nil).unwrap()).unwrap(), Sample::default());
}

#[test]
fn booleans_are_read_from_integers() {
    assert!(from_slice::<bool>(&[1]).unwrap());
    assert!(!from_slice::<bool>(&[0]).unwrap());
    assert!(from_slice::<bool>(&[2]).is_err());
}

#[test]
fn numbers_do_not_change_kind() {
    assert!(from_slice::<u64>(&to_vec(&1.5).unwrap()).is_err());
    assert!(from_slice::<u64>(&to_vec("1").unwrap()).is_err());
    assert!(from_slice::<u64>(&to_vec(&-1).unwrap()).is_err());
    assert_eq!(from_slice::<f64>(&[3]).unwrap(), 3.0);
    assert_eq!(to_vec(&1.5).unwrap(), bytes("cb3ff8000000000000"));
}

#[test]
fn struct_fields_are_sorted_and_omitted_ones_are_nil() {
    let inner = Inner { zeta: 1, beta: "b".into() };
    assert_eq!(to_vec(&inner).unwrap(), *b"\x82\xa4Beta\xa1b\xa4Zeta\x01");
    assert_eq!(to_vec_unsorted(&inner).unwrap(), *b"\x82\xa4Zeta\x01\xa4Beta\xa1b");
    let encoded = to_vec(&Sample::default()).unwrap();
    let fields: BTreeMap<String, serde_json::Value> = from_slice(&encoded[..]).unwrap();
    assert_eq!(fields.len(), 13);
    assert_eq!(fields["Omitted"], serde_json::Value::Null);
}

#[test]
fn many_fields_take_the_long_header() {
    let encoded = to_vec(&NodeService::default()).unwrap();
    let names: BTreeMap<String, serde_json::Value> = from_slice(&encoded).unwrap();
    assert!(names.len() > 12);
    assert_eq!(from_slice::<NodeService>(&encoded).unwrap(), NodeService::default());
}

#[test]
fn unknown_keys_are_skipped_at_any_depth() {
    let mut sample = BTreeMap::new();
    sample.insert("Bogus", serde_json::json!([{"a": {"b": [1, 2]}}, "x"]));
    sample.insert("Map", serde_json::json!({"k": {"Zeta": 7, "Other": [1]}}));
    let decoded: Sample = from_slice(&to_vec(&sample).unwrap()).unwrap();
    assert_eq!(decoded.map["k"].zeta, 7);
}

#[test]
fn a_struct_may_come_as_a_list() {
    assert_eq!(from_slice::<Inner>(b"\x92\x05\xa1b").unwrap(), Inner { zeta: 5, beta: "b".into() });
    assert_eq!(from_slice::<Inner>(b"\x91\x05").unwrap(), Inner { zeta: 5, beta: String::new() });
    assert_eq!(from_slice::<Inner>(b"\x94\x05\xa1b\x01\x91\x02").unwrap().zeta, 5);
}

#[test]
fn time_is_fifteen_raw_bytes() {
    let time = GoTime::from_unix(1_795_237_094, 310_000_001);
    let encoded = to_vec(&time).unwrap();
    assert_eq!((encoded.len(), encoded[0]), (16, 0xaf));
    assert_eq!(from_slice::<GoTime>(&encoded).unwrap(), time);
    let seen = bytes("af010000000ee2931b7815fe8f5c0000");
    assert_eq!(from_slice::<GoTime>(&seen).unwrap().nanoseconds(), 0x15fe_8f5c);
}

#[test]
fn a_result_is_the_variant_that_is_set() {
    let mut wire: BTreeMap<&str, Option<KvPair>> = BTreeMap::new();
    wire.insert("KV", Some(KvPair { flags: 3, ..KvPair::default() }));
    wire.insert("Node", None);
    wire.insert("Check", None);
    let result: Vec<TxnResult> = from_slice(&to_vec(&[wire]).unwrap()).unwrap();
    assert!(matches!(&result[..], [TxnResult::Kv(pair)] if pair.flags == 3));
    assert_eq!(from_slice::<KvVerb>(b"\xabdelete-tree").unwrap(), KvVerb::DeleteTree);
    assert!(from_slice::<KvVerb>(b"\xa3xyz").is_err());
}

#[test]
fn a_stored_key_decodes_and_encodes_to_the_same_bytes() {
    let stored = bytes(
        "87ab437265617465496e6465782aa5466c6167732aa34b6579a7666f6f2f626172a94c6f636b496e64657800ab4d6f64696679\
         496e6465782aa753657373696f6ea0a556616c7565a568656c6c6f",
    );
    let pair: KvPair = from_slice(&stored).unwrap();
    assert_eq!(
        (pair.key.clone(), pair.flags, pair.value.clone()),
        (Key::from("foo/bar"), 42, Blob::from("hello"))
    );
    // An empty session is nil here and an empty string there: the same to every reader.
    let ours = to_vec(&pair).unwrap();
    let nil_session = bytes("a753657373696f6ec0");
    let empty_session = bytes("a753657373696f6ea0");
    let at = ours.windows(9).position(|part| part == nil_session).unwrap();
    let mut same = ours.clone();
    same.splice(at..at + 9, empty_session);
    assert_eq!(same, stored);
}

#[test]
fn a_stored_session_decodes() {
    let stored = bytes(
        "8ba84265686176696f72a772656c65617365a6436865636b73c0ab437265617465496e6465782fa24944da002433633234346235\
         342d663634662d343861662d313764312d303730666561373063313062a94c6f636b44656c6179cf000000037e11d600ab4d6f64\
         696679496e6465782fa44e616d65a76d792d6c6f636ba44e6f6465a473727631aa4e6f6465436865636b7391aa73657266486561\
         6c7468ad53657276696365436865636b73c0a354544ca433303073",
    );
    let session: Session = from_slice(&stored).unwrap();
    assert_eq!(session.name, "my-lock");
    assert_eq!(session.lock_delay.0, 15_000_000_000);
    assert_eq!(session.check_ids().collect::<Vec<_>>(), ["serfHealth"]);
}

#[test]
fn flattened_structs_are_sorted_too() {
    #[derive(Serialize, Deserialize, Default, Debug, PartialEq)]
    #[serde(default, rename_all = "PascalCase")]
    struct Outer {
        name: String,
        #[serde(flatten)]
        inner: Inner,
    }
    let outer = Outer { name: "n".into(), inner: Inner { zeta: 1, beta: "b".into() } };
    let encoded = to_vec(&outer).unwrap();
    assert_eq!(encoded, *b"\x83\xa4Beta\xa1b\xa4Name\xa1n\xa4Zeta\x01");
    assert_eq!(from_slice::<Outer>(&encoded).unwrap(), outer);
}

#[test]
fn claimed_lengths_are_not_believed() {
    for hex in ["dd7fffffff", "df7fffffff", "db7fffffff61", "c67fffffff", "dc", "c1", "d9"] {
        assert!(from_slice::<Vec<u64>>(&bytes(hex)).is_err(), "{hex}");
        assert!(from_slice::<String>(&bytes(hex)).is_err(), "{hex}");
        assert!(from_slice::<serde_json::Value>(&bytes(hex)).is_err(), "{hex}");
    }
}

#[test]
fn deep_nesting_is_refused_not_followed() {
    let deep = vec![0x91; 100_000];
    assert_eq!(value_len(&deep), Err(DecodeError::TooDeep));
    assert!(from_slice::<serde_json::Value>(&deep).is_err());
    assert!(from_slice::<Inner>(&[&b"\x81\xa5Other"[..], &deep].concat()).is_err());
}

#[test]
fn walking_tells_how_much_is_missing() {
    assert_eq!(value_len(b"\x82\xa1a\x01\xa1b\x92\x01\x02rest"), Ok(Length::Complete(9)));
    assert_eq!(value_len(b"\xda\x01\x00abc"), Ok(Length::AtLeast(259)));
    assert_eq!(value_len(b""), Ok(Length::AtLeast(1)));
    assert_eq!(value_len(b"\x92\x01"), Ok(Length::AtLeast(3)));
    assert_eq!(value_len(b"\xc1"), Err(DecodeError::Unexpected { expected: "a value", found: 0xc1 }));
    let mut bytes = &b"\x01\xa1a"[..];
    assert_eq!(skip_value(&mut bytes).unwrap(), b"\x01");
    assert_eq!(from_front::<String>(&mut bytes).unwrap(), "a");
    assert!(bytes.is_empty());
}

#[test]
fn bytes_after_a_value_are_an_error() {
    assert_eq!(from_slice::<u64>(&[1, 2]), Err(DecodeError::Trailing { bytes: 1 }));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9f64..1e9).prop_map(|number| Value::from(number + 0.5)),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..20)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn structs_round_trip(
        zulu in any::<u64>(), alpha in any::<i64>(), text in ".{0,50}", blob in prop::collection::vec(any::<u8>(), 0..300),
        key in prop::collection::vec(any::<u8>(), 0..40), float in any::<f64>().prop_filter("NaN", |f| !f.is_nan()),
        names in prop::option::of(prop::collection::vec(".{0,5}", 0..20)), any in any_json(),
    ) {
        let sample = Sample {
            zulu, alpha, text: text.clone(), omitted: text, blob: blob.into(), key: key.into(), span: GoDuration(alpha),
            time: GoTime::from_unix(alpha / 1000, 5), float, flag: zulu % 2 == 0,
            map: names.iter().flatten().map(|n| (n.clone(), Inner { zeta: zulu, beta: n.clone() })).collect(),
            list: names, any,
        };
        let sorted = to_vec(&sample).unwrap();
        prop_assert_eq!(&from_slice::<Sample>(&sorted).unwrap(), &sample);
        prop_assert_eq!(value_len(&sorted), Ok(Length::Complete(sorted.len())));
        prop_assert_eq!(&from_slice::<Sample>(&to_vec_unsorted(&sample).unwrap()).unwrap(), &sample);
        for cut in 0..sorted.len() {
            prop_assert!(from_slice::<Sample>(&sorted[..cut]).is_err());
            prop_assert!(matches!(value_len(&sorted[..cut]), Ok(Length::AtLeast(more)) if more > cut && more <= sorted.len()));
        }
    }

    #[test]
    fn garbage_never_panics(data in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = from_slice::<Sample>(&data);
        let _ = from_slice::<serde_json::Value>(&data);
        let _ = from_slice::<TxnResult>(&data);
        if let Ok(Length::Complete(len)) = value_len(&data) {
            prop_assert!(len <= data.len());
        }
    }

    #[test]
    fn mutated_values_never_panic(at in 0usize..400, byte in any::<u8>()) {
        let sample = Sample { any: serde_json::json!({"a": [1, "b", null]}), ..Sample::default() };
        let mut data = to_vec(&sample).unwrap();
        let at = at % data.len();
        data[at] = byte;
        let _ = from_slice::<Sample>(&data);
    }
}
