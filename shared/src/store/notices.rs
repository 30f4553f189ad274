//! Mails: that one is being sent, and that it was.
//!
//! A mail's note is made by who is about to send it, on condition that nobody else is, and that nobody has.

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError, types::ReturnValuesOnConditionCheckFailure as OnFailure,
};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, error::unless_refused, from_item, keys::Key, number, to_item};
use crate::{
    domain::{NOTICE_LEASE, Notice, Timestamp},
    version::Version1,
};

/// How long a note is kept: longer than a queue and its dead-letter queue keep a copy of the event.
pub const NOTICE_KEPT: std::time::Duration = std::time::Duration::from_hours(15 * 24);

#[derive(Serialize, Deserialize)]
struct NoticeItem {
    pk: String,
    sk: String,
    v: Version1,
    owner: String,
    lease_until: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_at: Option<Timestamp>,
    ttl: i64,
}

/// Whether a mail is now this caller's to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeClaim {
    /// It is, until the lease ends.
    Claimed,
    /// Somebody else is at it, and may die.
    Held,
    /// It was sent.
    Sent,
}

impl Store {
    /// Claims a mail, unless it was sent or somebody else has claimed it whose lease is not over.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn claim_notice(
        &self,
        notice: &Notice,
        owner: &str,
        now: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        let Key { pk, sk } = Key::notice(notice);
        let (lease_until, ttl) = (now + NOTICE_LEASE, (now + NOTICE_KEPT).as_secs());
        let item =
            NoticeItem { pk, sk, v: Version1, owner: owner.to_owned(), lease_until, sent_at: None, ttl };
        let put = self
            .client
            .put_item()
            .table_name(&self.deliveries)
            .set_item(Some(to_item(&item)?))
            .condition_expression(
                "attribute_not_exists(pk) OR attribute_not_exists(sent_at) AND lease_until <= :now",
            )
            .expression_attribute_values(":now", number(now.as_ms()))
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        let Err(error) = put.send().await else { return Ok(NoticeClaim::Claimed) };
        let Some(PutItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else {
            return Err(StoreError::call("PutItem")(error));
        };
        let found: Option<NoticeItem> = refused.item().cloned().map(from_item).transpose()?;
        Ok(match found {
            Some(NoticeItem { sent_at: Some(_), .. }) => NoticeClaim::Sent,
            // The answer to this very claim may have been lost, and the SDK have made it again.
            Some(found) if found.owner == owner => NoticeClaim::Claimed,
            _ => NoticeClaim::Held,
        })
    }

    /// Notes that a mail was sent, whoever has claimed it meanwhile.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn note_sent(&self, notice: &Notice, now: Timestamp) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.deliveries)
            .set_key(Some(Key::notice(notice).into_item()))
            .update_expression("SET sent_at = :now")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", number(now.as_ms()));
        unless_refused(update.send().await)
    }
}
