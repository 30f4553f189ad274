//! The ring as Secrets Manager has it.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_secretsmanager::{Client, error::ProvideErrorMetadata};
use tokio::sync::Mutex;

use super::{KeyRing, KeyRingError};
use crate::{
    clock::{Clock, Entropy},
    domain::{Sealed, Timestamp},
    telemetry::chain,
};

/// How old a ring may be that seals. A new key is used everywhere after this time.
const SEALS_FOR: Duration = Duration::from_mins(5);

/// How long Secrets Manager is not asked again because of a key that it may not have, or because it did not answer: a batch
/// of such deliveries asks once.
const ASKS_EVERY: Duration = Duration::from_secs(10);

/// How long Secrets Manager may take, with all repeats: an attempt with the longest timeout still fits behind it into the time
/// that deliver has.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// Seals and opens secrets with the keys of the deployment. Clones share the ring.
#[derive(Clone)]
pub struct Sealer(Arc<Shared>);

struct Shared {
    client: Client,
    /// The name of the secret, if the function has one.
    secret: Option<String>,
    kept: RwLock<Option<Kept>>,
    /// When Secrets Manager was last asked. Held while it is: who waits finds what came of it.
    asked_at: Mutex<Option<Timestamp>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

#[derive(Clone)]
struct Kept {
    ring: Arc<KeyRing>,
    fetched_at: Timestamp,
}

/// Why something cannot be sealed or opened. Says nothing of what it was.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The function is not told where the ring is.
    #[error("the environment variable KEY_RING is missing: the secret that holds the key ring")]
    Unset,
    /// Secrets Manager does not give the ring.
    #[error("GetSecretValue failed ({code})")]
    Call {
        /// AWS's name for the error, or `unreachable`.
        code: String,
        /// The SDK's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Secrets Manager did not give it a moment ago, and is not asked again yet.
    #[error("the key ring could not be fetched a moment ago")]
    AskedAlready,
    /// What is in the ring does not do.
    #[error(transparent)]
    Ring(#[from] KeyRingError),
}

impl Sealer {
    /// Seals with the ring in this secret. It is fetched when it is first needed, or by [`Sealer::load`].
    pub fn new(
        sdk: &SdkConfig,
        secret: Option<String>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(FETCH_TIMEOUT).build();
        let config = aws_sdk_secretsmanager::config::Builder::from(sdk).timeout_config(timeouts);
        let client = Client::from_conf(config.build());
        let (kept, asked_at) = (RwLock::default(), Mutex::default());
        Self(Arc::new(Shared { client, secret, kept, asked_at, clock, entropy }))
    }

    /// Fetches the ring, unless there is one. If that fails, who needs a key tries again at once.
    ///
    /// # Errors
    ///
    /// If Secrets Manager does not give one.
    pub async fn load(&self) -> Result<(), SealError> {
        let _asking = self.0.asked_at.lock().await;
        if self.kept().is_none() {
            self.renew(self.0.clock.now()).await?;
        }
        Ok(())
    }

    /// The same while a function asks for its first event. It may be frozen in the middle of it, so a failure is a warning.
    pub fn load_meanwhile(&self) {
        let sealer = self.clone();
        tokio::spawn(async move {
            if let Err(error) = sealer.load().await {
                tracing::warn!(error = chain(&error), "the key ring was not to be had at the start");
            }
        });
    }

    /// Seals a text for one place, which has to be named again to open it.
    ///
    /// # Errors
    ///
    /// If there is no ring to be had.
    pub async fn seal(&self, text: &str, place: &str) -> Result<Sealed, SealError> {
        let now = self.0.clock.now();
        let kept = match self.fetch_unless(|kept| now < kept.fetched_at + SEALS_FOR).await {
            Ok(kept) => kept,
            // An old key still seals, and is still there to open.
            Err(error) => self.kept().ok_or(error)?,
        };
        let mut nonce = super::SealNonce::default();
        self.0.entropy.fill(&mut nonce);
        Ok(kept.ring.seal(text, place, nonce)?)
    }

    /// Opens what was sealed for `place`, by whichever key.
    ///
    /// # Errors
    ///
    /// If its key is in no ring, or it was not sealed for this place.
    pub async fn open(&self, sealed: &Sealed, place: &str) -> Result<String, SealError> {
        let kept = self.ring().await?;
        match kept.ring.open(sealed, place) {
            Err(KeyRingError::UnknownKey(_) | KeyRingError::Broken) => {
                // The key may have come since, or a wrong one been put right.
                let newer = self.ring_newer_than(&kept).await?;
                Ok(newer.ring.open(sealed, place)?)
            }
            opened => Ok(opened?),
        }
    }

    fn kept(&self) -> Option<Kept> {
        self.0.kept.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A ring, of whatever age.
    async fn ring(&self) -> Result<Kept, SealError> {
        self.fetch_unless(|_| true).await
    }

    /// Another ring than one that was kept.
    async fn ring_newer_than(&self, old: &Kept) -> Result<Kept, SealError> {
        match self.fetch_unless(|kept| !Arc::ptr_eq(&kept.ring, &old.ring)).await {
            // There is none yet; the old one says which key is missing.
            Err(SealError::AskedAlready) => Ok(old.clone()),
            fetched => fetched,
        }
    }

    /// The ring that is kept if it will do, and otherwise a new one.
    async fn fetch_unless(&self, will_do: impl Fn(&Kept) -> bool) -> Result<Kept, SealError> {
        if let Some(kept) = self.kept().filter(&will_do) {
            return Ok(kept);
        }
        let mut asked_at = self.0.asked_at.lock().await;
        if let Some(kept) = self.kept().filter(&will_do) {
            return Ok(kept);
        }
        let now = self.0.clock.now();
        if asked_at.is_some_and(|at| now < at + ASKS_EVERY) {
            return Err(SealError::AskedAlready);
        }
        *asked_at = Some(now);
        self.renew(now).await
    }

    async fn renew(&self, now: Timestamp) -> Result<Kept, SealError> {
        let kept = Kept { ring: Arc::new(self.fetch().await?), fetched_at: now };
        *self.0.kept.write().unwrap_or_else(PoisonError::into_inner) = Some(kept.clone());
        Ok(kept)
    }

    async fn fetch(&self) -> Result<KeyRing, SealError> {
        let secret = self.0.secret.as_ref().ok_or(SealError::Unset)?;
        let found = self.0.client.get_secret_value().secret_id(secret).send().await.map_err(|error| {
            let code = error.code().unwrap_or("unreachable").to_owned();
            SealError::Call { code, source: error.into() }
        })?;
        Ok(KeyRing::parse(found.secret_string().unwrap_or_default())?)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("secret", &self.0.secret).finish_non_exhaustive()
    }
}
