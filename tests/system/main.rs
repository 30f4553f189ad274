//! Knockback as a whole: its handlers on AWS in a box, with receivers on this machine, in virtual time.

mod announcements;
mod answers;
mod apps;
mod bans;
mod bus;
mod callers;
mod changes;
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
mod objects;
mod queues;
mod quotas;
mod receivers;
mod removals;
mod retries;
mod secrets;
mod sweeps;
mod tokens;
