//! Webhooks, their routes and their owners' quotas, which change together.

use aws_sdk_dynamodb::types::{Put, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure, Update};
use serde::{Deserialize, Serialize};

use super::{
    Item, Store, StoreError, from_item,
    health::indexed,
    keys::{Key, WEBHOOK_PREFIX, index_sk},
    number, to_item, to_value,
    transaction::{Action, Transacted},
};
use crate::{
    domain::{AfterFailure, AppId, CompanyId, Dialect, Health, Timestamp, Webhook, WebhookId},
    version::Version1,
};

#[derive(Serialize, Deserialize)]
pub(super) struct WebhookItem {
    pk: String,
    sk: String,
    v: Version1,
    /// Beside the webhook, so that an index can find all that an app has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<AppId>,
    /// The same, while it is not removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    installation: Option<String>,
    webhook: Webhook,
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<i64>,
}

/// A webhook as it was read, with what a change of its health is conditional on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWebhook {
    /// The webhook.
    pub webhook: Webhook,
    pub(super) revision: u64,
}

impl StoredWebhook {
    /// The webhook once this health has been written to it.
    #[must_use]
    pub fn with_health(&self, health: Health) -> Self {
        Self { webhook: Webhook { health, ..self.webhook.clone() }, revision: self.revision + 1 }
    }

    /// The webhook once what follows from a failure at `now` has been written to it.
    #[must_use]
    pub fn after(&self, after: &AfterFailure, now: Timestamp) -> Self {
        let Some(health) = after.health.clone() else { return self.clone() };
        let mut stored = self.with_health(health);
        if after.deactivates {
            stored.webhook.switch(false, now);
            stored.webhook.changed_at = Some(now);
        }
        stored
    }
}

impl From<WebhookItem> for StoredWebhook {
    fn from(item: WebhookItem) -> Self {
        Self { webhook: item.webhook, revision: item.revision }
    }
}

#[derive(Deserialize)]
struct Sequence {
    last: u64,
}

/// A webhook that is to be, and how many its owner may have.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// The most that its owner may have, where they are counted.
    pub quota: Option<u32>,
}

/// Whether a webhook was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It was.
    Created,
    /// Its owner has as many as they may.
    QuotaReached,
    /// Its app was removed or uninstalled meanwhile.
    NotInstalled,
}

/// Whether a webhook was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It was.
    Written,
    /// Somebody else changed or removed it meanwhile: decide again.
    Meanwhile(Box<StoredWebhook>),
}

/// Some of a company's webhooks.
#[derive(Debug, Clone, Default)]
pub struct WebhookPage {
    /// In the order of their numbers.
    pub webhooks: Vec<Webhook>,
    /// The last webhook looked at, if there are more behind it.
    pub next: Option<WebhookId>,
}

