//! A quota is never exceeded under concurrent creates, and never leaks.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::World;

use crate::quotas::create_at_once;

/// The count that is kept for user 10 of company 1.
async fn quota(world: &World) -> Value {
    let items = world.items().await;
    items.into_iter().find(|item| item["sk"] == "Q##10").map_or(Value::Null, |item| item["count"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_6_holds_for_200_concurrent_creates_and_for_concurrent_deletes() {
    let world = World::new().await;
    let owner = world.owner().await;
    for _ in 0..2 {
        assert_eq!(create_at_once(&world, &owner, 200).await, BTreeMap::from([(201, 40), (422, 160)]));
        let webhooks = world.webhooks(&owner).await;
        assert_eq!((webhooks.len(), quota(&world).await), (40, json!(40)));
        let deletes = webhooks.into_iter().map(|webhook| {
            let (world, owner) = (world.clone(), owner.clone());
            // Twice each: the second must not make room.
            tokio::spawn(async move {
                let (one, two) =
                    tokio::join!(world.unsubscribe(&owner, &webhook), world.unsubscribe(&owner, &webhook));
                assert_eq!([one, two].iter().filter(|reply| reply.status == 200).count(), 1);
            })
        });
        for delete in deletes.collect::<Vec<_>>() {
            delete.await.expect("deleted once");
        }
        assert!(world.webhooks(&owner).await.is_empty());
        assert_eq!(quota(&world).await, 0);
    }
}

/// On threads: creates and deletes of the same owner, all at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_6_holds_for_creates_and_deletes_at_once() {
    let world = World::new().await;
    let owner = world.owner().await;
    create_at_once(&world, &owner, 30).await;
    let removals: Vec<_> = world
        .webhooks(&owner)
        .await
        .into_iter()
        .map(|webhook| {
            let (world, owner) = (world.clone(), owner.clone());
            tokio::spawn(async move { world.unsubscribe(&owner, &webhook).await.status.as_u16() })
        })
        .collect();
    let created = create_at_once(&world, &owner, 60).await;
    let mut removed = 0;
    for removal in removals {
        removed += usize::from(removal.await.expect("an answer") == 200);
    }
    let left = world.webhooks(&owner).await.len();
    assert_eq!(left, 30 + created[&201] - removed);
    assert!(left <= 40);
    assert_eq!(quota(&world).await, left);
}

#[tokio::test]
async fn rule_6_holds_when_transactions_meet_others() {
    let world = World::new().await;
    let owner = world.owner().await;
    for count in 1..=3 {
        world.system.aws.conflict(5);
        assert_eq!(create_at_once(&world, &owner, 1).await, BTreeMap::from([(201, 1)]));
        assert_eq!(quota(&world).await, count);
    }
    for webhook in world.webhooks(&owner).await {
        world.system.aws.conflict(5);
        assert_eq!(world.unsubscribe(&owner, &webhook).await.status, 200);
    }
    assert_eq!(quota(&world).await, 0);
}
