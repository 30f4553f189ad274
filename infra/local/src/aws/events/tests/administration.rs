use serde_json::{Value, json};

use super::{Bench, QUEUE};

#[test]
fn rules_and_targets_that_cannot_work_are_refused() {
    let bench = Bench::with_target(&json!({}));
    let rule = |request: Value| bench.kind("PutRule", &request);
    assert_eq!(
        rule(json!({"Name": "bad", "EventPattern": r#"{"source":"str"}"#})),
        "InvalidEventPatternException"
    );
    assert_eq!(rule(json!({"Name": "bad", "EventPattern": "{"})), "InvalidEventPatternException");
    assert_eq!(rule(json!({"Name": "bad"})), "ValidationException");
    assert_eq!(rule(json!({"Name": "b d", "EventPattern": r#"{"a":[1]}"#})), "ValidationException");
    assert_eq!(
        rule(json!({"Name": "bad", "EventPattern": r#"{"a":[1]}"#, "State": "ON"})),
        "ValidationException"
    );
    assert_eq!(
        rule(json!({"Name": "bad", "EventPattern": r#"{"a":[1]}"#, "EventBusName": "none"})),
        "ResourceNotFoundException"
    );
    let (kind, message) =
        bench.refusal("PutRule", &json!({"Name": "bad", "ScheduleExpression": "rate(1 minute)"}));
    assert_eq!(kind, "ValidationException");
    assert!(message.contains("schedules"), "{message}");
    assert_eq!(bench.call("ListRules", &json!({}))["Rules"].as_array().map(Vec::len), Some(1));

    let target = |target: Value| bench.kind("PutTargets", &json!({"Rule": "rule", "Targets": [target]}));
    assert_eq!(target(json!({"Id": "2"})), "ValidationException");
    assert_eq!(target(json!({"Id": "2", "Arn": "arn:aws:lambda:x"})), "ValidationException");
    assert_eq!(target(json!({"Id": "2", "Arn": QUEUE, "Input": "{"})), "ValidationException");
    assert_eq!(target(json!({"Id": "2", "Arn": QUEUE, "InputPath": "detail"})), "ValidationException");
    assert_eq!(
        target(json!({"Id": "2", "Arn": QUEUE, "Input": "{}", "InputPath": "$"})),
        "ValidationException"
    );
    assert_eq!(
        target(json!({"Id": "2", "Arn": QUEUE, "SqsParameters": {"MessageGroupId": "g"}})),
        "ValidationException"
    );
    assert_eq!(
        target(json!({"Id": "2", "Arn": QUEUE, "InputTransformer": {
            "InputPathsMap": {"aws.x": "$.x"}, "InputTemplate": "<aws.x>",
        }})),
        "ValidationException"
    );
    let targets: Vec<Value> = (2..=6).map(|id| json!({"Id": id.to_string(), "Arn": QUEUE})).collect();
    assert_eq!(
        bench.kind("PutTargets", &json!({"Rule": "rule", "Targets": targets})),
        "LimitExceededException"
    );
    assert_eq!(
        bench.kind("PutTargets", &json!({"Rule": "none", "Targets": []})),
        "ResourceNotFoundException"
    );
}

#[test]
fn what_was_made_can_be_listed_and_is_removed_from_the_inside_out() {
    let bench = Bench::new();
    let bus_arn = "arn:aws:events:us-east-1:000000000000:event-bus/own";
    assert_eq!(bench.call("CreateEventBus", &json!({"Name": "own"}))["EventBusArn"], bus_arn);
    assert_eq!(bench.kind("CreateEventBus", &json!({"Name": "own"})), "ResourceAlreadyExistsException");
    assert_eq!(bench.kind("CreateEventBus", &json!({"Name": "a/b"})), "ValidationException");
    assert_eq!(bench.call("DescribeEventBus", &json!({"Name": bus_arn}))["Arn"], bus_arn);
    assert_eq!(bench.call("DescribeEventBus", &json!({}))["Name"], "default");
    assert_eq!(bench.kind("DescribeEventBus", &json!({"Name": "none"})), "ResourceNotFoundException");
    assert_eq!(
        bench.call("ListEventBuses", &json!({"NamePrefix": "o"})),
        json!({"EventBuses": [{"Name": "own", "Arn": bus_arn}]})
    );

    let rule = json!({
        "Name": "r", "EventBusName": "own", "EventPattern": r#"{"a": [1]}"#, "Description": "why",
    });
    let named = json!({"Name": "r", "EventBusName": "own"});
    let rule_arn = "arn:aws:events:us-east-1:000000000000:rule/own/r";
    assert_eq!(bench.call("PutRule", &rule), json!({"RuleArn": rule_arn}));
    assert_eq!(
        bench.call("DescribeRule", &named),
        json!({
            "Name": "r", "Arn": rule_arn, "EventPattern": r#"{"a": [1]}"#, "State": "ENABLED",
            "EventBusName": "own", "Description": "why",
        })
    );
    assert_eq!(bench.kind("DescribeRule", &json!({"Name": "r"})), "ResourceNotFoundException");

    let target = json!({"Id": "1", "Arn": QUEUE, "RetryPolicy": {"MaximumRetryAttempts": 3}});
    let of_rule = json!({"Rule": "r", "EventBusName": "own"});
    bench.call("PutTargets", &json!({"Rule": "r", "EventBusName": "own", "Targets": [target]}));
    assert_eq!(bench.call("ListTargetsByRule", &of_rule), json!({"Targets": [target]}));

    assert_eq!(bench.kind("DeleteRule", &named), "ValidationException");
    bench.call("RemoveTargets", &json!({"Rule": "r", "EventBusName": "own", "Ids": ["1", "2"]}));
    assert_eq!(bench.kind("DeleteEventBus", &json!({"Name": "own"})), "ValidationException");
    for _ in 0..2 {
        bench.call("DeleteRule", &named);
    }
    for _ in 0..2 {
        bench.call("DeleteEventBus", &json!({"Name": "own"}));
    }
    assert_eq!(bench.kind("DeleteRule", &named), "ResourceNotFoundException");
    assert_eq!(bench.kind("DeleteEventBus", &json!({"Name": "default"})), "ValidationException");
}

#[test]
fn a_pattern_can_be_tested_without_a_rule() {
    let bench = Bench::new();
    let event = json!({
        "id": "1", "account": "1", "source": "a", "time": "2026-01-01T00:00:00Z", "region": "r",
        "resources": [], "detail-type": "t", "detail": {},
    });
    let request = |pattern: &str, event: &str| json!({"EventPattern": pattern, "Event": event});
    let result =
        |pattern| bench.call("TestEventPattern", &request(pattern, &event.to_string()))["Result"].clone();
    assert_eq!(result(r#"{"source":["a"]}"#), true);
    assert_eq!(result(r#"{"source":["b"]}"#), false);
    let kind = |pattern, event| bench.kind("TestEventPattern", &request(pattern, event));
    assert_eq!(kind(r#"{"source":"a"}"#, "{}"), "InvalidEventPatternException");
    assert_eq!(kind(r#"{"source":["a"]}"#, "{}"), "ValidationException");
    assert_eq!(kind(r#"{"source":["a"]}"#, "nonsense"), "ValidationException");
}

#[test]
fn what_is_no_request_is_refused() {
    let bench = Bench::new();
    assert_eq!(bench.kind("StartReplay", &json!({})), "UnknownOperationException");
    assert_eq!(bench.kind("PutRule", &json!({})), "ValidationException");
    assert_eq!(bench.kind("PutRule", &json!({"Name": 1})), "SerializationException");
    assert_eq!(bench.service.call("PutRule", b"nonsense").status, 400);
}
