//! Attempts: what waits, what has started, how it ended.
//!
//! Waiting is an item; a message is only its alarm clock. Whoever wants to start, delay or drop an attempt writes its
//! item on condition that it still is what was read, so that of many copies of a message one gets through.

use aws_sdk_dynamodb::{
    operation::{put_item::PutItemError, query::builders::QueryFluentBuilder, update_item::UpdateItemError},
    types::{Put, ReturnValuesOnConditionCheckFailure as OnFailure},
};
use serde::{Deserialize, Serialize};

use super::{
    Item, Store, StoreError, StoredWebhook, from_item,
    keys::{AttemptKey, Key},
    number, text, to_item,
    transaction::{Action, Transacted},
    waits::wake,
    webhooks::stored_webhook,
};
use crate::{
    domain::{
        Action as EventAction, AfterFailure, AttemptEnd, AttemptState, CompanyId, DropReason, EntityId,
        Event, EventId, LEASE, Object, Timestamp, WebhookId,
    },
    version::Version1,
};

/// How many of the latest attempts are read at once for the last that has ended, and how often: beside them are those that
/// wait and those that were dropped, of which a ban makes many.
const LATEST_ITEMS: i32 = 50;
const LATEST_PAGES_MAX: u32 = 20;

/// An attempt as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which attempt.
    pub key: AttemptKey,
    /// Of which event.
    pub event: EventId,
    /// What the event was about, where that is still known.
    pub about: Option<About>,
    /// Where it stands.
    pub state: AttemptState,
}

/// What an event was about, for who reads the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    object: Object,
    action: EventAction,
    entity: EntityId,
}

impl From<&Event> for About {
    fn from(event: &Event) -> Self {
        Self { object: event.object.clone(), action: event.action, entity: event.entity.clone() }
    }
}

/// Whether an attempt is now this caller's to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is, until the lease ends.
    Claimed,
    /// It is somebody else's, or was.
    AlreadyTaken,
}

/// Whether a failure was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// It was, with all that follows from it.
    Written,
    /// Somebody else has ended this attempt: theirs counts.
    AlreadyEnded,
    /// The webhook was changed or removed meanwhile: decide again.
    WebhookChanged(Box<StoredWebhook>),
    /// The webhook is gone: the failure has to be written without it.
    WebhookGone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateName {
    Waiting,
    Started,
    Succeeded,
    Failed,
    Dropped,
}

#[derive(Serialize, Deserialize)]
struct AttemptItem {
    pk: String,
    sk: String,
    v: Version1,
    event: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<About>,
    state: StateName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<Timestamp>,
    /// Whether its delivery waits, or has waited, for a hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    held: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<AttemptEnd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_due: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dropped: Option<DropReason>,
    /// Only while it waits: where and when the sweeper finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wake_shard: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wake_at: Option<Timestamp>,
    ttl: i64,
}

impl AttemptItem {
    fn new(attempt: &Attempt, now: Timestamp, ttl: i64) -> Self {
        let Key { pk, sk } = Key::attempt(&attempt.key);
        let mut item = Self {
            pk,
            sk,
            v: Version1,
            event: attempt.event.clone(),
            about: attempt.about.clone(),
            state: StateName::Waiting,
            due: None,
            held: attempt.state.is_held(),
            lease_until: None,
            owner: None,
            end: None,
            retry_due: None,
            dropped: None,
            wake_shard: None,
            wake_at: None,
            ttl,
        };
        match &attempt.state {
            AttemptState::Waiting { due, .. } => {
                let (shard, wake_at) = wake(attempt.key.delivery.spread(), *due, now);
                (item.due, item.wake_shard, item.wake_at) = (Some(*due), Some(shard), Some(wake_at));
            }
            AttemptState::Started { lease_until, .. } => {
                (item.state, item.lease_until) = (StateName::Started, Some(*lease_until));
            }
            AttemptState::Succeeded(end) => {
                (item.state, item.end) = (StateName::Succeeded, Some(end.clone()));
            }
            AttemptState::Failed(end, retry_due) => {
                (item.state, item.end, item.retry_due) = (StateName::Failed, Some(end.clone()), *retry_due);
            }
            AttemptState::Dropped(reason) => (item.state, item.dropped) = (StateName::Dropped, Some(*reason)),
        }
        item
    }

