//! Many webhooks at once, by their items: a company's size is what some tests are about, not how it came to be.

use std::{collections::HashMap, ops::RangeInclusive};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, PutRequest, ReturnValue, WriteRequest},
};
use knockback::{
    domain::{CompanyId, WebhookId},
    seal::signing_secret_place,
};
use local::aws::connector::sdk_config;
use serde_json::Value;

use crate::World;

/// What DynamoDB takes in one call.
const WRITES_MAX: usize = 25;

type Item = HashMap<String, AttributeValue>;

impl World {
    /// Creates `count` webhooks as [`World::subscribe`] does: the first by the API, the others as copies of its items, each
    /// with a number of its own and a secret that is sealed for it. They count against no quota. Answers with the numbers.
    ///
    /// # Panics
    ///
    /// If the first is not created or DynamoDB refuses the others.
    pub async fn seed_webhooks(
        &self,
        token: &str,
        url: &str,
        more: Value,
        count: u64,
    ) -> RangeInclusive<u64> {
        self.seed(token, url, more, count, true).await
    }

    /// Creates webhooks that no event reaches but the first: those of [`World::seed_webhooks`], the copies without routes.
    ///
    /// # Panics
    ///
    /// As that does.
    pub async fn seed_webhooks_without_routes(
        &self,
        token: &str,
        url: &str,
        more: Value,
        count: u64,
    ) -> RangeInclusive<u64> {
        self.seed(token, url, more, count, false).await
    }

    #[expect(clippy::expect_used, reason = "a test without its webhooks has failed")]
    async fn seed(
        &self,
        token: &str,
        url: &str,
        more: Value,
        count: u64,
        routed: bool,
    ) -> RangeInclusive<u64> {
        let webhook = self.subscribe(token, url, more).await;
        let first = webhook["id"].as_u64().expect("a number");
        let tables = Tables::of(self);
        let company = format!("C#{}", webhook["company_id"]);
        let item = tables.item(&company, first).await;
        let partition = format!("{company}#O#{}", webhook["event_object"].as_str().expect("an object"));
        let route = if routed { Some(tables.item(&partition, first).await) } else { None };
        let last = tables.take_numbers(count - 1).await;
        assert_eq!(last, first + count - 1, "somebody else creates webhooks at the same time");
        let company = webhook["company_id"].to_string().parse().expect("an id");
        let mut writes = Vec::with_capacity(2 * WRITES_MAX);
        for number in first + 1..=last {
            writes.push(put(self.copy(&item, &company, number).await));
            writes.extend(route.iter().map(|route| put(numbered(route, number))));
            if writes.len() >= WRITES_MAX {
                let rest = writes.split_off(WRITES_MAX);
                tables.write(std::mem::replace(&mut writes, rest)).await;
            }
        }
        tables.write(writes).await;
        first..=last
    }

    /// A webhook's item with another number.
    #[expect(clippy::expect_used, reason = "a test without its webhooks has failed")]
    async fn copy(&self, item: &Item, company: &CompanyId, number: u64) -> Item {
        let mut copy = numbered(item, number);
        let Some(AttributeValue::M(webhook)) = copy.get_mut("webhook") else { panic!("not a webhook") };
        assert!(!webhook.contains_key("http_auth_password"), "it is sealed for the first");
        let place = signing_secret_place(company, WebhookId::new(number));
        let secret = "whsec_c2VlZGVkIHNlY3JldHMgbmVlZCBub3QgZGlmZmVy";
        let sealed = self.system.context.sealer.seal(secret, &place).await.expect("sealed");
        webhook.insert("id".to_owned(), AttributeValue::N(number.to_string()));
        webhook.insert("signing_secret".to_owned(), AttributeValue::S(sealed.0));
        copy
    }
}

/// An item with the sort key of this webhook.
fn numbered(item: &Item, number: u64) -> Item {
    let mut copy = item.clone();
    copy.insert("sk".to_owned(), sort_key(number));
    copy
}

fn sort_key(number: u64) -> AttributeValue {
    AttributeValue::S(format!("W#{number:016}"))
}

fn put(item: Item) -> WriteRequest {
    let put = PutRequest::builder().set_item(Some(item)).build().ok();
    WriteRequest::builder().set_put_request(put).build()
}

/// The table of webhooks.
struct Tables {
    client: Client,
    webhooks: String,
}

#[expect(clippy::expect_used, reason = "a test without its webhooks has failed")]
impl Tables {
    fn of(world: &World) -> Self {
        let webhooks = world.system.context.config.webhooks_table.clone();
        Self { client: Client::new(&sdk_config(&world.system.aws)), webhooks }
    }

    async fn item(&self, partition: &str, number: u64) -> Item {
        let get = self.client.get_item().table_name(&self.webhooks).consistent_read(true);
        let get = get.key("pk", AttributeValue::S(partition.to_owned())).key("sk", sort_key(number));
        get.send().await.expect("an answer").item.expect("an item")
    }

    /// Takes numbers from the sequence, and answers with the last.
    async fn take_numbers(&self, count: u64) -> u64 {
        let update = self
            .client
            .update_item()
            .table_name(&self.webhooks)
            .key("pk", AttributeValue::S("S".to_owned()))
            .key("sk", AttributeValue::S("webhook".to_owned()))
            .update_expression("ADD #last :count")
            .expression_attribute_names("#last", "last")
            .expression_attribute_values(":count", AttributeValue::N(count.to_string()))
            .return_values(ReturnValue::UpdatedNew);
        let attributes = update.send().await.expect("an answer").attributes.expect("the sequence");
        attributes["last"].as_n().expect("a number").parse().expect("a number")
    }

    async fn write(&self, writes: Vec<WriteRequest>) {
        if !writes.is_empty() {
            let request = self.client.batch_write_item().request_items(&self.webhooks, writes);
            let unwritten = request.send().await.expect("an answer").unprocessed_items;
            assert!(unwritten.is_none_or(|items| items.is_empty()));
        }
    }
}
