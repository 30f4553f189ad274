//! No body brings the API to a 5xx; what it takes, fan-out and deliver can work with.

use std::collections::BTreeMap;

use axum::http::Method;
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{json, value::RawValue};
use tests::World;
use tokio::runtime::Runtime;

const GOOD: [&str; 3] = [
    r#"{"subscription_url":"https://example.com/h","event_action":"added","event_object":"deal","version":"1.0",
        "name":"n","user_id":10,"http_auth_user":"u","http_auth_password":null}"#,
    r#"[{"id":"e","company_id":"1","object":"deal","action":"change","entity_id":"8","user_id":"12",
        "occurred_at":"2026-01-01T00:00:00.000Z","data":{"id":1.10,"x":"y"},"previous":{"id":{"z":null}},
        "permitted_user_ids":["10"],"is_bulk_edit":false,"host":"h"}]"#,
    r#"{"company_id":"1","user_id":"10","app":null,"admin":true,"scopes":["admin"],"contact":"a@b.c"}"#,
];

const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "true",
    "-0",
    "1e400",
    "9007199254740993",
    r"\ud800",
    r"\u0000",
    "\u{0}",
    "\u{ffff}",
    "😀",
    "\"*\"",
    "\"\"",
    "{}",
    "[[",
    "#",
    " ",
];

/// A good body in which pieces were put in place of others.
fn mutated(body: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0_usize..12, prop::sample::select(&PIECES[..]));
    prop::collection::vec(change, 1..4).prop_map(move |changes| {
        let mut bytes = body.as_bytes().to_vec();
        for (at, cut, piece) in changes {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..(at + cut).min(bytes.len()), piece.bytes());
        }
        bytes
    })
}

pub(crate) fn bodies(body: &'static str) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40).prop_map(|p| p.concat().into_bytes()),
        6 => mutated(body),
    ]
}

/// POSTs bodies like `body` to `path`, and answers with the world after it.
fn fuzz(path: &str, body: &'static str) -> (Runtime, World) {
    let runtime = Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::new());
    let owner = runtime.block_on(world.owner());
    let mut runner =
        TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) });
    let checked = runner.run(&bodies(body), |body| {
        let reply = if path == "/v1/webhooks" {
            runtime.block_on(world.call(Method::POST, path, &owner, body))
        } else {
            runtime.block_on(world.platform(Method::POST, path, body))
        };
        prop_assert!(!reply.status.is_server_error(), "{} {}", reply.status, reply.text);
        Ok(())
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
    (runtime, world)
}

#[test]
fn no_body_for_a_webhook_is_answered_with_5xx() {
    fuzz("/v1/webhooks", GOOD[0]);
}

#[test]
fn no_body_for_a_token_is_answered_with_5xx() {
    fuzz("/v1/tokens", GOOD[2]);
}

#[test]
fn no_body_for_events_is_answered_with_5xx_and_what_was_taken_is_delivered() {
    let (runtime, world) = fuzz("/v1/events", GOOD[1]);
    runtime.block_on(async {
        let receiver = world.receiver().await;
        for version in ["1.0", "2.0"] {
            world.subscribe(&world.owner().await, &receiver.url(), json!({"version": version})).await;
        }
        assert!(world.depth("EventsQueue") > 0);
        world.report(json!({"entity_id": "good"})).await;
        world.run_to_rest().await;
        assert_eq!((world.depth("EventsDlq"), world.depth("DeliveriesDlq")), (0, 0));
        let posts = receiver.received();
        assert!(posts.iter().any(|post| post.text().contains(r#""entity_id":"good""#)));
        // Values as they came: a number may be one that no machine number can hold.
        let is_whole = |text| {
            serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(text)
                .is_ok_and(|body| body.contains_key("meta"))
        };
        assert!(posts.iter().all(|post| is_whole(post.text())));
    });
}
