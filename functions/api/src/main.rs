//! Starts the API on Lambda.

use std::sync::Arc;

use knockback::{Context, telemetry};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::start();
    let context = Arc::new(Context::from_environment().await?);
    // Events are taken without it too; what needs a key is answered 503.
    context.sealer.load_meanwhile();
    lambda_http::run(api::router(context)).await
}
