//! Indexes: what is in them, what they tell of it, and their pages.
//!
//! On AWS they lag, and nothing here may rely on their being quick: what is expected is waited for.

use std::{sync::Arc, time::Duration};

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::AttributeValue};

use super::{Item, Table, item, map, number, sks, text};
use crate::{
    aws::Aws,
    check::{code, refused},
    clause::{Clause, clause},
    emulator::Emulator,
};

const INVALID: &str = "ValidationException";

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(only_what_has_both_keys_of_an_index_is_in_it),
        clause!(an_index_of_keys_tells_keys_and_one_of_some_attributes_these),
        clause!(an_item_moves_in_an_index_and_leaves_it_with_the_attribute),
        clause!(times_are_sorted_as_numbers_and_bounded),
        clause!(a_page_of_an_index_ends_with_all_keys_and_the_next_goes_on_behind_it),
        clause!(items_with_the_same_keys_in_an_index_are_all_in_it),
        clause!(a_filter_sees_what_an_index_has),
        clause!(an_index_cannot_be_read_consistently),
        clause!(an_index_that_is_not_there_is_refused),
        clause!(a_key_of_an_index_has_its_type).known(
            Emulator::DynamodbLocal,
            "[\"ValidationException\", \"it is taken\"]",
            "it takes an update that gives such a key another type, though not a put",
        ),
        clause!(a_key_of_an_index_is_not_empty),
    ]
}

fn by_app(table: &Table) -> QueryFluentBuilder {
    let query = table.query("app = :app").index_name("by_app").consistent_read(false);
    query.expression_attribute_values(":app", text("crm"))
}

fn due(table: &Table, until: &str) -> QueryFluentBuilder {
    let query =
        table.query("wake_shard = :shard AND wake_at <= :until").index_name("due").consistent_read(false);
    query
        .expression_attribute_values(":shard", text("1"))
        .expression_attribute_values(":until", number(until))
}

fn waiting(sk: &str, at: &str) -> Item {
    item(sk, [("wake_shard", text("1")), ("wake_at", number(at))])
}

fn owned(sk: &str, installation: &str) -> Item {
    item(sk, [("app", text("crm")), ("installation", text(installation))])
}

/// Asks until this is found, for as long as an index may lag.
async fn expect(aws: &Aws, query: impl Fn() -> QueryFluentBuilder, expected: &[&str]) -> Vec<Item> {
    let mut found = Vec::new();
    for _ in 0..10 {
        found = query().send().await.expect("is read").items.unwrap_or_default();
        if sks(&found) == expected {
            return found;
        }
        aws.pass(Duration::from_millis(200)).await;
    }
    panic!("{:?} is found, where {expected:?} is in the index", sks(&found));
}

async fn only_what_has_both_keys_of_an_index_is_in_it(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table
        .keep([
            owned("both", "1#10"),
            item("one", [("app", text("crm"))]),
            item("other", [("installation", text("1#10"))]),
            item("neither", []),
        ])
        .await;
    expect(&aws, || by_app(&table), &["both"]).await;
}

async fn an_index_of_keys_tells_keys_and_one_of_some_attributes_these(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let more = |mut item: Item| {
        item.extend(["due", "event", "state"].map(|name| (name.to_owned(), text(name))));
        item
    };
    table.keep([more(owned("a", "1#10")), more(waiting("b", "5")), waiting("c", "6")]).await;
    assert_eq!(expect(&aws, || by_app(&table), &["a"]).await, [owned("a", "1#10")]);
    let mut told = waiting("b", "5");
    told.extend(["due", "event"].map(|name| (name.to_owned(), text(name))));
    assert_eq!(expect(&aws, || due(&table, "9"), &["b", "c"]).await, [told, waiting("c", "6")]);
}

async fn an_item_moves_in_an_index_and_leaves_it_with_the_attribute(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([waiting("a", "5"), waiting("b", "6")]).await;
    expect(&aws, || due(&table, "9"), &["a", "b"]).await;
    let later = table.update("a", "SET wake_at = :at").expression_attribute_values(":at", number(7));
    later.send().await.expect("is updated");
    expect(&aws, || due(&table, "9"), &["b", "a"]).await;
    table.update("a", "REMOVE wake_shard, wake_at").send().await.expect("is updated");
    expect(&aws, || due(&table, "9"), &["b"]).await;
    table.delete("b").send().await.expect("is deleted");
    expect(&aws, || due(&table, "9"), &[]).await;
}

