//! Receiving: what is told, visibility, long polls and deleting.

use std::{sync::Arc, time::Duration};

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName as System, QueueAttributeName,
};

use super::{Queue, bodies, entry, system};
use crate::{
    aws::Aws,
    check::{code, refused},
    clause::{Clause, clause},
    emulator::Emulator,
};

const INVALID: &str = "InvalidParameterValue";

/// How long a long poll may take that has something to answer: much less than it would wait.
const EARLY: Duration = Duration::from_secs(10);

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(a_message_is_told_with_its_times_and_its_count),
        clause!(nothing_is_told_that_is_not_asked_for),
        clause!(one_to_ten_messages_are_received_at_once),
        clause!(a_received_message_is_hidden_for_its_time_and_comes_again),
        clause!(a_queue_hides_for_its_own_time_unless_told_another),
        clause!(a_message_can_be_hidden_longer_and_shown_at_once),
        clause!(a_timeout_over_twelve_hours_is_refused).known(
            Emulator::Ministack,
            "it is taken, where AWS answers InvalidParameterValue",
            "it takes any timeout",
        ),
        clause!(a_message_that_is_visible_again_cannot_be_hidden_by_its_old_handle).known(
            Emulator::Ministack,
            "it is taken, where AWS answers AWS.SimpleQueueService.MessageNotInflight",
            "it does not look whether the message is in flight",
        ),
        clause!(a_deleted_message_does_not_come_again),
        clause!(deleting_again_is_no_error).known(
            Emulator::Ministack,
            "it is refused the second time: ReceiptHandleIsInvalid",
            "it forgets the handle with the message",
        ),
        clause!(a_message_that_has_come_back_is_deleted_by_the_last_handle),
        clause!(of_a_batch_of_deletes_one_with_a_wrong_handle_fails_alone),
        clause!(a_batch_changes_the_visibility_of_each),
        clause!(an_empty_queue_answers_nothing),
        clause!(a_long_poll_returns_when_a_message_comes),
        clause!(a_long_poll_returns_when_a_delay_ends),
        clause!(a_long_poll_returns_when_a_message_is_visible_again),
        clause!(a_poll_is_at_most_20_seconds_long).known(
            Emulator::Ministack,
            "it is taken, where AWS answers InvalidParameterValue",
            "it takes any wait",
        ),
    ]
}

fn handle(message: &Message) -> &str {
    message.receipt_handle().expect("has a handle")
}

fn count(message: &Message) -> Option<String> {
    system(message, &System::ApproximateReceiveCount)
}

async fn a_message_is_told_with_its_times_and_its_count(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let before = aws.now().as_ms() - 1000;
    let id = queue.send("body").await;
    let message = queue.expect_one().await;
    assert_eq!((message.message_id(), message.body()), (Some(&*id), Some("body")));
    assert_eq!(message.md5_of_body(), Some("841a2d689ad86bd1611447453c22c6fc"));
    assert_eq!(count(&message).as_deref(), Some("1"));
    for name in [System::SentTimestamp, System::ApproximateFirstReceiveTimestamp] {
        let at: i64 = system(&message, &name).and_then(|at| at.parse().ok()).expect("milliseconds");
        assert!((before..=aws.now().as_ms() + 1000).contains(&at), "{name:?}: {at}");
    }
}

async fn nothing_is_told_that_is_not_asked_for(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    queue.send("body").await;
    let receive = queue.client.receive_message().queue_url(&queue.url).wait_time_seconds(1);
    let messages = receive.send().await.expect("is answered").messages.unwrap_or_default();
    assert_eq!(messages.len(), 1);
    assert!(messages[0].attributes().is_none_or(std::collections::HashMap::is_empty), "{messages:?}");
}

