//! Knockback as a whole: its handlers on AWS in a box, with receivers on this machine, in virtual time.

mod answers;
mod bans;
mod bus;
mod callers;
mod claims;
mod consistency;
mod deliveries;
mod event_inputs;
mod fan_out;
mod fan_out_copies;
mod fuzz;
mod inputs;
mod large;
mod matching;
mod queues;
mod quotas;
mod receivers;
mod retries;
mod secrets;
