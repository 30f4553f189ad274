//! AWS in a box: DynamoDB, SQS, EventBridge, SES and Secrets Manager in this process, behind the wire formats of AWS.
//!
//! [`AwsBox`] routes a call to its service. [`connector`] leads the AWS SDK into it without a socket, [`port`] everybody
//! else by HTTP.
//!
//! Calls block the thread for the time of an SQLite transaction, which is microseconds to a few milliseconds. They are made
//! where they are awaited: handing each to a thread of its own would cost more, and would let the order of
//! calls differ from run to run.

pub mod chains;
pub mod connector;
pub mod counts;
pub mod dynamodb;
pub mod events;
pub mod faults;
pub mod iam;
pub mod mail;
pub mod port;
pub mod secrets;
pub mod sqs;
pub mod wire;

use std::{
    collections::BTreeSet,
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use knockback::clock::{Clock, Entropy};

use self::{
    counts::{Counter, Counts},
    dynamodb::{TableService, TablesError},
    events::{EventService, SinkError, TargetSink},
    faults::Faults,
    iam::Roles,
    mail::{Mail, MailService},
    secrets::SecretService,
    sqs::{JournalError, Sqs},
    wire::Answer,
};

const SQS: &str = "AmazonSQS";
const DYNAMODB: &str = "DynamoDB_20120810";
const TRANSACTION: &str = "DynamoDB_20120810.TransactWriteItems";
const EVENTBRIDGE: &str = "AWSEvents";
const SES: &str = "SES";
const SECRETS: &str = "secretsmanager";

/// Is shown every call: its target and its body.
type Watcher = Box<dyn Fn(&str, &[u8]) + Send + Sync>;

/// The services of one account.
#[derive(Debug)]
pub struct AwsBox {
    /// The queues.
    pub sqs: Arc<Sqs>,
    /// The tables.
    pub tables: TableService,
    /// The event buses, their rules and targets.
    pub events: EventService,
    /// The mails.
    pub mail: MailService,
    /// The secrets.
    pub secrets: SecretService,
    /// What functions may do.
    pub roles: Roles,
    /// What goes wrong with their calls.
    pub faults: Faults,
    counter: Counter,
    refused: Mutex<BTreeSet<String>>,
    conflicts: AtomicU32,
    watchers: Watchers,
    entropy: Arc<dyn Entropy>,
}

/// Those who are shown every call.
#[derive(Default)]
struct Watchers(RwLock<Vec<Watcher>>);

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watchers")
    }
}

