//! Starts the sweeper on Lambda.

use knockback::{Context, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use sweeper::Request;

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let context = Context::from_environment().await?;
    let handler = service_fn(async |event: LambdaEvent<Request>| {
        sweeper::handle(&context, &event.payload).await.map_err(Error::from)
    });
    lambda_runtime::run(handler).await
}
