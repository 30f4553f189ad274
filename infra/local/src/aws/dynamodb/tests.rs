use std::{sync::Arc, time::Duration};

use knockback::{clock::VirtualClock, domain::Timestamp};
use serde_json::{Value, json};

use super::{TableService, TablesError};

const LAG: Duration = Duration::from_secs(5);

fn clock() -> VirtualClock {
    VirtualClock::new(Timestamp::from_ms(1_800_000_000_000))
}

fn service(clock: &VirtualClock) -> TableService {
    let service = TableService::in_memory(Arc::new(clock.clone())).expect("tables in memory");
    create_table(&service);
    service
}

/// A table with key `pk`, `sk` and the index `by_color`.
fn create_table(service: &TableService) {
    call(
        service,
        "CreateTable",
        &json!({
            "TableName": "things",
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
                {"AttributeName": "color", "AttributeType": "S"},
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by_color",
                "KeySchema": [{"AttributeName": "color", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }],
        }),
    );
}

fn call(service: &TableService, operation: &str, request: &Value) -> Value {
    let answer = service.call(operation, request.to_string().as_bytes());
    let body = serde_json::from_slice(&answer.body).expect("an answer in JSON");
    assert_eq!(answer.status, 200, "{operation}: {body}");
    body
}

/// The short name and the message of the error that a call must get.
fn refusal(service: &TableService, operation: &str, request: &str) -> (String, String) {
    let answer = service.call(operation, request.as_bytes());
    let body: Value = serde_json::from_slice(&answer.body).expect("an answer in JSON");
    assert_eq!(answer.status, 400, "{operation}: {body}");
    let kind = body["__type"].as_str().expect("a kind").rsplit('#').next().expect("a name").to_owned();
    let message = body["message"].as_str().or(body["Message"].as_str()).unwrap_or_default().to_owned();
    (kind, message)
}

fn put(service: &TableService, sk: &str, color: &str) {
    call(service, "PutItem", &json!({"TableName": "things", "Item": item(sk, color)}));
}

fn item(sk: &str, color: &str) -> Value {
    json!({"pk": {"S": "p"}, "sk": {"S": sk}, "color": {"S": color}})
}

fn key(sk: &str) -> Value {
    json!({"pk": {"S": "p"}, "sk": {"S": sk}})
}

fn update(sk: &str, color: &str) -> Value {
    json!({
        "TableName": "things",
        "Key": key(sk),
        "UpdateExpression": "SET color = :color",
        "ExpressionAttributeValues": {":color": {"S": color}},
    })
}

fn get(service: &TableService, sk: &str) -> Value {
    call(service, "GetItem", &json!({"TableName": "things", "Key": key(sk)}))["Item"].clone()
}

fn sort_keys(response: &Value) -> Vec<String> {
    let mut keys: Vec<String> = response["Items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["sk"]["S"].as_str().expect("a sort key").to_owned())
        .collect();
    keys.sort();
    keys
}

fn of_color(service: &TableService, color: &str) -> Vec<String> {
    let request = json!({
        "TableName": "things",
        "IndexName": "by_color",
        "KeyConditionExpression": "color = :color",
        "ExpressionAttributeValues": {":color": {"S": color}},
    });
    sort_keys(&call(service, "Query", &request))
}

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

#[test]
fn what_has_expired_goes_only_when_swept_and_by_the_clock_that_is_handed_in() {
    let clock = clock();
    let service = service(&clock);
    call(
        &service,
        "UpdateTimeToLive",
        &json!({
            "TableName": "things", "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "ttl"},
        }),
    );
    let expiring = |sk: &str, ttl: Value| {
        let mut item = item(sk, "red");
        item["ttl"] = ttl;
        call(&service, "PutItem", &json!({"TableName": "things", "Item": item}));
    };
    expiring("in a minute", json!({"N": "1800000060"}));
    expiring("a text", json!({"S": "1800000000"}));
    expiring("a mistake", json!({"N": "18"}));
    put(&service, "forever", "red");
    assert_eq!(service.sweep_expired().expect("a sweep"), 0);
    clock.advance(Duration::from_secs(60));
    service.set_index_lag(LAG).expect("a lag");
    assert_ne!(get(&service, "in a minute"), Value::Null);
    assert_eq!(service.sweep_expired().expect("a sweep"), 1);
    assert_eq!(get(&service, "in a minute"), Value::Null);
    assert_eq!(of_color(&service, "red").len(), 4);
    clock.advance(LAG);
    assert_eq!(of_color(&service, "red"), ["a mistake", "a text", "forever"]);
}

#[test]
fn a_file_keeps_its_items() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("tables.db");
    {
        let service = TableService::open(&path, Arc::new(clock())).expect("a new file");
        create_table(&service);
        put(&service, "1", "red");
    }
    let service = TableService::open(&path, Arc::new(clock())).expect("the same file");
    assert_eq!(get(&service, "1"), item("1", "red"));
    assert_eq!(of_color(&service, "red"), ["1"]);
}

