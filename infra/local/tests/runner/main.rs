//! The runner as its users have it: the binary itself, on free ports, in real time, killed and stopped for real.

#![cfg(unix)]

mod aws;
mod crash;
mod fair;
mod greeting;
mod invoke;
mod process;
mod receiver;
mod refusals;
mod stop;
mod times;
mod weight;
