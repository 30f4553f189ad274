//! Reading and writing many items in one call.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_dynamodb::{
    operation::{
        batch_get_item::builders::BatchGetItemFluentBuilder,
        batch_write_item::builders::BatchWriteItemFluentBuilder,
    },
    types::{DeleteRequest, KeysAndAttributes, PutRequest, WriteRequest},
};

use super::{Item, Table, item, key, number, sks, text};
use crate::{
    aws::Aws,
    check::refused,
    clause::{Clause, clause},
    emulator::Emulator,
};

const INVALID: &str = "ValidationException";

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(a_batch_is_read_from_two_tables_and_what_is_not_there_is_left_out),
        clause!(a_consistent_batch_sees_what_was_just_written),
        clause!(a_hundred_keys_are_read_and_one_more_is_not),
        clause!(a_key_that_is_asked_for_twice_is_refused),
        clause!(what_is_more_than_16_mb_is_left_unread_and_named).known(
            Emulator::Ministack,
            "all was read",
            "it answers with any amount; the box shows what is left unread",
        ),
        clause!(twenty_five_items_are_written_and_one_more_is_not),
        clause!(an_item_that_is_written_twice_is_refused),
        clause!(a_batch_replaces_what_is_there_and_deletes),
        clause!(a_batch_with_an_item_that_is_too_large_is_refused_as_a_whole),
    ]
}

fn keys(keys: impl IntoIterator<Item = Item>) -> KeysAndAttributes {
    let keys = keys.into_iter().collect();
    KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build().expect("is complete")
}

fn read(table: &Table, keys: KeysAndAttributes) -> BatchGetItemFluentBuilder {
    table.client.batch_get_item().request_items(&table.name, keys)
}

fn write(table: &Table, writes: Vec<WriteRequest>) -> BatchWriteItemFluentBuilder {
    table.client.batch_write_item().request_items(&table.name, writes)
}

fn put(item: Item) -> WriteRequest {
    let put = PutRequest::builder().set_item(Some(item)).build().expect("is complete");
    WriteRequest::builder().put_request(put).build()
}

fn delete(sk: &str) -> WriteRequest {
    let delete = DeleteRequest::builder().set_key(Some(key(sk))).build().expect("is complete");
    WriteRequest::builder().delete_request(delete).build()
}

/// The sort keys that were found in a table, sorted: a batch has no order.
fn found<'a>(responses: &'a HashMap<String, Vec<Item>>, table: &Table) -> Vec<&'a str> {
    let mut found = sks(responses.get(&table.name).map(Vec::as_slice).unwrap_or_default());
    found.sort_unstable();
    found
}

async fn a_batch_is_read_from_two_tables_and_what_is_not_there_is_left_out(aws: Arc<Aws>) {
    let (table, other) = (Table::new(&aws).await, Table::new(&aws).await);
    table.keep([item("a", [("n", number(1))]), item("b", [])]).await;
    other.keep([item("a", [])]).await;
    let read = read(&table, keys(["a", "b", "absent"].map(key)));
    let answer = read.request_items(&other.name, keys([key("a")])).send().await.expect("is read");
    let responses = answer.responses.expect("are there");
    assert_eq!((found(&responses, &table), found(&responses, &other)), (vec!["a", "b"], vec!["a"]));
    assert!(responses[&table.name].contains(&item("a", [("n", number(1))])));
    assert_eq!(answer.unprocessed_keys.unwrap_or_default(), HashMap::new());
}

async fn a_consistent_batch_sees_what_was_just_written(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    for n in 0..5 {
        table.keep([item("a", [("n", number(n))])]).await;
        let answer = read(&table, keys([key("a")])).send().await.expect("is read");
        assert_eq!(answer.responses.expect("are there")[&table.name], [item("a", [("n", number(n))])]);
    }
}

async fn a_hundred_keys_are_read_and_one_more_is_not(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([item("99", [])]).await;
    let some = |count: u32| keys((0..count).map(|n| key(&n.to_string())));
    let answer = read(&table, some(100)).send().await.expect("is read");
    assert_eq!(found(&answer.responses.expect("are there"), &table), ["99"]);
    refused(read(&table, some(101)).send().await, INVALID);
}

async fn a_key_that_is_asked_for_twice_is_refused(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let message = refused(read(&table, keys(["a", "b", "a"].map(key))).send().await, INVALID);
    assert!(message.contains("duplicates"), "{message}");
}

async fn what_is_more_than_16_mb_is_left_unread_and_named(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let large = text("x".repeat(400_000));
    for n in 0..44 {
        table.keep([item(&n.to_string(), [("x", large.clone())])]).await;
    }
    let answer = read(&table, keys((0..44).map(|n: u32| key(&n.to_string())))).send().await.expect("is read");
    let responses = answer.responses.expect("are there");
    let unread = answer.unprocessed_keys.unwrap_or_default();
    let unread = unread.get(&table.name).map_or(0, |keys| keys.keys.len());
    assert!(unread > 0, "all was read");
    assert_eq!(found(&responses, &table).len() + unread, 44);
}

async fn twenty_five_items_are_written_and_one_more_is_not(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let some = |count: u32| (0..count).map(|n| put(item(&n.to_string(), []))).collect();
    refused(write(&table, some(26)).send().await, INVALID);
    assert_eq!(table.item("0").await, None);
    let answer = write(&table, some(25)).send().await.expect("is written");
    assert_eq!(answer.unprocessed_items.unwrap_or_default(), HashMap::new());
    assert_eq!(table.item("24").await, Some(item("24", [])));
}

async fn an_item_that_is_written_twice_is_refused(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    for twice in
        [vec![put(item("a", [])), put(item("a", [("n", number(1))]))], vec![put(item("a", [])), delete("a")]]
    {
        let message = refused(write(&table, twice).send().await, INVALID);
        assert!(message.contains("duplicates"), "{message}");
    }
    assert_eq!(table.item("a").await, None);
}

async fn a_batch_replaces_what_is_there_and_deletes(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([item("a", [("old", text("b"))]), item("gone", [])]).await;
    let writes = vec![put(item("a", [("new", text("c"))])), delete("gone"), delete("never there")];
    write(&table, writes).send().await.expect("is written");
    assert_eq!(table.item("a").await, Some(item("a", [("new", text("c"))])));
    assert_eq!(table.item("gone").await, None);
}

async fn a_batch_with_an_item_that_is_too_large_is_refused_as_a_whole(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let writes = vec![put(item("a", [])), put(item("large", [("x", text("x".repeat(420_000)))]))];
    refused(write(&table, writes).send().await, INVALID);
    assert_eq!(table.item("a").await, None);
}
