//! Apps and their installations: the two items whose numbers say what of an app still stands.
//!
//! They change by compare-and-swap on their revision. What is created meanwhile checks them in its own transaction
//! ([`Store::standing_checks`]), so nothing comes to be under a number that is over.

use aws_sdk_dynamodb::types::{ConditionCheck, Put, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};

use super::{
    Batch, Item, Store, StoreError, from_item,
    keys::Key,
    number, to_item,
    transaction::{Action, Transacted},
};
use crate::{
    domain::{
        AppId, AppRemoval, AppState, EventId, Generation, Installation, Installed, Life, Registration,
        RemovalTarget, Sealed, Timestamp,
    },
    version::Version1,
};

/// How often a change is decided again because somebody else made one.
const TRIES: u32 = 12;

/// What is kept of an app, or of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LifeItem {
    pk: String,
    sk: String,
    v: Version1,
    revision: u64,
    life: Life,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registration: Option<Registration>,
}

/// What deliver has to know of an app.
#[derive(Debug, Clone)]
pub struct KnownApp {
    /// How it stands.
    pub state: AppState,
    /// The secret that it shares with the platform.
    pub client_secret: Option<Sealed>,
}

/// Whether an app was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// It was registered for the first time, or for the first time since it was removed.
    Anew,
    /// What was known of it was changed.
    Changed,
}

impl Store {
    /// What the platform said of an app; `None` if it is unknown or removed.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn registration(&self, app: &AppId) -> Result<Option<Registration>, StoreError> {
        Ok(self.life_item(Key::app(app)).await?.registration)
    }

    /// Registers an app, or changes what is known of it. What belonged to it before it was removed does not come back.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer, or others keep changing the app.
    pub async fn register_app(
        &self,
        app: &AppId,
        registration: &Registration,
    ) -> Result<Registered, StoreError> {
        for round in 0..TRIES {
            let kept = self.life_item(Key::app(app)).await?;
            let registered = if kept.registration.is_some() { Registered::Changed } else { Registered::Anew };
            let new = registration.clone().instead_of(kept.registration.as_ref());
            let life = Life { removed_at: None, ..kept.life.clone() };
            if self.replace(kept, life, Some(new)).await? {
                return Ok(registered);
            }
            self.back_off(round).await;
        }
        Err(StoreError::Contention { operation: "registering an app" })
    }

    /// Ends what an app, or an installation, has: from when this returns on, nothing of it stands. `by` is the message
    /// on the bus that says so, which ends it once. Answers with the job that clears away; of a repeat, with the same.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer, or others keep changing it.
    pub async fn end(
        &self,
        target: RemovalTarget,
        by: Option<&EventId>,
        now: Timestamp,
    ) -> Result<AppRemoval, StoreError> {
        for round in 0..TRIES {
            let kept = self.life_item(Key::life(&target)).await?;
            let Some(life) = kept.life.ended(&target, by, now) else {
                return Ok(AppRemoval::begin(target, &kept.life, now));
            };
            if self.replace(kept, life.clone(), None).await? {
                return Ok(AppRemoval::begin(target, &life, now));
            }
            self.back_off(round).await;
        }
        Err(StoreError::Contention { operation: "removing an app" })
    }

    /// An app as a user of a company has it now, read consistently.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn installed(&self, installation: &Installation) -> Result<Installed, StoreError> {
        let mut wanted = Batch::default();
        wanted.want_installed(installation);
        self.read(wanted).await?.installed(installation)
    }

    /// All that deliver has to know of an app, read consistently.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn app(&self, installation: &Installation) -> Result<KnownApp, StoreError> {
        let mut wanted = Batch::default();
        wanted.want_app(installation);
        self.read(wanted).await?.app(installation)
    }

    /// The life of what is removed.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn life(&self, target: &RemovalTarget) -> Result<Life, StoreError> {
        Ok(self.life_item(Key::life(target)).await?.life)
    }

    /// Notes that a page of a removal is done, unless that is known.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn finish_page(&self, removal: &AppRemoval) -> Result<(), StoreError> {
        let update = Update::builder()
            .table_name(&self.webhooks)
            .set_key(Some(Key::life(&removal.target).into_item()))
            .update_expression("SET life.#page = :next ADD revision :one")
            .condition_expression("life.generation = :generation AND life.#page < :next")
            .expression_attribute_names("#page", "page")
            .expression_attribute_values(":next", number(removal.page.saturating_add(1)))
            .expression_attribute_values(":generation", number(removal.generation))
            .expression_attribute_values(":one", number(1));
        self.transact("finishing a page of a removal", vec![update.action()?]).await?;
        Ok(())
    }

    /// The actions that check, in a transaction, that what is created for an installation stands.
    pub(super) fn standing_checks(
        &self,
        installation: &Installation,
        generation: Generation,
    ) -> Result<[TransactWriteItem; 2], StoreError> {
        let check = |key: Key, expected: u64| {
            let stands = "life.generation = :generation AND attribute_not_exists(life.removed_at)";
            let absent = if expected == 0 { "attribute_not_exists(pk) OR " } else { "" };
            ConditionCheck::builder()
                .table_name(&self.webhooks)
                .set_key(Some(key.into_item()))
                .condition_expression(format!("{absent}({stands})"))
                .expression_attribute_values(":generation", number(expected))
                .action()
        };
        Ok([
            check(Key::app(&installation.app), generation.app)?,
            check(Key::installation(installation), generation.installation)?,
        ])
    }

    async fn life_item(&self, key: Key) -> Result<LifeItem, StoreError> {
        let get = self.client.get_item().table_name(&self.webhooks).consistent_read(true);
        let get = get.set_key(Some(key.clone().into_item()));
        let found = get.send().await.map_err(StoreError::call("GetItem"))?;
        let Key { pk, sk } = key;
        let absent = LifeItem { pk, sk, v: Version1, revision: 0, life: Life::default(), registration: None };
        found.item.map_or(Ok(absent), from_item)
    }

    /// Writes what became of an item, unless somebody else has changed it since it was read.
    async fn replace(
        &self,
        kept: LifeItem,
        life: Life,
        registration: Option<Registration>,
    ) -> Result<bool, StoreError> {
        let read = number(kept.revision);
        // An item that is there has been written at least once.
        let condition = if kept.revision == 0 { "attribute_not_exists(pk)" } else { "revision = :read" };
        let item = LifeItem { revision: kept.revision + 1, life, registration, ..kept };
        let mut put = Put::builder()
            .table_name(&self.webhooks)
            .set_item(Some(to_item(&item)?))
            .condition_expression(condition);
        if kept.revision > 0 {
            put = put.expression_attribute_values(":read", read);
        }
        let written = self.transact("changing an app", vec![put.action()?]).await?;
        Ok(matches!(written, Transacted::Done))
    }
}

/// Reads the life in an app's or an installation's item; without one, it was never ended.
pub(super) fn life(item: Option<Item>) -> Result<Life, StoreError> {
    Ok(item.map(from_item::<LifeItem>).transpose()?.map(|item| item.life).unwrap_or_default())
}

/// Reads the client secret in an app's item.
pub(super) fn client_secret(item: Option<Item>) -> Result<Option<Sealed>, StoreError> {
    let item = item.map(from_item::<LifeItem>).transpose()?;
    Ok(item.and_then(|item| item.registration).and_then(|registration| registration.client_secret))
}
