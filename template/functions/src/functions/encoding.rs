//! Values and strings in other forms: base64, digests, JSON, YAML, TOML.

use Param::{Any, String as Str};
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use base64::engine::{Engine, GeneralPurpose};
use consul_template_language::{CallError, CallResult, Functions, Param, Text, Value};
use hmac::{Hmac, Mac as _};
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::encode::json::{Escape, Layout};
use crate::encode::{json, toml, yaml};
use crate::pass::Pass;

pub(super) fn register(functions: &mut Functions<Pass>) {
    functions.pure("base64Encode", [Str], |args| STANDARD.encode(args.bytes(0)));
    functions.pure("base64URLEncode", [Str], |args| URL_SAFE.encode(args.bytes(0)));
    functions.try_pure("base64Decode", [Str], |args| decode("base64Decode", &STANDARD, args.bytes(0)));
    functions.try_pure("base64URLDecode", [Str], |args| decode("base64URLDecode", &URL_SAFE, args.bytes(0)));
    functions.pure("sha256Hex", [Str], |args| hex(&Sha256::digest(args.bytes(0))));
    functions.pure("md5sum", [Str], |args| hex(&Md5::digest(args.bytes(0))));
    functions.try_pure("hmacSHA256Hex", [Str, Str], |args| {
        let mut mac = Hmac::<Sha256>::new_from_slice(args.bytes(1)).map_err(CallError::from_error)?;
        mac.update(args.bytes(0));
        Ok::<_, CallError>(hex(&mac.finalize().into_bytes()))
    });
    for (name, escape, layout) in [
        ("toJSON", Escape::Html, Layout::Compact),
        ("toJSONPretty", Escape::Html, Layout::Indented),
        ("toUnescapedJSON", Escape::Needed, Layout::Compact),
        ("toUnescapedJSONPretty", Escape::Needed, Layout::Indented),
    ] {
        functions.try_pure(name, [Any], move |args| {
            json::write(args.value(0), escape, layout).map_err(|error| named(name, &error))
        });
    }
    functions.try_pure("toYAML", [Any], |args| {
        yaml::write(args.value(0)).map_err(|error| named("toYAML", &error))
    });
    functions.try_pure("toTOML", [Any], |args| {
        toml::write(args.value(0)).map_err(|error| named("toTOML", &error))
    });
}

fn named(name: &str, error: &CallError) -> CallError {
    format!("{name}: {error}").into()
}

/// Bytes from base64; line breaks in it do not count.
fn decode(name: &str, engine: &GeneralPurpose, text: &[u8]) -> CallResult {
    let packed: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    match engine.decode(packed) {
        Ok(bytes) => Ok(Value::Str(Text::from(bytes))),
        Err(error) => Err(format!("{name}: {}", consul_api::types::bytes::illegal_base64(&error)).into()),
    }
}

/// Bytes in lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
