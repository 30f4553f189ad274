//! Mail to the owners of webhooks: of which they get one each, whatever becomes of the messages and functions.

use std::time::Duration;

use axum::http::Method;
use knockback::{
    domain::{Announcement, Change, Notice, Policies},
    store::NoticeClaim,
};
use local::aws::mail::Mail;
use serde_json::{Value, json};
use tests::{MAIL_FROM, Receiver, START, World};

const HOUR: Duration = Duration::from_hours(1);
const SEND: &str = "SES.SendEmail";

/// A world with a webhook of what `member` says, such as a contact. Its receiver answers 500, and after six hours of that
/// it is stale.
async fn failing(member: Value) -> (World, Receiver, Value, String) {
    failing_under("pipedrive.stale=6h", member).await
}

async fn failing_under(policy: &str, member: Value) -> (World, Receiver, Value, String) {
    let world = World::with(Policies::default().with(policy).expect("a policy"), None).await;
    world.listen().await;
    let receiver = world.receiver().await;
    receiver.answers(500);
    let token = world.token(member).await;
    let webhook = world.subscribe(&token, &receiver.url(), json!({"name": "Orders"})).await;
    (world, receiver, webhook, token)
}

/// A webhook whose owner has a contact.
async fn failing_for_somebody() -> (World, Receiver, Value, String) {
    failing(owner()).await
}

fn owner() -> Value {
    json!({"company_id": "1", "user_id": "10", "contact": "owner@example.com"})
}

/// Lets everything fail until the webhook is deleted.
async fn fail_to_the_end(world: &World) {
    world.report(json!({})).await;
    world.run_for(HOUR * 6).await;
    world.run_to_rest().await;
}

/// To whom, and about what.
fn sent(world: &World) -> Vec<(String, String)> {
    world.system.aws.mails().into_iter().map(|mail| (mail.to.join(","), mail.subject)).collect()
}

fn the_one(world: &World) -> Mail {
    let mut mails = world.system.aws.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    mails.remove(0)
}

/// The event that warns an owner four hours after the first failure, as it was on the queue: notify has not had it.
async fn warning(world: &World) -> String {
    world.report(json!({})).await;
    world.run_until(START + HOUR * 4 - Duration::from_millis(1)).await;
    world.clock.advance(Duration::from_millis(1));
    world.system.fire_due_schedules().await;
    let messages = world.receive("NoticesQueue");
    world.delete("NoticesQueue", &messages);
    messages[0].body.clone()
}

#[tokio::test]
async fn an_owner_is_warned_a_day_before_a_webhook_is_deleted_and_told_when_it_was() {
    let (world, _receiver, webhook, token) = failing_under("", owner()).await;
    for _ in 0..2 {
        world.report(json!({})).await;
        world.run_for(HOUR * 24).await;
    }
    let mail = the_one(&world);
    assert_eq!((mail.at, &*mail.from), (START + HOUR * 48, MAIL_FROM));
    assert_eq!(
        sent(&world),
        [("owner@example.com".to_owned(), "Webhook 1 (\"Orders\") will be deleted".to_owned())]
    );
    let text = mail.text.expect("a text");
    for line in [
        "Will be deleted: 2026-01-04 00:00:00 UTC",
        "Fails since: 2026-01-01 00:00:00 UTC",
        "Last status: 500",
        "It failed because: answered 500 Internal Server Error",
        "  PATCH /v1/webhooks/1",
    ] {
        assert!(text.contains(line), "{text}");
    }

    world.report(json!({})).await;
    world.run_for(HOUR * 24).await;
    assert_eq!(world.read(&token, &webhook).await["remove_reason"], "stale");
    let mails = world.system.aws.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!((&*mails[1].subject, mails[1].at), ("Webhook 1 (\"Orders\") was deleted", START + HOUR * 72));
    assert!(mails[1].html.as_ref().is_some_and(|html| html.contains("POST /v1/webhooks\n")));
    assert!(!mails.iter().any(|mail| format!("{mail:?}").contains("/hook")), "a path may be a secret");
    assert_eq!(world.system.aws.counts().calls(SEND), 2);
    assert_eq!(world.depth("NoticesDlq"), 0);
}

#[tokio::test]
async fn the_developer_of_an_app_is_told_of_its_webhooks() {
    let member =
        json!({"company_id": "1", "user_id": "10", "app": "crm-sync", "contact": "owner@example.com"});
    let (world, _receiver, ..) = failing(member).await;
    let app = json!({"name": "CRM Sync", "contact": "dev@example.com"}).to_string();
    assert_eq!(world.platform(Method::PUT, "/v1/apps/crm-sync", app).await.status, 201);
    fail_to_the_end(&world).await;
    let to: Vec<_> = sent(&world).into_iter().map(|(to, _)| to).collect();
    assert_eq!(to, ["dev@example.com", "dev@example.com"]);
}

