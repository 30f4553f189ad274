//! The turn of one attempt: whether it is made now, and by whom.

use knockback::{
    domain::{
        AttemptState, DropReason, Event, Gate, Retry, Standing, Timestamp, Turn as GateTurn, Webhook,
        alarm_delay, gate, standing,
    },
    queues::{DeliveryMessage, SendError},
    seal::SealError,
    sender::Exhausted,
    store::{About, Attempt, Batch, Claim, KnownApp, StoreError, StoredWebhook},
    telemetry::{ATTEMPT, Count, chain},
};
use tokio::sync::Mutex;

use crate::{
    Run,
    attempt::{make_attempt, note_success},
    webhooks::Webhooks,
};

/// What becomes of a message.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It has done what it was for.
    Over,
    /// The same; the success is still to be written.
    Succeeded {
        /// The attempt, with its end.
        attempt: Box<Attempt>,
        /// Whether its webhook knows; if not, the message has to come again once the success is written.
        noted: bool,
    },
    /// It has to come again.
    Again,
}

/// A failure of ours; the message comes again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TurnError {
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("an alarm could not be set")]
    Send(#[from] SendError),
    #[error("a secret does not open")]
    Seal(#[from] SealError),
    #[error("the signing secret is not one")]
    SigningSecret,
    #[error("the app has no client secret")]
    ClientSecret,
    #[error("the POST could not be made")]
    Exhausted(#[from] Exhausted),
    #[error("the body could not be written")]
    Body(#[from] serde_json::Error),
}

/// An attempt that is about to be made.
pub(crate) struct Due<'a> {
    pub(crate) message: &'a DeliveryMessage,
    /// The webhook as it was when the attempt began.
    pub(crate) webhook: Webhook,
    /// The webhook as it is now, as far as this batch has changed it.
    pub(crate) current: &'a Mutex<StoredWebhook>,
    /// The app of an application webhook.
    pub(crate) app: Option<KnownApp>,
    pub(crate) turn: GateTurn,
    pub(crate) event: &'a Event,
    /// Who has claimed it; an original on the healthy path has no item, and nobody to claim it from.
    pub(crate) owner: Option<String>,
}

/// Takes the turn that a message is for. A failure of ours is logged here, once.
pub(crate) async fn take_turn(
    run: &Run<'_>,
    message: &DeliveryMessage,
    read: &Batch,
    webhooks: &Webhooks,
) -> Turn {
    match try_turn(run, message, read, webhooks).await {
        Ok(turn) => turn,
        Err(error) => {
            tracing::error!(
                company = %message.company,
                webhook = %message.webhook,
                delivery = %message.delivery,
                attempt = message.attempt.as_number(),
                error = chain(&error),
                "a delivery was put back"
            );
            Turn::Again
        }
    }
}

async fn try_turn(
    run: &Run<'_>,
    message: &DeliveryMessage,
    read: &Batch,
    webhooks: &Webhooks,
) -> Result<Turn, TurnError> {
    let now = run.context.now();
    let state = read.attempt(&message.key())?;
    match standing(state.as_ref(), message.attempt, message.due, now) {
        Standing::Begin => {}
        Standing::Over => {
            // Who made the attempt may have failed to note it.
            if let (Some(AttemptState::Succeeded(end)), Some(current)) = (&state, webhooks.get(message)) {
                note_success(run, current, end).await?;
            }
            return Ok(Turn::Over);
        }
        Standing::Held => return Ok(Turn::Again),
        Standing::Ring(Retry { number, due }) => {
            let alarm = message.alarm(number, due);
            if alarm_delay(due, now).is_none() {
                run.context.store.watch_over(&alarm.key(), due, now).await?;
            }
            run.context.queues.set_alarm(alarm, now).await?;
            return Ok(Turn::Over);
        }
    }
    let current = webhooks.get(message);
    let webhook = match current {
        Some(current) => Some(current.lock().await.webhook.clone()),
        // There is none, or its item cannot be read.
        None => read.webhook(&message.company, message.webhook)?.map(|stored| stored.webhook),
    };
    let app = match &webhook {
        Some(webhook) => app_of(run, message, read, webhook).await?,
        None => None,
    };
    let kept = if message.event.is_none() { read.event(&message.company, &message.event_id)? } else { None };
    let event = message.event.as_ref().or(kept.as_ref());
    let held = state.as_ref().is_some_and(AttemptState::is_held);
    let turn = GateTurn { number: message.attempt, accepted_at: message.accepted_at, held };
    let app_state = app.as_ref().map(|app| app.state);
    let begun = Begun { run, message, event, state, now };
    match gate(webhook.as_ref(), app_state, &turn, now) {
        Gate::Deliver => match (webhook.zip(current), event) {
            (Some((webhook, current)), Some(event)) => {
                begun.make(Due { message, webhook, current, app, turn, event, owner: None }).await
            }
            (Some(_), None) => begun.drop(DropReason::Expired).await,
            (None, _) => begun.drop(DropReason::Removed).await,
        },
        Gate::Wait(until) => begun.wait(until, held).await,
        Gate::Hold(until) => begun.wait(until, true).await,
        Gate::Drop(reason) => begun.drop(reason).await,
    }
}

/// The app of an application webhook.
async fn app_of(
    run: &Run<'_>,
    message: &DeliveryMessage,
    read: &Batch,
    webhook: &Webhook,
) -> Result<Option<KnownApp>, StoreError> {
    let Some(installation) = webhook.installation() else { return Ok(None) };
    if message.installation.as_ref() == Some(&installation) {
        return read.app(&installation).map(Some);
    }
    // The message does not say so; so it was not known when the batch was read.
    run.context.store.app(&installation).await.map(Some)
}

/// An attempt that a message has begun, and that is now made, delayed or dropped: on condition that its item still is
/// what was read.
struct Begun<'a> {
    run: &'a Run<'a>,
    message: &'a DeliveryMessage,
    event: Option<&'a Event>,
    state: Option<AttemptState>,
    now: Timestamp,
}

impl Begun<'_> {
    async fn make(&self, mut due: Due<'_>) -> Result<Turn, TurnError> {
        let Self { run, message, state, now, .. } = self;
        if let Some(state) = state {
            let name = format!("{:032x}", u128::from_be_bytes(run.context.random()));
            let claim = run.context.store.claim(&message.key(), state, &name, *now).await?;
            if claim == Claim::AlreadyTaken {
                return Ok(Turn::Again);
            }
            due.owner = Some(name);
        }
        make_attempt(run, due).await
    }

    async fn wait(&self, until: Timestamp, held: bool) -> Result<Turn, TurnError> {
        if self.settle(AttemptState::Waiting { due: until, held }).await? == Claim::AlreadyTaken {
            return Ok(Turn::Again);
        }
        let alarm = self.message.alarm(self.message.attempt, until);
        self.run.context.queues.set_alarm(alarm, self.now).await?;
        Ok(Turn::Over)
    }

    async fn drop(&self, reason: DropReason) -> Result<Turn, TurnError> {
        if self.settle(AttemptState::Dropped(reason)).await? == Claim::AlreadyTaken {
            return Ok(Turn::Again);
        }
        let Self { run, message, event, .. } = self;
        run.metrics.count(Count::Dropped, 1);
        tracing::info!(
            target: ATTEMPT,
            company = %message.company,
            webhook = %message.webhook,
            delivery = %message.delivery,
            attempt = message.attempt.as_number(),
            event = %message.event_id,
            object = event.map(|event| event.object.as_str()),
            action = event.map(|event| event.action.as_str()),
            outcome = "dropped",
            dropped = reason.as_str(),
            correlation_id = event.map(|event| &*event.correlation_id),
        );
        Ok(Turn::Over)
    }

    async fn settle(&self, state: AttemptState) -> Result<Claim, TurnError> {
        let attempt = Attempt {
            key: self.message.key(),
            event: self.message.event_id.clone(),
            about: self.event.map(About::from),
            state,
        };
        Ok(self.run.context.store.settle(&attempt, self.state.as_ref(), self.now).await?)
    }
}
