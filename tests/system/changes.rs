//! Looking at one webhook, and changing it (design: HTTP API).

use std::time::Duration;

use axum::http::{Method, StatusCode};
use knockback::store::Changed;
use serde_json::{Value, json};
use tests::{Reply, START, Subscribed, World};

async fn change(world: &World, token: &str, webhook: &Value, body: Value) -> Reply {
    world.call(Method::PATCH, &format!("/v1/webhooks/{}", webhook["id"]), token, body.to_string()).await
}

#[tokio::test]
async fn one_webhook_shows_how_it_fares_at_any_moment() {
    let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(200).await;
    let shown = async || {
        let shown = world.read(&owner, &webhook).await;
        ["strikes", "banned_until", "is_active", "last_delivery_time", "last_http_status"]
            .map(|name| shown[name].clone())
    };
    assert_eq!(shown().await, [json!(0), json!(null), json!(1), json!(null), json!(null)]);
    world.report(json!({})).await;
    world.settle().await;
    let first = json!(START.to_string());
    assert_eq!(shown().await, [json!(0), json!(null), json!(1), first, json!(200)]);

    // While all is well nothing is written to the webhook, and the log knows better.
    world.run_for(Duration::from_mins(1)).await;
    receiver.answers(204);
    world.report(json!({})).await;
    world.settle().await;
    let second = json!((START + Duration::from_mins(1)).to_string());
    assert_eq!(shown().await, [json!(0), json!(null), json!(1), second, json!(204)]);

    receiver.answers(503);
    world.run_for(Duration::from_secs(1)).await;
    for _ in 0..9 {
        world.report(json!({})).await;
    }
    world.settle().await;
    let third = json!((START + Duration::from_secs(61)).to_string());
    assert_eq!(shown().await, [json!(9), json!(null), json!(1), third.clone(), json!(503)]);
    world.report(json!({})).await;
    world.settle().await;
    let until = json!((START + Duration::from_secs(61 + 1800)).to_string());
    assert_eq!(shown().await, [json!(10), until.clone(), json!(0), third, json!(503)]);
    world.run_for(Duration::from_millis(1_799_999)).await;
    let last = json!((START + Duration::from_secs(61 + 183)).to_string());
    assert_eq!(shown().await, [json!(10), until, json!(0), last.clone(), json!(503)]);
    world.run_for(Duration::from_millis(1)).await;
    assert_eq!(shown().await, [json!(0), json!(null), json!(1), last, json!(503)]);
}

