//! The service as the SDK would call it.

mod capacity;
mod lag;
mod tables;

use std::{sync::Arc, time::Duration};

use knockback::{clock::VirtualClock, domain::Timestamp};
use serde_json::{Value, json};

use super::TableService;

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
