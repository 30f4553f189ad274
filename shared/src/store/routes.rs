//! Routes: how fan-out finds the webhooks that an event is for.

use std::time::Duration;

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError, from_item,
    keys::{Key, webhook_of, webhook_sk},
    text, to_item,
    transaction::Action,
};
use crate::{
    domain::{
        AppId, CompanyId, Event, Installation, Objects, Pattern, Timestamp, UserId, Webhook, WebhookId,
    },
    version::Version1,
};

/// How long a route is kept that its webhook has left: longer than an event takes to be fanned out.
const RETIRED_KEPT: Duration = Duration::from_hours(24);

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
    /// Events that were accepted then or later are none of its: the webhook has another pattern since.
    until: Option<Timestamp>,
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
    /// Since when the webhook has another pattern, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<i64>,
}

impl Route {
    /// Whether the event is for the webhook.
    pub fn wants(&self, event: &Event, objects: &Objects) -> bool {
        self.until.is_none_or(|until| event.accepted_at < until)
            && self.pattern.matches(event, objects)
            && event.is_permitted(&self.user)
    }
}

impl Store {
    /// The action that has fan-out find a webhook by its pattern.
    pub(super) fn put_route(&self, webhook: &Webhook) -> Result<TransactWriteItem, StoreError> {
        Put::builder().table_name(&self.webhooks).set_item(Some(to_item(&RouteItem::of(webhook))?)).action()
    }

    /// The action that leaves a route to the events that were accepted before now. A fan-out that is under way may read neither
    /// it nor the one that follows it, and an event that matches both must not fall between them.
    pub(super) fn retire_route(
        &self,
        webhook: &Webhook,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let ttl = Some((now + RETIRED_KEPT).as_secs());
        let retired = RouteItem { until: Some(now), ttl, ..RouteItem::of(webhook) };
        Put::builder().table_name(&self.webhooks).set_item(Some(to_item(&retired)?)).action()
    }

    /// The action that has fan-out find a webhook no more.
    pub(super) fn delete_route(&self, webhook: &Webhook) -> Result<TransactWriteItem, StoreError> {
        Delete::builder()
            .table_name(&self.webhooks)
            .set_key(Some(Key::route(&webhook.company, &webhook.pattern.object, webhook.id).into_item()))
            .action()
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
            let RouteItem { sk, pattern, user, app, owner, until, .. } = from_item(item)?;
            let installation =
                app.zip(owner).map(|(app, user)| Installation { company: company.clone(), app, user });
            if let Some(webhook) = webhook_of(&sk) {
                routes.push(Route { webhook, pattern, user, installation, until });
            }
        }
        let next = found.last_evaluated_key.and_then(|key| webhook_of(key.get("sk")?.as_s().ok()?));
        Ok((routes, next))
    }
}

impl RouteItem {
    fn of(webhook: &Webhook) -> Self {
        let Key { pk, sk } = Key::route(&webhook.company, &webhook.pattern.object, webhook.id);
        Self {
            pk,
            sk,
            v: Version1,
            pattern: webhook.pattern.clone(),
            user: webhook.user.clone(),
            app: webhook.app.clone(),
            owner: webhook.app.as_ref().map(|_| webhook.owner.clone()),
            until: None,
            ttl: None,
        }
    }
}
