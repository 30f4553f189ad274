//! The envelopes of answers, each with what it has: in code it is one type that leaves out what is not there.

use std::marker::PhantomData;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, ObjectBuilder, Ref, RefOr,
        schema::{Schema, Type},
    },
};

use super::values::{Yes, constant};
use crate::answer::Paging;

/// Describes envelopes around `T`, which is described by itself.
macro_rules! envelopes {
    ($($(#[$doc:meta])* $name:ident = $schema:expr;)+) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name<T>(PhantomData<T>);

            impl<T: ToSchema> PartialSchema for $name<T> {
                fn schema() -> RefOr<Schema> {
                    $schema(Ref::from_schema_name(T::name())).into()
                }
            }

            impl<T: ToSchema> ToSchema for $name<T> {
                fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                    schemas.push((T::name().into(), T::schema()));
                    schemas.push((Paging::name().into(), Paging::schema()));
                    T::schemas(schemas);
                }
            }
        )+
    };
}

envelopes! {
    /// One webhook.
    OfWebhook = |one: Ref| with_data(done(), one);
    /// A page of webhooks.
    OfWebhooks = |one: Ref| paged(with_data(done(), ArrayBuilder::new().items(one)));
    /// One of what Knockback adds.
    Of = |one: Ref| with_data(success(), one);
    /// Several of them, all there are.
    OfAll = |one: Ref| with_data(success(), ArrayBuilder::new().items(one));
    /// A page of them.
    OfMany = |one: Ref| paged(with_data(success(), ArrayBuilder::new().items(one)));
}

/// That it is done.
pub(crate) struct Done;

impl PartialSchema for Done {
    fn schema() -> RefOr<Schema> {
        done().into()
    }
}

impl ToSchema for Done {}

/// This description, of which it is enough to know here that it is one.
pub(crate) struct OpenApi;

impl PartialSchema for OpenApi {
    fn schema() -> RefOr<Schema> {
        let version = constant(Type::String, "3.1.0".into());
        ObjectBuilder::new().property("openapi", version).required("openapi").into()
    }
}

impl ToSchema for OpenApi {}

fn success() -> ObjectBuilder {
    ObjectBuilder::new().property("success", Yes::schema()).required("success")
}

fn done() -> ObjectBuilder {
    success().property("status", constant(Type::String, "ok".into())).required("status")
}

fn with_data(envelope: ObjectBuilder, data: impl Into<RefOr<Schema>>) -> ObjectBuilder {
    envelope.property("data", data).required("data")
}

/// Without `additional_data`, the list ends here.
fn paged(envelope: ObjectBuilder) -> ObjectBuilder {
    envelope.property("additional_data", Ref::from_schema_name(Paging::name()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::answer::Answer;

    /// The answer has what is required, and nothing that is not described.
    fn check<T: PartialSchema>(answer: Value) {
        let schema = serde_json::to_value(T::schema()).expect("a schema");
        let Value::Object(answer) = answer else { panic!("no object: {answer}") };
        for field in schema["required"].as_array().expect("required fields") {
            assert!(answer.contains_key(field.as_str().expect("a name")), "{field} in {answer:?}");
        }
        for (field, value) in &answer {
            let described = &schema["properties"][field];
            assert!(!described.is_null(), "{field} is not described");
            if let Some(values) = described["enum"].as_array() {
                assert!(values.contains(value), "{field}: {value}");
            }
        }
    }

    #[test]
    fn envelopes_are_described_as_they_are_written() {
        let value = |answer: Answer<Value>| serde_json::to_value(answer).expect("JSON");
        check::<Done>(value(Answer::of_webhooks(None)));
        check::<OfWebhook<String>>(value(Answer::of_webhooks(Some("a".into()))));
        let next = || Some("2".to_owned());
        check::<OfWebhooks<String>>(value(Answer::of_webhooks(Some(vec!["a"].into())).continued_at(next())));
        check::<OfWebhooks<String>>(value(Answer::of_webhooks(Some(vec!["a"].into()))));
        check::<Of<String>>(value(Answer::of("a".into())));
        check::<OfMany<String>>(value(Answer::of(vec!["a"].into()).continued_at(next())));
        check::<OfMany<String>>(value(Answer::of(vec!["a"].into())));
        check::<OfAll<String>>(value(Answer::of(vec!["a"].into())));
    }
}
