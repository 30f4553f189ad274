//! The one way to a receiver: a guarded HTTP client.
//!
//! One deadline covers the whole exchange. Redirects are not followed, proxies of the environment not used, the
//! address that is dialled is checked, the body is read up to a cap. Whatever a receiver does is data: an
//! [`Exchange`], never an error. What we lack is an error, never data.

mod connection;
mod explain;
mod resolver;
pub mod signing;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{Client, RequestBuilder, Url, header};

use self::{
    connection::{Dial, WatchDials},
    explain::{broken_body, is_broken_connection, is_exhausted, no_answer, refusal},
    resolver::Guarded,
};
use crate::{
    authorities::Authorities,
    domain::{AddressPolicy, Secret},
};

pub use resolver::{Resolver, SystemResolver, check_host};

/// How much of an answer's body is read, in bytes. More is abandoned, and no failure.
///
/// This and hyper's limits are why a receiver cannot make us remember more: a head of 100 headers and about 400 KiB, and as
/// much of a body that was read ahead.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// How much of an answer's body is kept, in characters.
const ANSWER_CHARS_KEPT: usize = 1000;

/// How long an idle connection is kept. A sandbox may be frozen for longer: such a connection is found broken.
///
/// Nothing else bounds how many there are, and a function has 1 024 descriptors: at 60 new hosts a second, half of them.
const IDLE_KEPT: Duration = Duration::from_secs(8);

/// How many idle connections are kept to one host.
const IDLE_PER_HOST_MAX: usize = 2;

/// How receivers are found and trusted.
#[derive(Debug, Clone)]
pub struct Internet {
    /// Says where names lead.
    pub resolver: Arc<dyn Resolver>,
    /// Whom to believe certificates from.
    pub authorities: Authorities,
}

impl Default for Internet {
    /// As the system does it. Reads files.
    fn default() -> Self {
        Self { resolver: Arc::new(SystemResolver), authorities: Authorities::of_system() }
    }
}

/// Makes POST requests to receivers.
#[derive(Debug, Clone)]
pub struct Sender {
    pooled: Client,
    fresh: Client,
    addresses: Arc<AddressPolicy>,
}

/// One POST.
#[derive(Debug, Clone)]
pub struct Post<'a> {
    /// Where to.
    pub url: &'a str,
    /// The very bytes to send: JSON.
    pub body: Bytes,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// HTTP Basic credentials.
    pub basic: Option<(String, Option<Secret>)>,
    /// The time for the whole exchange.
    pub timeout: Duration,
}

/// Why there is no sender.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// No certificate would be believed, and each receiver would be blamed for it.
    #[error(
        "no authority's certificate was found: install ca-certificates, or name a file of them in SSL_CERT_FILE"
    )]
    NoAuthorities,
    /// TLS has none of the versions that are safe.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The client refuses its settings.
    #[error("the HTTP client cannot be set up")]
    Client(#[from] reqwest::Error),
}

/// The POST could not be made for want of something on our side: no failure of the receiver.
#[derive(Debug, thiserror::Error)]
#[error("there is no file descriptor or memory for a connection")]
pub struct Exhausted(#[source] reqwest::Error);

/// What came of a POST.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchange {
    /// The status that the receiver answered, if it answered.
    pub status: Option<u16>,
    /// Why it is a failure, for the owner to read; `None` if it is a success.
    pub error: Option<String>,
    /// The start of the answer's body.
    pub answer: Option<String>,
}

