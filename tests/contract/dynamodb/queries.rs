//! Queries of a table: keys, order, pages and filters.

use std::sync::Arc;

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::AttributeValue};

use super::{Item, Table, item, key, key_of, number, sks, text};
use crate::{
    aws::Aws,
    check::refused,
    clause::{Clause, clause},
};

const INVALID: &str = "ValidationException";

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(a_partition_is_read_in_the_order_of_its_keys_bytes_and_backwards),
        clause!(a_condition_on_the_sort_key_bounds_what_is_read),
        clause!(a_consistent_query_sees_what_was_just_written),
        clause!(a_limit_ends_a_page_and_the_next_goes_on_behind_it),
        clause!(a_query_goes_on_behind_a_key_that_is_not_there),
        clause!(a_page_ends_at_1_mb),
        clause!(a_filter_drops_what_was_counted_and_read),
        clause!(a_filter_looks_into_a_map_and_drops_what_has_none),
        clause!(a_limit_counts_what_a_filter_drops),
        clause!(a_partition_that_is_not_there_is_empty),
        clause!(a_query_needs_its_partition),
    ]
}

/// A query of the partition `p`, on condition of `rest`.
fn query(table: &Table, rest: &str) -> QueryFluentBuilder {
    table.query(&format!("pk = :pk{rest}")).expression_attribute_values(":pk", text("p"))
}

async fn found(query: QueryFluentBuilder) -> Vec<Item> {
    query.send().await.expect("is read").items.unwrap_or_default()
}

async fn keep(table: &Table, sks: &[&str]) {
    table.keep(sks.iter().map(|sk| item(sk, []))).await;
}

async fn a_partition_is_read_in_the_order_of_its_keys_bytes_and_backwards(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    keep(&table, &["b", "a", "W#10", "W#9", "é", "Z", "\u{1f6aa}", "\u{fffd}"]).await;
    table.keep([key_of("other", "c")]).await;
    let order = ["W#10", "W#9", "Z", "a", "b", "é", "\u{fffd}", "\u{1f6aa}"];
    assert_eq!(sks(&found(query(&table, "")).await), order);
    let mut backwards = order;
    backwards.reverse();
    assert_eq!(sks(&found(query(&table, "").scan_index_forward(false)).await), backwards);
}

async fn a_condition_on_the_sort_key_bounds_what_is_read(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    keep(&table, &["T#1", "W#1", "W#2", "W#3", "W$", "X"]).await;
    let w = |query: QueryFluentBuilder| query.expression_attribute_values(":w", text("W#"));
    assert_eq!(sks(&found(w(query(&table, " AND begins_with(sk, :w)"))).await), ["W#1", "W#2", "W#3"]);
    let bounded = |rest: &str| query(&table, rest).expression_attribute_values(":a", text("W#2"));
    let between = bounded(" AND sk BETWEEN :a AND :b").expression_attribute_values(":b", text("W$"));
    assert_eq!(sks(&found(between).await), ["W#2", "W#3", "W$"]);
    assert_eq!(sks(&found(bounded(" AND sk <= :a")).await), ["T#1", "W#1", "W#2"]);
    assert_eq!(sks(&found(bounded(" AND sk > :a")).await), ["W#3", "W$", "X"]);
    assert_eq!(sks(&found(bounded(" AND sk = :a")).await), ["W#2"]);
}

async fn a_consistent_query_sees_what_was_just_written(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    for n in 0..5 {
        table.keep([item(&n.to_string(), [])]).await;
        assert_eq!(found(query(&table, "")).await.len(), n + 1);
    }
}

async fn a_limit_ends_a_page_and_the_next_goes_on_behind_it(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let all = ["a", "b", "c", "d", "e"];
    keep(&table, &all).await;
    for (forward, expected) in [(true, [["a", "b"], ["c", "d"]]), (false, [["e", "d"], ["c", "b"]])] {
        let mut start = None;
        for expected in expected {
            let page = query(&table, "").scan_index_forward(forward).limit(2).set_exclusive_start_key(start);
            let page = page.send().await.expect("is read");
            assert_eq!((sks(page.items()), page.count, page.scanned_count), (expected.to_vec(), 2, 2));
            assert_eq!(page.last_evaluated_key, Some(key(expected[1])));
            start = page.last_evaluated_key;
        }
        let page = query(&table, "").scan_index_forward(forward).limit(2).set_exclusive_start_key(start);
        let last = page.send().await.expect("is read");
        assert_eq!((last.items().len(), last.last_evaluated_key), (1, None));
    }
}

async fn a_query_goes_on_behind_a_key_that_is_not_there(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    keep(&table, &["a", "c"]).await;
    let page = query(&table, "").set_exclusive_start_key(Some(key("b")));
    assert_eq!(sks(&found(page).await), ["c"]);
}

async fn a_page_ends_at_1_mb(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let large = text("x".repeat(100_000));
    table.keep((0..15).map(|n| item(&format!("{n:02}"), [("x", large.clone())]))).await;
    let first = query(&table, "").send().await.expect("is read");
    let count = first.items().len();
    assert!((9..=11).contains(&count), "{count}");
    let rest = query(&table, "").set_exclusive_start_key(first.last_evaluated_key);
    let rest = rest.send().await.expect("is read");
    assert_eq!((count + rest.items().len(), rest.last_evaluated_key), (15, None));
}

async fn a_filter_drops_what_was_counted_and_read(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep((0..6).map(|n| item(&n.to_string(), [("n", number(n))]))).await;
    table.keep([item("without", [])]).await;
    let filtered = query(&table, "").filter_expression("n > :n").expression_attribute_values(":n", number(3));
    let page = filtered.send().await.expect("is read");
    assert_eq!((sks(page.items()), page.count, page.scanned_count), (vec!["4", "5"], 2, 7));
}

async fn a_filter_looks_into_a_map_and_drops_what_has_none(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let end = |n| AttributeValue::M([("ended_at".to_owned(), number(n))].into());
    table.keep((0..4).map(|n| item(&n.to_string(), [("end", end(n)), ("state", text("over"))]))).await;
    table.keep([item("without", [("state", text("over"))]), item("other", [("end", end(3))])]).await;
    let filtered = query(&table, "").filter_expression("#state = :over AND #end.ended_at > :n");
    let filtered =
        filtered.expression_attribute_names("#state", "state").expression_attribute_names("#end", "end");
    let filtered = filtered.expression_attribute_values(":over", text("over"));
    let found = found(filtered.expression_attribute_values(":n", number(1)).scan_index_forward(false)).await;
    assert_eq!(sks(&found), ["3", "2"]);
}

async fn a_limit_counts_what_a_filter_drops(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    keep(&table, &["a", "b", "c"]).await;
    let page = query(&table, "").limit(2).filter_expression("attribute_exists(absent)");
    let page = page.send().await.expect("is read");
    assert_eq!((page.count, page.scanned_count), (0, 2));
    assert_eq!(page.last_evaluated_key, Some(key("b")));
}

async fn a_partition_that_is_not_there_is_empty(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let page = query(&table, "").send().await.expect("is read");
    assert_eq!((page.count, page.items().len(), page.last_evaluated_key), (0, 0, None));
}

async fn a_query_needs_its_partition(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let query = table.query("sk = :sk").expression_attribute_values(":sk", text("a"));
    refused(query.send().await, INVALID);
    let query = table.query("pk = :pk AND app = :pk").expression_attribute_values(":pk", text("p"));
    refused(query.send().await, INVALID);
}
