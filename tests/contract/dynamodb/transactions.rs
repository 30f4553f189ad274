//! Transactions: all of a change or none of it.

use std::sync::Arc;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::{TransactWriteItemsError, builders::TransactWriteItemsFluentBuilder},
    types::{
        CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure as OnFailure,
        TransactWriteItem, Update,
    },
};
use futures_util::future::join_all;

use super::{Item, Table, item, key, number, text};
use crate::{
    aws::Aws,
    check::refused,
    clause::{Clause, clause},
    emulator::Emulator,
};

const INVALID: &str = "ValidationException";

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(all_actions_are_made_in_both_tables),
        clause!(one_condition_that_does_not_hold_keeps_all_from_being_made),
        clause!(reasons_stand_in_the_order_of_the_actions),
        clause!(an_item_is_told_to_the_action_that_asks_for_it),
        clause!(a_check_of_what_is_not_there_tells_no_item),
        clause!(two_actions_on_one_item_are_refused),
        clause!(a_hundred_actions_are_taken_and_one_more_is_not),
        clause!(more_than_4_mb_are_refused),
        clause!(an_action_that_cannot_be_made_is_a_reason_that_passes_no_condition).known(Emulator::DynamodbLocal, "ValidationException", "it refuses the call instead of cancelling the transaction: an error either way, and nothing is made"),
        clause!(a_token_makes_a_repeat_do_nothing_and_another_change_an_error),
        clause!(transactions_at_once_are_whole_or_not_made),
        clause!(an_empty_transaction_is_refused),
    ]
}

fn put(table: &Table, item: Item) -> TransactWriteItem {
    let put = Put::builder().table_name(&table.name).set_item(Some(item));
    TransactWriteItem::builder().put(put.build().expect("is complete")).build()
}

/// A put on condition that nothing is there, which asks for what is.
fn put_if_absent(table: &Table, item: Item, asked: OnFailure) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(&table.name)
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(asked);
    TransactWriteItem::builder().put(put.build().expect("is complete")).build()
}

fn add(table: &Table, sk: &str, more: i32) -> TransactWriteItem {
    let update = Update::builder()
        .table_name(&table.name)
        .set_key(Some(key(sk)))
        .update_expression("ADD n :more")
        .expression_attribute_values(":more", number(more));
    TransactWriteItem::builder().update(update.build().expect("is complete")).build()
}

fn delete(table: &Table, sk: &str) -> TransactWriteItem {
    let delete = Delete::builder().table_name(&table.name).set_key(Some(key(sk)));
    TransactWriteItem::builder().delete(delete.build().expect("is complete")).build()
}

/// A check that something is there.
fn check(table: &Table, sk: &str) -> TransactWriteItem {
    let check = ConditionCheck::builder()
        .table_name(&table.name)
        .set_key(Some(key(sk)))
        .condition_expression("attribute_exists(pk)")
        .return_values_on_condition_check_failure(OnFailure::AllOld);
    TransactWriteItem::builder().condition_check(check.build().expect("is complete")).build()
}

fn transact(aws: &Aws, actions: Vec<TransactWriteItem>) -> TransactWriteItemsFluentBuilder {
    aws.dynamodb.transact_write_items().set_transact_items(Some(actions))
}

/// Why a transaction is cancelled.
async fn reasons(aws: &Aws, actions: Vec<TransactWriteItem>) -> Vec<CancellationReason> {
    match transact(aws, actions).send().await.expect_err("is cancelled").into_service_error() {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            cancelled.cancellation_reasons.expect("has reasons")
        }
        other => panic!("{other:?}"),
    }
}

fn codes(reasons: &[CancellationReason]) -> Vec<&str> {
    reasons.iter().map(|reason| reason.code().unwrap_or_default()).collect()
}

async fn all_actions_are_made_in_both_tables(aws: Arc<Aws>) {
    let (table, other) = (Table::new(&aws).await, Table::new(&aws).await);
    table.keep([item("kept", []), item("gone", [])]).await;
    let actions = vec![
        put_if_absent(&table, item("put", []), OnFailure::AllOld),
        add(&other, "counted", -1),
        delete(&table, "gone"),
        delete(&table, "never there"),
        check(&table, "kept"),
    ];
    transact(&aws, actions).send().await.expect("is made");
    assert_eq!(table.item("put").await, Some(item("put", [])));
    assert_eq!(other.item("counted").await, Some(item("counted", [("n", number(-1))])));
    assert_eq!(table.item("gone").await, None);
}

