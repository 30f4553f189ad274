//! The service in front of queues that only keep what they are sent.

mod administration;
mod delivery;
mod input;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use knockback::{
    clock::{Entropy, VirtualClock},
    domain::Timestamp,
};
use serde_json::{Value, json};

use super::{EventService, SinkError, TargetSink};

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:queue";
const DEAD_LETTERS: &str = "arn:aws:sqs:us-east-1:000000000000:dead-letters";

/// Queues that keep what they are sent; some do not exist.
#[derive(Default)]
struct Queues {
    sent: Mutex<Vec<(String, String)>>,
    missing: Mutex<BTreeSet<String>>,
}

impl TargetSink for Queues {
    fn send(&self, target_arn: &str, body: String) -> Result<(), SinkError> {
        if self.missing.lock().expect("the lock").contains(target_arn) {
            return Err("no such queue".into());
        }
        self.sent.lock().expect("the lock").push((target_arn.to_owned(), body));
        Ok(())
    }
}

/// Counts instead of being random.
#[derive(Debug, Default)]
struct Counting(Mutex<u8>);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let mut next = self.0.lock().expect("the lock");
        *next += 1;
        bytes.fill(*next);
    }
}

struct Bench {
    service: EventService,
    queues: Arc<Queues>,
    clock: VirtualClock,
}

impl Bench {
    fn new() -> Self {
        let queues = Arc::new(Queues::default());
        let clock = VirtualClock::new(Timestamp::from_ms(1_800_000_000_999));
        let service =
            EventService::new(queues.clone(), Arc::new(clock.clone()), Arc::new(Counting::default()));
        Self { service, queues, clock }
    }

    /// A rule on the default bus for all events of source `s`, with one target.
    fn with_target(target: &Value) -> Self {
        let bench = Self::new();
        bench.rule("rule", r#"{"source":["s"]}"#, target);
        bench
    }

    fn rule(&self, name: &str, pattern: &str, target: &Value) {
        self.call("PutRule", &json!({"Name": name, "EventPattern": pattern}));
        let mut with_id = json!({"Id": "1", "Arn": QUEUE});
        for (name, value) in target.as_object().into_iter().flatten() {
            with_id[name] = value.clone();
        }
        self.call("PutTargets", &json!({"Rule": name, "Targets": [with_id]}));
    }

    fn call(&self, operation: &str, request: &Value) -> Value {
        let answer = self.service.call(operation, request.to_string().as_bytes());
        let body = serde_json::from_slice(&answer.body).expect("an answer in JSON");
        assert_eq!(answer.status, 200, "{operation}: {body}");
        body
    }

    /// The name and the message of the error that a call must get.
    fn refusal(&self, operation: &str, request: &Value) -> (String, String) {
        let answer = self.service.call(operation, request.to_string().as_bytes());
        assert_eq!(answer.status, 400, "{operation}");
        let body: Value = serde_json::from_slice(&answer.body).expect("an answer in JSON");
        let text = |name: &str| body[name].as_str().expect("a text").to_owned();
        (text("__type"), text("message"))
    }

    fn kind(&self, operation: &str, request: &Value) -> String {
        self.refusal(operation, request).0
    }

    fn put(&self, detail: &str) -> Value {
        self.put_entry(&json!({"Source": "s", "DetailType": "t", "Detail": detail}))
    }

    /// The entry of the answer to an event that is put alone.
    fn put_entry(&self, entry: &Value) -> Value {
        self.call("PutEvents", &json!({"Entries": [entry]}))["Entries"][0].clone()
    }

    /// What the queue was sent since the last look.
    fn sent(&self) -> Vec<String> {
        self.queues.sent.lock().expect("the lock").drain(..).map(|(_, body)| body).collect()
    }
}
