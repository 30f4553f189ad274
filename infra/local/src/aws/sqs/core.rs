//! All queues together: the state machines, the journal, and what goes from one queue to another.
//!
//! Every operation is one transaction of the journal, and is answered after its commit. If a write fails, memory
//! may be ahead of the file; it is then rebuilt from the file before anything else is done.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use knockback::{clock::Entropy, domain::Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    arn_of,
    content::Content,
    error::SqsError,
    journal::{Change, Journal, JournalError},
    message::Received,
    moves::MoveTask,
    queue::{Depth, Message, Queue, QueueId, Sequence},
    receipt::{Handle, Receipt},
    settings::{Attributes, Settings},
};

/// The state of the service.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) journal: Journal,
    pub(super) queues: HashMap<QueueId, Hosted>,
    pub(super) names: BTreeMap<String, QueueId>,
    pub(super) move_tasks: VecDeque<MoveTask>,
    last_sequence: i64,
    entropy: Arc<dyn Entropy>,
    is_distrusted: bool,
}

/// A queue and what is known about it.
#[derive(Debug)]
pub(super) struct Hosted {
    pub(super) name: String,
    pub(super) arn: Arc<str>,
    pub(super) created_at: Timestamp,
    pub(super) modified_at: Timestamp,
    pub(super) queue: Queue,
    /// The queue's next change; those who wait for messages listen to it.
    pub(super) next: watch::Sender<Option<Timestamp>>,
}

/// A message that was checked and is to be sent.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) content: Content,
    /// The queue's delay if none.
    pub(super) delay: Option<Duration>,
    pub(super) group: Option<Arc<str>>,
}

impl Hosted {
    /// Tells those who wait, if they have to look or to wait less long than they do.
    pub(super) fn announce(&self, is_visible: bool) {
        let next = self.queue.next_change();
        self.next.send_if_modified(|known| {
            let is_earlier = next.is_some_and(|next| known.is_none_or(|known| next < known));
            *known = next;
            is_visible || is_earlier
        });
    }
}

impl Core {
    /// The state that `journal` keeps.
    pub(super) fn load(
        journal: Journal,
        entropy: Arc<dyn Entropy>,
        now: Timestamp,
    ) -> Result<Self, JournalError> {
        let mut core = Self {
            journal,
            queues: HashMap::new(),
            names: BTreeMap::new(),
            move_tasks: VecDeque::new(),
            last_sequence: 0,
            entropy,
            is_distrusted: false,
        };
        core.reload(now)?;
        Ok(core)
    }

    /// Has memory rebuilt before it is used again.
    pub(super) fn distrust(&mut self) {
        self.is_distrusted = true;
    }

    /// Rebuilds memory if a write failed since it was built.
    pub(super) fn ensure_trusted(&mut self, now: Timestamp) -> Result<(), JournalError> {
        if self.is_distrusted { self.reload(now) } else { Ok(()) }
    }

    fn reload(&mut self, now: Timestamp) -> Result<(), JournalError> {
        let mut queues = HashMap::new();
        for stored in self.journal.queues()? {
            let next = self.queues.get(&stored.id).map(|hosted| hosted.next.clone()).unwrap_or_default();
            let hosted = Hosted {
                arn: arn_of(&stored.name).into(),
                name: stored.name,
                created_at: stored.created_at,
                modified_at: stored.modified_at,
                queue: Queue::new(stored.settings),
                next,
            };
            queues.insert(stored.id, hosted);
        }
        let mut last_sequence = self.last_sequence;
        self.journal.messages(|queue, sequence, message| {
            last_sequence = last_sequence.max(sequence.0);
            if let Some(hosted) = queues.get_mut(&queue) {
                hosted.queue.insert(now, sequence, message);
            }
        })?;
        for hosted in queues.values() {
            hosted.announce(true);
        }
        self.names = queues.iter().map(|(&id, hosted)| (hosted.name.clone(), id)).collect();
        (self.queues, self.last_sequence, self.is_distrusted) = (queues, last_sequence, false);
        Ok(())
    }