async fn one_condition_that_does_not_hold_keeps_all_from_being_made(aws: Arc<Aws>) {
    let (table, other) = (Table::new(&aws).await, Table::new(&aws).await);
    table.keep([item("gone", [])]).await;
    let actions = vec![
        put(&table, item("put", [])),
        add(&other, "n", 1),
        delete(&table, "gone"),
        check(&other, "absent"),
    ];
    refused(transact(&aws, actions).send().await, "TransactionCanceledException");
    assert_eq!((table.item("put").await, other.item("n").await), (None, None));
    assert_eq!(table.item("gone").await, Some(item("gone", [])));
}

async fn reasons_stand_in_the_order_of_the_actions(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([item("there", [])]).await;
    let actions = vec![
        put(&table, item("z", [])),
        put_if_absent(&table, item("there", []), OnFailure::AllOld),
        add(&table, "a", 1),
        check(&table, "absent"),
        delete(&table, "b"),
    ];
    let reasons = reasons(&aws, actions).await;
    let failed = "ConditionalCheckFailed";
    assert_eq!(codes(&reasons), ["None", failed, "None", failed, "None"]);
}

async fn an_item_is_told_to_the_action_that_asks_for_it(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let there = item("there", [("n", number(7))]);
    let mut silent = key("silent");
    silent.insert("n".to_owned(), number(8));
    table.keep([there.clone(), silent.clone()]).await;
    let actions = vec![
        put_if_absent(&table, item("there", []), OnFailure::AllOld),
        put_if_absent(&table, silent, OnFailure::None),
        put(&table, item("new", [])),
    ];
    let reasons = reasons(&aws, actions).await;
    let items: Vec<_> = reasons.iter().map(|reason| reason.item().cloned()).collect();
    assert_eq!(items, [Some(there), None, None]);
}

async fn a_check_of_what_is_not_there_tells_no_item(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let reasons = reasons(&aws, vec![check(&table, "absent"), put(&table, item("a", []))]).await;
    assert_eq!(codes(&reasons), ["ConditionalCheckFailed", "None"]);
    assert_eq!(reasons[0].item(), None);
}

async fn two_actions_on_one_item_are_refused(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let actions = vec![put(&table, item("a", [])), delete(&table, "a")];
    refused(transact(&aws, actions).send().await, INVALID);
    let actions = vec![put(&table, item("a", [])), check(&table, "a")];
    refused(transact(&aws, actions).send().await, INVALID);
}

async fn a_hundred_actions_are_taken_and_one_more_is_not(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let puts = |count: u32| (0..count).map(|n| put(&table, item(&format!("{n:03}"), []))).collect();
    refused(transact(&aws, puts(101)).send().await, INVALID);
    assert_eq!(table.item("000").await, None);
    transact(&aws, puts(100)).send().await.expect("is made");
    assert_eq!(table.item("099").await, Some(item("099", [])));
}

async fn more_than_4_mb_are_refused(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let large = text("x".repeat(390_000));
    let puts = (0..12).map(|n| put(&table, item(&format!("{n:03}"), [("x", large.clone())])));
    refused(transact(&aws, puts.collect()).send().await, INVALID);
    assert_eq!(table.item("000").await, None);
}

async fn an_action_that_cannot_be_made_is_a_reason_that_passes_no_condition(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([item("text", [("n", text("1"))])]).await;
    let reasons = reasons(&aws, vec![put(&table, item("a", [])), add(&table, "text", 1)]).await;
    assert_eq!(codes(&reasons), ["None", "ValidationError"]);
    assert_eq!(table.item("a").await, None);
}

async fn a_token_makes_a_repeat_do_nothing_and_another_change_an_error(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let token = aws.name();
    let once = |more| transact(&aws, vec![add(&table, "n", more)]).client_request_token(&token).send();
    for _ in 0..2 {
        once(1).await.expect("is made, or was");
    }
    assert_eq!(table.item("n").await, Some(item("n", [("n", number(1))])));
    refused(once(2).await, "IdempotentParameterMismatchException");
}

async fn transactions_at_once_are_whole_or_not_made(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let moves = (0..16).map(|_| transact(&aws, vec![add(&table, "from", -1), add(&table, "to", 1)]).send());
    let mut made = 0;
    for answer in join_all(moves).await {
        match answer.map_err(SdkError::into_service_error) {
            Ok(_) => made += 1,
            Err(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let codes = codes(cancelled.cancellation_reasons());
                assert!(codes.iter().all(|code| ["None", "TransactionConflict"].contains(code)), "{codes:?}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_ne!(made, 0, "none was made");
    assert_eq!(table.item("to").await, Some(item("to", [("n", number(made))])));
    assert_eq!(table.item("from").await, Some(item("from", [("n", number(-made))])));
}

async fn an_empty_transaction_is_refused(aws: Arc<Aws>) {
    refused(transact(&aws, Vec::new()).send().await, INVALID);
}