#[tokio::test]
async fn where_nobody_is_to_be_told_there_is_no_mail() {
    let (world, _receiver, ..) = failing(json!({"company_id": "1", "user_id": "10"})).await;
    fail_to_the_end(&world).await;
    assert_eq!(world.announced().len(), 2);
    assert_eq!(world.system.aws.counts().calls(SEND), 0);
    assert_eq!((world.depth("NoticesQueue"), world.depth("NoticesDlq")), (0, 0));
}

#[tokio::test]
async fn without_an_address_to_send_from_there_is_no_mail() {
    let (other, _receiver, ..) = failing_for_somebody().await;
    let event = warning(&other).await;
    let world = World::without_mail().await;
    let before = world.system.aws.counts();
    world.send_message("NoticesQueue", &event);
    world.run_to_rest().await;
    let counts = world.system.aws.counts().since(&before);
    assert_eq!((counts.calls(SEND), counts.read_units()), (0, 0.0));
    assert_eq!((world.depth("NoticesQueue"), world.depth("NoticesDlq")), (0, 0));
}

#[tokio::test]
async fn who_deletes_a_webhook_or_removes_an_app_is_not_mailed() {
    let member = json!({"company_id": "1", "user_id": "10", "app": "crm-sync", "contact": "dev@example.com"});
    let (world, receiver, webhook, token) = failing(member).await;
    for _ in 0..3 {
        world.subscribe(&token, &receiver.url(), json!({})).await;
    }
    let before = world.system.aws.counts();
    assert_eq!(world.unsubscribe(&token, &webhook).await.status, 200);
    assert_eq!(world.platform(Method::DELETE, "/v1/apps/crm-sync", "").await.status, 202);
    world.run_to_rest().await;
    let deleted = world.announced();
    assert_eq!(deleted.iter().filter(|event| event.kind == "webhook.deleted").count(), 4);
    assert_eq!(sent(&world), []);
    let counts = world.system.aws.counts().since(&before);
    assert_eq!(counts.calls(SEND), 0);
}

#[tokio::test]
async fn a_webhook_that_has_recovered_is_not_warned_of() {
    let (world, receiver, webhook, _) = failing_for_somebody().await;
    let event = warning(&world).await;
    // The event is late: the webhook has recovered, and begun to fail anew.
    receiver.answers(200);
    world.report(json!({})).await;
    world.settle().await;
    world.send_message("NoticesQueue", &event);
    world.settle().await;
    receiver.answers(500);
    world.run_for(Duration::from_secs(1)).await;
    world.report(json!({})).await;
    world.settle().await;
    assert!(world.health(&webhook).await["failing_since"].is_i64());
    world.send_message("NoticesQueue", &event);
    world.settle().await;
    assert_eq!(sent(&world), []);
    assert_eq!((world.depth("NoticesQueue"), world.depth("NoticesDlq")), (0, 0));
}

