//! Chains of messages: how many invocations of functions a message comes after, as AWS Lambda counts them to stop loops.
//!
//! The first message of a chain is sent from outside: by the API, a schedule, a test. One that is sent while a function
//! handles a batch, by the function or by a rule that it causes, is one further than the furthest of the batch. Who
//! invokes a function says what it handles (`handling`); a send asks in the same task (`next_length`), so neither the
//! function nor the SDK has to carry anything. What a function sent from a task that it spawned would begin a chain.
//!
//! The lengths are in memory only. Messages that a file has kept begin their chains anew, after a start and after a
//! write that failed: what is measured is then too short, never too long.

use std::{
    future::Future,
    sync::atomic::{AtomicU32, Ordering},
};

use aws_lambda_events::sqs::SqsEvent;

/// The attribute of a record that tells a function's caller the length of the message's chain. AWS has it in the trace
/// header.
pub const CHAIN_LENGTH: &str = "ChainLength";

tokio::task_local! {
    /// The longest chain of the messages that this task's function handles.
    static HANDLED: u32;
}

/// The chains of one account.
#[derive(Debug, Default)]
pub(super) struct Chains {
    longest: AtomicU32,
    /// Zero if there is none.
    limit: AtomicU32,
}

impl Chains {
    /// The length of the longest so far; zero if nothing was sent.
    pub(super) fn longest(&self) -> u32 {
        self.longest.load(Ordering::SeqCst)
    }

    /// Counts a message that was sent.
    pub(super) fn count(&self, length: u32) {
        self.longest.fetch_max(length, Ordering::SeqCst);
    }

    /// Permits chains of this length at most from now on; zero is no limit.
    pub(super) fn limit_to(&self, length: u32) {
        self.limit.store(length, Ordering::SeqCst);
    }

    /// Whether a message is further than what is permitted.
    pub(super) fn is_too_long(&self, length: u32) -> bool {
        let limit = self.limit.load(Ordering::SeqCst);
        limit != 0 && length > limit
    }
}

/// The longest chain of a function's messages; those without the attribute are the first of theirs.
pub(crate) fn longest_of(event: &SqsEvent) -> u32 {
    let length = |text: &String| text.parse().ok();
    let lengths = event.records.iter().filter_map(|record| record.attributes.get(CHAIN_LENGTH));
    lengths.filter_map(length).max().unwrap_or(1)
}

/// Makes an invocation that handles messages, the longest chain of which is `longest`.
pub(crate) async fn handling<T>(longest: u32, invocation: impl Future<Output = T>) -> T {
    HANDLED.scope(longest, invocation).await
}

