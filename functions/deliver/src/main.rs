//! Starts deliver on Lambda.

use std::convert::Infallible;

use aws_lambda_events::sqs::SqsEvent;
use deliver::Deliver;
use knockback::{
    Context,
    sender::Sender,
    telemetry::{self, chain},
};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let context = Context::from_environment().await?;
    // In its own words: how an SDK shows an error may show the answer too.
    context.sealer.load().await.map_err(|error| chain(&error))?;
    let sender = Sender::new(context.config.addresses.clone())?;
    let deliver = Deliver { context, sender };
    let handler = service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Infallible>(deliver::handle(&deliver, event.payload).await)
    });
    lambda_runtime::run(handler).await
}
