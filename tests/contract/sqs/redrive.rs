//! Dead-letter queues: when a message goes there, and what it keeps.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_sdk_sqs::types::{MessageSystemAttributeName as System, QueueAttributeName};

use super::{Queue, bodies, system};
use crate::{
    aws::Aws,
    check::code,
    clause::{Clause, clause},
    emulator::Emulator,
};

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(a_message_goes_to_the_dead_letter_queue_after_its_last_receive),
        clause!(a_dead_letter_is_the_message_that_it_was),
        clause!(a_dead_letter_names_the_queue_that_it_comes_from),
        clause!(a_message_that_is_dropped_each_time_does_not_keep_others_from_being_received),
        clause!(a_dead_letter_queue_has_to_be_there).known(
            Emulator::Ministack,
            "InvalidAttributeValue",
            "it refuses by another code",
        ),
        clause!(a_count_of_receives_is_from_1_to_1000),
    ]
}

async fn a_message_goes_to_the_dead_letter_queue_after_its_last_receive(aws: Arc<Aws>) {
    let dead = Queue::new(&aws, []).await;
    let queue = Queue::of_dead(&aws, &dead, 2).await;
    queue.send("poison").await;
    for count in ["1", "2"] {
        let message = queue.receiving().visibility_timeout(1).wait_time_seconds(1).send().await;
        let message = message.expect("is answered").messages.unwrap_or_default().pop().expect("is received");
        assert_eq!(system(&message, &System::ApproximateReceiveCount).as_deref(), Some(count));
        assert_eq!(dead.receive().await, []);
        aws.pass(Duration::from_millis(1200)).await;
    }
    assert_eq!(queue.receive().await, [], "it has been received twice");
    assert_eq!(bodies(&dead.expect(1).await), ["poison"]);
    assert_eq!(queue.depth().await, ["0", "0", "0"]);
}

async fn a_dead_letter_is_the_message_that_it_was(aws: Arc<Aws>) {
    let dead = Queue::new(&aws, []).await;
    let queue = Queue::of_dead(&aws, &dead, 1).await;
    let sent = queue.message("poison").message_group_id("acme").send().await.expect("is sent");
    let message = queue.receive_and_drop().await;
    aws.pass(Duration::from_millis(50)).await;
    assert_eq!(queue.receive().await, []);
    let letter = dead.expect_one().await;
    assert_eq!((letter.message_id(), letter.body()), (sent.message_id(), Some("poison")));
    assert_eq!(system(&letter, &System::MessageGroupId).as_deref(), Some("acme"));
    assert_eq!(system(&letter, &System::SentTimestamp), system(&message, &System::SentTimestamp));
    assert_ne!(letter.receipt_handle(), message.receipt_handle());
}

async fn a_dead_letter_names_the_queue_that_it_comes_from(aws: Arc<Aws>) {
    let dead = Queue::new(&aws, []).await;
    let queue = Queue::of_dead(&aws, &dead, 1).await;
    queue.send("poison").await;
    queue.receive_and_drop().await;
    assert_eq!(queue.receive().await, []);
    let letter = dead.expect_one().await;
    assert_eq!(system(&letter, &System::DeadLetterQueueSourceArn), Some(queue.arn().await));
}

async fn a_message_that_is_dropped_each_time_does_not_keep_others_from_being_received(aws: Arc<Aws>) {
    let dead = Queue::new(&aws, []).await;
    let queue = Queue::of_dead(&aws, &dead, 1).await;
    queue.send("poison").await;
    queue.receive_and_drop().await;
    queue.send("good").await;
    assert_eq!(bodies(&queue.expect(1).await), ["good"]);
    assert_eq!(bodies(&dead.expect(1).await), ["poison"]);
}

/// The code by which a queue with this redrive policy is refused.
async fn refused_policy(aws: &Aws, dead: &str, count: u32) -> Option<String> {
    let policy = format!(r#"{{"deadLetterTargetArn":"{dead}","maxReceiveCount":{count}}}"#);
    let attributes = HashMap::from([(QueueAttributeName::RedrivePolicy, policy)]);
    let create = aws.sqs.create_queue().queue_name(aws.name()).set_attributes(Some(attributes));
    code(&create.send().await)
}

async fn a_dead_letter_queue_has_to_be_there(aws: Arc<Aws>) {
    let dead = format!("{}-none", Queue::new(&aws, []).await.arn().await);
    assert_eq!(refused_policy(&aws, &dead, 5).await.as_deref(), Some("InvalidParameterValue"));
}

async fn a_count_of_receives_is_from_1_to_1000(aws: Arc<Aws>) {
    let dead = Queue::new(&aws, []).await.arn().await;
    for count in [0, 1001] {
        let code = refused_policy(&aws, &dead, count).await;
        // Which of the two AWS answers is not documented.
        let codes = ["InvalidParameterValue", "InvalidAttributeValue"];
        assert!(code.as_deref().is_some_and(|code| codes.contains(&code)), "{count}: {code:?}");
    }
}
