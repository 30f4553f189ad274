//! One attempt: the POST, and what follows from it.

use knockback::{
    bus::announce,
    domain::{
        Announcement, AttemptEnd, AttemptState, Change, Secret, Timestamp, after_failure, after_success,
        payload,
    },
    seal::{password_place, signing_secret_place},
    sender::{Exchange, Post, signing::SigningSecret},
    store::{About, Attempt, Failed, FailureRecord, StoreError, StoredWebhook},
    telemetry::{ATTEMPT, chain},
};

use tokio::sync::Mutex;

use crate::{
    Deliver,
    turn::{Due, Turn, TurnError},
};

/// How often a webhook's health is decided again because somebody else changed it meanwhile.
const TRIES: u32 = 20;

/// Makes an attempt that is this caller's to make.
pub(crate) async fn make_attempt(deliver: &Deliver, due: Due<'_>) -> Result<Turn, TurnError> {
    let end = post(deliver, &due).await?;
    let attempt = |state| Attempt {
        key: due.message.key(),
        event: due.message.event_id.clone(),
        about: Some(About::from(due.event)),
        state,
    };
    if end.is_success() {
        log(&due, &end, None);
        // The success stands, whether or not the webhook's health can be written; if not, the message comes again for that.
        let noted = note_success(deliver, due.current, &end).await;
        if let Err(error) = &noted {
            tracing::error!(webhook = %due.message.webhook, error = chain(error), "a webhook's success was not noted");
        }
        let attempt = Box::new(attempt(AttemptState::Succeeded(end)));
        return Ok(Turn::Succeeded { attempt, noted: noted.is_ok() });
    }
    write_failure(deliver, &due, &end, attempt).await
}

async fn post(deliver: &Deliver, due: &Due<'_>) -> Result<AttemptEnd, TurnError> {
    let Due { message, event, .. } = due;
    let (context, webhook) = (&deliver.context, &due.webhook);
    let place = signing_secret_place(&webhook.company, webhook.id);
    let secret = context.key_ring.open(&webhook.signing_secret, &place)?;
    let secret = SigningSecret::parse(&secret).ok_or(TurnError::SigningSecret)?;
    let place = password_place(&webhook.company, webhook.id);
    let password = webhook.http_auth_password.as_ref().map(|sealed| context.key_ring.open(sealed, &place));
    let password = password.transpose()?;
    let has_credentials = webhook.http_auth_user.is_some() || password.is_some();
    let body = payload::render(event, webhook, message.attempt)?;

    let started_at = context.now();
    let headers = vec![
        ("webhook-id", message.delivery.to_string()),
        ("webhook-timestamp", started_at.as_secs().to_string()),
        ("webhook-signature", secret.sign(message.delivery, started_at, &body)),
    ];
    let post = Post {
        url: &webhook.url,
        body: body.into(),
        headers,
        basic: has_credentials
            .then(|| (webhook.http_auth_user.clone().unwrap_or_default(), password.map(Secret))),
        timeout: context.config.policies.pipedrive.timeout,
    };
    let Exchange { status, error, answer } = deliver.sender.post(&post).await;
    Ok(AttemptEnd { started_at, ended_at: context.now(), status, error, answer })
}

/// Writes a success to the webhook where that is news.
pub(crate) async fn note_success(
    deliver: &Deliver,
    current: &Mutex<StoredWebhook>,
    end: &AttemptEnd,
) -> Result<(), StoreError> {
    let store = &deliver.context.store;
    let mut current = current.lock().await;
    for round in 0..TRIES {
        if current.webhook.removed_at.is_some() {
            return Ok(());
        }
        let Some(health) = after_success(&current.webhook.health, end) else { return Ok(()) };
        if store.write_health(&current, &health).await? {
            *current = current.with_health(health);
            return Ok(());
        }
        store.back_off(round).await;
        let Some(webhook) = store.webhook(&current.webhook.company, current.webhook.id).await? else {
            return Ok(());
        };
        *current = webhook;
    }
    Err(StoreError::Contention { operation: "noting a success" })
}

/// Writes a failure with all that follows from it, then sets the alarm for the retry.
async fn write_failure(
    deliver: &Deliver,
    due: &Due<'_>,
    end: &AttemptEnd,
    attempt: impl Fn(AttemptState) -> Attempt,
) -> Result<Turn, TurnError> {
    let (context, message) = (&deliver.context, due.message);
    let policy = &context.config.policies.pipedrive;
    let mut current = due.current.lock().await;
    let mut webhook = Some(current.clone());
    for round in 0..TRIES {
        let after =
            webhook.as_ref().map(|read| after_failure(policy, &read.webhook.health, message.attempt, end));
        let retry = after.as_ref().and_then(|after| after.retry);
        let health = after.as_ref().and_then(|after| after.health.as_ref());
        let announcements = after.as_ref().map_or(&[][..], |after| &after.announcements);
        let record = FailureRecord {
            attempt: &attempt(AttemptState::Failed(end.clone(), retry.map(|retry| retry.due))),
            owner: due.owner.as_deref(),
            health: webhook.as_ref().zip(health),
            retry,
            announcements,
        };
        match context.store.write_failure(&record, end.ended_at).await? {
            Failed::Written => {
                if let (Some(read), Some(health)) = (&webhook, health) {
                    *current = read.with_health(health.clone());
                }
                drop(current);
                log(due, end, retry.map(|retry| retry.due));
                if let Some(retry) = retry {
                    let alarm = message.alarm(retry.number, retry.due);
                    context.queues.set_alarm(alarm, context.now()).await?;
                }
                if let Some(StoredWebhook { webhook, .. }) = &webhook {
                    log_ban(due, announcements);
                    announce(context, webhook, announcements).await;
                }
                return Ok(Turn::Over);
            }
            Failed::AlreadyEnded => {
                log(due, end, None);
                // Whoever ended it may have died before the alarm: this message finds it ended, and sets it.
                return Ok(Turn::Again);
            }
            Failed::WebhookChanged(changed) => {
                context.store.back_off(round).await;
                *current = (*changed).clone();
                webhook = Some(*changed);
            }
            Failed::WebhookGone => webhook = None,
        }
    }
    Err(StoreError::Contention { operation: "writing a failure" }.into())
}

/// The one line of an attempt. It names no URL, for that may hold a secret.
fn log(due: &Due<'_>, end: &AttemptEnd, retry_due: Option<Timestamp>) {
    let Due { message, event, .. } = due;
    tracing::info!(
        target: ATTEMPT,
        company = %message.company,
        webhook = %message.webhook,
        delivery = %message.delivery,
        attempt = message.attempt.as_number(),
        object = event.object.as_str(),
        action = event.action.as_str(),
        status = end.status,
        duration_ms = u64::try_from(end.ended_at.since(end.started_at).as_millis()).unwrap_or(u64::MAX),
        error = end.error,
        retry_due = retry_due.map(tracing::field::display),
        correlation_id = event.correlation_id,
    );
}

fn log_ban(due: &Due<'_>, announcements: &[Announcement]) {
    for announcement in announcements {
        if let Change::Banned { until, .. } = announcement.change {
            let (company, webhook) = (&due.message.company, due.message.webhook);
            tracing::warn!(target: ATTEMPT, %company, %webhook, banned_until = %until);
        }
    }
}
