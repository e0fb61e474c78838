//! P-256 private keys in the two forms in which they travel.
//!
//! Agents and other tools exchange `EC PRIVATE KEY` (SEC 1); the signing library reads PKCS #8 only. For this one
//! curve both are fixed frames around the same numbers: 32 bytes of private and 65 bytes of public key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{KeyPair, PublicKeyData};

const PRIVATE_LEN: usize = 32;
const PUBLIC_LEN: usize = 65;
const PEM_LINE: usize = 64;
const SEC1_LABEL: &str = "EC PRIVATE KEY";

/// `SEQUENCE { INTEGER 1, OCTET STRING (32 bytes)` of a SEC 1 key, after the outer header.
const SEC1_HEAD: [u8; 5] = [0x02, 0x01, 0x01, 0x04, 0x20];
/// `[0] { OID prime256v1 } [1] { BIT STRING (65 bytes)`.
const SEC1_MIDDLE: [u8; 17] =
    [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00];
const PUBLIC_TAG: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];
/// Version, algorithm and the start of the key inside a PKCS #8 frame.
const PKCS8_HEAD: [u8; 36] = [
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01,
    0x04, 0x20,
];

/// A new key.
pub fn generate() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
}

/// The key as an `EC PRIVATE KEY` block.
pub fn to_sec1_pem(key: &KeyPair) -> Option<String> {
    let pkcs8 = key.serialize_der();
    let private = pkcs8.strip_prefix(&PKCS8_HEAD)?.get(..PRIVATE_LEN)?;
    let public = key.der_bytes();
    if public.len() != PUBLIC_LEN {
        return None;
    }
    let content = [&SEC1_HEAD, private, &SEC1_MIDDLE, public].concat();
    let der = [&[0x30, u8::try_from(content.len()).ok()?], content.as_slice()].concat();
    let mut pem = format!("-----BEGIN {SEC1_LABEL}-----\n");
    let text = BASE64.encode(der);
    for line in text.as_bytes().chunks(PEM_LINE) {
        pem.push_str(std::str::from_utf8(line).ok()?);
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {SEC1_LABEL}-----\n"));
    Some(pem)
}

/// Reads either form.
pub fn from_pem(pem: &str) -> Result<KeyPair, String> {
    let pkcs8 = match block(pem, SEC1_LABEL) {
        Some(text) => {
            let der = BASE64.decode(text).map_err(|_| "the key is no valid PEM".to_owned())?;
            to_pkcs8(&der).ok_or("only P-256 keys that include the public key can be used")?
        }
        None => return KeyPair::from_pem(pem).map_err(|error| error.to_string()),
    };
    KeyPair::try_from(pkcs8).map_err(|error| error.to_string())
}

/// What stands between the lines that begin and end the block, without line breaks.
fn block(pem: &str, label: &str) -> Option<String> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    Some(body.split_whitespace().collect())
}

fn to_pkcs8(sec1: &[u8]) -> Option<Vec<u8>> {
    let [0x30, len, content @ ..] = sec1 else { return None };
    if usize::from(*len) != content.len() {
        return None;
    }
    let rest = content.strip_prefix(&SEC1_HEAD)?;
    let (private, rest) = rest.split_at_checked(PRIVATE_LEN)?;
    let at = rest.windows(PUBLIC_TAG.len()).position(|window| window == PUBLIC_TAG)?;
    let public = rest.get(at + PUBLIC_TAG.len()..)?;
    if public.len() != PUBLIC_LEN {
        return None;
    }
    Some([&PKCS8_HEAD, private, &PUBLIC_TAG, public].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_the_way_to_pem_and_back() {
        let key = generate().unwrap();
        let pem = to_sec1_pem(&key).unwrap();
        assert!(pem.starts_with("-----BEGIN EC PRIVATE KEY-----\n"));
        assert_eq!(from_pem(&pem).unwrap().serialize_der(), key.serialize_der());
        assert_eq!(from_pem(&key.serialize_pem()).unwrap().serialize_der(), key.serialize_der());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in [
            "",
            "-----BEGIN EC PRIVATE KEY-----\n!!\n-----END EC PRIVATE KEY-----",
            "-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----",
        ] {
            assert!(from_pem(bad).is_err());
        }
    }
}
