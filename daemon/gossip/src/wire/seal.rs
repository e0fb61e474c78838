//! Encryption of packets and streams: AES-GCM with a version byte and a nonce in front.

use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::aes::Aes192;
use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm, Nonce};

use crate::keyring::{Key, Keyring};

type Aes192Gcm = AesGcm<Aes192, U12>;

pub const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const BLOCK: usize = 16;

/// What [`seal`] adds to a message in bytes.
pub const OVERHEAD: usize = 1 + NONCE_LEN + TAG_LEN;

/// How the plaintext is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Version 0: filled up to whole blocks. Only read, and written for tests.
    Pkcs7,
    /// Version 1: as it is.
    None,
}

/// Why a sealed message cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("Unsupported encryption version {0}")]
    Version(u8),
    #[error("Payload is too small to decrypt: {0}")]
    TooSmall(usize),
    #[error("No installed keys could decrypt the message")]
    NoKey,
    #[error("padding of the decrypted message is damaged")]
    Padding,
}

/// Encrypts a message. `bound` is authenticated along with it. Never use a nonce twice with one key.
pub fn seal(key: &Key, padding: Padding, nonce: [u8; NONCE_LEN], plain: &[u8], bound: &[u8]) -> Vec<u8> {
    let padded;
    let (version, plain) = match padding {
        Padding::None => (1, plain),
        Padding::Pkcs7 => {
            let fill = BLOCK - plain.len() % BLOCK;
            padded = [plain, &vec![fill as u8; fill]].concat();
            (0, padded.as_slice())
        }
    };
    let sealed = encrypt(key, nonce, Payload { msg: plain, aad: bound });
    let mut out = Vec::with_capacity(1 + NONCE_LEN + sealed.len());
    out.push(version);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed);
    out
}

/// Decrypts a message with whichever key fits.
pub fn open(keyring: &Keyring, sealed: &[u8], bound: &[u8]) -> Result<Vec<u8>, OpenError> {
    let (&version, rest) = sealed.split_first().ok_or(OpenError::TooSmall(0))?;
    let smallest = match version {
        0 => OVERHEAD + BLOCK,
        1 => OVERHEAD,
        other => return Err(OpenError::Version(other)),
    };
    if sealed.len() < smallest {
        return Err(OpenError::TooSmall(sealed.len()));
    }
    let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(OpenError::TooSmall(sealed.len()))?;
    let opened = keyring.keys().find_map(|key| decrypt(key, *nonce, Payload { msg: text, aad: bound }));
    let mut plain = opened.ok_or(OpenError::NoKey)?;
    if version == 0 {
        strip(&mut plain)?;
    }
    Ok(plain)
}

fn strip(plain: &mut Vec<u8>) -> Result<(), OpenError> {
    let fill = usize::from(*plain.last().ok_or(OpenError::Padding)?);
    if fill == 0 || fill > BLOCK {
        return Err(OpenError::Padding);
    }
    let len = plain.len().checked_sub(fill).ok_or(OpenError::Padding)?;
    plain.truncate(len);
    Ok(())
}

fn encrypt(key: &Key, nonce: [u8; NONCE_LEN], payload: Payload<'_, '_>) -> Vec<u8> {
    let nonce = Nonce::from_slice(&nonce);
    let key = key.as_bytes();
    let sealed = match key.len() {
        16 => Aes128Gcm::new_from_slice(key).map(|cipher| cipher.encrypt(nonce, payload)),
        24 => Aes192Gcm::new_from_slice(key).map(|cipher| cipher.encrypt(nonce, payload)),
        _ => Aes256Gcm::new_from_slice(key).map(|cipher| cipher.encrypt(nonce, payload)),
    };
    // A `Key` has one of the three lengths, and no message is near the 64 GiB that the cipher can take.
    sealed.ok().and_then(Result::ok).unwrap_or_default()
}

fn decrypt(key: &Key, nonce: [u8; NONCE_LEN], payload: Payload<'_, '_>) -> Option<Vec<u8>> {
    let nonce = Nonce::from_slice(&nonce);
    let key = key.as_bytes();
    match key.len() {
        16 => Aes128Gcm::new_from_slice(key).ok()?.decrypt(nonce, payload).ok(),
        24 => Aes192Gcm::new_from_slice(key).ok()?.decrypt(nonce, payload).ok(),
        _ => Aes256Gcm::new_from_slice(key).ok()?.decrypt(nonce, payload).ok(),
    }
}