#[test]
fn a_file_that_is_no_database_a_damaged_one_and_no_file_are_errors_that_name_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let open = |path| TableService::open(path, Arc::new(clock()));

    let text = directory.path().join("notes.txt");
    std::fs::write(&text, "no database".repeat(1000)).expect("a file");
    let error = open(&text).expect_err("a text is no database");
    assert!(matches!(error, TablesError::Open { .. }));
    assert!(error.to_string().contains("notes.txt"), "{error}");

    let missing = directory.path().join("no such directory").join("tables.db");
    assert!(matches!(open(&missing), Err(TablesError::Open { .. })));

    let damaged = directory.path().join("tables.db");
    {
        let service = open(&damaged).expect("a new file");
        create_table(&service);
        for sk in 0..200 {
            put(&service, &sk.to_string(), &"red".repeat(100));
        }
    }
    let mut bytes = std::fs::read(&damaged).expect("the file");
    let last_pages = bytes.len() - 40_000;
    bytes[last_pages..].fill(0x55);
    std::fs::write(&damaged, bytes).expect("the file");
    let error = open(&damaged).expect_err("a damaged database");
    assert!(matches!(error, TablesError::Damaged { .. }), "{error:?}");
}

#[test]
fn errors_have_the_names_that_aws_gives_them() {
    let service = service(&clock());
    let kind = |operation, request| refusal(&service, operation, request).0;
    assert_eq!(kind("RestoreTable", "{}"), "UnknownOperationException");
    assert_eq!(kind("PutItem", "no JSON"), "SerializationException");
    assert_eq!(kind("PutItem", r#"{"TableName": 1}"#), "SerializationException");
    assert_eq!(kind("PutItem", r#"{"Item": {}}"#), "ValidationException");
    assert_eq!(
        kind("GetItem", r#"{"TableName":"nothing","Key":{"pk":{"S":"p"}}}"#),
        "ResourceNotFoundException"
    );
    assert_eq!(kind("CreateTable", r#"{"TableName":"x"}"#), "ValidationException");
    assert_eq!(
        service.call("PutItem", &[0xff]).body,
        br#"{"__type":"com.amazon.coral.service#SerializationException"}"#
    );
}

#[test]
fn a_single_write_refuses_bad_values_in_an_envelope_and_others_do_not() {
    let service = service(&clock());
    let empty = json!({"pk": {"S": "p"}, "sk": {"S": "1"}, "x": {"NULL": false}});
    let single = json!({"TableName": "things", "Item": empty});
    let batch = json!({"RequestItems": {"things": [{"PutRequest": {"Item": empty}}]}});
    let (kind, message) = refusal(&service, "PutItem", &single.to_string());
    assert_eq!(kind, "ValidationException");
    assert!(message.starts_with("1 validation error detected: One or more"), "{message}");
    let (kind, message) = refusal(&service, "BatchWriteItem", &batch.to_string());
    assert_eq!(kind, "ValidationException");
    assert!(message.starts_with("One or more"), "{message}");
}