#[tokio::test]
async fn however_often_the_event_comes_its_owner_is_mailed_once() {
    let (world, _receiver, ..) = failing_for_somebody().await;
    let event = warning(&world).await;
    for _ in 0..5 {
        world.send_message("NoticesQueue", &event);
    }
    let messages = world.receive("NoticesQueue");
    assert_eq!(messages.len(), 5);
    for _ in 0..2 {
        assert_eq!(world.invoke("NoticesQueue", &messages).await, []);
    }
    the_one(&world);
    // Nobody deleted the messages: they come again.
    world.run_for(HOUR).await;
    world.send_message("NoticesQueue", &event);
    world.settle().await;
    the_one(&world);
    assert_eq!((world.depth("NoticesQueue"), world.depth("NoticesDlq")), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn copies_of_an_event_that_race_mail_once() {
    let (world, _receiver, ..) = failing_for_somebody().await;
    let event = warning(&world).await;
    world.send_message("NoticesQueue", &event);
    world.pump_at_once("NoticesQueue", 4).await;
    world.run_for(HOUR).await;
    the_one(&world);
    assert_eq!((world.depth("NoticesQueue"), world.depth("NoticesDlq")), (0, 0));
}

#[tokio::test]
async fn what_ses_did_not_take_is_sent_once_it_does() {
    let (world, _receiver, ..) = failing_for_somebody().await;
    let event = warning(&world).await;
    world.system.aws.refuse(SEND);
    world.send_message("NoticesQueue", &event);
    world.run_for(Duration::from_mins(6)).await;
    assert_eq!(world.system.aws.counts().calls(SEND), 2, "at once, and when the message came again");
    world.system.aws.permit(SEND);
    let begin = world.system.context.now();
    world.run_for(HOUR).await;
    assert_eq!(the_one(&world).at, begin + Duration::from_mins(6));
    assert_eq!((world.depth("NoticesQueue"), world.depth("NoticesDlq")), (0, 0));
}

#[tokio::test]
async fn what_ses_refuses_for_good_is_in_the_dead_letter_queue_and_can_be_sent_from_there() {
    let member = json!({"company_id": "1", "user_id": "10", "app": "crm-sync", "contact": "me@localhost"});
    let (world, _receiver, ..) = failing(member).await;
    let event = warning(&world).await;
    world.send_message("NoticesQueue", &event);
    world.run_for(HOUR).await;
    assert_eq!(world.system.aws.counts().calls(SEND), 5);
    assert_eq!((world.depth("NoticesQueue"), world.depth("NoticesDlq")), (0, 1));
    // Somebody says where the developer is reached, and moves the message back.
    let app = json!({"name": "CRM Sync", "contact": "dev@example.com"}).to_string();
    assert_eq!(world.platform(Method::PUT, "/v1/apps/crm-sync", app).await.status, 201);
    let dead = world.receive("NoticesDlq");
    world.delete("NoticesDlq", &dead);
    world.send_message("NoticesQueue", &dead[0].body);
    world.settle().await;
    assert_eq!(the_one(&world).to, ["dev@example.com"]);
}

#[tokio::test]
async fn who_dies_before_sending_is_continued_when_its_lease_is_over() {
    let (world, _receiver, ..) = failing_for_somebody().await;
    let event = warning(&world).await;
    let notice = Notice::parse(&event).expect("an event").expect("a notice");
    let (store, now) = (&world.system.context.store, world.system.context.now());
    let claimed = store.claim_notice(&notice, "who dies", now).await.expect("an answer");
    assert_eq!(claimed, NoticeClaim::Claimed);
    world.send_message("NoticesQueue", &event);
    world.settle().await;
    assert_eq!((sent(&world).len(), world.depth("NoticesQueue")), (0, 1), "it may be alive");
    world.run_for(HOUR).await;
    assert_eq!(the_one(&world).at, now + Duration::from_mins(6));
}

/// SES takes no name for a mail by which it would know a copy: so this is at least once.
#[tokio::test]
async fn who_dies_between_sending_and_noting_it_sends_it_again() {
    let (world, _receiver, ..) = failing_for_somebody().await;
    let event = warning(&world).await;
    world.system.aws.refuse("DynamoDB_20120810.UpdateItem");
    world.send_message("NoticesQueue", &event);
    world.settle().await;
    the_one(&world);
    world.system.aws.permit("DynamoDB_20120810.UpdateItem");
    world.run_for(HOUR).await;
    assert_eq!(world.system.aws.mails().len(), 2);
    assert_eq!((world.depth("NoticesQueue"), world.depth("NoticesDlq")), (0, 0));
}

#[tokio::test]
async fn a_message_that_cannot_be_read_keeps_no_mail_back() {
    let (world, _receiver, ..) = failing_for_somebody().await;
    let event = warning(&world).await;
    for body in ["not JSON", &event, r#"{"detail-type":"webhook.expiring","detail":{}}"#] {
        world.send_message("NoticesQueue", body);
    }
    world.settle().await;
    the_one(&world);
    assert_eq!(world.depth("NoticesQueue"), 2);
    world.run_for(HOUR).await;
    the_one(&world);
    assert_eq!((world.depth("NoticesQueue"), world.depth("NoticesDlq")), (0, 2));
}

#[tokio::test]
async fn a_webhook_that_was_deactivated_is_told_of_unless_it_is_on_again() {
    let (world, _receiver, webhook, token) = failing_for_somebody().await;
    let (company, id) = ("1".parse().expect("an id"), webhook["id"].to_string().parse().expect("an id"));
    let path = format!("/v1/webhooks/{}", webhook["id"]);
    // Switched off as the last failed retry does it.
    let off = json!({"is_active": false}).to_string();
    assert_eq!(world.call(Method::PATCH, &path, &token, off).await.status, 200);
    let store = &world.system.context.store;
    let stored = store.webhook(&company, id).await.expect("an answer").expect("a webhook").webhook;
    let change = Change::Deactivated { status: Some(503) };
    let announce = async |secs| {
        let at = START + Duration::from_secs(secs);
        let announcement = Announcement { at, change };
        knockback::bus::announce(&world.system.context, &stored, &[announcement]).await;
        world.settle().await;
    };
    announce(0).await;
    let mail = the_one(&world);
    assert_eq!(mail.subject, "Webhook 1 (\"Orders\") is deactivated");
    assert!(mail.text.expect("a text").contains("Last status: 503\n"));
    announce(0).await;
    the_one(&world);
    let on = json!({"is_active": true}).to_string();
    assert_eq!(world.call(Method::PATCH, &path, &token, on).await.status, 200);
    world.clock.advance(Duration::from_secs(1));
    announce(1).await;
    the_one(&world);
}
