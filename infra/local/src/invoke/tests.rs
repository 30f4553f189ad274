//! What becomes of messages when the functions are elsewhere: no failure of an invocation loses one.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex as Lock, PoisonError},
};

use knockback::{
    clock::{SystemEntropy, VirtualClock},
    domain::Timestamp,
    sender::Internet,
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::*;
use crate::{
    aws::sqs::Received,
    pump::Pump,
    system::{Settings, Surroundings, System},
    template::TEMPLATE,
};

const QUEUE: &str = "DeliveriesQueue";
const DELIVER: &str = "/2015-03-31/functions/deliver/invocations";
/// The queue's visibility timeout.
const VISIBILITY: Duration = Duration::from_mins(3);
const PATIENCE: Duration = Duration::from_secs(30);
const DONE: &str = r#"{"batchItemFailures":[]}"#;

/// The Lambda end: gives the answers that it is told to, byte for byte, and then says that all is done.
#[derive(Debug, Clone)]
struct Lambda(Arc<Notes>);

#[derive(Debug)]
struct Notes {
    url: InvokeUrl,
    answers: Lock<VecDeque<String>>,
    asked: Lock<Vec<(String, Value)>>,
    asked_again: Semaphore,
}

fn with_status(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn ok(body: &str) -> String {
    with_status("200 OK", "", body)
}

impl Lambda {
    async fn start() -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").await.expect("a port"))
    }

    fn serve(listener: TcpListener) -> Self {
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let lambda = Self(Arc::new(Notes {
            url: url.parse().expect("a URL"),
            answers: Lock::default(),
            asked: Lock::default(),
            asked_again: Semaphore::new(0),
        }));
        let server = lambda.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(server.clone().answer(connection));
            }
        });
        lambda
    }

    /// What it says next; an empty answer ends the connection.
    fn will_say(&self, answer: impl Into<String>) {
        self.0.answers.lock().unwrap_or_else(PoisonError::into_inner).push_back(answer.into());
    }

    async fn answer(self, connection: TcpStream) {
        let mut connection = BufReader::new(connection);
        let (mut path, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            connection.read_line(&mut line).await.expect("a request");
            let line = line.trim();
            if let Some(rest) = line.strip_prefix("POST ") {
                rest.split(' ').next().expect("a path").clone_into(&mut path);
            } else if let Some(bytes) = line.strip_prefix("content-length: ") {
                length = bytes.parse().expect("a number");
            } else if line.is_empty() {
                break;
            }
        }
        let mut event = vec![0; length];
        connection.read_exact(&mut event).await.expect("a body");
        let event = serde_json::from_slice(&event).expect("JSON");
        let answer = {
            self.0.asked.lock().unwrap_or_else(PoisonError::into_inner).push((path, event));
            self.0.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
        };
        self.0.asked_again.add_permits(1);
        let answer = answer.unwrap_or_else(|| ok(DONE));
        if answer == NEVER {
            std::future::pending::<()>().await;
        }
        // Whoever asked may be gone.
        let _ = connection.write_all(answer.as_bytes()).await;
    }

    /// The invocations since the last look.
    fn asked(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut *self.0.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for so many more invocations.
    async fn asked_times(&self, times: u32) {
        let asked = tokio::time::timeout(PATIENCE, self.0.asked_again.acquire_many(times));
        asked.await.expect("invocations").expect("is open").forget();
    }
}

/// An answer that is not given.
const NEVER: &str = "never";

/// A system whose functions are there, and its clock.
async fn system(lambda: &Lambda, template: &str) -> (System, VirtualClock) {
    system_at(&lambda.0.url, template).await
}

async fn system_at(url: &InvokeUrl, template: &str) -> (System, VirtualClock) {
    let clock = VirtualClock::new(Timestamp::from_ms(1_800_000_000_000));
    let surroundings = Surroundings {
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SystemEntropy),
        internet: Internet::default(),
        settings: Settings::of_a_test(),
    };
    let system = System::open(template, None, surroundings, Some(url.clone())).await;
    (system.expect("a system"), clock)
}

