//! Who is asking, and what they may see (facts: Pipedrive, Who sees what).

use serde::{Deserialize, Serialize};

use super::{
    AppId, CompanyId, Dialect, FieldErrors, Generation, Installation, UserId, Webhook, fields::Fields,
};

/// A permission of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Everything.
    #[serde(rename = "admin")]
    Admin,
    /// Listing webhooks.
    #[serde(rename = "webhooks:read")]
    WebhooksRead,
    /// Listing, creating and deleting webhooks.
    #[serde(rename = "webhooks:full")]
    WebhooksFull,
}

impl Scope {
    const ALL: [(&'static str, Self); 3] = [
        ("admin", Self::Admin),
        ("webhooks:read", Self::WebhooksRead),
        ("webhooks:full", Self::WebhooksFull),
    ];
}

/// A user of a company, or an app that acts for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The company.
    pub company: CompanyId,
    /// The user.
    pub user: UserId,
    /// The app, if one acts for the user.
    pub app: Option<AppId>,
    /// Whether the user administers the company.
    pub admin: bool,
    /// What the token permits.
    pub scopes: Vec<Scope>,
    /// Where the user is told what happens to their webhooks.
    pub contact: Option<String>,
    /// Under which the app's token was given.
    #[serde(default, skip_serializing_if = "Generation::is_first")]
    pub generation: Generation,
}

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The platform itself.
    Platform,
    /// Somebody of a company.
    Member(Member),
}

impl Member {
    /// Reads what the platform asks a token for.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, by field.
    pub fn parse(json: &[u8]) -> Result<Self, FieldErrors> {
        let mut fields = Fields::parse(json, "")?;
        fields.require("company_id");
        let app: Option<AppId> = fields.id("app");
        if app.is_none() {
            fields.require("user_id");
        }
        let (company, user) = (fields.id("company_id"), fields.id("user_id"));
        // An app's token may be the whole company's, as it is in the ePages dialect.
        let user = user.or_else(|| app.as_ref().map(|_| UserId::of_company()));
        let (admin, contact) = (fields.flag("admin"), fields.email("contact"));
        let scopes = scopes(&mut fields);
        fields.finish(|| {
            let (company, user, scopes) = (company?, user?, scopes.unwrap_or_else(|| vec![Scope::Admin]));
            let (admin, generation) = (admin.unwrap_or(false), Generation::default());
            Some(Self { company, user, app, admin, scopes, contact, generation })
        })
    }

    /// Whether the token permits looking at webhooks.
    pub fn may_read(&self) -> bool {
        !self.scopes.is_empty()
    }

    /// Whether the token permits changing webhooks.
    pub fn may_write(&self) -> bool {
        self.scopes.iter().any(|scope| *scope != Scope::WebhooksRead)
    }

    /// Whether a webhook is this caller's to see, change and delete: an app's are its own for its user; a user's are
    /// the general ones they own; an admin's are all general ones of the company.
    pub fn manages(&self, webhook: &Webhook) -> bool {
        self.company == webhook.company
            && self.app == webhook.app
            && self.generation == webhook.generation
            && (self.user == webhook.owner || self.admin && self.app.is_none())
    }

    /// Whether a webhook is this caller's, and one that a client of this dialect is shown.
    pub fn manages_in(&self, dialect: Dialect, webhook: &Webhook) -> bool {
        webhook.dialect() == dialect && self.manages(webhook)
    }

    /// Whether a webhook is left over from an earlier installation of this caller's app: to them it is gone already.
    pub fn has_outlived(&self, webhook: &Webhook) -> bool {
        let (own, theirs) = (self.installation(), webhook.installation());
        own.is_some() && own == theirs && self.generation != webhook.generation
    }

    /// The installation that an app's token belongs to.
    pub fn installation(&self) -> Option<Installation> {
        let app = self.app.clone()?;
        Some(Installation { company: self.company.clone(), app, user: self.user.clone() })
    }
}

fn scopes(fields: &mut Fields<'_>) -> Option<Vec<Scope>> {
    let words = fields.texts("scopes", Scope::ALL.len())?;
    let scopes: Option<Vec<Scope>> = words
        .iter()
        .map(|word| Scope::ALL.iter().find(|(name, _)| name == word).map(|(_, scope)| *scope))
        .collect();
    if scopes.as_ref().is_none_or(Vec::is_empty) {
        fields.refuse("scopes", "must be some of admin, webhooks:read, webhooks:full");
    }
    scopes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_values::{member, webhook};

    #[test]
    fn webhooks_are_managed_by_their_owner_their_app_or_an_admin() {
        let general = webhook("1", "10", None);
        assert!(member("1", "10", None, false).manages(&general));
        assert!(member("1", "11", None, true).manages(&general));
        assert!(!member("1", "11", None, false).manages(&general));
        assert!(!member("2", "10", None, true).manages(&general));
        assert!(!member("1", "10", Some("app"), true).manages(&general));

        let application = webhook("1", "10", Some("app"));
        assert!(member("1", "10", Some("app"), false).manages(&application));
        assert!(!member("1", "11", Some("app"), true).manages(&application));
        assert!(!member("1", "10", Some("other"), false).manages(&application));
        assert!(!member("1", "10", None, true).manages(&application));
    }

    #[test]
    fn what_an_earlier_installation_created_is_gone_to_the_next_one() {
        let next = |app, user, installation| {
            let member = member("1", user, Some(app), true);
            Member { generation: Generation { app: 0, installation }, ..member }
        };
        let left_over = webhook("1", "10", Some("app"));
        let reinstalled = next("app", "10", 1);
        assert!(!reinstalled.manages(&left_over) && reinstalled.has_outlived(&left_over));
        assert!(next("app", "10", 0).manages(&left_over) && !next("app", "10", 0).has_outlived(&left_over));
        assert!(
            !next("app", "11", 1).has_outlived(&left_over)
                && !next("other", "10", 1).has_outlived(&left_over)
        );
        assert!(!member("1", "10", None, true).has_outlived(&left_over));
    }

    #[test]
    fn a_token_is_a_users_or_that_of_an_app_in_the_whole_company() {
        let parse = |json: &str| Member::parse(json.as_bytes());
        let of_shop = parse(r#"{"company_id":"DemoShop","app":"mailer"}"#).expect("a member");
        assert_eq!(of_shop.user, UserId::of_company());
        let of_user = parse(r#"{"company_id":"1","app":"mailer","user_id":"10"}"#).expect("a member");
        assert_eq!(of_user.user.as_str(), "10");
        for json in [
            r#"{"company_id":"1"}"#,
            r#"{"app":"mailer"}"#,
            r#"{"company_id":"1","app":"mailer","user_id":"a b"}"#,
            r#"{"company_id":"1","user_id":"10","contact":"nobody"}"#,
        ] {
            assert!(parse(json).is_err(), "{json}");
        }
    }

    #[test]
    fn scopes_default_to_admin_and_unknown_ones_are_refused() {
        let parse =
            |scopes: &str| Member::parse(format!(r#"{{"company_id":1,"user_id":"2"{scopes}}}"#).as_bytes());
        assert_eq!(parse("").expect("a member").scopes, [Scope::Admin]);
        let reader = parse(r#","scopes":["webhooks:read"]"#).expect("a member");
        assert!(reader.may_read() && !reader.may_write());
        for scopes in [
            r#","scopes":[]"#,
            r#","scopes":["root"]"#,
            r#","scopes":"admin""#,
            r#","scopes":["admin","admin","admin","admin"]"#,
        ] {
            assert!(parse(scopes).is_err(), "{scopes}");
        }
    }
}
