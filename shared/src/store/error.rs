//! What can go wrong with a table.

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::update_item::UpdateItemError,
};

/// A call to DynamoDB that failed, or an item that cannot be read. Never the caller's fault.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB refused the call or was not reached.
    #[error("{operation} failed ({code})")]
    Call {
        /// The operation.
        operation: &'static str,
        /// AWS's name for the error, or `unreachable`.
        code: String,
        /// The SDK's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An item is not what it should be.
    #[error("an item cannot be read or written")]
    Format(#[source] serde_dynamo::Error),
    /// An event cannot be read or written.
    #[error("an event cannot be read or written")]
    Event(#[source] serde_json::Error),
    /// An event cannot be unpacked or packed.
    #[error("an event cannot be packed or unpacked")]
    Packing(#[source] std::io::Error),
    /// Others kept changing what this call was to change.
    #[error("{operation} met with another change too many times")]
    Contention {
        /// What was to be done.
        operation: &'static str,
    },
}

impl StoreError {
    /// Whether there was too much to do at once for one item.
    pub fn is_overload(&self) -> bool {
        let is_throttling = |code: &str| {
            ["ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"]
                .contains(&code)
        };
        match self {
            Self::Contention { .. } => true,
            Self::Call { code, .. } => is_throttling(code),
            _ => false,
        }
    }

    /// Wraps the SDK's error for `operation`.
    pub(super) fn call<E, R>(operation: &'static str) -> impl FnOnce(SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        move |error| {
            let code = error.code().unwrap_or("unreachable").to_owned();
            Self::Call { operation, code, source: error.into() }
        }
    }
}

/// Takes it for done when the condition of an update does not hold.
pub(super) fn unless_refused<T, R>(answer: Result<T, SdkError<UpdateItemError, R>>) -> Result<(), StoreError>
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match answer {
        Err(error)
            if !error
                .as_service_error()
                .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
        {
            Err(StoreError::call("UpdateItem")(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_and_contention_are_overload_and_a_refusal_is_not() {
        let call = |code: &str| StoreError::Call {
            operation: "UpdateItem",
            code: code.to_owned(),
            source: "for a test".into(),
        };
        assert!(call("ThrottlingException").is_overload());
        assert!(call("ProvisionedThroughputExceededException").is_overload());
        assert!(StoreError::Contention { operation: "spending" }.is_overload());
        assert!(!call("AccessDeniedException").is_overload() && !call("unreachable").is_overload());
    }
}
