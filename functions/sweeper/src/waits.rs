//! Sends the messages of what waits, where they could not be sent before or have been lost.

use futures_util::{FutureExt as _, future::join_all};
use knockback::{
    queues::{Alarm, AnnouncementMessage, DeliveryMessage},
    store::{DUE_SHARDS, Sleeper, Wait},
    telemetry::{Count, chain},
};

use crate::{Run, SweepError, Swept};

/// How many waits are put off at once.
const AT_ONCE: usize = 20;

pub(crate) async fn sweep(run: &Run<'_>) -> Result<Swept, SweepError> {
    let mut swept = Swept::default();
    for part in 0..DUE_SHARDS {
        let mut after = None;
        while run.goes_on() {
            let (waits, next) = run.context.store.waits(part, run.began_at, after).await?;
            let mut read = Vec::with_capacity(waits.len());
            for wait in waits {
                match wait {
                    Ok(wait) => read.push(wait),
                    Err(error) => {
                        tracing::error!(error = chain(&error), "a wait cannot be read");
                        swept.failed += 1;
                    }
                }
            }
            swept += wake(run, &read).await?;
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(swept)
}

/// First the messages, then the note that they were sent: who dies in between sends them again, and a message too many does
/// nothing.
async fn wake(run: &Run<'_>, waits: &[Wait]) -> Result<Swept, SweepError> {
    let context = run.context;
    let now = context.now();
    let alarms: Vec<Alarm> = waits.iter().map(alarm).collect();
    context.queues.set_alarms(&alarms, now).await?;
    run.metrics.count(Count::WaitsWoken, alarms.len());
    let mut swept = Swept { done: alarms.len(), ..Swept::default() };
    for some in waits.chunks(AT_ONCE) {
        let puts = some.iter().map(|wait| context.store.put_off(wait, now).boxed());
        for error in join_all(puts).await.into_iter().filter_map(Result::err) {
            tracing::error!(error = chain(&error), "a wait will be woken again, for it could not be put off");
            swept.failed += 1;
        }
    }
    Ok(swept)
}

fn alarm(wait: &Wait) -> Alarm {
    match wait.sleeper.clone() {
        Sleeper::Attempt(key, event) => Alarm::Attempt(DeliveryMessage::waiting(key, event, wait.due).into()),
        Sleeper::Announcement(key) => Alarm::Announcement(AnnouncementMessage::new(key, wait.due)),
    }
}
