//! How webhooks fare, and the index of those that fail: only they are in it, so a sweep costs what they are.

use aws_sdk_dynamodb::types::{
    ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update, builders::UpdateBuilder,
};
use serde::Deserialize;

use super::{
    Store, StoreError, StoredWebhook, from_item,
    keys::{Key, webhook_of},
    number, text, to_value,
    transaction::{Action, Transacted},
};
use crate::domain::{
    AfterFailure, Announcement, CompanyId, Dialect, Health, StaleBounds, Timestamp, Webhook, WebhookId,
};

/// How many parts the index of failing webhooks has: one alone would take all of their writes.
pub const FAILING_SHARDS: u64 = 4;

/// Names an item of the index, and a webhook.
#[derive(Deserialize)]
struct Failing {
    pk: String,
    sk: String,
}

impl Store {
    /// Writes a health, with what is to be told of it, unless somebody else changed the webhook since it was read or removed
    /// it. `false` then: what is to be written has to be decided again, or is of no use any more.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn write_health(
        &self,
        read: &StoredWebhook,
        health: &Health,
        announcements: &[Announcement],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = self.update_of(read).expression_attribute_values(":health", to_value(health)?);
        let mut actions = vec![indexed(update, "webhook.health = :health", &read.webhook, health).action()?];
        for announcement in announcements {
            actions.push(self.put_announcement(&read.webhook, announcement, now)?);
        }
        Ok(matches!(self.transact("writing a health", actions).await?, Transacted::Done))
    }

    /// The action that writes what a failure makes of a webhook, on condition that it is still what was read.
    pub(super) fn failure_update(
        &self,
        read: &StoredWebhook,
        after: &AfterFailure,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let webhook = read.after(after, now).webhook;
        let update = self.update_of(read).expression_attribute_values(":health", to_value(&webhook.health)?);
        let set = "webhook.health = :health";
        if !after.deactivates {
            return indexed(update, set, &webhook, &webhook.health).action();
        }
        let update = update
            .expression_attribute_values(":off", to_value(&webhook.enabled)?)
            .expression_attribute_values(":now", number(now.as_ms()));
        let set = format!(
            "{set}, webhook.enabled = :off, webhook.switched_off_at = :now, webhook.changed_at = :now"
        );
        indexed(update, &set, &webhook, &webhook.health).action()
    }

    /// An update of a webhook on condition that it is still what was read.
    fn update_of(&self, read: &StoredWebhook) -> UpdateBuilder {
        let webhook = &read.webhook;
        Update::builder()
            .table_name(&self.webhooks)
            .set_key(Some(Key::webhook(&webhook.company, webhook.id).into_item()))
            .condition_expression("revision = :revision AND attribute_not_exists(webhook.removed_at)")
            .expression_attribute_values(":revision", number(read.revision))
            .return_values_on_condition_check_failure(OnFailure::AllOld)
    }

    /// The webhooks in one part of the index that may be stale, a page of them and where the next begins. The index lags,
    /// so each is to be read before anything is done to it.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn failing(
        &self,
        part: u64,
        bounds: StaleBounds,
        after: Option<super::Item>,
    ) -> Result<(Vec<(CompanyId, WebhookId)>, Option<super::Item>), StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.webhooks)
            .index_name("failing")
            .key_condition_expression("failing_shard = :shard AND failing_since <= :since")
            .filter_expression("last_failure_at > :failed_after")
            .expression_attribute_values(":shard", text(part.to_string()))
            .expression_attribute_values(":since", number(bounds.failing_since.as_ms()))
            .expression_attribute_values(":failed_after", number(bounds.failed_after.as_ms()))
            .set_exclusive_start_key(after);
        let found = query.send().await.map_err(StoreError::call("Query"))?;
        let mut webhooks = Vec::new();
        for item in found.items.unwrap_or_default() {
            let Failing { pk, sk } = from_item(item)?;
            webhooks.extend(Key::company_of(&pk).zip(webhook_of(&sk)));
        }
        Ok((webhooks, found.last_evaluated_key))
    }
}

/// An update that sets `set`, raises the revision, and has the webhook in the index while it fails and may become stale.
pub(super) fn indexed(update: UpdateBuilder, set: &str, webhook: &Webhook, health: &Health) -> UpdateBuilder {
    let update = update.expression_attribute_values(":one", number(1));
    match (health.failing_since, health.last_failure_at) {
        (Some(since), Some(last)) if webhook.dialect() == Dialect::Pipedrive => update
            .update_expression(format!(
                "SET {set}, failing_shard = :shard, failing_since = :since, last_failure_at = :last ADD revision :one"
            ))
            .expression_attribute_values(":shard", text(shard(webhook.id)))
            .expression_attribute_values(":since", number(since.as_ms()))
            .expression_attribute_values(":last", number(last.as_ms())),
        _ => update.update_expression(format!(
            "SET {set} ADD revision :one REMOVE failing_shard, failing_since, last_failure_at"
        )),
    }
}

/// The part of the index that a webhook is in while it fails.
fn shard(webhook: WebhookId) -> String {
    (webhook.spread() % FAILING_SHARDS).to_string()
}
