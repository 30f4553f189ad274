//! Fan-outs whose messages come twice, or whose handlers die: they go on, and do not multiply.

use std::{collections::HashSet, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use knockback::domain::PAGE_LEASE;
use local::aws::counts::Counts;
use serde_json::json;
use tests::World;

use crate::fan_out::{
    NOWHERE, change_event, check_once_each, kept_event, run_fan_out, take_deliveries, with_webhooks,
};

const QUEUE: &str = "EventsQueue";

/// Moves the clock on if the events queue holds something that is hidden; `false` if it holds nothing.
async fn wait_for_events(world: &World) -> bool {
    world.depth(QUEUE) > 0 && world.advance_to_next_change().await
}

/// Ten thousand deliveries were sent, once each, by about a thousand calls.
async fn check_fanned_out_once(world: &World, webhooks: std::ops::RangeInclusive<u64>, before: &Counts) {
    let sends = world.system.aws.counts().since(before).calls("AmazonSQS.SendMessageBatch");
    assert!(sends <= 1_100, "{sends}");
    check_once_each(&take_deliveries(world), webhooks);
    assert_eq!((kept_event(world).await["state"].clone(), world.depth("EventsDlq")), (json!("done"), 0));
}

#[tokio::test]
async fn a_copy_of_every_message_after_it_changes_nothing() {
    let (world, webhooks) = with_webhooks(10_000, NOWHERE).await;
    world.report(json!({"id": "e-1"})).await;
    let before = world.system.aws.counts();
    let (mut copies, mut originals) = (HashSet::new(), 0);
    loop {
        let messages = world.pump(QUEUE).await;
        if messages.is_empty() && !wait_for_events(&world).await {
            break;
        }
        for message in messages {
            if !copies.contains(&message.message_id) {
                originals += 1;
                assert!(originals < 100, "messages without end");
                let group = message.group.as_deref();
                copies.insert(world.system.aws.sqs.send(QUEUE, &message.body, None, group).expect("sent"));
            }
        }
    }
    assert_eq!(originals, 10);
    check_fanned_out_once(&world, webhooks, &before).await;
}

/// On threads, so that several handlers find the same before one of them claims the page.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_copies_that_come_at_the_same_time_one_sends_each_page() {
    const COPIES: usize = 3;
    let (world, webhooks) = with_webhooks(10_000, NOWHERE).await;
    world.report(json!({"id": "e-1"})).await;
    let before = world.system.aws.counts();
    let (mut copies, mut originals) = (HashSet::new(), HashSet::new());
    loop {
        let mut messages = world.receive(QUEUE);
        for message in messages.clone() {
            if copies.contains(&message.message_id) || !originals.insert(message.message_id) {
                continue;
            }
            assert!(originals.len() < 100, "messages without end");
            for _ in 0..COPIES {
                let group = message.group.as_deref();
                copies.insert(world.system.aws.sqs.send(QUEUE, &message.body, None, group).expect("sent"));
                messages.extend(world.receive(QUEUE));
            }
        }
        if messages.is_empty() && !wait_for_events(&world).await {
            break;
        }
        let handle = |message| {
            let world = world.clone();
            tokio::spawn(async move {
                let message = [message];
                if world.invoke(QUEUE, &message).await.is_empty() {
                    world.delete(QUEUE, &message);
                }
            })
        };
        for handler in messages.into_iter().map(handle).collect::<Vec<_>>() {
            handler.await.expect("it ends");
        }
    }
    assert_eq!(originals.len(), 10);
    check_fanned_out_once(&world, webhooks, &before).await;
}

/// After which of its calls a handler dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DiesAfter {
    Deliveries,
    NextPagesMessage,
    Advance,
}

