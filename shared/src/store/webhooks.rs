//! Webhooks, their routes and their owners' quotas, which change together.

use aws_sdk_dynamodb::types::{
    Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update,
};
use serde::{Deserialize, Serialize};

use super::{
    Item, Store, StoreError, from_item,
    keys::{Key, WEBHOOK_PREFIX, index_sk, webhook_of, webhook_sk},
    number, text, to_item, to_value,
    transaction::{Action, Transacted},
};
use crate::{
    domain::{AppId, CompanyId, Event, Health, Installation, Objects, Pattern, UserId, Webhook, WebhookId},
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

/// What fan-out needs to know of an active webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The webhook.
    pub webhook: WebhookId,
    /// What it asks for.
    pub pattern: Pattern,
    /// Whose permissions decide.
    pub user: UserId,
    /// The installation that it belongs to.
    pub installation: Option<Installation>,
}

#[derive(Serialize, Deserialize)]
struct RouteItem {
    pk: String,
    sk: String,
    v: Version1,
    pattern: Pattern,
    user: UserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<AppId>,
    /// Whose token the app had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<UserId>,
}

impl Route {
    /// Whether the event is for the webhook.
    pub fn wants(&self, event: &Event, objects: &Objects) -> bool {
        self.pattern.matches(event, objects) && event.is_permitted(&self.user)
    }
}

/// A webhook that is to be, and how many its owner may have.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// The most that its owner may have.
    pub quota: u32,
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
        if new.quota == 0 {
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
            self.put_route(webhook)?,
            Update::builder()
                .table_name(&self.webhooks)
                .set_key(Some(quota_key(webhook).into_item()))
                .update_expression("ADD #count :one")
                .condition_expression("attribute_not_exists(#count) OR #count < :quota")
                .expression_attribute_names("#count", "count")
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":quota", number(new.quota))
                .action()?,
        ];
        if let Some(installation) = webhook.installation() {
            actions.extend(self.standing_checks(&installation, webhook.generation)?);
        }
        match self.transact("creating a webhook", actions).await? {
            Transacted::Done => Ok(Creation::Created),
            Transacted::Refused(refusals) if refusals.iter().skip(3).any(|refusal| refusal.failed) => {
                Ok(Creation::NotInstalled)
            }
            Transacted::Refused(refusals) if refusals.get(2).is_some_and(|refusal| refusal.failed) => {
                Ok(Creation::QuotaReached)
            }
            Transacted::Refused(_) => Err(StoreError::Contention { operation: "creating a webhook" }),
        }
    }

    fn put_route(&self, webhook: &Webhook) -> Result<TransactWriteItem, StoreError> {
        let Key { pk, sk } = Key::route(&webhook.company, &webhook.pattern.object, webhook.id);
        let route = RouteItem {
            pk,
            sk,
            v: Version1,
            pattern: webhook.pattern.clone(),
            user: webhook.user.clone(),
            app: webhook.app.clone(),
            owner: webhook.app.as_ref().map(|_| webhook.owner.clone()),
        };
        Put::builder().table_name(&self.webhooks).set_item(Some(to_item(&route)?)).action()
    }

    pub(super) fn delete_route(&self, webhook: &Webhook) -> Result<TransactWriteItem, StoreError> {
        Delete::builder()
            .table_name(&self.webhooks)
            .set_key(Some(Key::route(&webhook.company, &webhook.pattern.object, webhook.id).into_item()))
            .action()
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
    ) -> Result<Changed, StoreError> {
        let before = &read.webhook;
        let mut actions = vec![
            Update::builder()
                .table_name(&self.webhooks)
                .set_key(Some(Key::webhook(&before.company, before.id).into_item()))
                .update_expression("SET webhook = :webhook ADD revision :one")
                .condition_expression("revision = :revision")
                .expression_attribute_values(":webhook", to_value(changed)?)
                .expression_attribute_values(":revision", number(read.revision))
                .expression_attribute_values(":one", number(1))
                .return_values_on_condition_check_failure(OnFailure::AllOld)
                .action()?,
        ];
        if changed.enabled {
            actions.push(self.put_route(changed)?);
        }
        let moves = changed.pattern.object != before.pattern.object;
        if before.enabled && (moves || !changed.enabled) {
            actions.push(self.delete_route(before)?);
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
                let StoredWebhook { webhook, .. } = stored_webhook(item)?;
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

    /// At most `limit` of the routes for one object of a company, which may be `*`, behind `after`, read consistently: an
    /// event that is posted right after a webhook was created finds it. With the webhook behind which there may be more.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn routes(
        &self,
        company: &CompanyId,
        object: &str,
        after: Option<WebhookId>,
        limit: usize,
    ) -> Result<(Vec<Route>, Option<WebhookId>), StoreError> {
        let pk = Key::routes(company, object);
        let start = after.map(|after| Key { pk: pk.clone(), sk: webhook_sk(after) }.into_item());
        let query = self
            .client
            .query()
            .table_name(&self.webhooks)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(pk))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start);
        let found = query.send().await.map_err(StoreError::call("Query"))?;
        let mut routes = Vec::new();
        for item in found.items.unwrap_or_default() {
            let RouteItem { sk, pattern, user, app, owner, .. } = from_item(item)?;
            let installation =
                app.zip(owner).map(|(app, user)| Installation { company: company.clone(), app, user });
            if let Some(webhook) = webhook_of(&sk) {
                routes.push(Route { webhook, pattern, user, installation });
            }
        }
        let next = found.last_evaluated_key.and_then(|key| webhook_of(key.get("sk")?.as_s().ok()?));
        Ok((routes, next))
    }
}

pub(super) fn quota_key(webhook: &Webhook) -> Key {
    Key::quota(&webhook.company, webhook.app.as_ref(), &webhook.owner, webhook.generation)
}

/// Reads a webhook's item.
pub(super) fn stored_webhook(item: Item) -> Result<StoredWebhook, StoreError> {
    from_item::<WebhookItem>(item).map(StoredWebhook::from)
}
