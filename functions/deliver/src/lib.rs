//! Deliver: makes the attempts of a batch, all at once, and writes down what came of them.
//!
//! A receiver's failure is data and leads to a retry. A failure of ours (a table, a key, a queue) is none: the message
//! stays in its queue and comes again. Who finds an attempt that has ended repeats its effects, so whoever dies between
//! two calls is continued.

mod attempt;
mod turn;
mod webhooks;

use std::collections::HashMap;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::{
    FutureExt as _,
    future::{join, join_all},
};
use knockback::{
    Context,
    bus::tell_due,
    domain::{Dialect, Timestamp},
    queues::{AnnouncementMessage, DeliveryMessage},
    sender::Sender,
    store::{Attempt, AttemptKey, Batch},
    telemetry::{Count, Metrics, chain},
};

use self::{
    turn::{Turn, take_turn},
    webhooks::Webhooks,
};

/// What deliver works with.
#[derive(Debug, Clone)]
pub struct Deliver {
    /// What every handler is given.
    pub context: Context,
    /// The way to receivers.
    pub sender: Sender,
}

/// One invocation: what deliver works with, and what it counts.
struct Run<'a> {
    context: &'a Context,
    sender: &'a Sender,
    metrics: Metrics,
}

/// The messages of a batch, by what they are for.
#[derive(Default)]
struct Messages {
    attempts: Vec<Record>,
    /// With the ids of their messages.
    announcements: Vec<(AnnouncementMessage, String)>,
    /// The ids of those that cannot be read.
    unreadable: Vec<String>,
}

/// The turn of an attempt, and the ids of all copies of its message in the batch.
struct Record {
    message: DeliveryMessage,
    ids: Vec<String>,
}

/// Makes the attempts whose turn it is; the messages that have to come again are named in the answer.
pub async fn handle(deliver: &Deliver, batch: SqsEvent) -> SqsBatchResponse {
    // Boxed: the compiler cannot prove elsewhere that what is inside can be sent between threads.
    handle_batch(deliver, batch).boxed().await
}

async fn handle_batch(deliver: &Deliver, batch: SqsEvent) -> SqsBatchResponse {
    let Deliver { context, sender } = deliver;
    let run = Run { context, sender, metrics: Metrics::default() };
    let Messages { attempts, announcements, unreadable } = read_messages(batch);
    let (told, attempted) = join(tell(context, announcements), take_turns(&run, attempts)).await;
    run.metrics.emit(context);
    let mut response = SqsBatchResponse::default();
    response.set_failures(unreadable.into_iter().chain(told).chain(attempted));
    response
}

/// Takes the turns of all records at once; answers with the ids of those messages that have to come again.
async fn take_turns(run: &Run<'_>, records: Vec<Record>) -> Vec<String> {
    let mut wanted = Batch::default();
    for Record { message, .. } in &records {
        wanted.want_webhook(&message.company, message.webhook);
        wanted.want_attempt(&message.key());
        if let Some(installation) = &message.installation {
            match message.webhook.dialect() {
                Dialect::Pipedrive => wanted.want_installed(installation),
                // It has holds.
                Dialect::Epages => wanted.want_app(installation),
            }
        }
        if message.event.is_none() {
            wanted.want_event(&message.company, &message.event_id);
        }
    }
    let read = match run.context.store.read(wanted).await {
        Ok(read) => read,
        Err(error) => {
            tracing::error!(error = chain(&error), "a batch of deliveries could not be read");
            return records.into_iter().flat_map(|record| record.ids).collect();
        }
    };
    let webhooks = Webhooks::of(records.iter().map(|record| &record.message), &read);
    let turns = records.iter().map(|record| take_turn(run, &record.message, &read, &webhooks));
    let turns = join_all(turns).await;
    let (mut succeeded, mut to_note, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for (record, turn) in records.into_iter().zip(turns) {
        match turn {
            Turn::Over => {}
            Turn::Succeeded { attempt, noted } => {
                succeeded.push(*attempt);
                if !noted {
                    to_note.extend(record.ids);
                }
            }
            Turn::Again => again.extend(record.ids),
        }
    }
    // Only what is written may come again: without its item, an original would be made once more.
    if write_successes(run, &succeeded).await {
        again.extend(to_note);
    }
    again
}

/// Tells what is due to be told; answers with the ids of those messages that have to come again.
async fn tell(context: &Context, announcements: Vec<(AnnouncementMessage, String)>) -> Vec<String> {
    // Boxed: the compiler cannot prove elsewhere that what is inside can be sent between threads.
    let told = announcements.into_iter().map(|(message, id)| tell_one(context, message, id).boxed());
    join_all(told).await.into_iter().flatten().collect()
}

async fn tell_one(context: &Context, message: AnnouncementMessage, id: String) -> Option<String> {
    let AnnouncementMessage { announcement, due, .. } = message;
    let error = tell_due(context, &announcement, due, context.now()).await.err()?;
    tracing::error!(?announcement, error = chain(&error), "an announcement was put back");
    Some(id)
}

/// Reads the messages of a batch; copies of one are taken together.
fn read_messages(batch: SqsEvent) -> Messages {
    let Messages { attempts: mut records, mut announcements, mut unreadable } = Messages::default();
    let mut seen: HashMap<(AttemptKey, Option<Timestamp>), usize> = HashMap::new();
    for record in batch.records {
        let id = record.message_id.unwrap_or_default();
        let body = record.body.unwrap_or_default();
        match serde_json::from_str::<DeliveryMessage>(&body) {
            Ok(message) => {
                let copy_of = (message.key(), message.due);
                if let Some(index) = seen.get(&copy_of) {
                    records[*index].ids.push(id);
                } else {
                    seen.insert(copy_of, records.len());
                    records.push(Record { message, ids: vec![id] });
                }
            }
            Err(error) => {
                if let Ok(announcement) = serde_json::from_str(&body) {
                    announcements.push((announcement, id));
                } else {
                    tracing::error!(
                        message_id = id,
                        error = chain(&error),
                        "a delivery's message cannot be read"
                    );
                    unreadable.push(id);
                }
            }
        }
    }
    Messages { attempts: records, announcements, unreadable }
}

/// Writes the successes of a batch at once; `false` if that failed. A success is not made again for that.
async fn write_successes(run: &Run<'_>, succeeded: &[Attempt]) -> bool {
    if succeeded.is_empty() {
        return true;
    }
    let written = run.context.store.write_attempts(succeeded, run.context.now()).await;
    if let Err(error) = &written {
        run.metrics.count(Count::OutcomeUnlogged, succeeded.len());
        tracing::error!(
            unlogged_successes = succeeded.len(),
            error = chain(error),
            "successes were not written to the log"
        );
    }
    written.is_ok()
}
