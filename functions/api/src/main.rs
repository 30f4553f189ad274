//! Starts the API on Lambda.

use std::sync::Arc;

use knockback::{
    Context,
    telemetry::{self, chain},
};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::start();
    let context = Arc::new(Context::from_environment().await?);
    if let Err(error) = context.sealer.load().await {
        // Events are taken all the same; what needs a key is answered 503.
        tracing::error!(error = chain(&error), "the API starts without the key ring");
    }
    lambda_http::run(api::router(context)).await
}
