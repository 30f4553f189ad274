//! What Knockback decides, as plain functions of values and `now`.
//!
//! No async, no AWS, no clock, no randomness: the crate without its `adapters` feature is this module, and CI
//! builds it so.

mod time;

pub use time::Timestamp;
