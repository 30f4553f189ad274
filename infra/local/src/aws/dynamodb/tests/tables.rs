use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{LAG, call, clock, create_table, get, item, of_color, put, refusal, service};
use crate::aws::dynamodb::{TableService, TablesError};

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
    clock.advance(Duration::from_mins(1));
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
    assert!(matches!(error, TablesError::Damaged { .. }));
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
