//! What clauses say of answers.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// The code of a refusal; `None` if the call was taken.
pub(crate) fn code<T, E: ProvideErrorMetadata, R>(answer: &Result<T, SdkError<E, R>>) -> Option<String> {
    let error = answer.as_ref().err()?;
    Some(error.code().unwrap_or("no code").to_owned())
}

/// Asserts that a call is refused by this code, and answers with the message.
#[track_caller]
pub(crate) fn refused<T, E: ProvideErrorMetadata, R>(answer: Result<T, SdkError<E, R>>, by: &str) -> String {
    let found = code(&answer);
    let message = answer.err().and_then(|error| error.message().map(str::to_owned)).unwrap_or_default();
    match found {
        None => panic!("it is taken, where AWS answers {by}"),
        Some(found) if found != by => panic!("it is answered {found} ({message}), where AWS answers {by}"),
        Some(_) => message,
    }
}
