//! What receivers do, and what is made of it: everything but a 2xx within the deadline is a failure of theirs, and data.

use std::{net::TcpListener, time::Duration};

use knockback::domain::Policies;
use serde_json::{Value, json};
use tests::{RawAnswer, RawReceiver, World};
use wiremock::ResponseTemplate;

/// A world where a failure is given up at once.
async fn strict() -> World {
    with("pipedrive.retries=none").await
}

/// The same; and receivers have 300 ms.
async fn impatient() -> World {
    with("pipedrive.retries=none pipedrive.timeout=300ms").await
}

async fn with(numbers: &str) -> World {
    World::with(Policies::default().with(numbers).expect("a policy"), None).await
}

/// Delivers one event to `url`, without retries; answers with what is kept of the attempt.
async fn attempt(world: &World, url: &str) -> Value {
    let webhook = world.subscribe(&world.owner().await, url, json!({})).await;
    world.report(json!({})).await;
    world.run_to_rest().await;
    let mut attempts = world.attempts(&webhook).await;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    attempts.remove(0)
}

fn check(attempt: &Value, state: &str, status: &Value, error: &Value) {
    let found = (&attempt["state"], &attempt["end"]["status"], &attempt["end"]["error"]);
    assert_eq!(found, (&json!(state), status, error), "{attempt}");
}

#[tokio::test]
async fn every_2xx_is_a_success() {
    for status in [200, 201, 202, 204, 299] {
        let world = strict().await;
        let receiver = world.receiver().await;
        receiver.answers(status);
        check(&attempt(&world, &receiver.url()).await, "succeeded", &json!(status), &Value::Null);
    }
}

