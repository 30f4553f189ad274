//! Waiting until a queue may have something to receive.

use std::sync::Arc;

use knockback::{clock::Clock, domain::Timestamp};
use tokio::sync::watch;

/// Tells its holder when to look into a queue again; nothing between two looks is missed.
///
/// It waits by the clock of the machine. Whoever moves a virtual clock wakes everybody with
/// [`Sqs::wake`](super::Sqs::wake).
#[derive(Debug)]
pub struct Changes {
    /// The earliest time at which a hidden message becomes visible.
    next: watch::Receiver<Option<Timestamp>>,
    clock: Arc<dyn Clock>,
}

impl Changes {
    pub(super) fn new(next: watch::Receiver<Option<Timestamp>>, clock: Arc<dyn Clock>) -> Self {
        Self { next, clock }
    }

    /// Waits until a message may have become visible since the last call, or since this was made. Looking in
    /// vain is possible; missing a message is not, provided that a look follows each call.
    ///
    /// Answers false if the queue is gone: there is nothing to wait for then.
    pub async fn changed(&mut self) -> bool {
        let due = *self.next.borrow();
        let wait = due.map(|due| due.since(self.clock.now()));
        let timer = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.next.changed() => changed.is_ok(),
            () = timer => true,
        }
    }
}
