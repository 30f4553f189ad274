//! EventBridge in a box: event buses, rules with event patterns, and delivery to queues.
//!
//! Whoever reports an event calls `PutEvents`; each enabled rule of its bus whose pattern matches (`pattern`)
//! sends it to the rule's targets, rendered as the target wants it (`transform`). Delivery happens within the
//! call and once: when `PutEvents` has answered, the targets have the event, or its dead-letter queue has, or the
//! log says why neither. AWS retries for a day instead, may deliver twice, and promises no order; nothing may
//! rely on the box being kinder.
//!
//! Buses and rules live in memory: the runner makes them anew, from the template, at each start. Schedules are
//! not the box's business. A whole event passes through byte for byte; no number in it is ever parsed.

mod buses;
mod input;
mod json;
mod number;
mod path;
mod pattern;
mod put;
mod rules;
mod targets;
#[cfg(test)]
mod tests;
mod transform;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use knockback::clock::{Clock, Entropy};
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::{buses::Bus, pattern::InvalidPattern};
use super::wire::Answer;

/// The account that everything in the box belongs to.
const ACCOUNT: &str = "000000000000";
/// The region that everything in the box is in.
const REGION: &str = "us-east-1";
/// The bus that is always there, for whoever names none.
const DEFAULT_BUS: &str = "default";

/// Takes what a rule sends: the queues of the box.
pub trait TargetSink: Send + Sync + 'static {
    /// Sends `body` to the queue `target_arn`.
    ///
    /// # Errors
    ///
    /// If the queue does not have it; the event goes to the target's dead-letter queue then.
    fn send(&self, target_arn: &str, body: String) -> Result<(), SinkError>;
}

/// Why a target did not take an event.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// EventBridge: all buses of the box.
///
/// May be called from many threads at once.
pub struct EventService {
    buses: Mutex<BTreeMap<String, Bus>>,
    sink: Arc<dyn TargetSink>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Why a call is refused: the error's name on AWS, and its message.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    kind: &'static str,
    message: String,
}

type Result<T, E = Refusal> = std::result::Result<T, E>;

impl EventService {
    /// A service with the default bus, whose rules send to `sink`.
    pub fn new(sink: Arc<dyn TargetSink>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let buses = BTreeMap::from([(DEFAULT_BUS.to_owned(), Bus::default())]);
        Self { buses: Mutex::new(buses), sink, clock, entropy }
    }

    /// Answers one call; `operation` is what follows `AWSEvents.` in `x-amz-target`.
    pub fn call(&self, operation: &str, body: &[u8]) -> Answer {
        match self.run(operation, body) {
            Ok(answer) => Answer::ok(&answer),
            Err(refusal) => Answer::error(400, refusal.kind, &refusal.message),
        }
    }

    fn run(&self, operation: &str, body: &[u8]) -> Result<Value> {
        match operation {
            "CreateEventBus" => buses::create(&mut self.buses(), read(body)?),
            "DeleteEventBus" => buses::delete(&mut self.buses(), &read(body)?),
            "DescribeEventBus" => buses::describe(&self.buses(), &read(body)?),
            "ListEventBuses" => Ok(buses::list(&self.buses(), &read(body)?)),
            "PutRule" => rules::put(&mut self.buses(), read(body)?),
            "DeleteRule" => rules::delete(&mut self.buses(), &read(body)?),
            "EnableRule" => rules::set_state(&mut self.buses(), &read(body)?, "ENABLED"),
            "DisableRule" => rules::set_state(&mut self.buses(), &read(body)?, "DISABLED"),
            "DescribeRule" => rules::describe(&self.buses(), &read(body)?),
            "ListRules" => rules::list(&self.buses(), &read(body)?),
            "TestEventPattern" => rules::test(&read(body)?),
            "PutTargets" => targets::put(&mut self.buses(), read(body)?),
            "RemoveTargets" => targets::remove(&mut self.buses(), &read(body)?),
            "ListTargetsByRule" => targets::list(&self.buses(), &read(body)?),
            "PutEvents" => put::put_events(self, &read(body)?),
            _ => Err(Refusal::new(
                "UnknownOperationException",
                format!("the box has no operation {operation}"),
            )),
        }
    }

    fn buses(&self) -> MutexGuard<'_, BTreeMap<String, Bus>> {
        self.buses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for EventService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventService").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Refusal {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    fn not_found(message: impl Into<String>) -> Self {
        Self::new("ResourceNotFoundException", message)
    }
}

impl From<InvalidPattern> for Refusal {
    fn from(invalid: InvalidPattern) -> Self {
        let message = format!("Event pattern is not valid. Reason: {invalid}");
        Self::new("InvalidEventPatternException", message)
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        if error.is_data() && error.to_string().starts_with("missing field") {
            Refusal::validation(format!("1 validation error detected: {error}"))
        } else {
            Refusal::new("SerializationException", error.to_string())
        }
    })
}

/// Refuses a name that AWS would refuse.
fn check_name(what: &str, name: &str, max_length: usize) -> Result<()> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if name.is_empty() || name.len() > max_length || !name.chars().all(allowed) {
        return Err(Refusal::validation(format!(
            "1 validation error detected: Value '{name}' at '{what}' failed to satisfy constraint: \
             1 to {max_length} of letters, digits and . _ -"
        )));
    }
    Ok(())
}
