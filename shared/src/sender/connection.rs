//! Whether a request went over a connection that was dialled for it, or over one that had been idle.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tower::{Layer, Service};

use futures_util::future::BoxFuture;

tokio::task_local! {
    static DIAL: Dial;
}

/// What the requests of one exchange dialled.
#[derive(Debug, Clone, Default)]
pub(super) struct Dial(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    begun: AtomicBool,
    looking_up: AtomicBool,
    done: AtomicBool,
}

impl Dial {
    /// Watches the requests that `exchange` makes.
    pub(super) async fn watch<T>(&self, exchange: impl Future<Output = T>) -> T {
        DIAL.scope(self.clone(), exchange).await
    }

    /// Whether no connection was made: the request went over one that was there.
    pub(super) fn was_reused(&self) -> bool {
        !self.0.done.load(Ordering::Relaxed)
    }

    /// Whether it is being asked where the name leads.
    pub(super) fn is_looking_up(&self) -> bool {
        self.0.looking_up.load(Ordering::Relaxed)
    }

    /// Whether a connection is being made and is not yet there.
    pub(super) fn is_under_way(&self) -> bool {
        self.0.begun.load(Ordering::Relaxed) && !self.0.done.load(Ordering::Relaxed)
    }
}

/// Tells the [`Dial`] of the running exchange how long `look_up` takes.
pub(super) async fn looking_up<T>(look_up: impl Future<Output = T>) -> T {
    let dial = DIAL.try_with(Dial::clone).unwrap_or_default();
    dial.0.looking_up.store(true, Ordering::Relaxed);
    let found = look_up.await;
    dial.0.looking_up.store(false, Ordering::Relaxed);
    found
}

/// Tells the [`Dial`] of the running exchange about each connection that is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct WatchDials;

impl<S> Layer<S> for WatchDials {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Watched<S> {
        Watched(inner)
    }
}

/// A connector that is watched.
#[derive(Debug, Clone)]
pub(super) struct Watched<S>(S);

impl<S, R> Service<R> for Watched<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let dial = DIAL.try_with(Dial::clone).unwrap_or_default();
        dial.0.begun.store(true, Ordering::Relaxed);
        let connecting = self.0.call(target);
        Box::pin(async move {
            let connected = connecting.await;
            dial.0.done.store(connected.is_ok(), Ordering::Relaxed);
            connected
        })
    }
}
