//! Knockback on one machine: AWS in a box, and the runner that starts everything.
//!
//! [`aws`] is the box. [`template`] reads what it is filled with, [`system`] starts the functions on it, [`pump`] feeds
//! them from the queues, [`schedules`] fires those that run by the clock. Tests use the same, with a clock that they move.

pub mod aws;
pub mod cli;
pub mod data;
pub mod environment;
mod fill;
mod functions;
pub mod invoke;
pub mod pump;
pub mod receiver;
pub mod schedules;
pub mod system;
pub mod template;