fn send(system: &System, bodies: &[&str]) {
    for body in bodies {
        system.aws.sqs.send(QUEUE, body, None, None).expect("is sent");
    }
}

/// What is in the queue once all of it is visible again, with how often it was received.
fn left(system: &System, clock: &VirtualClock) -> Vec<(String, u32)> {
    clock.advance(VISIBILITY);
    let received = system.aws.sqs.receive(QUEUE, 10, None).expect("a queue");
    let mut left: Vec<_> =
        received.into_iter().map(|Received { body, receive_count, .. }| (body, receive_count)).collect();
    left.sort();
    left
}

fn in_flight(system: &System) -> usize {
    system.aws.sqs.depth(QUEUE).expect("a queue").in_flight
}

#[tokio::test]
async fn a_function_is_invoked_by_its_binarys_name_with_its_messages_as_lambda_hands_them_over() {
    let lambda = Lambda::start().await;
    let (system, clock) = system(&lambda, TEMPLATE).await;
    send(&system, &["one"]);
    assert!(system.pump_once().await.expect("the queues work"));
    let asked = lambda.asked();
    assert_eq!(asked.len(), 1);
    let (path, event) = &asked[0];
    assert_eq!(path, DELIVER);
    let record = &event["Records"][0];
    assert_eq!((&record["body"], &record["eventSource"]), (&json!("one"), &json!("aws:sqs")));
    assert_eq!(record["eventSourceARN"], "arn:aws:sqs:us-east-1:000000000000:DeliveriesQueue");
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    assert!(record["messageId"].is_string() && record["receiptHandle"].is_string(), "{record}");
    assert_eq!(left(&system, &clock), []);
}

#[tokio::test]
async fn only_the_messages_that_a_function_names_come_again() {
    let lambda = Lambda::start().await;
    let (system, clock) = system(&lambda, TEMPLATE).await;
    for body in ["one", "two", "three"] {
        let id = system.aws.sqs.send(QUEUE, body, None, None).expect("is sent");
        if body == "two" {
            lambda.will_say(ok(
                &json!({"batchItemFailures": [{"itemIdentifier": id.to_string()}]}).to_string()
            ));
        }
    }
    system.pump_once().await.expect("the queues work");
    assert_eq!(in_flight(&system), 1);
    assert_eq!(left(&system, &clock), [("two".to_owned(), 2)]);
}

#[tokio::test]
async fn what_lambda_takes_for_a_success_is_one() {
    for answer in [DONE, "{}", "null", r#"{"batchItemFailures":null}"#] {
        let lambda = Lambda::start().await;
        let (system, clock) = system(&lambda, TEMPLATE).await;
        lambda.will_say(ok(answer));
        send(&system, &["one"]);
        system.pump_once().await.expect("the queues work");
        assert_eq!(left(&system, &clock), [], "{answer}");
    }
}

