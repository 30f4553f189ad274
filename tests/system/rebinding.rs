//! Names that lead somewhere else when they are dialled than when the webhook was created.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::World;

const HOST: &str = "rebinds.example";
const URL: &str = "https://rebinds.example/hook";
const REFUSED: &str = "not sent: the URL must be a public address, not a special-purpose one (Link Local)";

async fn create(world: &World, url: &str) -> (StatusCode, Value) {
    let body = json!({"subscription_url": url, "event_action": "*", "event_object": "deal"});
    let reply = world.call(Method::POST, "/v1/webhooks", &world.owner().await, body.to_string()).await;
    (reply.status, reply.body["errors"]["subscription_url"].clone())
}

#[tokio::test]
async fn a_name_that_turns_private_is_not_dialled_and_is_its_receivers_failure() {
    let world = World::public().await;
    world.names.answer(HOST, &["93.184.216.34", "169.254.169.254"]);
    let webhook = world.subscribe(&world.owner().await, URL, json!({})).await;
    world.report(json!({})).await;
    world.run_to_rest().await;
    let attempts = world.attempts(&webhook).await;
    let ends: Vec<_> = attempts.iter().map(|attempt| (&attempt["state"], &attempt["end"]["error"])).collect();
    // The original and its retries, as after any failure.
    assert_eq!(ends, [(&json!("failed"), &json!(REFUSED)); 4]);
    assert!(attempts.iter().all(|attempt| attempt["end"]["status"].is_null()));
    assert_eq!(world.names.asked(HOST), 5, "once to create it, once for each attempt");
    let read = world.read(&world.owner().await, &webhook).await;
    assert_eq!(read["strikes"], 1);
}

#[tokio::test]
async fn a_name_that_turns_back_is_delivered_to_no_address_that_was_refused() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let port = receiver.url().rsplit_once(':').expect("a port").1.to_owned();
    world.names.answer(HOST, &["127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "127.0.0.1"]);
    let webhook = world.subscribe(&world.owner().await, &format!("http://{HOST}:{port}"), json!({})).await;
    world.report(json!({})).await;
    world.run_for(Duration::from_mins(1)).await;
    let states: Vec<_> =
        world.attempts(&webhook).await.iter().map(|attempt| attempt["state"].clone()).collect();
    assert_eq!(states, ["failed", "failed", "succeeded"]);
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused_when_a_webhook_is_created() {
    let world = World::public().await;
    for (answer, range) in [
        ("10.0.0.1", "Private-Use"),
        ("93.184.216.34 127.0.0.1", "Loopback"),
        ("2606:4700::1 fe80::1", "Link-Local Unicast"),
        ("::ffff:93.184.216.34", "IPv4-mapped Address"),
    ] {
        world.names.answer(HOST, &[answer]);
        let (status, errors) = create(&world, URL).await;
        let error = format!("must be a public address, not a special-purpose one ({range})");
        assert_eq!((status, errors[1].as_str()), (StatusCode::BAD_REQUEST, Some(&*error)));
    }
    for answers in [&["93.184.216.34"][..], &["2606:4700::1"], &[""], &[]] {
        world.names.answer(HOST, answers);
        assert_eq!(create(&world, URL).await.0, StatusCode::CREATED, "{answers:?}");
    }
}

#[tokio::test]
async fn a_change_of_the_url_looks_the_name_up_too() {
    let world = World::public().await;
    world.names.answer(HOST, &["127.0.0.1"]);
    let owner = world.owner().await;
    let webhook = world.subscribe(&owner, "https://example.com/hook", json!({})).await;
    let body = json!({"subscription_url": URL}).to_string();
    let path = format!("/v1/webhooks/{}", webhook["id"]);
    let reply = world.call(Method::PATCH, &path, &owner, body).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text);
    assert_eq!(world.names.asked(HOST), 1);
}

/// What is allowed on this machine is not allowed elsewhere.
#[tokio::test]
async fn a_local_run_does_not_reach_what_is_link_local() {
    let world = World::new().await;
    world.names.answer("metadata.example", &["169.254.169.254"]);
    for url in
        ["http://169.254.169.254/latest/meta-data/", "http://metadata.example/", "http://[fd00:ec2::254]/"]
    {
        assert_eq!(create(&world, url).await.0, StatusCode::BAD_REQUEST, "{url}");
    }
}
