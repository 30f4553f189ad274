//! SQS in a box: standard queues with delays, visibility timeouts, fair message groups, redrive to a dead-letter
//! queue and the documented limits.
//!
//! Two doors lead in: [`Sqs::call`] speaks SQS's JSON wire format, and the other methods are what the runner's
//! event source pump and tests use. Behind both, `queue` decides, `journal` keeps, `core` holds them together.
//!
//! - What was answered survives a killed process, with its times and receive counts.
//! - Time is the clock that is handed in. Only long polls and [`Changes`] wait in real time.
//! - Delivery is at least once, and in the order of arrival where fairness leaves a choice: no promise, as in SQS.
//! - The calls block for the time of an SQLite transaction, which is microseconds.
//!
//! Not here: FIFO queues, `PurgeQueue`, tags and access policies (a policy is kept and told, and grants nothing).

mod batch;
mod changes;
mod content;
mod core;
mod error;
mod fair;
mod journal;
mod message;
mod message_operations;
mod moves;
mod queue;
mod queue_operations;
mod receipt;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use knockback::{
    clock::{Clock, Entropy},
    domain::Timestamp,
};
use uuid::Uuid;

pub use self::{
    changes::Changes,
    content::{AttributeValue, MessageAttributes},
    error::SqsError,
    journal::JournalError,
    message::{Outgoing, Received},
    queue::Depth,
    settings::Attributes,
};
use self::{
    core::Core,
    journal::Journal,
    queue::{Message, QueueId},
    receipt::Handle,
};
use super::chains::{Chains, next_length};

/// The account that everything in the box belongs to.
pub const ACCOUNT: &str = "000000000000";
/// The region that everything in the box is in.
pub const REGION: &str = "us-east-1";

