//! Reading and writing for all records of a batch at once.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{KeysAndAttributes, PutRequest, WriteRequest};

use super::{
    Attempt, AttemptKey, Item, Possession, Store, StoreError, StoredWebhook,
    apps::{KnownApp, client_secret, life},
    attempts::attempt_state,
    events::event,
    holds::hold,
    keys::{Key, webhook_of},
    tokens::stored_token,
    webhooks::stored_webhook,
};
use crate::domain::{
    AppState, AttemptState, CompanyId, Event, EventId, Installation, Installed, Timestamp, WebhookId,
};

/// What DynamoDB takes in one `BatchGetItem`, and in one `BatchWriteItem`.
const GET_KEYS_MAX: usize = 100;
const WRITE_ITEMS_MAX: usize = 25;

/// How often what DynamoDB left undone is asked for again.
const TRIES: u32 = 8;

/// What a batch of deliveries needs to know, read consistently, each thing once.
#[derive(Debug, Default)]
pub struct Batch {
    webhooks: Vec<Key>,
    deliveries: Vec<Key>,
    found: HashMap<Key, Item>,
}

impl Batch {
    /// Asks for a webhook.
    pub fn want_webhook(&mut self, company: &CompanyId, webhook: WebhookId) {
        want(&mut self.webhooks, Key::webhook(company, webhook));
    }

    /// Asks for how a user of a company has an app.
    pub fn want_installed(&mut self, installation: &Installation) {
        self.want_item(Key::app(&installation.app));
        self.want_item(Key::installation(installation));
    }

    /// Asks for all that deliver has to know of an app.
    pub fn want_app(&mut self, installation: &Installation) {
        self.want_installed(installation);
        self.want_item(Key::hold(&installation.company, &installation.app));
    }

    /// Asks for an item of the webhooks table.
    pub(super) fn want_item(&mut self, key: Key) {
        want(&mut self.webhooks, key);
    }

    /// Asks for where an attempt stands.
    pub fn want_attempt(&mut self, attempt: &AttemptKey) {
        want(&mut self.deliveries, Key::attempt(attempt));
    }

    /// Asks for an event.
    pub fn want_event(&mut self, company: &CompanyId, event: &EventId) {
        want(&mut self.deliveries, Key::event(company, event));
    }

    /// The webhook, removed ones included.
    ///
    /// # Errors
    ///
    /// If its item cannot be read.
    pub fn webhook(
        &self,
        company: &CompanyId,
        webhook: WebhookId,
    ) -> Result<Option<StoredWebhook>, StoreError> {
        self.found.get(&Key::webhook(company, webhook)).cloned().map(stored_webhook).transpose()
    }

    /// How a user of a company has an app, which was asked for.
    ///
    /// # Errors
    ///
    /// If an item cannot be read.
    pub fn installed(&self, installation: &Installation) -> Result<Installed, StoreError> {
        let life_of = |key: Key| life(self.found.get(&key).cloned());
        Ok(Installed::new(&life_of(Key::app(&installation.app))?, &life_of(Key::installation(installation))?))
    }

    /// All that deliver has to know of an app, which was asked for.
    ///
    /// # Errors
    ///
    /// If an item cannot be read.
    pub fn app(&self, installation: &Installation) -> Result<KnownApp, StoreError> {
        let item = |key: Key| self.found.get(&key).cloned();
        let hold = item(Key::hold(&installation.company, &installation.app)).map(hold).transpose()?;
        let state = AppState { installed: self.installed(installation)?, hold };
        Ok(KnownApp { state, client_secret: client_secret(item(Key::app(&installation.app)))? })
    }

    /// The webhook or token with this key; `None` if it is gone, or removed.
    pub(super) fn possession(&self, key: &Key) -> Result<Option<Possession>, StoreError> {
        let Some(item) = self.found.get(key).cloned() else { return Ok(None) };
        if webhook_of(&key.sk).is_none() {
            return stored_token(item).map(Possession::Token).map(Some);
        }
        let stored = stored_webhook(item)?;
        Ok(stored.webhook.removed_at.is_none().then(|| Possession::Webhook(stored.into())))
    }

    /// Where the attempt stands; `None` if it has no item.
    ///
    /// # Errors
    ///
    /// If its item cannot be read.
    pub fn attempt(&self, attempt: &AttemptKey) -> Result<Option<AttemptState>, StoreError> {
        self.found.get(&Key::attempt(attempt)).cloned().map(attempt_state).transpose()
    }

