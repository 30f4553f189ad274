//! Knockback as a whole: its handlers on AWS in a box, with receivers on this machine, in virtual time.

mod deliveries;
mod retries;