/// Has the handler of this page die, of three; answers with how many deliveries are sent, beyond one for each webhook.
async fn sent_again_after_a_death(page: usize, dies_after: DiesAfter) -> usize {
    const WEBHOOKS: u64 = 2_010;
    let (world, webhooks) = with_webhooks(WEBHOOKS, NOWHERE).await;
    world.report(json!({"id": "e-1"})).await;
    for _ in 0..page {
        assert_eq!(world.pump(QUEUE).await.len(), 1);
    }
    let message = world.receive(QUEUE);
    assert_eq!(message.len(), 1);
    assert!(world.invoke(QUEUE, &message).await.is_empty());
    // It has done everything and not deleted its message. What it did after it is said to have died is undone.
    if dies_after != DiesAfter::Advance {
        let claimed_until = world.system.context.now() + PAGE_LEASE;
        let values = [
            (":fanning", AttributeValue::S("fanning".to_owned())),
            (":page", AttributeValue::N(page.to_string())),
            (":until", AttributeValue::N(claimed_until.as_ms().to_string())),
        ];
        change_event(&world, "SET #state = :fanning, #page = :page, lease_until = :until", &values).await;
    }
    if dies_after == DiesAfter::Deliveries {
        let next = world.receive(QUEUE);
        world.delete(QUEUE, &next);
    }

    let died_at = world.system.context.now();
    run_fan_out(&world).await;
    assert!(
        world.system.context.now().since(died_at) <= Duration::from_mins(6),
        "it goes on when its message comes again"
    );
    assert_eq!(kept_event(&world).await["state"], "done");
    let deliveries = take_deliveries(&world);
    assert!(deliveries.keys().copied().eq(webhooks), "{} webhooks", deliveries.len());
    deliveries.values().sum::<usize>() - deliveries.len()
}

#[tokio::test]
async fn a_fan_out_goes_on_whenever_its_handler_dies_and_repeats_one_page_at_most() {
    for (page, webhooks) in [(0, 1_000), (1, 1_000), (2, 10)] {
        assert_eq!(sent_again_after_a_death(page, DiesAfter::Deliveries).await, webhooks, "page {page}");
        assert_eq!(sent_again_after_a_death(page, DiesAfter::Advance).await, 0, "page {page}");
    }
    for page in [0, 1] {
        assert_eq!(sent_again_after_a_death(page, DiesAfter::NextPagesMessage).await, 0, "page {page}");
    }
}

#[tokio::test]
async fn a_page_that_somebody_is_sending_is_not_sent_by_a_copy() {
    let (world, webhooks) = with_webhooks(1_500, NOWHERE).await;
    world.report(json!({"id": "e-1"})).await;
    world.pump(QUEUE).await;
    let store = &world.system.context.store;
    let (company, event) = ("1".parse().expect("an id"), "e-1".parse().expect("an id"));
    let read = store.fan_out(&company, &event).await.expect("an answer").expect("an event");
    store.claim_page(&read, 1, "somebody", world.system.context.now()).await.expect("an answer");
    let page = world.receive(QUEUE);
    assert_eq!(world.invoke(QUEUE, &page).await, page, "it has to come again: somebody may die");
    assert_eq!(world.depth("DeliveriesQueue"), 1_000);
    // Nobody has sent it until the lease is over.
    run_fan_out(&world).await;
    check_once_each(&take_deliveries(&world), webhooks);
}

#[tokio::test]
async fn a_page_whose_successor_cannot_be_sent_is_sent_again_as_a_whole() {
    let (world, webhooks) = with_webhooks(1_500, NOWHERE).await;
    world.report(json!({"id": "e-1"})).await;
    let message = world.receive(QUEUE);
    let sqs = &world.system.aws.sqs;
    sqs.delete_queue(QUEUE).expect("deleted");
    assert_eq!(world.invoke(QUEUE, &message).await, message);
    assert_eq!(take_deliveries(&world).len(), 1_000);
    sqs.create_queue(QUEUE, &local::aws::sqs::Attributes::default()).expect("created");
    world.clock.advance(PAGE_LEASE);
    world.send_message(QUEUE, &message[0].body);
    assert_eq!(run_fan_out(&world).await, 2);
    check_once_each(&take_deliveries(&world), webhooks);
}

#[tokio::test]
async fn who_moves_a_fan_out_on_late_does_not_move_it_back() {
    let (world, _) = with_webhooks(2_500, NOWHERE).await;
    world.report(json!({"id": "e-1"})).await;
    let (store, event) = (&world.system.context.store, "e-1".parse().expect("an id"));
    let late =
        async |page| store.end_page(&"1".parse().expect("an id"), &event, page).await.expect("an answer");
    world.pump(QUEUE).await;
    world.pump(QUEUE).await;
    for page in [0, 1, 3] {
        late(page).await;
        assert_eq!(kept_event(&world).await["page"], 2, "after page {page} once more");
    }
    world.pump(QUEUE).await;
    late(2).await;
    assert_eq!(kept_event(&world).await["state"], "done");
}
