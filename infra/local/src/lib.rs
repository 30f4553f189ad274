//! Knockback on one machine: AWS in a box, and the runner that starts everything.

pub mod aws;
