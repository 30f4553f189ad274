//! Large fan-outs: in pages, each webhook once, and nobody waits for them (design: Queues).

use std::{collections::BTreeMap, ops::RangeInclusive};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use local::aws::{connector::sdk_config, sqs::Received};
use serde_json::{Value, json};
use tests::{RawAnswer, RawReceiver, World};

/// Nobody listens there: most of these tests look at what is queued.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9/hook";

/// A world in which this many webhooks of company 1 ask for every change of a deal.
pub(crate) async fn with_webhooks(count: u64, url: &str) -> (World, RangeInclusive<u64>) {
    let world = World::new().await;
    let webhooks = world.seed_webhooks(&world.owner().await, url, json!({}), count).await;
    (world, webhooks)
}

/// Has fan-out handle all that is on its queue, and what it puts there; answers with how many messages those were.
pub(crate) async fn run_fan_out(world: &World) -> usize {
    let mut handled = 0;
    while world.depth("EventsQueue") > 0 {
        let messages = world.pump("EventsQueue").await.len();
        handled += messages;
        assert!(handled < 100, "messages without end");
        assert!(messages > 0 || world.advance_to_next_change().await, "a message that never comes");
    }
    assert_eq!(world.depth("EventsDlq"), 0);
    handled
}

/// Takes all deliveries from their queue; answers with how many each webhook has.
pub(crate) fn take_deliveries(world: &World) -> BTreeMap<u64, usize> {
    let mut deliveries = BTreeMap::new();
    loop {
        let messages = world.receive("DeliveriesQueue");
        if messages.is_empty() {
            return deliveries;
        }
        world.delete("DeliveriesQueue", &messages);
        for message in messages {
            *deliveries.entry(webhook_of(&message)).or_default() += 1;
        }
    }
}

fn webhook_of(message: &Received) -> u64 {
    let body: Value = serde_json::from_str(&message.body).expect("JSON");
    body["webhook"].as_u64().expect("a number")
}

/// Each webhook has exactly one delivery.
pub(crate) fn check_once_each(deliveries: &BTreeMap<u64, usize>, webhooks: RangeInclusive<u64>) {
    let expected: BTreeMap<u64, usize> = webhooks.map(|webhook| (webhook, 1)).collect();
    assert!(*deliveries == expected, "{} of {} webhooks", deliveries.len(), expected.len());
}

/// What is kept of event e-1 of company 1.
pub(crate) async fn kept_event(world: &World) -> Value {
    let items = world.items().await;
    items.into_iter().find(|item| item["pk"] == "C#1#E#e-1").unwrap_or_default()
}

/// Changes what is kept of event e-1 of company 1.
pub(crate) async fn change_event(world: &World, expression: &str, values: &[(&str, AttributeValue)]) {
    let client = Client::new(&sdk_config(&world.system.aws));
    let update = client
        .update_item()
        .table_name(&world.system.context.config.deliveries_table)
        .key("pk", AttributeValue::S("C#1#E#e-1".to_owned()))
        .key("sk", AttributeValue::S("E".to_owned()))
        .update_expression(expression)
        .expression_attribute_names("#state", "state")
        .expression_attribute_names("#page", "page")
        .set_expression_attribute_values(Some(
            values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        ));
    update.send().await.expect("changed");
}

#[tokio::test]
async fn an_event_for_ten_thousand_webhooks_reaches_each_of_them_once() {
    let receiver = RawReceiver::start(|_, _| RawAnswer::ok(""));
    let (world, webhooks) = with_webhooks(10_000, &receiver.url()).await;
    world.report(json!({"id": "e-1"})).await;
    let before = world.system.aws.counts();
    assert_eq!(run_fan_out(&world).await, 10, "no page is sent for nothing");
    let sends = world.system.aws.counts().since(&before).calls("AmazonSQS.SendMessageBatch");
    assert_eq!(sends, 1_000 + 9, "ten at a time, and one for each further page");
    assert_eq!(kept_event(&world).await["state"], "done");

    world.run_to_rest().await;
    assert_eq!(receiver.requests().len(), 10_000);
    let mut arrived: BTreeMap<u64, usize> = BTreeMap::new();
    for attempt in world.items().await.iter().filter(|item| item["state"] == "succeeded") {
        let webhook = attempt["pk"].as_str().and_then(|pk| pk.rsplit('#').next()).expect("a key");
        *arrived.entry(webhook.parse().expect("a number")).or_default() += 1;
    }
    check_once_each(&arrived, webhooks);
}