async fn times_are_sorted_as_numbers_and_bounded(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    for at in ["9", "10", "-1", "1.5", "0", "1767225600000", "100"] {
        table.keep([waiting(at, at)]).await;
    }
    expect(&aws, || due(&table, "1767225599999"), &["-1", "0", "1.5", "9", "10", "100"]).await;
    expect(&aws, || due(&table, "10"), &["-1", "0", "1.5", "9", "10"]).await;
}

async fn a_page_of_an_index_ends_with_all_keys_and_the_next_goes_on_behind_it(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([owned("a", "1#10"), owned("b", "1#11"), owned("c", "2#10")]).await;
    expect(&aws, || by_app(&table), &["a", "b", "c"]).await;
    let first = by_app(&table).limit(2).send().await.expect("is read");
    assert_eq!((sks(first.items()), &first.last_evaluated_key), (vec!["a", "b"], &Some(owned("b", "1#11"))));
    let rest = by_app(&table).limit(2).set_exclusive_start_key(first.last_evaluated_key);
    let rest = rest.send().await.expect("is read");
    assert_eq!((sks(rest.items()), &rest.last_evaluated_key), (vec!["c"], &None));
}

async fn items_with_the_same_keys_in_an_index_are_all_in_it(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep(["a", "b", "c"].map(|sk| owned(sk, "1#10"))).await;
    for _ in 0..10 {
        if by_app(&table).send().await.expect("is read").count == 3 {
            break;
        }
        aws.pass(Duration::from_millis(200)).await;
    }
    let mut start = None;
    let mut found = Vec::new();
    for _ in 0..4 {
        let page = by_app(&table).limit(1).set_exclusive_start_key(start);
        let page = page.send().await.expect("is read");
        found.extend(page.items.unwrap_or_default());
        start = page.last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    let mut found = sks(&found);
    found.sort_unstable();
    assert_eq!((found, start), (vec!["a", "b", "c"], None));
}

async fn a_filter_sees_what_an_index_has(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let with = |sk: &str, due: u32, state: &str| {
        let mut item = waiting(sk, "5");
        item.extend([("due".to_owned(), number(due)), ("state".to_owned(), text(state))]);
        item
    };
    table.keep([with("a", 1, "x"), with("b", 9, "x")]).await;
    let filtered =
        || due(&table, "9").filter_expression("due > :due").expression_attribute_values(":due", number(5));
    expect(&aws, filtered, &["b"]).await;
}

async fn an_index_cannot_be_read_consistently(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    refused(by_app(&table).consistent_read(true).send().await, INVALID);
}

async fn an_index_that_is_not_there_is_refused(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    refused(by_app(&table).index_name("by_nothing").send().await, INVALID);
}

/// Asserts that neither a put nor an update gives this value to a key of an index.
async fn refused_key(table: &Table, name: &str, value: AttributeValue) {
    let mut right = owned("a", "1#10");
    right.extend(waiting("a", "5"));
    table.keep([right.clone()]).await;
    let mut wrong = right.clone();
    wrong.insert(name.to_owned(), value.clone());
    let put = code(&table.put(wrong).send().await);
    let update = table.update("a", &format!("SET {name} = :wrong"));
    let update = code(&update.expression_attribute_values(":wrong", value.clone()).send().await);
    let [put, update] = [put, update].map(|code| code.unwrap_or_else(|| "it is taken".to_owned()));
    assert_eq!([&*put, &*update], [INVALID; 2], "{name} is {value:?}");
    assert_eq!(table.item("a").await, Some(right));
}

async fn a_key_of_an_index_has_its_type(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    for (name, value) in [("wake_at", text("5")), ("wake_shard", number(1)), ("wake_shard", map([]))] {
        refused_key(&table, name, value).await;
    }
}

async fn a_key_of_an_index_is_not_empty(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    refused_key(&table, "installation", text("")).await;
}
