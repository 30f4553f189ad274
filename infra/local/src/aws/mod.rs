//! AWS in a box: DynamoDB, SQS and EventBridge in this process, behind the wire formats of AWS.

pub mod sqs;
pub mod wire;
