//! A receiver that others wrote (wiremock), which notes when, by the virtual clock, each POST arrived.

use std::sync::{Arc, Mutex, PoisonError};

use knockback::{clock::Clock, domain::Timestamp};
use serde_json::Value;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use crate::log::HOOK;

/// An HTTP server on this machine that answers as it is told to.
#[derive(Debug)]
pub struct Receiver {
    url: String,
    /// There until it is dropped.
    server: Option<MockServer>,
    state: Arc<Mutex<State>>,
}

/// A POST that arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// When, by the virtual clock.
    pub at: Timestamp,
    /// The request.
    pub request: Request,
}

#[derive(Debug)]
struct State {
    answer: ResponseTemplate,
    received: Vec<Received>,
}

struct Answers {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    pub(crate) async fn start(clock: Arc<dyn Clock>) -> Self {
        // Not from wiremock's pool: what is still sent to a receiver that is gone must not reach another test.
        let server = MockServer::builder().start().await;
        let state = Arc::new(Mutex::new(State { answer: ResponseTemplate::new(200), received: Vec::new() }));
        let answers = Answers { clock, state: Arc::clone(&state) };
        Mock::given(any()).respond_with(answers).mount(&server).await;
        Self { url: format!("{}{HOOK}", server.uri()), server: Some(server), state }
    }

    /// A URL of it.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Answers with this status from now on.
    pub fn answers(&self, status: u16) {
        self.responds(ResponseTemplate::new(status));
    }

    /// Answers so from now on.
    pub fn responds(&self, answer: ResponseTemplate) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).answer = answer;
    }

    /// What arrived so far, in order.
    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).received.clone()
    }

    /// When each POST arrived, in milliseconds since the test's begin.
    pub fn times(&self) -> Vec<i64> {
        self.received().iter().map(|received| received.at.as_ms() - crate::START.as_ms()).collect()
    }
}

impl Drop for Receiver {
    /// On a thread of its own: a wiremock server that is dropped blocks on a lock of tokio's, which a task that has used up its
    /// budget never gets.
    fn drop(&mut self) {
        let server = self.server.take();
        // A server that panics while it ends has nothing more to say.
        let _ = std::thread::spawn(move || drop(server)).join();
    }
}

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.received.push(Received { at: self.clock.now(), request: request.clone() });
        state.answer.clone()
    }
}

impl Received {
    /// The body, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.request.body).unwrap_or_default()
    }

    /// The body, as it came.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.request.body).unwrap_or_default()
    }

    /// Whether one of its signatures is the one that this secret gives.
    ///
    /// # Panics
    ///
    /// If it is not signed at all, or this is no secret.
    #[expect(clippy::expect_used, reason = "a delivery that is not signed has failed the test")]
    pub fn verifies(&self, secret: &str) -> bool {
        let standard = standardwebhooks::Webhook::new(secret).expect("a secret");
        let at = self.header("webhook-timestamp").expect("a time").parse().expect("a number");
        let id = self.header("webhook-id").expect("an id");
        let signature = standard.sign(id, at, &self.request.body).expect("a signature");
        self.header("webhook-signature").expect("signatures").split(' ').any(|found| found == signature)
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.get(name)?.to_str().ok()
    }
}
