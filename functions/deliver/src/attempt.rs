//! One attempt: the POST, and what follows from it.

use std::time::Duration;

use knockback::{
    bus::announce,
    domain::{
        AfterFailure, Announcement, AttemptEnd, AttemptState, Change, Dialect, Hold, Policy, Retry, Secret,
        Timestamp, Webhook, after_failure, after_success, payload,
    },
    queues::DeliveryMessage,
    seal::{client_secret_place, password_place, signing_secret_place},
    sender::{
        Exchange, Post,
        signing::{SigningSecret, epages_signature, signatures},
    },
    store::{About, Attempt, Failed, FailureRecord, StoreError, StoredWebhook},
    telemetry::{ATTEMPT, Count, Time, chain},
};

use tokio::sync::Mutex;

use crate::{
    Run,
    turn::{Due, Turn, TurnError},
};

/// How often a webhook's health is decided again because somebody else changed it meanwhile.
const TRIES: u32 = 20;

/// Makes an attempt that is this caller's to make.
pub(crate) async fn make_attempt(run: &Run<'_>, due: Due<'_>) -> Result<Turn, TurnError> {
    let end = post(run, &due).await?;
    count(run, &due, &end);
    let attempt = |state| Attempt {
        key: due.message.key(),
        event: due.message.event_id.clone(),
        about: Some(About::from(due.event)),
        state,
    };
    if end.is_success() {
        log(&due, &end, Follows::Nothing);
        // The success stands, whether or not the webhook's health can be written; if not, the message comes again for that.
        let noted = note_success(run, due.current, &end).await;
        if let Err(error) = &noted {
            tracing::error!(webhook = %due.message.webhook, error = chain(error), "a webhook's success was not noted");
        }
        let attempt = Box::new(attempt(AttemptState::Succeeded(end)));
        return Ok(Turn::Succeeded { attempt, noted: noted.is_ok() });
    }
    // First, so that its neighbours wait as soon as may be.
    begin_hold(run, &due, &end).await;
    write_failure(run, &due, &end, attempt).await
}

fn policy<'a>(run: &'a Run<'_>, due: &Due<'_>) -> &'a Policy {
    run.context.config.policies.of(due.webhook.dialect())
}

async fn post(run: &Run<'_>, due: &Due<'_>) -> Result<AttemptEnd, TurnError> {
    let Due { message, event, .. } = due;
    let (context, webhook) = (run.context, &due.webhook);
    let secrets = signing_secrets(run, webhook).await?;
    let place = password_place(&webhook.company, webhook.id);
    let password = match &webhook.http_auth_password {
        Some(sealed) => Some(context.sealer.open(sealed, &place).await?),
        None => None,
    };
    let has_credentials = webhook.http_auth_user.is_some() || password.is_some();
    let body = payload::render(event, webhook, message.attempt)?;
    let epages_signature = epages_header(run, due, &body).await?;

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
        timeout: policy(run, due).timeout,
    };
    let Exchange { status, error, answer } = run.sender.post(&post).await?;
    Ok(AttemptEnd { started_at, ended_at: context.now(), status, error, answer })
}

/// What signs an attempt that is about to be made.
async fn signing_secrets(run: &Run<'_>, webhook: &Webhook) -> Result<Vec<SigningSecret>, TurnError> {
    let place = signing_secret_place(&webhook.company, webhook.id);
    let mut secrets = Vec::with_capacity(1);
    for sealed in webhook.signing_secrets(run.context.now()) {
        let secret = run.context.sealer.open(sealed, &place).await?;
        secrets.push(SigningSecret::parse(&secret).ok_or(TurnError::SigningSecret)?);
    }
    Ok(secrets)
}

/// The signature that an ePages app checks, with the client secret that it shares with the platform.
async fn epages_header(run: &Run<'_>, due: &Due<'_>, body: &[u8]) -> Result<Option<String>, TurnError> {
    if due.webhook.dialect() != Dialect::Epages {
        return Ok(None);
    }
    let sealed = due.app.as_ref().and_then(|app| app.client_secret.as_ref());
    let (app, sealed) = due.webhook.app.as_ref().zip(sealed).ok_or(TurnError::ClientSecret)?;
    let secret = run.context.sealer.open(sealed, &client_secret_place(app)).await?;
    Ok(Some(epages_signature(&secret, body)))
}

/// Holds the app of a webhook after a failure. A hold that cannot be written spares the app nothing, and stops nobody.
async fn begin_hold(run: &Run<'_>, due: &Due<'_>, end: &AttemptEnd) {
    let last = due.app.as_ref().and_then(|app| app.state.hold);
    let Some((app, hold)) = due.webhook.app.as_ref().zip(Hold::after(policy(run, due), last, end)) else {
        return;
    };
    if let Err(error) = run.context.store.begin_hold(&due.webhook.company, app, hold, end).await {
        tracing::error!(company = %due.webhook.company, %app, error = chain(&error), "an app was not held");
    }
}

