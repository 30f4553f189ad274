//! Holds: after a failure the app waits in that shop for a minute, nothing is lost, and nobody starves (facts: ePages,
//! Delivery policy; design: Where the sources are silent).

use std::{collections::HashMap, time::Duration};

use axum::http::{Method, StatusCode};
use knockback::{
    clock::Clock,
    domain::{Policies, Timestamp},
};
use serde_json::{Value, json};
use tests::{Receiver, World};

use super::{order, report_order};

/// An app with a dead receiver of orders and a healthy one of products.
struct Neighbours {
    world: World,
    dead: Receiver,
    healthy: Receiver,
}

impl Neighbours {
    async fn new(policies: Policies) -> Self {
        let world = World::with(policies, None).await;
        let (dead, healthy) = (world.receiver().await, world.receiver().await);
        dead.answers(500);
        let token = world.shop_app("DemoShop", "mailer").await;
        world.hook(&token, "DemoShop", &dead.url(), "ORDER_CREATE").await;
        world.hook(&token, "DemoShop", &healthy.url(), "PRODUCT_CREATE").await;
        Self { world, dead, healthy }
    }

    /// Has events of both come for so many minutes: an order at each full minute, and half a minute after every fifth a
    /// product. Answers with the longest time that a product's delivery took.
    async fn longest_wait(&self, minutes: u32) -> Duration {
        let mut reported: HashMap<String, Timestamp> = HashMap::new();
        for minute in 0..minutes {
            report_order(&self.world, &format!("O-{minute}")).await;
            self.world.run_for(Duration::from_secs(30)).await;
            if minute % 5 == 0 {
                let id = format!("P-{minute}");
                self.world.report(product(&id)).await;
                reported.insert(id, self.world.clock.now());
            }
            // The next order is there before what is due in the same instant, and its failure begins a new hold.
            self.world.run_for(Duration::from_millis(29_999)).await;
            self.world.clock.advance(Duration::from_millis(1));
        }
        self.world.run_for(Duration::from_mins(2)).await;
        let received = self.healthy.received();
        let took = received.iter().map(|received| {
            let url = received.json()["entityUrl"].as_str().expect("a URL").to_owned();
            let id = url.rsplit('/').next().expect("an id").to_owned();
            received.at.since(reported.remove(&id).expect("each arrives once"))
        });
        let longest = took.max().expect("some");
        assert!(reported.is_empty(), "{} were lost", reported.len());
        longest
    }
}

fn product(id: &str) -> Value {
    json!({"company_id": "DemoShop", "object": "product", "action": "create", "entity_id": id, "data": {"id": id}})
}

#[tokio::test]
async fn five_hundred_deliveries_that_arise_during_a_hold_all_arrive_after_it() {
    let Neighbours { world, dead, healthy } = Neighbours::new(Policies::default()).await;
    report_order(&world, "O-1").await;
    world.run_for(Duration::from_secs(10)).await;
    assert_eq!(dead.received().len(), 1);
    for hundred in 0..5 {
        let events: Vec<_> = (0..100).map(|n| product(&format!("P-{}", 100 * hundred + n))).collect();
        let reply = world.platform(Method::POST, "/v1/events", Value::from(events).to_string()).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text);
        world.run_for(Duration::from_secs(9)).await;
    }
    world.run_for(Duration::from_millis(4999)).await;
    assert_eq!(healthy.received().len(), 0, "the hold is on");
    world.run_for(Duration::from_secs(2)).await;
    let mut arrived: Vec<_> =
        healthy.received().iter().map(|received| received.json()["entityUrl"].to_string()).collect();
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!((arrived.len(), healthy.received().len()), (500, 500));
    assert!(healthy.times().iter().all(|ms| *ms >= 60_000));
    assert_eq!(world.depth("DeliveriesDlq"), 0);
}

