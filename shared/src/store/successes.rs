//! Successes that are in the log of a webhook, and nowhere else yet.

use super::{Store, StoreError, attempts::attempt_state, number, text};
use crate::domain::{AttemptEnd, AttemptState, CompanyId, Timestamp, WebhookId};

impl Store {
    /// A success of a webhook that ended after an instant, if the log has one. Reads the whole log where it has none: it is
    /// for who is about to delete the webhook.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn success_after(
        &self,
        company: &CompanyId,
        webhook: WebhookId,
        since: Timestamp,
    ) -> Result<Option<AttemptEnd>, StoreError> {
        let mut start = None;
        loop {
            let query = self
                .newest_attempts(company, webhook)
                .filter_expression("#state = :succeeded AND #end.ended_at > :since")
                .expression_attribute_names("#state", "state")
                .expression_attribute_names("#end", "end")
                .expression_attribute_values(":succeeded", text("succeeded"))
                .expression_attribute_values(":since", number(since.as_ms()))
                .set_exclusive_start_key(start);
            let found = query.send().await.map_err(StoreError::call("Query"))?;
            if let Some(item) = found.items.unwrap_or_default().into_iter().next()
                && let AttemptState::Succeeded(end) = attempt_state(item)?
            {
                return Ok(Some(end));
            }
            start = found.last_evaluated_key;
            if start.is_none() {
                return Ok(None);
            }
        }
    }
}
