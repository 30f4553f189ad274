//! Message move tasks: how an operator has dead letters tried again.

use std::{sync::Arc, time::Duration};

use aws_sdk_sqs::types::{ListMessageMoveTasksResultEntry, MessageSystemAttributeName as System};

use super::{Queue, bodies, system};
use crate::{
    aws::Aws,
    check::refused,
    clause::{Clause, clause},
    emulator::Emulator,
};

pub(super) fn clauses() -> Vec<Clause> {
    [
        clause!(dead_letters_go_back_to_the_queues_that_they_come_from),
        clause!(dead_letters_go_to_a_queue_that_is_named),
        clause!(a_moved_message_is_a_new_one_with_the_same_body_and_group),
        clause!(tasks_are_listed_with_how_many_they_have_moved),
        clause!(only_a_dead_letter_queue_is_moved_from),
        clause!(a_queue_that_is_not_there_is_not_moved_from),
    ]
    .map(with_tasks)
    .into()
}

/// A clause that needs move tasks.
fn with_tasks(clause: Clause) -> Clause {
    clause.known(Emulator::Ministack, "InvalidAction", "it has no message move tasks")
}

/// Has a queue give up a message of this body.
async fn give_up(queue: &Queue, body: &str) {
    queue.message(body).message_group_id("acme").send().await.expect("is sent");
    queue.receive_and_drop().await;
    assert_eq!(queue.receive().await, []);
}

async fn start(dead: &Queue, destination: Option<String>) {
    let start = dead.client.start_message_move_task().source_arn(dead.arn().await);
    let started = start.set_destination_arn(destination).send().await.expect("is started");
    assert!(started.task_handle().is_some_and(|handle| !handle.is_empty()));
}

/// The latest task of a queue, once it has ended.
async fn ended(aws: &Aws, dead: &Queue) -> ListMessageMoveTasksResultEntry {
    let arn = dead.arn().await;
    for _ in 0..20 {
        let tasks = dead.client.list_message_move_tasks().source_arn(&arn).send().await.expect("are listed");
        let latest = tasks.results.unwrap_or_default().into_iter().next().expect("is listed");
        if latest.status() != Some("RUNNING") {
            return latest;
        }
        aws.pass(Duration::from_millis(500)).await;
    }
    panic!("a task has not ended");
}

async fn dead_letters_go_back_to_the_queues_that_they_come_from(aws: Arc<Aws>) {
    let dead = Queue::new(&aws, []).await;
    let (one, two) = (Queue::of_dead(&aws, &dead, 1).await, Queue::of_dead(&aws, &dead, 1).await);
    give_up(&one, "of one").await;
    give_up(&two, "of two").await;
    start(&dead, None).await;
    assert_eq!(ended(&aws, &dead).await.status(), Some("COMPLETED"));
    assert_eq!(bodies(&one.expect(1).await), ["of one"]);
    assert_eq!(bodies(&two.expect(1).await), ["of two"]);
    assert_eq!(dead.receive().await, []);
}

async fn dead_letters_go_to_a_queue_that_is_named(aws: Arc<Aws>) {
    let (dead, other) = (Queue::new(&aws, []).await, Queue::new(&aws, []).await);
    let queue = Queue::of_dead(&aws, &dead, 1).await;
    give_up(&queue, "given up").await;
    dead.send("sent here").await;
    start(&dead, Some(other.arn().await)).await;
    assert_eq!(ended(&aws, &dead).await.status(), Some("COMPLETED"));
    assert_eq!(bodies(&other.expect(2).await), ["given up", "sent here"]);
    assert_eq!(queue.receive().await, []);
}

async fn a_moved_message_is_a_new_one_with_the_same_body_and_group(aws: Arc<Aws>) {
    let dead = Queue::new(&aws, []).await;
    let queue = Queue::of_dead(&aws, &dead, 1).await;
    let sent = queue.message("body").message_group_id("acme").send().await.expect("is sent");
    queue.receive_and_drop().await;
    assert_eq!(queue.receive().await, []);
    start(&dead, None).await;
    ended(&aws, &dead).await;
    let moved = queue.expect_one().await;
    assert_eq!(moved.body(), Some("body"));
    assert_eq!(system(&moved, &System::MessageGroupId).as_deref(), Some("acme"));
    assert_eq!(system(&moved, &System::ApproximateReceiveCount).as_deref(), Some("1"));
    assert_ne!(moved.message_id(), sent.message_id(), "the moved message has the id of the given up one");
}

async fn tasks_are_listed_with_how_many_they_have_moved(aws: Arc<Aws>) {
    let dead = Queue::new(&aws, []).await;
    let queue = Queue::of_dead(&aws, &dead, 1).await;
    give_up(&queue, "one").await;
    give_up(&queue, "two").await;
    start(&dead, None).await;
    let task = ended(&aws, &dead).await;
    assert_eq!(task.source_arn(), Some(&*dead.arn().await));
    assert_eq!(task.approximate_number_of_messages_moved(), 2);
    assert!(task.started_timestamp() > 0);
}

async fn only_a_dead_letter_queue_is_moved_from(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let start = aws.sqs.start_message_move_task().source_arn(queue.arn().await);
    refused(start.send().await, "InvalidParameterValue");
}

async fn a_queue_that_is_not_there_is_not_moved_from(aws: Arc<Aws>) {
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{}", aws.name());
    let start = aws.sqs.start_message_move_task().source_arn(arn);
    refused(start.send().await, "ResourceNotFoundException");
}
