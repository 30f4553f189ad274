//! Invokes functions over the Lambda Invoke API: where `cargo lambda watch`, or anything that speaks it, runs them.
//!
//! A function that is not there, or does not answer in its time, is not an error of what it was given: its queue is left
//! alone until it answers a batch of nothing ([`Invoker::ready`]). So messages wait for a function that is being built, and
//! only those that it was given before use up one of the times that they may be received.

use std::{
    collections::BTreeMap,
    fmt,
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use http::StatusCode;
use knockback::telemetry::chain;
use reqwest::{Client, Url, redirect::Policy};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore};

use crate::template::Function;

/// How long to wait before somebody who did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How many times a function's time a look at it may take: as it is being built, or as whoever took the look is gone.
const LOOKS: u32 = 2;

/// How long a look at the API may take.
const HEALTH_TIMEOUT: Duration = Duration::from_mins(1);

/// The most characters of an answer that an error repeats.
const QUOTED_MAX: usize = 300;

/// Where functions are invoked: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvokeUrl(Url);

/// Invokes functions over the Lambda Invoke API. Functions are named as in the template.
#[derive(Debug)]
pub struct Invoker {
    url: InvokeUrl,
    client: Client,
    functions: BTreeMap<String, Remote>,
    /// Whether anything was ever answered, and whether it was told that nothing is any more: an outage is told once.
    was_reached: AtomicBool,
    is_missed: AtomicBool,
}

/// A function that runs elsewhere.
#[derive(Debug)]
struct Remote {
    /// What the Invoke API knows it by.
    binary: String,
    timeout: Duration,
    /// There is one instance, and what it does not do at once would wait within its timeout.
    turn: Semaphore,
    /// Whether it has answered, and has not failed to since.
    is_up: Mutex<bool>,
}

/// An invocation that failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The template does not say what it is called.
    #[error("the template has no binary for the function")]
    NoBinary,
    /// Nobody is there, or whoever was is gone.
    #[error("the function cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It did not answer in the function's time.
    #[error("the function did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The answer is no success.
    #[error("the invocation was answered {status}: {answer}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The begin of the answer.
        answer: String,
    },
    /// The function failed.
    #[error("the function failed: {0}")]
    Function(String),
    /// The answer is none to a batch.
    #[error("the function's answer cannot be read")]
    Unreadable(#[from] serde_json::Error),
}

