//! What goes wrong with calls of functions, as a test plans it.
//!
//! A plan says of calls, by their number since it was made, what becomes of each. Calls of the test itself are neither
//! counted nor struck. A fault that ends the function ends the invocation that made the call ([`living`]).

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_smithy_runtime_api::client::result::ConnectorError;
use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::{AwsBox, DYNAMODB, SES, SQS, transaction_conflict, wire::Answer};

/// How often a call is made at most: the SDK repeats what seems to be worth it.
pub const TRIES: usize = 3;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is refused for want of throughput, and so are its repeats.
    Throttled,
    /// It is answered 500, once.
    Failed,
    /// The connection is cut before it arrives, and so are those of its repeats.
    Cut,
    /// It is performed, and the connection is cut before the answer.
    AnswerLost,
    /// The same with its repeats: it is performed several times, and never answered.
    NeverAnswered,
    /// It is performed twice, and answered what came of it the second time.
    Twice,
    /// The function ends before it is performed.
    KilledBefore,
    /// It is performed, and the function ends before the answer.
    KilledAfter,
    /// The first half of its entries is left undone, and the answer says so.
    Partly,
    /// The transaction meets another one.
    Conflict,
    /// It is performed, and the answer takes its time.
    Late,
}

impl Fault {
    /// All there are.
    pub const ALL: [Self; 11] = [
        Self::Throttled,
        Self::Failed,
        Self::Cut,
        Self::AnswerLost,
        Self::NeverAnswered,
        Self::Twice,
        Self::KilledBefore,
        Self::KilledAfter,
        Self::Partly,
        Self::Conflict,
        Self::Late,
    ];

    /// Whether a call can have it.
    pub fn fits(self, target: &str) -> bool {
        match self {
            Self::Partly => entries(target).is_some(),
            Self::Conflict => target == super::TRANSACTION,
            _ => true,
        }
    }

    /// Of how many calls in a row, if all are of the same operation.
    fn times(self) -> usize {
        match self {
            Self::Throttled | Self::Cut | Self::NeverAnswered => TRIES,
            _ => 1,
        }
    }
}

/// A call that was made while a plan was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its name, such as `AmazonSQS.SendMessageBatch`.
    pub target: String,
    /// What became of it; `None` if nothing special did.
    pub fault: Option<Fault>,
}

/// Lets time pass.
type Wait = Box<dyn Fn(Duration) + Send>;

/// The plan for one account's calls; without one, nothing happens to any.
#[derive(Default)]
pub struct Faults {
    plan: Mutex<Option<Plan>>,
    /// Lets time pass for an answer that is late.
    wait: Mutex<Option<Wait>>,
}

#[derive(Debug, Default)]
struct Plan {
    by_call: BTreeMap<usize, Fault>,
    calls: Vec<Call>,
    /// What goes on for the next calls of an operation, and for how many.
    goes_on: Option<(String, Fault, usize)>,
}

/// How long an answer takes that is late: longer than a receiver's timeout, and shorter than a function's.
pub const LATE: Duration = Duration::from_secs(12);

impl Faults {
    /// Plans what becomes of the calls from now on, by their number: the next one is 0.
    pub fn plan(&self, faults: impl IntoIterator<Item = (usize, Fault)>) {
        let plan = Plan { by_call: faults.into_iter().collect(), ..Plan::default() };
        *self.lock() = Some(plan);
    }

    /// Ends the plan, and answers with the calls that were made since.
    pub fn end(&self) -> Vec<Call> {
        self.lock().take().unwrap_or_default().calls
    }

    /// Says how time passes for an answer that is late.
    pub fn wait_by(&self, wait: impl Fn(Duration) + Send + 'static) {
        *self.wait.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(wait));
    }

    fn lock(&self) -> MutexGuard<'_, Option<Plan>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of the next call.
    pub(super) fn next(&self, target: &str) -> Option<Fault> {
        let mut plan = self.lock();
        let plan = plan.as_mut()?;
        let planned = plan.by_call.get(&plan.calls.len()).copied().filter(|fault| fault.fits(target));
        let fault = match (planned, plan.goes_on.take()) {
            (Some(fault), _) => {
                plan.goes_on = Some((target.to_owned(), fault, fault.times() - 1));
                Some(fault)
            }
            (None, Some((of, fault, left))) if left > 0 && of == target => {
                plan.goes_on = Some((of, fault, left - 1));
                Some(fault)
            }
            (None, _) => None,
        };
        plan.calls.push(Call { target: target.to_owned(), fault });
        fault
    }

    fn wait(&self) {
        if let Some(wait) = &*self.wait.lock().unwrap_or_else(PoisonError::into_inner) {
            wait(LATE);
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Faults").field(&*self.lock()).finish()
    }
}

tokio::task_local! {
    /// Ends the invocation that this task is.
    static LIFE: Arc<Notify>;
}

/// Runs an invocation until it has ended, or a fault ends it: then nothing comes of it.
pub async fn living<T>(invocation: impl Future<Output = T>) -> Option<T> {
    let end = Arc::new(Notify::new());
    tokio::select! {
        biased;
        result = LIFE.scope(Arc::clone(&end), invocation) => Some(result),
        () = end.notified() => None,
    }
}

