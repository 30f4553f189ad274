//! What most tests begin with.

use std::time::Duration;

use knockback::domain::Policies;
use serde_json::{Value, json};

use crate::{Receiver, World};

/// A world with a webhook of user 10 of company 1 for everything that happens to deals, and what belongs to it.
#[derive(Debug)]
pub struct Subscribed {
    /// The world, which listens to the bus.
    pub world: World,
    /// Where the webhook points to.
    pub receiver: Receiver,
    /// The webhook, as it was answered.
    pub webhook: Value,
    /// The token of its owner.
    pub owner: String,
}

impl Subscribed {
    /// Its receiver answers with this status.
    pub async fn answering(status: u16) -> Self {
        Self::with(Policies::default(), status).await
    }

    /// Its receiver answers 500. An original was accepted a second before ten others failed; its message, which is answered
    /// too, comes to deliver only when it is sent again, during the ban.
    pub async fn with_an_original_from_before_its_ban() -> (Self, String) {
        let subscribed = Self::answering(500).await;
        let world = &subscribed.world;
        world.report(json!({"entity_id": "waits"})).await;
        world.pump("EventsQueue").await;
        let waits = world.receive("DeliveriesQueue");
        world.delete("DeliveriesQueue", &waits);
        world.run_for(Duration::from_secs(1)).await;
        for entity in 0..10 {
            world.report(json!({"entity_id": entity})).await;
        }
        world.settle().await;
        let message = waits.into_iter().next().map(|message| message.body);
        (subscribed, message.unwrap_or_default())
    }

    /// The same as the first, with these policies.
    pub async fn with(policies: Policies, status: u16) -> Self {
        let world = World::with(policies, None).await;
        world.listen().await;
        let receiver = world.receiver().await;
        receiver.answers(status);
        let owner = world.owner().await;
        let webhook = world.subscribe(&owner, &receiver.url(), json!({})).await;
        Self { world, receiver, webhook, owner }
    }
}
