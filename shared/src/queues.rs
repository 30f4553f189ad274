//! What travels through SQS, and sending it.
//!
//! A message carries no secret and no URL: deliver reads the webhook when it gets the message, so deleting, banning
//! and changing act on what is already queued.

mod events;

use std::time::Duration;

use aws_sdk_sqs::{Client, error::ProvideErrorMetadata, types::SendMessageBatchRequestEntry};
use serde::{Deserialize, Serialize};

use self::events::EventsWire;
pub use self::events::{EventsMessage, FanOutPage, RouteCursor};
use crate::{
    domain::{
        AppRemoval, AttemptNumber, CompanyId, DeliveryId, Event, EventId, Installation, RemovalTarget,
        Timestamp, WebhookId, alarm_delay,
    },
    store::{AnnouncementKey, AttemptKey},
    version::Version1,
};

/// The largest event that travels with its deliveries; a larger one is read from its item.
const EVENT_CARRIED_BYTES_MAX: usize = 32 * 1024;

const BATCH_ENTRIES_MAX: usize = 10;
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// How often entries that SQS failed to take are sent again.
const TRIES: usize = 3;

/// The queues between the functions.
#[derive(Debug, Clone)]
pub struct Queues {
    client: Client,
    urls: QueueUrls,
}

/// Where the queues are.
#[derive(Debug, Clone)]
pub struct QueueUrls {
    /// Events on their way to fan-out.
    pub events: String,
    /// Original attempts on their way to deliver.
    pub deliveries: String,
    /// Everything that waits: retries, and originals that a ban delays.
    pub retries: String,
}

/// On the deliveries and retries queues: the turn of an attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliveryMessage {
    v: Version1,
    /// The company.
    pub company: CompanyId,
    /// The webhook.
    pub webhook: WebhookId,
    /// The delivery.
    pub delivery: DeliveryId,
    /// Which attempt of it.
    pub attempt: AttemptNumber,
    /// The time that this message is the alarm for; an original that was never delayed has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// When Knockback took the event.
    pub accepted_at: Timestamp,
    /// The event's id.
    pub event_id: EventId,
    /// The event, unless it is large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// The installation that an application webhook belongs to, so that it is read together with the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation: Option<Installation>,
}

/// On the retries queue: the alarm for an announcement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AnnouncementMessage {
    v: Version1,
    /// Which.
    pub announcement: AnnouncementKey,
    /// The time that this message is the alarm for.
    pub due: Timestamp,
}

/// What is due to be woken, as a message.
#[derive(Debug, Clone)]
pub enum Alarm {
    /// For an attempt.
    Attempt(Box<DeliveryMessage>),
    /// For an announcement.
    Announcement(AnnouncementMessage),
}

impl DeliveryMessage {
    /// The original attempt of an event for a webhook.
    pub fn original(event: &Event, webhook: WebhookId) -> Self {
        let body = |json: &Option<Box<serde_json::value::RawValue>>| {
            json.as_ref().map_or(0, |json| json.get().len())
        };
        let users: usize = event.permitted_users.iter().flatten().map(|user| user.as_str().len() + 3).sum();
        let carried = body(&event.data) + body(&event.previous) + users <= EVENT_CARRIED_BYTES_MAX;
        Self {
            v: Version1,
            company: event.company.clone(),
            webhook,
            delivery: DeliveryId::derive(event.accepted_at, &event.company, &event.id, webhook),
            attempt: AttemptNumber::ORIGINAL,
            due: None,
            accepted_at: event.accepted_at,
            event_id: event.id.clone(),
            event: carried.then(|| event.clone()),
            installation: None,
        }
    }

    /// The same, for a webhook that belongs to an installation.
    #[must_use]
    pub fn of(self, installation: Option<Installation>) -> Self {
        Self { installation, ..self }
    }

    /// The alarm for a waiting attempt that nothing else is known of: its event is read from its item, and so is
    /// whether its webhook's app still stands.
    pub fn waiting(key: AttemptKey, event_id: EventId, due: Timestamp) -> Self {
        let AttemptKey { company, webhook, delivery, number } = key;
        Self {
            v: Version1,
            company,
            webhook,
            delivery,
            attempt: number,
            due: Some(due),
            accepted_at: delivery.accepted_at(),
            event_id,
            event: None,
            installation: None,
        }
    }

    /// The alarm for an attempt of the same delivery.
    #[must_use]
    pub fn alarm(&self, attempt: AttemptNumber, due: Timestamp) -> Self {
        Self { attempt, due: Some(due), ..self.clone() }
    }

