//! Signing as Standard Webhooks says: the signature covers `id.timestamp.body`. And as ePages says: it covers the body.

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::domain::{DeliveryId, Timestamp};

/// What a signing secret begins with.
const PREFIX: &str = "whsec_";

/// Signs deliveries for one webhook.
pub struct SigningSecret(hmac::Key);

impl SigningSecret {
    /// Reads a secret, `whsec_` and base64; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        // The least that Standard Webhooks permits.
        (bytes.len() >= 24).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// A new secret of these random bytes, as text.
    pub fn from_random(bytes: [u8; 32]) -> String {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(bytes))
    }

    /// A signature for the very bytes that are sent.
    fn sign(&self, delivery: DeliveryId, at: Timestamp, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{delivery}.{}.", at.as_secs()).as_bytes());
        context.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(context.sign()))
    }
}

/// The value of `webhook-signature` for the very bytes that are sent: a signature by each secret.
pub fn signatures(secrets: &[SigningSecret], delivery: DeliveryId, at: Timestamp, body: &[u8]) -> String {
    let signatures: Vec<_> = secrets.iter().map(|secret| secret.sign(delivery, at, body)).collect();
    signatures.join(" ")
}

/// The value of `X-Epages-Hmac-Sha256` for the very bytes that are sent, with the client secret of the app.
pub fn epages_signature(client_secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, client_secret.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published answer (facts: ePages, Callback).
    #[test]
    fn an_epages_signature_is_the_known_answer() {
        let signature = epages_signature("A5pnpId0FyHno8caYRAj2YccFU42kta8", br#"{"id":"x"}"#);
        assert_eq!(signature, "12F7xKSDZWaHu+GcXHLjmcYH9S+MFBS/LACtLvM51nc=");
    }

    /// The signature was made with Python's hmac module from the same id, time and body.
    #[test]
    fn a_signature_is_the_known_answer() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let id = "01KAHTZZZZ0123456789ABCDEF".parse().expect("an id");
        let signature = secret.sign(id, Timestamp::from_ms(1_614_265_330_999), br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,EQa0+Zwb+MOmSdBQZcUd++udbfhDquDiSRrY3OCzv80=");
    }

    #[test]
    fn what_is_not_a_secret_is_not_read() {
        assert!(SigningSecret::parse(&SigningSecret::from_random([7; 32])).is_some());
        for text in ["", "whsec_", "whsec_***", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert!(SigningSecret::parse(text).is_none(), "{text}");
        }
    }
}
