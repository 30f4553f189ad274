//! The turn of one attempt: whether it is made now, and by whom.

use knockback::{
    domain::{DropReason, Event, Gate, Timestamp, gate},
    queues::{DeliveryMessage, SendError},
    seal::SealError,
    store::{About, Attempt, AttemptState, Batch, Claim, StoreError, StoredWebhook},
    telemetry::ATTEMPT,
};

use crate::{Deliver, attempt::make_attempt};

/// What becomes of a message.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It has done what it was for.
    Over,
    /// The same; the success is still to be written.
    Succeeded(Box<Attempt>),
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
    #[error("the body could not be written")]
    Body(#[from] serde_json::Error),
}

/// An attempt that is about to be made.
pub(crate) struct Due<'a> {
    pub(crate) message: &'a DeliveryMessage,
    pub(crate) webhook: StoredWebhook,
    pub(crate) event: Event,
    /// Who has claimed it; an original on the healthy path has no item, and nobody to claim it from.
    pub(crate) owner: Option<String>,
}

/// Takes the turn that a message is for. A failure of ours is logged here, once.
pub(crate) async fn take_turn(deliver: &Deliver, message: &DeliveryMessage, read: &Batch) -> Turn {
    match try_turn(deliver, message, read).await {
        Ok(turn) => turn,
        Err(error) => {
            tracing::error!(
                company = %message.company,
                webhook = %message.webhook,
                delivery = %message.delivery,
                attempt = message.attempt.as_number(),
                error = &error as &dyn std::error::Error,
                "a delivery was put back"
            );
            Turn::Again
        }
    }
}

async fn try_turn(deliver: &Deliver, message: &DeliveryMessage, read: &Batch) -> Result<Turn, TurnError> {
    let context = &deliver.context;
    let now = context.now();
    let state = read.attempt(&message.key())?;
    match &state {
        None if message.attempt.is_original() && message.due.is_none() => {}
        // What waits has an item; without, it has expired.
        None | Some(AttemptState::Succeeded(_) | AttemptState::Dropped(_)) => return Ok(Turn::Over),
        Some(AttemptState::Failed(_, retry_due)) => {
            if let Some(due) = retry_due {
                set_alarm(deliver, &message.alarm(message.attempt.next(), *due), now).await?;
            }
            return Ok(Turn::Over);
        }
        Some(AttemptState::Started { lease_until }) if *lease_until > now => return Ok(Turn::Again),
        // This message rings for another time, or too early.
        Some(AttemptState::Waiting { due }) if message.due != Some(*due) || *due > now => {
            set_alarm(deliver, &message.alarm(message.attempt, *due), now).await?;
            return Ok(Turn::Over);
        }
        Some(AttemptState::Started { .. } | AttemptState::Waiting { .. }) => {}
    }

    let webhook = read.webhook(&message.company, message.webhook)?;
    let event = match &message.event {
        Some(event) => Some(event.clone()),
        None => read.event(&message.company, &message.event_id)?,
    };
    let settle = async |to: AttemptState| {
        let about = event.as_ref().map(About::from);
        let attempt = Attempt { key: message.key(), event: message.event_id.clone(), about, state: to };
        context.store.settle(&attempt, state.as_ref(), now).await
    };
    let verdict =
        gate(webhook.as_ref().map(|stored| &stored.webhook), message.attempt, message.accepted_at, now);
    let dropped = match (verdict, webhook, event.clone()) {
        (Gate::Wait(until), ..) => {
            if settle(AttemptState::Waiting { due: until }).await? == Claim::AlreadyTaken {
                return Ok(Turn::Again);
            }
            set_alarm(deliver, &message.alarm(message.attempt, until), now).await?;
            return Ok(Turn::Over);
        }
        (Gate::Deliver, Some(webhook), Some(event)) => {
            let owner = match &state {
                None => None,
                Some(state) => {
                    let owner = format!("{:032x}", u128::from_be_bytes(context.random()));
                    if context.store.claim(&message.key(), state, &owner, now).await? == Claim::AlreadyTaken {
                        return Ok(Turn::Again);
                    }
                    Some(owner)
                }
            };
            return make_attempt(deliver, Due { message, webhook, event, owner }).await;
        }
        (Gate::Drop(reason), ..) => reason,
        (Gate::Deliver, None, _) => DropReason::Removed,
        (Gate::Deliver, Some(_), None) => DropReason::Expired,
    };
    if settle(AttemptState::Dropped(dropped)).await? == Claim::AlreadyTaken {
        return Ok(Turn::Again);
    }
    tracing::info!(
        target: ATTEMPT,
        company = %message.company,
        webhook = %message.webhook,
        delivery = %message.delivery,
        attempt = message.attempt.as_number(),
        dropped = dropped.as_str(),
    );
    Ok(Turn::Over)
}

async fn set_alarm(deliver: &Deliver, alarm: &DeliveryMessage, now: Timestamp) -> Result<(), SendError> {
    deliver.context.queues.set_alarm(alarm, now).await
}
