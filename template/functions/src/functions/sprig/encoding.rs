//! Digests, JSON, base64 and base32.

use Param::{Any, String as Str};
use base64::engine::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use consul_template_language::{CallResult, Param, Text, Value};
use data_encoding::BASE32;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::super::encoding::hex;
use super::Library;
use crate::encode::json::{self, Escape, Layout};

pub(super) fn register(library: &mut Library<'_>) {
    library.add("b64enc", [Str], |args| Ok(BASE64.encode(args.bytes(0)).into()));
    library.add("b64dec", [Str], |args| {
        Ok(match BASE64.decode(args.bytes(0)) {
            Ok(bytes) => Text::from(bytes).into(),
            Err(error) => consul_api::types::bytes::illegal_base64(&error).into(),
        })
    });
    library.add("b32enc", [Str], |args| Ok(BASE32.encode(args.bytes(0)).into()));
    library.add("b32dec", [Str], |args| {
        Ok(match BASE32.decode(args.bytes(0)) {
            Ok(bytes) => Text::from(bytes).into(),
            Err(error) => format!("illegal base32 data at input byte {}", error.position).into(),
        })
    });
    library.add("sha1sum", [Str], |args| Ok(hex(&Sha1::digest(args.bytes(0))).into()));
    library.add("sha256sum", [Str], |args| Ok(hex(&Sha256::digest(args.bytes(0))).into()));
    library.add("sha512sum", [Str], |args| Ok(hex(&Sha512::digest(args.bytes(0))).into()));
    library.add("adler32sum", [Str], |args| Ok(adler32(args.bytes(0)).to_string().into()));

    library.add("toJson", [Any], |args| or_empty(json::write(args.value(0), Escape::Html, Layout::Compact)));
    library.add("toPrettyJson", [Any], |args| {
        or_empty(json::write(args.value(0), Escape::Html, Layout::Indented))
    });
    library.add("toRawJson", [Any], |args| {
        or_empty(json::write(args.value(0), Escape::Needed, Layout::Compact))
    });
    library.add("mustToJson", [Any], |args| {
        Ok(json::write(args.value(0), Escape::Html, Layout::Compact)?.into())
    });
    library.add("mustToPrettyJson", [Any], |args| {
        Ok(json::write(args.value(0), Escape::Html, Layout::Indented)?.into())
    });
    library.add("mustToRawJson", [Any], |args| {
        Ok(json::write(args.value(0), Escape::Needed, Layout::Compact)?.into())
    });
    library.add("fromJson", [Str], |args| Ok(json::read(&args.str(0)).unwrap_or_default()));
    library.add("mustFromJson", [Str], |args| json::read(&args.str(0)));
}

fn or_empty<E>(text: Result<String, E>) -> CallResult {
    Ok(text.map(Value::from).unwrap_or(Value::fixed("")))
}

fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % MODULUS;
        (a, (b + a) % MODULUS)
    });
    (b << 16) | a
}
