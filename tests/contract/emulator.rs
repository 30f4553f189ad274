//! What may be at an endpoint, and what each is known to lack.

use std::fmt;

/// What answers in AWS's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emulator {
    /// AWS in a box.
    Box,
    /// ministack, which has all services.
    Ministack,
    /// Amazon's own DynamoDB Local.
    DynamodbLocal,
}

/// A service that clauses are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Tables.
    Dynamodb,
    /// Queues.
    Sqs,
    /// Event buses.
    Events,
    /// The key ring.
    Secrets,
    /// Mail.
    Mail,
}

/// A service that is known to be absent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lacking {
    /// What a call is answered all the same.
    pub(crate) answer: &'static str,
    /// Why it is absent.
    pub(crate) reason: &'static str,
}

impl Emulator {
    /// The one of this name, as `KNOCKBACK_CONTRACT_NAME` has it.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Ministack, Self::DynamodbLocal].into_iter().find(|emulator| emulator.to_string() == name)
    }

    /// What it answers to calls of a service, and why, where it is known to have nothing of it.
    pub(crate) fn lacks(self, service: Service) -> Option<Lacking> {
        let answer = match (self, service) {
            (Self::DynamodbLocal, Service::Sqs | Service::Events | Service::Secrets) => "InvalidAction",
            (Self::DynamodbLocal, Service::Mail) => "InternalFailure",
            _ => return None,
        };
        Some(Lacking { answer, reason: "it is DynamoDB and no more" })
    }
}

impl fmt::Display for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Box => "the box",
            Self::Ministack => "ministack",
            Self::DynamodbLocal => "dynamodb-local",
        })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dynamodb => "DynamoDB",
            Self::Sqs => "SQS",
            Self::Events => "EventBridge",
            Self::Secrets => "Secrets Manager",
            Self::Mail => "SES",
        })
    }
}
