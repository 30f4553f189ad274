//! Callers' tokens, kept only as their SHA-256.
//!
//! A token is two items that come and go together: one that is found by its SHA-256, and one by which the tokens of its
//! company are listed.

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use serde::{Deserialize, Serialize};

use super::{
    Batch, Item, Store, StoreError, from_item,
    keys::{Key, TOKEN_PREFIX, index_sk, token_of},
    to_item,
    transaction::{Action, Transacted},
};
use crate::{
    domain::{AppId, CompanyId, Installed, Member, Timestamp},
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
    /// When its budget is full again, if it has spent of it.
    pub full_at: Option<Timestamp>,
}

/// Whether a token was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddedToken {
    /// It was.
    Added,
    /// Its app is removed.
    AppRemoved,
}

/// Some of a company's tokens.
#[derive(Debug, Default)]
pub struct TokenPage {
    /// In the order of their ids.
    pub tokens: Vec<Token>,
    /// The last token looked at, if there are more behind it.
    pub next: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct TokenItem {
    pk: String,
    sk: String,
    v: Version1,
    /// Beside the member, so that an index can find all that an app has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<AppId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    installation: Option<String>,
    member: Member,
    added_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    full_at: Option<Timestamp>,
}

impl Store {
    /// Gives out a token, an app's under the present generation of its installation.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not take it.
    pub async fn add_token(&self, mut token: Token) -> Result<AddedToken, StoreError> {
        if let Some(installation) = token.member.installation() {
            // Should the app go in between, the token is one of the generation that went: whoever presents it is refused.
            let Installed { removed, generation } = self.installed(&installation).await?;
            if removed {
                return Ok(AddedToken::AppRemoved);
            }
            token.member.generation = generation;
        }
        self.transact("giving a token", self.put_token(&token)?.to_vec()).await?;
        Ok(AddedToken::Added)
    }

    fn put_token(&self, token: &Token) -> Result<[TransactWriteItem; 2], StoreError> {
        let Token { sha256, member, added_at, full_at: _ } = token;
        let put = |Key { pk, sk }: Key, app: Option<AppId>| {
            let installation = app.as_ref().map(|_| index_sk(&member.company, &member.user));
            let (member, added_at) = (member.clone(), *added_at);
            let full_at = None;
            let item = TokenItem { pk, sk, v: Version1, app, installation, member, added_at, full_at };
            Put::builder().table_name(&self.webhooks).set_item(Some(to_item(&item)?)).action()
        };
        // The index needs to hold one of the two.
        Ok([
            put(Key::token(sha256), member.app.clone())?,
            put(Key::listed_token(&member.company, sha256), None)?,
        ])
    }

    /// Who presents the token with this SHA-256 in hex, if anybody may: an app's only while the app stands.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn token(&self, sha256: &str) -> Result<Option<Token>, StoreError> {
        let Some(token) = self.kept_token(sha256).await? else { return Ok(None) };
        let Some(installation) = token.member.installation() else { return Ok(Some(token)) };
        let installed = self.installed(&installation).await?;
        Ok(Some(token).filter(|token| installed.keeps(token.member.generation)))
    }

    /// The token with this SHA-256 in hex, whether or not it is good for anything.
    async fn kept_token(&self, sha256: &str) -> Result<Option<Token>, StoreError> {
        let key = Key::token(sha256).into_item();
        let get = self.client.get_item().table_name(&self.webhooks).set_key(Some(key)).consistent_read(true);
        let found = get.send().await.map_err(StoreError::call("GetItem"))?;
        found.item.map(stored_token).transpose()
    }

    /// Some of the tokens of a company behind `after` that are good for something, at most `limit`.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn tokens(
        &self,
        company: &CompanyId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<TokenPage, StoreError> {
        let mut page = TokenPage::default();
        let mut start = after.map(|after| Key::listed_token(company, after).into_item());
        loop {
            let (items, next) = self.company_items(company, TOKEN_PREFIX, start).await?;
            let tokens = items.into_iter().map(stored_token);
            for token in self.standing(tokens.collect::<Result<_, _>>()?).await? {
                if page.tokens.len() == limit {
                    page.next = page.tokens.last().map(|last| last.sha256.clone());
                    return Ok(page);
                }
                page.tokens.push(token);
            }
            start = next;
            if start.is_none() {
                return Ok(page);
            }
        }
    }

    /// Those of some tokens whose apps stand.
    async fn standing(&self, tokens: Vec<Token>) -> Result<Vec<Token>, StoreError> {
        let mut wanted = Batch::default();
        for installation in tokens.iter().filter_map(|token| token.member.installation()) {
            wanted.want_installed(&installation);
        }
        let read = self.read(wanted).await?;
        let mut standing = Vec::with_capacity(tokens.len());
        for token in tokens {
            let installation = token.member.installation();
            let installed = installation.map(|installation| read.installed(&installation)).transpose()?;
            if installed.is_none_or(|installed| installed.keeps(token.member.generation)) {
                standing.push(token);
            }
        }
        Ok(standing)
    }

    /// Takes a token back; `false` if there is none with this SHA-256 in hex.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn take_token_back(&self, sha256: &str) -> Result<bool, StoreError> {
        match self.kept_token(sha256).await? {
            Some(token) => self.delete_token(&token).await,
            None => Ok(false),
        }
    }

    /// Deletes a token; `false` if it was gone already.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn delete_token(&self, token: &Token) -> Result<bool, StoreError> {
        let delete = |key: Key| Delete::builder().table_name(&self.webhooks).set_key(Some(key.into_item()));
        let actions = vec![
            delete(Key::token(&token.sha256)).condition_expression("attribute_exists(pk)").action()?,
            delete(Key::listed_token(&token.member.company, &token.sha256)).action()?,
        ];
        Ok(matches!(self.transact("deleting a token", actions).await?, Transacted::Done))
    }
}

/// Reads either of a token's items.
pub(super) fn stored_token(item: Item) -> Result<Token, StoreError> {
    let TokenItem { pk, sk, member, added_at, full_at, .. } = from_item(item)?;
    let sha256 = token_of(&pk).or_else(|| token_of(&sk)).unwrap_or_default().to_owned();
    Ok(Token { sha256, member, added_at, full_at })
}