#[tokio::test]
async fn every_message_comes_again_after_its_visibility_when_an_invocation_fails() {
    let lambda = Lambda::start().await;
    for answer in [
        with_status("500 Internal Server Error", "", r#"{"errorType":"x","errorMessage":"y"}"#),
        // Some answer with what looks like a success.
        with_status("500 Internal Server Error", "", DONE),
        with_status("200 OK", "x-amz-function-error: Unhandled\r\n", DONE),
        with_status("404 Not Found", "", "there is no such function"),
        with_status("429 Too Many Requests", "", ""),
        with_status("302 Found", "location: /\r\n", ""),
        ok(""),
        ok("well done"),
        ok("[]"),
        ok(r#"{"batchItemFailures":"none"}"#),
        ok(r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#),
        ok(r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#),
        ok(r#"{"batchItemFailures":[{"messageId":"1"}]}"#),
        "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{".to_owned(),
        "SSH-2.0\r\n".to_owned(),
        String::new(),
    ] {
        let (system, clock) = system(&lambda, TEMPLATE).await;
        lambda.will_say(&*answer);
        send(&system, &["one", "two"]);
        system.pump_once().await.expect("the queues work");
        assert_eq!(in_flight(&system), 2, "{answer}");
        let nearly = Duration::from_millis(179_999);
        clock.advance(nearly);
        assert_eq!(in_flight(&system), 2, "{answer}");
        clock.advance(VISIBILITY.saturating_sub(nearly));
        system.pump_once().await.expect("the queues work");
        assert_eq!(left(&system, &clock), [], "{answer}");
        let asked = lambda.asked();
        let bodies = |event: &Value| {
            let records = event["Records"].as_array().expect("records");
            let mut bodies: Vec<_> = records.iter().map(|it| it["body"].to_string()).collect();
            bodies.sort();
            bodies
        };
        assert!(asked.iter().all(|(_, event)| bodies(event) == [r#""one""#, r#""two""#]), "{answer}");
        assert_eq!(asked.len(), 2, "{answer}");
    }
}

#[tokio::test]
async fn an_invocation_that_takes_longer_than_the_functions_timeout_has_failed() {
    let lambda = Lambda::start().await;
    let (system, clock) = system(&lambda, &TEMPLATE.replace("Timeout: 30", "Timeout: 1")).await;
    lambda.will_say(NEVER);
    send(&system, &["one"]);
    let pumped = tokio::time::timeout(PATIENCE, system.pump_once()).await;
    pumped.expect("an end").expect("the queues work");
    assert_eq!(left(&system, &clock), [("one".to_owned(), 2)]);
}

#[tokio::test]
async fn an_invocation_waits_for_whoever_is_started_in_its_time() {
    let address = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let url = format!("http://{address}").parse().expect("a URL");
    let (system, clock) = system_at(&url, TEMPLATE).await;
    send(&system, &["one"]);
    let start = async { Lambda::serve(TcpListener::bind(address).await.expect("the port")) };
    let (pumped, lambda) = tokio::join!(system.pump_once(), start);
    pumped.expect("the queues work");
    assert_eq!(lambda.asked().len(), 1);
    assert_eq!(left(&system, &clock), []);
}

#[tokio::test]
async fn messages_stay_in_their_queue_until_the_function_answers_and_are_not_counted_as_received() {
    let lambda = Lambda::start().await;
    // Nobody, somebody else, and a function that fails.
    for answer in ["", "SSH-2.0\r\n"] {
        lambda.will_say(answer);
    }
    lambda.will_say(with_status("500 Internal Server Error", "", ""));
    lambda.will_say(NEVER);
    let (system, _) = system(&lambda, TEMPLATE).await;
    send(&system, &["one"]);
    let mapping = system.mappings.iter().find(|mapping| mapping.queue == QUEUE).expect("a mapping");
    let pump = Pump::start(&system, mapping);
    lambda.asked_times(4).await;
    assert_eq!(system.aws.sqs.depth(QUEUE).expect("a queue").visible, 1);
    let nothing = (DELIVER.to_owned(), json!({"Records": []}));
    assert_eq!(lambda.asked(), vec![nothing.clone(); 4]);
    Pump::stop_all(vec![pump]).await;

    let pump = Pump::start(&system, mapping);
    lambda.asked_times(2).await;
    let asked = lambda.asked();
    assert_eq!(asked[0], nothing);
    let record = &asked[1].1["Records"][0];
    assert_eq!(
        (&record["body"], &record["attributes"]["ApproximateReceiveCount"]),
        (&json!("one"), &json!("1"))
    );
    Pump::stop_all(vec![pump]).await;
    assert_eq!(in_flight(&system), 0);
}

#[tokio::test]
async fn a_function_that_did_not_answer_gets_no_further_messages_before_it_does() {
    let lambda = Lambda::start().await;
    let (system, _) = system(&lambda, &TEMPLATE.replace("Timeout: 30", "Timeout: 1")).await;
    let mapping = system.mappings.iter().find(|mapping| mapping.queue == QUEUE).expect("a mapping");
    lambda.will_say(ok(DONE));
    lambda.will_say(NEVER);
    lambda.will_say(NEVER);
    send(&system, &["one"]);
    let pump = Pump::start(&system, mapping);
    // A look, the message, and from when its time is over a look again.
    lambda.asked_times(3).await;
    send(&system, &["two"]);
    assert_eq!(lambda.asked()[2].1, json!({"Records": []}));
    assert_eq!(system.aws.sqs.depth(QUEUE).expect("a queue").visible, 1);
    Pump::stop_all(vec![pump]).await;
}

#[tokio::test]
async fn a_look_that_is_never_answered_is_taken_again() {
    let lambda = Lambda::start().await;
    let (system, _) = system(&lambda, &TEMPLATE.replace("Timeout: 30", "Timeout: 1")).await;
    lambda.will_say(NEVER);
    tokio::time::timeout(PATIENCE, system.functions.ready("Deliver")).await.expect("is up");
    assert_eq!(lambda.asked().len(), 2);
}

#[tokio::test]
async fn one_batch_of_a_function_is_under_way_at_once() {
    let lambda = Lambda::start().await;
    let (system, _) = system(&lambda, TEMPLATE).await;
    for mapping in &system.mappings {
        assert_eq!(system.functions.concurrency(mapping.concurrency), 1);
    }
    lambda.will_say(NEVER);
    let event = SqsEvent::default();
    let (first, second) = (system.invoke("Deliver", event.clone()), system.invoke("Deliver", event));
    let turns = async {
        lambda.asked_times(1).await;
        // Of another function, it may be.
        system.invoke("Fanout", SqsEvent::default()).await;
        lambda.asked()
    };
    let asked = tokio::select! {
        _ = async { tokio::join!(first, second) } => panic!("the first is never answered"),
        asked = turns => asked,
    };
    let paths: Vec<_> = asked.iter().map(|(path, _)| &**path).collect();
    assert_eq!(paths, [DELIVER, "/2015-03-31/functions/fanout/invocations"]);
}

#[tokio::test]
async fn a_schedule_invokes_its_function_with_its_input_and_a_failure_is_one() {
    let lambda = Lambda::start().await;
    let (system, _) = system(&lambda, TEMPLATE).await;
    let schedule = system.schedules.iter().find(|it| it.name == "Stale").expect("a schedule");
    lambda.will_say(ok(r#"{"done":0,"left":0,"failed":0}"#));
    assert!(system.fire(schedule).await);
    lambda.will_say(with_status("500 Internal Server Error", "", "{}"));
    assert!(!system.fire(schedule).await);
    lambda.will_say(with_status("200 OK", "x-amz-function-error: Unhandled\r\n", "{}"));
    assert!(!system.fire(schedule).await);
    let sweeper = "/2015-03-31/functions/sweeper/invocations".to_owned();
    assert_eq!(lambda.asked(), vec![(sweeper, json!({"sweep": "stale"})); 3]);
}

#[test]
fn a_url_is_known_by_each_name_of_this_machine() {
    let own_hosts = |url: &str| url.parse::<InvokeUrl>().expect("a URL").own_hosts();
    assert_eq!(own_hosts("http://127.0.0.1:9001"), ["127.0.0.1:9001", "localhost:9001"]);
    assert_eq!(own_hosts("http://localhost:9001/"), ["127.0.0.1:9001", "localhost:9001"]);
    assert_eq!(own_hosts("http://[::1]:9001"), ["127.0.0.1:9001", "[::1]:9001", "localhost:9001"]);
    assert_eq!(own_hosts("https://lambda.example"), ["lambda.example"]);
}