async fn one_to_ten_messages_are_received_at_once(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    for wrong in [0, 11] {
        refused(queue.receiving().max_number_of_messages(wrong).send().await, INVALID);
    }
    queue.send_all((0..10).map(|n| entry(&n.to_string(), "body")).collect()).await;
    let three = queue.receiving().max_number_of_messages(3).send().await.expect("is answered");
    assert!((1..=3).contains(&three.messages().len()));
    let one = queue.client.receive_message().queue_url(&queue.url).send().await.expect("is answered");
    assert_eq!(one.messages().len(), 1, "one unless told otherwise");
}

async fn a_received_message_is_hidden_for_its_time_and_comes_again(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    queue.send("body").await;
    let first = queue.receiving().visibility_timeout(2).send().await.expect("is answered");
    let first = first.messages().first().expect("is received").clone();
    assert_eq!(queue.receive().await, []);
    assert_eq!(queue.depth().await, ["0", "0", "1"]);
    aws.pass(Duration::from_millis(2100)).await;
    let second = queue.expect_one().await;
    assert_eq!(second.message_id(), first.message_id());
    assert_ne!(handle(&second), handle(&first));
    assert_eq!((count(&first).as_deref(), count(&second).as_deref()), (Some("1"), Some("2")));
    for name in [System::SentTimestamp, System::ApproximateFirstReceiveTimestamp] {
        assert_eq!(system(&second, &name), system(&first, &name), "{name:?}");
    }
}

async fn a_queue_hides_for_its_own_time_unless_told_another(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, [(QueueAttributeName::VisibilityTimeout, "2")]).await;
    queue.send("body").await;
    queue.expect_one().await;
    assert_eq!(queue.receive().await, []);
    aws.pass(Duration::from_millis(2100)).await;
    assert_eq!(queue.expect(1).await.len(), 1);
}

async fn a_message_can_be_hidden_longer_and_shown_at_once(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    queue.send("body").await;
    let change = |message: &Message, secs| {
        let change = queue.client.change_message_visibility().queue_url(&queue.url).visibility_timeout(secs);
        change.receipt_handle(handle(message)).send()
    };
    let message = queue.expect_one().await;
    change(&message, 0).await.expect("is shown");
    let receive =
        queue.receiving().visibility_timeout(1).wait_time_seconds(1).send().await.expect("is answered");
    let message = receive.messages().first().expect("is visible");
    change(message, 60).await.expect("is hidden");
    aws.pass(Duration::from_millis(1200)).await;
    assert_eq!(queue.receive().await, []);
}

async fn a_timeout_over_twelve_hours_is_refused(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    queue.send("body").await;
    let message = queue.expect_one().await;
    let change = queue.client.change_message_visibility().queue_url(&queue.url);
    refused(change.receipt_handle(handle(&message)).visibility_timeout(43_201).send().await, INVALID);
}

async fn a_message_that_is_visible_again_cannot_be_hidden_by_its_old_handle(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    queue.send("body").await;
    let message = queue.receive_and_drop().await;
    let change = queue.client.change_message_visibility().queue_url(&queue.url).visibility_timeout(60);
    refused(
        change.receipt_handle(handle(&message)).send().await,
        "AWS.SimpleQueueService.MessageNotInflight",
    );
    queue.expect_one().await;
}

async fn a_deleted_message_does_not_come_again(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, [(QueueAttributeName::VisibilityTimeout, "1")]).await;
    queue.send("body").await;
    let message = queue.expect_one().await;
    let delete = queue.client.delete_message().queue_url(&queue.url);
    delete.receipt_handle(handle(&message)).send().await.expect("is deleted");
    aws.pass(Duration::from_millis(1200)).await;
    assert_eq!(queue.receive().await, []);
    assert_eq!(queue.depth().await, ["0", "0", "0"]);
}

async fn deleting_again_is_no_error(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    queue.send("body").await;
    let message = queue.expect_one().await;
    for time in ["first", "second"] {
        let delete = queue.client.delete_message().queue_url(&queue.url);
        let refusal = code(&delete.receipt_handle(handle(&message)).send().await);
        assert!(refusal.is_none(), "it is refused the {time} time: {}", refusal.unwrap_or_default());
    }
}

