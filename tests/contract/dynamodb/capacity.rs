//! What calls consume, as the box counts it.

use std::sync::Arc;

use aws_sdk_dynamodb::types::{
    ConsumedCapacity, KeysAndAttributes, Put, PutRequest, ReturnConsumedCapacity as Asked, TransactWriteItem,
    WriteRequest,
};

use super::{Item, Table, item, key, key_of, text};
use crate::{
    aws::Aws,
    clause::{Clause, clause},
    emulator::Emulator,
};

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(a_read_takes_half_a_unit_for_each_4_kb_and_a_consistent_one_a_whole).known(
            Emulator::Ministack,
            "large: 1 units, where AWS takes 2",
            "it counts a unit for whatever is read, however large",
        ),
        clause!(a_query_rounds_once_what_it_has_read).known(
            Emulator::Ministack,
            "consistent: 1 units, where AWS takes 2",
            "it counts a unit for whatever is read, however large",
        ),
        clause!(a_query_that_finds_nothing_takes_the_least).known(
            Emulator::DynamodbLocal,
            "nothing: 0 units, where AWS takes 1",
            "it counts nothing for what is not there",
        ),
        clause!(a_batch_rounds_each_of_its_items).known(
            Emulator::Ministack,
            "units are not told",
            "it tells no units of batches",
        ),
        clause!(a_key_in_a_batch_that_is_not_there_takes_the_least)
            .known(
                Emulator::DynamodbLocal,
                "nothing: 0 units, where AWS takes 1",
                "it counts nothing for what is not there",
            )
            .known(Emulator::Ministack, "units are not told", "it tells no units of batches"),
        clause!(a_write_takes_a_unit_for_each_kb_of_the_larger_item),
        clause!(an_index_takes_units_where_it_changes),
        clause!(a_change_of_an_indexes_key_takes_two_writes_of_it),
        clause!(a_transaction_takes_twice_what_its_writes_take).known(
            Emulator::DynamodbLocal,
            "two puts: 12 units, where AWS takes 6",
            "it doubles what it has doubled",
        ),
    ]
}

fn sized(sk: &str, bytes: usize) -> Item {
    item(sk, [("x", text("x".repeat(bytes)))])
}

fn indexed(sk: &str, installation: &str) -> Item {
    item(sk, [("app", text("crm")), ("installation", text(installation))])
}

#[track_caller]
fn units(consumed: Option<ConsumedCapacity>) -> f64 {
    let Some(units) = consumed.and_then(|consumed| consumed.capacity_units) else {
        panic!("units are not told")
    };
    units
}

/// The units of the table and those of its index.
#[track_caller]
fn places(consumed: Option<ConsumedCapacity>) -> (f64, f64) {
    let consumed = consumed.expect("is told");
    let table = consumed.table().and_then(|table| table.capacity_units).unwrap_or_default();
    let index = consumed.global_secondary_indexes().and_then(|indexes| indexes.get("by_app"));
    (table, index.and_then(|index| index.capacity_units).unwrap_or_default())
}

#[track_caller]
fn same(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 0.001, "{what}: {found} units, where AWS takes {expected}");
}

async fn a_read_takes_half_a_unit_for_each_4_kb_and_a_consistent_one_a_whole(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([sized("small", 4_000), sized("large", 4_100)]).await;
    for (sk, expected) in [("small", 1.0), ("large", 2.0), ("absent", 1.0)] {
        let consistent = table.get(sk).return_consumed_capacity(Asked::Total).send().await.expect("is read");
        same(units(consistent.consumed_capacity), expected, sk);
        let get = table.get(sk).consistent_read(false).return_consumed_capacity(Asked::Total);
        same(units(get.send().await.expect("is read").consumed_capacity), expected / 2.0, sk);
    }
}

async fn a_query_rounds_once_what_it_has_read(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep(["a", "b", "c"].map(|sk| sized(sk, 2_000))).await;
    let query = |pk: &str| {
        let query = table.query("pk = :pk").expression_attribute_values(":pk", text(pk));
        query.return_consumed_capacity(Asked::Total)
    };
    same(units(query("p").send().await.expect("is read").consumed_capacity), 2.0, "consistent");
    let eventual = query("p").consistent_read(false).send().await.expect("is read");
    same(units(eventual.consumed_capacity), 1.0, "eventual");
    let filtered = query("p").filter_expression("attribute_exists(absent)").send().await.expect("is read");
    same(units(filtered.consumed_capacity), 2.0, "filtered");
}