impl Invoker {
    /// An invoker of these functions.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be made.
    pub fn new(url: InvokeUrl, functions: Vec<Function>) -> Result<Self, reqwest::Error> {
        // A proxy has nothing to do with it, and a connection that outlives who is at its other end is no use.
        let client = Client::builder().no_proxy().redirect(Policy::none()).pool_max_idle_per_host(0);
        let functions = functions.into_iter().map(|Function { name, binary, timeout_secs }| {
            let (turn, is_up) = (Semaphore::new(1), Mutex::new(false));
            (name, Remote { binary, timeout: Duration::from_secs(timeout_secs), turn, is_up })
        });
        let (was_reached, is_missed) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { url, client: client.build()?, functions: functions.collect(), was_reached, is_missed })
    }

    /// Where the functions are invoked.
    pub fn url(&self) -> &InvokeUrl {
        &self.url
    }

    /// Invokes a function with messages of its queue.
    ///
    /// # Errors
    ///
    /// If the whole batch has failed: it is not known what became of any message.
    pub async fn handle(&self, function: &str, event: &SqsEvent) -> Result<SqsBatchResponse, InvokeError> {
        let remote = self.functions.get(function).ok_or(InvokeError::NoBinary)?;
        let result = async { read_failures(&self.call(remote, serde_json::to_vec(event)?).await?) }.await;
        if let Err(InvokeError::Unreachable(_) | InvokeError::TimedOut(_)) = result {
            // Whoever holds it is asking the function already.
            if let Ok(mut is_up) = remote.is_up.try_lock() {
                *is_up = false;
            }
        }
        result
    }

    /// Invokes a function with any input, whatever it answers.
    ///
    /// # Errors
    ///
    /// If it fails, or cannot be invoked.
    pub async fn run(&self, function: &str, input: &Value) -> Result<(), InvokeError> {
        let remote = self.functions.get(function).ok_or(InvokeError::NoBinary)?;
        self.call(remote, input.to_string().into_bytes()).await.map(drop)
    }

    /// Waits until a function that takes messages answers, however long it takes to build it. Costs nothing once it does.
    pub async fn ready(&self, function: &str) {
        // What the template does not name is told when it is invoked.
        let Some(remote) = self.functions.get(function) else { return };
        let mut is_up = remote.is_up.lock().await;
        let nothing = br#"{"Records":[]}"#;
        let mut told = None;
        while !*is_up {
            let looking = async { read_failures(&self.post(remote, nothing.to_vec()).await?) };
            let deadline = remote.timeout * LOOKS;
            let answered = tokio::time::timeout(deadline, looking);
            match answered.await.unwrap_or(Err(InvokeError::TimedOut(deadline))) {
                Ok(_) => *is_up = true,
                Err(InvokeError::TimedOut(_)) => {}
                Err(InvokeError::Unreachable(_)) => tokio::time::sleep(ASK_AGAIN).await,
                Err(error) => {
                    let error = chain(&error);
                    if told.as_ref() != Some(&error) {
                        tracing::error!(function, error, "a function is not ready; its messages wait");
                    }
                    told = Some(error);
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
        }
    }

    /// Waits until the API and all functions that are named answer.
    pub async fn all_ready(&self, functions: impl Iterator<Item = &str>) {
        for function in functions {
            self.ready(function).await;
        }
        let health = format!("{}/health", self.url);
        loop {
            let answered = self.client.get(&health).timeout(HEALTH_TIMEOUT).send().await;
            if answered.is_ok_and(|response| response.status().is_success()) {
                return;
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Waits until somebody is there.
    pub async fn reachable(&self) {
        let InvokeUrl(url) = &self.url;
        let address = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
        let host = address.0.trim_matches(['[', ']']);
        while tokio::net::TcpStream::connect((host, address.1)).await.is_err() {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Invokes a function within its time. Who is not there yet is waited for as long.
    async fn call(&self, remote: &Remote, event: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        let _turn = remote.turn.acquire().await;
        let calling = async {
            loop {
                match self.post(remote, event.clone()).await {
                    Err(InvokeError::Unreachable(error)) if error.is_connect() => {
                        tokio::time::sleep(ASK_AGAIN).await;
                    }
                    result => return result,
                }
            }
        };
        tokio::time::timeout(remote.timeout, calling)
            .await
            .unwrap_or_else(|_| Err(InvokeError::TimedOut(remote.timeout)))
    }

    /// Makes the request.
    async fn post(&self, remote: &Remote, event: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        let url = format!("{}/2015-03-31/functions/{}/invocations", self.url, remote.binary);
        let request = self.client.post(url).header("content-type", "application/json").body(event);
        let exchanged = async {
            let response = request.send().await?;
            let is_error = response.headers().contains_key("x-amz-function-error");
            Ok((response.status(), is_error, response.bytes().await?))
        };
        let exchanged = exchanged.await;
        self.note(exchanged.is_ok());
        let (status, is_error, answer) = exchanged.map_err(InvokeError::Unreachable)?;
        match status {
            status if !status.is_success() => Err(InvokeError::Status { status, answer: quote(&answer) }),
            _ if is_error => Err(InvokeError::Function(quote(&answer))),
            _ => Ok(answer.into()),
        }
    }

    /// Tells once that nobody is there any more, and once that somebody is again. Whoever is about to start the functions
    /// is not told that they are not there yet.
    fn note(&self, is_reached: bool) {
        let url = &self.url;
        if is_reached {
            self.was_reached.store(true, Ordering::SeqCst);
            if self.is_missed.swap(false, Ordering::SeqCst) {
                tracing::warn!(%url, "the functions answer again");
            }
        } else if self.was_reached.load(Ordering::SeqCst) && !self.is_missed.swap(true, Ordering::SeqCst) {
            tracing::warn!(%url, "nobody answers for the functions; what is for them waits");
        }
    }
}

/// The failures that a function has named, read as Lambda does.
fn read_failures(answer: &[u8]) -> Result<SqsBatchResponse, InvokeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        batch_item_failures: Option<Vec<Failed>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Failed {
        item_identifier: Identifier,
    }
    #[derive(Deserialize)]
    #[serde(try_from = "String")]
    struct Identifier(String);
    impl TryFrom<String> for Identifier {
        type Error = &'static str;

        fn try_from(text: String) -> Result<Self, Self::Error> {
            if text.is_empty() { Err("an itemIdentifier is empty") } else { Ok(Self(text)) }
        }
    }
    let answer: Option<Answer> = serde_json::from_slice(answer)?;
    let failures = answer.and_then(|answer| answer.batch_item_failures).unwrap_or_default();
    let mut response = SqsBatchResponse::default();
    response.set_failures(failures.into_iter().map(|failed| failed.item_identifier.0));
    Ok(response)
}

/// The begin of an answer, on one line.
fn quote(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    text.chars().take(QUOTED_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;

impl InvokeUrl {
    /// Host and port, as they stand in a URL.
    pub fn authority(&self) -> &str {
        self.0.authority()
    }

    /// The hosts that it has from this machine, with its port: by loopback, both the address and the name.
    pub fn own_hosts(&self) -> Vec<String> {
        let port = self.0.port_or_known_default().unwrap_or_default();
        let mut hosts = vec![self.authority().to_owned()];
        if self.is_loopback() {
            hosts.extend(["127.0.0.1", "localhost"].map(|host| format!("{host}:{port}")));
        }
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// The address and port of this machine that `cargo lambda watch` has to listen on; `None` if it cannot.
    pub fn listen(&self) -> Option<(String, u16)> {
        let address = match self.0.host_str()? {
            "localhost" => "127.0.0.1",
            host => host.trim_matches(['[', ']']),
        };
        let is_here = self.is_loopback() && self.0.scheme() == "http";
        is_here.then_some((address.to_owned(), self.0.port_or_known_default()?))
    }

    fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(url_host) => {
                let host = url_host.to_string();
                let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
                address.map_or(host == "localhost", |address| address.is_loopback())
            }
            None => false,
        }
    }
}

impl FromStr for InvokeUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| "must be a URL such as http://127.0.0.1:9001")?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("must begin with http:// or https://, such as http://127.0.0.1:9001");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user or password");
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("must end after the host and the port, such as http://127.0.0.1:9001");
        }
        Ok(Self(url))
    }
}

impl fmt::Display for InvokeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}
