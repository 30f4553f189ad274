//! AWS in a box: DynamoDB, SQS and EventBridge in this process, behind the wire formats of AWS.

pub mod dynamodb;
pub mod events;
pub mod wire;
