//! Removing a webhook: its mark, its route and its place in the quota, with the announcement of it, all or nothing.

use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure as OnFailure, Update};

use super::{
    REMOVED_KEPT, Store, StoreError, StoredWebhook,
    keys::Key,
    number, to_value,
    transaction::{Action, Transacted},
    webhooks::{quota_key, stored_webhook},
};
use crate::domain::{Announcement, Change, RemoveReason, Timestamp, Webhook};

/// How often a removal is decided again because somebody else changed the webhook meanwhile.
const TRIES: u32 = 20;

/// Whether a webhook was removed by this call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// It was, and is now so; the platform is to be told this.
    Removed(Box<Webhook>, Announcement),
    /// It was gone already.
    AlreadyGone,
    /// It is not to be removed as it is now.
    Kept,
}

impl Store {
    /// Removes a webhook that was read, if it `must_go`: as it is now, for it may have changed since. The item stays for a
    /// week.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer, or others keep changing the webhook.
    pub async fn remove_webhook(
        &self,
        read: StoredWebhook,
        reason: RemoveReason,
        now: Timestamp,
        must_go: impl Fn(&Webhook) -> bool + Send,
    ) -> Result<Removal, StoreError> {
        let mut current = read;
        for round in 0..TRIES {
            if current.webhook.removed_at.is_some() {
                return Ok(Removal::AlreadyGone);
            }
            if !must_go(&current.webhook) {
                return Ok(Removal::Kept);
            }
            let announcement = Announcement { at: now, change: Change::Deleted { reason } };
            let actions = self.removal_actions(&current, reason, &announcement, now)?;
            let Transacted::Refused(mut refusals) = self.transact("removing a webhook", actions).await?
            else {
                let mut webhook = current.webhook;
                (webhook.removed_at, webhook.remove_reason) = (Some(now), Some(reason));
                return Ok(Removal::Removed(Box::new(webhook), announcement));
            };
            match refusals.first_mut().and_then(|refusal| refusal.item.take()) {
                Some(item) => current = stored_webhook(item)?,
                None => return Ok(Removal::AlreadyGone),
            }
            self.back_off(round).await;
        }
        Err(StoreError::Contention { operation: "removing a webhook" })
    }

    fn removal_actions(
        &self,
        StoredWebhook { webhook, revision }: &StoredWebhook,
        reason: RemoveReason,
        announcement: &Announcement,
        now: Timestamp,
    ) -> Result<Vec<aws_sdk_dynamodb::types::TransactWriteItem>, StoreError> {
        let mut actions = vec![
            Update::builder()
                .table_name(&self.webhooks)
                .set_key(Some(Key::webhook(&webhook.company, webhook.id).into_item()))
                .update_expression(
                    "SET webhook.removed_at = :now, webhook.remove_reason = :reason, #ttl = :ttl ADD revision :one \
                     REMOVE installation, failing_shard, failing_since, last_failure_at",
                )
                .condition_expression("revision = :revision")
                .expression_attribute_names("#ttl", "ttl")
                .expression_attribute_values(":now", number(now.as_ms()))
                .expression_attribute_values(":reason", to_value(&reason)?)
                .expression_attribute_values(":ttl", number((now + REMOVED_KEPT).as_secs()))
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":revision", number(*revision))
                .return_values_on_condition_check_failure(OnFailure::AllOld)
                .action()?,
            self.delete_route(webhook)?,
            self.put_announcement(webhook, announcement, now)?,
        ];
        if let Some(key) = quota_key(webhook) {
            let update = Update::builder()
                .table_name(&self.webhooks)
                .set_key(Some(key.into_item()))
                .update_expression("ADD #count :less")
                .expression_attribute_names("#count", "count")
                .expression_attribute_values(":less", number(-1));
            actions.push(update.action()?);
        }
        Ok(actions)
    }
}
