//! Clearing away what a removed or uninstalled app had: page by page, each in a message of its own.
//!
//! Nothing of it stands any more when the first message comes; this gives back the room that it takes. What is on a page
//! goes first, then the next page is sent, and only then is the page noted as done. Whoever dies in between is continued
//! by the same message; a copy of a message whose page is done does nothing.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use knockback::{
    Context,
    bus::announce,
    domain::{AppRemoval, EventId, RemovalTarget, Webhook},
    queues::{DeliveryMessage, SendError},
    store::{Possession, Removal, StoreError},
    telemetry::{Count, Metrics},
};

/// How many webhooks and tokens are removed at once.
const AT_ONCE: usize = 10;

/// Why a page is not done; its message comes again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemovalError {
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the next page could not be sent")]
    Send(#[from] SendError),
}

/// Ends what an app or an installation has, because a message on the bus says so, and begins to clear it away.
pub(crate) async fn begin(
    context: &Context,
    target: RemovalTarget,
    by: &EventId,
) -> Result<(), RemovalError> {
    let removal = context.store.end(target, Some(by), context.now()).await?;
    Ok(context.queues.send_removal(removal, Duration::ZERO).await?)
}

/// Clears a page away.
pub(crate) async fn clear_page(
    context: &Context,
    metrics: &Metrics,
    removal: &AppRemoval,
) -> Result<(), RemovalError> {
    if removal.is_over(&context.store.life(&removal.target).await?) {
        return Ok(());
    }
    let now = context.now();
    let page = context.store.possessions(removal, context.config.pages.possessions).await?;
    let found = !page.going.is_empty();
    // Boxed: the compiler cannot prove elsewhere that what is inside can be sent between threads.
    let going = page.going.into_iter().map(|possession| clear(context, metrics, removal, possession).boxed());
    stream::iter(going).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    match removal.next(found, page.next, now) {
        Some((next, wait)) => context.queues.send_removal(next, wait).await?,
        None => {
            tracing::info!(app = %removal.target.app(), pages = removal.page.saturating_add(1), "an app is cleared away");
        }
    }
    Ok(context.store.finish_page(removal).await?)
}

async fn clear(
    context: &Context,
    metrics: &Metrics,
    removal: &AppRemoval,
    possession: Possession,
) -> Result<(), RemovalError> {
    match possession {
        Possession::Token(token) => {
            context.store.delete_token(&token).await?;
        }
        Possession::Webhook(webhook) => {
            bid_farewell(context, metrics, removal, &webhook.webhook).await?;
            let (reason, now) = (removal.target.reason(), context.now());
            let goes = |webhook: &Webhook| removal.takes(webhook.generation);
            if let Removal::Removed(webhook, announcement) =
                context.store.remove_webhook(*webhook, reason, now, goes).await?
            {
                announce(context, &webhook, &[announcement]).await;
            }
        }
    }
    Ok(())
}

/// Sends what a webhook that goes still tells its app. Before it goes: who dies in between finds the webhook again.
async fn bid_farewell(
    context: &Context,
    metrics: &Metrics,
    removal: &AppRemoval,
    webhook: &Webhook,
) -> Result<(), RemovalError> {
    let host = context.config.host.as_deref().unwrap_or_default();
    let Some(event) = removal.farewell(webhook, host) else { return Ok(()) };
    // It is fanned out to this webhook alone; kept, so that its retries find it.
    let event = context.store.begin_fan_out(Box::new(event), context.now()).await?.event;
    let message = DeliveryMessage::original(&event, webhook.id).of(webhook.installation());
    context.queues.send_deliveries([message]).await?;
    metrics.count(Count::WebhooksMatched, 1);
    Ok(())
}
