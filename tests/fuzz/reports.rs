//! Reporting events by HTTP, alone and in arrays: taken whole, or refused whole.

use axum::http::Method;
use knockback::{domain::Event, queues::EventsMessage};
use proptest::{prelude::*, sample::select, test_runner::TestRunner};
use tests::World;
use tokio::runtime::Runtime;

use crate::{
    corpus,
    event::{events, read},
    inputs::mutations,
    json::PIECES,
    target::slow_config,
};

/// An array of events, possibly with something between them that is none.
fn arrays() -> impl Strategy<Value = Vec<u8>> {
    let seeds = corpus::inputs("event").into_iter().map(|input| input.bytes).collect();
    let event = prop_oneof![6 => events(), 1 => mutations(seeds, events(), PIECES)];
    (prop::collection::vec(event, 1..4), select(&[",", ",\n", " , ", ",,"][..])).prop_map(
        |(events, between)| {
            let mut array = b"[".to_vec();
            array.extend(events.join(between.as_bytes()));
            array.push(b']');
            array
        },
    )
}

#[test]
fn an_array_is_on_the_queue_digit_for_digit_or_none_of_it_is() {
    let runtime = Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::new());
    let mut runner = TestRunner::new(slow_config(100));
    let tried = runner.run(&arrays(), |body| {
        let reply = runtime.block_on(world.platform(Method::POST, "/v1/events", body.clone()));
        let queued = world.receive("EventsQueue");
        world.delete("EventsQueue", &queued);
        let status = reply.status.as_u16();
        prop_assert!([202, 400, 413].contains(&status), "{status} {}", reply.text);
        if status != 202 {
            prop_assert_eq!(queued.len(), 0);
            let fields = reply.body["errors"].as_object().expect("fields");
            prop_assert!(!fields.is_empty());
            prop_assert!(
                fields.keys().all(|field| field == "body" || field.starts_with('[')),
                "{}",
                reply.text
            );
            return Ok(());
        }
        // No event alone was worse than the array.
        let sent: Vec<&serde_json::value::RawValue> = serde_json::from_slice(&body).expect("an array");
        let sent: Vec<Event> =
            sent.iter().map(|event| read(event.get().as_bytes(), "").expect("an event")).collect();
        prop_assert_eq!(queued.len(), sent.len());
        let mut sent: Vec<_> = sent.iter().map(said).collect();
        let mut found = Vec::new();
        for message in &queued {
            match serde_json::from_str(&message.body).expect("a message") {
                EventsMessage::Event(event) => found.push(said(&event)),
                other => panic!("{other:?}"),
            }
        }
        sent.sort();
        found.sort();
        prop_assert_eq!(sent, found);
        Ok(())
    });
    if let Err(error) = tried {
        panic!("{error}");
    }
}

/// What an event says, without what it is given where the platform leaves it out. Two characters travel as escapes, for SQS
/// refuses them.
fn said(event: &Event) -> String {
    let Event { company, object, action, entity, data, previous, permitted_users, .. } = event;
    format!("{company} {object:?} {action:?} {entity:?} {data:?} {previous:?} {permitted_users:?}")
        .replace('\u{fffe}', r"\ufffe")
        .replace('\u{ffff}', r"\uffff")
}
