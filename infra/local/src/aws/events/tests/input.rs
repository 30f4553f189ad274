use serde_json::{Value, json};

use super::{Bench, DEAD_LETTERS};

fn check_input(target: &Value, detail: &str, expected: &str) {
    let bench = Bench::with_target(target);
    bench.put(detail);
    assert_eq!(bench.sent(), [expected], "{target}");
}

#[test]
fn a_target_gets_a_constant_or_a_part_digit_for_digit() {
    check_input(&json!({"Input": r#"{"k": 1.10}"#}), "{}", r#"{"k": 1.10}"#);
    check_input(&json!({"InputPath": "$.detail"}), r#"{"x": 1.10}"#, r#"{"x": 1.10}"#);
    check_input(&json!({"InputPath": "$.detail.x"}), r#"{"x":"text"}"#, r#""text""#);
}

#[test]
fn a_part_that_is_not_there_is_a_failure_of_the_target() {
    let bench = Bench::with_target(&json!({
        "InputPath": "$.detail.y", "DeadLetterConfig": {"Arn": DEAD_LETTERS},
    }));
    bench.put(r#"{"x":1}"#);
    assert_eq!(bench.queues.sent.lock().expect("the lock")[0].0, DEAD_LETTERS);
}

fn check_template(template: &str, detail: &str, expected: &str) {
    let paths = json!({
        "x": "$.detail.x", "y": "$.detail.y", "none": "$.detail.none", "type": "$.detail-type",
    });
    let target = json!({"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}});
    check_input(&target, detail, expected);
}

#[test]
fn a_transformer_fills_its_template() {
    let detail = r#"{"x":"a \"b\"","y":{"n":9007199254740993}}"#;
    check_template(
        r#"{"got": <x>, "of": <y>}"#,
        detail,
        r#"{"got": "a \"b\"", "of": {"n":9007199254740993}}"#,
    );
    check_template(r#"{"text": "<type>: <x>"}"#, detail, r#"{"text": "t: a \"b\""}"#);
    check_template(r#""<y> \"<type>\"""#, detail, r#""{\"n\":9007199254740993} \"t\"""#);
    check_template("<x> is <y>, é", detail, r#"a "b" is {"n":9007199254740993}, é"#);
    check_template(r#"{"none": <none>, "text": "<none>"}"#, detail, r#"{"none": "", "text": ""}"#);
    check_template("1 < 2 <unknown> <none>.", detail, "1 < 2 <unknown> .");
}

#[test]
fn a_transformer_knows_what_aws_defines() {
    check_template(
        r"[<aws.events.rule-name>,<aws.events.rule-arn>,<aws.events.event.ingestion-time>]",
        "{}",
        r#"["rule","arn:aws:events:us-east-1:000000000000:rule/rule","2027-01-15T08:00:00Z"]"#,
    );
    let head = concat!(
        r#"{"version":"0","id":"01010101-0101-4101-8101-010101010101","detail-type":"t","source":"s","#,
        r#""account":"000000000000","time":"2027-01-15T08:00:00Z","region":"us-east-1","resources":[]"#,
    );
    check_template("<aws.events.event>", r#"{"x":1}"#, &format!("{head}}}"));
    check_template("<aws.events.event.json>", r#"{"x":1}"#, &format!(r#"{head},"detail":{{"x":1}}}}"#));
}
