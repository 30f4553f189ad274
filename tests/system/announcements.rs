//! What the platform is told of its webhooks on the bus: bans, their ends, deletions; also when a function dies between the
//! change and the telling.

use std::{collections::BTreeMap, time::Duration};

use knockback::{
    domain::{RemoveReason, Timestamp},
    store::Removal,
};
use serde_json::json;
use tests::{Announced, START, Subscribed, World};

const BAN: Duration = Duration::from_mins(30);

async fn report_ten(world: &World) {
    for _ in 0..10 {
        world.report(json!({})).await;
    }
}

fn kinds(announced: &[Announced]) -> Vec<(&str, Timestamp)> {
    announced.iter().map(|announced| (&*announced.kind, announced.at)).collect()
}

#[tokio::test]
async fn a_ban_is_announced_at_once_and_its_end_to_the_second() {
    let Subscribed { world, receiver: _receiver, webhook, .. } = Subscribed::answering(500).await;
    world.run_for(Duration::from_secs(7)).await;
    report_ten(&world).await;
    world.settle().await;
    let begin = START + Duration::from_secs(7);
    let banned = world.announced();
    assert_eq!(kinds(&banned), [("webhook.banned", begin)]);
    let mut expected = json!({"company_id": "1", "webhook_id": webhook["id"], "type": "general", "app": null,
        "owner_id": "10", "user_id": "10", "name": null, "event_action": "*", "event_object": "deal",
        "version": "2.0", "at": begin.to_string(), "strikes": 10, "banned_until": (begin + BAN).to_string(),
        "last_http_status": 500});
    expected["id"] = banned[0].detail["id"].clone();
    assert_eq!(banned[0].detail, expected);
    assert_eq!(expected["id"].as_str().map(str::len), Some(36));

    world.run_until(begin + BAN - Duration::from_millis(1)).await;
    assert!(world.announced().is_empty());
    world.run_for(Duration::from_millis(1)).await;
    let reactivated = world.announced();
    assert_eq!(kinds(&reactivated), [("webhook.reactivated", begin + BAN)]);
    assert_eq!(reactivated[0].detail["webhook_id"], webhook["id"]);
    world.run_to_rest().await;
    assert!(world.announced().is_empty());
}

#[tokio::test]
async fn a_deletion_is_announced_with_its_reason_and_ends_what_was_to_come() {
    let Subscribed { world, receiver: _receiver, webhook, .. } = Subscribed::answering(500).await;
    report_ten(&world).await;
    world.settle().await;
    world.run_for(Duration::from_mins(1)).await;
    world.unsubscribe(&world.owner().await, &webhook).await;
    world.run_to_rest().await;
    let announced = world.announced();
    let deleted = START + Duration::from_mins(1);
    assert_eq!(kinds(&announced), [("webhook.banned", START), ("webhook.deleted", deleted)]);
    assert_eq!(
        (&announced[1].detail["reason"], &announced[1].detail["last_http_status"]),
        (&json!("deleted"), &json!(500))
    );
    assert!(!announced[1].detail.to_string().contains("http://"), "a URL may hold a secret");
}

#[tokio::test]
async fn however_often_messages_come_an_announcement_keeps_its_id() {
    let Subscribed { world, receiver: _receiver, .. } = Subscribed::answering(500).await;
    report_ten(&world).await;
    world.run_to_rest_with_every_message_twice().await;
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for announced in world.announced() {
        ids.entry(announced.kind).or_default().push(announced.detail["id"].to_string());
    }
    assert_eq!(ids.keys().collect::<Vec<_>>(), ["webhook.banned", "webhook.reactivated"]);
    for ids in ids.values_mut() {
        ids.dedup();
        assert_eq!(ids.len(), 1);
    }
}

#[tokio::test]
async fn who_dies_between_a_deletion_and_its_announcement_is_continued() {
    let Subscribed { world, receiver: _receiver, webhook, .. } = Subscribed::answering(500).await;
    let store = &world.system.context.store;
    let (company, id) = ("1".parse().expect("an id"), webhook["id"].to_string().parse().expect("an id"));
    let stored = store.webhook(&company, id).await.expect("an answer").expect("a webhook");
    let removal = store.remove_webhook(stored, RemoveReason::Deleted, START, |_| true).await;
    assert!(matches!(removal, Ok(Removal::Removed(..))));
    assert!(world.announced().is_empty());
    world.run_to_rest().await;
    let announced = world.announced();
    // Looked at five minutes after it was due, by the sweep that comes every five minutes.
    assert_eq!(kinds(&announced), [("webhook.deleted", START + Duration::from_mins(5))]);
    assert_eq!(announced[0].detail["at"], START.to_string());
}

#[tokio::test]
async fn who_dies_after_the_tenth_strike_is_continued() {
    let Subscribed { world, receiver: _receiver, .. } = Subscribed::answering(500).await;
    report_ten(&world).await;
    while !world.pump("EventsQueue").await.is_empty() {}
    world.system.aws.refuse("AWSEvents.PutEvents");
    world.settle().await;
    assert!(world.announced().is_empty());
    world.system.aws.permit("AWSEvents.PutEvents");
    world.run_to_rest().await;
    let announced = world.announced();
    assert_eq!(
        kinds(&announced),
        [("webhook.banned", START + Duration::from_mins(5)), ("webhook.reactivated", START + BAN)]
    );
    assert_eq!(announced[0].detail["at"], START.to_string());
}

#[tokio::test]
async fn nothing_of_an_announcement_that_was_told_is_left() {
    let Subscribed { world, receiver: _receiver, webhook, .. } = Subscribed::answering(500).await;
    report_ten(&world).await;
    world.settle().await;
    let kept = async || {
        let items = world.items().await;
        items.iter().filter(|item| item["announcement"].is_object()).count()
    };
    assert_eq!(kept().await, 1, "the end of the ban");
    world.run_to_rest().await;
    assert_eq!(kept().await, 0);
    world.unsubscribe(&world.owner().await, &webhook).await;
    assert_eq!(kept().await, 0);
}
