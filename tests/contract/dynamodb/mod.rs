//! DynamoDB: what `store` relies on.

mod batches;
mod capacity;
mod conditions;
mod indexes;
mod queries;
mod transactions;
mod updates;
mod values;

use std::{collections::HashMap, fmt::Display};

use aws_sdk_dynamodb::{
    Client,
    operation::{
        delete_item::builders::DeleteItemFluentBuilder, get_item::builders::GetItemFluentBuilder,
        put_item::builders::PutItemFluentBuilder, query::builders::QueryFluentBuilder,
        update_item::builders::UpdateItemFluentBuilder,
    },
    types::{
        AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
        Projection, ProjectionType, ScalarAttributeType, TableStatus,
    },
};
use futures_util::future::BoxFuture;

use crate::{
    aws::{Aws, Made},
    clause::Clause,
};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// All clauses of this service.
pub(crate) fn clauses() -> Vec<Clause> {
    [
        conditions::clauses(),
        updates::clauses(),
        transactions::clauses(),
        batches::clauses(),
        queries::clauses(),
        indexes::clauses(),
        values::clauses(),
        capacity::clauses(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A table of the shape of Knockback's: `pk` and `sk`, an index with keys only, and one by time.
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn map<const N: usize>(entries: [(&str, AttributeValue); N]) -> AttributeValue {
    AttributeValue::M(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The key of an item. Most clauses stay in the partition `p`.
pub(crate) fn key_of(pk: &str, sk: &str) -> Item {
    [("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))].into()
}

pub(crate) fn key(sk: &str) -> Item {
    key_of("p", sk)
}

/// An item of the partition `p`.
pub(crate) fn item<const N: usize>(sk: &str, attributes: [(&str, AttributeValue); N]) -> Item {
    let mut item = key(sk);
    item.extend(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)));
    item
}

/// The sort keys of items, in their order.
pub(crate) fn sks(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item["sk"].as_s().expect("text").as_str()).collect()
}

impl Table {
    /// Makes one, and waits until it is there.
    pub(crate) async fn new(aws: &Aws) -> Self {
        let (client, name) = (aws.dynamodb.clone(), aws.name());
        let key_schema = |hash: &str, range: &str| {
            [(hash, KeyType::Hash), (range, KeyType::Range)].map(|(name, kind)| {
                KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("is complete")
            })
        };
        let index = |name: &str, [hash, range]: [&str; 2], projection: Projection| {
            GlobalSecondaryIndex::builder()
                .index_name(name)
                .set_key_schema(Some(key_schema(hash, range).into()))
                .projection(projection)
                .build()
                .expect("is complete")
        };
        let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        let some = Projection::builder().projection_type(ProjectionType::Include);
        let some = some.non_key_attributes("due").non_key_attributes("event").build();
        let definitions = [
            ("pk", ScalarAttributeType::S),
            ("sk", ScalarAttributeType::S),
            ("app", ScalarAttributeType::S),
            ("installation", ScalarAttributeType::S),
            ("wake_shard", ScalarAttributeType::S),
            ("wake_at", ScalarAttributeType::N),
        ]
        .map(|(name, kind)| {
            AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(kind)
                .build()
                .expect("is complete")
        });
        let create = client
            .create_table()
            .table_name(&name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(definitions.into()))
            .set_key_schema(Some(key_schema("pk", "sk").into()))
            .global_secondary_indexes(index("by_app", ["app", "installation"], keys_only))
            .global_secondary_indexes(index("due", ["wake_shard", "wake_at"], some));
        create.send().await.expect("a table is made");
        aws.made(Made::Table(name.clone()));
        for _ in 0..100 {
            let table = client.describe_table().table_name(&name).send().await.expect("is described").table;
            if table.and_then(|table| table.table_status) == Some(TableStatus::Active) {
                return Self { client, name };
            }
            aws.pass(std::time::Duration::from_millis(100)).await;
        }
        panic!("a table has not come to be active");
    }

    pub(crate) fn put(&self, item: Item) -> PutItemFluentBuilder {
        self.client.put_item().table_name(&self.name).set_item(Some(item))
    }

    pub(crate) fn update(&self, sk: &str, expression: &str) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.name).set_key(Some(key(sk)));
        update.update_expression(expression)
    }

    pub(crate) fn delete(&self, sk: &str) -> DeleteItemFluentBuilder {
        self.client.delete_item().table_name(&self.name).set_key(Some(key(sk)))
    }

    /// A consistent read.
    pub(crate) fn get(&self, sk: &str) -> GetItemFluentBuilder {
        self.client.get_item().table_name(&self.name).set_key(Some(key(sk))).consistent_read(true)
    }

    /// A consistent query.
    pub(crate) fn query(&self, condition: &str) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.name).consistent_read(true);
        query.key_condition_expression(condition)
    }

    /// Puts items, one after the other.
    pub(crate) fn keep(&self, items: impl IntoIterator<Item = Item>) -> BoxFuture<'_, ()> {
        // Collected first: the compiler cannot prove that a lazy one can be sent between threads.
        let items: Vec<_> = items.into_iter().collect();
        Box::pin(async move {
            for item in items {
                self.put(item).send().await.expect("is kept");
            }
        })
    }

    /// The item as it is.
    pub(crate) async fn item(&self, sk: &str) -> Option<Item> {
        self.get(sk).send().await.expect("is read").item
    }
}
