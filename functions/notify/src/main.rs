//! Starts notify on Lambda.

use std::convert::Infallible;

use aws_lambda_events::sqs::SqsEvent;
use knockback::{Context, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let context = Context::from_environment().await?;
    let handler = service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Infallible>(notify::handle(&context, event.payload).await)
    });
    lambda_runtime::run(handler).await
}
