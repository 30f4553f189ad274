//! Notify: mails the owners of webhooks that are deactivated, or deleted as stale, or soon will be.
//!
//! It reads Knockback's own events, which a rule of the bus puts on a queue. An event may come more than once, and its
//! owner is mailed once: whoever is about to send claims the event's note first, and notes afterwards that the mail was
//! sent. Only who dies between the two, or gets no answer from SES, leaves it to a later one to send the mail again.
//!
//! A mail that SES refuses, for whatever reason, stays in the queue as everything does that fails here: each try says why
//! in the log, and after the last it is in the dead-letter queue. Most that SES refuses for good is the deployment's to
//! repair, such as a sender that is not verified; after that, what was not sent can be taken from there.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use knockback::{
    Context,
    domain::{Mail, Notice, NoticeError, contact},
    mail::MailError,
    store::{NoticeClaim, StoreError},
    telemetry::{Count, Metrics, chain},
};

/// Why an owner was not mailed; the message comes again.
#[derive(Debug, thiserror::Error)]
enum NotifyError {
    #[error("the message cannot be read")]
    Message(#[from] NoticeError),
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the mail was not sent")]
    Mail(#[from] MailError),
    #[error("another handler is sending this mail")]
    Held,
}

/// Mails the owners that a batch is about; the messages that have to come again are named in the answer.
pub async fn handle(context: &Context, batch: SqsEvent) -> SqsBatchResponse {
    let (mut again, metrics) = (Vec::new(), Metrics::default());
    // One after the other, for SES has a sending rate.
    for record in batch.records {
        let message = record.message_id.unwrap_or_default();
        // Boxed: what three SDKs are waited for with is large.
        match Box::pin(handle_message(context, &metrics, &record.body.unwrap_or_default())).await {
            Ok(()) => continue,
            // Two copies of a message are normal.
            Err(error @ NotifyError::Held) => {
                tracing::info!(message_id = message, %error, "a mail comes again");
            }
            Err(error) => {
                tracing::error!(message_id = message, error = chain(&error), "an owner was not mailed");
            }
        }
        again.push(message);
    }
    metrics.emit(context);
    let mut response = SqsBatchResponse::default();
    response.set_failures(again);
    response
}

async fn handle_message(context: &Context, metrics: &Metrics, body: &str) -> Result<(), NotifyError> {
    let Some(notice) = Notice::parse(body)? else { return Ok(()) };
    let Notice { company, webhook: id, .. } = &notice;
    let skipped = |why: &str| {
        tracing::info!(%company, webhook = %id, notice = notice.told.word(), why, "no mail");
        Ok(())
    };
    let (Some(mailer), store) = (&context.mail, &context.store) else { return skipped("MAIL_FROM is empty") };
    let Some(webhook) = store.webhook(company, *id).await?.map(|stored| stored.webhook) else {
        return skipped("the webhook is forgotten");
    };
    if !notice.holds(&webhook) {
        return skipped("the webhook has changed since");
    }
    let app = match &webhook.app {
        Some(app) => store.registration(app).await?,
        None => None,
    };
    let Some(to) = contact(&webhook, app.as_ref()) else { return skipped("nobody is to be told") };
    let owner = format!("{:032x}", u128::from_be_bytes(context.random()));
    match store.claim_notice(&notice, &owner, context.now()).await? {
        NoticeClaim::Claimed => {}
        NoticeClaim::Held => return Err(NotifyError::Held),
        NoticeClaim::Sent => return Ok(()),
    }
    let last = store.last_end(company, *id).await?;
    let policy = context.config.policies.of(webhook.dialect());
    let mail = Mail::write(&notice, &webhook, last.as_ref(), policy);
    let sent = mailer.send(to, &mail).await;
    metrics.count(if sent.is_ok() { Count::MailsSent } else { Count::MailsFailed }, 1);
    let sent_as = sent?;
    tracing::info!(%company, webhook = %id, notice = notice.told.word(), sent_as, "mailed");
    Ok(store.note_sent(&notice, context.now()).await?)
}
