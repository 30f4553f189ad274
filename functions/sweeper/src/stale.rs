//! Deletes the webhooks that are stale.

use futures_util::{FutureExt as _, future::join_all};
use knockback::{
    bus::announce,
    domain::{RemoveReason, StaleBounds, is_stale},
    store::{Batch, FAILING_SHARDS, Removal, StoreError, StoredWebhook},
    telemetry::chain,
};

use crate::{Run, SweepError, Swept};

/// How many webhooks are deleted at once.
const AT_ONCE: usize = 10;

pub(crate) async fn sweep(run: &Run<'_>) -> Result<Swept, SweepError> {
    let store = &run.context.store;
    let bounds = StaleBounds::at(&run.context.config.policies.pipedrive, run.began_at);
    let mut swept = Swept::default();
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
            swept += delete(run, webhooks).await;
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(swept)
}

async fn delete(run: &Run<'_>, webhooks: Vec<StoredWebhook>) -> Swept {
    let mut swept = Swept::default();
    let mut webhooks = webhooks.into_iter();
    loop {
        let some = webhooks.by_ref().take(AT_ONCE).map(|webhook| delete_one(run, webhook).boxed());
        let ends = join_all(some).await;
        if ends.is_empty() {
            return swept;
        }
        for end in ends {
            match end {
                Ok(true) => swept.done += 1,
                Ok(false) => swept.left += 1,
                Err(error) => {
                    tracing::error!(error = chain(&error), "a stale webhook was not deleted");
                    swept.failed += 1;
                }
            }
        }
    }
}

/// Deletes a webhook if it is stale as it is now: a success that was written meanwhile saves it.
async fn delete_one(run: &Run<'_>, webhook: StoredWebhook) -> Result<bool, StoreError> {
    let (context, now) = (run.context, run.began_at);
    let policy = &context.config.policies.pipedrive;
    let stale = |webhook: &knockback::domain::Webhook| is_stale(policy, webhook, now);
    let Removal::Removed(webhook, announcement) =
        context.store.remove_webhook(webhook, RemoveReason::Stale, now, stale).await?
    else {
        return Ok(false);
    };
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