/// The length of the chain of a message that is sent now.
pub(super) fn next_length() -> u32 {
    HANDLED.try_with(|longest| longest.saturating_add(1)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_sdk_eventbridge::types::PutEventsRequestEntry;
    use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
    use bytes::Bytes;
    use knockback::{
        clock::{SystemClock, SystemEntropy},
        sender::Internet,
    };
    use serde_json::json;

    use super::*;
    use crate::{
        aws::{
            AwsBox,
            connector::sdk_config,
            sqs::{Attributes, Received, arn_of},
        },
        system::{Settings, Surroundings, System},
    };

    /// A queue `work` with a dead-letter queue, and a rule that sends all events to it.
    async fn open() -> Arc<AwsBox> {
        let aws_box = AwsBox::open(None, Arc::new(SystemClock), Arc::new(SystemEntropy)).expect("a box");
        let redrive = json!({"deadLetterTargetArn": arn_of("dead"), "maxReceiveCount": 5}).to_string();
        let redrive = Attributes::from([("RedrivePolicy".to_owned(), redrive)]);
        aws_box.sqs.create_queue("dead", &Attributes::new()).expect("is created");
        aws_box.sqs.create_queue("work", &redrive).expect("is created");
        let rule = json!({"Name": "all", "EventPattern": r#"{"source":["test"]}"#});
        let targets = json!({"Rule": "all", "Targets": [{"Id": "work", "Arn": arn_of("work")}]});
        for (operation, body) in [("PutRule", rule), ("PutTargets", targets)] {
            let target = format!("AWSEvents.{operation}");
            assert_eq!(aws_box.call(&target, Bytes::from(body.to_string())).await.status, 200);
        }
        Arc::new(aws_box)
    }

    /// What a function may do: sends one message, a batch of one, and an event, by the SDK.
    async fn send(aws_box: &Arc<AwsBox>) {
        let config = sdk_config(aws_box);
        let (sqs, events) = (aws_sdk_sqs::Client::new(&config), aws_sdk_eventbridge::Client::new(&config));
        let url = "http://aws.box.localhost/000000000000/work";
        sqs.send_message().queue_url(url).message_body("one").send().await.expect("is sent");
        let entry = SendMessageBatchRequestEntry::builder().id("a").message_body("two").build();
        let batch = sqs.send_message_batch().queue_url(url).entries(entry.expect("is complete"));
        batch.send().await.expect("is sent");
        let event = PutEventsRequestEntry::builder().source("test").detail_type("three").detail("{}").build();
        events.put_events().entries(event).send().await.expect("is put");
    }

    fn receive(aws_box: &AwsBox, queue: &str) -> Vec<Received> {
        aws_box.sqs.receive(queue, 10, None).expect("a queue")
    }

    fn lengths(messages: &[Received]) -> Vec<u32> {
        messages.iter().map(|message| message.chain_length).collect()
    }

    #[tokio::test]
    async fn what_is_sent_while_a_batch_is_handled_is_one_further_than_the_furthest_of_it() {
        let aws_box = open().await;
        assert_eq!(aws_box.longest_chain(), 0);
        send(&aws_box).await;
        assert_eq!(lengths(&receive(&aws_box, "work")), [1; 3]);
        for longest in [1, 7] {
            handling(longest, send(&aws_box)).await;
            assert_eq!(lengths(&receive(&aws_box, "work")), [longest + 1; 3]);
            assert_eq!(aws_box.longest_chain(), longest + 1);
        }
        send(&aws_box).await;
        assert_eq!(lengths(&receive(&aws_box, "work")), [1; 3], "outside again");
        assert_eq!(aws_box.longest_chain(), 8);
    }

    #[tokio::test]
    async fn whoever_receives_by_the_wire_is_not_told_the_length() {
        let aws_box = open().await;
        send(&aws_box).await;
        let body = r#"{"QueueUrl":"http://box/0/work","AttributeNames":["All"]}"#;
        let answer = aws_box.call("AmazonSQS.ReceiveMessage", Bytes::from(body)).await.body;
        let answer = String::from_utf8(answer).expect("UTF-8");
        assert!(answer.contains("SentTimestamp") && !answer.contains(CHAIN_LENGTH), "{answer}");
    }

    /// Handlers that run at once, on several threads, do not see each other's chains.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn invocations_at_once_have_chains_of_their_own() {
        let aws_box = open().await;
        let handlers: Vec<_> = (1..=20)
            .map(|longest| {
                let aws_box = Arc::clone(&aws_box);
                tokio::spawn(async move { handling(longest, send(&aws_box)).await })
            })
            .collect();
        for handler in handlers {
            handler.await.expect("a handler");
        }
        let mut all = Vec::new();
        while let messages = receive(&aws_box, "work")
            && !messages.is_empty()
        {
            all.extend(lengths(&messages));
        }
        all.sort_unstable();
        let expected: Vec<_> = (2..=21).flat_map(|length| [length; 3]).collect();
        assert_eq!(all, expected);
    }

    #[tokio::test]
    async fn a_chain_that_is_longer_than_permitted_ends_in_the_dead_letter_queue() {
        let aws_box = open().await;
        let sqs = &aws_box.sqs;
        aws_box.limit_chains(16);
        handling(15, async { sqs.send("work", "the last", None, None) }).await.expect("is sent");
        handling(16, async { sqs.send("work", "too far", None, None) }).await.expect("is sent");
        assert_eq!(lengths(&receive(&aws_box, "work")), [16]);
        let dead = receive(&aws_box, "dead");
        assert_eq!((lengths(&dead), dead[0].body.as_str()), (vec![17], "too far"));
        assert_eq!(dead[0].dead_letter_source_arn, Some(arn_of("work")));
    }

    /// The function is Knockback's own: clearing away what an app had takes one message after the other.
    #[tokio::test]
    async fn a_functions_own_messages_continue_the_chain_of_what_it_was_invoked_with() {
        let settings = Settings::of_a_test();
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let surroundings = Surroundings { clock, entropy, internet: Internet::default(), settings };
        let system = System::start(None, surroundings).await.expect("a system");
        let config = sdk_config(&system.aws);
        let removed = PutEventsRequestEntry::builder()
            .event_bus_name("knockback-events")
            .source("platform")
            .detail_type("app.removed")
            .detail(r#"{"app":"crm-sync"}"#)
            .build();
        let events = aws_sdk_eventbridge::Client::new(&config);
        events.put_events().entries(removed).send().await.expect("is put");
        assert_eq!(system.aws.longest_chain(), 1);
        assert!(system.pump_once().await.expect("the queues work"));
        assert_eq!(system.aws.longest_chain(), 2);
    }
}