    /// The queue of this name.
    pub(super) fn find(&self, name: &str) -> Result<QueueId, SqsError> {
        self.names.get(name).copied().ok_or(SqsError::QueueDoesNotExist)
    }

    /// The queue as it is at `now`.
    pub(super) fn settled(&mut self, id: QueueId, now: Timestamp) -> Result<&mut Hosted, SqsError> {
        let hosted = self.queues.get_mut(&id).ok_or(SqsError::QueueDoesNotExist)?;
        let before = hosted.queue.depth().visible;
        let expired = hosted.queue.settle(now);
        hosted.announce(hosted.queue.depth().visible > before);
        if !expired.is_empty() {
            let changes: Vec<_> = expired.into_iter().map(Change::Remove).collect();
            self.journal.write(&changes).inspect_err(|_| self.is_distrusted = true)?;
        }
        self.queues.get_mut(&id).ok_or(SqsError::QueueDoesNotExist)
    }

    /// Creates a queue, or finds the one that exists with the same attributes.
    pub(super) fn create(
        &mut self,
        name: &str,
        attributes: &Attributes,
        now: Timestamp,
    ) -> Result<(), SqsError> {
        if let Some(existing) = self.names.get(name).and_then(|id| self.queues.get(id)) {
            let settings = &existing.queue.settings;
            return match settings.difference(&settings.clone().with(attributes)?) {
                None => Ok(()),
                Some(attribute) => Err(SqsError::QueueNameExists(name.to_owned(), attribute)),
            };
        }
        let settings = Settings::default().with(attributes)?;
        self.check_redrive(name, &settings)?;
        let id = self.journal.create_queue(name, now, &settings)?;
        let hosted = Hosted {
            name: name.to_owned(),
            arn: arn_of(name).into(),
            created_at: now,
            modified_at: now,
            queue: Queue::new(settings),
            next: watch::Sender::default(),
        };
        self.queues.insert(id, hosted);
        self.names.insert(name.to_owned(), id);
        Ok(())
    }

    /// Changes a queue's attributes.
    pub(super) fn set_attributes(
        &mut self,
        id: QueueId,
        attributes: &Attributes,
        now: Timestamp,
    ) -> Result<(), SqsError> {
        let hosted = self.settled(id, now)?;
        let (name, settings) = (hosted.name.clone(), hosted.queue.settings.clone().with(attributes)?);
        self.check_redrive(&name, &settings)?;
        self.journal.write(&[Change::Settings(id, now, &settings)])?;
        let hosted = self.settled(id, now)?;
        (hosted.queue.settings, hosted.modified_at) = (settings, now);
        Ok(())
    }

    fn check_redrive(&self, name: &str, settings: &Settings) -> Result<(), SqsError> {
        let Some(redrive) = &settings.redrive else { return Ok(()) };
        let reason = match self.find_arn(&redrive.dead_letter_arn) {
            None => "Dead letter target does not exist.",
            Some(_) if redrive.dead_letter_arn == arn_of(name) => {
                "A queue is not its own dead letter target."
            }
            Some(_) => return Ok(()),
        };
        Err(SqsError::invalid(&redrive.dead_letter_arn, "RedrivePolicy", reason))
    }

    /// The queue with this ARN.
    pub(super) fn find_arn(&self, arn: &str) -> Option<QueueId> {
        self.queues.iter().find(|(_, hosted)| &*hosted.arn == arn).map(|(&id, _)| id)
    }

    /// Deletes a queue and its messages.
    pub(super) fn delete_queue(&mut self, id: QueueId) -> Result<(), SqsError> {
        self.journal.write(&[Change::RemoveQueue(id)])?;
        if let Some(hosted) = self.queues.remove(&id) {
            self.names.remove(&hosted.name);
        }
        Ok(())
    }

