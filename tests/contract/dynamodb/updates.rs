//! Updates: what their expressions do, and which are refused.

use std::sync::Arc;

use aws_sdk_dynamodb::types::ReturnValue;

use super::{Table, item, map, number, text};
use crate::{
    aws::Aws,
    check::refused,
    clause::{Clause, clause},
    emulator::Emulator,
};

const INVALID: &str = "ValidationException";

/// The names that `store` writes into expressions as they are.
const BARE: [&str; 25] = [
    "pk",
    "sk",
    "v",
    "app",
    "installation",
    "due",
    "revision",
    "lease_until",
    "sent_at",
    "full_at",
    "held_from",
    "held_until",
    "wake_shard",
    "wake_at",
    "failing_shard",
    "failing_since",
    "last_failure_at",
    "life.generation",
    "life.removed_at",
    "webhook",
    "webhook.health",
    "webhook.enabled",
    "webhook.switched_off_at",
    "webhook.changed_at",
    "webhook.remove_reason",
];

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(add_begins_at_nothing_goes_below_it_and_tells_what_it_made),
        clause!(an_update_makes_the_item_that_is_not_there),
        clause!(all_parts_of_an_update_see_the_item_as_it_was),
        clause!(a_value_is_set_if_there_is_none),
        clause!(what_is_not_there_can_be_removed_and_not_be_reckoned_with),
        clause!(a_path_is_set_in_a_map_that_is_there_and_in_no_other),
        clause!(a_key_cannot_be_updated),
        clause!(reserved_words_are_refused),
        clause!(names_that_are_written_as_they_are_are_not_reserved),
        clause!(what_an_expression_does_not_use_and_what_it_lacks_is_refused),
        clause!(one_place_is_changed_once).known(
            Emulator::Ministack,
            "it is taken, where AWS answers ValidationException",
            "it does not compare the places of an expression; no expression of ours names one twice",
        ),
        clause!(a_text_cannot_be_added_to),
        clause!(a_put_replaces_the_whole_item),
    ]
}

async fn add_begins_at_nothing_goes_below_it_and_tells_what_it_made(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    for (more, sum) in [(1, 1), (1, 2), (-3, -1)] {
        let add = table
            .update("a", "ADD #count :more")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":more", number(more))
            .return_values(ReturnValue::UpdatedNew);
        let told = add.send().await.expect("is added").attributes.expect("is told");
        assert_eq!(told, [("count".to_owned(), number(sum))].into());
    }
}

async fn an_update_makes_the_item_that_is_not_there(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let update = table.update("a", "SET b = :b").expression_attribute_values(":b", text("c"));
    update.send().await.expect("is made");
    assert_eq!(table.item("a").await, Some(item("a", [("b", text("c"))])));
}

async fn all_parts_of_an_update_see_the_item_as_it_was(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table
        .keep([item("a", [("n", number(1)), ("m", number(5)), ("gone", number(7)), ("revision", number(3))])])
        .await;
    let update = table
        .update("a", "SET n = m, m = n + :ten, kept = gone ADD revision :one REMOVE gone, absent")
        .expression_attribute_values(":ten", number(10))
        .expression_attribute_values(":one", number(1));
    update.send().await.expect("is made");
    let (n, m, kept, revision) = (number(5), number(11), number(7), number(4));
    let expected = item("a", [("n", n), ("m", m), ("kept", kept), ("revision", revision)]);
    assert_eq!(table.item("a").await, Some(expected));
}

async fn a_value_is_set_if_there_is_none(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    for _ in 0..2 {
        let update = table
            .update("a", "SET begun = if_not_exists(begun, :n), n = if_not_exists(n, :zero) + :n")
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":n", number(2));
        update.send().await.expect("is set");
    }
    assert_eq!(table.item("a").await, Some(item("a", [("begun", number(2)), ("n", number(4))])));
}

async fn what_is_not_there_can_be_removed_and_not_be_reckoned_with(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.update("a", "REMOVE absent").send().await.expect("is no error");
    let longer = table.update("a", "SET n = n + :n").expression_attribute_values(":n", number(1));
    refused(longer.send().await, INVALID);
}

async fn a_path_is_set_in_a_map_that_is_there_and_in_no_other(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table
        .keep([item("a", [("life", map([("page", number(1)), ("kept", text("b"))]))]), item("none", [])])
        .await;
    let set = |sk: &str| {
        let update = table.update(sk, "SET life.#page = :page").expression_attribute_names("#page", "page");
        update.expression_attribute_values(":page", number(2)).send()
    };
    set("a").await.expect("is set");
    let expected = item("a", [("life", map([("page", number(2)), ("kept", text("b"))]))]);
    assert_eq!(table.item("a").await, Some(expected));
    refused(set("none").await, INVALID);
}

async fn a_key_cannot_be_updated(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    for name in ["pk", "sk"] {
        let update =
            table.update("a", &format!("SET {name} = :b")).expression_attribute_values(":b", text("b"));
        refused(update.send().await, INVALID);
    }
}

async fn reserved_words_are_refused(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    for word in ["state", "owner", "count", "ttl", "last"] {
        let update =
            table.update("a", &format!("SET {word} = :b")).expression_attribute_values(":b", text("b"));
        let message = refused(update.send().await, INVALID);
        assert!(message.contains("reserved"), "{word}: {message}");
    }
}

async fn names_that_are_written_as_they_are_are_not_reserved(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    for names in BARE.chunks(10) {
        let condition: Vec<_> = names.iter().map(|name| format!("attribute_not_exists({name})")).collect();
        let update = table.update("a", "REMOVE absent").condition_expression(condition.join(" OR "));
        update.send().await.expect("none is reserved");
    }
}

async fn what_an_expression_does_not_use_and_what_it_lacks_is_refused(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let update = || table.update("a", "SET b = :b");
    let with = || update().expression_attribute_values(":b", text("b"));
    refused(update().send().await, INVALID);
    refused(with().expression_attribute_values(":c", text("c")).send().await, INVALID);
    refused(with().expression_attribute_names("#c", "c").send().await, INVALID);
    refused(with().condition_expression("#c = :b").send().await, INVALID);
    refused(with().condition_expression("").send().await, INVALID);
    assert_eq!(table.item("a").await, None);
}

async fn one_place_is_changed_once(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([item("a", [("life", map([("page", number(1))]))])]).await;
    for expression in ["SET b = :b REMOVE b", "SET life = :b, life.at = :b"] {
        let update = table.update("a", expression).expression_attribute_values(":b", text("b"));
        refused(update.send().await, INVALID);
    }
}

async fn a_text_cannot_be_added_to(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([item("a", [("n", text("1"))])]).await;
    let add = table.update("a", "ADD n :one").expression_attribute_values(":one", number(1));
    refused(add.send().await, INVALID);
}

async fn a_put_replaces_the_whole_item(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([item("a", [("b", text("b"))]), item("a", [("c", text("c"))])]).await;
    assert_eq!(table.item("a").await, Some(item("a", [("c", text("c"))])));
}
