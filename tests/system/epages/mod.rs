//! ePages' dialect (facts: ePages).

mod api;
mod both;
mod callers;
mod holds;
mod inputs;
mod schedule;
mod shops;
mod uninstall;

use serde_json::{Value, json};
use tests::World;

/// Where the webhooks of the shop are that most tests have.
const WEBHOOKS: &str = "/rs/shops/DemoShop/webhooks";

/// A new order of the shop, as the platform reports it.
fn order(id: &str) -> Value {
    json!({"company_id": "DemoShop", "object": "order", "action": "create", "entity_id": id, "data": {"id": id}})
}

async fn report_order(world: &World, id: &str) {
    world.report(order(id)).await;
}
