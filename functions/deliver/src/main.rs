//! Starts deliver on Lambda.

use std::convert::Infallible;

use aws_lambda_events::sqs::SqsEvent;
use deliver::Deliver;
use knockback::{Context, sender::Sender, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let context = Context::from_environment().await?;
    context.sealer.load_meanwhile();
    let sender = Sender::new(&context.internet, context.config.addresses.clone())?;
    let deliver = Deliver { context, sender };
    let handler = service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Infallible>(deliver::handle(&deliver, event.payload).await)
    });
    lambda_runtime::run(handler).await
}
