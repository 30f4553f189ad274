//! Callers' tokens, kept only as their SHA-256.

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, from_item, keys::Key, to_item};
use crate::{
    domain::{AppId, Member, Timestamp},
    version::Version1,
};

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its SHA-256 in hex, which is its id.
    pub sha256: String,
    /// Who presents it.
    pub member: Member,
    /// When it was given out.
    pub added_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct TokenItem {
    pk: String,
    sk: String,
    v: Version1,
    /// Beside the member, so that an index can find all that an app has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<AppId>,
    member: Member,
    added_at: Timestamp,
}

impl Store {
    /// Keeps a token.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not take it.
    pub async fn add_token(&self, token: &Token) -> Result<(), StoreError> {
        let Key { pk, sk } = Key::token(&token.sha256);
        let (member, added_at) = (token.member.clone(), token.added_at);
        let item = to_item(&TokenItem { pk, sk, v: Version1, app: member.app.clone(), member, added_at })?;
        let put = self.client.put_item().table_name(&self.webhooks).set_item(Some(item));
        put.send().await.map_err(StoreError::call("PutItem"))?;
        Ok(())
    }

    /// Who presents the token with this SHA-256 in hex, if anybody may.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn token(&self, sha256: &str) -> Result<Option<Token>, StoreError> {
        let key = Key::token(sha256).into_item();
        let get = self.client.get_item().table_name(&self.webhooks).set_key(Some(key)).consistent_read(true);
        let found = get.send().await.map_err(StoreError::call("GetItem"))?;
        let Some(item) = found.item else { return Ok(None) };
        let TokenItem { member, added_at, .. } = from_item(item)?;
        Ok(Some(Token { sha256: sha256.to_owned(), member, added_at }))
    }
}
