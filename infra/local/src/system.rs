//! The whole of Knockback in one process: AWS in a box, filled from the template, and the functions on it.

use std::{error::Error, path::Path, sync::Arc};

use api::router;
use aws_config::SdkConfig;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use axum::Router;
use deliver::Deliver;
use knockback::{
    Context,
    clock::{Clock, Entropy},
    config::Config,
    domain::Secret,
    queues::QueueUrls,
    seal::SealError,
    sender::{Internet, Sender},
    telemetry::chain,
};

use crate::{
    aws::{
        AwsBox, OpenError, chains,
        connector::{sdk_config, sdk_config_of},
        sqs::SqsError,
    },
    fill::{fill, make_secret},
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
    functions: Arc<Functions>,
}

/// What each function is given: its own, as on Lambda, where functions share nothing in memory and have a role each.
#[derive(Debug)]
struct Functions {
    api: Arc<Context>,
    fanout: Context,
    deliver: Deliver,
    sweeper: Context,
    notify: Context,
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
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
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
        let Surroundings { clock, entropy, internet, settings } = surroundings;
        let aws = Arc::new(AwsBox::open(data, Arc::clone(&clock), Arc::clone(&entropy))?);
        let mail_from = settings.mail_from.as_deref().unwrap_or_default();
        let stack = Stack::read_with(template, &[("MailFrom", mail_from)])?;
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
            host: Some(settings.host),
            mail_from: settings.mail_from,
            key_ring: Some(KEY_RING.to_owned()),
            stack: settings.stack,
        };
        let sender = Sender::on(&internet, config.addresses.clone())?;
        for (function, role) in stack.roles {
            aws.roles.assign(&function, role);
        }
        let context = |sdk: SdkConfig| {
            let (clock, entropy) = (Arc::clone(&clock), Arc::clone(&entropy));
            let mut context = Context::new(config.clone(), &sdk, clock, entropy);
            context.resolver = Arc::clone(&internet.resolver);
            context
        };
        let of = |function| context(sdk_config_of(&aws, function));
        let functions = Functions {
            api: Arc::new(of("Api")),
            fanout: of("Fanout"),
            deliver: Deliver { context: of("Deliver"), sender },
            sweeper: of("Sweeper"),
            notify: of("Notify"),
        };
        functions.api.sealer.load().await?;
        functions.deliver.context.sealer.load().await?;
        let context = context(sdk_config(&aws));
        let timetable = Arc::new(Timetable::new(context.now(), &stack.schedules));
        let Stack { mappings, schedules, .. } = stack;
        let (context, functions) = (Arc::new(context), Arc::new(functions));
        Ok(Self { aws, context, mappings, schedules, timetable, functions })
    }

    /// The HTTP API.
    pub fn router(&self) -> Router {
        router(Arc::clone(&self.functions.api))
    }

    /// Invokes a function, by its name in the template, with messages of its queue.
    pub async fn invoke(&self, function: &str, event: SqsEvent) -> SqsBatchResponse {
        chains::handling(chains::longest_of(&event), async {
            match function {
                "Fanout" => fanout::handle(&self.functions.fanout, event).await,
                "Deliver" => deliver::handle(&self.functions.deliver, event).await,
                "Notify" => notify::handle(&self.functions.notify, event).await,
                _ => {
                    tracing::error!(function, "the template feeds a function that is not here");
                    let mut response = SqsBatchResponse::default();
                    response.set_failures(event.records.into_iter().filter_map(|record| record.message_id));
                    response
                }
            }
        })
        .await
    }

    /// Invokes a schedule's function with the schedule's input; `false`, and a line in the log, if it fails.
    pub async fn fire(&self, schedule: &Schedule) -> bool {
        let Schedule { function, name, .. } = schedule;
        // What a function returns as an error ends this firing only.
        let fired: Result<(), Box<dyn Error + Send + Sync>> = async {
            match function.as_str() {
                "Sweeper" => {
                    let request = serde_json::from_value(schedule.input.clone())?;
                    Ok(sweeper::handle(&self.functions.sweeper, &request).await.map(drop)?)
                }
                "Fanout" | "Deliver" | "Notify" => Err("the function takes messages of a queue only".into()),
                _ => Err("the function is not here".into()),
            }
        }
        .await;
        if let Err(error) = &fired {
            tracing::error!(
                function,
                schedule = name,
                error = chain(&**error),
                "a schedule's function failed"
            );
        }
        fired.is_ok()
    }
}
