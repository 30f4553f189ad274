use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{LAG, call, clock, item, key, put, refusal, service, update};
use crate::aws::dynamodb::TableService;

/// The read and write units that a call consumed in each place, if it is answered with this status.
fn units(
    service: &TableService,
    operation: &str,
    request: &Value,
    status: u16,
) -> BTreeMap<String, (f64, f64)> {
    let (answer, consumed) = service.call_metered(operation, request.to_string().as_bytes());
    assert_eq!(answer.status, status, "{operation}: {}", String::from_utf8_lossy(&answer.body));
    let mut places = BTreeMap::new();
    for consumed in consumed {
        let sum: &mut (f64, f64) = places.entry(consumed.place).or_default();
        *sum = (sum.0 + consumed.units.read, sum.1 + consumed.units.write);
    }
    places
}

/// Asserts what a call that succeeds reads of the table.
#[track_caller]
fn reads(service: &TableService, operation: &str, request: &Value, of_table: f64) {
    assert_eq!(units(service, operation, request, 200), places(&[("things", (of_table, 0.0))]), "{request}");
}

/// Asserts what a call writes to the table and to its index.
#[track_caller]
fn writes(service: &TableService, operation: &str, request: &Value, of_table: f64, of_index: f64) {
    let mut expected = places(&[("things", (0.0, of_table)), ("things/by_color", (0.0, of_index))]);
    expected.retain(|_, units| *units != (0.0, 0.0));
    assert_eq!(units(service, operation, request, 200), expected, "{request}");
}

fn places(units: &[(&str, (f64, f64))]) -> BTreeMap<String, (f64, f64)> {
    units.iter().map(|(place, units)| ((*place).to_owned(), *units)).collect()
}

/// An item with this many bytes beside its short other attributes.
fn sized(sk: &str, color: &str, bytes: usize) -> Value {
    let mut item = item(sk, color);
    item["x"] = json!({"S": "x".repeat(bytes)});
    item
}

fn with(mut request: Value, name: &str, value: Value) -> Value {
    request[name] = value;
    request
}

fn of_item(sk: &str) -> Value {
    json!({"TableName": "things", "Key": key(sk)})
}

fn put_of(item: &Value) -> Value {
    json!({"TableName": "things", "Item": item})
}

#[test]
fn a_read_costs_half_a_unit_for_each_4_kb_and_a_consistent_one_a_whole() {
    let service = service(&clock());
    call(&service, "PutItem", &put_of(&sized("1", "red", 4_000)));
    call(&service, "PutItem", &put_of(&sized("2", "red", 4_100)));
    for (sk, units) in [("1", 1.0), ("2", 2.0), ("nothing", 1.0)] {
        reads(&service, "GetItem", &of_item(sk), units / 2.0);
        reads(&service, "GetItem", &with(of_item(sk), "ConsistentRead", json!(true)), units);
        let transaction = json!({"TransactItems": [{"Get": of_item(sk)}]});
        reads(&service, "TransactGetItems", &transaction, 2.0 * units);
    }
    let projected = with(of_item("2"), "ProjectionExpression", json!("sk"));
    reads(&service, "GetItem", &projected, 1.0);
}

#[test]
fn a_query_rounds_what_it_read_once_and_a_batch_each_of_its_items() {
    let service = service(&clock());
    for sk in ["1", "2", "3"] {
        call(&service, "PutItem", &put_of(&sized(sk, "red", 2_000)));
    }
    let query = |pk: &str| {
        json!({
            "TableName": "things",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ConsistentRead": true,
        })
    };
    reads(&service, "Query", &query("p"), 2.0);
    reads(&service, "Query", &with(query("p"), "ConsistentRead", json!(false)), 1.0);
    reads(&service, "Query", &with(query("p"), "FilterExpression", json!("attribute_exists(y)")), 2.0);
    reads(&service, "Query", &with(query("p"), "Select", json!("COUNT")), 2.0);
    reads(&service, "Query", &with(query("p"), "Limit", json!(1)), 1.0);
    reads(&service, "Query", &query("nothing"), 1.0);
    reads(&service, "Scan", &json!({"TableName": "things"}), 1.0);
    let keys = json!([key("1"), key("2"), key("3"), key("nothing")]);
    reads(&service, "BatchGetItem", &json!({"RequestItems": {"things": {"Keys": keys}}}), 2.0);
    let consistent = json!({"RequestItems": {"things": {"Keys": keys, "ConsistentRead": true}}});
    reads(&service, "BatchGetItem", &consistent, 4.0);
}

#[test]
fn a_query_of_an_index_costs_nothing_of_its_table_and_the_same_when_the_index_lags() {
    let clock = clock();
    let service = service(&clock);
    let query = |color: &str| {
        json!({
            "TableName": "things",
            "IndexName": "by_color",
            "KeyConditionExpression": "color = :color",
            "ExpressionAttributeValues": {":color": {"S": color}},
        })
    };
    for sk in ["1", "2", "3"] {
        call(&service, "PutItem", &put_of(&sized(sk, "red", 2_000)));
    }
    for lag in [Duration::ZERO, LAG] {
        service.set_index_lag(lag).expect("a lag");
        let of_index = |units| places(&[("things/by_color", (units, 0.0))]);
        assert_eq!(units(&service, "Query", &query("red"), 200), of_index(1.0));
        assert_eq!(units(&service, "Query", &query("blue"), 200), of_index(0.5));
    }
}

