//! The queues by hand: for messages that come twice, get lost, or meet a handler that dies.

use std::collections::HashSet;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use local::aws::{chains::CHAIN_LENGTH, sqs::Received};

use crate::World;

impl World {
    /// How many messages a queue holds, hidden ones included.
    ///
    /// # Panics
    ///
    /// If it does not exist.
    #[expect(clippy::expect_used, reason = "a queue that fails has failed the test")]
    pub fn depth(&self, queue: &str) -> usize {
        let depth = self.system.aws.sqs.depth(queue).expect("a queue");
        depth.visible + depth.delayed + depth.in_flight
    }

    /// Takes at most one batch of messages from a queue. Who does not delete them gets them again after the queue's
    /// visibility timeout.
    ///
    /// # Panics
    ///
    /// If the queue does not exist.
    #[expect(clippy::expect_used, reason = "a queue that fails has failed the test")]
    pub fn receive(&self, queue: &str) -> Vec<Received> {
        self.system.aws.sqs.receive(queue, 10, None).expect("a queue")
    }

    /// Puts a message on a queue.
    ///
    /// # Panics
    ///
    /// If the queue does not take it.
    #[expect(clippy::expect_used, reason = "a queue that fails has failed the test")]
    pub fn send_message(&self, queue: &str, body: &str) {
        self.system.aws.sqs.send(queue, body, None, None).expect("sent");
    }

    /// Deletes messages from a queue.
    ///
    /// # Panics
    ///
    /// If they are not of this queue.
    #[expect(clippy::expect_used, reason = "a queue that fails has failed the test")]
    pub fn delete(&self, queue: &str, messages: &[Received]) {
        let handles: Vec<_> = messages.iter().map(|message| message.receipt_handle.clone()).collect();
        self.system.aws.sqs.delete_all(queue, &handles).expect("deleted");
    }

    /// Gives messages of a queue to its function, and deletes none: a handler that dies right after its work. Answers
    /// with those that the function named as failed.
    ///
    /// # Panics
    ///
    /// If no function reads the queue.
    #[expect(clippy::expect_used, reason = "a queue without a function has failed the test")]
    pub async fn invoke(&self, queue: &str, messages: &[Received]) -> Vec<Received> {
        let mut event = SqsEvent::default();
        event.records = messages.iter().map(record).collect();
        let mapping = self.system.mappings.iter().find(|mapping| mapping.queue == queue);
        let response = self.system.invoke(&mapping.expect("a function").function, event).await;
        let failed = |message: &&Received| {
            let id = message.message_id.to_string();
            response.batch_item_failures.iter().any(|failure| failure.item_identifier == id)
        };
        messages.iter().filter(failed).cloned().collect()
    }

    /// Takes one batch from a queue through its function, as Lambda does, and answers with it.
    pub async fn pump(&self, queue: &str) -> Vec<Received> {
        let messages = self.receive(queue);
        if !messages.is_empty() {
            let failed = self.invoke(queue, &messages).await;
            let done: Vec<_> = messages.iter().filter(|message| !failed.contains(message)).cloned().collect();
            self.delete(queue, &done);
        }
        messages
    }

    /// Takes all that is visible in a queue, and gives each batch to as many handlers at once as there are to be `copies`. On
    /// one thread they take turns; on several they race.
    ///
    /// # Panics
    ///
    /// If a handler panics.
    #[expect(clippy::expect_used, reason = "a handler that panics has failed the test")]
    pub async fn pump_at_once(&self, queue: &str, copies: usize) {
        let mut handlers = Vec::new();
        loop {
            let batch = self.receive(queue);
            if batch.is_empty() {
                break;
            }
            for _ in 0..copies {
                let (world, queue, batch) = (self.clone(), queue.to_owned(), batch.clone());
                handlers.push(tokio::spawn(async move { (world.invoke(&queue, &batch).await, batch) }));
            }
        }
        for handler in handlers {
            let (failed, mut batch) = handler.await.expect("a handler");
            batch.retain(|message| !failed.contains(message));
            self.delete(queue, &batch);
        }
    }

    /// Runs to rest, as [`Self::run_to_rest`] does, and has every message of every queue come twice.
    ///
    /// # Panics
    ///
    /// If a queue fails.
    #[expect(clippy::expect_used, reason = "a queue that fails has failed the test")]
    pub async fn run_to_rest_with_every_message_twice(&self) {
        let sqs = &self.system.aws.sqs;
        let mut copies = HashSet::new();
        loop {
            let mut moved = false;
            for queue in self.system.mappings.iter().map(|mapping| &mapping.queue) {
                let messages = self.pump(queue).await;
                moved |= !messages.is_empty();
                for message in messages {
                    if !copies.contains(&message.message_id) {
                        let group = message.group.as_deref();
                        copies.insert(sqs.send(queue, &message.body, None, group).expect("sent"));
                    }
                }
            }
            if !moved && !self.advance_to_next_change().await {
                return;
            }
        }
    }
}

fn record(message: &Received) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = Some(message.message_id.to_string());
    record.body = Some(message.body.clone());
    record.attributes.insert(CHAIN_LENGTH.to_owned(), message.chain_length.to_string());
    record
}
