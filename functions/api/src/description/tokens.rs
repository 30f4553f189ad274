//! What the platform asks for tokens and apps.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, RefOr, Schema},
};

use super::values::{Email, FilledText, Flag, Id, Nothing, value, words};

/// Whom a token is for: a user, or an app.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it exists for the description")]
pub(crate) enum NewToken {
    OfUser(NewUserToken),
    OfApp(NewAppToken),
}

/// A token for a user of a company. Unknown fields are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it exists for the description")]
pub(crate) struct NewUserToken {
    company_id: Id,
    user_id: Id,
    /// It is no app's.
    #[schema(required = false)]
    app: Nothing,
    /// Whether the user manages all general webhooks of the company.
    admin: Option<Flag>,
    scopes: Option<NewScopes>,
    /// Where the user is told what happens to their webhooks.
    contact: Option<Email>,
}

/// A token for an app that acts for a user, or without one for the whole company, as in the ePages dialect. Unknown
/// fields are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it exists for the description")]
pub(crate) struct NewAppToken {
    company_id: Id,
    app: Id,
    user_id: Option<Id>,
    admin: Option<Flag>,
    scopes: Option<NewScopes>,
    contact: Option<Email>,
}

/// What is known of an app. Unknown fields are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it exists for the description")]
pub(crate) struct NewApp {
    name: FilledText,
    /// Where its developer is reached.
    contact: Option<Email>,
    /// Shared with the platform, and never shown: notifications of the ePages dialect are signed with it. Left out, it stays
    /// as it was.
    client_secret: Option<FilledText>,
}

value! {
    /// What a token permits.
    Scope = words(["admin", "webhooks:read", "webhooks:full"])
        .description(Some("What a token permits: everything, looking at webhooks, or changing them too."))
}

value! {
    /// What a token is to permit.
    NewScopes = ArrayBuilder::new()
        .items(Scope::schema())
        .min_items(Some(1))
        .max_items(Some(3))
        .description(Some("What it permits: `admin` if left out."))
}
