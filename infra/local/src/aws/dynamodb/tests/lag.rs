use std::time::Duration;

use knockback::domain::Timestamp;
use serde_json::{Value, json};

use super::{
    LAG, call, clock, create_table, get, item, key, of_color, put, refusal, service, sort_keys, update,
};

#[test]
fn a_put_is_in_the_table_at_once_and_in_the_index_after_the_lag() {
    let clock = clock();
    let service = service(&clock);
    service.set_index_lag(LAG).expect("a lag");
    put(&service, "1", "red");
    assert_eq!(get(&service, "1"), item("1", "red"));
    assert_eq!(of_color(&service, "red"), [] as [&str; 0]);
    clock.advance(Duration::from_millis(4_999));
    assert_eq!(of_color(&service, "red"), [] as [&str; 0]);
    clock.advance(Duration::from_millis(1));
    assert_eq!(of_color(&service, "red"), ["1"]);
}

#[test]
fn an_update_and_a_delete_reach_the_index_after_the_lag_too() {
    let clock = clock();
    let service = service(&clock);
    put(&service, "1", "red");
    put(&service, "2", "red");
    service.set_index_lag(LAG).expect("a lag");
    call(&service, "UpdateItem", &update("1", "blue"));
    call(&service, "DeleteItem", &json!({"TableName": "things", "Key": key("2")}));
    assert_eq!(get(&service, "2"), Value::Null);
    assert_eq!(of_color(&service, "red"), ["1", "2"], "the index starts from what the table held");
    clock.advance(LAG);
    assert_eq!(of_color(&service, "red"), [] as [&str; 0]);
    assert_eq!(of_color(&service, "blue"), ["1"]);
}

#[test]
fn batches_and_transactions_lag_like_single_writes() {
    let clock = clock();
    let service = service(&clock);
    put(&service, "gone", "red");
    put(&service, "changed", "red");
    service.set_index_lag(LAG).expect("a lag");
    call(
        &service,
        "BatchWriteItem",
        &json!({"RequestItems": {"things": [
            {"PutRequest": {"Item": item("batch", "red")}},
            {"DeleteRequest": {"Key": key("gone")}},
        ]}}),
    );
    call(
        &service,
        "TransactWriteItems",
        &json!({"TransactItems": [
            {"Put": {"TableName": "things", "Item": item("transaction", "red")}},
            {"Update": update("changed", "blue")},
            {"ConditionCheck": {
                "TableName": "things", "Key": key("nothing"), "ConditionExpression": "attribute_not_exists(pk)",
            }},
        ]}),
    );
    assert_eq!(of_color(&service, "red"), ["changed", "gone"]);
    clock.advance(LAG);
    assert_eq!(of_color(&service, "red"), ["batch", "transaction"]);
    assert_eq!(of_color(&service, "blue"), ["changed"]);
}

#[test]
fn every_kind_of_value_reaches_the_index_unchanged() {
    let clock = clock();
    let service = service(&clock);
    service.set_index_lag(LAG).expect("a lag");
    let mut item = item("1", "red");
    item["number"] = json!({"N": "9007199254740993.1"});
    item["bytes"] = json!({"B": "AAEC/w=="});
    item["nested"] = json!({"M": {"list": {"L": [{"BOOL": true}, {"NULL": true}, {"S": ""}]}}});
    item["sets"] = json!({"L": [{"SS": ["a", "b"]}, {"NS": ["1"]}, {"BS": ["AA=="]}]});
    call(&service, "PutItem", &json!({"TableName": "things", "Item": item}));
    clock.advance(LAG);
    let of_index = json!({"TableName": "things", "IndexName": "by_color"});
    assert_eq!(call(&service, "Scan", &of_index)["Items"], json!([item]));
}

#[test]
fn the_index_shows_each_state_of_an_item_in_turn() {
    let clock = clock();
    let service = service(&clock);
    service.set_index_lag(LAG).expect("a lag");
    for color in ["red", "green", "blue"] {
        put(&service, "1", color);
        clock.advance(Duration::from_secs(1));
    }
    clock.advance(Duration::from_secs(2));
    for color in ["red", "green", "blue", "blue"] {
        assert_eq!(of_color(&service, color), ["1"]);
        clock.advance(Duration::from_secs(1));
    }
}

