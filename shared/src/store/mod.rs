//! The two DynamoDB tables (design: Data).
//!
//! Each file holds the access patterns of one thing. Whatever is decided is decided by `domain`; a condition that
//! does not hold is a value that is returned, not an error.

mod apps;
mod attempts;
mod batch;
mod budgets;
mod error;
mod events;
mod health;
mod holds;
mod keys;
mod notices;
mod possessions;
mod removal;
mod routes;
mod successes;
mod tokens;
mod transaction;
mod waits;
mod webhooks;

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use serde::{Serialize, de::DeserializeOwned};

pub use apps::{KnownApp, Registered};
pub use attempts::{About, Attempt, Claim, Failed, FailureRecord};
pub use batch::Batch;
pub use budgets::Spent;
pub use error::StoreError;
pub use events::FanOut;
pub use health::FAILING_SHARDS;
pub use keys::{AnnouncementKey, AttemptKey};
pub use notices::{NOTICE_KEPT, NoticeClaim};
pub use possessions::{Possession, PossessionPage};
pub use removal::Removal;
pub use routes::Route;
pub use tokens::{AddedToken, Token, TokenPage};
pub use waits::{DUE_SHARDS, Sleeper, Wait};
pub use webhooks::{Changed, Creation, NewWebhook, StoredWebhook, WebhookPage};

use self::keys::Key;
use crate::{
    clock::Entropy,
    domain::{CompanyId, Timestamp},
};

type Item = HashMap<String, AttributeValue>;

/// How long the item of a removed webhook stays, so that its owner can be told why it is gone.
const REMOVED_KEPT: Duration = Duration::from_hours(7 * 24);

/// Reads and writes both tables.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    webhooks: String,
    deliveries: String,
    retention: Duration,
    entropy: Arc<dyn Entropy>,
}

impl Store {
    /// A store on two tables; events and attempts are kept for `retention`.
    pub fn new(
        client: Client,
        webhooks: impl Into<String>,
        deliveries: impl Into<String>,
        retention: Duration,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { client, webhooks: webhooks.into(), deliveries: deliveries.into(), retention, entropy }
    }

    /// A page of a company's items whose sort keys begin with `prefix`, and where the next begins, read consistently.
    async fn company_items(
        &self,
        company: &CompanyId,
        prefix: &str,
        start: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.webhooks)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(Key::company(company)))
            .expression_attribute_values(":prefix", text(prefix))
            .set_exclusive_start_key(start);
        let found = query.send().await.map_err(StoreError::call("Query"))?;
        Ok((found.items.unwrap_or_default(), found.last_evaluated_key))
    }

    /// When DynamoDB may delete what is written at `now`, in seconds since 1970.
    fn expiry(&self, now: Timestamp) -> i64 {
        (now + self.retention).as_secs()
    }
}

fn to_item(value: &impl Serialize) -> Result<Item, StoreError> {
    serde_dynamo::to_item(value).map_err(StoreError::Format)
}

fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(StoreError::Format)
}

fn to_value(value: &impl Serialize) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value).map_err(StoreError::Format)
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}
