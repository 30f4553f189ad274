//! Changing the secret that signs a webhook's deliveries, without a gap for its receiver.
//!
//! The new secret signs at once. The one before signs beside it for a day, in which the receiver learns the new one: its
//! library accepts a delivery if any signature is right (Standard Webhooks). A rotation that is repeated, because its answer
//! was lost, takes nothing away: each secret has its own day.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Sealed, Timestamp, Webhook};

/// How long a secret that was replaced still signs.
pub const OVERLAP: Duration = Duration::from_hours(24);

/// The most secrets that sign beside the newest.
const FORMER_MAX: usize = 4;

/// A secret that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerSecret {
    /// The secret.
    secret: Sealed,
    /// Until when it signs.
    until: Timestamp,
}

/// A webhook has as many secrets as can sign at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotatedTooOften {
    /// When the oldest of them ends.
    pub again_at: Timestamp,
}

impl Webhook {
    /// The secrets that sign what is sent now, the newest first.
    pub fn signing_secrets(&self, now: Timestamp) -> impl Iterator<Item = &Sealed> {
        let former = self.still_signing(now).rev().map(|former| &former.secret);
        std::iter::once(&self.signing_secret).chain(former)
    }

    /// Until when a former secret signs too, if one does.
    pub fn overlap_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.still_signing(now).map(|former| former.until).max()
    }

    /// The webhook with a new secret.
    ///
    /// # Errors
    ///
    /// If it has as many as can sign at once: none is taken away before its time.
    pub fn rotated(&self, secret: Sealed, now: Timestamp) -> Result<Self, RotatedTooOften> {
        let mut former: Vec<_> = self.still_signing(now).cloned().collect();
        if former.len() >= FORMER_MAX {
            let again_at = former.iter().map(|former| former.until).min().unwrap_or(now);
            return Err(RotatedTooOften { again_at });
        }
        former.push(FormerSecret { secret: self.signing_secret.clone(), until: now + OVERLAP });
        Ok(Self {
            signing_secret: secret,
            former_signing_secrets: former,
            changed_at: Some(now),
            ..self.clone()
        })
    }

    fn still_signing(&self, now: Timestamp) -> impl DoubleEndedIterator<Item = &FormerSecret> {
        self.former_signing_secrets.iter().filter(move |former| now < former.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_values::webhook;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn sealed(name: &str) -> Sealed {
        Sealed(name.to_owned())
    }

    fn signing(webhook: &Webhook, now: Timestamp) -> Vec<&str> {
        webhook.signing_secrets(now).map(|secret| &*secret.0).collect()
    }

    #[test]
    fn the_secret_before_signs_beside_the_new_one_for_a_day() {
        let webhook = webhook("1", "10", None).rotated(sealed("new"), NOW).expect("rotated");
        let last = NOW + OVERLAP - Duration::from_millis(1);
        assert_eq!(signing(&webhook, last), ["new", "sealed"]);
        assert_eq!(webhook.overlap_until(last), Some(NOW + OVERLAP));
        assert_eq!(signing(&webhook, NOW + OVERLAP), ["new"]);
        assert_eq!(webhook.overlap_until(NOW + OVERLAP), None);
    }

    #[test]
    fn a_second_rotation_takes_nothing_from_the_first() {
        let webhook = webhook("1", "10", None).rotated(sealed("b"), NOW).expect("rotated");
        let webhook = webhook.rotated(sealed("c"), NOW + HOUR).expect("rotated");
        assert_eq!(signing(&webhook, NOW + HOUR), ["c", "b", "sealed"]);
        assert_eq!(signing(&webhook, NOW + OVERLAP), ["c", "b"]);
        let later = webhook.rotated(sealed("d"), NOW + OVERLAP * 3).expect("rotated");
        assert_eq!(later.former_signing_secrets.len(), 1, "what has ended is not kept");
    }

    #[test]
    fn no_more_than_five_sign_at_once() {
        let mut webhook = webhook("1", "10", None);
        for hour in 0..4 {
            webhook = webhook.rotated(sealed(&hour.to_string()), NOW + HOUR * hour).expect("rotated");
        }
        let fifth = webhook.rotated(sealed("x"), NOW + HOUR * 5);
        assert_eq!(fifth.err(), Some(RotatedTooOften { again_at: NOW + OVERLAP }));
        assert!(webhook.rotated(sealed("x"), NOW + OVERLAP).is_ok());
    }
}