    /// Sends all messages, and answers their ids.
    pub(super) fn send(
        &mut self,
        id: QueueId,
        batch: Vec<Checked>,
        chain_length: u32,
        now: Timestamp,
    ) -> Result<Vec<Uuid>, SqsError> {
        let queue_delay = self.settled(id, now)?.queue.settings.delay;
        let mut messages = Vec::with_capacity(batch.len());
        for checked in batch {
            self.last_sequence += 1;
            let message = Message {
                id: new_id(&*self.entropy),
                group: checked.group,
                sent_at: now,
                visible_at: now + checked.delay.unwrap_or(queue_delay),
                receive_count: 0,
                first_received_at: None,
                receipt: None,
                source_arn: None,
                chain_length,
            };
            messages.push((Sequence(self.last_sequence), message, checked.content));
        }
        let changes: Vec<_> = messages
            .iter()
            .map(|(sequence, message, content)| Change::Insert(id, *sequence, message, content))
            .collect();
        self.journal.write(&changes)?;
        let hosted = self.queues.get_mut(&id).ok_or(SqsError::QueueDoesNotExist)?;
        let before = hosted.queue.depth().visible;
        let mut ids = Vec::with_capacity(messages.len());
        for (sequence, message, _) in messages {
            ids.push(message.id);
            hosted.queue.insert(now, sequence, message);
        }
        hosted.announce(hosted.queue.depth().visible > before);
        Ok(ids)
    }

    /// Receives up to `max` messages; what was received too often, or `is_stopped`, goes to the dead-letter queue instead.
    pub(super) fn receive(
        &mut self,
        id: QueueId,
        max: usize,
        visibility: Option<Duration>,
        is_stopped: impl Fn(&Message) -> bool,
        now: Timestamp,
    ) -> Result<Vec<Received>, SqsError> {
        self.settled(id, now)?;
        let entropy = Arc::clone(&self.entropy);
        let hosted = self.queues.get(&id).ok_or(SqsError::QueueDoesNotExist)?;
        let redrive = hosted.queue.settings.redrive.as_ref();
        // Without a dead-letter queue (it was deleted) nothing is given up.
        let redrive = redrive
            .and_then(|redrive| Some((self.find_arn(&redrive.dead_letter_arn)?, redrive.max_receive_count)));
        let hosted = self.queues.get_mut(&id).ok_or(SqsError::QueueDoesNotExist)?;
        let visibility = visibility.unwrap_or(hosted.queue.settings.visibility);
        let is_given_up = |message: &Message| {
            redrive.is_some_and(|(_, limit)| message.receive_count >= limit || is_stopped(message))
        };
        let taken = hosted.queue.take(now, max, visibility, is_given_up, || new_receipt(&*entropy))?;
        if taken.received.is_empty() && taken.dead.is_empty() {
            return Ok(Vec::new());
        }
        let source_arn = Arc::clone(&hosted.arn);
        let dead = taken.dead.into_iter().map(|(sequence, message)| {
            let source_arn = Some(Arc::clone(&source_arn));
            (sequence, Message { visible_at: now, receipt: None, source_arn, ..message })
        });
        let dead: Vec<_> = dead.collect();
        let queue = &hosted.queue;
        let received =
            taken.received.iter().filter_map(|&sequence| Some((sequence, queue.message(sequence)?)));
        let received: Vec<_> = received.collect();
        let mut changes: Vec<_> =
            received.iter().map(|&(sequence, message)| Change::Update(id, sequence, message)).collect();
        if let Some((target, _)) = redrive {
            changes.extend(dead.iter().map(|(sequence, message)| Change::Update(target, *sequence, message)));
        }
        self.journal.write(&changes).inspect_err(|_| self.is_distrusted = true)?;
        let mut answers = Vec::with_capacity(received.len());
        for (sequence, message) in received {
            let receipt = message.receipt.unwrap_or(Receipt([0; 16]));
            let handle = Handle { queue: id, sequence, receipt };
            let content = self.journal.content(sequence).inspect_err(|_| self.is_distrusted = true)?;
            answers.push(Received::new(handle, message, content));
        }
        hosted.announce(false);
        if let Some((target, _)) = redrive {
            self.insert_all(target, dead, now);
        }
        Ok(answers)
    }

