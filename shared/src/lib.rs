//! Webhooks that a platform deploys into its own AWS account.
//!
//! [`domain`] decides; everything else carries out what it decided. An event travels from the api function through
//! [`queues`] to fan-out, which reads the routes in the [`store`], and on to deliver, which opens the webhook's secrets
//! ([`seal`]) and makes the attempt by its [`sender`].

pub mod domain;

#[cfg(feature = "adapters")]
pub mod authorities;
#[cfg(feature = "adapters")]
pub mod bus;
#[cfg(feature = "adapters")]
pub mod clock;
#[cfg(feature = "adapters")]
pub mod config;
#[cfg(feature = "adapters")]
pub mod context;
#[cfg(feature = "adapters")]
pub mod mail;
#[cfg(feature = "adapters")]
pub mod queues;
#[cfg(feature = "adapters")]
pub mod seal;
#[cfg(feature = "adapters")]
pub mod sender;
#[cfg(feature = "adapters")]
pub mod store;
#[cfg(feature = "adapters")]
pub mod telemetry;
#[cfg(feature = "adapters")]
pub mod token;
#[cfg(feature = "adapters")]
mod version;

#[cfg(feature = "adapters")]
pub use context::Context;
