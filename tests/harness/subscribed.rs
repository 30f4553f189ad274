//! What most tests begin with.

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

    /// The same, with these policies.
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
