//! A queue's attributes: what may be set, within which limits, and what follows from it.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::SqsError;

/// Bytes that a message, and a batch, may have at most.
pub(super) const MAXIMUM_MESSAGE_BYTES: usize = 1_048_576;
/// Seconds that a message may be delayed at most.
pub(super) const DELAY_LIMIT: i64 = 900;
/// Seconds that a message may be in flight at most.
pub(super) const VISIBILITY_LIMIT: i64 = 43_200;
/// Seconds that a receive may wait at most.
pub(super) const WAIT_LIMIT: i64 = 20;

/// The attributes of a queue by their names, as they are set and told.
pub type Attributes = BTreeMap<String, String>;

/// What can be set and changes nothing here; told as it was set.
const CARRIED: [&str; 5] = [
    "Policy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
];
const FIFO: [&str; 4] =
    ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];

/// How a queue treats its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) delay: Duration,
    pub(super) maximum_message_bytes: usize,
    pub(super) retention: Duration,
    pub(super) receive_wait: Duration,
    pub(super) visibility: Duration,
    pub(super) redrive: Option<Redrive>,
    carried: Attributes,
}

/// When a message is given up, and where it goes then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Redrive {
    #[serde(rename = "deadLetterTargetArn")]
    pub(super) dead_letter_arn: String,
    pub(super) max_receive_count: u32,
}

impl Default for Settings {
    /// What a queue has that was created without attributes.
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            maximum_message_bytes: MAXIMUM_MESSAGE_BYTES,
            retention: Duration::from_hours(96),
            receive_wait: Duration::ZERO,
            visibility: Duration::from_secs(30),
            redrive: None,
            carried: Attributes::from([("SqsManagedSseEnabled".to_owned(), "true".to_owned())]),
        }
    }
}

impl Settings {
    /// The same settings with `attributes` changed.
    ///
    /// # Errors
    ///
    /// If an attribute does not exist, is out of its limits, or is of FIFO queues.
    pub(super) fn with(mut self, attributes: &Attributes) -> Result<Self, SqsError> {
        for (name, value) in attributes {
            let number = |limits| number(name, value, limits);
            let seconds = |limits| number(limits).map(Duration::from_secs);
            match name.as_str() {
                "DelaySeconds" => self.delay = seconds((0, 900))?,
                "MaximumMessageSize" => {
                    let bytes = number((1024, MAXIMUM_MESSAGE_BYTES as u64))?;
                    self.maximum_message_bytes = usize::try_from(bytes).unwrap_or(MAXIMUM_MESSAGE_BYTES);
                }
                "MessageRetentionPeriod" => self.retention = seconds((60, 1_209_600))?,
                "ReceiveMessageWaitTimeSeconds" => self.receive_wait = seconds((0, 20))?,
                "VisibilityTimeout" => self.visibility = seconds((0, 43_200))?,
                "RedrivePolicy" if value.is_empty() => self.redrive = None,
                "RedrivePolicy" => self.redrive = Some(Redrive::parse(value)?),
                carried if CARRIED.contains(&carried) && value.is_empty() => {
                    self.carried.remove(name);
                }
                carried if CARRIED.contains(&carried) => {
                    self.carried.insert(name.clone(), value.clone());
                }
                fifo if FIFO.contains(&fifo) => {
                    return Err(SqsError::UnsupportedOperation(format!(
                        "{fifo} is of FIFO queues, and the box has standard queues only"
                    )));
                }
                _ => return Err(SqsError::InvalidAttributeName(name.clone())),
            }
        }
        Ok(self)
    }

    /// All attributes that can be set, by name.
    pub(super) fn attributes(&self) -> Attributes {
        let mut attributes = self.carried.clone();
        let mut tell = |name: &str, value: String| attributes.insert(name.to_owned(), value);
        tell("DelaySeconds", self.delay.as_secs().to_string());
        tell("MaximumMessageSize", self.maximum_message_bytes.to_string());
        tell("MessageRetentionPeriod", self.retention.as_secs().to_string());
        tell("ReceiveMessageWaitTimeSeconds", self.receive_wait.as_secs().to_string());
        tell("VisibilityTimeout", self.visibility.as_secs().to_string());
        if let Some(policy) = self.redrive.as_ref().and_then(|redrive| serde_json::to_string(redrive).ok()) {
            tell("RedrivePolicy", policy);
        }
        attributes
    }

