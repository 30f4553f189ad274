//! Batches with garbage in them: exactly what cannot be read is named as failed, and no neighbour is harmed.

use std::{cell::Cell, collections::HashSet};

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use axum::http::{Method, StatusCode};
use knockback::{
    domain::{Event, EventId, Notice, WebhookId},
    queues::{AnnouncementMessage, DeliveryMessage, EventsMessage},
};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::json;
use tests::{START, World};
use tokio::runtime::Runtime;

use crate::{corpus, event::read, inputs::mutations, json::PIECES, message::messages, target::slow_config};

const GOOD: &str = r#"{"company_id":"1","object":"deal","action":"change","entity_id":"8","data":{"id":8}}"#;

/// Texts of a batch: messages, mutations of them, and noise. SQS holds no other text than UTF-8.
fn garbage() -> impl Strategy<Value = Vec<String>> {
    let seeds = corpus::inputs("message").into_iter().map(|input| input.bytes).collect();
    let text =
        mutations(seeds, messages(), PIECES).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    prop::collection::vec(text, 1..8)
}

/// A world with a webhook, and what is done with each batch.
struct Bench {
    runtime: Runtime,
    world: World,
}

impl Bench {
    fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let world = runtime.block_on(World::new());
        Self { runtime, world }
    }

    /// Gives a function batches that have a good message in their middle. `good` writes the message of a number, and
    /// `is_readable` says of a text whether it is one, or `None` where something else may be wrong with it.
    fn run(
        &self,
        function: &str,
        good: impl Fn(usize) -> String,
        is_readable: impl Fn(&str) -> Option<bool>,
    ) -> usize {
        let number = Cell::new(0);
        let tried = TestRunner::new(slow_config(60)).run(&garbage(), |texts| {
            number.set(number.get() + 1);
            let mut bodies = texts.clone();
            let middle = bodies.len() / 2;
            bodies.insert(middle, good(number.get()));
            let mut batch = SqsEvent::default();
            batch.records = bodies.iter().enumerate().map(|(index, body)| record(index, body)).collect();
            let response = self.runtime.block_on(self.world.system.invoke(function, batch));
            let failed: HashSet<_> =
                response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
            prop_assert!(!failed.contains(&middle.to_string()), "a good neighbour was put back");
            for (index, body) in bodies.iter().enumerate().filter(|(index, _)| *index != middle) {
                if let Some(readable) = is_readable(body) {
                    prop_assert_eq!(!failed.contains(&index.to_string()), readable, "{}", body);
                }
            }
            prop_assert!(failed.iter().all(|id| id.parse::<usize>().is_ok_and(|id| id < bodies.len())));
            Ok(())
        });
        if let Err(error) = tried {
            panic!("{error}");
        }
        number.get()
    }
}

fn record(index: usize, body: &str) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = Some(index.to_string());
    record.body = Some(body.to_owned());
    record
}

/// An event of its own, with that number as its entity.
fn event(number: usize) -> Event {
    let mut event = read(GOOD.as_bytes(), "").expect("an event");
    event.id = format!("good-{number}").parse::<EventId>().expect("an id");
    event.entity = number.to_string().parse().expect("an id");
    event.accepted_at = START;
    event
}

#[test]
fn deliver_names_what_it_cannot_read_and_makes_the_other_attempts() {
    let bench = Bench::new();
    let Bench { runtime, world } = &bench;
    let receiver = runtime.block_on(world.receiver());
    let owner = runtime.block_on(world.owner());
    let webhook = runtime.block_on(world.subscribe(&owner, &receiver.url(), json!({})));
    let id = WebhookId::new(webhook["id"].as_u64().expect("a number"));
    let good = |number| serde_json::to_string(&DeliveryMessage::original(&event(number), id)).expect("JSON");
    let batches = bench.run("Deliver", good, |body| {
        let readable = serde_json::from_str::<DeliveryMessage>(body).is_ok()
            || serde_json::from_str::<AnnouncementMessage>(body).is_ok();
        // What can be read may still be of a webhook or at a time that is not there.
        (!readable).then_some(false)
    });
    let posted: HashSet<_> =
        receiver.received().iter().map(|post| post.json()["meta"]["entity_id"].to_string()).collect();
    let missed: Vec<_> = (1..=batches).filter(|number| !posted.contains(&format!("\"{number}\""))).collect();
    assert!(missed.is_empty(), "{missed:?} of {batches}");
}

#[test]
fn fan_out_names_what_it_cannot_read_and_fans_out_the_other_events() {
    let bench = Bench::new();
    let Bench { runtime, world } = &bench;
    let owner = runtime.block_on(world.owner());
    runtime.block_on(world.subscribe(&owner, "https://receiver.example/", json!({})));
    let good =
        |number| format!(r#"{{"v":1,"event":{}}}"#, serde_json::to_string(&event(number)).expect("JSON"));
    let batches = bench.run("Fanout", good, |body| {
        let readable = serde_json::from_str::<EventsMessage>(body).is_ok() || body.contains("detail-type");
        (!readable).then_some(false)
    });
    let mut sent = HashSet::new();
    loop {
        let messages = world.receive("DeliveriesQueue");
        if messages.is_empty() {
            break;
        }
        world.delete("DeliveriesQueue", &messages);
        let read = messages
            .iter()
            .map(|message| serde_json::from_str::<DeliveryMessage>(&message.body).expect("one"));
        sent.extend(read.map(|message| message.event_id.to_string()));
    }
    let missed: Vec<_> = (1..=batches).filter(|number| !sent.contains(&format!("good-{number}"))).collect();
    assert!(missed.is_empty(), "{missed:?} of {batches}");
}

#[test]
fn notify_names_what_it_cannot_read_and_mails_the_other_owners() {
    let bench = Bench::new();
    let Bench { runtime, world } = &bench;
    let token = runtime
        .block_on(world.token(json!({"company_id": "1", "user_id": "10", "contact": "ann@owner.example"})));
    let webhook = runtime.block_on(world.subscribe(&token, "https://receiver.example/", json!({})));
    let path = format!("/v1/webhooks/{}", webhook["id"]);
    let switched = runtime.block_on(world.call(Method::PATCH, &path, &token, r#"{"is_active":false}"#));
    assert_eq!(switched.status, StatusCode::OK);
    let good = |number: usize| {
        json!({"detail-type": "webhook.deactivated", "detail": {"id": format!("{number:032x}"), "company_id": "1",
            "webhook_id": webhook["id"], "at": "2026-01-01T00:00:00.000Z"}})
        .to_string()
    };
    let batches = bench.run("Notify", good, |body| match Notice::parse(body) {
        Ok(None) => Some(true),
        Ok(Some(_)) => None,
        Err(_) => Some(false),
    });
    assert!(world.system.aws.mails().len() >= batches);
}