/// Ends the invocation that makes this call; a call outside of one has lost its connection.
async fn die() -> ConnectorError {
    let Ok(()) = LIFE.try_with(|end| end.notify_one()) else { return cut() };
    std::future::pending().await
}

fn cut() -> ConnectorError {
    ConnectorError::io("the connection was cut".into())
}

/// Makes a call of a function, with what becomes of it.
pub(super) async fn strike(
    aws: &AwsBox,
    fault: Fault,
    function: &str,
    target: &str,
    body: Bytes,
) -> Result<Response<Bytes>, ConnectorError> {
    let perform = async |body| aws.respond_to(function, target, body).await;
    match fault {
        Fault::Throttled => Ok(aws.response(target, throttled(target))),
        Fault::Failed => Ok(aws.response(target, failed(target))),
        Fault::Conflict => Ok(aws.response(target, transaction_conflict())),
        Fault::Cut => Err(cut()),
        Fault::KilledBefore => Err(die().await),
        Fault::AnswerLost | Fault::NeverAnswered => {
            perform(body).await;
            Err(cut())
        }
        Fault::KilledAfter => {
            perform(body).await;
            Err(die().await)
        }
        Fault::Twice => {
            perform(body.clone()).await;
            Ok(perform(body).await)
        }
        Fault::Late => {
            let answer = perform(body).await;
            aws.faults.wait();
            Ok(answer)
        }
        Fault::Partly => match halve(target, &body) {
            None => Ok(aws.response(target, throttled(target))),
            Some((half, left)) => {
                let answer = perform(half.into()).await;
                Ok(answer.map(|answer| with_what_is_left(target, &answer, left)))
            }
        },
    }
}

fn throttled(target: &str) -> Answer {
    let message = "the level of throughput is exceeded";
    match target.split('.').next() {
        Some(DYNAMODB) => Answer::error(
            400,
            "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
            message,
        ),
        Some(SES) => Answer::rest_error(429, "TooManyRequestsException", message),
        Some(SQS) => Answer::error(400, "com.amazonaws.sqs#RequestThrottled", message),
        _ => Answer::error(400, "ThrottlingException", message),
    }
}

fn failed(target: &str) -> Answer {
    let (kind, message) = ("InternalServerError", "the service has failed");
    match target.split('.').next() {
        Some(SES) => Answer::rest_error(500, kind, message),
        _ => Answer::error(500, kind, message),
    }
}

/// What an operation calls the entries of its batch, and those that are left in the answer.
fn entries(target: &str) -> Option<(&'static str, &'static str)> {
    match target {
        "DynamoDB_20120810.BatchWriteItem" => Some(("RequestItems", "UnprocessedItems")),
        "DynamoDB_20120810.BatchGetItem" => Some(("RequestItems", "UnprocessedKeys")),
        "AmazonSQS.SendMessageBatch" => Some(("Entries", "Failed")),
        _ => None,
    }
}

/// A batch without its first half, and that half; `None` if there is not enough of it.
fn halve(target: &str, body: &[u8]) -> Option<(Vec<u8>, Value)> {
    let (name, _) = entries(target)?;
    let mut request: Value = serde_json::from_slice(body).ok()?;
    let left = match request.get_mut(name)? {
        Value::Array(entries) => Value::Array(first_half(entries)?),
        // By table: a list of writes, or keys with how to read them.
        Value::Object(tables) => Value::Object(first_halves(tables)?),
        _ => return None,
    };
    Some((request.to_string().into_bytes(), left))
}

fn first_half(entries: &mut Vec<Value>) -> Option<Vec<Value>> {
    let half = entries.len() / 2;
    (half > 0).then(|| entries.drain(..half).collect())
}

fn first_halves(tables: &mut Map<String, Value>) -> Option<Map<String, Value>> {
    let mut left = Map::new();
    for (table, request) in tables.iter_mut() {
        let half = match request {
            Value::Array(writes) => first_half(writes).map(Value::Array),
            Value::Object(read) => {
                let keys = read.get_mut("Keys").and_then(Value::as_array_mut).and_then(first_half);
                keys.map(|keys| {
                    let mut half = read.clone();
                    half.insert("Keys".to_owned(), Value::Array(keys));
                    Value::Object(half)
                })
            }
            _ => None,
        };
        if let Some(half) = half {
            left.insert(table.clone(), half);
        }
    }
    (!left.is_empty()).then_some(left)
}

/// The answer to the rest of a batch, with what was left undone.
fn with_what_is_left(target: &str, answer: &[u8], left: Value) -> Bytes {
    let (Some((_, name)), Ok(mut answer)) = (entries(target), serde_json::from_slice::<Value>(answer)) else {
        return Bytes::copy_from_slice(answer);
    };
    answer[name] = match left {
        Value::Array(entries) => entries
            .iter()
            .map(|entry| json!({"Id": entry["Id"], "SenderFault": false, "Code": "InternalError"}))
            .collect(),
        tables => tables,
    };
    Bytes::from(answer.to_string())
}