#[tokio::test]
async fn there_are_no_more_pages_than_it_takes() {
    for (webhooks, pages) in [(1, 1), (1_000, 1), (1_001, 2), (2_000, 2)] {
        let (world, webhooks) = with_webhooks(webhooks, NOWHERE).await;
        world.report(json!({"id": "e-1"})).await;
        assert_eq!(run_fan_out(&world).await, pages, "{webhooks:?}");
        check_once_each(&take_deliveries(&world), webhooks);
    }
}

#[tokio::test]
async fn a_page_counts_what_matches_and_goes_from_the_object_on_to_all_objects() {
    let world = World::new().await;
    let owner = world.owner().await;
    let mut seeded = Vec::new();
    for (more, count) in [
        (json!({"event_action": "delete"}), 1_200),
        (json!({"event_action": "change"}), 600),
        (json!({"event_action": "create", "event_object": "*"}), 1_200),
        (json!({"event_object": "*"}), 600),
        (json!({"event_object": "person"}), 10),
    ] {
        seeded.push(world.seed_webhooks(&owner, NOWHERE, more, count).await);
    }
    world.report(json!({"id": "e-1"})).await;
    assert_eq!(run_fan_out(&world).await, 2);
    let expected = seeded[1].clone().chain(seeded[3].clone()).map(|webhook| (webhook, 1)).collect();
    assert!(take_deliveries(&world) == expected);

    world.report(json!({"action": "delete"})).await;
    assert_eq!(run_fan_out(&world).await, 2);
    let expected = seeded[0].clone().chain(seeded[3].clone()).map(|webhook| (webhook, 1)).collect();
    assert!(take_deliveries(&world) == expected);
}

#[tokio::test]
async fn a_small_event_of_another_company_overtakes_a_large_fan_out() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.seed_webhooks(&world.owner().await, &receiver.url(), json!({}), 10_000).await;
    let stranger = world.token(json!({"company_id": "2", "user_id": "10"})).await;
    world.subscribe(&stranger, &receiver.url(), json!({})).await;
    let theirs =
        || receiver.received().iter().position(|post| post.json()["meta"]["company_id"] == json!("2"));
    let overtakes = async || {
        let before = receiver.received().len();
        world.report(json!({"company_id": "2"})).await;
        while theirs().is_none() {
            assert!(world.system.pump_once().await.expect("the queues work"));
        }
        // At once means in the first batch.
        let behind = theirs().expect("it arrived") - before;
        assert!(behind < 10, "{behind} were delivered before it");
    };

    world.report(json!({})).await;
    world.pump("EventsQueue").await;
    assert_eq!((world.depth("EventsQueue"), world.depth("DeliveriesQueue")), (1, 1_000));
    overtakes().await;

    // And so does one that is posted when all are queued.
    run_fan_out(&world).await;
    assert!(world.depth("DeliveriesQueue") > 9_900);
    let later = world.receiver().await;
    let third = world.token(json!({"company_id": "3", "user_id": "10"})).await;
    world.subscribe(&third, &later.url(), json!({})).await;
    world.report(json!({"company_id": "3"})).await;
    assert!(world.system.pump_once().await.expect("the queues work"));
    assert_eq!(later.received().len(), 1);
}

#[tokio::test]
async fn a_page_of_an_event_that_has_expired_is_over() {
    let (world, _) = with_webhooks(1, NOWHERE).await;
    let page = json!({"v": 1, "fan_out": {"company": "1", "event_id": "gone", "page": 1,
        "cursor": {"object": "deal", "webhook": 0}}});
    world.send_message("EventsQueue", &page.to_string());
    assert_eq!(run_fan_out(&world).await, 1);
    assert_eq!(world.depth("DeliveriesQueue"), 0);
}

#[tokio::test]
async fn what_the_version_before_left_is_page_0() {
    let (world, webhooks) = with_webhooks(1_001, NOWHERE).await;
    world.report(json!({"id": "e-1"})).await;
    let message = world.receive("EventsQueue");
    world.invoke("EventsQueue", &message).await;
    let page = world.receive("EventsQueue");
    world.delete("EventsQueue", &page);
    take_deliveries(&world);
    change_event(
        &world,
        "SET #state = :fanning REMOVE #page",
        &[(":fanning", AttributeValue::S("fanning".into()))],
    )
    .await;
    // It comes again after its visibility timeout.
    assert_eq!(run_fan_out(&world).await, 2);
    check_once_each(&take_deliveries(&world), webhooks);
    assert_eq!(kept_event(&world).await["state"], "done");
}
