//! What the Pipedrive dialect is asked for.

use knockback::domain::{ANY, Action, Objects, Version};
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Schema,
        schema::{SchemaType, Type},
    },
};

use super::values::{Flag, Text, Url, UserNumber, constant, value, words};

/// A request for a webhook, in the words of its version.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it exists for the description")]
pub(crate) enum NewWebhook {
    V2(NewWebhookV2),
    V1(NewWebhookV1),
}

/// A request for a webhook of version 2.0. Unknown fields are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it exists for the description")]
pub(crate) struct NewWebhookV2 {
    #[serde(flatten)]
    settings: Settings,
    event_action: ActionV2,
    event_object: ObjectV2,
    #[schema(required = false)]
    version: Version2,
}

/// A request for a webhook of version 1.0. Unknown fields are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it exists for the description")]
pub(crate) struct NewWebhookV1 {
    #[serde(flatten)]
    settings: Settings,
    event_action: ActionV1,
    event_object: ObjectV1,
    version: Version1,
}

/// What webhooks of both versions have.
#[derive(ToSchema)]
#[schema(as = NewWebhookSettings)]
#[expect(dead_code, reason = "it exists for the description")]
pub(crate) struct Settings {
    subscription_url: Url,
    /// What its owner calls it.
    name: Option<Text>,
    /// Whose permissions decide what it gets: the caller's own unless an admin names another user.
    user_id: Option<UserNumber>,
    http_auth_user: Option<AuthUser>,
    /// The password of HTTP Basic. It is never shown.
    http_auth_password: Option<Text>,
}

/// A change of a webhook, whose words are those of its version. What is left out stays as it is, `null` takes away;
/// `version` and `user_id` cannot be changed. Unknown fields are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it exists for the description")]
pub(crate) struct WebhookChange {
    #[schema(required = false)]
    subscription_url: Url,
    #[schema(required = false)]
    event_action: AnyAction,
    #[schema(required = false)]
    event_object: AnyObject,
    name: Option<Text>,
    http_auth_user: Option<AuthUser>,
    http_auth_password: Option<Text>,
    /// Whether it is switched on. A ban is not lifted by it.
    #[schema(required = false)]
    is_active: Flag,
}

value! {
    /// An action in the words of version 2.0.
    ActionV2 = words(actions(Version::V2)).description(Some("What was done; `*` is everything."))
}

value! {
    /// An action in the words of version 1.0.
    ActionV1 = words(actions(Version::V1)).description(Some("What was done; `*` is everything."))
}

value! {
    /// An action in the words of either version.
    AnyAction = words(actions(Version::V2).chain(actions(Version::V1)))
        .description(Some("What was done, in the words of the webhook's version; an ePages webhook's cannot be changed."))
}

value! {
    /// An object of version 2.0.
    ObjectV2 = words(objects(&Objects::default(), Version::V2)).description(Some(OBJECTS))
}

value! {
    /// An object of version 1.0.
    ObjectV1 = words(objects(&Objects::default(), Version::V1)).description(Some(OBJECTS))
}

value! {
    /// An object of either version.
    AnyObject = words(objects(&Objects::default(), Version::V2).chain(objects(&Objects::default(), Version::V1)))
        .description(Some("What it was done to, as far as the webhook's version has it; an ePages webhook's cannot be changed."))
}

value! {
    /// The user of HTTP Basic.
    AuthUser = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(255))
        .pattern(Some(r"^[^:\u0000-\u001f\u007f-\u009f]*$"))
        .description(Some("The user of HTTP Basic: a text without colons and control characters."))
        .examples([json!("receiver")])
}

value! {
    /// Version 2.0, which is what is meant without one.
    Version2 = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some([json!(Version::V2), json!(null)]))
        .description(Some("Decides the words above, and the payload: 2.0 unless said otherwise."))
}

value! {
    /// Version 1.0.
    Version1 = constant(Type::String, json!(Version::V1)).description(Some("Decides the words above, and the payload."))
}

const OBJECTS: &str = "What it was done to; `*` is all of these. A deployment may have more.";

/// The words of a version.
fn actions(version: Version) -> impl Iterator<Item = &'static str> {
    let actions = [Action::Create, Action::Change, Action::Merge, Action::Delete];
    actions.map(|action| version.action_word(action)).into_iter().chain([ANY])
}

/// What a version has in every deployment.
fn objects(every: &Objects, version: Version) -> impl Iterator<Item = &str> {
    every.of(version).chain([ANY])
}