    /// Adds messages that the journal has in this queue already.
    pub(super) fn insert_all(&mut self, id: QueueId, messages: Vec<(Sequence, Message)>, now: Timestamp) {
        let Some(hosted) = self.queues.get_mut(&id) else { return };
        let is_any = !messages.is_empty();
        for (sequence, message) in messages {
            hosted.queue.insert(now, sequence, message);
        }
        hosted.announce(is_any);
    }

    /// Deletes the messages whose receipts are the latest; the others stay.
    pub(super) fn delete(&mut self, id: QueueId, handles: &[Handle], now: Timestamp) -> Result<(), SqsError> {
        let hosted = self.settled(id, now)?;
        let is_gone = |handle: &&Handle| hosted.queue.delete(handle.sequence, handle.receipt);
        let gone: Vec<_> = handles.iter().filter(is_gone).map(|handle| handle.sequence).collect();
        hosted.announce(false);
        let changes: Vec<_> = gone.into_iter().map(Change::Remove).collect();
        Ok(self.journal.write(&changes).inspect_err(|_| self.is_distrusted = true)?)
    }

    /// Changes visibility timeouts; each succeeds or fails by itself.
    pub(super) fn change_visibility(
        &mut self,
        id: QueueId,
        entries: &[(Handle, Duration)],
        now: Timestamp,
    ) -> Result<Vec<Result<(), SqsError>>, SqsError> {
        let hosted = self.settled(id, now)?;
        let before = hosted.queue.depth().visible;
        let mut results = Vec::with_capacity(entries.len());
        for &(Handle { sequence, receipt, .. }, visibility) in entries {
            results.push(hosted.queue.change_visibility(now, sequence, receipt, visibility));
        }
        hosted.announce(hosted.queue.depth().visible > before);
        let queue = &self.queues.get(&id).ok_or(SqsError::QueueDoesNotExist)?.queue;
        let done = entries.iter().zip(&results).filter(|(_, result)| result.is_ok());
        let changes: Vec<_> = done
            .filter_map(|((handle, _), _)| {
                Some(Change::Update(id, handle.sequence, queue.message(handle.sequence)?))
            })
            .collect();
        self.journal.write(&changes).inspect_err(|_| self.is_distrusted = true)?;
        Ok(results)
    }

    /// Makes visible what is in flight in any queue, and answers how many messages that were.
    pub(super) fn release_in_flight(&mut self, now: Timestamp) -> Result<usize, SqsError> {
        let mut released = Vec::new();
        for (&id, hosted) in &mut self.queues {
            let sequences = hosted.queue.release_in_flight(now);
            hosted.announce(!sequences.is_empty());
            released.extend(sequences.into_iter().map(|sequence| (id, sequence)));
        }
        let changes: Vec<_> = released
            .iter()
            .filter_map(|&(id, sequence)| {
                Some(Change::Update(id, sequence, self.queues.get(&id)?.queue.message(sequence)?))
            })
            .collect();
        self.journal.write(&changes).inspect_err(|_| self.is_distrusted = true)?;
        Ok(released.len())
    }

    /// How many messages a queue holds at `now`.
    pub(super) fn depth(&mut self, id: QueueId, now: Timestamp) -> Result<Depth, SqsError> {
        Ok(self.settled(id, now)?.queue.depth())
    }

    /// The earliest time after `now` at which a message of any queue becomes visible.
    pub(super) fn next_change(&mut self, now: Timestamp) -> Result<Option<Timestamp>, SqsError> {
        let ids: Vec<_> = self.queues.keys().copied().collect();
        let mut next = None;
        for id in ids {
            let change = self.settled(id, now)?.queue.next_change();
            next = [next, change].into_iter().flatten().min();
        }
        Ok(next)
    }

    /// A new message id.
    pub(super) fn new_id(&self) -> Uuid {
        new_id(&*self.entropy)
    }
}

pub(super) fn new_id(entropy: &dyn Entropy) -> Uuid {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

fn new_receipt(entropy: &dyn Entropy) -> Receipt {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    Receipt(bytes)
}
