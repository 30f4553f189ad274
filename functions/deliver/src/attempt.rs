//! One attempt: the POST, and what follows from it.

use knockback::{
    bus::announce,
    domain::{
        AfterFailure, Announcement, AttemptEnd, AttemptState, Change, Dialect, Hold, Policy, Retry, Secret,
        Timestamp, Webhook, after_failure, after_success, payload,
    },
    seal::{client_secret_place, password_place, signing_secret_place},
    sender::{
        Exchange, Post,
        signing::{SigningSecret, epages_signature, signatures},
    },
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
    // First, so that its neighbours wait as soon as may be.
    begin_hold(deliver, &due, &end).await;
    write_failure(deliver, &due, &end, attempt).await
}

fn policy<'a>(deliver: &'a Deliver, due: &Due<'_>) -> &'a Policy {
    deliver.context.config.policies.of(due.webhook.dialect())
}

async fn post(deliver: &Deliver, due: &Due<'_>) -> Result<AttemptEnd, TurnError> {
    let Due { message, event, .. } = due;
    let (context, webhook) = (&deliver.context, &due.webhook);
    let secrets = signing_secrets(deliver, webhook).await?;
    let place = password_place(&webhook.company, webhook.id);
    let password = match &webhook.http_auth_password {
        Some(sealed) => Some(context.sealer.open(sealed, &place).await?),
        None => None,
    };
    let has_credentials = webhook.http_auth_user.is_some() || password.is_some();
    let body = payload::render(event, webhook, message.attempt)?;
    let epages_signature = epages_header(deliver, due, &body).await?;

    // What may have to wait for a key of ours is behind us.
    let started_at = context.now();
    let mut headers = vec![
        ("webhook-id", message.delivery.to_string()),
        ("webhook-timestamp", started_at.as_secs().to_string()),
        ("webhook-signature", signatures(&secrets, message.delivery, started_at, &body)),
    ];
    if let Some(signature) = epages_signature {
        headers.push(("x-epages-hmac-sha256", signature));
    }
    let post = Post {
        url: &webhook.url,
        body: body.into(),
        headers,
        basic: has_credentials
            .then(|| (webhook.http_auth_user.clone().unwrap_or_default(), password.map(Secret))),
        timeout: policy(deliver, due).timeout,
    };
    let Exchange { status, error, answer } = deliver.sender.post(&post).await?;
    Ok(AttemptEnd { started_at, ended_at: context.now(), status, error, answer })
}

/// What signs an attempt that is about to be made.
async fn signing_secrets(deliver: &Deliver, webhook: &Webhook) -> Result<Vec<SigningSecret>, TurnError> {
    let place = signing_secret_place(&webhook.company, webhook.id);
    let mut secrets = Vec::with_capacity(1);
    for sealed in webhook.signing_secrets(deliver.context.now()) {
        let secret = deliver.context.sealer.open(sealed, &place).await?;
        secrets.push(SigningSecret::parse(&secret).ok_or(TurnError::SigningSecret)?);
    }
    Ok(secrets)
}

/// The signature that an ePages app checks, with the client secret that it shares with the platform.
async fn epages_header(deliver: &Deliver, due: &Due<'_>, body: &[u8]) -> Result<Option<String>, TurnError> {
    if due.webhook.dialect() != Dialect::Epages {
        return Ok(None);
    }
    let sealed = due.app.as_ref().and_then(|app| app.client_secret.as_ref());
    let (app, sealed) = due.webhook.app.as_ref().zip(sealed).ok_or(TurnError::ClientSecret)?;
    let secret = deliver.context.sealer.open(sealed, &client_secret_place(app)).await?;
    Ok(Some(epages_signature(&secret, body)))
}

/// Holds the app of a webhook after a failure. A hold that cannot be written spares the app nothing, and stops nobody.
async fn begin_hold(deliver: &Deliver, due: &Due<'_>, end: &AttemptEnd) {
    let last = due.app.as_ref().and_then(|app| app.state.hold);
    let Some((app, hold)) = due.webhook.app.as_ref().zip(Hold::after(policy(deliver, due), last, end)) else {
        return;
    };
    if let Err(error) = deliver.context.store.begin_hold(&due.webhook.company, app, hold, end).await {
        tracing::error!(company = %due.webhook.company, %app, error = chain(&error), "an app was not held");
    }
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
        if store.write_health(&current, &health, &[], end.ended_at).await? {
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
    let policy = policy(deliver, due);
    let mut current = due.current.lock().await;
    let mut webhook = Some(current.clone());
    for round in 0..TRIES {
        let after = webhook
            .as_ref()
            .map_or_else(AfterFailure::default, |read| after_failure(policy, &read.webhook, &due.turn, end));
        let retry_due = after.retry.map(|retry| retry.due);
        let record = FailureRecord {
            attempt: &attempt(AttemptState::Failed(end.clone(), retry_due)),
            owner: due.owner.as_deref(),
            webhook: webhook.as_ref(),
            after: &after,
            held: due.turn.held,
        };
        match context.store.write_failure(&record, end.ended_at).await? {
            Failed::Written => {
                if let Some(read) = &webhook {
                    *current = read.after(&after, end.ended_at);
                }
                let now_is = current.webhook.clone();
                drop(current);
                log(due, end, retry_due);
                if let Some(Retry { number, due }) = after.retry {
                    context.queues.set_alarm(message.alarm(number, due), context.now()).await?;
                }
                log_changes(due, &after.announcements);
                announce(context, &now_is, &after.announcements).await;
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

fn log_changes(due: &Due<'_>, announcements: &[Announcement]) {
    let (company, webhook) = (&due.message.company, due.message.webhook);
    for announcement in announcements {
        match announcement.change {
            Change::Banned { until, .. } => {
                tracing::warn!(target: ATTEMPT, %company, %webhook, banned_until = %until);
            }
            Change::Deactivated { .. } => {
                tracing::warn!(target: ATTEMPT, %company, %webhook, deactivated = true);
            }
            _ => {}
        }
    }
}