impl Store {
    /// Takes the next number for a webhook. A number that is not used is lost.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn next_webhook_id(&self) -> Result<WebhookId, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.webhooks)
            .set_key(Some(Key::sequence().into_item()))
            .update_expression("ADD #last :one")
            .expression_attribute_names("#last", "last")
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::UpdatedNew);
        let updated = update.send().await.map_err(StoreError::call("UpdateItem"))?;
        let sequence: Sequence = from_item(updated.attributes.unwrap_or_default())?;
        Ok(WebhookId::new(sequence.last))
    }

    /// Creates a webhook: itself, its route and its place in the quota, all or nothing, and an app's only while the app
    /// stands as its token says.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer, or too many create for this owner at once.
    pub async fn create_webhook(&self, new: &NewWebhook) -> Result<Creation, StoreError> {
        if new.quota == Some(0) {
            return Ok(Creation::QuotaReached);
        }
        let webhook = &new.webhook;
        let Key { pk, sk } = Key::webhook(&webhook.company, webhook.id);
        let item = WebhookItem {
            pk,
            sk,
            v: Version1,
            app: webhook.app.clone(),
            installation: webhook.app.as_ref().map(|_| index_sk(&webhook.company, &webhook.owner)),
            webhook: webhook.clone(),
            revision: 0,
            ttl: None,
        };
        let mut actions = vec![
            Put::builder()
                .table_name(&self.webhooks)
                .set_item(Some(to_item(&item)?))
                .condition_expression("attribute_not_exists(pk)")
                .action()?,
        ];
        if webhook.enabled {
            actions.push(self.put_route(webhook)?);
        }
        let checks = actions.len();
        if let Some(installation) = webhook.installation() {
            actions.extend(self.standing_checks(&installation, webhook.generation)?);
        }
        let count = actions.len();
        if let Some((key, quota)) = quota_key(webhook).zip(new.quota) {
            let update = Update::builder()
                .table_name(&self.webhooks)
                .set_key(Some(key.into_item()))
                .update_expression("ADD #count :one")
                .condition_expression("attribute_not_exists(#count) OR #count < :quota")
                .expression_attribute_names("#count", "count")
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":quota", number(quota));
            actions.push(update.action()?);
        }
        let Transacted::Refused(refusals) = self.transact("creating a webhook", actions).await? else {
            return Ok(Creation::Created);
        };
        let failed = |at: std::ops::Range<usize>| refusals[at].iter().any(|refusal| refusal.failed);
        if failed(checks..count) {
            Ok(Creation::NotInstalled)
        } else if failed(count..refusals.len()) {
            Ok(Creation::QuotaReached)
        } else {
            Err(StoreError::Contention { operation: "creating a webhook" })
        }
    }

    /// A webhook of a company, removed ones included, read consistently.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn webhook(
        &self,
        company: &CompanyId,
        webhook: WebhookId,
    ) -> Result<Option<StoredWebhook>, StoreError> {
        let get = self.client.get_item().table_name(&self.webhooks).consistent_read(true);
        let get = get.set_key(Some(Key::webhook(company, webhook).into_item()));
        let found = get.send().await.map_err(StoreError::call("GetItem"))?;
        found.item.map(stored_webhook).transpose()
    }

    /// Changes a webhook and its route, all or nothing, on condition that it still is what was read.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn change_webhook(
        &self,
        read: &StoredWebhook,
        changed: &Webhook,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        let before = &read.webhook;
        let mut actions = vec![
            indexed(
                Update::builder()
                    .table_name(&self.webhooks)
                    .set_key(Some(Key::webhook(&before.company, before.id).into_item()))
                    .condition_expression("revision = :revision")
                    .expression_attribute_values(":webhook", to_value(changed)?)
                    .expression_attribute_values(":revision", number(read.revision))
                    .return_values_on_condition_check_failure(OnFailure::AllOld),
                "webhook = :webhook",
                changed,
                &changed.health,
            )
            .action()?,
        ];
        if changed.enabled {
            actions.push(self.put_route(changed)?);
        }
        let moves = changed.pattern.object != before.pattern.object;
        match (before.enabled, changed.enabled) {
            (true, true) if moves => actions.push(self.retire_route(before, now)?),
            (true, false) => actions.push(self.delete_route(before)?),
            _ => {}
        }
        let Transacted::Refused(mut refusals) = self.transact("changing a webhook", actions).await? else {
            return Ok(Changed::Written);
        };
        match refusals.first_mut().and_then(|refusal| refusal.item.take()) {
            Some(item) => Ok(Changed::Meanwhile(Box::new(stored_webhook(item)?))),
            None => Err(StoreError::Contention { operation: "changing a webhook" }),
        }
    }

    /// The webhooks of a company behind `after` that are not removed and are `wanted`, at most `limit`.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn webhooks(
        &self,
        company: &CompanyId,
        after: Option<WebhookId>,
        limit: usize,
        wanted: impl Fn(&Webhook) -> bool,
    ) -> Result<WebhookPage, StoreError> {
        let mut page = WebhookPage::default();
        let mut start = after.map(|after| Key::webhook(company, after).into_item());
        loop {
            let (items, next) = self.company_items(company, WEBHOOK_PREFIX, start).await?;
            for item in items {
                // One that cannot be read hides itself, and not the others.
                let Ok(StoredWebhook { webhook, .. }) = stored_webhook(item) else { continue };
                if webhook.removed_at.is_some() || !wanted(&webhook) {
                    continue;
                }
                if page.webhooks.len() == limit {
                    page.next = page.webhooks.last().map(|last| last.id);
                    return Ok(page);
                }
                page.webhooks.push(webhook);
            }
            start = next;
            if start.is_none() {
                return Ok(page);
            }
        }
    }
}

/// Where a webhook is counted, if its dialect counts it.
pub(super) fn quota_key(webhook: &Webhook) -> Option<Key> {
    let key = || Key::quota(&webhook.company, webhook.app.as_ref(), &webhook.owner, webhook.generation);
    (webhook.dialect() == Dialect::Pipedrive).then(key)
}

/// Reads a webhook's item.
pub(super) fn stored_webhook(item: Item) -> Result<StoredWebhook, StoreError> {
    from_item::<WebhookItem>(item).map(StoredWebhook::from)
}