#[tokio::test]
async fn every_other_status_is_a_failure() {
    for (status, error) in [
        (304, "answered 304 Not Modified"),
        (400, "answered 400 Bad Request"),
        (410, "answered 410 Gone"),
        (429, "answered 429 Too Many Requests"),
        (500, "answered 500 Internal Server Error"),
        (599, "answered 599 <unknown status code>"),
    ] {
        let world = strict().await;
        let receiver = world.receiver().await;
        receiver.answers(status);
        check(&attempt(&world, &receiver.url()).await, "failed", &json!(status), &json!(error));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_failure() {
    for status in [301, 302, 303, 307, 308] {
        let world = strict().await;
        let (receiver, target) = (world.receiver().await, world.receiver().await);
        receiver.responds(ResponseTemplate::new(status).insert_header("location", target.url()));
        let attempt = attempt(&world, &receiver.url()).await;
        assert_eq!((&attempt["state"], &attempt["end"]["status"]), (&json!("failed"), &json!(status)));
        assert!(target.received().is_empty(), "{status}");
    }
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_in_time_is_a_failure_that_says_what_it_waited_for() {
    let world = impatient().await;
    let receiver = world.receiver().await;
    receiver.responds(ResponseTemplate::new(200).set_delay(Duration::from_secs(5)));
    let attempt = attempt(&world, &receiver.url()).await;
    check(&attempt, "failed", &Value::Null, &json!("timed out after 300ms while waiting for the answer"));
    assert_eq!(receiver.received().len(), 1, "it is not POSTed again inside the attempt");
}

#[tokio::test]
async fn a_body_that_stalls_is_a_failure_whatever_the_status() {
    let world = impatient().await;
    let stalls = RawReceiver::start(|_, _| {
        RawAnswer::WriteAndStall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec())
    });
    let attempt = attempt(&world, &stalls.url()).await;
    check(&attempt, "failed", &json!(200), &json!("timed out after 300ms while reading the body"));
    assert_eq!(stalls.requests().len(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_failure() {
    let world = strict().await;
    let breaks = RawReceiver::start(|_, _| {
        RawAnswer::WriteAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec())
    });
    let attempt = attempt(&world, &breaks.url()).await;
    assert_eq!((&attempt["state"], &attempt["end"]["status"]), (&json!("failed"), &json!(200)));
    let error = attempt["end"]["error"].as_str().expect("an error");
    assert!(error.starts_with("the answer's body broke off: "), "{error}");
}

#[tokio::test]
async fn an_endless_body_is_cut_and_no_failure() {
    let world = strict().await;
    let endless = RawReceiver::start(|_, _| RawAnswer::WriteForEver(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()));
    let attempt = attempt(&world, &endless.url()).await;
    check(&attempt, "succeeded", &json!(200), &Value::Null);
    assert_eq!(attempt["end"]["answer"], "x".repeat(1000));
}

#[tokio::test]
async fn a_body_of_more_than_16_kib_is_cut_and_no_failure() {
    for bytes in [16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 1024 * 1024] {
        let world = strict().await;
        let receiver = world.receiver().await;
        receiver.responds(ResponseTemplate::new(200).set_body_string("y".repeat(bytes)));
        let attempt = attempt(&world, &receiver.url()).await;
        check(&attempt, "succeeded", &json!(200), &Value::Null);
        assert_eq!(attempt["end"]["answer"], "y".repeat(1000));
    }
}

#[tokio::test]
async fn what_is_kept_of_an_answer_is_one_line_of_text() {
    let world = strict().await;
    let receiver = world.receiver().await;
    receiver.responds(ResponseTemplate::new(500).set_body_bytes(b"\r\n<b>no\x00\x1b[31m\xff\n".to_vec()));
    let attempt = attempt(&world, &receiver.url()).await;
    assert_eq!(attempt["end"]["answer"], "<b>no  [31m\u{fffd}");
}

#[tokio::test]
async fn a_refused_connection_is_a_failure() {
    let world = strict().await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    drop(listener);
    let attempt = attempt(&world, &url).await;
    assert_eq!((&attempt["state"], &attempt["end"]["status"]), (&json!("failed"), &Value::Null));
    let error = attempt["end"]["error"].as_str().expect("an error");
    assert!(error.starts_with("could not connect: Connection refused"), "{error}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_taken_and_a_failure_when_it_is_dialled() {
    let world = strict().await;
    let attempt = attempt(&world, "http://receiver.invalid/hook").await;
    assert_eq!((&attempt["state"], &attempt["end"]["status"]), (&json!("failed"), &Value::Null));
    let error = attempt["end"]["error"].as_str().expect("an error");
    assert!(error.starts_with("could not connect: "), "{error}");
}

#[tokio::test]
async fn what_is_no_http_is_a_failure() {
    let world = strict().await;
    let garbage = RawReceiver::start(|_, _| RawAnswer::WriteAndClose(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()));
    let attempt = attempt(&world, &garbage.url()).await;
    let error = attempt["end"]["error"].as_str().expect("an error");
    assert!(error.starts_with("no answer: "), "{error}");
    assert_eq!(garbage.requests().len(), 1);
}

/// Delivers two events, one after the other, to a receiver that keeps the first connection and does `second` with the
/// next request on it; answers with the requests and with what is kept of the second attempt.
async fn on_a_reused_connection(second: RawAnswer) -> (Vec<(usize, usize)>, Value) {
    let world = strict().await;
    let receiver = RawReceiver::start(move |connection, request| match (connection, request) {
        (1, 2) => second.clone(),
        _ => RawAnswer::ok("fine"),
    });
    let webhook = world.subscribe(&world.owner().await, &receiver.url(), json!({})).await;
    for _ in 0..2 {
        world.report(json!({})).await;
        world.settle().await;
        world.run_for(Duration::from_secs(1)).await;
    }
    let attempts = world.attempts(&webhook).await;
    assert_eq!(attempts.len(), 2);
    (receiver.requests(), attempts[1].clone())
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_delivery() {
    let (requests, attempt) = on_a_reused_connection(RawAnswer::ok("fine")).await;
    assert_eq!(requests, [(1, 1), (1, 2)]);
    check(&attempt, "succeeded", &json!(200), &Value::Null);
}

#[tokio::test]
async fn a_reused_connection_that_breaks_before_the_answer_is_retried_at_once_inside_the_attempt() {
    let (requests, attempt) = on_a_reused_connection(RawAnswer::WriteAndClose(Vec::new())).await;
    assert_eq!(requests, [(1, 1), (1, 2), (2, 1)]);
    check(&attempt, "succeeded", &json!(200), &Value::Null);
    assert_eq!(attempt["end"]["started_at"], attempt["end"]["ended_at"]);
}

#[tokio::test]
async fn a_reused_connection_that_answers_nonsense_is_a_failure_and_not_retried_inside_the_attempt() {
    let (requests, attempt) = on_a_reused_connection(RawAnswer::Write(b"nonsense\r\n\r\n".to_vec())).await;
    assert_eq!(requests, [(1, 1), (1, 2)]);
    assert_eq!(attempt["state"], "failed");
}

#[tokio::test]
async fn a_fresh_connection_that_breaks_is_a_failure_and_not_retried_inside_the_attempt() {
    let world = strict().await;
    let breaks = RawReceiver::start(|_, _| RawAnswer::WriteAndClose(Vec::new()));
    let attempt = attempt(&world, &breaks.url()).await;
    assert_eq!(breaks.requests(), [(1, 1)]);
    assert_eq!((&attempt["state"], &attempt["end"]["status"]), (&json!("failed"), &Value::Null));
    let error = attempt["end"]["error"].as_str().expect("an error");
    assert!(error.starts_with("no answer: "), "{error}");
}

#[tokio::test]
async fn a_slow_receiver_does_not_hold_up_the_others_of_its_batch() {
    let world = with("pipedrive.timeout=20s").await;
    let owner = world.owner().await;
    let (slow, quick) = (world.receiver().await, world.receiver().await);
    slow.responds(ResponseTemplate::new(200).set_delay(Duration::from_secs(20)));
    for receiver in [&slow, &quick, &slow, &quick] {
        world.subscribe(&owner, &receiver.url(), json!({})).await;
    }
    world.report(json!({})).await;
    world.pump("EventsQueue").await;
    let messages = world.receive("DeliveriesQueue");
    let quick_are_served = async {
        while quick.received().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = world.invoke("DeliveriesQueue", &messages) => panic!("the slow ones answered"),
        () = quick_are_served => {}
    }
}
