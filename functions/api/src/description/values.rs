//! Values that several requests and answers have.

use serde_json::{Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, ObjectBuilder, OneOfBuilder, RefOr, SchemaFormat,
        schema::{Schema, SchemaType, Type},
    },
};

/// Gives a value the schema that is built here.
macro_rules! value {
    ($(#[$doc:meta])* $name:ident = $schema:expr) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {}
    };
}

value! {
    /// A company, user, app or event.
    Id = text_or_integer()
        .min_length(Some(1))
        .max_length(Some(64))
        .pattern(Some("^[A-Za-z0-9._-]+$"))
        .description(Some("A name that the platform gives: 1 to 64 of A-Z a-z 0-9 . _ -. An integer is read as its digits."))
        .examples([json!("1"), json!(10), json!("DemoShop")])
}

value! {
    /// A user of the Pipedrive dialect, where users are numbers.
    UserNumber = text_or_integer()
        .pattern(Some("^(0|[1-9][0-9]{0,18})$"))
        .minimum(Some(0))
        .maximum(Some(u64::MAX))
        .description(Some("The number of a user, as an integer or as its digits."))
        .examples([json!(10), json!("10")])
}

value! {
    /// An entity among those of its object.
    EntityId = text_or_integer()
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some(PLAIN))
        .description(Some("Names one entity among those of its object. An integer is read as its digits."))
        .examples([json!("8"), json!(8)])
}

value! {
    /// A short text.
    Text = text().max_length(Some(255)).pattern(Some(PLAIN)).description(Some("A text without control characters."))
        .examples([json!("Example")])
}

value! {
    /// A short text that says something.
    FilledText = text().min_length(Some(1)).max_length(Some(255)).pattern(Some(PLAIN))
        .description(Some("A text of at least one character, without control characters."))
        .examples([json!("Example")])
}

value! {
    /// An address of e-mail.
    Email = text()
        .max_length(Some(254))
        .pattern(Some(r#"^[^\s\u0000-\u001f\u007f-\u009f@,;:<>()\[\]"\\]+@[^\s\u0000-\u001f\u007f-\u009f@,;:<>()\[\]"\\]+$"#))
        .description(Some("An address of e-mail, without a name."))
        .examples([json!("owner@example.com")])
}

value! {
    /// Where to deliver.
    Url = text()
        .format(Some(SchemaFormat::Custom("uri".to_owned())))
        .max_length(Some(2048))
        .pattern(Some("^https://"))
        .description(Some("Where to deliver: https and public, without a user, and none of this API's own endpoints."))
        .examples([json!("https://receiver.example/hook")])
}

value! {
    /// A yes or no.
    Flag = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Boolean, Type::Integer]))
        .enum_values(Some([json!(true), json!(false), json!(1), json!(0)]))
        .description(Some("A yes or no."))
}

value! {
    /// A time that an answer tells.
    Time = text()
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .pattern(Some(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"))
        .description(Some("A time in UTC, with milliseconds."))
        .examples([json!("2026-01-01T00:00:00.000Z")])
}

value! {
    /// A webhook, in either dialect's way.
    WebhookId = OneOfBuilder::new()
        .item(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(u64::MAX)))
        .item(uuid())
        .description(Some("A number, or of a webhook of the ePages dialect a UUID."))
        .examples([json!(1), json!("73CA6C8C-60E3-4B78-AE37-0491EBE57AF8")])
}

value! {
    /// A webhook of the ePages dialect.
    ShopWebhookId = uuid().description(Some("A UUID.")).examples([json!("73CA6C8C-60E3-4B78-AE37-0491EBE57AF8")])
}

value! {
    /// The id of a token.
    TokenId = text()
        .pattern(Some("^[0-9a-f]{64}$"))
        .description(Some("The SHA-256 of a token, in hex: its name wherever the token itself must not stand."))
        .examples([json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")])
}

value! {
    /// What is `true` in every success.
    Yes = constant(Type::Boolean, json!(true))
}

value! {
    /// What is `false` in every refusal.
    No = constant(Type::Boolean, json!(false))
}

value! {
    /// What is always `null`.
    Nothing = ObjectBuilder::new().schema_type(Type::Null)
}

pub(super) use value;

/// No control characters.
const PLAIN: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn text_or_integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
}

fn uuid() -> ObjectBuilder {
    text()
        .format(Some(SchemaFormat::Custom("uuid".to_owned())))
        .pattern(Some("^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"))
}

/// One of these words.
pub(super) fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    let mut values: Vec<Value> = Vec::new();
    for word in words.into_iter().map(Value::from) {
        if !values.contains(&word) {
            values.push(word);
        }
    }
    text().enum_values(Some(values))
}

/// What has one value only.
pub(super) fn constant(kind: Type, value: Value) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(kind).enum_values(Some([value]))
}
