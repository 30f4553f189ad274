//! What tokens have spent of their budgets, in the item of the token.

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure},
};
use serde::Deserialize;

use super::{Store, StoreError, Token, from_item, keys::Key, number};
use crate::domain::{Budget, RateLimit, Spend, Spending, Timestamp};

/// How often a request is decided again because others of the same token came in between.
const TRIES: u32 = 20;

/// Whether a request was within its token's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// It was, and is written.
    Granted(RateLimit),
    /// It was not.
    Refused {
        /// How the token stands.
        standing: RateLimit,
        /// When there will be enough.
        retry_after: std::time::Duration,
    },
    /// The token was taken back meanwhile.
    TokenGone,
}

#[derive(Deserialize)]
struct Refilling {
    full_at: Option<Timestamp>,
}

impl Store {
    /// Spends of the budget of a token that was read, at `now`.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer, or too many of the token's requests come at once.
    pub async fn spend(
        &self,
        token: &Token,
        budget: Budget,
        cost: u32,
        now: Timestamp,
    ) -> Result<Spent, StoreError> {
        let mut full_at = token.full_at;
        for round in 0..TRIES {
            let spend = match budget.spend(full_at, cost, now) {
                Spending::Spend(spend) => spend,
                Spending::Refuse { standing, retry_after } => {
                    return Ok(Spent::Refused { standing, retry_after });
                }
            };
            let update = self
                .client
                .update_item()
                .table_name(&self.webhooks)
                .set_key(Some(Key::token(&token.sha256).into_item()))
                .return_values(ReturnValue::UpdatedNew)
                .return_values_on_condition_check_failure(OnFailure::AllOld);
            let update = match spend {
                Spend::Begin(full_at) => update
                    .update_expression("SET full_at = :full_at")
                    .condition_expression(
                        "attribute_exists(pk) AND (attribute_not_exists(full_at) OR full_at <= :now)",
                    )
                    .expression_attribute_values(":full_at", number(full_at.as_ms())),
                Spend::Add { longer, latest } => update
                    .update_expression("SET full_at = full_at + :longer")
                    .condition_expression("full_at > :now AND full_at <= :latest")
                    .expression_attribute_values(
                        ":longer",
                        number(i64::try_from(longer.as_millis()).unwrap_or(i64::MAX)),
                    )
                    .expression_attribute_values(":latest", number(latest.as_ms())),
            };
            let update = update.expression_attribute_values(":now", number(now.as_ms()));
            let found = match update.send().await {
                Ok(updated) => {
                    let Refilling { full_at } = from_item(updated.attributes.unwrap_or_default())?;
                    return Ok(Spent::Granted(budget.standing(full_at.unwrap_or(now), now)));
                }
                Err(error) => match error.as_service_error() {
                    Some(UpdateItemError::ConditionalCheckFailedException(refused)) => refused.item.clone(),
                    _ => return Err(StoreError::call("UpdateItem")(error)),
                },
            };
            // Another request of this token came first.
            let Some(item) = found else { return Ok(Spent::TokenGone) };
            Refilling { full_at } = from_item(item)?;
            self.back_off(round).await;
        }
        Err(StoreError::Contention { operation: "spending of a budget" })
    }
}
