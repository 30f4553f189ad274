//! What a scenario plays on: a world, who listens in it, and callers who do not give up.

use std::sync::{Mutex, PoisonError};

use axum::http::{Method, StatusCode};
use knockback::domain::{Pages, Policies};
use serde_json::{Value, json};
use tests::{Receiver, World};

/// How often somebody asks again whose request was not answered, or with 5xx.
const PATIENCE: usize = 6;

/// A world with one receiver, and whoever asks in it.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) receiver: Receiver,
    /// The policies that it has.
    pub(crate) policies: Policies,
    /// The token of user 10 of company 1, or of an app in a shop.
    pub(crate) token: String,
    /// The webhook that is looked at, as it was answered.
    pub(crate) webhook: Value,
    /// The events that were accepted, each for everybody.
    pub(crate) accepted: Mutex<Vec<String>>,
    /// What an act has noted for the judgement.
    pub(crate) notes: Mutex<Vec<usize>>,
}

impl Stage {
    /// With a webhook of user 10 of company 1, whose receiver answers with this status.
    pub(crate) async fn subscribed(policy: &str, status: u16) -> Self {
        let mut stage = Self::new(policy, Pages::default(), status).await;
        stage.token = stage.world.owner().await;
        stage.webhook = stage.world.subscribe(&stage.token, &stage.receiver.url(), json!({})).await;
        stage
    }

    /// With a webhook for orders of an app in a shop.
    pub(crate) async fn shop(policy: &str, status: u16) -> Self {
        let mut stage = Self::new(policy, Pages::default(), status).await;
        stage.token = stage.world.shop_app("DemoShop", "mailer").await;
        stage.webhook =
            stage.world.hook(&stage.token, "DemoShop", &stage.receiver.url(), "ORDER_CREATE").await;
        stage
    }

    /// With nobody who listens yet.
    pub(crate) async fn new(policy: &str, pages: Pages, status: u16) -> Self {
        let policies = Policies::default().with(policy).expect("a policy");
        let world = World::paged(policies.clone(), pages).await;
        world.listen().await;
        let clock = world.clock.clone();
        world.system.aws.faults.wait_by(move |time| {
            clock.advance(time);
        });
        let receiver = world.receiver().await;
        receiver.answers(status);
        let (token, webhook) = (String::new(), Value::Null);
        Self {
            world,
            receiver,
            policies,
            token,
            webhook,
            accepted: Mutex::default(),
            notes: Mutex::default(),
        }
    }

    /// Asks until the answer is neither 5xx nor 429: what a client does that wants to be sure.
    pub(crate) async fn insist(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: &str,
    ) -> (StatusCode, Value) {
        for _ in 0..PATIENCE {
            let answer = self.world.try_call(method.clone(), path, token, body.to_owned()).await;
            if let Some(answer) = answer.filter(|(status, _)| !is_temporary(*status)) {
                return answer;
            }
        }
        panic!("{method} {path} is never answered");
    }

    /// Reports a change of a deal until it is accepted. It is of everybody who listens.
    pub(crate) async fn report(&self, id: &str) {
        self.tell(
            json!({"company_id": "1", "object": "deal", "action": "change", "entity_id": id, "id": id}),
        )
        .await;
    }

    /// Reports a new order of the shop until it is accepted.
    pub(crate) async fn order(&self, id: &str) {
        self.tell(json!({"company_id": "DemoShop", "object": "order", "action": "create", "entity_id": id, "id": id}))
            .await;
    }

    async fn tell(&self, event: Value) {
        let (status, answer) =
            self.insist(Method::POST, "/v1/events", World::PLATFORM, &event.to_string()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        let id = event["id"].as_str().expect("an id").to_owned();
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }
}

/// Whether somebody is to ask again.
fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}
