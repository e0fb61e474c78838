//! The keys of a pool: all of them open messages, one seals.

use std::fmt;

/// A symmetric key of 16, 24 or 32 bytes, for AES-128, AES-192 or AES-256.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Box<[u8]>);

impl Key {
    pub fn new(bytes: &[u8]) -> Result<Self, KeyringError> {
        match bytes.len() {
            16 | 24 | 32 => Ok(Self(bytes.into())),
            len => Err(KeyringError::KeyLength { len }),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

/// Why a change of the keyring was refused. Nothing changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    #[error("key size must be 16, 24 or 32 bytes")]
    KeyLength { len: usize },
    #[error("requested key is not in the keyring")]
    NotInstalled,
    #[error("removing the primary key is not allowed")]
    RemovesPrimary,
    #[error("keyring holds the most keys it can")]
    Full,
}

/// Most keys in one ring: each undecryptable packet costs a trial with every key.
pub const KEYS_MAX: usize = 64;

/// Keys in the order in which they are tried, the primary first. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    primary: Key,
    others: Vec<Key>,
}

impl Keyring {
    pub fn new(primary: Key) -> Self {
        Self { primary, others: Vec::new() }
    }

    /// The key that seals.
    pub fn primary(&self) -> &Key {
        &self.primary
    }

    /// All keys, the primary first.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.primary).chain(&self.others)
    }

    pub fn contains(&self, key: &Key) -> bool {
        self.keys().any(|held| held == key)
    }

    /// Adds a key at the end. One that is there stays where it is.
    pub fn install(&mut self, key: Key) -> Result<(), KeyringError> {
        if self.contains(&key) {
            return Ok(());
        }
        if self.others.len() + 1 >= KEYS_MAX {
            return Err(KeyringError::Full);
        }
        self.others.push(key);
        Ok(())
    }

    /// Makes an installed key the primary one.
    pub fn use_key(&mut self, key: &Key) -> Result<(), KeyringError> {
        if *key == self.primary {
            return Ok(());
        }
        let at = self.others.iter().position(|held| held == key).ok_or(KeyringError::NotInstalled)?;
        let primary = std::mem::replace(&mut self.primary, self.others.remove(at));
        self.others.insert(0, primary);
        Ok(())
    }

    /// Removes a key other than the primary one. One that is not there is gone already.
    pub fn remove(&mut self, key: &Key) -> Result<(), KeyringError> {
        if *key == self.primary {
            return Err(KeyringError::RemovesPrimary);
        }
        self.others.retain(|held| held != key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::new(&[byte; 16]).unwrap()
    }

    #[test]
    fn a_new_primary_key_moves_to_the_front() {
        let mut ring = Keyring::new(key(1));
        ring.install(key(2)).unwrap();
        ring.install(key(3)).unwrap();
        ring.install(key(2)).unwrap();
        ring.use_key(&key(3)).unwrap();
        assert_eq!(ring.keys().cloned().collect::<Vec<_>>(), [key(3), key(1), key(2)]);
    }

    #[test]
    fn the_primary_key_stays_and_a_foreign_one_cannot_become_it() {
        let mut ring = Keyring::new(key(1));
        assert_eq!(ring.remove(&key(1)), Err(KeyringError::RemovesPrimary));
        assert_eq!(ring.use_key(&key(2)), Err(KeyringError::NotInstalled));
        assert_eq!(ring.remove(&key(2)), Ok(()));
        assert_eq!(Key::new(&[0; 17]), Err(KeyringError::KeyLength { len: 17 }));
        assert_eq!(format!("{ring:?}"), "Keyring { primary: Key(16 bytes), others: [] }");
    }
}
