//! The whole of Knockback: AWS in a box, filled from the template, and the functions on it, in this process or elsewhere.

use std::{path::Path, sync::Arc};

use aws_config::SdkConfig;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use axum::Router;
use knockback::{
    Context,
    clock::{Clock, Entropy},
    config::Config,
    domain::Secret,
    queues::QueueUrls,
    seal::SealError,
    sender::{Internet, SenderError},
    telemetry::chain,
};

use crate::{
    aws::{AwsBox, OpenError, connector::sdk_config, sqs::SqsError},
    fill::{fill, make_secret},
    functions::Functions,
    invoke::{InvokeUrl, Invoker},
    schedules::Timetable,
    template::{Mapping, Schedule, Stack, TEMPLATE, TemplateError},
};

/// The name of the key ring in the template.
const KEY_RING: &str = "KeyRing";

/// What the functions of a system work with, beside AWS.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Tells the time, to the functions and to the box.
    pub clock: Arc<dyn Clock>,
    /// Makes ids and secrets.
    pub entropy: Arc<dyn Entropy>,
    /// How receivers are found and trusted.
    pub internet: Internet,
    /// The settings; the names of tables and queues are those of the template.
    pub settings: Settings,
}

/// What an operator sets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// SHA-256, in hex, of the platform's token.
    pub platform_token_sha256: String,
    /// The keys that seal secrets, where they are older than the box's Secrets Manager.
    pub key_ring: Option<Secret>,
    /// The numbers of the dialects.
    pub policies: knockback::domain::Policies,
    /// What webhooks can ask for.
    pub objects: knockback::domain::Objects,
    /// What each token may ask for in a minute.
    pub budget: knockback::domain::Budget,
    /// Which receivers may be reached.
    pub addresses: knockback::domain::AddressPolicy,
    /// How much one message does.
    pub pages: knockback::domain::Pages,
    /// The host that events are given where the platform leaves it out.
    pub host: String,
    /// The address that mail to owners comes from; without, none is sent.
    pub mail_from: Option<String>,
    /// The name of the deployment, by which its metrics are told from others; without, there are none.
    pub stack: Option<String>,
}

#[cfg(test)]
impl Settings {
    /// Those of a test to which none of them matters.
    pub(crate) fn of_a_test() -> Self {
        use knockback::domain::{AddressPolicy, Objects, Policies};

        Self {
            platform_token_sha256: "0".repeat(64),
            key_ring: None,
            objects: Objects::default(),
            budget: knockback::domain::Budget::default(),
            policies: Policies::default(),
            addresses: AddressPolicy::default(),
            pages: knockback::domain::Pages::default(),
            host: "knockback.test".to_owned(),
            mail_from: None,
            stack: None,
        }
    }
}

/// All of Knockback, running on a box.
#[derive(Debug, Clone)]
pub struct System {
    /// The box.
    pub aws: Arc<AwsBox>,
    /// What a handler is given that may do everything.
    pub context: Arc<Context>,
    /// Which queue feeds which function.
    pub mappings: Vec<Mapping>,
    /// Which functions run again and again.
    pub schedules: Vec<Schedule>,
    pub(crate) timetable: Arc<Timetable>,
    pub(crate) functions: Arc<Functions>,
}

