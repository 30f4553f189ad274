//! All of Knockback, in virtual time.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use knockback::{
    authorities::Authorities,
    clock::{Clock, VirtualClock},
    domain::{AddressPolicy, Budget, Network, Objects, Pages, Policies, Secret, Timestamp},
    sender::Internet,
    token::sha256_hex,
};
use local::{
    aws::faults::living,
    system::{Settings, Surroundings, System},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    log::{Log, PAYLOAD},
    names::Names,
    random::Counting,
    receiver::Receiver,
    reply::Reply,
    watch::Watch,
};

/// When every test begins: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp::from_ms(1_767_225_600_000);

pub(crate) const PLATFORM_TOKEN: &str = "the platform's token";

/// The address that mail to owners comes from.
pub const MAIL_FROM: &str = "webhooks@knockback.test";

/// Where receivers of tests are.
const LOOPBACK: &str = "127.0.0.0/8";

/// The system's authorities, read once for all worlds.
static SYSTEM: LazyLock<Authorities> = LazyLock::new(Authorities::of_system);

/// The longest that a test lets time run for everything to come to rest.
const REST_WITHIN: Duration = Duration::from_hours(24 * 30);

/// All of Knockback, on a box, in virtual time.
#[derive(Debug, Clone)]
pub struct World {
    /// The clock; only the test moves it.
    pub clock: VirtualClock,
    /// The system.
    pub system: System,
    /// Where names lead; only the test says so.
    pub names: Names,
    router: Router,
    pub(crate) watch: Arc<Watch>,
}

/// How a world differs from others.
struct Setup<'a> {
    policies: Policies,
    pages: Pages,
    data: Option<&'a Path>,
    /// Those that receivers may be in.
    networks: &'a str,
    mail_from: Option<&'a str>,
    budget: Budget,
    /// Whose certificates are believed.
    authorities: Authorities,
    /// The keys that seal secrets, if they are not made anew.
    key_ring: Option<Secret>,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self {
            policies: Policies::default(),
            pages: Pages::default(),
            data: None,
            networks: LOOPBACK,
            mail_from: Some(MAIL_FROM),
            budget: Budget::default(),
            authorities: SYSTEM.clone(),
            key_ring: None,
        }
    }
}