    /// The state; `None` if the item lacks what its state has.
    fn state(self) -> Option<AttemptState> {
        Some(match self.state {
            StateName::Waiting => AttemptState::Waiting { due: self.due?, held: self.held },
            StateName::Started => AttemptState::Started { lease_until: self.lease_until?, held: self.held },
            StateName::Succeeded => AttemptState::Succeeded(self.end?),
            StateName::Failed => AttemptState::Failed(self.end?, self.retry_due),
            StateName::Dropped => AttemptState::Dropped(self.dropped?),
        })
    }
}

/// Reads where an attempt stands from its item.
pub(super) fn attempt_state(item: Item) -> Result<AttemptState, StoreError> {
    let item: AttemptItem = from_item(item)?;
    item.state().ok_or_else(|| {
        StoreError::Format(<serde_dynamo::Error as serde::de::Error>::custom(
            "an attempt lacks what its state has",
        ))
    })
}

/// What a failed attempt leads to, as it is written.
#[derive(Debug)]
pub struct FailureRecord<'a> {
    /// The attempt, with its end.
    pub attempt: &'a Attempt,
    /// Who has claimed it; `None` for an original, which has no item while it is made.
    pub owner: Option<&'a str>,
    /// The webhook as it was read; `None` if it is gone.
    pub webhook: Option<&'a StoredWebhook>,
    /// What follows.
    pub after: &'a AfterFailure,
    /// Whether the delivery has waited for a hold.
    pub held: bool,
}