async fn a_query_that_finds_nothing_takes_the_least(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let query = table.query("pk = :pk").expression_attribute_values(":pk", text("absent"));
    let found = query.return_consumed_capacity(Asked::Total).send().await.expect("is read");
    same(units(found.consumed_capacity), 1.0, "nothing");
}

async fn a_key_in_a_batch_that_is_not_there_takes_the_least(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    same(batch_read(&table, &["absent"]).await, 1.0, "nothing");
}

/// The units of a consistent read of these.
async fn batch_read(table: &Table, sks: &[&str]) -> f64 {
    let keys = sks.iter().map(|sk| key(sk)).collect();
    let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
    let read = table.client.batch_get_item().request_items(&table.name, keys.expect("is complete"));
    let read = read.return_consumed_capacity(Asked::Total).send().await.expect("is read");
    units(read.consumed_capacity.and_then(|mut all| all.pop()))
}

async fn a_batch_rounds_each_of_its_items(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep(["a", "b", "c"].map(|sk| sized(sk, 2_000))).await;
    same(batch_read(&table, &["a", "b", "c"]).await, 3.0, "reads");
    let put = |item| {
        let put = PutRequest::builder().set_item(Some(item)).build().expect("is complete");
        WriteRequest::builder().put_request(put).build()
    };
    let writes = vec![put(sized("a", 1_500)), put(sized("d", 100))];
    let write = aws.dynamodb.batch_write_item().request_items(&table.name, writes);
    let write = write.return_consumed_capacity(Asked::Total).send().await.expect("is written");
    same(units(write.consumed_capacity.and_then(|mut all| all.pop())), 3.0, "writes");
}

async fn a_write_takes_a_unit_for_each_kb_of_the_larger_item(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    for (bytes, expected) in [(100, 1.0), (1_500, 2.0), (100, 2.0), (100, 1.0)] {
        let put = table.put(sized("a", bytes)).return_consumed_capacity(Asked::Total);
        same(units(put.send().await.expect("is put").consumed_capacity), expected, "a put");
    }
    table.keep([sized("b", 1_500)]).await;
    let shrink = table.update("b", "REMOVE x").return_consumed_capacity(Asked::Total);
    same(units(shrink.send().await.expect("is updated").consumed_capacity), 2.0, "an update");
    let absent = table.delete("absent").return_consumed_capacity(Asked::Total);
    same(units(absent.send().await.expect("is none").consumed_capacity), 1.0, "a delete of nothing");
}

async fn an_index_takes_units_where_it_changes(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let put = |item: Item| table.put(item).return_consumed_capacity(Asked::Indexes).send();
    let added = places(put(indexed("a", "1#10")).await.expect("is put").consumed_capacity);
    same(added.0, 1.0, "the table");
    same(added.1, 1.0, "an entry that is new");
    let mut same_keys = indexed("a", "1#10");
    same_keys.insert("other".to_owned(), text("b"));
    let kept = places(put(same_keys).await.expect("is put").consumed_capacity);
    same(kept.1, 0.0, "an entry that stays");
    let gone = table.update("a", "REMOVE installation").return_consumed_capacity(Asked::Indexes);
    let gone = places(gone.send().await.expect("is updated").consumed_capacity);
    same(gone.1, 1.0, "an entry that goes");
    let without = places(put(key_of("p", "b")).await.expect("is put").consumed_capacity);
    same(without.1, 0.0, "an item without an entry");
}

async fn a_change_of_an_indexes_key_takes_two_writes_of_it(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    table.keep([indexed("a", "1#10")]).await;
    let put = table.put(indexed("a", "2#20")).return_consumed_capacity(Asked::Indexes);
    let (of_table, of_index) = places(put.send().await.expect("is put").consumed_capacity);
    same(of_table, 1.0, "the table");
    same(of_index, 2.0, "the index");
}

async fn a_transaction_takes_twice_what_its_writes_take(aws: Arc<Aws>) {
    let table = Table::new(&aws).await;
    let put = |item: Item| {
        let put = Put::builder().table_name(&table.name).set_item(Some(item)).build().expect("is complete");
        TransactWriteItem::builder().put(put).build()
    };
    let transaction = aws.dynamodb.transact_write_items();
    let transaction = transaction.transact_items(put(sized("a", 100))).transact_items(put(sized("b", 1_500)));
    let made = transaction.return_consumed_capacity(Asked::Total).send().await.expect("is made");
    same(units(made.consumed_capacity.and_then(|mut all| all.pop())), 6.0, "two puts");
}
