//! What system tests are written with: all of Knockback on a box, receivers, and a clock that only tests move.

mod random;
mod receiver;
mod world;

pub use receiver::{Received, Receiver};
pub use world::{Reply, START, World};
