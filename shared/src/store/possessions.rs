//! What an app has, wherever it is: read from an index, page by page, to be cleared away.
//!
//! The index says only where to look, and may be late. Whether something goes is decided by its item.

use super::{
    Batch, Store, StoreError, StoredWebhook, Token, from_item,
    keys::{BY_APP, IndexKey, index_sk},
    text, to_item,
};
use crate::{
    domain::{AppRemoval, Generation, RemovalTarget},
    telemetry::chain,
};

/// Something that an app has.
#[derive(Debug, Clone)]
pub enum Possession {
    /// A webhook.
    Webhook(Box<StoredWebhook>),
    /// A token.
    Token(Token),
}

/// Some of what an app has.
#[derive(Debug, Default)]
pub struct PossessionPage {
    /// What goes.
    pub going: Vec<Possession>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

impl Possession {
    /// Under which the app was given or created it.
    fn generation(&self) -> Generation {
        match self {
            Self::Webhook(stored) => stored.webhook.generation,
            Self::Token(token) => token.member.generation,
        }
    }
}

impl Store {
    /// The page of what an app has that a removal is about.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn possessions(&self, removal: &AppRemoval, most: u16) -> Result<PossessionPage, StoreError> {
        let (keys, next) = self.indexed(removal, most).await?;
        let mut wanted = Batch::default();
        for key in &keys {
            wanted.want_item(key.key());
        }
        let read = self.read(wanted).await?;
        let mut page = PossessionPage { going: Vec::with_capacity(keys.len()), next };
        for key in keys {
            // What has gone, or was given since, is no concern of this removal's.
            match read.possession(&key.key()) {
                Ok(found) => page.going.extend(found.filter(|found| removal.takes(found.generation()))),
                Err(error) => {
                    let (pk, error) = (key.key().pk, chain(&error));
                    tracing::error!(pk, error, "what an app has left cannot be read, and stays");
                }
            }
        }
        Ok(page)
    }

    async fn indexed(
        &self,
        removal: &AppRemoval,
        most: u16,
    ) -> Result<(Vec<IndexKey>, Option<String>), StoreError> {
        let app = removal.target.app();
        let start = removal.cursor.as_deref().and_then(|cursor| IndexKey::behind(app, cursor));
        let mut query = self
            .client
            .query()
            .table_name(&self.webhooks)
            .index_name(BY_APP)
            .limit(most.into())
            .expression_attribute_values(":app", text(app.as_str()))
            .set_exclusive_start_key(start.map(|start| to_item(&start)).transpose()?);
        query = match &removal.target {
            RemovalTarget::App(_) => query.key_condition_expression("app = :app"),
            RemovalTarget::Installation(of) => query
                .key_condition_expression("app = :app AND installation = :installation")
                .expression_attribute_values(":installation", text(index_sk(&of.company, &of.user))),
        };
        let found = query.send().await.map_err(StoreError::call("Query"))?;
        let keys = found.items.unwrap_or_default().into_iter().map(from_item::<IndexKey>);
        let next = found.last_evaluated_key.map(from_item::<IndexKey>).transpose()?;
        Ok((keys.collect::<Result<_, _>>()?, next.map(|next| next.cursor())))
    }
}