    /// The event, while it is kept.
    ///
    /// # Errors
    ///
    /// If its item cannot be read.
    pub fn event(&self, company: &CompanyId, id: &EventId) -> Result<Option<Event>, StoreError> {
        self.found.get(&Key::event(company, id)).cloned().map(event).transpose()
    }
}

/// `BatchGetItem` refuses a key that is asked for twice.
fn want(keys: &mut Vec<Key>, key: Key) {
    if !keys.contains(&key) {
        keys.push(key);
    }
}

impl Store {
    /// Reads what was asked for.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer, or keeps leaving keys unread.
    pub async fn read(&self, mut batch: Batch) -> Result<Batch, StoreError> {
        let mut wanted: Vec<(String, Item)> = Vec::new();
        for (table, keys) in
            [(&self.webhooks, &mut batch.webhooks), (&self.deliveries, &mut batch.deliveries)]
        {
            wanted.extend(keys.drain(..).map(|key| (table.clone(), key.into_item())));
        }
        for attempt in 0..TRIES {
            if wanted.is_empty() {
                return Ok(batch);
            }
            if attempt > 0 {
                self.back_off(attempt).await;
            }
            let mut unread = Vec::new();
            while !wanted.is_empty() {
                let rest = wanted.split_off(wanted.len().min(GET_KEYS_MAX));
                unread.append(&mut self.read_chunk(wanted, &mut batch.found).await?);
                wanted = rest;
            }
            wanted = unread;
        }
        Err(StoreError::Contention { operation: "reading a batch" })
    }

    /// Reads some keys; answers with those that DynamoDB left unread.
    async fn read_chunk(
        &self,
        keys: Vec<(String, Item)>,
        found: &mut HashMap<Key, Item>,
    ) -> Result<Vec<(String, Item)>, StoreError> {
        let mut request = self.client.batch_get_item();
        for table in [&self.webhooks, &self.deliveries] {
            let keys: Vec<Item> =
                keys.iter().filter(|(of, _)| of == table).map(|(_, key)| key.clone()).collect();
            if keys.is_empty() {
                continue;
            }
            let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            request = request.request_items(table, keys.map_err(incomplete)?);
        }
        let answer = request.send().await.map_err(StoreError::call("BatchGetItem"))?;
        for item in answer.responses.unwrap_or_default().into_values().flatten() {
            let part = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
            if let (Some(pk), Some(sk)) = (part("pk"), part("sk")) {
                found.insert(Key { pk, sk }, item);
            }
        }
        let unread = answer.unprocessed_keys.unwrap_or_default().into_iter();
        Ok(unread
            .flat_map(|(table, keys)| keys.keys.into_iter().map(move |key| (table.clone(), key)))
            .collect())
    }

    /// Writes the items of attempts that have ended, whatever was there before.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer, or keeps leaving items unwritten.
    pub async fn write_attempts(&self, attempts: &[Attempt], now: Timestamp) -> Result<(), StoreError> {
        // One write of the same item twice is refused as a whole; the later one counts.
        let mut items: HashMap<&AttemptKey, Item> = HashMap::new();
        for attempt in attempts {
            items.insert(&attempt.key, self.attempt_item(attempt, now)?);
        }
        let mut wanted = Vec::with_capacity(items.len());
        for item in items.into_values() {
            let put = PutRequest::builder().set_item(Some(item)).build().map_err(incomplete)?;
            wanted.push(WriteRequest::builder().put_request(put).build());
        }
        for attempt in 0..TRIES {
            if attempt > 0 {
                self.back_off(attempt).await;
            }
            let mut unwritten = Vec::new();
            for writes in wanted.chunks(WRITE_ITEMS_MAX) {
                let request = self.client.batch_write_item().request_items(&self.deliveries, writes.to_vec());
                let answer = request.send().await.map_err(StoreError::call("BatchWriteItem"))?;
                unwritten.extend(answer.unprocessed_items.unwrap_or_default().into_values().flatten());
            }
            wanted = unwritten;
            if wanted.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError::Contention { operation: "writing a batch" })
    }
}

fn incomplete(error: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::Call { operation: "building a batch", code: "incomplete".to_owned(), source: error.into() }
}
