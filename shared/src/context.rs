//! What every handler is given: the settings, the adapters, the time.

use std::{sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, SdkConfig, timeout::TimeoutConfig};

use crate::{
    bus::Bus,
    clock::{Clock, Entropy, SystemClock, SystemEntropy},
    config::{Config, ConfigError},
    domain::Timestamp,
    mail::Mailer,
    queues::Queues,
    seal::Sealer,
    sender::Internet,
    store::Store,
};

/// How long AWS may take to accept a connection, to answer a call, and to answer it with all its repeats. A connection
/// that went silent while the sandbox was frozen must not hold up a batch until the function is killed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
const CALLS_TIMEOUT: Duration = Duration::from_secs(8);

/// What every handler is given.
#[derive(Debug, Clone)]
pub struct Context {
    /// The settings.
    pub config: Config,
    /// Both tables.
    pub store: Store,
    /// The queues between the functions.
    pub queues: Queues,
    /// The event bus, to tell the platform what happens to webhooks.
    pub bus: Bus,
    /// The way to owners' mailboxes; without, no mail is sent.
    pub mail: Option<Mailer>,
    /// Opens and seals secrets.
    pub sealer: Sealer,
    /// How receivers are found and trusted.
    pub internet: Internet,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids and secrets.
    pub entropy: Arc<dyn Entropy>,
}

impl Context {
    /// A context on any AWS endpoint, with any clock.
    pub fn new(
        config: Config,
        sdk: &SdkConfig,
        internet: Internet,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let store = Store::new(
            aws_sdk_dynamodb::Client::new(sdk),
            &config.webhooks_table,
            &config.deliveries_table,
            config.retention,
            Arc::clone(&entropy),
        );
        let queues = Queues::new(aws_sdk_sqs::Client::new(sdk), config.queues.clone());
        let bus = Bus::new(aws_sdk_eventbridge::Client::new(sdk), &config.bus);
        let mail = config.mail_from.as_ref().map(|from| Mailer::new(sdk, from));
        let sealer = Sealer::new(sdk, config.key_ring.clone(), Arc::clone(&clock), Arc::clone(&entropy));
        Self { config, store, queues, bus, mail, sealer, internet, clock, entropy }
    }

    /// The context of a function on Lambda: settings from the environment, AWS as the environment says.
    ///
    /// # Errors
    ///
    /// If a setting is missing or wrong.
    pub async fn from_environment() -> Result<Self, ConfigError> {
        let config = Config::read(|name| std::env::var(name).ok())?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(CALL_TIMEOUT)
            .operation_timeout(CALLS_TIMEOUT);
        let internet = Internet::default();
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .http_client(internet.authorities.aws())
            .timeout_config(timeouts.build())
            .load()
            .await;
        Ok(Self::new(config, &sdk, internet, Arc::new(SystemClock), Arc::new(SystemEntropy)))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }
}
