//! An endpoint, and what a clause has of it: clients, a clock, and things of its own.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use knockback::{
    authorities::Authorities,
    clock::{Clock, Entropy, SystemClock, SystemEntropy, VirtualClock},
    domain::Timestamp,
};
use local::aws::{AwsBox, connector};

use crate::{
    check::code,
    emulator::{Emulator, Service},
};

/// Where virtual time begins.
const START: Timestamp = Timestamp::from_ms(1_767_225_600_000);

/// Where the clauses are tried.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// What is there.
    pub(crate) emulator: Emulator,
    /// Its URL and the way to it; the box is in this process.
    remote: Option<(String, SdkConfig)>,
}

/// What one clause has.
pub(crate) struct Aws {
    /// Tables.
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    /// Queues.
    pub(crate) sqs: aws_sdk_sqs::Client,
    /// Buses.
    pub(crate) events: aws_sdk_eventbridge::Client,
    /// Secrets.
    pub(crate) secrets: aws_sdk_secretsmanager::Client,
    /// Mail.
    pub(crate) mail: aws_sdk_sesv2::Client,
    time: Time,
    prefix: String,
    names: AtomicU32,
    made: Mutex<Vec<Made>>,
}

enum Time {
    Virtual(VirtualClock, Arc<AwsBox>),
    Real,
}

/// Something that a clause has made, to be cleared away.
pub(crate) enum Made {
    /// A table, by its name.
    Table(String),
    /// A queue, by its URL.
    Queue(String),
    /// A bus, by its name, with its rules.
    Bus(String),
    /// A secret, by its name.
    Secret(String),
}

impl Endpoint {
    /// The box, or what the environment says.
    ///
    /// # Errors
    ///
    /// If it says half of it.
    pub(crate) fn from_environment() -> Result<Self, String> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some(url) = variable("KNOCKBACK_CONTRACT_ENDPOINT") else {
            return Ok(Self { emulator: Emulator::Box, remote: None });
        };
        let name = variable("KNOCKBACK_CONTRACT_NAME").unwrap_or_default();
        let emulator = Emulator::parse(&name)
            .ok_or_else(|| format!("KNOCKBACK_CONTRACT_NAME says {name:?}, which no emulator is called"))?;
        let credentials = Credentials::from_keys("contract", "contract", None);
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(&url)
            .http_client(Authorities::of_system().aws())
            .region(Region::new("us-east-1"))
            .retry_config(RetryConfig::standard())
            .build();
        Ok(Self { emulator, remote: Some((url, config)) })
    }

    /// Where it is, in words.
    pub(crate) fn place(&self) -> &str {
        self.remote.as_ref().map_or("in this process, in virtual time", |(url, _)| url)
    }

    /// What a clause needs: of the box, one of its own.
    ///
    /// # Panics
    ///
    /// If SQLite has no memory for the box.
    pub(crate) fn aws(&self) -> Aws {
        let Some((_, config)) = &self.remote else {
            let clock = VirtualClock::new(START);
            let aws_box = AwsBox::open(None, Arc::new(clock.clone()), Arc::new(SystemEntropy));
            let aws_box = Arc::new(aws_box.expect("a box"));
            return Aws::new(&connector::sdk_config(&aws_box), Time::Virtual(clock, aws_box));
        };
        Aws::new(config, Time::Real)
    }

    /// Makes a call that a service takes, if it is there, and answers by which code it was refused.
    pub(crate) async fn probe(&self, service: Service) -> Option<String> {
        let aws = self.aws();
        match service {
            Service::Dynamodb => code(&aws.dynamodb.list_tables().send().await),
            Service::Sqs => code(&aws.sqs.list_queues().send().await),
            Service::Events => code(&aws.events.list_event_buses().send().await),
            Service::Secrets => code(&aws.secrets.get_random_password().send().await),
            Service::Mail => code(&aws.mail.get_account().send().await),
        }
    }
}

impl Aws {
    fn new(config: &SdkConfig, time: Time) -> Self {
        let mut random = [0; 8];
        SystemEntropy.fill(&mut random);
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
            events: aws_sdk_eventbridge::Client::new(config),
            secrets: aws_sdk_secretsmanager::Client::new(config),
            mail: aws_sdk_sesv2::Client::new(config),
            time,
            prefix: format!("contract-{:016x}", u64::from_be_bytes(random)),
            names: AtomicU32::new(1),
            made: Mutex::default(),
        }
    }

    /// Lets time pass: the box's, or that of the world, which nothing but waiting does.
    pub(crate) async fn pass(&self, duration: Duration) {
        match &self.time {
            Time::Virtual(clock, aws_box) => {
                clock.advance(duration);
                aws_box.sqs.wake();
            }
            Time::Real => tokio::time::sleep(duration).await,
        }
    }

    /// What time it is there.
    pub(crate) fn now(&self) -> Timestamp {
        match &self.time {
            Time::Virtual(clock, _) => clock.now(),
            Time::Real => SystemClock.now(),
        }
    }

    /// A name that nothing else has.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.prefix, self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// Has something cleared away after the clause.
    pub(crate) fn made(&self, made: Made) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(made);
    }

    /// Deletes what the clause has made, as far as it is still there. The box goes as a whole.
    pub(crate) async fn clear_away(&self) {
        if matches!(self.time, Time::Virtual(..)) {
            return;
        }
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        for made in made.into_iter().rev() {
            match made {
                Made::Table(name) => drop(self.dynamodb.delete_table().table_name(name).send().await),
                Made::Queue(url) => drop(self.sqs.delete_queue().queue_url(url).send().await),
                Made::Bus(name) => self.delete_bus(&name).await,
                Made::Secret(name) => {
                    let delete =
                        self.secrets.delete_secret().secret_id(name).force_delete_without_recovery(true);
                    drop(delete.send().await);
                }
            }
        }
    }

    async fn delete_bus(&self, bus: &str) {
        let rules = self.events.list_rules().event_bus_name(bus).send().await;
        for rule in rules.ok().and_then(|listed| listed.rules).unwrap_or_default() {
            let Some(rule) = rule.name else { continue };
            let targets = self.events.list_targets_by_rule().event_bus_name(bus).rule(&rule).send().await;
            let targets = targets.ok().and_then(|listed| listed.targets).unwrap_or_default();
            let ids = targets.into_iter().map(|target| target.id).collect();
            let remove = self.events.remove_targets().event_bus_name(bus).rule(&rule).set_ids(Some(ids));
            drop(remove.send().await);
            drop(self.events.delete_rule().event_bus_name(bus).name(&rule).send().await);
        }
        drop(self.events.delete_event_bus().name(bus).send().await);
    }
}
