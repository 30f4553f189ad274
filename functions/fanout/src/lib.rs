//! Fan-out: from an event to one message for each webhook that wants it.
//!
//! The event is kept first, then the routes of its company are read consistently, then the messages are sent, and only
//! then is the event marked as done. Who reaches more webhooks than one page has sends the page's deliveries, then the
//! message of the next page, and only then moves the event's item on. Whoever dies in between does it all again: the
//! deliveries have the same ids, so nothing is delivered twice for it.
//!
//! The pages of a large fan-out are claimed, so that copies of a message do not multiply. An event that one page is enough
//! for is not: its copies do the same work, and wait for nobody.

mod intake;
mod page;
mod removal;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::{FutureExt as _, future::join_all};
use knockback::{
    Context,
    domain::{PageStanding, page_standing},
    queues::{DeliveryMessage, EventsMessage, FanOutPage, RouteCursor, SendError},
    store::{FanOut, StoreError},
    telemetry::{Count, Metrics, chain},
};

use self::{
    intake::{Intake, Work, read},
    page::{Page, read_page},
    removal::RemovalError,
};

/// Why an event, or a page of it, could not be fanned out; its message comes again.
#[derive(Debug, thiserror::Error)]
enum FanOutError {
    #[error("the message cannot be read")]
    Intake(#[from] Intake),
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the messages could not be sent")]
    Send(#[from] SendError),
    #[error("what an app had could not be cleared away")]
    Removal(#[from] RemovalError),
    #[error("another handler is sending this page")]
    Held,
}

/// Fans out all events of a batch; those that failed are named in the answer and come again.
pub async fn handle(context: &Context, batch: SqsEvent) -> SqsBatchResponse {
    let metrics = Metrics::default();
    // Boxed: the compiler cannot prove elsewhere that what is inside can be sent between threads.
    let records = batch.records.into_iter().map(|record| handle_record(context, &metrics, record).boxed());
    let mut response = SqsBatchResponse::default();
    response.set_failures(join_all(records).await.into_iter().flatten());
    metrics.emit(context);
    response
}

/// Handles one message; with its id if it has to come again.
async fn handle_record(context: &Context, metrics: &Metrics, record: SqsMessage) -> Option<String> {
    let message = record.message_id.unwrap_or_default();
    match handle_message(context, metrics, &record.body.unwrap_or_default()).await {
        Ok(()) => return None,
        // Two copies of a message are normal.
        Err(error @ FanOutError::Held) => tracing::info!(message_id = message, %error, "a page comes again"),
        Err(error) => {
            tracing::error!(message_id = message, error = chain(&error), "an event was not fanned out");
        }
    }
    Some(message)
}

async fn handle_message(context: &Context, metrics: &Metrics, body: &str) -> Result<(), FanOutError> {
    let message = match read(context, body)? {
        Work::Message(message) => message,
        Work::End(target, by) => return Ok(removal::begin(context, target, &by).await?),
    };
    match message {
        EventsMessage::Event(event) => {
            let fan_out = context.store.begin_fan_out(event, context.now()).await?;
            metrics.count(Count::EventsAccepted, usize::from(fan_out.is_new));
            send_page(context, metrics, fan_out, 0, None).await
        }
        EventsMessage::FanOut(FanOutPage { company, event_id, page, cursor }) => {
            let Some(fan_out) = context.store.fan_out(&company, &event_id).await? else {
                tracing::warn!(%company, event = %event_id, page, "an event has expired before it was fanned out");
                return Ok(());
            };
            send_page(context, metrics, fan_out, page, Some(cursor)).await
        }
        EventsMessage::Removal(page) => Ok(removal::clear_page(context, metrics, &page).await?),
    }
}

/// Sends one page of an event. The order of the calls is what makes it safe to die between any two of them.
async fn send_page(
    context: &Context,
    metrics: &Metrics,
    fan_out: FanOut,
    number: u32,
    cursor: Option<RouteCursor>,
) -> Result<(), FanOutError> {
    let Context { store, queues, .. } = context;
    if !may_begin(page_standing(fan_out.state, number, context.now()))? {
        return Ok(());
    }
    let Page { routes, next } = read_page(context, &fan_out.event, cursor).await?;
    if number > 0 || next.is_some() {
        let owner = format!("{:032x}", u128::from_be_bytes(context.random()));
        if !may_begin(store.claim_page(&fan_out, number, &owner, context.now()).await?)? {
            return Ok(());
        }
    }
    let (event, count) = (fan_out.event, routes.len());
    let messages = routes
        .into_iter()
        .map(|route| DeliveryMessage::original(&event, route.webhook).of(route.installation));
    queues.send_deliveries(messages).await?;
    if let Some(cursor) = next {
        let (company, event_id, page) = (event.company.clone(), event.id.clone(), number.saturating_add(1));
        queues.send_fan_out(FanOutPage { company, event_id, page, cursor }).await?;
        store.end_page(&event.company, &event.id, number).await?;
    } else {
        store.finish_fan_out(&event.company, &event.id).await?;
    }
    metrics.count(Count::WebhooksMatched, count);
    tracing::info!(
        company = %event.company,
        event = %event.id,
        object = event.object.as_str(),
        action = event.action.as_str(),
        correlation_id = event.correlation_id,
        page = number,
        webhooks = count,
        "fanned out"
    );
    Ok(())
}

fn may_begin(standing: PageStanding) -> Result<bool, FanOutError> {
    match standing {
        PageStanding::Begin => Ok(true),
        PageStanding::Over => Ok(false),
        PageStanding::Held => Err(FanOutError::Held),
    }
}
