//! Webhooks that a platform deploys into its own AWS account.
//!
//! [`domain`] decides; everything else carries out what it decided.

pub mod domain;

#[cfg(feature = "adapters")]
pub mod clock;
