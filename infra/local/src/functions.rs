//! The functions of a system: in this process, or wherever the Lambda Invoke API leads.

use std::sync::Arc;

use api::router;
use aws_config::SdkConfig;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use axum::Router;
use deliver::Deliver;
use http::StatusCode;
use knockback::{Context, sender::Sender};
use serde_json::Value;

use crate::{
    aws::{AwsBox, chains, connector::sdk_config_of, faults},
    invoke::{InvokeError, Invoker},
    system::SystemError,
};

/// Who handles what the functions of a system are invoked with. Functions are named as in the template.
#[derive(Debug)]
pub(crate) enum Functions {
    /// This process.
    Here(Box<Handlers>),
    /// Processes elsewhere.
    At(Invoker),
}

/// What each function is given: its own, as on Lambda, where functions share nothing in memory and have a role each.
#[derive(Debug)]
pub(crate) struct Handlers {
    api: Arc<Context>,
    fanout: Context,
    deliver: Deliver,
    sweeper: Context,
    notify: Context,
}

/// Why an invocation failed as a whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A fault has ended it.
    #[error("the function was killed")]
    Killed,
    /// No function of this process takes it.
    #[error("no function here takes {0}")]
    NoFunction(&'static str),
    /// The input is none of the function's.
    #[error("the function cannot read its input")]
    Input(#[from] serde_json::Error),
    /// The sweeper failed.
    #[error(transparent)]
    Sweeper(#[from] sweeper::SweepError),
    /// What was invoked elsewhere failed, or was not reached.
    #[error(transparent)]
    Invoke(#[from] InvokeError),
}

impl Functions {
    /// Those of this process. Each gets a context on the box, as far as its role permits.
    pub(crate) async fn here(
        aws: &Arc<AwsBox>,
        context: impl Fn(SdkConfig) -> Context,
    ) -> Result<Self, SystemError> {
        let of = |function| context(sdk_config_of(aws, function));
        let deliver = of("Deliver");
        let sender = Sender::new(&deliver.internet, deliver.config.addresses.clone())?;
        let handlers = Handlers {
            api: Arc::new(of("Api")),
            fanout: of("Fanout"),
            deliver: Deliver { context: deliver, sender },
            sweeper: of("Sweeper"),
            notify: of("Notify"),
        };
        handlers.api.sealer.load().await?;
        handlers.deliver.context.sealer.load().await?;
        Ok(Self::Here(Box::new(handlers)))
    }

    /// The HTTP API; where it is elsewhere, an answer that says so.
    pub(crate) fn router(&self) -> Router {
        match self {
            Self::Here(handlers) => router(Arc::clone(&handlers.api)),
            Self::At(invoker) => {
                let elsewhere = format!("The API is at {}\n", invoker.url());
                Router::new().fallback(async || (StatusCode::NOT_FOUND, elsewhere))
            }
        }
    }

    /// The most invocations of a function at once that are worth while, of those that the template permits.
    pub(crate) fn concurrency(&self, permitted: usize) -> usize {
        /// The most on this machine, whatever the template permits on AWS.
        const HERE: usize = 64;
        /// `cargo lambda watch` has one instance of each function.
        const ELSEWHERE: usize = 1;
        permitted.clamp(1, if matches!(self, Self::Here(_)) { HERE } else { ELSEWHERE })
    }

    /// Waits until a function that takes messages can be invoked.
    pub(crate) async fn ready(&self, function: &str) {
        if let Self::At(invoker) = self {
            invoker.ready(function).await;
        }
    }

    /// Waits until there is somebody to invoke.
    pub(crate) async fn reachable(&self) {
        if let Self::At(invoker) = self {
            invoker.reachable().await;
        }
    }

    /// Invokes a function with messages of its queue.
    pub(crate) async fn handle(&self, function: &str, event: SqsEvent) -> Result<SqsBatchResponse, Failure> {
        let handlers = match self {
            Self::Here(handlers) => handlers,
            Self::At(invoker) => return Ok(invoker.handle(function, &event).await?),
        };
        let handled = chains::handling(chains::longest_of(&event), async {
            match function {
                "Fanout" => Ok(fanout::handle(&handlers.fanout, event).await),
                "Deliver" => Ok(deliver::handle(&handlers.deliver, event).await),
                "Notify" => Ok(notify::handle(&handlers.notify, event).await),
                _ => Err(Failure::NoFunction("messages")),
            }
        });
        faults::living(handled).await.unwrap_or(Err(Failure::Killed))
    }

    /// Invokes a function with the input of one of its schedules.
    pub(crate) async fn run(&self, function: &str, input: &Value) -> Result<(), Failure> {
        match (self, function) {
            (Self::At(invoker), _) => Ok(invoker.run(function, input).await?),
            (Self::Here(handlers), "Sweeper") => {
                let request = serde_json::from_value(input.clone())?;
                let swept = faults::living(sweeper::handle(&handlers.sweeper, &request)).await;
                swept.ok_or(Failure::Killed)?.map(drop).map_err(Failure::Sweeper)
            }
            (Self::Here(_), _) => Err(Failure::NoFunction("schedules")),
        }
    }
}