#[test]
fn a_failed_write_never_reaches_the_index() {
    let clock = clock();
    let service = service(&clock);
    service.set_index_lag(LAG).expect("a lag");
    put(&service, "1", "red");
    let mut request = update("1", "blue");
    request["ConditionExpression"] = json!("attribute_not_exists(pk)");
    assert_eq!(refusal(&service, "UpdateItem", &request.to_string()).0, "ConditionalCheckFailedException");
    clock.advance(LAG);
    assert_eq!(of_color(&service, "red"), ["1"]);
}

#[test]
fn a_scan_of_the_index_lags_and_a_scan_of_the_table_does_not() {
    let clock = clock();
    let service = service(&clock);
    service.set_index_lag(LAG).expect("a lag");
    put(&service, "1", "red");
    assert_eq!(sort_keys(&call(&service, "Scan", &json!({"TableName": "things"}))), ["1"]);
    let of_index = json!({"TableName": "things", "IndexName": "by_color"});
    assert_eq!(sort_keys(&call(&service, "Scan", &of_index)), [] as [&str; 0]);
    clock.advance(LAG);
    assert_eq!(sort_keys(&call(&service, "Scan", &of_index)), ["1"]);
}

#[test]
fn turning_the_lag_off_shows_everything_and_changing_it_changes_what_waits() {
    let clock = clock();
    let service = service(&clock);
    service.set_index_lag(LAG).expect("a lag");
    put(&service, "1", "red");
    clock.advance(Duration::from_secs(1));
    service.set_index_lag(Duration::from_secs(1)).expect("a shorter lag");
    put(&service, "2", "red");
    assert_eq!(of_color(&service, "red"), ["1"]);
    service.set_index_lag(Duration::ZERO).expect("no lag");
    assert_eq!(of_color(&service, "red"), ["1", "2"]);
}

#[test]
fn a_clock_that_is_set_back_delays_the_index_by_no_more_than_the_lag() {
    let clock = clock();
    let service = service(&clock);
    service.set_index_lag(LAG).expect("a lag");
    put(&service, "1", "red");
    clock.set(Timestamp::from_ms(1_700_000_000_000));
    assert_eq!(of_color(&service, "red"), [] as [&str; 0]);
    clock.advance(LAG);
    assert_eq!(of_color(&service, "red"), ["1"]);
}

#[test]
fn tables_and_indexes_made_while_the_index_lags_are_there_at_once() {
    let clock = clock();
    let service = service(&clock);
    service.set_index_lag(LAG).expect("a lag");
    put(&service, "1", "red");
    call(&service, "DeleteTable", &json!({"TableName": "things"}));
    create_table(&service);
    put(&service, "2", "red");
    call(
        &service,
        "UpdateTable",
        &json!({
            "TableName": "things",
            "AttributeDefinitions": [{"AttributeName": "size", "AttributeType": "N"}],
            "GlobalSecondaryIndexUpdates": [{"Create": {
                "IndexName": "by_size",
                "KeySchema": [{"AttributeName": "size", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }}],
        }),
    );
    let of_index = json!({"TableName": "things", "IndexName": "by_size"});
    assert_eq!(call(&service, "Scan", &of_index)["Count"], 0);
    clock.advance(LAG);
    assert_eq!(of_color(&service, "red"), ["2"], "nothing of the deleted table comes back");
}

#[test]
fn the_index_ends_where_the_table_is_however_many_write_at_once() {
    let clock = clock();
    let service = service(&clock);
    service.set_index_lag(LAG).expect("a lag");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (service, clock) = (&service, &clock);
            scope.spawn(move || {
                for round in 0..50 {
                    put(service, &(round % 5).to_string(), &format!("color {writer}"));
                    clock.advance(Duration::from_millis(100));
                }
            });
        }
    });
    clock.advance(LAG);
    for sk in 0..5 {
        let now = get(&service, &sk.to_string());
        let color = now["color"]["S"].as_str().expect("a color");
        assert!(of_color(&service, color).contains(&sk.to_string()), "{sk} is {color}");
    }
}
