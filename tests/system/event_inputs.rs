//! Whatever the platform reports wrongly is refused as a whole, with its fields named.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Reply, World};

fn event(more: &Value) -> Value {
    let mut event = json!({"company_id": "1", "object": "deal", "action": "change", "entity_id": "8"});
    for (name, value) in more.as_object().into_iter().flatten() {
        event[name] = value.clone();
    }
    event
}

/// Reports `body`, which is refused; answers with the fields that are complained about.
async fn refused(world: &World, status: StatusCode, body: &str) -> Vec<String> {
    let reply: Reply = world.platform(Method::POST, "/v1/events", body.to_owned()).await;
    assert_eq!(reply.status, status, "{body:.200} {:.500}", reply.text);
    assert_eq!(world.depth("EventsQueue"), 0, "{body:.200}");
    reply.body["errors"].as_object().expect("fields").keys().cloned().collect()
}

#[tokio::test]
async fn a_bad_event_is_refused_with_its_fields_named() {
    let world = World::new().await;
    for (more, fields) in [
        (json!({"company_id": null}), &["company_id"][..]),
        (
            json!({"company_id": "", "object": "", "action": "", "entity_id": ""}),
            &["action", "company_id", "entity_id", "object"],
        ),
        (json!({"company_id": "C#1"}), &["company_id"]),
        (json!({"company_id": "a".repeat(65)}), &["company_id"]),
        (json!({"company_id": {"id": 1}}), &["company_id"]),
        (json!({"company_id": 1.0}), &["company_id"]),
        (json!({"object": "de al"}), &["object"]),
        (json!({"object": "a".repeat(65)}), &["object"]),
        (json!({"action": "explode"}), &["action"]),
        (json!({"action": "added"}), &["action"]),
        (json!({"action": ["change"]}), &["action"]),
        (json!({"entity_id": "a".repeat(256)}), &["entity_id"]),
        (json!({"entity_id": "a\u{0}b"}), &["entity_id"]),
        (json!({"id": "a b"}), &["id"]),
        (json!({"id": "a".repeat(65)}), &["id"]),
        (json!({"user_id": "a#b"}), &["user_id"]),
        (json!({"occurred_at": "yesterday"}), &["occurred_at"]),
        (json!({"occurred_at": 1_767_225_600}), &["occurred_at"]),
        (json!({"occurred_at": "1969-12-31T23:59:59Z"}), &["occurred_at"]),
        (json!({"data": "text"}), &["data"]),
        (json!({"data": [1]}), &["data"]),
        (json!({"previous": 7}), &["previous"]),
        (json!({"permitted_user_ids": "all"}), &["permitted_user_ids"]),
        (json!({"permitted_user_ids": [null]}), &["permitted_user_ids"]),
        (json!({"permitted_user_ids": vec![1; 10_001]}), &["permitted_user_ids"]),
        (json!({"change_source": "a".repeat(65)}), &["change_source"]),
        (json!({"is_bulk_edit": "no"}), &["is_bulk_edit"]),
        (json!({"correlation_id": "a".repeat(256)}), &["correlation_id"]),
        (json!({"host": "a\r\nb"}), &["host"]),
        (json!({"merged_from_id": "", "merged_to_id": []}), &["merged_from_id", "merged_to_id"]),
    ] {
        assert_eq!(
            refused(&world, StatusCode::BAD_REQUEST, &event(&more).to_string()).await,
            fields,
            "{more}"
        );
    }
    assert!(world.items().await.is_empty());
}