#[test]
fn a_write_costs_a_unit_for_each_kb_and_indexes_cost_where_they_change() {
    let service = service(&clock());
    let (red, blue) = (sized("1", "red", 1_500), sized("1", "blue", 1_500));
    writes(&service, "PutItem", &put_of(&red), 2.0, 2.0);
    writes(&service, "PutItem", &put_of(&red), 2.0, 0.0);
    writes(&service, "PutItem", &put_of(&blue), 2.0, 4.0);
    writes(&service, "UpdateItem", &update("1", "red"), 2.0, 4.0);
    let mut grown = update("1", "unused");
    grown["UpdateExpression"] = json!("SET y = :y");
    grown["ExpressionAttributeValues"] = json!({":y": {"S": "y".repeat(1_000)}});
    writes(&service, "UpdateItem", &grown, 3.0, 3.0);
    writes(&service, "PutItem", &put_of(&item("1", "red")), 3.0, 3.0);
    let mut unlisted = of_item("1");
    unlisted["UpdateExpression"] = json!("REMOVE color");
    writes(&service, "UpdateItem", &unlisted, 1.0, 1.0);
    writes(&service, "DeleteItem", &of_item("1"), 1.0, 0.0);
    writes(&service, "DeleteItem", &of_item("1"), 1.0, 0.0);
    let batch = json!({"RequestItems": {"things": [
        {"PutRequest": {"Item": red}},
        {"PutRequest": {"Item": item("2", "red")}},
        {"DeleteRequest": {"Key": key("nothing")}},
    ]}});
    writes(&service, "BatchWriteItem", &batch, 4.0, 3.0);
}

#[test]
fn a_transaction_costs_the_table_twice_and_its_repetition_reads() {
    let service = service(&clock());
    let transaction = json!({
        "ClientRequestToken": "once",
        "TransactItems": [
            {"Put": put_of(&sized("1", "red", 1_500))},
            {"Update": update("2", "red")},
            {"ConditionCheck": {
                "TableName": "things", "Key": key("3"), "ConditionExpression": "attribute_not_exists(pk)",
            }},
        ],
    });
    writes(&service, "TransactWriteItems", &transaction, 2.0 * (2.0 + 1.0 + 1.0), 2.0 + 1.0);
    reads(&service, "TransactWriteItems", &transaction, 2.0 * 3.0);
}

#[test]
fn a_condition_that_is_not_met_costs_what_is_there_or_was_to_be() {
    let service = service(&clock());
    call(&service, "PutItem", &put_of(&sized("1", "red", 2_500)));
    let unless_there = |request| with(request, "ConditionExpression", json!("attribute_not_exists(pk)"));
    let if_there = |request| with(request, "ConditionExpression", json!("attribute_exists(pk)"));
    let larger = put_of(&sized("1", "red", 3_500));
    for (operation, request, of_table) in [
        ("PutItem", unless_there(put_of(&item("1", "red"))), 3.0),
        ("PutItem", unless_there(larger.clone()), 4.0),
        ("UpdateItem", unless_there(update("1", "blue")), 3.0),
        ("UpdateItem", if_there(update("2", "blue")), 1.0),
        ("DeleteItem", if_there(of_item("2")), 1.0),
        (
            "TransactWriteItems",
            json!({"TransactItems": [
                {"Put": put_of(&sized("2", "red", 1_500))},
                {"Update": unless_there(update("1", "blue"))},
                {"ConditionCheck": unless_there(of_item("3"))},
            ]}),
            2.0 * (2.0 + 3.0 + 1.0),
        ),
    ] {
        let consumed = units(&service, operation, &request, 400);
        assert_eq!(consumed, places(&[("things", (0.0, of_table))]), "{operation} {request}");
    }
    let elsewhere = with(larger, "TableName", json!("nothing"));
    assert_eq!(units(&service, "PutItem", &elsewhere, 400), places(&[]), "other refusals cost nothing");
}

#[test]
fn callers_are_told_of_units_as_they_asked_and_not_unless_they_did() {
    let service = service(&clock());
    put(&service, "1", "red");
    let transaction = || json!({"TransactItems": [{"Update": update("1", "red")}]});
    let batch = || json!({"RequestItems": {"things": {"Keys": [key("1")]}}});
    let requests = [
        ("GetItem", of_item("1")),
        ("BatchGetItem", batch()),
        ("PutItem", put_of(&item("2", "red"))),
        ("TransactWriteItems", transaction()),
    ];
    for (operation, request) in requests {
        for request in [request.clone(), with(request.clone(), "ReturnConsumedCapacity", json!("NONE"))] {
            assert_eq!(call(&service, operation, &request).get("ConsumedCapacity"), None, "{operation}");
        }
        let wrong = with(request, "ReturnConsumedCapacity", json!("ALL"));
        assert_eq!(refusal(&service, operation, &wrong.to_string()).0, "ValidationException");
    }
    let told = |operation, request: Value, mode: &str| {
        let request = with(request, "ReturnConsumedCapacity", json!(mode));
        call(&service, operation, &request)["ConsumedCapacity"].clone()
    };
    assert_eq!(told("GetItem", of_item("1"), "TOTAL"), json!({"TableName": "things", "CapacityUnits": 0.5}));
    assert_eq!(
        told("BatchGetItem", batch(), "INDEXES"),
        json!([{"TableName": "things", "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0.5}}])
    );
    let put = |sk: &str| put_of(&item(sk, "red"));
    assert_eq!(told("PutItem", put("3"), "TOTAL"), json!({"TableName": "things", "CapacityUnits": 2.0}));
    assert_eq!(
        told("PutItem", put("4"), "INDEXES"),
        json!({
            "TableName": "things",
            "CapacityUnits": 2.0,
            "Table": {"CapacityUnits": 1.0},
            "GlobalSecondaryIndexes": {"by_color": {"CapacityUnits": 1.0}},
        })
    );
    assert_eq!(
        told("TransactWriteItems", transaction(), "TOTAL"),
        json!([{"TableName": "things", "CapacityUnits": 2.0, "WriteCapacityUnits": 2.0}])
    );
}
