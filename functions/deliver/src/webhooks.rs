//! The webhooks of a batch as they are now.
//!
//! Attempts for one webhook write its health one after the other, each on what the one before has written: within an
//! invocation they never meet in DynamoDB. Those of other invocations are met there, by condition.

use std::collections::HashMap;

use knockback::{
    domain::{CompanyId, WebhookId},
    queues::DeliveryMessage,
    store::{Batch, StoredWebhook},
};
use tokio::sync::Mutex;

/// The webhooks that a batch is for, as far as they exist.
#[derive(Debug, Default)]
pub(crate) struct Webhooks(HashMap<(CompanyId, WebhookId), Mutex<StoredWebhook>>);

impl Webhooks {
    /// Takes the webhooks of these messages out of what was read. One whose item cannot be read is not among them, so that
    /// it fails nobody else's turn.
    pub(crate) fn of<'a>(messages: impl Iterator<Item = &'a DeliveryMessage>, read: &Batch) -> Self {
        let mut webhooks = HashMap::new();
        for message in messages {
            let key = (message.company.clone(), message.webhook);
            if !webhooks.contains_key(&key)
                && let Ok(Some(webhook)) = read.webhook(&message.company, message.webhook)
            {
                webhooks.insert(key, Mutex::new(webhook));
            }
        }
        Self(webhooks)
    }

    /// The webhook that a message is for.
    pub(crate) fn get(&self, message: &DeliveryMessage) -> Option<&Mutex<StoredWebhook>> {
        self.0.get(&(message.company.clone(), message.webhook))
    }
}
