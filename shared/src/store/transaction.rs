//! Transactions: all of a change or none of it.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError as WriteError,
    types::{
        TransactWriteItem,
        builders::{ConditionCheckBuilder, DeleteBuilder, PutBuilder, UpdateBuilder},
    },
};

use super::{Item, Store, StoreError};

/// How often a transaction is tried while others change the same items.
const TRIES: u32 = 24;

/// Why a transaction is cancelled that may be made a moment later. The SDK does not retry these.
const PASSING: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// Whether a transaction was made.
#[derive(Debug)]
pub(super) enum Transacted {
    /// It was.
    Done,
    /// A condition did not hold: for each action, whether its own did not, and what the item was where asked for.
    Refused(Vec<Refusal>),
}

/// What an action had to do with the refusal of its transaction.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Whether this action's condition did not hold.
    pub(super) failed: bool,
    /// The item as it is, where it was asked for.
    pub(super) item: Option<Item>,
}

impl Store {
    /// Makes a transaction, again if it met with another one or was throttled.
    pub(super) async fn transact(
        &self,
        operation: &'static str,
        actions: Vec<TransactWriteItem>,
    ) -> Result<Transacted, StoreError> {
        for attempt in 0..TRIES {
            let request = self.client.transact_write_items().set_transact_items(Some(actions.clone()));
            let Err(error) = request.send().await else { return Ok(Transacted::Done) };
            let Some(WriteError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
                return Err(StoreError::call(operation)(error));
            };
            let reasons = cancelled.cancellation_reasons();
            let refused = |code: Option<&str>| code == Some("ConditionalCheckFailed");
            if reasons.iter().any(|reason| refused(reason.code())) {
                let refusals = reasons
                    .iter()
                    .map(|reason| Refusal { failed: refused(reason.code()), item: reason.item().cloned() });
                return Ok(Transacted::Refused(refusals.collect()));
            }
            if !reasons.iter().any(|reason| reason.code().is_some_and(|code| PASSING.contains(&code))) {
                return Err(StoreError::call(operation)(error));
            }
            self.back_off(attempt).await;
        }
        Err(StoreError::Contention { operation })
    }

    /// Waits for a random time that doubles with each attempt, at most half a second.
    pub async fn back_off(&self, attempt: u32) {
        let mut random = [0; 2];
        self.entropy.fill(&mut random);
        let longest_ms = (4_u64 << attempt.min(7)).min(500);
        tokio::time::sleep(Duration::from_millis(u64::from(u16::from_be_bytes(random)) % longest_ms)).await;
    }
}

/// An action of a transaction, from the builder of one; a builder that lacks something is a bug of its caller.
pub(super) trait Action {
    fn action(self) -> Result<TransactWriteItem, StoreError>;
}

macro_rules! action {
    ($builder:ident, $setter:ident) => {
        impl Action for $builder {
            fn action(self) -> Result<TransactWriteItem, StoreError> {
                let built = self.build().map_err(|error| StoreError::Call {
                    operation: "building a transaction",
                    code: "incomplete".to_owned(),
                    source: error.into(),
                })?;
                Ok(TransactWriteItem::builder().$setter(built).build())
            }
        }
    };
}

action!(ConditionCheckBuilder, condition_check);
action!(PutBuilder, put);
action!(UpdateBuilder, update);
action!(DeleteBuilder, delete);