#[tokio::test]
async fn a_webhook_that_is_gone_says_why() {
    let Subscribed { world, receiver: _receiver, webhook, owner } = Subscribed::answering(200).await;
    world.unsubscribe(&owner, &webhook).await;
    let shown = world.read(&owner, &webhook).await;
    assert_eq!(shown["remove_time"], json!(START.to_string()));
    assert_eq!((&shown["remove_reason"], &shown["is_active"]), (&json!("deleted"), &json!(0)));
    assert_eq!(change(&world, &owner, &webhook, json!({})).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_change_is_answered_with_the_webhook_as_it_is_now() {
    let Subscribed { world, receiver: _receiver, webhook, owner } = Subscribed::answering(200).await;
    let changes = json!({"subscription_url": "http://127.0.0.1:2/new", "event_action": "delete",
        "event_object": "person", "name": "new", "http_auth_user": "ann", "http_auth_password": "pass"});
    let reply = change(&world, &owner, &webhook, changes.clone()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    assert!(!reply.text.contains("pass\"") && reply.body["data"].get("signing_secret").is_none());
    for (name, value) in changes.as_object().expect("fields") {
        let expected = if name == "http_auth_password" { &Value::Null } else { value };
        assert_eq!(&reply.body["data"][name], expected, "{name}");
    }
    assert_eq!(world.read(&owner, &webhook).await, reply.body["data"]);
    let same = change(&world, &owner, &webhook, json!({})).await;
    assert_eq!(same.body["data"], reply.body["data"]);
    let cleared = change(&world, &owner, &webhook, json!({"name": null, "http_auth_user": null})).await;
    assert_eq!(
        (&cleared.body["data"]["name"], &cleared.body["data"]["http_auth_user"]),
        (&json!(null), &json!(null))
    );
}

#[tokio::test]
async fn an_event_after_the_answer_is_matched_by_the_new_pattern_with_index_reads_lagging() {
    let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(200).await;
    world.system.aws.tables.set_index_lag(Duration::from_secs(10)).expect("a lag");
    change(&world, &owner, &webhook, json!({"event_object": "person"})).await;
    world.report(json!({"entity_id": "old"})).await;
    world.report(json!({"object": "person", "entity_id": "new"})).await;
    world.settle().await;
    change(&world, &owner, &webhook, json!({"event_object": "*", "event_action": "create"})).await;
    world.report(json!({"object": "person", "entity_id": "old"})).await;
    world.report(json!({"object": "lead", "action": "create", "entity_id": "newer"})).await;
    world.settle().await;
    change(&world, &owner, &webhook, json!({"event_object": "person", "event_action": "*"})).await;
    world.report(json!({"object": "person", "entity_id": "newest"})).await;
    world.run_to_rest().await;
    let entities: Vec<_> =
        receiver.received().iter().map(|post| post.json()["meta"]["entity_id"].clone()).collect();
    assert_eq!(entities, ["new", "newer", "newest"]);
}

#[tokio::test]
async fn switched_off_it_gets_nothing_and_what_was_pending_is_recorded_as_dropped() {
    let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(200).await;
    receiver.answers(500);
    world.report(json!({"entity_id": "retried"})).await;
    world.settle().await;
    world.report(json!({"entity_id": "queued"})).await;
    world.pump("EventsQueue").await;
    let off = change(&world, &owner, &webhook, json!({"is_active": false})).await;
    assert_eq!(off.body["data"]["is_active"], 0);
    world.report(json!({"entity_id": "after"})).await;
    world.run_to_rest().await;
    assert_eq!(receiver.received().len(), 1);
    let dropped: Vec<_> = world
        .attempts(&webhook)
        .await
        .iter()
        .filter(|attempt| attempt["dropped"] == "inactive")
        .map(|attempt| attempt["about"]["entity"].clone())
        .collect();
    assert_eq!(dropped.len(), 2, "{dropped:?}");
    assert!(!dropped.contains(&json!("after")), "nothing is begun for it");

    receiver.answers(200);
    world.system.aws.tables.set_index_lag(Duration::from_secs(10)).expect("a lag");
    assert_eq!(change(&world, &owner, &webhook, json!({"is_active": 1})).await.body["data"]["is_active"], 1);
    world.report(json!({"entity_id": "again"})).await;
    world.settle().await;
    assert_eq!(receiver.received().last().expect("a POST").json()["meta"]["entity_id"], "again");
}

#[tokio::test]
async fn what_waits_goes_to_the_new_url_with_the_new_password() {
    let Subscribed { world, receiver: old, webhook, owner } = Subscribed::answering(200).await;
    let new = world.receiver().await;
    old.answers(500);
    world.report(json!({})).await;
    world.settle().await;
    let changes =
        json!({"subscription_url": new.url(), "http_auth_user": "ann", "http_auth_password": "pass"});
    assert_eq!(change(&world, &owner, &webhook, changes).await.status, StatusCode::OK);
    world.run_to_rest().await;
    assert_eq!((old.received().len(), new.times()), (1, vec![3_000]));
    assert_eq!(new.received()[0].header("authorization"), Some("Basic YW5uOnBhc3M="));
}

#[tokio::test]
async fn only_who_manages_a_webhook_reads_or_changes_it() {
    let Subscribed { world, receiver: _receiver, webhook, owner } = Subscribed::answering(200).await;
    let colleague = world.token(json!({"company_id": "1", "user_id": "11"})).await;
    let admin = world.token(json!({"company_id": "1", "user_id": "11", "admin": true})).await;
    let app = world.token(json!({"company_id": "1", "user_id": "10", "app": "crm"})).await;
    let stranger = world.token(json!({"company_id": "2", "user_id": "10", "admin": true})).await;
    let reader = world.token(json!({"company_id": "1", "user_id": "10", "scopes": ["webhooks:read"]})).await;
    let path = format!("/v1/webhooks/{}", webhook["id"]);
    for (token, read, changed) in [
        (&owner, 200, 200),
        (&admin, 200, 200),
        (&colleague, 403, 403),
        (&app, 403, 403),
        (&stranger, 404, 404),
        (&reader, 200, 403),
    ] {
        let reply = world.call(Method::GET, &path, token, "").await;
        assert_eq!(reply.status.as_u16(), read, "{}", reply.text);
        let reply = change(&world, token, &webhook, json!({"name": "x"})).await;
        assert_eq!(reply.status.as_u16(), changed, "{}", reply.text);
    }
    let unknown = change(&world, &owner, &json!({"id": 999}), json!({})).await;
    assert_eq!(
        (unknown.status, &unknown.body["errors"]["id"]),
        (StatusCode::NOT_FOUND, &json!(["not found"]))
    );
}

#[tokio::test]
async fn a_change_that_is_refused_changes_nothing() {
    let world = World::public().await;
    let owner = world.owner().await;
    let webhook = world.subscribe(&owner, "https://93.184.216.34/hook", json!({})).await;
    let before = world.items().await;
    for body in [
        json!({"subscription_url": "https://10.0.0.1/"}),
        json!({"subscription_url": "https://knockback.test/"}),
        json!({"name": "fine", "event_object": "deals"}),
        json!({"name": "fine", "version": "1.0"}),
        json!([]),
    ] {
        let reply = change(&world, &owner, &webhook, body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text);
    }
    assert_eq!(world.items().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_and_failures_at_once_lose_neither_a_change_nor_a_strike() {
    let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(200).await;
    receiver.answers(500);
    for _ in 0..9 {
        world.report(json!({})).await;
    }
    while !world.pump("EventsQueue").await.is_empty() {}
    let changes = [
        json!({"name": "changed"}),
        json!({"event_action": "change"}),
        json!({"event_object": "*"}),
        json!({"http_auth_user": "ann"}),
    ];
    let changes: Vec<_> = changes
        .into_iter()
        .map(|body| {
            let (world, owner, webhook) = (world.clone(), owner.clone(), webhook.clone());
            tokio::spawn(async move { change(&world, &owner, &webhook, body).await.status })
        })
        .collect();
    world.settle().await;
    for change in changes {
        assert_eq!(change.await.expect("an answer"), StatusCode::OK);
    }
    let shown = world.read(&owner, &webhook).await;
    let fields =
        ["name", "event_action", "event_object", "http_auth_user", "strikes"].map(|name| shown[name].clone());
    assert_eq!(fields, [json!("changed"), json!("change"), json!("*"), json!("ann"), json!(9)]);
}

/// The change has read the webhook; then a strike is written; then the change is.
#[tokio::test]
async fn a_change_that_was_decided_before_a_strike_is_decided_again() {
    let Subscribed { world, webhook, receiver: _receiver, .. } = Subscribed::answering(500).await;
    let store = &world.system.context.store;
    let (company, id) = ("1".parse().expect("an id"), webhook["id"].to_string().parse().expect("an id"));
    let read = store.webhook(&company, id).await.expect("an answer").expect("a webhook");
    world.report(json!({})).await;
    world.settle().await;
    let mut changed = read.webhook.clone();
    changed.name = Some("changed".to_owned());
    let Changed::Meanwhile(now) = store.change_webhook(&read, &changed, START).await.expect("an answer")
    else {
        panic!("the strike was overwritten");
    };
    assert_eq!(now.webhook.health.strikes, 1);
    assert_eq!(world.health(&webhook).await["strikes"], 1);
}

/// Fan-out may come to an event only after the change: what matched when it was accepted is delivered, once.
#[tokio::test]
async fn an_event_that_was_accepted_before_a_change_of_the_object_is_delivered_once() {
    for (before, after) in [("*", "deal"), ("deal", "*"), ("deal", "person")] {
        let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(200).await;
        change(&world, &owner, &webhook, json!({"event_object": before})).await;
        world.report(json!({"entity_id": "before"})).await;
        world.clock.advance(Duration::from_millis(1));
        change(&world, &owner, &webhook, json!({"event_object": after})).await;
        let expected = if after == "person" { json!({"object": "person"}) } else { json!({}) };
        world.report(expected).await;
        world.report(json!({"object": "lead", "entity_id": "of all"})).await;
        world.run_to_rest().await;
        let posts = receiver.received();
        assert_eq!(posts[0].json()["meta"]["entity_id"], "before", "{before} {after}");
        assert_eq!(posts.len(), if after == "*" { 3 } else { 2 }, "{before} {after}");
    }
}

#[tokio::test]
async fn the_last_delivery_is_found_behind_any_number_of_drops() {
    let Subscribed { world, receiver, webhook, owner } = Subscribed::answering(200).await;
    world.report(json!({})).await;
    world.settle().await;
    world.run_for(Duration::from_mins(2)).await;
    world.report(json!({})).await;
    world.settle().await;
    let last = START + Duration::from_mins(2);
    change(&world, &owner, &webhook, json!({"is_active": false})).await;
    change(&world, &owner, &webhook, json!({"is_active": true})).await;
    for entity in 0..120 {
        world.report(json!({"entity_id": entity})).await;
    }
    while !world.pump("EventsQueue").await.is_empty() {}
    change(&world, &owner, &webhook, json!({"is_active": false})).await;
    world.run_to_rest().await;
    assert_eq!(world.attempts(&webhook).await.len(), 122);
    assert_eq!(receiver.received().len(), 2);
    assert_eq!(world.read(&owner, &webhook).await["last_delivery_time"], last.to_string());
}
