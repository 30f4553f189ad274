//! A receiver in the test's process, which notes what arrives and when.

use std::{
    collections::BTreeSet,
    future::IntoFuture as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use tokio::{net::TcpListener, time::Instant};

/// An HTTP server that answers every request with the same status, after a delay.
pub(crate) struct Receiver {
    pub(crate) url: String,
    notes: Arc<Notes>,
}

struct Notes {
    status: StatusCode,
    delay: Mutex<Duration>,
    arrived: Mutex<Vec<(String, Instant)>>,
}

impl Receiver {
    pub(crate) async fn start(status: u16, delay: Duration) -> Self {
        let status = StatusCode::from_u16(status).expect("a status");
        let notes = Arc::new(Notes { status, delay: Mutex::new(delay), arrived: Mutex::default() });
        let router = Router::new().fallback(receive).with_state(Arc::clone(&notes));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { url, notes }
    }

    /// Answers after this delay from now on.
    pub(crate) fn answers_after(&self, delay: Duration) {
        *self.notes.delay.lock().unwrap_or_else(PoisonError::into_inner) = delay;
    }

    /// When each request arrived, in order.
    pub(crate) fn times(&self) -> Vec<Instant> {
        self.notes.arrived().iter().map(|(_, at)| *at).collect()
    }

    /// The different deliveries that arrived.
    pub(crate) fn deliveries(&self) -> BTreeSet<String> {
        self.notes.arrived().iter().map(|(delivery, _)| delivery.clone()).collect()
    }
}

impl Notes {
    fn arrived(&self) -> std::sync::MutexGuard<'_, Vec<(String, Instant)>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn receive(State(notes): State<Arc<Notes>>, headers: HeaderMap) -> StatusCode {
    let delivery = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    notes.arrived().push((delivery.to_owned(), Instant::now()));
    let delay = *notes.delay.lock().unwrap_or_else(PoisonError::into_inner);
    tokio::time::sleep(delay).await;
    notes.status
}
