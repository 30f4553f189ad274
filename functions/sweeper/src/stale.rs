//! Deletes the webhooks that are stale, and has their owners warned before.

use futures_util::{FutureExt as _, future::join_all};
use knockback::{
    bus::announce,
    domain::{Policy, RemoveReason, StaleBounds, Staleness, Webhook, after_success, staleness},
    store::{Batch, FAILING_SHARDS, Removal, StoreError, StoredWebhook},
    telemetry::{Count, chain},
};

use crate::{Run, SweepError, Swept};

/// How many webhooks are seen to at once.
const AT_ONCE: usize = 10;

pub(crate) async fn sweep(run: &Run<'_>) -> Result<Swept, SweepError> {
    let store = &run.context.store;
    let mut swept = Swept::default();
    let Some(bounds) = StaleBounds::at(policy(run), run.began_at) else { return Ok(swept) };
    for part in 0..FAILING_SHARDS {
        let mut after = None;
        while run.goes_on() {
            let (found, next) = store.failing(part, bounds, after).await?;
            let mut wanted = Batch::default();
            for (company, webhook) in &found {
                wanted.want_webhook(company, *webhook);
            }
            let read = store.read(wanted).await?;
            let mut webhooks = Vec::with_capacity(found.len());
            for (company, webhook) in &found {
                match read.webhook(company, *webhook) {
                    Ok(stored) => webhooks.extend(stored),
                    Err(error) => {
                        tracing::error!(%company, %webhook, error = chain(&error), "a webhook cannot be read");
                        swept.failed += 1;
                    }
                }
            }
            swept += look_at(run, webhooks).await;
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(swept)
}

/// The only dialect with stale webhooks.
fn policy<'a>(run: &Run<'a>) -> &'a Policy {
    &run.context.config.policies.pipedrive
}

async fn look_at(run: &Run<'_>, webhooks: Vec<StoredWebhook>) -> Swept {
    let mut swept = Swept::default();
    let mut webhooks = webhooks.into_iter();
    loop {
        let some = webhooks.by_ref().take(AT_ONCE).map(|webhook| look_at_one(run, webhook).boxed());
        let ends = join_all(some).await;
        if ends.is_empty() {
            return swept;
        }
        for end in ends {
            match end {
                Ok(true) => swept.done += 1,
                Ok(false) => swept.left += 1,
                Err(error) => {
                    tracing::error!(error = chain(&error), "a stale webhook was not seen to");
                    swept.failed += 1;
                }
            }
        }
    }
}

/// Does about a webhook what is to be done; `false` if that is nothing.
async fn look_at_one(run: &Run<'_>, webhook: StoredWebhook) -> Result<bool, StoreError> {
    match staleness(policy(run), &webhook.webhook, run.began_at) {
        Staleness::Fresh => Ok(false),
        Staleness::Expires(announcement, health) => {
            let (store, now) = (&run.context.store, run.began_at);
            // Whoever changed it meanwhile: the next run looks at it as it is then.
            if !store.write_health(&webhook, &health, &[announcement], now).await? {
                return Ok(false);
            }
            announce(run.context, &webhook.with_health(*health).webhook, &[announcement]).await;
            Ok(true)
        }
        Staleness::Stale => delete(run, webhook).await,
    }
}

/// Deletes a webhook if it is stale as it is now: a success that was written meanwhile saves it. So does one that is in its log
/// alone, because it could not be written to the webhook, and its message has not come again yet.
async fn delete(run: &Run<'_>, webhook: StoredWebhook) -> Result<bool, StoreError> {
    let (context, now) = (run.context, run.began_at);
    if let Some(since) = webhook.webhook.health.failing_since
        && let Some(end) =
            context.store.success_after(&webhook.webhook.company, webhook.webhook.id, since).await?
    {
        if let Some(health) = after_success(&webhook.webhook.health, &end) {
            // Whoever changed it meanwhile: the next run looks at it as it is then.
            context.store.write_health(&webhook, &health, &[], now).await?;
        }
        return Ok(false);
    }
    let stale = |webhook: &Webhook| staleness(policy(run), webhook, now) == Staleness::Stale;
    let Removal::Removed(webhook, announcement) =
        context.store.remove_webhook(webhook, RemoveReason::Stale, now, stale).await?
    else {
        return Ok(false);
    };
    run.metrics.count(Count::SweptStale, 1);
    tracing::warn!(
        company = %webhook.company,
        webhook = %webhook.id,
        failing_since = webhook.health.failing_since.map(tracing::field::display),
        last_http_status = webhook.health.last_http_status,
        "a stale webhook was deleted"
    );
    announce(context, &webhook, &[announcement]).await;
    Ok(true)
}
