//! Fan-out: from an event to one message for each webhook that wants it.
//!
//! The event is kept first, then the routes of its company are read consistently, then the messages are sent, and only
//! then is the event marked as done. Whoever dies in between does it all again: the deliveries have the same ids, so
//! nothing is delivered twice for it.

mod intake;
mod removal;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::{FutureExt as _, future::join_all};
use knockback::{
    Context,
    domain::{ANY, Event},
    queues::{DeliveryMessage, EventsMessage, SendError},
    store::{FanOut, Route, StoreError},
    telemetry::chain,
};

use self::{
    intake::{Intake, Work, read},
    removal::RemovalError,
};

/// Why an event could not be fanned out; its message comes again.
#[derive(Debug, thiserror::Error)]
enum FanOutError {
    #[error("the event cannot be read")]
    Intake(#[from] Intake),
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the deliveries could not be sent")]
    Send(#[from] SendError),
    #[error("what an app had could not be cleared away")]
    Removal(#[from] RemovalError),
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
    let error = work(context, &record.body.unwrap_or_default()).await.err()?;
    let message = record.message_id.unwrap_or_default();
    tracing::error!(message, error = chain(&error), "an event was not fanned out");
    Some(message)
}

async fn work(context: &Context, body: &str) -> Result<(), FanOutError> {
    match read(context, body)? {
        Work::Message(EventsMessage::Event(event)) => fan_out(context, event).await,
        // Nobody sends pages yet; whoever does is newer than this, which puts them back.
        Work::Message(EventsMessage::FanOut(_)) => Err(FanOutError::Page),
        Work::Message(EventsMessage::Removal(page)) => Ok(removal::clear_page(context, &page).await?),
        Work::End(target, by) => Ok(removal::begin(context, target, &by).await?),
    }
}

async fn fan_out(context: &Context, event: Box<Event>) -> Result<(), FanOutError> {
    let event = match context.store.begin_fan_out(event, context.now()).await? {
        FanOut::Due(event) => event,
        FanOut::Done => return Ok(()),
    };
    let routes = wanting(context, &event).await?;
    let count = routes.len();
    let messages = routes
        .into_iter()
        .map(|route| DeliveryMessage::original(&event, route.webhook).of(route.installation));
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
async fn wanting(context: &Context, event: &Event) -> Result<Vec<Route>, StoreError> {
    let mut wanting = Vec::new();
    for object in [event.object.as_str(), ANY] {
        let mut after = None;
        loop {
            let (routes, next) = context.store.routes(&event.company, object, after).await?;
            wanting.extend(routes.into_iter().filter(|route| route.wants(event, &context.config.objects)));
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(wanting)
}