    /// The name of an attribute that has another value in `other`.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let (ours, theirs) = (self.attributes(), other.attributes());
        ours.keys().chain(theirs.keys()).find(|&name| ours.get(name) != theirs.get(name)).cloned()
    }
}

impl Redrive {
    fn parse(text: &str) -> Result<Self, SqsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Policy {
            dead_letter_target_arn: String,
            max_receive_count: Value,
        }
        let invalid = |reason: &str| SqsError::invalid(text, "RedrivePolicy", reason);
        let policy: Policy = serde_json::from_str(text).map_err(|error| invalid(&error.to_string()))?;
        // Both 3 and "3" are in use.
        let count = match &policy.max_receive_count {
            Value::Number(count) => count.as_u64(),
            Value::String(count) => count.parse().ok(),
            _ => None,
        };
        let count =
            count.and_then(|count| u32::try_from(count).ok()).filter(|count| (1..=1000).contains(count));
        Ok(Self {
            dead_letter_arn: policy.dead_letter_target_arn,
            max_receive_count: count.ok_or_else(|| invalid("maxReceiveCount must be between 1 and 1000."))?,
        })
    }
}

/// Checks a parameter in seconds that must be from 0 to `limit`.
///
/// # Errors
///
/// If it is not.
pub(super) fn seconds(parameter: &str, value: i64, limit: i64) -> Result<Duration, SqsError> {
    u64::try_from(value).ok().filter(|_| value <= limit).map(Duration::from_secs).ok_or_else(|| {
        SqsError::invalid(value, parameter, &format!("{parameter} must be >= 0 and <= {limit}."))
    })
}

fn number(name: &str, value: &str, (least, most): (u64, u64)) -> Result<u64, SqsError> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| SqsError::InvalidAttributeValue(name.to_owned(), least, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<Settings, SqsError> {
        Settings::default().with(&Attributes::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn every_attribute_has_its_documented_limits() {
        for (name, least, most) in [
            ("DelaySeconds", 0, 900),
            ("MaximumMessageSize", 1024, 1_048_576),
            ("MessageRetentionPeriod", 60, 1_209_600),
            ("ReceiveMessageWaitTimeSeconds", 0, 20),
            ("VisibilityTimeout", 0, 43_200),
        ] {
            for value in [least, most] {
                let settings = with(name, &value.to_string()).expect("is within the limits");
                assert_eq!(settings.attributes()[name], value.to_string());
            }
            for value in [least - 1, most + 1] {
                let refused = with(name, &value.to_string());
                assert!(matches!(refused, Err(SqsError::InvalidAttributeValue(..))), "{name} = {value}");
            }
            assert!(with(name, "many").is_err(), "{name}");
        }
    }

    #[test]
    fn a_redrive_policy_counts_in_numbers_or_strings_and_can_be_taken_back() {
        for count in ["5", "\"5\""] {
            let policy = format!(r#"{{"deadLetterTargetArn":"arn:x","maxReceiveCount":{count}}}"#);
            let settings = with("RedrivePolicy", &policy).expect("is a policy");
            assert_eq!(settings.redrive.as_ref().map(|redrive| redrive.max_receive_count), Some(5));
            let none = Attributes::from([("RedrivePolicy".to_owned(), String::new())]);
            assert_eq!(settings.with(&none).expect("may be empty").redrive, None);
        }
        for policy in ["{", "{}", r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":0}"#] {
            assert!(with("RedrivePolicy", policy).is_err(), "{policy}");
        }
    }

    #[test]
    fn fifo_queues_are_refused_clearly() {
        let error = with("FifoQueue", "true").expect_err("has standard queues only");
        assert!(error.to_string().contains("standard queues only"), "{error}");
    }

    #[test]
    fn settings_are_read_back_from_the_attributes_that_they_tell() {
        let settings = with("VisibilityTimeout", "7").expect("is within the limits");
        assert_eq!(Settings::default().with(&settings.attributes()).expect("reads itself"), settings);
        assert_eq!(settings.difference(&Settings::default()).as_deref(), Some("VisibilityTimeout"));
    }
}
