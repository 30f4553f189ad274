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

impl Emulator {
    /// The one of this name, as `KNOCKBACK_CONTRACT_NAME` has it.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Ministack, Self::DynamodbLocal].into_iter().find(|emulator| emulator.to_string() == name)
    }

    /// Why it has nothing of a service, where it is known to have none.
    pub(crate) fn lacks(self, service: Service) -> Option<&'static str> {
        match (self, service) {
            (Self::DynamodbLocal, service) if service != Service::Dynamodb => {
                Some("it is DynamoDB and no more")
            }
            _ => None,
        }
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