impl Store {
    /// Starts an attempt that has an item, on condition that the item is what was read: waiting for this very time, or
    /// started by somebody whose lease is over.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn claim(
        &self,
        attempt: &AttemptKey,
        read: &AttemptState,
        owner: &str,
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        let (condition, at) = match read {
            AttemptState::Waiting { due, .. } if *due <= now => ("#state = :waiting AND due = :at", due),
            AttemptState::Started { lease_until, .. } if *lease_until <= now => {
                ("#state = :started AND lease_until = :at", lease_until)
            }
            _ => return Ok(Claim::AlreadyTaken),
        };
        let mut update = self
            .client
            .update_item()
            .table_name(&self.deliveries)
            .set_key(Some(Key::attempt(attempt).into_item()))
            .update_expression(
                "SET #state = :started, #owner = :owner, lease_until = :until REMOVE wake_shard, wake_at",
            )
            .condition_expression(condition)
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":started", text("started"))
            .expression_attribute_values(":owner", text(owner))
            .expression_attribute_values(":until", number((now + LEASE).as_ms()))
            .expression_attribute_values(":at", number(at.as_ms()));
        if matches!(read, AttemptState::Waiting { .. }) {
            update = update.expression_attribute_values(":waiting", text("waiting"));
        }
        let update = update.return_values_on_condition_check_failure(OnFailure::AllOld);
        let Err(error) = update.send().await else { return Ok(Claim::Claimed) };
        let Some(UpdateItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else {
            return Err(StoreError::call("UpdateItem")(error));
        };
        // The answer to this very claim may have been lost, and the SDK have made it again.
        let owned_by = refused.item().and_then(|item| item.get("owner")?.as_s().ok());
        Ok(if owned_by.is_some_and(|name| name == owner) { Claim::Claimed } else { Claim::AlreadyTaken })
    }

    /// Lets an attempt wait, or drops it, on condition that its item is what was read: absent, or waiting for this very
    /// time.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn settle(
        &self,
        attempt: &Attempt,
        read: Option<&AttemptState>,
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        // What waits is kept for its time from when it is due.
        let kept_from =
            if let AttemptState::Waiting { due, .. } = attempt.state { now.max(due) } else { now };
        let put = self
            .client
            .put_item()
            .table_name(&self.deliveries)
            .set_item(Some(to_item(&AttemptItem::new(attempt, now, self.expiry(kept_from)))?));
        let put = match read {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(AttemptState::Waiting { due: at, .. } | AttemptState::Started { lease_until: at, .. }) => {
                put.condition_expression(
                    "due = :at AND #state = :waiting OR lease_until = :at AND #state = :started",
                )
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":waiting", text("waiting"))
                .expression_attribute_values(":started", text("started"))
                .expression_attribute_values(":at", number(at.as_ms()))
            }
            Some(_) => return Ok(Claim::AlreadyTaken),
        };
        match put.send().await {
            Ok(_) => Ok(Claim::Claimed),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(PutItemError::ConditionalCheckFailedException(_))
                ) =>
            {
                Ok(Claim::AlreadyTaken)
            }
            Err(error) => Err(StoreError::call("PutItem")(error)),
        }
    }

    /// Writes a failed attempt, the retry that follows, the webhook's health and what is to be told of it: all or nothing.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn write_failure(
        &self,
        record: &FailureRecord<'_>,
        now: Timestamp,
    ) -> Result<Failed, StoreError> {
        let FailureRecord { attempt, owner, webhook, after, held } = record;
        let changed = webhook.filter(|_| after.health.is_some());
        let put = Put::builder()
            .table_name(&self.deliveries)
            .set_item(Some(to_item(&AttemptItem::new(attempt, now, self.expiry(now)))?))
            .return_values_on_condition_check_failure(OnFailure::None);
        let put = match owner {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(owner) => put
                .condition_expression("#state = :started AND #owner = :owner")
                .expression_attribute_names("#state", "state")
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_values(":started", text("started"))
                .expression_attribute_values(":owner", text(*owner)),
        };
        let mut actions = vec![put.action()?];
        if let Some(read) = changed {
            actions.push(self.failure_update(read, after, now)?);
        }
        if let Some(retry) = after.retry {
            let waiting = Attempt {
                key: AttemptKey { number: retry.number, ..attempt.key.clone() },
                state: AttemptState::Waiting { due: retry.due, held: *held },
                ..(*attempt).clone()
            };
            let item = to_item(&AttemptItem::new(&waiting, now, self.expiry(retry.due)))?;
            let put = Put::builder().table_name(&self.deliveries).set_item(Some(item));
            actions.push(put.condition_expression("attribute_not_exists(pk)").action()?);
        }
        if let Some(read) = changed {
            if after.deactivates {
                actions.push(self.delete_route(&read.webhook)?);
            }
            for announcement in &after.announcements {
                actions.push(self.put_announcement(&read.webhook, announcement, now)?);
            }
        }
        let Transacted::Refused(mut refusals) = self.transact("writing a failure", actions).await? else {
            return Ok(Failed::Written);
        };
        if changed.is_none() || refusals.len() < 2 || !refusals[1].failed || refusals[0].failed {
            return Ok(Failed::AlreadyEnded);
        }
        let webhook = refusals[1].item.take().map(stored_webhook).transpose()?;
        Ok(webhook.map_or(Failed::WebhookGone, |webhook| Failed::WebhookChanged(Box::new(webhook))))
    }

    /// How the last attempt for a webhook ended, as far as the attempts of its latest deliveries tell.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn last_end(
        &self,
        company: &CompanyId,
        webhook: WebhookId,
    ) -> Result<Option<AttemptEnd>, StoreError> {
        let (mut last, mut start): (Option<AttemptEnd>, _) = (None, None);
        for _ in 0..LATEST_PAGES_MAX {
            let query = self.newest_attempts(company, webhook).limit(LATEST_ITEMS);
            let query = query.set_exclusive_start_key(start);
            let found = query.send().await.map_err(StoreError::call("Query"))?;
            for item in found.items.unwrap_or_default() {
                if let AttemptState::Succeeded(end) | AttemptState::Failed(end, _) = attempt_state(item)?
                    && last.as_ref().is_none_or(|last| last.ended_at < end.ended_at)
                {
                    last = Some(end);
                }
            }
            start = found.last_evaluated_key;
            if last.is_some() || start.is_none() {
                break;
            }
        }
        Ok(last)
    }

    /// A query of the attempts for a webhook, those of the newest deliveries first.
    pub(super) fn newest_attempts(&self, company: &CompanyId, webhook: WebhookId) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.deliveries).consistent_read(true);
        query
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(Key::attempts(company, webhook)))
            .scan_index_forward(false)
    }

    /// The item of an attempt, for a batch that writes many of them.
    pub(super) fn attempt_item(&self, attempt: &Attempt, now: Timestamp) -> Result<Item, StoreError> {
        to_item(&AttemptItem::new(attempt, now, self.expiry(now)))
    }
}