/// The ARN of the queue `name`.
pub fn arn_of(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

/// The queues of one account.
#[derive(Debug)]
pub struct Sqs {
    core: Mutex<Core>,
    pub(super) chains: Chains,
    clock: Arc<dyn Clock>,
    /// Host and port in the queue URLs that are told; none is looked at in those that come in.
    host: RwLock<String>,
}

impl Sqs {
    /// Queues that are gone when this is dropped.
    ///
    /// # Errors
    ///
    /// If SQLite has no memory.
    pub fn in_memory(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, JournalError> {
        Self::new(Journal::open(None)?, clock, entropy)
    }

    /// The queues that the file at `path` keeps; it is created if there is none.
    ///
    /// # Errors
    ///
    /// If it is in use, damaged, or holds something else.
    pub fn open(path: &Path, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, JournalError> {
        Self::new(Journal::open(Some(path))?, clock, entropy)
    }

    fn new(journal: Journal, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, JournalError> {
        let core = Mutex::new(Core::load(journal, entropy, clock.now())?);
        let host = RwLock::new("aws.box.localhost".to_owned());
        Ok(Self { core, chains: Chains::default(), clock, host })
    }

    /// Tells queue URLs with `host` (and port) from now on. Those told before keep working.
    pub fn advertise(&self, host: impl Into<String>) {
        *self.host.write().unwrap_or_else(PoisonError::into_inner) = host.into();
    }

    /// Creates a queue, or finds the one that exists with these attributes.
    ///
    /// # Errors
    ///
    /// If one exists with others, or an attribute is out of its limits.
    pub fn create_queue(&self, queue_name: &str, attributes: &Attributes) -> Result<(), SqsError> {
        check_name(queue_name)?;
        let (mut core, now) = self.core()?;
        core.create(queue_name, attributes, now)
    }

    /// Deletes a queue and its messages.
    ///
    /// # Errors
    ///
    /// If it does not exist.
    pub fn delete_queue(&self, queue_name: &str) -> Result<(), SqsError> {
        let (mut core, _) = self.core()?;
        let id = core.find(queue_name)?;
        core.delete_queue(id)
    }

    /// The names of all queues, in alphabetical order.
    ///
    /// # Errors
    ///
    /// If the file of the queues cannot be read.
    pub fn queue_names(&self) -> Result<Vec<String>, SqsError> {
        Ok(self.core()?.0.names.keys().cloned().collect())
    }

    /// The name of the queue with this ARN.
    ///
    /// # Errors
    ///
    /// If it does not exist.
    pub fn queue_by_arn(&self, arn: &str) -> Result<String, SqsError> {
        let (core, _) = self.core()?;
        let hosted = core.find_arn(arn).and_then(|id| core.queues.get(&id));
        hosted.map(|hosted| hosted.name.clone()).ok_or(SqsError::QueueDoesNotExist)
    }

    /// Sends one message, and answers its id. `delay` is up to 900 s; the queue's own if none.
    ///
    /// # Errors
    ///
    /// If the queue does not exist, or the message is outside the limits.
    pub fn send(
        &self,
        queue_name: &str,
        body: &str,
        delay: Option<Duration>,
        group: Option<&str>,
    ) -> Result<Uuid, SqsError> {
        let group = group.map(str::to_owned);
        self.send_message(queue_name, Outgoing { body: body.to_owned(), delay, group, ..Outgoing::default() })
    }

    /// Sends one message with everything that a message can have, and answers its id.
    ///
    /// # Errors
    ///
    /// If the queue does not exist, or the message is outside the limits.
    pub fn send_message(&self, queue_name: &str, message: Outgoing) -> Result<Uuid, SqsError> {
        let mut results = self.send_each(queue_name, vec![message])?;
        results.pop().unwrap_or(Err(SqsError::EmptyBatchRequest))
    }

    /// Sends a body to the queue with this ARN, as a rule of EventBridge does.
    ///
    /// # Errors
    ///
    /// If the queue does not exist, or the message is outside the limits.
    pub fn send_to_arn(&self, arn: &str, body: &str) -> Result<Uuid, SqsError> {
        self.send(&self.queue_by_arn(arn)?, body, None, None)
    }

    /// Sends those that are within the limits, in one transaction, and answers for each.
    pub(super) fn send_each(
        &self,
        queue_name: &str,
        messages: Vec<Outgoing>,
    ) -> Result<Vec<Result<Uuid, SqsError>>, SqsError> {
        let (mut core, now) = self.core()?;
        let id = core.find(queue_name)?;
        let settings = core.settled(id, now)?.queue.settings.clone();
        let (mut batch, mut results) = (Vec::new(), Vec::new());
        for message in messages {
            results.push(message.check(&settings).map(|checked| batch.push(checked)));
        }
        let chain_length = next_length();
        let ids = core.send(id, batch, chain_length, now)?;
        if !ids.is_empty() {
            self.chains.count(chain_length);
        }
        let mut ids = ids.into_iter();
        let with_id = |result: Result<(), _>| result.map(|()| ids.next().unwrap_or_default());
        Ok(results.into_iter().map(with_id).collect())
    }

    /// Receives up to `max` messages at once, without waiting, and hides them for `visibility` (the queue's own
    /// timeout if none).
    ///
    /// # Errors
    ///
    /// If the queue does not exist, or has too many messages in flight.
    pub fn receive(
        &self,
        queue_name: &str,
        max: usize,
        visibility: Option<Duration>,
    ) -> Result<Vec<Received>, SqsError> {
        let (mut core, now) = self.core()?;
        let id = core.find(queue_name)?;
        let is_stopped = |message: &Message| self.chains.is_too_long(message.chain_length);
        core.receive(id, max, visibility, is_stopped, now)
    }

    /// Receives as [`Sqs::receive`] does, and waits up to `wait` of real time for a first message.
    ///
    /// # Errors
    ///
    /// If the queue does not exist, or has too many messages in flight.
    pub async fn receive_within(
        &self,
        queue_name: &str,
        max: usize,
        visibility: Option<Duration>,
        wait: Duration,
    ) -> Result<Vec<Received>, SqsError> {
        let poll = async {
            let mut changes = self.changes(queue_name)?;
            loop {
                let received = self.receive(queue_name, max, visibility)?;
                if !received.is_empty() || wait.is_zero() || !changes.changed().await {
                    return Ok(received);
                }
            }
        };
        // The first look is taken even if the wait is zero.
        tokio::time::timeout(wait, poll).await.unwrap_or(Ok(Vec::new()))
    }

    /// Deletes a message. A receipt that is not the latest deletes nothing, and that is no error.
    ///
    /// # Errors
    ///
    /// If the queue does not exist, or never gave out this handle.
    pub fn delete(&self, queue_name: &str, receipt_handle: &str) -> Result<(), SqsError> {
        let (mut core, now) = self.core()?;
        let id = core.find(queue_name)?;
        core.delete(id, &[parse_handle(id, receipt_handle)?], now)
    }

    /// Deletes messages at once, as [`Sqs::delete`] does one.
    ///
    /// # Errors
    ///
    /// If the queue does not exist, or never gave out one of these handles: none is deleted then.
    pub fn delete_all(&self, queue_name: &str, receipt_handles: &[String]) -> Result<(), SqsError> {
        let (mut core, now) = self.core()?;
        let id = core.find(queue_name)?;
        let handles: Result<Vec<_>, _> =
            receipt_handles.iter().map(|handle| parse_handle(id, handle)).collect();
        core.delete(id, &handles?, now)
    }

    /// Hides a message that is in flight for `visibility` from now on; zero makes it visible.
    ///
    /// # Errors
    ///
    /// If the queue does not exist, never gave out this handle, or the message is no longer in flight with it.
    pub fn change_visibility(
        &self,
        queue_name: &str,
        receipt_handle: &str,
        visibility: Duration,
    ) -> Result<(), SqsError> {
        let (mut core, now) = self.core()?;
        let id = core.find(queue_name)?;
        let entry = (parse_handle(id, receipt_handle)?, visibility);
        core.change_visibility(id, &[entry], now)?.pop().unwrap_or(Ok(()))
    }

    /// Makes everything visible at once that is in flight, in all queues, and answers how many messages that
    /// were. For a start after a crash: whoever had received them is gone. Receive counts stay.
    ///
    /// # Errors
    ///
    /// If the file of the queues cannot be written.
    pub fn release_in_flight(&self) -> Result<usize, SqsError> {
        let (mut core, now) = self.core()?;
        core.release_in_flight(now)
    }

    /// The earliest time to come at which a message of any queue becomes visible; none if none is hidden.
    ///
    /// # Errors
    ///
    /// If the file of the queues cannot be written.
    pub fn next_change(&self) -> Result<Option<Timestamp>, SqsError> {
        let (mut core, now) = self.core()?;
        core.next_change(now)
    }

    /// How many messages a queue holds.
    ///
    /// # Errors
    ///
    /// If it does not exist.
    pub fn depth(&self, queue_name: &str) -> Result<Depth, SqsError> {
        let (mut core, now) = self.core()?;
        let id = core.find(queue_name)?;
        core.depth(id, now)
    }

    /// Tells when to look into the queue again. Made before a look, it misses nothing that comes after.
    ///
    /// # Errors
    ///
    /// If the queue does not exist.
    pub fn changes(&self, queue_name: &str) -> Result<Changes, SqsError> {
        let (core, _) = self.core()?;
        let hosted = core.queues.get(&core.find(queue_name)?).ok_or(SqsError::QueueDoesNotExist)?;
        Ok(Changes::new(hosted.next.subscribe(), Arc::clone(&self.clock)))
    }

    /// Has everybody who waits look again: for whoever moved a virtual clock.
    pub fn wake(&self) {
        if let Ok((core, _)) = self.core() {
            core.queues.values().for_each(|hosted| hosted.announce(true));
        }
    }

    /// The state, rebuilt from the file if they may disagree, and the time.
    fn core(&self) -> Result<(MutexGuard<'_, Core>, Timestamp), SqsError> {
        let mut core = self.core.lock().unwrap_or_else(|poisoned| {
            self.core.clear_poison();
            let mut core = poisoned.into_inner();
            core.distrust();
            core
        });
        let now = self.clock.now();
        core.ensure_trusted(now)?;
        Ok((core, now))
    }
}

/// Reads a handle that the queue gave out.
fn parse_handle(queue: QueueId, text: &str) -> Result<Handle, SqsError> {
    Handle::parse(text).filter(|handle| handle.queue == queue).ok_or(SqsError::ReceiptHandleIsInvalid)
}

fn check_name(name: &str) -> Result<(), SqsError> {
    if name.strip_suffix(".fifo").is_some() {
        let message = format!("{name} would be a FIFO queue, and the box has standard queues only");
        return Err(SqsError::UnsupportedOperation(message));
    }
    let is_name = (1..=80).contains(&name.len())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || "-_".contains(char));
    let reason = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.";
    if is_name { Ok(()) } else { Err(SqsError::invalid(name, "QueueName", reason)) }
}
