//! Sending: batches, sizes, delays, contents and groups.

use std::{sync::Arc, time::Duration};

use aws_sdk_sqs::types::{
    MessageSystemAttributeName as System, QueueAttributeName, SendMessageBatchRequestEntry,
};

use super::{Queue, bodies, delayed, entry, system};
use crate::{
    aws::Aws,
    check::{code, refused},
    clause::{Clause, clause},
    emulator::Emulator,
};

const INVALID: &str = "InvalidParameterValue";

/// The most that a message has, and a batch.
const BYTES_MAX: usize = 1024 * 1024;

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(a_batch_of_ten_is_taken_and_each_has_an_id),
        clause!(a_batch_of_eleven_is_refused),
        clause!(an_empty_batch_is_refused),
        clause!(an_id_that_is_in_a_batch_twice_is_refused),
        clause!(an_entry_that_is_wrong_fails_alone),
        clause!(an_entry_with_a_delay_over_900_seconds_fails_alone).known(
            Emulator::Ministack,
            "none fails",
            "it takes any delay",
        ),
        clause!(a_message_has_1_mib_at_most),
        clause!(a_batch_has_1_mib_at_most),
        clause!(a_message_is_delayed_by_its_own_time),
        clause!(a_message_without_a_delay_overrides_that_of_its_queue),
        clause!(a_delay_is_from_0_to_900_seconds),
        clause!(a_delay_over_900_seconds_is_refused).known(
            Emulator::Ministack,
            "it is taken, where AWS answers InvalidParameterValue",
            "it takes any delay",
        ),
        clause!(a_delay_below_0_is_refused).known(
            Emulator::Ministack,
            "it is taken, where AWS answers InvalidParameterValue",
            "it takes any delay",
        ),
        clause!(characters_that_xml_has_not_are_refused),
        clause!(every_other_character_comes_back_as_it_was),
        clause!(an_empty_message_is_refused),
        clause!(a_group_is_told_of_a_message_of_a_standard_queue),
        clause!(a_quiet_group_is_not_kept_waiting_by_a_busy_one).known(
            Emulator::Ministack,
            "the quiet group waits behind the busy one",
            "it knows message groups of standard queues, and no fairness between them",
        ),
    ]
}

async fn a_batch_of_ten_is_taken_and_each_has_an_id(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let answer = queue.send_all((0..10).map(|n| entry(&n.to_string(), format!("body {n}"))).collect()).await;
    assert_eq!((answer.successful.len(), answer.failed.len()), (10, 0));
    let messages = queue.expect(10).await;
    for sent in &answer.successful {
        let message = messages.iter().find(|message| message.message_id() == Some(&sent.message_id));
        assert_eq!(message.and_then(|message| message.body()), Some(&*format!("body {}", sent.id)));
        assert_eq!(message.and_then(|message| message.md5_of_body()), Some(&*sent.md5_of_message_body));
    }
}

async fn a_batch_of_eleven_is_refused(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let entries = (0..11).map(|n| entry(&n.to_string(), "body")).collect();
    let batch = queue.client.send_message_batch().queue_url(&queue.url).set_entries(Some(entries));
    refused(batch.send().await, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest");
    assert_eq!(queue.receive().await, []);
}

async fn an_empty_batch_is_refused(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let batch = queue.client.send_message_batch().queue_url(&queue.url).set_entries(Some(Vec::new()));
    refused(batch.send().await, "AWS.SimpleQueueService.EmptyBatchRequest");
}

async fn an_id_that_is_in_a_batch_twice_is_refused(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let batch = queue.client.send_message_batch().queue_url(&queue.url);
    let batch = batch.entries(entry("a", "one")).entries(entry("a", "two"));
    refused(batch.send().await, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct");
    assert_eq!(queue.receive().await, []);
}

/// Sends three entries of which the second fails, and answers with the code of that.
async fn second_fails(queue: &Queue, second: SendMessageBatchRequestEntry) -> String {
    let answer = queue.send_all(vec![entry("0", "first"), second, entry("2", "third")]).await;
    assert!(!answer.failed.is_empty(), "none fails");
    let sent: Vec<_> = answer.successful.iter().map(|sent| &*sent.id).collect();
    let failed: Vec<_> = answer.failed.iter().map(|failed| (&*failed.id, failed.sender_fault)).collect();
    assert_eq!((sent, failed), (vec!["0", "2"], vec![("1", true)]));
    assert_eq!(bodies(&queue.expect(2).await), ["first", "third"]);
    answer.failed[0].code.clone()
}

async fn an_entry_that_is_wrong_fails_alone(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    assert_eq!(second_fails(&queue, entry("1", "\u{1}")).await, "InvalidMessageContents");
}

async fn an_entry_with_a_delay_over_900_seconds_fails_alone(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    assert_eq!(second_fails(&queue, delayed("1", "second", Some(901))).await, INVALID);
}

async fn a_message_has_1_mib_at_most(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, [(QueueAttributeName::MaximumMessageSize, "1048576")]).await;
    refused(queue.message("x".repeat(BYTES_MAX + 1)).send().await, INVALID);
    queue.message("é".repeat(BYTES_MAX / 2)).send().await.expect("it fits");
    assert_eq!(queue.expect_one().await.body().map(str::len), Some(BYTES_MAX));
}

async fn a_batch_has_1_mib_at_most(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, [(QueueAttributeName::MaximumMessageSize, "1048576")]).await;
    let batch = |last: usize| {
        let mut entries: Vec<_> = (0..4).map(|n| entry(&n.to_string(), "x".repeat(BYTES_MAX / 5))).collect();
        entries.push(entry("last", "x".repeat(last)));
        queue.client.send_message_batch().queue_url(&queue.url).set_entries(Some(entries))
    };
    let left = BYTES_MAX - 4 * (BYTES_MAX / 5);
    refused(batch(left + 1).send().await, "AWS.SimpleQueueService.BatchRequestTooLong");
    let answer = batch(left).send().await.expect("it fits");
    assert_eq!((answer.successful.len(), answer.failed.len()), (5, 0));
}

