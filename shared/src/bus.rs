//! The event bus as a way out: telling the platform what became of a webhook.
//!
//! An announcement is written in one transaction with the change that it tells of, told, and only then forgotten. Whoever
//! dies in between leaves it to the sweeper; so it is told at least once, and its `id` is the same every time.

use std::time::Duration;

use aws_sdk_eventbridge::{Client, error::ProvideErrorMetadata, types::PutEventsRequestEntry};

use crate::{
    Context,
    domain::{Announcement, Timestamp, Webhook},
    queues::SendError,
    store::{AnnouncementKey, StoreError},
    telemetry::chain,
};

/// What events of Knockback's own say of their source.
const SOURCE: &str = "knockback";

/// How long the bus may take, repeats included: what is told is kept, and nobody is to wait for it.
const PUT_TIMEOUT: Duration = Duration::from_secs(4);

/// The event bus.
#[derive(Debug, Clone)]
pub struct Bus {
    client: Client,
    name: String,
}

/// EventBridge did not take an event.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The call failed.
    #[error("PutEvents failed ({code})")]
    Call {
        /// AWS's name for the error, or `unreachable`.
        code: String,
        /// The SDK's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The call took too long.
    #[error("PutEvents has not answered within {} s", PUT_TIMEOUT.as_secs())]
    Slow,
    /// EventBridge refused the event.
    #[error("EventBridge refused an event ({code})")]
    Refused {
        /// Why.
        code: String,
    },
    /// The event cannot be written.
    #[error("an event cannot be written")]
    Format(#[from] serde_json::Error),
}

/// An announcement was not told; the sweeper will have it told.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// The bus did not take it.
    #[error("the bus failed")]
    Bus(#[from] BusError),
    /// Its alarm was not set.
    #[error("an alarm could not be set")]
    Send(#[from] SendError),
    /// It could not be read or forgotten.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl Bus {
    /// The bus of this name.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    async fn put(&self, webhook: &Webhook, announcement: &Announcement) -> Result<(), BusError> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(announcement.change.detail_type())
            .detail(serde_json::to_string(&announcement.detail(webhook))?)
            .build();
        let call = tokio::time::timeout(PUT_TIMEOUT, self.client.put_events().entries(entry).send());
        let answer = call.await.map_err(|_| BusError::Slow)?.map_err(|error| BusError::Call {
            code: error.code().unwrap_or("unreachable").to_owned(),
            source: error.into(),
        })?;
        let refused = answer.entries.unwrap_or_default().into_iter().find_map(|entry| entry.error_code);
        refused.map_or(Ok(()), |code| Err(BusError::Refused { code }))
    }
}

/// Tells what a change of a webhook, just written, has to be told of: now, or by an alarm at its time. What fails is logged
/// and left to the sweeper, for the change stands.
pub async fn announce(context: &Context, webhook: &Webhook, announcements: &[Announcement]) {
    for announcement in announcements {
        let now = context.now();
        let result = if announcement.at > now {
            let key = AnnouncementKey::new(webhook, announcement);
            context
                .queues
                .set_announcement_alarm(key, announcement.at, now)
                .await
                .map_err(AnnounceError::from)
        } else {
            tell(context, webhook, announcement).await
        };
        if let Err(error) = result {
            tracing::error!(
                company = %webhook.company,
                webhook = %webhook.id,
                change = announcement.change.word(),
                error = chain(&error),
                "an announcement is left to the sweeper"
            );
        }
    }
}

/// Tells an announcement whose alarm has rung, unless somebody has, or it is not true any more.
///
/// # Errors
///
/// If it could not be told; its message comes again.
pub async fn tell_due(
    context: &Context,
    key: &AnnouncementKey,
    due: Timestamp,
    now: Timestamp,
) -> Result<(), AnnounceError> {
    if due > now {
        return Ok(context.queues.set_announcement_alarm(key.clone(), due, now).await?);
    }
    let Some(announcement) = context.store.announcement(key).await? else { return Ok(()) };
    let webhook = context.store.webhook(&key.company, key.webhook).await?.map(|stored| stored.webhook);
    match webhook.filter(|webhook| announcement.holds(webhook)) {
        Some(webhook) => tell(context, &webhook, &announcement).await,
        None => Ok(context.store.forget_announcement(key).await?),
    }
}

async fn tell(
    context: &Context,
    webhook: &Webhook,
    announcement: &Announcement,
) -> Result<(), AnnounceError> {
    context.bus.put(webhook, announcement).await?;
    Ok(context.store.forget_announcement(&AnnouncementKey::new(webhook, announcement)).await?)
}
