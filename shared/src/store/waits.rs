//! What waits for its time, beside attempts: announcements; and the index of all that waits, by when the sweeper has to
//! look at it.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::{Deserialize, Serialize};

use super::{
    Item, Store, StoreError,
    error::unless_refused,
    from_item,
    keys::{AnnouncementKey, AttemptKey, Key},
    number, text, to_item,
    transaction::Action,
};
use crate::{
    domain::{Announcement, EventId, Timestamp, Webhook, wake_again_at, wake_at},
    version::Version1,
};

/// How many parts the index of what waits has: one alone would take all of its writes. What waits for one webhook is spread
/// over all of them.
pub const DUE_SHARDS: u64 = 16;

/// The most items that the sweeper reads at once.
const PAGE_ITEMS: i32 = 200;

/// What an item that waits has beside its own: where and when the sweeper finds it.
pub(super) fn wake(spread: u64, due: Timestamp, now: Timestamp) -> (String, Timestamp) {
    ((spread % DUE_SHARDS).to_string(), wake_at(due, now))
}

#[derive(Serialize, Deserialize)]
struct AnnouncementItem {
    pk: String,
    sk: String,
    v: Version1,
    announcement: Announcement,
    due: Timestamp,
    wake_shard: String,
    wake_at: Timestamp,
    ttl: i64,
}

/// Something that the sweeper has to wake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// What it is.
    pub sleeper: Sleeper,
    /// When it is due.
    pub due: Timestamp,
    key: Key,
    wake_at: Timestamp,
}

/// What can wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sleeper {
    /// An attempt, of this event.
    Attempt(AttemptKey, EventId),
    /// An announcement.
    Announcement(AnnouncementKey),
}

/// An item of the index.
#[derive(Deserialize)]
struct DueItem {
    pk: String,
    sk: String,
    due: Timestamp,
    wake_at: Timestamp,
    event: Option<EventId>,
}

impl DueItem {
    fn wait(self) -> Result<Wait, StoreError> {
        let Self { pk, sk, due, wake_at, event } = self;
        let key = Key { pk, sk };
        let sleeper = match event {
            Some(event) => key.as_attempt().map(|attempt| Sleeper::Attempt(attempt, event)),
            None => key.as_announcement().map(Sleeper::Announcement),
        };
        let unknown =
            || <serde_dynamo::Error as serde::de::Error>::custom("nothing that is known waits like this");
        let sleeper = sleeper.ok_or_else(|| StoreError::Format(unknown()))?;
        Ok(Wait { sleeper, due, key, wake_at })
    }
}

impl Store {
    /// The action that keeps an announcement until the bus has it.
    pub(super) fn put_announcement(
        &self,
        webhook: &Webhook,
        announcement: &Announcement,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let key = AnnouncementKey::new(webhook, announcement);
        let due = announcement.at;
        let (wake_shard, wake_at) = wake(webhook.id.spread(), due, now);
        let Key { pk, sk } = Key::announcement(&key);
        let ttl = self.expiry(now.max(due));
        let item = AnnouncementItem {
            pk,
            sk,
            v: Version1,
            announcement: *announcement,
            due,
            wake_shard,
            wake_at,
            ttl,
        };
        Put::builder().table_name(&self.deliveries).set_item(Some(to_item(&item)?)).action()
    }

    /// An announcement that the bus does not have yet, read consistently.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn announcement(&self, key: &AnnouncementKey) -> Result<Option<Announcement>, StoreError> {
        let get = self.client.get_item().table_name(&self.deliveries).consistent_read(true);
        let get = get.set_key(Some(Key::announcement(key).into_item()));
        let found = get.send().await.map_err(StoreError::call("GetItem"))?;
        let item: Option<AnnouncementItem> = found.item.map(from_item).transpose()?;
        Ok(item.map(|item| item.announcement))
    }

    /// Has the sweeper look at an attempt that waits for `due`, if it does not. The first version knew no sweeper: what it let
    /// wait for long had messages that followed each other.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn watch_over(
        &self,
        attempt: &AttemptKey,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (shard, wake_at) = wake(attempt.delivery.spread(), due, now);
        let update = self
            .client
            .update_item()
            .table_name(&self.deliveries)
            .set_key(Some(Key::attempt(attempt).into_item()))
            .update_expression("SET wake_shard = :shard, wake_at = :wake")
            .condition_expression("#state = :waiting AND due = :due AND attribute_not_exists(wake_at)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":waiting", text("waiting"))
            .expression_attribute_values(":due", number(due.as_ms()))
            .expression_attribute_values(":shard", text(shard))
            .expression_attribute_values(":wake", number(wake_at.as_ms()));
        unless_refused(update.send().await)
    }

    /// Forgets an announcement, now that the bus has it.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn forget_announcement(&self, key: &AnnouncementKey) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.deliveries);
        let delete = delete.set_key(Some(Key::announcement(key).into_item()));
        delete.send().await.map_err(StoreError::call("DeleteItem"))?;
        Ok(())
    }

    /// What is to be woken at `now` in one part of the index, a page of it and where the next begins. The index lags: some
    /// of it may be over. An item that cannot be read is an error of its own.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn waits(
        &self,
        part: u64,
        now: Timestamp,
        after: Option<Item>,
    ) -> Result<(Vec<Result<Wait, StoreError>>, Option<Item>), StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.deliveries)
            .index_name("due")
            .key_condition_expression("wake_shard = :shard AND wake_at <= :now")
            .expression_attribute_values(":shard", text(part.to_string()))
            .expression_attribute_values(":now", number(now.as_ms()))
            .limit(PAGE_ITEMS)
            .set_exclusive_start_key(after);
        let found = query.send().await.map_err(StoreError::call("Query"))?;
        let items = found.items.unwrap_or_default().into_iter();
        let waits = items.map(|item| from_item::<DueItem>(item)?.wait()).collect();
        Ok((waits, found.last_evaluated_key))
    }

    /// Notes that a message was sent for what waits, so that it is looked at again only when that must have been lost.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn put_off(&self, wait: &Wait, now: Timestamp) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.deliveries)
            .set_key(Some(wait.key.clone().into_item()))
            .update_expression("SET wake_at = :next")
            .condition_expression("wake_at = :read")
            .expression_attribute_values(":next", number(wake_again_at(wait.due, now).as_ms()))
            .expression_attribute_values(":read", number(wait.wake_at.as_ms()));
        // If not, it is over, or another sweep was quicker.
        unless_refused(update.send().await)
    }
}
