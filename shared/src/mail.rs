//! Mail to the owners of webhooks, by Amazon SES.
//!
//! A mail that was not answered for may have been sent all the same: whoever has it sent again may send it twice.

use std::time::Duration;

use aws_config::{SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sesv2::{
    Client,
    error::{BuildError, ProvideErrorMetadata},
    operation::send_email::SendEmailError,
    types::{Body, Content, Destination, EmailContent, Message},
};

use crate::domain::Mail;

/// How long SES may take: ten mails, one after the other, fit into the time that notify has.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(4);

/// Sends mail from one address.
#[derive(Debug, Clone)]
pub struct Mailer {
    client: Client,
    from: String,
}

/// SES has not said that it has a mail.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// SES refuses the mail for what it is, and will again unless something is changed: the sender is not verified, the
    /// receiver's address is none.
    #[error("SES refuses the mail as it is ({code})")]
    Refused {
        /// AWS's name for the error.
        code: String,
        /// The SDK's error, with the reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The call failed.
    #[error("SendEmail failed ({code})")]
    Call {
        /// AWS's name for the error, or `unreachable`.
        code: String,
        /// The SDK's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The call took too long.
    #[error("SendEmail has not answered within {} s", SEND_TIMEOUT.as_secs())]
    Slow,
    /// The mail cannot be written.
    #[error("a mail cannot be written")]
    Format(#[from] BuildError),
}

impl Mailer {
    /// Sends from this address. The SDK makes no call again by itself: SES may have the mail of the first one, and what was
    /// not sent is tried again by the queue.
    pub fn new(sdk: &SdkConfig, from: impl Into<String>) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(SEND_TIMEOUT).build();
        let config = aws_sdk_sesv2::config::Builder::from(sdk)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        Self { client: Client::from_conf(config.build()), from: from.into() }
    }

    /// Sends a mail; answers with the id that SES gives it.
    ///
    /// # Errors
    ///
    /// If SES does not say that it has the mail.
    pub async fn send(&self, to: &str, mail: &Mail) -> Result<String, MailError> {
        let content = |data: &str| Content::builder().data(data).charset("UTF-8").build();
        let body = Body::builder().text(content(&mail.text)?).html(content(&mail.html)?).build();
        let message = Message::builder().subject(content(&mail.subject)?).body(body).build();
        let call = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(to).build())
            .content(EmailContent::builder().simple(message).build());
        let answer = tokio::time::timeout(SEND_TIMEOUT, call.send()).await.map_err(|_| MailError::Slow)?;
        let sent = answer.map_err(|error| {
            let code = error.code().unwrap_or("unreachable").to_owned();
            let refused = matches!(
                error.as_service_error(),
                Some(
                    SendEmailError::MessageRejected(_)
                        | SendEmailError::BadRequestException(_)
                        | SendEmailError::MailFromDomainNotVerifiedException(_)
                )
            );
            let source = error.into();
            if refused { MailError::Refused { code, source } } else { MailError::Call { code, source } }
        })?;
        Ok(sent.message_id.unwrap_or_default())
    }
}
