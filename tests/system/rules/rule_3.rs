//! The ban starts at exactly 10 strikes and lasts its time; afterwards the counter is 0.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{START, Subscribed, World};

const BAN: Duration = Duration::from_mins(30);

async fn shown(world: &World, owner: &str, webhook: &Value) -> [Value; 3] {
    let shown = world.read(owner, webhook).await;
    ["strikes", "is_active", "banned_until"].map(|name| shown[name].clone())
}

#[tokio::test]
async fn rule_3_holds_strike_by_strike_and_to_the_millisecond() {
    let Subscribed { world, webhook, owner, receiver: _receiver } = Subscribed::answering(500).await;
    for round in 0_u32..3 {
        let begin = START + (BAN + Duration::from_mins(1)) * round;
        world.run_until(begin).await;
        for strikes in 1..=10 {
            world.report(json!({})).await;
            world.settle().await;
            let banned = strikes == 10;
            let until = if banned { json!((begin + BAN).to_string()) } else { json!(null) };
            assert_eq!(
                shown(&world, &owner, &webhook).await,
                [json!(strikes), json!(u8::from(!banned)), until]
            );
        }
        world.run_until(begin + BAN - Duration::from_millis(1)).await;
        let until = json!((begin + BAN).to_string());
        assert_eq!(shown(&world, &owner, &webhook).await, [json!(10), json!(0), until]);
        world.run_until(begin + BAN).await;
        assert_eq!(shown(&world, &owner, &webhook).await, [json!(0), json!(1), json!(null)]);
    }
}

/// On threads: forty originals fail at once, each with three copies of its message.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_3_holds_when_many_more_than_ten_fail_at_once() {
    let Subscribed { world, webhook, owner, receiver: _receiver } = Subscribed::answering(500).await;
    for entity in 0..40 {
        world.report(json!({"entity_id": entity})).await;
    }
    world.pump_at_once("EventsQueue", 3).await;
    world.pump_at_once("DeliveriesQueue", 3).await;
    let until = json!((START + BAN).to_string());
    assert_eq!(shown(&world, &owner, &webhook).await, [json!(10), json!(0), until]);
    world.run_until(START + BAN).await;
    assert_eq!(shown(&world, &owner, &webhook).await, [json!(0), json!(1), json!(null)]);
    let told: std::collections::BTreeSet<_> =
        world.announced().into_iter().map(|event| (event.kind, event.detail["id"].to_string())).collect();
    let kinds: Vec<_> = told.iter().map(|(kind, _)| &**kind).collect();
    assert_eq!(kinds, ["webhook.banned", "webhook.reactivated"], "one ban");
}

#[tokio::test]
async fn rule_3_holds_with_every_message_twice() {
    let Subscribed { world, webhook, owner, receiver } = Subscribed::answering(500).await;
    for entity in 0..10 {
        world.report(json!({"entity_id": entity})).await;
    }
    world.run_to_rest_with_every_message_twice().await;
    assert_eq!(receiver.received().len(), 40);
    assert_eq!(shown(&world, &owner, &webhook).await, [json!(0), json!(1), json!(null)]);
    assert_eq!(world.health(&webhook).await["banned_until"], (START + BAN).as_ms());
}
