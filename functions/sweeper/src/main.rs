//! Starts the sweeper on Lambda.

use knockback::{
    Context,
    telemetry::{self, chain},
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use sweeper::Request;

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let context = Context::from_environment().await?;
    let handler = service_fn(async |event: LambdaEvent<Request>| {
        let swept = sweeper::handle(&context, &event.payload).await;
        // Lambda is told, but not why.
        swept
            .inspect_err(|error| tracing::error!(error = chain(error), "a sweep failed"))
            .map_err(Error::from)
    });
    lambda_runtime::run(handler).await
}
