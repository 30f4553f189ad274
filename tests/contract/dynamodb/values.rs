//! Values: what comes back as it was, and the bounds of keys, numbers and items.

use std::sync::Arc;

use aws_sdk_dynamodb::{
    primitives::Blob,
    types::{AttributeValue, TimeToLiveSpecification, TimeToLiveStatus},
};

use super::{Table, item, key_of, map, number, text};
use crate::{
    aws::Aws,
    check::{code, refused},
    clause::{Clause, clause},
};

const INVALID: &str = "ValidationException";

/// The most that an item may have, its attributes' names included.
const ITEM_BYTES_MAX: usize = 400 * 1024;

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(every_kind_of_value_comes_back_as_it_was),
        clause!(a_number_keeps_38_digits_and_one_more_is_refused),
        clause!(a_number_has_a_range_and_no_other_words),
        clause!(a_key_is_not_empty_and_another_text_may_be),
        clause!(a_set_is_not_empty),
        clause!(a_partition_key_has_2048_bytes_at_most),
        clause!(a_sort_key_has_1024_bytes_at_most),
        clause!(an_item_has_both_keys_and_of_their_types),
        clause!(an_item_has_400_kib_at_most),
        clause!(an_update_does_not_make_an_item_larger_than_400_kib),
        clause!(an_attribute_says_when_an_item_expires),
        clause!(what_has_expired_a_moment_ago_is_no_error_to_anybody),
    ]
}

async fn every_kind_of_value_comes_back_as_it_was(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let nested = map([
        ("text", text("é \u{1f6aa} \u{ffff} \"quoted\"\n")),
        ("empty", text("")),
        ("list", AttributeValue::L(vec![number(1), text("b"), AttributeValue::Null(true), map([])])),
        ("none", AttributeValue::L(Vec::new())),
    ]);
    let kept = item(
        "a",
        [
            ("map", map([("of", map([("maps", nested)]))])),
            ("yes", AttributeValue::Bool(true)),
            ("no", AttributeValue::Bool(false)),
            ("bytes", AttributeValue::B(Blob::new((0..=255).collect::<Vec<u8>>()))),
            ("no bytes", AttributeValue::B(Blob::new(Vec::new()))),
            ("texts", AttributeValue::Ss(vec!["a".to_owned()])),
            ("with.a.dot", text("b")),
        ],
    );
    table.keep([kept.clone()]).await;
    assert_eq!(table.item("a").await, Some(kept));
}

async fn a_number_keeps_38_digits_and_one_more_is_refused(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let long = "12345678901234567890123456789012345678";
    for (written, kept) in [
        (long, long),
        ("9007199254740993", "9007199254740993"),
        ("-1767225600001", "-1767225600001"),
        ("0.1", "0.1"),
        ("1.10", "1.1"),
        ("0010", "10"),
        ("-0", "0"),
    ] {
        table.keep([item("a", [("n", number(written))])]).await;
        assert_eq!(table.item("a").await, Some(item("a", [("n", number(kept))])), "{written}");
    }
    for digits in [&format!("{long}9"), &format!("0.{long}9")] {
        refused(table.put(item("a", [("n", number(digits))])).send().await, INVALID);
    }
}

async fn a_number_has_a_range_and_no_other_words(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    for taken in ["9.9e125", "-9.9e125", "1e-130"] {
        let put = table.put(item("a", [("n", number(taken))]));
        assert_eq!(code(&put.send().await), None, "{taken}");
    }
    for wrong in ["1e126", "-1e126", "NaN", "", "one", "0x10"] {
        let answer = table.put(item("a", [("n", number(wrong))])).send().await;
        assert_eq!(code(&answer).as_deref(), Some(INVALID), "{wrong}");
    }
}

async fn a_key_is_not_empty_and_another_text_may_be(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    refused(table.put(key_of("", "a")).send().await, INVALID);
    refused(table.put(key_of("p", "")).send().await, INVALID);
    refused(table.get("").send().await, INVALID);
    table.keep([item("a", [("b", text(""))])]).await;
    assert_eq!(table.item("a").await, Some(item("a", [("b", text(""))])));
}

async fn a_set_is_not_empty(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    refused(table.put(item("a", [("set", AttributeValue::Ss(Vec::new()))])).send().await, INVALID);
    let twice = AttributeValue::Ss(vec!["a".to_owned(), "a".to_owned()]);
    refused(table.put(item("a", [("set", twice)])).send().await, INVALID);
}

async fn a_partition_key_has_2048_bytes_at_most(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([key_of(&"é".repeat(1024), "a")]).await;
    refused(table.put(key_of(&format!("{}x", "é".repeat(1024)), "a")).send().await, INVALID);
}

async fn a_sort_key_has_1024_bytes_at_most(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([key_of("p", &"é".repeat(512))]).await;
    refused(table.put(key_of("p", &format!("{}x", "é".repeat(512)))).send().await, INVALID);
}

async fn an_item_has_both_keys_and_of_their_types(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let mut one = item("a", []);
    one.remove("sk");
    refused(table.put(one.clone()).send().await, INVALID);
    one.insert("sk".to_owned(), number(1));
    refused(table.put(one).send().await, INVALID);
    let more = table.client.get_item().table_name(&table.name).set_key(Some(item("a", [("b", text("c"))])));
    refused(more.send().await, INVALID);
}

async fn an_item_has_400_kib_at_most(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let sized = |bytes: usize| item("a", [("x", text("x".repeat(bytes - "pkpskax".len())))]);
    table.keep([sized(ITEM_BYTES_MAX)]).await;
    let message = refused(table.put(sized(ITEM_BYTES_MAX + 1)).send().await, INVALID);
    assert!(message.contains("size"), "{message}");
}

async fn an_update_does_not_make_an_item_larger_than_400_kib(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([item("a", [("x", text("x".repeat(ITEM_BYTES_MAX - 50)))])]).await;
    let grow =
        |bytes| table.update("a", "SET y = :y").expression_attribute_values(":y", text("y".repeat(bytes)));
    grow(40).send().await.expect("it fits");
    refused(grow(60).send().await, INVALID);
}

async fn an_attribute_says_when_an_item_expires(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let ttl = TimeToLiveSpecification::builder().attribute_name("ttl").enabled(true);
    let ttl = ttl.build().expect("is complete");
    let update = aws.dynamodb.update_time_to_live().table_name(&table.name).time_to_live_specification(ttl);
    update.send().await.expect("is set");
    let told = aws.dynamodb.describe_time_to_live().table_name(&table.name).send().await.expect("is told");
    let told = told.time_to_live_description.expect("is there");
    assert_eq!(told.attribute_name(), Some("ttl"));
    let on = [TimeToLiveStatus::Enabling, TimeToLiveStatus::Enabled];
    assert!(told.time_to_live_status().is_some_and(|status| on.contains(status)), "{told:?}");
}

async fn what_has_expired_a_moment_ago_is_no_error_to_anybody(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let ttl = TimeToLiveSpecification::builder().attribute_name("ttl").enabled(true);
    let ttl = ttl.build().expect("is complete");
    let update = aws.dynamodb.update_time_to_live().table_name(&table.name).time_to_live_specification(ttl);
    update.send().await.expect("is set");
    // Deleted some time after it has expired, or at once: either way it can be written again.
    let expired = item("a", [("ttl", number(aws.now().as_secs() - 60))]);
    table.keep([expired.clone()]).await;
    let read = table.item("a").await;
    assert!(read.is_none() || read == Some(expired.clone()), "{read:?}");
    table.keep([expired]).await;
    table.delete("a").send().await.expect("is deleted");
}