impl World {
    /// Starts everything in memory.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn new() -> Self {
        Self::with(Policies::default(), None).await
    }

    /// Starts everything with these policies, on the data in a folder if one is given.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn with(policies: Policies, data: Option<&Path>) -> Self {
        Self::start(Setup { policies, data, ..Setup::default() }).await
    }

    /// Starts everything in memory with these policies, and with messages that do so much.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn paged(policies: Policies, pages: Pages) -> Self {
        Self::start(Setup { policies, pages, ..Setup::default() }).await
    }

    /// Starts everything in memory with these policies; certificates are believed from these authorities.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn trusting(authorities: Authorities, policies: Policies) -> Self {
        Self::start(Setup { policies, authorities, ..Setup::default() }).await
    }

    /// Starts everything in memory, as a deployment is: receivers are on the public internet, behind https.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn public() -> Self {
        Self::start(Setup { networks: "", ..Setup::default() }).await
    }

    /// Starts everything in memory, as a deployment is that has no address to send mail from.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn without_mail() -> Self {
        Self::start(Setup { mail_from: None, ..Setup::default() }).await
    }

    /// Starts everything in memory; each token may spend so many units in a minute.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn with_budget(budget: Budget) -> Self {
        Self::start(Setup { budget, ..Setup::default() }).await
    }

    /// Starts everything in memory, with the keys of another.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn with_key_ring(ring: &str) -> Self {
        Self::start(Setup { key_ring: Some(Secret(ring.to_owned())), ..Setup::default() }).await
    }

    #[expect(clippy::expect_used, reason = "a test that cannot start has failed")]
    async fn start(setup: Setup<'_>) -> Self {
        let Setup { policies, pages, data, networks, mail_from, budget, authorities, key_ring } = setup;
        let clock = VirtualClock::new(START);
        let log = Log::start();
        let settings = Settings {
            platform_token_sha256: sha256_hex(PLATFORM_TOKEN),
            key_ring,
            policies,
            objects: Objects::parse("shipment").expect("objects"),
            budget,
            addresses: AddressPolicy {
                allowed: Network::parse_all(networks).expect("networks"),
                own_hosts: vec!["knockback.test".to_owned()],
            },
            pages,
            host: "knockback.test".to_owned(),
            mail_from: mail_from.map(str::to_owned),
            stack: Some(log.stack().to_owned()),
        };
        let names = Names::default();
        let surroundings = Surroundings {
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(Counting::default()),
            internet: Internet { resolver: Arc::new(names.clone()), authorities },
            settings,
        };
        let system = System::start(data, surroundings).await.expect("the system starts");
        let watch = Arc::new(Watch::start(&system.aws, log));
        Self { clock, router: system.router(), system, names, watch }
    }

    /// A new receiver, which answers 200 until it is told otherwise.
    pub async fn receiver(&self) -> Receiver {
        Receiver::start(Arc::new(self.clock.clone())).await
    }

    /// Makes a request of the API.
    ///
    /// # Panics
    ///
    /// If the API does not answer, which it always does.
    #[expect(clippy::expect_used, reason = "an API that does not answer has failed the test")]
    pub async fn call(&self, method: Method, path: &str, token: &str, body: impl Into<Body>) -> Reply {
        let request = Request::builder().method(method).uri(path).header("x-api-token", token);
        let request = request.body(body.into()).expect("a request");
        self.send(request).await
    }

    /// Makes any request of the API, but for ePages' dialect ([`World::rs_send`]).
    ///
    /// # Panics
    ///
    /// If the API does not answer, or with anything but JSON: clients reject with the body itself.
    #[expect(clippy::expect_used, reason = "an API that does not answer has failed the test")]
    pub async fn send(&self, request: Request<Body>) -> Reply {
        let (status, headers, text) = self.exchange(request).await;
        assert_eq!(headers[header::CONTENT_TYPE], "application/json", "{status} {text}");
        let body: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(body["success"], json!(status.is_success()), "{status} {text}");
        Reply { status, body, text, headers }
    }

    /// The platform's token.
    pub const PLATFORM: &'static str = PLATFORM_TOKEN;

    /// Makes a request that may end without an answer, as a fault ends the function.
    ///
    /// # Panics
    ///
    /// If the answer is none.
    #[expect(clippy::expect_used, reason = "an answer that is none has failed the test")]
    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: String,
    ) -> Option<(StatusCode, Value)> {
        let request = Request::builder().method(method).uri(path).header("x-api-token", token);
        let request = request.body(Body::from(body)).expect("a request");
        let (status, _, text) = living(self.exchange(request)).await?;
        Some((status, serde_json::from_str(&text).unwrap_or_default()))
    }

    /// Makes any request, and answers with the status, the headers and the text.
    #[expect(clippy::expect_used, reason = "an API that does not answer has failed the test")]
    pub async fn exchange(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let (head, body) = request.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a whole body");
        self.watch.read(&bytes);
        let request = Request::from_parts(head, Body::from(bytes));
        let response = self.router.clone().oneshot(request).await.expect("the router answers");
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a whole body");
        self.watch.read(&bytes);
        (head.status, head.headers, String::from_utf8(bytes.into()).expect("UTF-8"))
    }

    /// Makes a request as the platform.
    pub async fn platform(&self, method: Method, path: &str, body: impl Into<Body>) -> Reply {
        self.call(method, path, PLATFORM_TOKEN, body).await
    }

    /// Gives a token to what `member` says, such as `{"company_id":"1","user_id":"10"}`.
    ///
    /// # Panics
    ///
    /// If the platform does not get one.
    #[expect(clippy::expect_used, reason = "a test without a token has failed")]
    pub async fn token(&self, member: Value) -> String {
        let reply = self.platform(Method::POST, "/v1/tokens", member.to_string()).await;
        reply.body["data"]["token"].as_str().expect("a token").to_owned()
    }

    /// The token of user 10 of company 1.
    pub async fn owner(&self) -> String {
        self.token(json!({"company_id": "1", "user_id": "10"})).await
    }

    /// Creates a webhook for every change of a deal, with these further fields, and answers with it.
    ///
    /// # Panics
    ///
    /// If it is not created.
    pub async fn subscribe(&self, token: &str, url: &str, more: Value) -> Value {
        let mut body = json!({"subscription_url": url, "event_action": "*", "event_object": "deal"});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let reply = self.call(Method::POST, "/v1/webhooks", token, body.to_string()).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
        reply.body["data"].clone()
    }

    /// The webhooks that a caller sees.
    ///
    /// # Panics
    ///
    /// If they may not.
    #[expect(clippy::expect_used, reason = "a list that is none has failed the test")]
    pub async fn webhooks(&self, token: &str) -> Vec<Value> {
        let reply = self.call(Method::GET, "/v1/webhooks", token, "").await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        reply.body["data"].as_array().expect("a list").clone()
    }

    /// One webhook, with how it fares.
    ///
    /// # Panics
    ///
    /// If the caller may not see it.
    pub async fn read(&self, token: &str, webhook: &Value) -> Value {
        let reply = self.call(Method::GET, &format!("/v1/webhooks/{}", webhook["id"]), token, "").await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        reply.body["data"].clone()
    }

    /// Deletes a webhook.
    pub async fn unsubscribe(&self, token: &str, webhook: &Value) -> Reply {
        self.call(Method::DELETE, &format!("/v1/webhooks/{}", webhook["id"]), token, "").await
    }

    /// Reports a change of deal 8 of company 1, with these further fields.
    ///
    /// # Panics
    ///
    /// If it is not taken.
    pub async fn report(&self, more: Value) {
        let mut body = json!({"company_id": "1", "object": "deal", "action": "change", "entity_id": "8",
            "user_id": "12", "data": {"id": 8, "value": 2, "note": PAYLOAD}, "previous": {"id": 8, "value": 1, "note": PAYLOAD}});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let reply = self.platform(Method::POST, "/v1/events", body.to_string()).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text);
    }

    /// Takes messages through the functions until none is visible. The clock stands still, and no schedule fires.
    ///
    /// # Panics
    ///
    /// If a queue fails.
    #[expect(clippy::expect_used, reason = "a queue that fails has failed the test")]
    pub async fn settle(&self) {
        while self.system.pump_once().await.expect("the queues work") {}
    }

    /// Moves the clock by `duration`, and does on the way whatever comes due, at its time: messages and schedules.
    ///
    /// # Panics
    ///
    /// If a queue fails.
    pub async fn run_for(&self, duration: Duration) {
        self.run_until(self.clock.now() + duration).await;
    }

    /// Moves the clock to `end`, and does on the way whatever comes due, at its time: messages and schedules.
    ///
    /// # Panics
    ///
    /// If a queue fails.
    pub async fn run_until(&self, end: Timestamp) {
        self.settle().await;
        while let Some(next) = self.next_time().filter(|next| *next <= end) {
            self.move_to(next).await;
            self.settle().await;
        }
        self.clock.set(end);
    }

    /// Moves the clock until no queue holds a message that comes back and nothing waits in the tables. Schedules fire on
    /// the way, at their times.
    ///
    /// # Panics
    ///
    /// If something still waits after a month.
    pub async fn run_to_rest(&self) {
        let end = self.clock.now() + REST_WITHIN;
        self.settle().await;
        while self.advance_to_next_change().await {
            assert!(self.clock.now() <= end, "something still waits after a month");
            self.settle().await;
        }
    }

    /// Moves the clock to the next time at which a message becomes visible or a schedule fires, and fires it; `false` if
    /// everything is at rest: no message is hidden and nothing waits in the tables.
    ///
    /// # Panics
    ///
    /// If something waits in the tables that no schedule will find.
    #[expect(clippy::expect_used, reason = "a test that would wait for ever has failed")]
    pub async fn advance_to_next_change(&self) -> bool {
        if self.next_message().is_none() && !self.has_waits() {
            return false;
        }
        self.move_to(self.next_time().expect("what waits in the tables is found by a schedule")).await;
        true
    }

    /// Moves the clock to `next`, unless it is past, and fires the schedules that are due.
    async fn move_to(&self, next: Timestamp) {
        self.clock.set(next.max(self.clock.now()));
        self.system.fire_due_schedules().await;
    }

    /// When the next message becomes visible, or the next schedule fires.
    fn next_time(&self) -> Option<Timestamp> {
        [self.next_message(), self.system.next_schedule()].into_iter().flatten().min()
    }

    #[expect(clippy::expect_used, reason = "a queue that fails has failed the test")]
    fn next_message(&self) -> Option<Timestamp> {
        self.system.aws.sqs.next_change().expect("the queues work")
    }

    /// Whether something waits in the tables for the sweeper to wake it. No call of Knockback's: it is not counted.
    fn has_waits(&self) -> bool {
        let mut scan = json!({
            "TableName": self.system.context.config.deliveries_table,
            "FilterExpression": "attribute_exists(wake_at)",
            "Select": "COUNT",
        });
        loop {
            let answer = self.system.aws.tables.call("Scan", scan.to_string().as_bytes());
            let page: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            assert_eq!(answer.status, 200, "{page}");
            if page["Count"] != 0 {
                return true;
            }
            match page.get("LastEvaluatedKey") {
                Some(last) => scan["ExclusiveStartKey"] = last.clone(),
                None => return false,
            }
        }
    }
}