    /// Which attempt it is about.
    pub fn key(&self) -> AttemptKey {
        let Self { company, webhook, delivery, attempt, .. } = self;
        AttemptKey { company: company.clone(), webhook: *webhook, delivery: *delivery, number: *attempt }
    }
}

impl AnnouncementMessage {
    /// The alarm for an announcement.
    pub fn new(announcement: AnnouncementKey, due: Timestamp) -> Self {
        Self { v: Version1, announcement, due }
    }
}

impl Alarm {
    fn entry(&self, now: Timestamp) -> Option<Result<Entry, SendError>> {
        match self {
            Self::Attempt(message) => {
                let delay = alarm_delay(message.due.unwrap_or(now), now)?;
                Some(Entry::new(&message.company, message, Some(delay)))
            }
            Self::Announcement(message) => {
                let delay = alarm_delay(message.due, now)?;
                Some(Entry::new(&message.announcement.company, message, Some(delay)))
            }
        }
    }
}

/// SQS did not take a message.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The call failed.
    #[error("SendMessageBatch failed ({code})")]
    Call {
        /// AWS's name for the error, or `unreachable`.
        code: String,
        /// The SDK's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// SQS kept refusing entries of the batch.
    #[error("SQS refused {count} messages ({code})")]
    Refused {
        /// How many.
        count: usize,
        /// Why it refused the first.
        code: String,
    },
    /// A message cannot be written.
    #[error("a message cannot be written")]
    Format(#[source] serde_json::Error),
}

impl Queues {
    /// Sends through `client` to `urls`.
    pub fn new(client: Client, urls: QueueUrls) -> Self {
        Self { client, urls }
    }

    /// Sends events to fan-out. When it returns, SQS has them all.
    ///
    /// # Errors
    ///
    /// If SQS did not take all of them; some it may have taken.
    pub async fn send_events(&self, events: Vec<Event>) -> Result<(), SendError> {
        let entries = events.into_iter().map(|event| {
            let company = event.company.clone();
            Entry::new(&company, &EventsWire::from(EventsMessage::Event(Box::new(event))), None)
        });
        self.send_all(&self.urls.events, entries).await
    }

    /// Has the fan-out of an event go on in an invocation of its own.
    ///
    /// # Errors
    ///
    /// If SQS did not take it.
    pub async fn send_fan_out(&self, page: FanOutPage) -> Result<(), SendError> {
        let company = page.company.clone();
        let entry = Entry::new(&company, &EventsWire::from(EventsMessage::FanOut(page)), None);
        self.send_all(&self.urls.events, [entry]).await
    }

    /// Sends a page of a removal, to be taken up after a while.
    ///
    /// # Errors
    ///
    /// If SQS did not take it.
    pub async fn send_removal(&self, removal: AppRemoval, wait: Duration) -> Result<(), SendError> {
        // What is of all companies waits behind none of them.
        let group = match &removal.target {
            RemovalTarget::App(app) => format!("A#{app}"),
            RemovalTarget::Installation(installation) => installation.company.to_string(),
        };
        let message = EventsWire::from(EventsMessage::Removal(Box::new(removal)));
        self.send_all(&self.urls.events, [Entry::new(&group, &message, Some(wait))]).await
    }

    /// Sends original attempts to deliver. When it returns, SQS has them all.
    ///
    /// # Errors
    ///
    /// If SQS did not take all of them; some it may have taken.
    pub async fn send_deliveries(
        &self,
        messages: impl IntoIterator<Item = DeliveryMessage>,
    ) -> Result<(), SendError> {
        let entries = messages.into_iter().map(|message| Entry::new(&message.company, &message, None));
        self.send_all(&self.urls.deliveries, entries).await
    }

    /// Sets an alarm for a waiting attempt. One that is due later than SQS can delay is the sweeper's to set.
    ///
    /// # Errors
    ///
    /// If SQS did not take it.
    pub async fn set_alarm(&self, message: DeliveryMessage, now: Timestamp) -> Result<(), SendError> {
        self.set_alarms(&[Alarm::Attempt(message.into())], now).await
    }

    /// Sets an alarm for an announcement. One that is due later than SQS can delay is the sweeper's to set.
    ///
    /// # Errors
    ///
    /// If SQS did not take it.
    pub async fn set_announcement_alarm(
        &self,
        announcement: AnnouncementKey,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<(), SendError> {
        self.set_alarms(&[Alarm::Announcement(AnnouncementMessage::new(announcement, due))], now).await
    }

    /// Sets all alarms that are near enough for SQS to delay them. Never is anything done early, for who gets the message
    /// looks at the time.
    ///
    /// # Errors
    ///
    /// If SQS did not take all of them; some it may have taken.
    pub async fn set_alarms(&self, alarms: &[Alarm], now: Timestamp) -> Result<(), SendError> {
        // Collected first: the compiler cannot prove elsewhere that a lazy one can be sent between threads.
        let entries: Vec<_> = alarms.iter().filter_map(|alarm| alarm.entry(now)).collect();
        self.send_all(&self.urls.retries, entries).await
    }

    async fn send_all(
        &self,
        queue: &str,
        entries: impl IntoIterator<Item = Result<Entry, SendError>>,
    ) -> Result<(), SendError> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for entry in entries {
            let entry = entry?;
            if batch.len() == BATCH_ENTRIES_MAX || bytes + entry.body.len() > BATCH_BYTES_MAX {
                self.send_batch(queue, std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
            bytes += entry.body.len();
            batch.push(entry);
        }
        if batch.is_empty() { Ok(()) } else { self.send_batch(queue, batch).await }
    }

    /// Sends a batch; entries that SQS failed to take are sent again.
    async fn send_batch(&self, queue: &str, mut batch: Vec<Entry>) -> Result<(), SendError> {
        let mut refused = SendError::Refused { count: batch.len(), code: String::new() };
        for _ in 0..TRIES {
            let mut request = self.client.send_message_batch().queue_url(queue);
            for (index, entry) in batch.iter().enumerate() {
                request = request.entries(entry.request(index)?);
            }
            let answer = request.send().await.map_err(|error| SendError::Call {
                code: error.code().unwrap_or("unreachable").to_owned(),
                source: error.into(),
            })?;
            let Some(first) = answer.failed.first() else { return Ok(()) };
            refused = SendError::Refused { count: answer.failed.len(), code: first.code.clone() };
            let failed: Vec<usize> =
                answer.failed.iter().filter_map(|failed| failed.id.parse().ok()).collect();
            let mut index = 0..;
            batch.retain(|_| index.next().is_some_and(|index| failed.contains(&index)));
        }
        Err(refused)
    }
}

/// A message's JSON without the two characters that JSON permits and SQS refuses; they are written as escapes.
fn writable(json: String) -> String {
    if json.contains(['\u{fffe}', '\u{ffff}']) {
        json.replace('\u{fffe}', r"\ufffe").replace('\u{ffff}', r"\uffff")
    } else {
        json
    }
}

struct Entry {
    body: String,
    group: String,
    delay_secs: Option<i32>,
}

impl Entry {
    /// An entry in a message group, a company's mostly, so that a company with a burst is served after the quiet ones.
    fn new(
        group: &impl ToString,
        message: &impl Serialize,
        delay: Option<Duration>,
    ) -> Result<Self, SendError> {
        let body = writable(serde_json::to_string(message).map_err(SendError::Format)?);
        let whole_secs =
            |delay: Duration| i32::try_from(delay.as_millis().div_ceil(1000)).unwrap_or(i32::MAX);
        Ok(Self { body, group: group.to_string(), delay_secs: delay.map(whole_secs) })
    }

    fn request(&self, index: usize) -> Result<SendMessageBatchRequestEntry, SendError> {
        SendMessageBatchRequestEntry::builder()
            .id(index.to_string())
            .message_body(&self.body)
            .message_group_id(&self.group)
            .set_delay_seconds(self.delay_secs)
            .build()
            .map_err(|error| SendError::Call { code: "incomplete".to_owned(), source: error.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_values::{raw, recorded_deal};

    #[test]
    fn what_sqs_refuses_in_a_message_is_written_as_an_escape_and_read_as_it_was() {
        let text = "a\u{fffe}\u{ffff}\u{fffd}\u{1f600}";
        let json = writable(serde_json::to_string(text).expect("JSON"));
        assert_eq!(json, "\"a\\ufffe\\uffff\u{fffd}\u{1f600}\"");
        assert_eq!(serde_json::from_str::<String>(&json).as_deref().ok(), Some(text));
    }

    #[test]
    fn an_event_travels_unless_it_is_large_by_what_it_holds_or_by_who_may_get_it() {
        let carried = |data_bytes: usize, users: usize| {
            let mut event = recorded_deal();
            event.data = raw(&format!(r#"{{"a":"{}"}}"#, "x".repeat(data_bytes)));
            event.permitted_users = Some(vec!["1234567".parse().expect("an id"); users]);
            DeliveryMessage::original(&event, WebhookId::new(1)).event.is_some()
        };
        assert!(carried(32_000, 10));
        assert!(!carried(33_000, 10) && !carried(32_000, 100) && !carried(0, 4_000));
    }
}
