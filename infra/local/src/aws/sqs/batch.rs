//! What all batch operations have in common: up to ten entries, each with an id, each with a result of its own.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::error::SqsError;
use crate::aws::wire::Answer;

/// Entries that a batch has at most.
const BATCH_LIMIT: usize = 10;

/// An entry of a batch.
pub(super) trait Entry {
    /// What the results name the entry by.
    fn id(&self) -> Option<&str>;
}

/// Checks the number of entries and their ids: what fails a batch as a whole.
///
/// # Errors
///
/// If there are none or too many, or an id is malformed or repeated.
pub(super) fn check_batch(entries: &[impl Entry]) -> Result<(), SqsError> {
    if entries.is_empty() {
        return Err(SqsError::EmptyBatchRequest);
    }
    if entries.len() > BATCH_LIMIT {
        return Err(SqsError::TooManyEntriesInBatchRequest(entries.len()));
    }
    let mut seen = HashSet::new();
    for entry in entries {
        let id = entry.id().ok_or(SqsError::MissingParameter("Id"))?;
        let is_id = (1..=80).contains(&id.len())
            && id.chars().all(|char| char.is_ascii_alphanumeric() || "-_".contains(char));
        if !is_id {
            return Err(SqsError::InvalidBatchEntryId(id.to_owned()));
        }
        if !seen.insert(id) {
            return Err(SqsError::BatchEntryIdsNotDistinct(id.to_owned()));
        }
    }
    Ok(())
}

/// The answer that tells the result of each entry, by its id.
pub(super) fn answer_batch(
    results: impl IntoIterator<Item = (String, Result<Map<String, Value>, SqsError>)>,
) -> Answer {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, result) in results {
        match result {
            Ok(mut answer) => {
                answer.insert("Id".to_owned(), Value::String(id));
                successful.push(answer);
            }
            Err(error) => {
                let (code, is_sender_fault) = error.batch_code();
                failed.push(json!({
                    "Id": id,
                    "Code": code,
                    "Message": error.to_string(),
                    "SenderFault": is_sender_fault,
                }));
            }
        }
    }
    Answer::ok(&json!({ "Successful": successful, "Failed": failed }))
}