async fn a_message_that_has_come_back_is_deleted_by_the_last_handle(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    queue.send("body").await;
    let message = queue.receive_and_drop().await;
    let delete = queue.client.delete_message().queue_url(&queue.url);
    delete.receipt_handle(handle(&message)).send().await.expect("is deleted");
    assert_eq!(queue.receive().await, []);
}

async fn of_a_batch_of_deletes_one_with_a_wrong_handle_fails_alone(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    queue.send_all(vec![entry("a", "a"), entry("b", "b")]).await;
    let messages = queue.expect(2).await;
    let handles = [handle(&messages[0]), "a handle of nothing", handle(&messages[1])];
    let entries = handles.iter().enumerate().map(|(n, handle)| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string()).receipt_handle(*handle);
        entry.build().expect("is complete")
    });
    let delete =
        queue.client.delete_message_batch().queue_url(&queue.url).set_entries(Some(entries.collect()));
    let answer = delete.send().await.expect("is answered");
    let deleted: Vec<_> = answer.successful.iter().map(|deleted| &*deleted.id).collect();
    let failed: Vec<_> = answer.failed.iter().map(|failed| (&*failed.id, &*failed.code)).collect();
    assert_eq!((deleted, failed), (vec!["0", "2"], vec![("1", "ReceiptHandleIsInvalid")]));
    assert_eq!(queue.depth().await, ["0", "0", "0"]);
}

async fn a_batch_changes_the_visibility_of_each(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    queue.send_all(vec![entry("a", "a"), entry("b", "b"), entry("c", "c")]).await;
    let messages = queue.expect(3).await;
    let entries = messages.iter().enumerate().map(|(n, message)| {
        let hidden = if message.body() == Some("b") { 60 } else { 0 };
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(n.to_string());
        entry.receipt_handle(handle(message)).visibility_timeout(hidden).build().expect("is complete")
    });
    let change = queue.client.change_message_visibility_batch().queue_url(&queue.url);
    let answer = change.set_entries(Some(entries.collect())).send().await.expect("is answered");
    assert_eq!((answer.successful.len(), answer.failed.len()), (3, 0));
    assert_eq!(bodies(&queue.expect(2).await), ["a", "c"]);
}

async fn an_empty_queue_answers_nothing(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let receive = queue.receiving().wait_time_seconds(1).send().await.expect("is answered");
    assert_eq!(receive.messages, None);
}

/// A long poll of the longest time, which has to return early with this message.
async fn polled(queue: &Queue) -> Message {
    let poll = tokio::time::timeout(EARLY, queue.receiving().wait_time_seconds(20).send());
    let answer = poll.await.expect("it returns early").expect("is answered");
    answer.messages.unwrap_or_default().pop().expect("is received")
}

async fn a_long_poll_returns_when_a_message_comes(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let send = async {
        aws.pass(Duration::from_millis(500)).await;
        queue.send("body").await
    };
    let (message, id) = tokio::join!(polled(&queue), send);
    assert_eq!(message.message_id(), Some(&*id));
}

async fn a_long_poll_returns_when_a_delay_ends(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    queue.message("body").delay_seconds(1).send().await.expect("is sent");
    let (message, ()) = tokio::join!(polled(&queue), aws.pass(Duration::from_millis(1100)));
    assert_eq!(message.body(), Some("body"));
}

async fn a_long_poll_returns_when_a_message_is_visible_again(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, [(QueueAttributeName::VisibilityTimeout, "1")]).await;
    queue.send("body").await;
    queue.expect_one().await;
    let (message, ()) = tokio::join!(polled(&queue), aws.pass(Duration::from_millis(1100)));
    assert_eq!(count(&message).as_deref(), Some("2"));
}

async fn a_poll_is_at_most_20_seconds_long(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    for wrong in [-1, 21] {
        refused(queue.receiving().wait_time_seconds(wrong).send().await, INVALID);
    }
}
