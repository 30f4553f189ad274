//! Message move tasks: sending what a dead-letter queue holds back to where it came from.
//!
//! A task is done when it is answered: the box needs no pace. What is in flight stays. A moved message is a
//! new one, as in AWS: new id, new time, no receives; only its content and its group are the old ones.

use std::{collections::BTreeMap, sync::Arc};

use knockback::domain::Timestamp;

use super::{
    core::Core,
    error::SqsError,
    journal::Change,
    queue::{Message, QueueId, Sequence},
};

/// Tasks that are remembered, and that a list answers at most.
const TASKS_LIMIT: usize = 10;

/// A message move task that has ended.
#[derive(Debug, Clone)]
pub(super) struct MoveTask {
    pub(super) handle: String,
    pub(super) source_arn: Arc<str>,
    pub(super) destination_arn: Option<Arc<str>>,
    pub(super) started_at: Timestamp,
    pub(super) moved: usize,
    pub(super) to_move: usize,
    /// Some messages were sent to the dead-letter queue directly, and nobody said where to.
    pub(super) is_source_unknown: bool,
}

impl Core {
    /// Moves the visible messages of the dead-letter queue `source_arn` to `destination_arn`, or each to the
    /// queue that gave it up.
    pub(super) fn start_move(
        &mut self,
        source_arn: &str,
        destination_arn: Option<&str>,
        now: Timestamp,
    ) -> Result<MoveTask, SqsError> {
        let missing = |arn: &str| SqsError::ResourceNotFound(arn.to_owned());
        let source = self.find_arn(source_arn).ok_or_else(|| missing(source_arn))?;
        let destination = destination_arn
            .map(|arn| self.find_arn(arn).ok_or_else(|| missing(arn)))
            .transpose()?
            .and_then(|id| Some((id, Arc::clone(&self.queues.get(&id)?.arn))));
        let is_target = self.queues.values().any(|hosted| {
            hosted
                .queue
                .settings
                .redrive
                .as_ref()
                .is_some_and(|redrive| redrive.dead_letter_arn == source_arn)
        });
        if !is_target {
            let reason = "Source queue must be configured as a Dead Letter Queue.";
            return Err(SqsError::invalid(source_arn, "SourceArn", reason));
        }
        let hosted = self.settled(source, now)?;
        let source_arn = Arc::clone(&hosted.arn);
        let (mut moved, mut kept) = (BTreeMap::<QueueId, Vec<(Sequence, Message)>>::new(), Vec::new());
        for (sequence, message) in hosted.queue.take_visible() {
            let origin = || self.find_arn(message.source_arn.as_deref()?);
            match destination.as_ref().map(|&(id, _)| id).or_else(origin) {
                Some(target) => {
                    let message = Message {
                        id: self.new_id(),
                        group: message.group,
                        sent_at: now,
                        visible_at: now,
                        receive_count: 0,
                        first_received_at: None,
                        receipt: None,
                        source_arn: None,
                        // It is an operator who sends it.
                        chain_length: 1,
                    };
                    moved.entry(target).or_default().push((sequence, message));
                }
                None => kept.push((sequence, message)),
            }
        }
        let updates = moved.iter().flat_map(|(&target, messages)| {
            messages.iter().map(move |(sequence, message)| Change::Update(target, *sequence, message))
        });
        let changes: Vec<_> = updates.collect();
        let task = MoveTask {
            handle: self.new_id().to_string(),
            source_arn,
            destination_arn: destination.map(|(_, arn)| arn),
            started_at: now,
            moved: changes.len(),
            to_move: changes.len() + kept.len(),
            is_source_unknown: !kept.is_empty(),
        };
        if let Err(error) = self.journal.write(&changes) {
            self.distrust();
            return Err(error.into());
        }
        self.insert_all(source, kept, now);
        for (target, messages) in moved {
            self.insert_all(target, messages, now);
        }
        self.move_tasks.push_front(task.clone());
        self.move_tasks.truncate(TASKS_LIMIT);
        Ok(task)
    }
}
