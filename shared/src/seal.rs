//! Sealing what only deliver, and an owner who asks, may read: passwords, signing secrets and apps' client secrets.
//!
//! AES-256-GCM with a random nonce. The name of the key stands in front of what it sealed, so that keys can be
//! changed while old ones still open. What is sealed for one place does not open in another.

use std::{collections::BTreeMap, fmt, sync::Arc};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use crate::{
    clock::Entropy,
    domain::{AppId, CompanyId, Sealed, WebhookId},
};

/// The shortest text that a key is made of, in bytes.
const KEY_BYTES_MIN: usize = 32;

/// Seals with its current key, opens with any of its keys.
#[derive(Clone)]
pub struct KeyRing {
    current: String,
    keys: Arc<BTreeMap<String, LessSafeKey>>,
    entropy: Arc<dyn Entropy>,
}

/// Why something cannot be sealed or opened. Says nothing of what it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key ring is not one.
    #[error(
        "the key ring must be a JSON object with the name of the current key as \"current\" and each key under its \
         name, at least {KEY_BYTES_MIN} bytes long"
    )]
    KeyRing,
    /// The key that sealed it is not in the ring.
    #[error("no key is named {0:?}")]
    UnknownKey(String),
    /// It was sealed by another key or for another place, or was changed.
    #[error("a sealed value does not open")]
    Broken,
}

/// Where a webhook's signing secret is sealed for.
pub fn signing_secret_place(company: &CompanyId, webhook: WebhookId) -> String {
    format!("{company}#{webhook}#signing_secret")
}

/// Where a webhook's HTTP Basic password is sealed for.
pub fn password_place(company: &CompanyId, webhook: WebhookId) -> String {
    format!("{company}#{webhook}#http_auth_password")
}

/// Where an app's client secret is sealed for.
pub fn client_secret_place(app: &AppId) -> String {
    format!("A#{app}#client_secret")
}

impl KeyRing {
    /// Reads a key ring: `{"current":"k1","k1":"…"}`. A key is made of any text of at least 32 bytes.
    ///
    /// # Errors
    ///
    /// If it is not one.
    pub fn parse(json: &str, entropy: Arc<dyn Entropy>) -> Result<Self, SealError> {
        let mut texts: BTreeMap<String, String> =
            serde_json::from_str(json).map_err(|_| SealError::KeyRing)?;
        let current = texts.remove("current").ok_or(SealError::KeyRing)?;
        let mut keys = BTreeMap::new();
        for (name, text) in texts {
            if text.len() < KEY_BYTES_MIN || name.contains('.') {
                return Err(SealError::KeyRing);
            }
            let key = UnboundKey::new(&AES_256_GCM, &Sha256::digest(text)).map_err(|_| SealError::KeyRing)?;
            keys.insert(name, LessSafeKey::new(key));
        }
        if !keys.contains_key(&current) {
            return Err(SealError::KeyRing);
        }
        Ok(Self { current, keys: Arc::new(keys), entropy })
    }

    /// Seals a text for one place, which has to be named again to open it.
    ///
    /// # Errors
    ///
    /// None that can be caused from outside.
    pub fn seal(&self, text: &str, place: &str) -> Result<Sealed, SealError> {
        let key = self.key(&self.current)?;
        let mut nonce = [0; NONCE_LEN];
        self.entropy.fill(&mut nonce);
        let mut sealed = text.as_bytes().to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut sealed)
            .map_err(|_| SealError::Broken)?;
        let bytes = [&nonce[..], &sealed].concat();
        Ok(Sealed(format!("{}.{}", self.current, BASE64_STANDARD_NO_PAD.encode(bytes))))
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    ///
    /// If its key is not in the ring, or it was not sealed for this place.
    pub fn open(&self, sealed: &Sealed, place: &str) -> Result<String, SealError> {
        let (name, bytes) = sealed.0.split_once('.').ok_or(SealError::Broken)?;
        let key = self.key(name)?;
        let mut bytes = BASE64_STANDARD_NO_PAD.decode(bytes).map_err(|_| SealError::Broken)?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(SealError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Broken)?;
        let text = key.open_in_place(nonce, Aad::from(place), text).map_err(|_| SealError::Broken)?;
        String::from_utf8(text.to_vec()).map_err(|_| SealError::Broken)
    }

    fn key(&self, name: &str) -> Result<&LessSafeKey, SealError> {
        self.keys.get(name).ok_or_else(|| SealError::UnknownKey(name.to_owned()))
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
    use crate::clock::SystemEntropy;

    fn ring(json: &str) -> Result<KeyRing, SealError> {
        KeyRing::parse(json, Arc::new(SystemEntropy))
    }

    const OLD: &str = r#"{"current":"k1","k1":"0123456789abcdef0123456789abcdef"}"#;
    const NEW: &str = r#"{"current":"k2","k1":"0123456789abcdef0123456789abcdef","k2":"a quite different key, and a long one"}"#;

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let ring = ring(OLD).expect("a ring");
        let sealed = ring.seal("hunter2", "here").expect("sealed");
        assert_eq!(ring.open(&sealed, "here").as_deref(), Ok("hunter2"));
        assert_eq!(ring.open(&sealed, "there"), Err(SealError::Broken));
        assert_eq!(ring.open(&Sealed(sealed.0.replace("k1.", "k1.A")), "here"), Err(SealError::Broken));
        assert!(!sealed.0.contains("hunter2") && !format!("{sealed:?}{ring:?}").contains("0123"));
    }

    #[test]
    fn a_new_key_seals_and_the_old_one_still_opens() {
        let (old, new) = (ring(OLD).expect("a ring"), ring(NEW).expect("a ring"));
        let sealed = old.seal("a", "p").expect("sealed");
        assert_eq!(new.open(&sealed, "p").as_deref(), Ok("a"));
        let sealed = new.seal("b", "p").expect("sealed");
        assert_eq!(old.open(&sealed, "p"), Err(SealError::UnknownKey("k2".to_owned())));
    }

    #[test]
    fn a_ring_without_a_current_key_or_with_a_short_one_is_refused() {
        for json in ["", "{}", r#"{"current":"k1"}"#, r#"{"current":"k1","k1":"short"}"#, "[]"] {
            assert_eq!(ring(json).err(), Some(SealError::KeyRing), "{json}");
        }
    }
}
