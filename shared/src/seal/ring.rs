//! The keys, and what is done with them.

use std::{collections::BTreeMap, fmt};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use crate::domain::Sealed;

/// The shortest text that a key is made of, in bytes.
const KEY_BYTES_MIN: usize = 32;

/// The random bytes that make two seals of one text differ.
pub type SealNonce = [u8; NONCE_LEN];

/// Seals with its current key, opens with any of its keys.
pub struct KeyRing {
    current: String,
    keys: BTreeMap<String, LessSafeKey>,
}

/// Why something cannot be sealed or opened. Says nothing of what it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// The key ring is not one.
    #[error(
        "the key ring must be a JSON object with the name of the current key as \"current\" and each key under its \
         name, at least {KEY_BYTES_MIN} bytes long"
    )]
    NotOne,
    /// The key that sealed it is not in the ring.
    #[error("no key is named {0:?}")]
    UnknownKey(String),
    /// It was sealed by another key or for another place, or was changed.
    #[error("a sealed value does not open")]
    Broken,
}

impl KeyRing {
    /// Reads a key ring: `{"current":"k1","k1":"…"}`. A key is made of any text of at least 32 bytes.
    ///
    /// # Errors
    ///
    /// If it is not one.
    pub fn parse(json: &str) -> Result<Self, KeyRingError> {
        let mut texts: BTreeMap<String, String> =
            serde_json::from_str(json).map_err(|_| KeyRingError::NotOne)?;
        let current = texts.remove("current").ok_or(KeyRingError::NotOne)?;
        let mut keys = BTreeMap::new();
        for (name, text) in texts {
            if text.len() < KEY_BYTES_MIN || name.contains('.') {
                return Err(KeyRingError::NotOne);
            }
            let key =
                UnboundKey::new(&AES_256_GCM, &Sha256::digest(text)).map_err(|_| KeyRingError::NotOne)?;
            keys.insert(name, LessSafeKey::new(key));
        }
        if !keys.contains_key(&current) {
            return Err(KeyRingError::NotOne);
        }
        Ok(Self { current, keys })
    }

    /// Seals a text for one place, which has to be named again to open it. No nonce may be used twice.
    ///
    /// # Errors
    ///
    /// None that can be caused from outside.
    pub fn seal(&self, text: &str, place: &str, nonce: SealNonce) -> Result<Sealed, KeyRingError> {
        let key = self.key(&self.current)?;
        let mut sealed = text.as_bytes().to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut sealed)
            .map_err(|_| KeyRingError::Broken)?;
        let bytes = [&nonce[..], &sealed].concat();
        Ok(Sealed(format!("{}.{}", self.current, BASE64_STANDARD_NO_PAD.encode(bytes))))
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    ///
    /// If its key is not in the ring, or it was not sealed for this place.
    pub fn open(&self, sealed: &Sealed, place: &str) -> Result<String, KeyRingError> {
        let (name, bytes) = sealed.0.split_once('.').ok_or(KeyRingError::Broken)?;
        let key = self.key(name)?;
        let mut bytes = BASE64_STANDARD_NO_PAD.decode(bytes).map_err(|_| KeyRingError::Broken)?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(KeyRingError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyRingError::Broken)?;
        let text = key.open_in_place(nonce, Aad::from(place), text).map_err(|_| KeyRingError::Broken)?;
        String::from_utf8(text.to_vec()).map_err(|_| KeyRingError::Broken)
    }

    fn key(&self, name: &str) -> Result<&LessSafeKey, KeyRingError> {
        self.keys.get(name).ok_or_else(|| KeyRingError::UnknownKey(name.to_owned()))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("current", &self.current).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    const OLD: &str = r#"{"current":"k1","k1":"0123456789abcdef0123456789abcdef"}"#;
    const NEW: &str = r#"{"current":"k2","k1":"0123456789abcdef0123456789abcdef","k2":"a quite different key, and a long one"}"#;

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let ring = KeyRing::parse(OLD).expect("a ring");
        let sealed = ring.seal("hunter2", "here", [7; NONCE_LEN]).expect("sealed");
        assert_eq!(ring.open(&sealed, "here").as_deref(), Ok("hunter2"));
        assert_eq!(ring.open(&sealed, "there"), Err(KeyRingError::Broken));
        assert_eq!(ring.open(&Sealed(sealed.0.replace("k1.", "k1.A")), "here"), Err(KeyRingError::Broken));
        assert!(!sealed.0.contains("hunter2") && !format!("{sealed:?}{ring:?}").contains("0123"));
    }

    #[test]
    fn a_new_key_seals_and_the_old_one_still_opens() {
        let (old, new) = (KeyRing::parse(OLD).expect("a ring"), KeyRing::parse(NEW).expect("a ring"));
        let sealed = old.seal("a", "p", [1; NONCE_LEN]).expect("sealed");
        assert_eq!(new.open(&sealed, "p").as_deref(), Ok("a"));
        let sealed = new.seal("b", "p", [2; NONCE_LEN]).expect("sealed");
        assert_eq!(old.open(&sealed, "p"), Err(KeyRingError::UnknownKey("k2".to_owned())));
    }

    #[test]
    fn a_ring_without_a_current_key_or_with_a_short_one_is_refused() {
        for json in ["", "{}", r#"{"current":"k1"}"#, r#"{"current":"k1","k1":"short"}"#, "[]"] {
            assert_eq!(KeyRing::parse(json).err(), Some(KeyRingError::NotOne), "{json}");
        }
    }
}
