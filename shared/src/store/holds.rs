//! Holds: the pause of an app in one company.
//!
//! A hold is written by who sees the failure that begins it, on condition that the one before had ended when the attempt
//! started. So of many attempts that fail together one writes, and no hold is ever moved.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Item, Store, StoreError, error::unless_refused, from_item, keys::Key, number, to_value};
use crate::{
    domain::{AppId, AttemptEnd, CompanyId, Hold, Timestamp},
    version::Version1,
};

/// How long a hold that is over is kept: longer than an attempt that began before it may take.
const KEPT: Duration = Duration::from_hours(24);

#[derive(Serialize, Deserialize)]
struct HoldItem {
    v: Version1,
    held_from: Timestamp,
    held_until: Timestamp,
}

impl Store {
    /// Begins a hold after an attempt, unless one has begun since the attempt started.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn begin_hold(
        &self,
        company: &CompanyId,
        app: &AppId,
        hold: Hold,
        end: &AttemptEnd,
    ) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.webhooks)
            .set_key(Some(Key::hold(company, app).into_item()))
            .update_expression("SET v = :v, held_from = :from, held_until = :until, #ttl = :ttl")
            .condition_expression("attribute_not_exists(held_until) OR held_until <= :started")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":v", to_value(&Version1)?)
            .expression_attribute_values(":ttl", number((hold.until + KEPT).as_secs()))
            .expression_attribute_values(":from", number(hold.from.as_ms()))
            .expression_attribute_values(":until", number(hold.until.as_ms()))
            .expression_attribute_values(":started", number(end.started_at.as_ms()));
        unless_refused(update.send().await)
    }
}

/// Reads a hold.
pub(super) fn hold(item: Item) -> Result<Hold, StoreError> {
    let HoldItem { v: Version1, held_from: from, held_until: until } = from_item(item)?;
    Ok(Hold { from, until })
}