/// Writes a success to the webhook where that is news.
pub(crate) async fn note_success(
    run: &Run<'_>,
    current: &Mutex<StoredWebhook>,
    end: &AttemptEnd,
) -> Result<(), StoreError> {
    let store = &run.context.store;
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
    run: &Run<'_>,
    due: &Due<'_>,
    end: &AttemptEnd,
    attempt: impl Fn(AttemptState) -> Attempt,
) -> Result<Turn, TurnError> {
    let (context, message) = (run.context, due.message);
    let policy = policy(run, due);
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
        let failed = context.store.write_failure(&record, end.ended_at).await;
        match failed.inspect_err(|_| log(due, end, Follows::Nothing))? {
            Failed::Written => {
                if let Some(read) = &webhook {
                    *current = read.after(&after, end.ended_at);
                }
                let now_is = current.webhook.clone();
                drop(current);
                let given_up = policy.is_last(message.attempt);
                run.metrics.count(Count::GivenUp, usize::from(given_up));
                log(due, end, if given_up { Follows::GivenUp } else { retry_due.into() });
                // Before what may fail: who makes up for it does not tell them.
                tell_changes(run, due, &after.announcements);
                if let Some(Retry { number, due }) = after.retry {
                    context.queues.set_alarm(message.alarm(number, due), context.now()).await?;
                }
                announce(context, &now_is, &after.announcements).await;
                return Ok(Turn::Over);
            }
            Failed::AlreadyEnded => {
                log(due, end, Follows::Nothing);
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
    log(due, end, Follows::Nothing);
    Err(StoreError::Contention { operation: "writing a failure" }.into())
}

/// Counts an attempt that was made. Who cannot write its end makes it once more, and counts it once more.
fn count(run: &Run<'_>, due: &Due<'_>, end: &AttemptEnd) {
    let metrics = &run.metrics;
    metrics.count(Count::Attempts, 1);
    metrics.count(Count::Retries, usize::from(!due.message.attempt.is_original()));
    metrics.count(if end.is_success() { Count::Delivered } else { Count::Failed }, 1);
    metrics.time(Time::AttemptDuration, end.ended_at.since(end.started_at));
    if let Some(lag) = lag(due, end) {
        metrics.time(Time::DeliveryLag, lag);
    }
}

/// From when the event was taken to the start of its original attempt, unless that had to wait: then its message is an alarm.
fn lag(due: &Due<'_>, end: &AttemptEnd) -> Option<Duration> {
    let at_once = due.message.attempt.is_original() && due.message.due.is_none();
    at_once.then(|| end.started_at.since(due.message.accepted_at))
}

/// What follows an attempt, as far as its line says.
#[derive(Clone, Copy)]
enum Follows {
    /// Nothing; or it is for somebody else to decide, or cannot be written.
    Nothing,
    /// A retry.
    Retry(Timestamp),
    /// Nothing any more: the retries are used up.
    GivenUp,
}

impl From<Option<Timestamp>> for Follows {
    fn from(retry_due: Option<Timestamp>) -> Self {
        retry_due.map_or(Self::Nothing, Self::Retry)
    }
}

/// The one line of an attempt. It names no URL, for that may hold a secret.
fn log(due: &Due<'_>, end: &AttemptEnd, follows: Follows) {
    let Due { message, event, .. } = due;
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (retry_due, given_up) = match follows {
        Follows::Nothing => (None, None),
        Follows::Retry(due) => (Some(due), None),
        Follows::GivenUp => (None, Some(true)),
    };
    tracing::info!(
        target: ATTEMPT,
        company = %message.company,
        webhook = %message.webhook,
        delivery = %message.delivery,
        attempt = message.attempt.as_number(),
        event = %message.event_id,
        object = event.object.as_str(),
        action = event.action.as_str(),
        outcome = if end.is_success() { "succeeded" } else { "failed" },
        status = end.status,
        duration_ms = ms(end.ended_at.since(end.started_at)),
        lag_ms = lag(due, end).map(ms),
        error = end.error,
        retry_due = retry_due.map(tracing::field::display),
        given_up,
        correlation_id = event.correlation_id,
    );
}

/// A line for each thing that a failure has changed of its webhook.
fn tell_changes(run: &Run<'_>, due: &Due<'_>, announcements: &[Announcement]) {
    let DeliveryMessage { company, webhook, delivery, .. } = due.message;
    let correlation_id = &*due.event.correlation_id;
    for announcement in announcements {
        match announcement.change {
            Change::Banned { strikes, until, .. } => {
                run.metrics.count(Count::Banned, 1);
                tracing::warn!(
                    target: ATTEMPT, %company, %webhook, %delivery, correlation_id, strikes, banned_until = %until,
                    "a webhook is banned"
                );
            }
            Change::Deactivated { status } => {
                run.metrics.count(Count::Deactivated, 1);
                tracing::warn!(
                    target: ATTEMPT, %company, %webhook, %delivery, correlation_id, status, deactivated = true,
                    "a webhook is deactivated"
                );
            }
            Change::Reactivated | Change::Expiring { .. } | Change::Deleted { .. } => {}
        }
    }
}
