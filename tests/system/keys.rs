//! A key that is added while functions are warm: nothing is lost, and nobody is struck (design: Safety).

use std::{sync::Arc, time::Duration};

use knockback::{clock::SystemEntropy, seal::Sealer};
use local::aws::connector::sdk_config;
use serde_json::{Value, json};
use tests::World;

const FETCH: &str = "secretsmanager.GetSecretValue";

/// How old a ring gets before it is fetched again to seal with.
const SEALS_FOR: Duration = Duration::from_mins(5);

/// Puts a ring into Secrets Manager: the present one after `change`.
async fn change_ring(world: &World, change: impl Fn(&mut Value)) {
    let call = async |operation: &str, request: Value| {
        let answer = world.system.aws.secrets.call(operation, request.to_string().as_bytes());
        assert_eq!(answer.status, 200);
        serde_json::from_slice::<Value>(&answer.body).expect("JSON")
    };
    let found = call("GetSecretValue", json!({"SecretId": "KeyRing"})).await;
    let mut ring = serde_json::from_str(found["SecretString"].as_str().expect("a ring")).expect("JSON");
    change(&mut ring);
    call("PutSecretValue", json!({"SecretId": "KeyRing", "SecretString": ring.to_string()})).await;
}

async fn add_key(world: &World, name: &str) {
    change_ring(world, |ring| {
        ring[name] = json!(format!("the key {name}, which is as long as it has to be"));
        ring["current"] = json!(name);
    })
    .await;
}

/// The names of the keys that have sealed the signing secrets, by the webhooks' order.
async fn sealed_by(world: &World) -> Vec<String> {
    let items = world.items().await;
    let sealed = items.iter().filter_map(|item| item["webhook"]["signing_secret"].as_str());
    sealed.map(|sealed| sealed.split('.').next().unwrap_or_default().to_owned()).collect()
}

fn fetches(world: &World) -> u64 {
    world.system.aws.counts().calls(FETCH)
}

#[tokio::test]
async fn a_rotation_with_warm_functions_loses_nothing_and_strikes_nobody() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let owner = world.owner().await;
    let password = json!({"http_auth_user": "u", "http_auth_password": "the password before"});
    let before = world.subscribe(&owner, &receiver.url(), password).await;
    world.report(json!({})).await;
    world.settle().await;
    assert_eq!(receiver.received().len(), 1, "both functions are warm");

    add_key(&world, "k2").await;
    world.report(json!({})).await;
    world.settle().await;
    world.run_for(SEALS_FOR).await;
    let password = json!({"http_auth_user": "u", "http_auth_password": "the password after"});
    let after = world.subscribe(&owner, &receiver.url(), password).await;
    assert_eq!(sealed_by(&world).await, ["k1", "k2"]);
    world.report(json!({})).await;
    world.run_to_rest().await;

    assert_eq!(receiver.received().len(), 4, "2 for the first alone, then 1 for each");
    for webhook in [before, after] {
        let attempts = world.attempts(&webhook).await;
        assert!(attempts.iter().all(|attempt| attempt["state"] == "succeeded"), "{attempts:?}");
        assert_eq!(world.health(&webhook).await["strikes"], 0);
    }
}

#[tokio::test]
async fn a_ring_that_was_not_to_be_had_at_the_start_is_asked_for_at_once_by_who_needs_a_key() {
    let world = World::new().await;
    let (sdk, clock) = (sdk_config(&world.system.aws), Arc::new(world.clock.clone()));
    let starting = Sealer::new(&sdk, Some("KeyRing".to_owned()), clock, Arc::new(SystemEntropy));
    world.system.aws.refuse(FETCH);
    starting.load().await.expect_err("refused");
    world.system.aws.permit(FETCH);
    starting.seal("a text", "a place").await.expect("sealed");
}