impl Sender {
    /// A client that reaches what `addresses` permit.
    ///
    /// # Errors
    ///
    /// If there are no authorities.
    pub fn new(internet: &Internet, addresses: AddressPolicy) -> Result<Self, SenderError> {
        if internet.authorities.is_empty() {
            return Err(SenderError::NoAuthorities);
        }
        let addresses = Arc::new(addresses);
        let tls = internet.authorities.tls()?;
        let builder = || {
            Client::builder()
                .user_agent(concat!("Knockback/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .retry(reqwest::retry::never())
                .http1_only()
                // Whatever other crates enable: a body is not decoded, so a small one never becomes large.
                .no_gzip()
                .no_brotli()
                .no_deflate()
                .no_zstd()
                .tls_backend_preconfigured(tls.clone())
                .pool_idle_timeout(IDLE_KEPT)
                .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
                .connector_layer(WatchDials)
                .dns_resolver(Guarded::new(Arc::clone(&internet.resolver), Arc::clone(&addresses)))
        };
        let fresh = builder().pool_max_idle_per_host(0).build()?;
        Ok(Self { pooled: builder().build()?, fresh, addresses })
    }

    /// Makes a POST. It returns by the deadline, whatever the receiver does.
    ///
    /// # Errors
    ///
    /// If this machine has no room for a connection.
    pub async fn post(&self, post: &Post<'_>) -> Result<Exchange, Exhausted> {
        let url = match self.addresses.check_url(post.url) {
            Ok(url) => url,
            Err(refused) => return Ok(Exchange::failed(refusal(refused))),
        };
        let progress = Progress::default();
        let exchange = progress.dial.watch(self.exchange(post, &url, &progress));
        match tokio::time::timeout(post.timeout, exchange).await {
            Ok(exchange) => exchange,
            Err(_) => Ok(progress.timed_out(post.timeout)),
        }
    }

    async fn exchange(&self, post: &Post<'_>, url: &Url, progress: &Progress) -> Result<Exchange, Exhausted> {
        let response = match request(&self.pooled, post, url).send().await {
            Err(error) if progress.dial.was_reused() && is_broken_connection(&error) => {
                // A connection that was idle broke before one byte of the answer: the receiver closed it while nobody
                // looked. That is no failure of the receiver.
                request(&self.fresh, post, url).send().await
            }
            response => response,
        };
        match response {
            Err(error) if is_exhausted(&error) => Err(Exhausted(error.without_url())),
            Err(error) => Ok(Exchange::failed(no_answer(error))),
            Ok(mut response) => {
                let status = response.status();
                progress.answered(status.as_u16());
                let (body, broken) = read_body(&mut response).await;
                Ok(Exchange {
                    status: Some(status.as_u16()),
                    error: broken.or_else(|| (!status.is_success()).then(|| format!("answered {status}"))),
                    answer: excerpt(&body),
                })
            }
        }
    }
}

fn request(client: &Client, post: &Post<'_>, url: &Url) -> RequestBuilder {
    let mut request =
        client.post(url.clone()).header(header::CONTENT_TYPE, "application/json").body(post.body.clone());
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    match &post.basic {
        Some((user, password)) => {
            request.basic_auth(user, password.as_ref().map(|Secret(password)| password))
        }
        None => request,
    }
}

/// Reads the answer's body to its end or to the cap; with why it broke off, if it did.
async fn read_body(response: &mut reqwest::Response) -> (Vec<u8>, Option<String>) {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = ANSWER_BYTES_MAX - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() >= room {
                    return (body, None);
                }
            }
            Ok(None) => return (body, None),
            Err(error) => return (body, Some(broken_body(error))),
        }
    }
}

/// The start of a body, as text on one line.
fn excerpt(body: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(body)
        .chars()
        .take(ANSWER_CHARS_KEPT)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// How far an exchange has come, for who has to say where it was cut off.
#[derive(Debug, Default)]
struct Progress {
    dial: Dial,
    status: std::sync::OnceLock<u16>,
}

impl Progress {
    fn answered(&self, status: u16) {
        // The first answer is the only one.
        let _ = self.status.set(status);
    }

    fn timed_out(&self, timeout: Duration) -> Exchange {
        let status = self.status.get().copied();
        let doing = match status {
            Some(_) => "reading the body",
            None if self.dial.is_looking_up() => "looking up the name",
            None if self.dial.is_under_way() => "connecting",
            None => "waiting for the answer",
        };
        let timeout = humantime::format_duration(timeout);
        Exchange { status, error: Some(format!("timed out after {timeout} while {doing}")), answer: None }
    }
}

impl Exchange {
    fn failed(error: String) -> Self {
        Self { error: Some(error), ..Self::default() }
    }
}
