//! The body of a delivery: one event as one webhook's version shows it.

mod changed;
mod epages;
mod v1;
mod v2;

use super::{AttemptNumber, Event, Version, Webhook};

/// The very bytes that are signed and sent.
///
/// # Errors
///
/// Only if a value could not be written as JSON, which all of these can.
pub fn render(event: &Event, webhook: &Webhook, number: AttemptNumber) -> Result<Vec<u8>, serde_json::Error> {
    match webhook.pattern.version {
        Version::V1 => v1::render(event, webhook, number),
        Version::V2 => v2::render(event, webhook, number),
        Version::Epages => epages::render(event, webhook),
    }
}