/// Data that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The tables.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// The queues.
    #[error(transparent)]
    Queues(#[from] JournalError),
    /// The mails.
    #[error("cannot keep mails in {}", folder.display())]
    Mails {
        /// Where they would be.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The secrets.
    #[error("cannot read the secrets in {}", folder.display())]
    Secrets {
        /// Where they are.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Rules send to queues.
#[derive(Debug)]
struct QueueSink(Arc<Sqs>);

impl TargetSink for QueueSink {
    fn send(&self, target_arn: &str, body: String) -> Result<(), SinkError> {
        self.0.send_to_arn(target_arn, &body)?;
        Ok(())
    }
}

impl AwsBox {
    /// A box in memory, or on the files in a folder. `entropy` gives the ids of messages, events and answers.
    ///
    /// # Errors
    ///
    /// If the files cannot be read.
    pub fn open(
        data: Option<&Path>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let (tables, sqs) = match data {
            None => (
                TableService::in_memory(Arc::clone(&clock))?,
                Sqs::in_memory(Arc::clone(&clock), Arc::clone(&entropy))?,
            ),
            Some(folder) => (
                TableService::open(&folder.join("tables.sqlite"), Arc::clone(&clock))?,
                Sqs::open(&folder.join("queues.sqlite"), Arc::clone(&clock), Arc::clone(&entropy))?,
            ),
        };
        let sqs = Arc::new(sqs);
        let sink = Arc::new(QueueSink(Arc::clone(&sqs)));
        let events = EventService::new(sink, Arc::clone(&clock), Arc::clone(&entropy));
        let mails = data.map(|folder| folder.join("mails"));
        let mail = MailService::open(mails.clone(), Arc::clone(&clock), Arc::clone(&entropy))
            .map_err(|source| OpenError::Mails { folder: mails.unwrap_or_default(), source })?;
        let folder = data.map(Path::to_owned);
        let secrets = SecretService::open(folder.clone(), clock, Arc::clone(&entropy))
            .map_err(|source| OpenError::Secrets { folder: folder.unwrap_or_default(), source })?;
        Ok(Self {
            sqs,
            tables,
            events,
            mail,
            secrets,
            roles: Roles::default(),
            faults: Faults::default(),
            counter: Counter::default(),
            refused: Mutex::default(),
            conflicts: AtomicU32::new(0),
            watchers: Watchers::default(),
            entropy,
        })
    }

    /// The calls so far, and the units that they consumed.
    pub fn counts(&self) -> Counts {
        self.counter.counts()
    }

    /// The mails that were sent, in their order; on a folder the latest 1000.
    pub fn mails(&self) -> Vec<Mail> {
        self.mail.mails()
    }

    /// Shows every call from now on, by its target and its body, whatever it is answered.
    pub fn watch(&self, watcher: impl Fn(&str, &[u8]) + Send + Sync + 'static) {
        self.watchers.0.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(watcher));
    }

    /// Refuses an operation from now on, such as `AWSEvents.PutEvents`: as AWS does if a role may not call it.
    pub fn refuse(&self, target: &str) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(target.to_owned());
    }

    /// Takes an operation again.
    pub fn permit(&self, target: &str) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(target);
    }

    /// Cancels the next so many transactions, as DynamoDB does with those that meet another one.
    pub fn conflict(&self, transactions: u32) {
        self.conflicts.store(transactions, Ordering::SeqCst);
    }

    /// The length of the longest chain of messages so far: 0 without any, 1 if no function sent one. A message that no
    /// function takes counts too.
    pub fn longest_chain(&self) -> u32 {
        self.sqs.chains.longest()
    }

    /// Stops chains from now on, as Lambda does after 16 invocations unless a function permits loops: who receives a
    /// message whose chain is longer than `length` does not get it; it goes to the dead-letter queue. A queue
    /// without one goes on.
    pub fn limit_chains(&self, length: u32) {
        self.sqs.chains.limit_to(length);
    }

    /// The name of a request: what `x-amz-target` says, such as `AmazonSQS.SendMessage`, or else what method and path
    /// say, such as `SES.SendEmail`.
    pub fn target(header: Option<&str>, method: &str, path: &str) -> String {
        header.map_or_else(|| format!("{SES}.{}", mail::operation(method, path)), str::to_owned)
    }

    /// Answers one call; `target` is its name as [`Self::target`] gives it.
    pub async fn call(&self, target: &str, body: Bytes) -> Answer {
        let (service, operation) = target.split_once('.').unwrap_or((target, ""));
        self.counter.call(target);
        for watcher in self.watchers.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            watcher(target, &body);
        }
        if self.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(target) {
            return denied(target, target);
        }
        let conflicts = &self.conflicts;
        if target == TRANSACTION
            && conflicts.try_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
        {
            return transaction_conflict();
        }
        match service {
            SQS => self.sqs.call(operation, &body).await,
            DYNAMODB => {
                let (answer, consumed) = self.tables.call_metered(operation, &body);
                self.counter.consumed(target, consumed);
                answer
            }
            EVENTBRIDGE => self.events.call(operation, &body),
            SES => self.mail.call(operation, &body),
            SECRETS => self.secrets.call(operation, &body),
            _ => Answer::error(
                400,
                "com.amazon.coral.service#UnknownOperationException",
                &format!("the box has no service for {target:?}"),
            ),
        }
    }

    /// Answers one call of a function, as far as its role permits it.
    pub async fn respond_to(&self, function: &str, target: &str, body: Bytes) -> Response<Bytes> {
        let Some(lacking) = self.roles.lacks(function, target, &body) else {
            return self.respond(target, body).await;
        };
        tracing::error!(
            function,
            action = lacking.action,
            resource = lacking.resource,
            "a role lacks a permission"
        );
        self.counter.call(target);
        self.response(target, denied(target, &lacking.action))
    }

    /// Answers one call with everything that the service's protocol has in a response.
    pub async fn respond(&self, target: &str, body: Bytes) -> Response<Bytes> {
        let answer = self.call(target, body).await;
        self.response(target, answer)
    }

    fn response(&self, target: &str, answer: Answer) -> Response<Bytes> {
        let Answer { status, body, query_error, rest_error } = answer;
        let checksum = target.starts_with(DYNAMODB).then(|| crc32fast::hash(&body));
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() =
            http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        let content_type = match target.split('.').next() {
            Some(SES) => "application/json",
            Some(SECRETS) => "application/x-amz-json-1.1",
            _ => "application/x-amz-json-1.0",
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Ok(id) = HeaderValue::from_str(&self.request_id()) {
            headers.insert("x-amzn-requestid", id);
        }
        if let Some(checksum) = checksum {
            headers.insert("x-amz-crc32", HeaderValue::from(checksum));
        }
        for (name, error) in [("x-amzn-query-error", query_error), ("x-amzn-errortype", rest_error)] {
            if let Some(error) = error.and_then(|error| HeaderValue::try_from(error).ok()) {
                headers.insert(name, error);
            }
        }
        response
    }

    fn request_id(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

/// What a call is answered that is not permitted.
fn denied(target: &str, action: &str) -> Answer {
    let (kind, message) = ("AccessDeniedException", format!("not authorized to perform {action}"));
    match target.split('.').next() {
        Some(SES) => Answer::rest_error(403, kind, &message),
        _ => Answer::error(400, kind, &message),
    }
}

/// What a transaction is answered that met another one; which of its actions did is not told apart here.
fn transaction_conflict() -> Answer {
    let body = serde_json::json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons [TransactionConflict]",
        "CancellationReasons": [
            {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"},
        ],
    });
    Answer::new(400, body.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use knockback::clock::{SystemClock, SystemEntropy};

    use super::*;

    #[tokio::test]
    async fn an_unknown_service_or_operation_is_refused() {
        let aws_box = AwsBox::open(None, Arc::new(SystemClock), Arc::new(SystemEntropy)).expect("a box");
        for target in ["", "AmazonSQS", "AmazonSQS.Juggle", "Elsewhere.Juggle"] {
            let response = aws_box.respond(target, Bytes::new()).await;
            assert_eq!(response.status(), 400, "{target}");
            let body = String::from_utf8_lossy(response.body());
            assert!(body.contains("UnknownOperationException"), "{target}: {body}");
        }
    }

    #[tokio::test]
    async fn calls_are_counted_with_what_they_consume_whatever_they_are_answered() {
        let aws_box = AwsBox::open(None, Arc::new(SystemClock), Arc::new(SystemEntropy)).expect("a box");
        let table = r#"{"TableName":"things","BillingMode":"PAY_PER_REQUEST",
            "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],
            "AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}]}"#;
        aws_box.call("DynamoDB_20120810.CreateTable", Bytes::from(table)).await;
        let before = aws_box.counts();
        let get = r#"{"TableName":"things","Key":{"pk":{"S":"p"}}}"#;
        for _ in 0..2 {
            aws_box.respond("DynamoDB_20120810.GetItem", Bytes::from(get)).await;
        }
        aws_box.respond("AmazonSQS.SendMessage", Bytes::from(r#"{"QueueUrl":"http://box/0/queue"}"#)).await;
        let counts = aws_box.counts().since(&before);
        let calls: Vec<_> = counts.all_calls().collect();
        assert_eq!(calls, [("AmazonSQS.SendMessage", 1), ("DynamoDB_20120810.GetItem", 2)]);
        assert_eq!(counts.units_of("things"), counts::Units { read: 1.0, write: 0.0 });
    }
}
