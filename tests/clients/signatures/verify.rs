use standardwebhooks::{Webhook, WebhookError};

fn verify(headers: &http::HeaderMap, body: &[u8], signing_secret: &str) -> Result<(), WebhookError> {
    Webhook::new(signing_secret)?.verify(body, headers)
}