/// The retry of each order comes a day later, so that one attempt fails each minute.
#[tokio::test]
async fn beside_a_webhook_that_fails_once_a_minute_for_a_day_nobody_waits_longer_than_a_hold() {
    let policies = Policies::default().with("epages.retries=1day").expect("a policy");
    let neighbours = Neighbours::new(policies).await;
    let longest = neighbours.longest_wait(24 * 60).await;
    assert!(longest >= Duration::from_secs(30), "they do wait: {longest:?}");
    assert!(longest <= Duration::from_secs(70), "{longest:?}");
    // The first retry is the first one that is used up.
    assert_eq!(neighbours.dead.received().len(), 24 * 60 + 1);
}

/// With all retries, attempts fail all the time: a hold follows the other.
#[tokio::test]
async fn beside_a_webhook_whose_retries_fail_all_the_time_nobody_waits_longer_than_a_hold() {
    let neighbours = Neighbours::new(Policies::default()).await;
    let longest = neighbours.longest_wait(2 * 60).await;
    assert!(longest <= Duration::from_secs(70), "{longest:?}");
}

#[tokio::test]
async fn a_hold_is_of_one_app_in_one_shop() {
    let Neighbours { world, dead, healthy } = Neighbours::new(Policies::default()).await;
    let (other_app, other_shop) = (world.receiver().await, world.receiver().await);
    let shipper = world.shop_app("DemoShop", "shipper").await;
    world.hook(&shipper, "DemoShop", &other_app.url(), "PRODUCT_CREATE").await;
    let elsewhere = world.shop_app("OtherShop", "mailer").await;
    world.hook(&elsewhere, "OtherShop", &other_shop.url(), "PRODUCT_CREATE").await;
    report_order(&world, "O-1").await;
    world.run_for(Duration::from_secs(1)).await;
    world.report(product("P-1")).await;
    let mut in_other_shop = product("P-1");
    in_other_shop["company_id"] = json!("OtherShop");
    world.report(in_other_shop).await;
    world.settle().await;
    assert_eq!((dead.received().len(), healthy.received().len()), (1, 0));
    assert_eq!((other_app.times(), other_shop.times()), (vec![1000], vec![1000]));
}

#[tokio::test]
async fn a_retry_that_comes_due_during_a_hold_waits_for_its_end_but_no_delivery_waits_for_two() {
    let Neighbours { world, dead, healthy } = Neighbours::new(Policies::default()).await;
    healthy.answers(500);
    // The product fails at 0, 60 and 240 s, each time as a hold ends or none is on. The order waits from 30 to 60 s.
    world.report(product("P-1")).await;
    world.run_for(Duration::from_secs(30)).await;
    report_order(&world, "O-1").await;
    world.run_for(Duration::from_secs(500)).await;
    // This one's failure holds the app from 530 to 590 s: the product's retry, due at 540 s, waits. It fails, and holds the
    // app until 650 s: the first order's retry, due at 600 s, has waited for a hold before.
    report_order(&world, "O-2").await;
    world.run_for(Duration::from_secs(80)).await;
    assert_eq!(healthy.times(), [0, 60_000, 240_000, 590_000]);
    assert_eq!(dead.times(), [60_000, 120_000, 300_000, 530_000, 590_000, 600_000]);
}

#[tokio::test]
async fn a_delivery_that_waits_for_a_hold_ends_with_its_webhook() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.answers(500);
    let token = world.shop_app("DemoShop", "mailer").await;
    let hook = world.hook(&token, "DemoShop", &receiver.url(), "ORDER_CREATE").await;
    report_order(&world, "O-1").await;
    world.run_for(Duration::from_secs(1)).await;
    world.report(order("O-2")).await;
    world.run_for(Duration::from_secs(1)).await;
    world.switch_hook(&token, "DemoShop", &hook, false).await;
    world.switch_hook(&token, "DemoShop", &hook, true).await;
    world.run_to_rest().await;
    assert_eq!(receiver.times(), [0]);
    let attempts = world.hook_attempts("DemoShop", &hook).await;
    let ends: Vec<_> = attempts.iter().map(|attempt| (&attempt["state"], &attempt["dropped"])).collect();
    let (failed, dropped, none, inactive) =
        (json!("failed"), json!("dropped"), Value::Null, json!("inactive"));
    assert_eq!(ends, [(&failed, &none), (&dropped, &inactive), (&dropped, &inactive)]);
}
