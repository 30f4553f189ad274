//! Sealing what only deliver, and an owner who asks, may read: passwords, signing secrets and apps' client secrets.
//!
//! AES-256-GCM with a random nonce ([`KeyRing`]). The name of the key stands in front of what it sealed, so that keys can
//! be changed while old ones still open. What is sealed for one place does not open in another.
//!
//! The ring is a secret in Secrets Manager, which a function fetches when it starts ([`Sealer`]). A function that is
//! warm while an operator adds a key fetches the ring again when it meets the new key's name, and before it seals if
//! what it has is some minutes old.

mod ring;
mod sealer;

pub use ring::{KeyRing, KeyRingError, SealNonce};
pub use sealer::{SealError, Sealer};

use crate::domain::{AppId, CompanyId, WebhookId};

/// Where a webhook's signing secrets are sealed for.
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
