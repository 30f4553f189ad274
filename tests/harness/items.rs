//! What the tables hold, to look at.

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use local::aws::connector::sdk_config;
use serde_json::{Value, json};

use crate::World;

impl World {
    /// Every item of both tables, in the order of its keys, but for what tokens have spent of their budgets: that changes with
    /// every request.
    ///
    /// # Panics
    ///
    /// If a table cannot be read.
    #[expect(clippy::expect_used, reason = "a table that cannot be read has failed the test")]
    pub async fn items(&self) -> Vec<Value> {
        let client = Client::new(&sdk_config(&self.system.aws));
        let config = &self.system.context.config;
        let mut items = Vec::new();
        for table in [&config.webhooks_table, &config.deliveries_table] {
            let pages = client.scan().table_name(table).into_paginator().items().send();
            let found = pages.collect::<Result<Vec<_>, _>>().await.expect("the table's items");
            items.extend(found.into_iter().map(|mut item| {
                item.remove("full_at");
                plain(AttributeValue::M(item))
            }));
        }
        items.sort_by_key(|item| (item["pk"].to_string(), item["sk"].to_string()));
        items
    }

    /// Changes a webhook's item by hand, by an update expression without values.
    ///
    /// # Panics
    ///
    /// If the table refuses it.
    #[expect(clippy::expect_used, reason = "a table that refuses a change has failed the test")]
    pub async fn change_webhook(&self, webhook: &Value, expression: &str) {
        let client = Client::new(&sdk_config(&self.system.aws));
        let update = client
            .update_item()
            .table_name(&self.system.context.config.webhooks_table)
            .key("pk", AttributeValue::S(format!("C#{}", webhook["company_id"])))
            .key("sk", AttributeValue::S(format!("W#{:016}", webhook["id"].as_u64().unwrap_or(0))))
            .update_expression(expression);
        update.send().await.expect("changed");
    }

    /// What is kept of the attempts for a webhook, by delivery and number.
    pub async fn attempts(&self, webhook: &Value) -> Vec<Value> {
        let place = format!("C#{}#W#{:016}", webhook["company_id"], webhook["id"].as_u64().unwrap_or(0));
        self.items().await.into_iter().filter(|item| item["pk"] == place.as_str()).collect()
    }

    /// How a webhook's deliveries fare, as it is kept.
    pub async fn health(&self, webhook: &Value) -> Value {
        let place = format!("W#{:016}", webhook["id"].as_u64().unwrap_or(0));
        let items = self.items().await;
        let found = items.iter().find(|item| item["sk"] == place.as_str() && item["webhook"].is_object());
        found.map_or(Value::Null, |item| item["webhook"]["health"].clone())
    }
}

/// An attribute as plain JSON; bytes as text, as far as they are.
fn plain(value: AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!(text),
        AttributeValue::N(digits) => serde_json::from_str(&digits).unwrap_or_default(),
        AttributeValue::Bool(flag) => json!(flag),
        AttributeValue::B(bytes) => json!(String::from_utf8_lossy(bytes.as_ref())),
        AttributeValue::L(values) => values.into_iter().map(plain).collect(),
        AttributeValue::M(entries) => entries.into_iter().map(|(name, value)| (name, plain(value))).collect(),
        _ => Value::Null,
    }
}
