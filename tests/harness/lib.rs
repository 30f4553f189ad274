//! What system tests are written with: all of Knockback on a box, receivers, and a clock that only tests move.

mod announcements;
mod epages;
mod items;
mod log;
mod names;
mod queues;
mod random;
mod raw;
mod receiver;
mod reply;
mod seed;
mod socket;
#[path = "../../shared/src/telemetry/specification.rs"]
mod specification;
mod subscribed;
mod tls;
mod watch;
mod world;

pub use announcements::Announced;
pub use epages::{CLIENT_SECRET, hook_path};
pub use log::PAYLOAD;
pub use names::Names;
pub use raw::{RawAnswer, RawReceiver};
pub use receiver::{Received, Receiver};
pub use reply::Reply;
pub use socket::{Socket, SocketReceiver};
pub use subscribed::Subscribed;
pub use tls::{Authority, Identity, NOW};
pub use world::{MAIL_FROM, START, World};