async fn a_message_is_delayed_by_its_own_time(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    queue
        .send_all(vec![
            entry("now", "now"),
            delayed("soon", "soon", Some(2)),
            delayed("late", "late", Some(900)),
        ])
        .await;
    assert_eq!(bodies(&queue.expect(1).await), ["now"]);
    assert_eq!(queue.depth().await, ["0", "2", "1"]);
    aws.pass(Duration::from_secs(2)).await;
    assert_eq!(bodies(&queue.expect(1).await), ["soon"]);
}

async fn a_message_without_a_delay_overrides_that_of_its_queue(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, [(QueueAttributeName::DelaySeconds, "60")]).await;
    queue.send("late").await;
    queue.message("now").delay_seconds(0).send().await.expect("is sent");
    assert_eq!(bodies(&queue.expect(1).await), ["now"]);
}

async fn a_delay_is_from_0_to_900_seconds(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    for delay in [0, 1, 900] {
        queue.message("body").delay_seconds(delay).send().await.expect("is sent");
    }
}

async fn a_delay_below_0_is_refused(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    refused(queue.message("body").delay_seconds(-1).send().await, INVALID);
}

async fn a_delay_over_900_seconds_is_refused(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    refused(queue.message("body").delay_seconds(901).send().await, INVALID);
}

async fn characters_that_xml_has_not_are_refused(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    for body in ["\u{0}", "a\u{1}", "\u{b}", "\u{1f}b", "\u{fffe}", "\u{ffff}"] {
        let answer = queue.message(body).send().await;
        assert_eq!(code(&answer).as_deref(), Some("InvalidMessageContents"), "{body:?}");
    }
}

async fn every_other_character_comes_back_as_it_was(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let body = "tab\tline\nreturn\r <&\"'> é \u{7f} \u{85} \u{d7ff} \u{e000} \u{fffd} \u{1f6aa} \u{10ffff} {\"n\":1.10}";
    queue.send(body).await;
    assert_eq!(queue.expect_one().await.body(), Some(body));
}

async fn an_empty_message_is_refused(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let answer = queue.message("").send().await;
    let codes = ["MissingParameter", INVALID];
    assert!(code(&answer).is_some_and(|code| codes.contains(&&*code)), "{:?}", code(&answer));
}

async fn a_group_is_told_of_a_message_of_a_standard_queue(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    // What a company, and an app of all companies, is called.
    for group in ["demo.shop-1_x", "A#crm-sync"] {
        queue.message("body").message_group_id(group).send().await.expect("is sent");
        let message = queue.expect_one().await;
        assert_eq!(system(&message, &System::MessageGroupId).as_deref(), Some(group));
        let delete = queue.client.delete_message().queue_url(&queue.url);
        delete.set_receipt_handle(message.receipt_handle).send().await.expect("is deleted");
    }
    queue.send("body").await;
    assert_eq!(system(&queue.expect_one().await, &System::MessageGroupId), None);
}

async fn a_quiet_group_is_not_kept_waiting_by_a_busy_one(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let of = |group: &str, n: u32| {
        let entry = SendMessageBatchRequestEntry::builder().id(n.to_string()).message_body(group);
        entry.message_group_id(group).build().expect("is complete")
    };
    for _ in 0..5 {
        queue.send_all((0..10).map(|n| of("busy", n)).collect()).await;
    }
    assert_eq!(bodies(&queue.expect(10).await), ["busy"; 10]);
    queue.send_all(vec![of("quiet", 0)]).await;
    let next = queue.receive().await;
    assert!(bodies(&next).contains(&"quiet"), "the quiet group waits behind the busy one");
}