#[tokio::test]
async fn halves_of_characters_are_refused_in_names_and_words() {
    let world = World::new().await;
    for (field, value) in [
        ("id", r#""\ud800""#),
        ("entity_id", r#""\udc00\ud800""#),
        ("correlation_id", r#""a\ud83d""#),
        ("permitted_user_ids", r#"["\ud800"]"#),
    ] {
        let good = event(&json!({})).to_string();
        let body = format!(r#"{},"{field}":{value}}}"#, good.trim_end_matches('}'));
        assert_eq!(refused(&world, StatusCode::BAD_REQUEST, &body).await, [field]);
    }
}

#[tokio::test]
async fn deep_nesting_is_refused_and_as_deep_as_permitted_is_delivered() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    let nested = |depth: usize| {
        let data = format!("{}1{}", r#"{"a":"#.repeat(depth - 1), "}".repeat(depth - 1));
        let previous = data.replace('1', "2");
        format!(
            r#"{{"company_id":"1","object":"deal","action":"change","entity_id":"8","data":{data},"previous":{previous}}}"#
        )
    };
    for depth in [65, 66, 10_000] {
        assert_eq!(refused(&world, StatusCode::BAD_REQUEST, &nested(depth)).await, ["body"]);
    }
    assert_eq!(world.platform(Method::POST, "/v1/events", nested(64)).await.status, StatusCode::ACCEPTED);
    assert_eq!(
        world.platform(Method::POST, "/v1/events", format!("[{}]", nested(63))).await.status,
        StatusCode::ACCEPTED
    );
    world.run_to_rest().await;
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn an_event_over_256_kib_is_refused_with_413_alone_and_in_an_array() {
    let world = World::new().await;
    let large = event(&json!({"data": {"text": "x".repeat(256 * 1024)}}));
    assert_eq!(refused(&world, StatusCode::PAYLOAD_TOO_LARGE, &large.to_string()).await, ["body"]);
    let array = json!([event(&json!({})), large, event(&json!({"object": ""}))]);
    assert_eq!(
        refused(&world, StatusCode::PAYLOAD_TOO_LARGE, &array.to_string()).await,
        ["[1]", "[2].object"]
    );
}

#[tokio::test]
async fn an_array_is_1_to_100_events() {
    let world = World::new().await;
    for body in [json!([]).to_string(), "[ ]".to_owned(), json!(vec![event(&json!({})); 101]).to_string()] {
        assert_eq!(refused(&world, StatusCode::BAD_REQUEST, &body).await, ["body"]);
    }
    for body in ["[", "[{]", "[1,", "[{}}", "[\"\u{0}\"]"] {
        assert_eq!(refused(&world, StatusCode::BAD_REQUEST, body).await, ["body"], "{body}");
    }
    let body = json!(vec![event(&json!({})); 100]).to_string();
    let reply = world.platform(Method::POST, "/v1/events", body).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(reply.body["data"].as_array().map(Vec::len), Some(100));
    assert_eq!(world.depth("EventsQueue"), 100);
}

#[tokio::test]
async fn an_array_is_taken_whole_or_not_at_all_and_the_event_is_named() {
    let world = World::new().await;
    let good = event(&json!({}));
    let array = json!([good, good, good, event(&json!({"object": 7, "data": 1})), 7, [], null, good]);
    let named = refused(&world, StatusCode::BAD_REQUEST, &array.to_string()).await;
    assert_eq!(named, ["[3].data", "[3].object", "[4]", "[5]", "[6]"]);
    assert!(world.items().await.is_empty());
}

#[tokio::test]
async fn huge_numbers_and_repeated_keys_pass_through_in_data() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    let data = format!(r#"{{"n":{},"e":1E400,"z":-0.0,"a":1,"a":2,"":[{{}}]}}"#, "9".repeat(1000));
    let body = format!(
        r#"{{"company_id":9,"company_id":1,"object":"deal","action":"create","entity_id":123456789012345678901234567890,"data":{data}}}"#
    );
    let reply = world.platform(Method::POST, "/v1/events", body).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text);
    world.run_to_rest().await;
    let posts = receiver.received();
    assert!(posts[0].text().starts_with(&format!(r#"{{"data":{data},"previous":null,"#)));
    assert!(posts[0].text().contains(r#""entity_id":"123456789012345678901234567890""#));
}