#[tokio::test]
async fn a_ring_that_cannot_be_fetched_makes_a_delivery_wait_and_is_no_failure_of_the_receiver() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let owner = world.owner().await;
    add_key(&world, "k2").await;
    world.clock.advance(SEALS_FOR);
    let webhook = world.subscribe(&owner, &receiver.url(), json!({})).await;
    world.system.aws.refuse(FETCH);
    world.report(json!({})).await;
    world.settle().await;
    assert_eq!((receiver.received().len(), world.attempts(&webhook).await.len()), (0, 0));
    assert_eq!(world.depth("DeliveriesQueue"), 1);

    world.system.aws.permit(FETCH);
    world.run_to_rest().await;
    let attempts = world.attempts(&webhook).await;
    assert_eq!((receiver.received().len(), attempts.len()), (1, 1));
    assert_eq!(attempts[0]["state"], "succeeded");
    assert_eq!(world.health(&webhook).await["strikes"], 0);
}

#[tokio::test]
async fn a_batch_of_deliveries_with_a_new_key_fetches_the_ring_once() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let owner = world.owner().await;
    add_key(&world, "k2").await;
    world.clock.advance(SEALS_FOR);
    for _ in 0..10 {
        world.subscribe(&owner, &receiver.url(), json!({})).await;
    }
    let before = fetches(&world);
    world.report(json!({})).await;
    world.settle().await;
    assert_eq!((receiver.received().len(), fetches(&world) - before), (10, 1));
}

#[tokio::test]
async fn a_key_that_no_ring_has_is_asked_for_every_ten_seconds_at_most_and_others_are_delivered() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let owner = world.owner().await;
    world.subscribe(&owner, &receiver.url(), json!({})).await;
    add_key(&world, "k2").await;
    world.clock.advance(SEALS_FOR);
    let lost = world.subscribe(&owner, &receiver.url(), json!({})).await;
    change_ring(&world, |ring| {
        ring["current"] = json!("k1");
        ring.as_object_mut().expect("an object").remove("k2");
    })
    .await;
    let before = fetches(&world);
    for _ in 0..5 {
        world.report(json!({})).await;
    }
    world.settle().await;
    assert_eq!((receiver.received().len(), fetches(&world) - before), (5, 1));
    assert_eq!(world.depth("DeliveriesQueue"), 5);
    world.run_to_rest().await;
    assert_eq!(world.depth("DeliveriesDlq"), 5, "they can be redriven once the key is back");
    assert!(world.attempts(&lost).await.is_empty());
}

#[tokio::test]
async fn a_key_that_was_wrong_and_is_put_right_is_found_without_a_restart() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let owner = world.owner().await;
    add_key(&world, "k2").await;
    world.clock.advance(SEALS_FOR);
    world.subscribe(&owner, &receiver.url(), json!({})).await;
    change_ring(&world, |ring| ring["k2"] = json!("another key that came under the same name")).await;
    world.report(json!({})).await;
    world.settle().await;
    assert_eq!((receiver.received().len(), world.depth("DeliveriesQueue")), (0, 1));

    add_key(&world, "k2").await;
    world.run_to_rest().await;
    assert_eq!((receiver.received().len(), world.depth("DeliveriesDlq")), (1, 0));
}

#[tokio::test]
async fn what_cannot_be_sealed_with_the_newest_key_is_sealed_with_the_one_at_hand() {
    let world = World::new().await;
    let owner = world.owner().await;
    add_key(&world, "k2").await;
    world.clock.advance(SEALS_FOR);
    world.system.aws.refuse(FETCH);
    world.subscribe(&owner, "http://127.0.0.1:1/", json!({})).await;
    assert_eq!(sealed_by(&world).await, ["k1"]);
}

#[tokio::test]
async fn a_ring_is_not_fetched_for_every_seal() {
    let world = World::new().await;
    let owner = world.owner().await;
    let before = fetches(&world);
    for _ in 0..10 {
        world.subscribe(&owner, "http://127.0.0.1:1/", json!({})).await;
        world.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(fetches(&world), before);
}
