//! The sweeper: what nobody else comes back for. Schedules start it.
//!
//! Hourly it deletes the webhooks that are stale, and has the owners of those that soon will be warned; every five minutes
//! it sends the messages of what waits longer than SQS can delay, and of what has lost its message. Both read an index that holds nothing else, so they cost what there is to do. What
//! one run does not finish, the next one finds.

mod stale;
mod waits;

use std::time::Duration;

use futures_util::FutureExt as _;
use knockback::{Context, domain::Timestamp, queues::SendError, store::StoreError, telemetry::Metrics};
use serde::{Deserialize, Serialize};

/// How long a run begins new pages: less than the function's timeout, so that it ends by itself.
const RUN_MAX: Duration = Duration::from_mins(4);

/// What a schedule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Request {
    /// What to sweep.
    pub sweep: Sweep,
}

/// What can be swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sweep {
    /// Webhooks that have failed for days.
    Stale,
    /// Attempts and announcements that wait.
    Waits,
}

/// What a run has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Swept {
    /// Webhooks that were deleted or whose owners are warned, or waits for which a message was sent.
    pub done: usize,
    /// What looked as if something had to be done, and was not so any more.
    pub left: usize,
    /// What could not be done, and is the next run's.
    pub failed: usize,
}

/// A run that could not look at everything; the next one will.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// An index or an item could not be read.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// Messages could not be sent.
    #[error("alarms could not be set")]
    Send(#[from] SendError),
    /// All that could be done was, but not all there was.
    #[error("{0} could not be swept; the lines before say why")]
    Rest(usize),
}

/// Sweeps once.
///
/// # Errors
///
/// If the index cannot be read, or messages not be sent; or if something failed alone, and the rest is done. So an operator
/// is told by the function's errors.
pub async fn handle(context: &Context, request: &Request) -> Result<Swept, SweepError> {
    let run = Run { context, began_at: context.now(), metrics: Metrics::default() };
    // Boxed: the compiler cannot prove elsewhere that what is inside can be sent between threads.
    let swept = match request.sweep {
        Sweep::Stale => stale::sweep(&run).boxed().await,
        Sweep::Waits => waits::sweep(&run).boxed().await,
    };
    // What was done before a failure counts too.
    run.metrics.emit(context);
    let swept = swept?;
    let Swept { done, left, failed } = swept;
    tracing::info!(sweep = ?request.sweep, done, left, failed, "swept");
    if failed > 0 { Err(SweepError::Rest(failed)) } else { Ok(swept) }
}

/// One run.
struct Run<'a> {
    context: &'a Context,
    began_at: Timestamp,
    metrics: Metrics,
}

impl Run<'_> {
    /// Whether another page can be begun.
    fn goes_on(&self) -> bool {
        self.context.now().since(self.began_at) < RUN_MAX
    }
}

impl std::ops::AddAssign for Swept {
    fn add_assign(&mut self, other: Self) {
        self.done += other.done;
        self.left += other.left;
        self.failed += other.failed;
    }
}
