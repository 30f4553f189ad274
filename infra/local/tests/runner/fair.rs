//! A company with a burst delays nobody else.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    process::{Runner, tell, timed, until},
    receiver::Receiver,
};

/// As many as an unoptimised build creates over HTTP within ten seconds or so: more pages of a fan-out would add time, and
/// nothing else.
const WEBHOOKS: usize = 4_000;
const CONNECTIONS: usize = 8;

/// Subscribes `url` this many times, over several connections at once.
async fn subscribe_often(runner: &Arc<Runner>, url: &str) {
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (runner, url) = (Arc::clone(runner), url.to_owned());
        connections.spawn(async move {
            for _ in 0..WEBHOOKS / CONNECTIONS {
                runner.subscribed(&url).await;
            }
        });
    }
    connections.join_all().await;
}

#[tokio::test]
async fn an_event_of_a_quiet_company_arrives_in_under_a_second_while_thousands_of_another_are_under_way() {
    let (busy, quiet) =
        (Receiver::start(200, Duration::from_millis(100)).await, Receiver::start(200, Duration::ZERO).await);
    let runner = Arc::new(
        Runner::in_memory(&["--quiet", "--policy", "pipedrive.quota=1000000", "--budget", "60000"]).await,
    );
    let ((), created_in) = timed(subscribe_often(&runner, &busy.url)).await;
    let member = json!({"company_id": "2", "user_id": "20"});
    let (status, token) =
        runner.request(Method::POST, "/v1/tokens", &runner.platform_token, Some(&member)).await;
    assert_eq!(status, 201, "{token}");
    let token = token["data"]["token"].as_str().expect("a token");
    let body = json!({"subscription_url": quiet.url, "event_action": "*", "event_object": "deal"});
    let (status, answer) = runner.request(Method::POST, "/v1/webhooks", token, Some(&body)).await;
    assert_eq!(status, 201, "{answer}");

    runner.report(1).await;
    let arrival = async |nth: usize| {
        let event = json!({"company_id": "2", "object": "deal", "action": "create", "entity_id": "8"});
        let posted = runner.request(Method::POST, "/v1/events", &runner.platform_token, Some(&event));
        assert_eq!(posted.await.0, 202);
        until("the quiet company's event", async || (quiet.times().len() == nth).then_some(())).await;
        busy.times().len()
    };
    // One right after the burst began, and one when as much of it is in flight as the runner takes at once.
    let (begun, first_took) = timed(arrival(1)).await;
    until("the burst", async || (busy.times().len() >= 1_000).then_some(())).await;
    let (under_way, second_took) = timed(arrival(2)).await;
    tell(&format!(
        "{WEBHOOKS} webhooks in {created_in:?}; the quiet company's events took {first_took:?} and {second_took:?}, \
         when {begun} and {under_way} of the others had arrived"
    ));
    assert!(under_way < WEBHOOKS, "the burst was over");
    // Far under a second for the first on an idle machine, and about half a second for the second, which shares the
    // processor with hundreds of attempts; other tests run beside this one.
    assert!(first_took.max(second_took) < Duration::from_secs(5), "{first_took:?}, {second_took:?}");
}