/// Why a system cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// The data cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The template cannot be read.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A table, index, queue, rule or secret of the template cannot be made.
    #[error("the box refused {operation}: {answer}")]
    Fill {
        /// The call.
        operation: String,
        /// What it answered.
        answer: String,
    },
    /// The queues cannot be used.
    #[error("the queues cannot be used")]
    Queues(#[from] SqsError),
    /// The keys cannot be used.
    #[error("the key ring cannot be used")]
    Keys(#[from] SealError),
    /// There is no way to receivers.
    #[error("nothing can be sent to receivers")]
    Sender(#[from] SenderError),
    /// There is no way to functions elsewhere.
    #[error("functions cannot be invoked")]
    Invoker(#[source] reqwest::Error),
}

impl System {
    /// Starts everything on a new box: in memory, or on the data in a folder.
    ///
    /// # Errors
    ///
    /// If the data cannot be opened or a setting is wrong.
    pub async fn start(data: Option<&Path>, surroundings: Surroundings) -> Result<Self, SystemError> {
        Self::start_from(TEMPLATE, data, surroundings).await
    }

    /// Starts everything but the functions: they are invoked elsewhere, over the Lambda Invoke API.
    ///
    /// # Errors
    ///
    /// If the data cannot be opened or a setting is wrong.
    pub async fn start_invoking(
        url: InvokeUrl,
        data: Option<&Path>,
        surroundings: Surroundings,
    ) -> Result<Self, SystemError> {
        Self::open(TEMPLATE, data, surroundings, Some(url)).await
    }

    /// Starts everything as [`Self::start`] does, from another template than that of this build.
    ///
    /// # Errors
    ///
    /// If the data cannot be opened, a setting is wrong, or the template cannot be used.
    pub async fn start_from(
        template: &str,
        data: Option<&Path>,
        surroundings: Surroundings,
    ) -> Result<Self, SystemError> {
        Self::open(template, data, surroundings, None).await
    }

    pub(crate) async fn open(
        template: &str,
        data: Option<&Path>,
        surroundings: Surroundings,
        invoke_url: Option<InvokeUrl>,
    ) -> Result<Self, SystemError> {
        let Surroundings { clock, entropy, internet, settings } = surroundings;
        let aws = Arc::new(AwsBox::open(data, Arc::clone(&clock), Arc::clone(&entropy))?);
        let mail_from = settings.mail_from.as_deref().unwrap_or_default();
        // The box is an account of the usual size, however small the template takes one to be.
        let parameters = [("MailFrom", mail_from), ("AccountConcurrency", "1000")];
        let stack = Stack::read_with(template, &parameters)?;
        if let Some(Secret(key_ring)) = &settings.key_ring {
            make_secret(&aws, KEY_RING, key_ring).await?;
        }
        fill(&aws, &stack).await?;
        let queue = |name: &str| format!("http://aws.box.localhost/{}/{name}", crate::aws::sqs::ACCOUNT);
        let config = Config {
            webhooks_table: "WebhooksTable".to_owned(),
            deliveries_table: "DeliveriesTable".to_owned(),
            queues: QueueUrls {
                events: queue("EventsQueue"),
                deliveries: queue("DeliveriesQueue"),
                retries: queue("RetriesQueue"),
            },
            bus: "knockback-events".to_owned(),
            platform_tokens: vec![settings.platform_token_sha256],
            policies: settings.policies,
            objects: settings.objects,
            budget: settings.budget,
            addresses: settings.addresses,
            retention: std::time::Duration::from_hours(7 * 24),
            pages: settings.pages,
            host: Some(settings.host),
            mail_from: settings.mail_from,
            key_ring: Some(KEY_RING.to_owned()),
            stack: settings.stack,
        };
        for (function, role) in stack.roles {
            aws.roles.assign(&function, role);
        }
        let context = |sdk: SdkConfig| {
            let (clock, entropy) = (Arc::clone(&clock), Arc::clone(&entropy));
            Context::new(config.clone(), &sdk, internet.clone(), clock, entropy)
        };
        let functions = match invoke_url {
            Some(url) => Functions::At(Invoker::new(url, stack.functions).map_err(SystemError::Invoker)?),
            None => Functions::here(&aws, context).await?,
        };
        let context = context(sdk_config(&aws));
        let timetable = Arc::new(Timetable::new(context.now(), &stack.schedules));
        let Stack { mappings, schedules, .. } = stack;
        let (context, functions) = (Arc::new(context), Arc::new(functions));
        Ok(Self { aws, context, mappings, schedules, timetable, functions })
    }

    /// The HTTP API; of a system whose functions are elsewhere, an answer that says where it is.
    pub fn router(&self) -> Router {
        self.functions.router()
    }

    /// Waits until the API and each function that takes messages can be invoked; at once, if they are here.
    pub async fn ready(&self) {
        if let Functions::At(invoker) = &*self.functions {
            invoker.all_ready(self.mappings.iter().map(|mapping| &*mapping.function)).await;
        }
    }

    /// Invokes a function, by its name in the template, with messages of its queue. If that fails as a whole, so has each
    /// of them.
    pub async fn invoke(&self, function: &str, event: SqsEvent) -> SqsBatchResponse {
        let ids: Vec<_> = event.records.iter().filter_map(|record| record.message_id.clone()).collect();
        self.functions.handle(function, event).await.unwrap_or_else(|error| {
            tracing::error!(function, error = chain(&error), "a batch failed; its messages come again");
            let mut response = SqsBatchResponse::default();
            response.set_failures(ids);
            response
        })
    }

    /// Invokes a schedule's function with the schedule's input; `false`, and a line in the log, if it fails.
    pub async fn fire(&self, schedule: &Schedule) -> bool {
        let Schedule { function, name, input, .. } = schedule;
        // What a function returns as an error ends this firing only.
        let fired = self.functions.run(function, input).await;
        if let Err(error) = &fired {
            tracing::error!(function, schedule = name, error = chain(error), "a schedule's function failed");
        }
        fired.is_ok()
    }
}
