//! What the ePages dialect is asked for.

use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Schema,
        schema::{SchemaType, Type},
    },
};

use super::values::{Url, value, words};

/// A request for a webhook of an app in a shop. Unknown fields are ignored.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it exists for the description")]
pub(crate) struct NewShopWebhook {
    callback_url: Url,
    event_type: NewEventType,
    /// Whether it is active from the first: yes if left out.
    active: Option<Switch>,
}

/// Switches a webhook on or off, by JSON or a form. Unknown fields are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it exists for the description")]
pub(crate) struct ShopWebhookSwitch {
    active: Switch,
}

/// The same as a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it exists for the description")]
pub(crate) struct ShopWebhookSwitchForm {
    active: FormSwitch,
}

value! {
    /// A switch in JSON; the official client writes it as a text.
    Switch = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Boolean, Type::Integer, Type::String]))
        .enum_values(Some([json!(true), json!(false), json!(1), json!(0), json!("true"), json!("false")]))
        .description(Some("On or off."))
}

value! {
    /// A switch in a form.
    FormSwitch = words(["true", "false", "1", "0"]).description(Some("On or off."))
}

value! {
    /// An event type as it is shown.
    EventType = words(EVENT_TYPES).description(Some("What happened, in the words of ePages."))
}

value! {
    /// An event type as it is asked for.
    NewEventType = words(EVENT_TYPES.into_iter().chain(PLURALS))
        .description(Some("What happened, in the words of ePages; the plural is understood too, and shown in the singular."))
}

const EVENT_TYPES: [&str; 7] = [
    "ORDER_CREATE",
    "ORDER_UPDATE",
    "ORDER_DELETE",
    "PRODUCT_CREATE",
    "PRODUCT_UPDATE",
    "PRODUCT_DELETE",
    "APP_UNINSTALL",
];

const PLURALS: [&str; 6] = [
    "ORDERS_CREATE",
    "ORDERS_UPDATE",
    "ORDERS_DELETE",
    "PRODUCTS_CREATE",
    "PRODUCTS_UPDATE",
    "PRODUCTS_DELETE",
];
