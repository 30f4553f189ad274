//! Fan-out: from an event to one message for each webhook that wants it.
//!
//! The event is kept first, then the routes of its company are read consistently, then the messages are sent, and only
//! then is the event marked as done. Whoever dies in between does it all again: the deliveries have the same ids, so
//! nothing is delivered twice for it.

mod intake;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::{FutureExt as _, future::join_all};
use knockback::{
    Context,
    domain::{ANY, Event, WebhookId},
    queues::{DeliveryMessage, EventsMessage, SendError},
    store::{FanOut, StoreError},
    telemetry::chain,
};

use self::intake::{Intake, read_message};

/// Why an event could not be fanned out; its message comes again.
#[derive(Debug, thiserror::Error)]
enum FanOutError {
    #[error("the event cannot be read")]
    Intake(#[from] Intake),
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the deliveries could not be sent")]
    Send(#[from] SendError),
    #[error("pages cannot be sent yet")]
    Page,
}

/// Fans out all events of a batch; those that failed are named in the answer and come again.
pub async fn handle(context: &Context, batch: SqsEvent) -> SqsBatchResponse {
    // Boxed: the compiler cannot prove elsewhere that what is inside can be sent between threads.
    let records = batch.records.into_iter().map(|record| handle_record(context, record).boxed());
    let mut response = SqsBatchResponse::default();
    response.set_failures(join_all(records).await.into_iter().flatten());
    response
}

/// Fans out one event; with the id of its message if that has to come again.
async fn handle_record(context: &Context, record: SqsMessage) -> Option<String> {
    let error = fan_out(context, &record.body.unwrap_or_default()).await.err()?;
    let message = record.message_id.unwrap_or_default();
    tracing::error!(message, error = chain(&error), "an event was not fanned out");
    Some(message)
}

async fn fan_out(context: &Context, body: &str) -> Result<(), FanOutError> {
    // Nobody sends pages yet; whoever does is newer than this, which puts them back.
    let EventsMessage::Event(event) = read_message(context, body)? else { return Err(FanOutError::Page) };
    let event = match context.store.begin_fan_out(event, context.now()).await? {
        FanOut::Due(event) => event,
        FanOut::Done => return Ok(()),
    };
    let webhooks = wanting(context, &event).await?;
    let count = webhooks.len();
    let messages = webhooks.into_iter().map(|webhook| DeliveryMessage::original(&event, webhook));
    context.queues.send_deliveries(messages).await?;
    context.store.finish_fan_out(&event.company, &event.id).await?;
    tracing::info!(
        company = %event.company,
        event = %event.id,
        object = event.object.as_str(),
        action = event.action.as_str(),
        correlation_id = event.correlation_id,
        webhooks = count,
        "fanned out"
    );
    Ok(())
}

/// The webhooks that want the event.
async fn wanting(context: &Context, event: &Event) -> Result<Vec<WebhookId>, StoreError> {
    let mut webhooks = Vec::new();
    for object in [event.object.as_str(), ANY] {
        let mut after = None;
        loop {
            let (routes, next) = context.store.routes(&event.company, object, after).await?;
            webhooks.extend(routes.iter().filter(|route| route.wants(event)).map(|route| route.webhook));
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(webhooks)
}
