//! What the platform reports.

use knockback::domain::Action;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, SchemaFormat,
        schema::Type,
    },
};

use super::values::{EntityId, Flag, Id, value, words};
use crate::events::EVENTS_MAX;

/// One event, or up to 100 of them, of which all are taken or none.
pub(crate) struct NewEvents;

impl PartialSchema for NewEvents {
    fn schema() -> RefOr<Schema> {
        let one = || Ref::from_schema_name(NewEvent::name());
        let many = ArrayBuilder::new().items(one()).min_items(Some(1)).max_items(Some(EVENTS_MAX));
        OneOfBuilder::new().item(one()).item(many).description(Some("One event, or an array of them.")).into()
    }
}

impl ToSchema for NewEvents {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((NewEvent::name().into(), NewEvent::schema()));
        NewEvent::schemas(schemas);
    }
}

/// Something that happened in a company, of at most 256 KiB. Unknown fields are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it exists for the description")]
pub(crate) struct NewEvent {
    /// Makes a repeat harmless. Made if left out.
    id: Option<Id>,
    company_id: Id,
    object: EventObject,
    action: EventAction,
    entity_id: EntityId,
    /// Who did it.
    user_id: Option<Id>,
    occurred_at: Option<OccurredAt>,
    /// The whole entity afterwards: passed on digit for digit.
    data: Option<Entity>,
    /// The whole entity before: passed on digit for digit.
    previous: Option<Entity>,
    /// Whose webhooks may get it: everyone's if left out, nobody's if empty.
    #[schema(max_items = 10_000)]
    permitted_user_ids: Option<Vec<Id>>,
    change_source: Option<Source>,
    is_bulk_edit: Option<Flag>,
    correlation_id: Option<super::values::Text>,
    /// The host that the company knows the platform by: the deployment's if left out.
    host: Option<super::values::Text>,
    /// For a merge: the entity that went into this one.
    merged_from_id: Option<EntityId>,
    /// For the delete that a merge causes: the entity that it went into.
    merged_to_id: Option<EntityId>,
}

value! {
    /// A kind of entity.
    EventObject = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(64))
        .pattern(Some("^[A-Za-z][A-Za-z0-9_-]*$"))
        .description(Some("A kind of entity: a letter, then at most 63 letters, digits, _ or -."))
        .examples([json!("deal")])
}

value! {
    /// What was done.
    EventAction = words([Action::Create, Action::Change, Action::Delete, Action::Merge].map(Action::as_str))
        .description(Some("What was done. A merge is a change, but to webhooks of version 1.0."))
}

value! {
    /// When it happened.
    OccurredAt = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .max_length(Some(64))
        .pattern(Some("^(19[7-9][0-9]|[2-9][0-9]{3})-"))
        .description(Some("When it happened, in the years 1970 to 9999: now if left out."))
        .examples([json!("2026-01-01T00:00:00.000Z"), json!("2026-01-01T01:00:00+01:00")])
}

value! {
    /// An entity as it is.
    Entity = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("An entity, nested at most 64 deep with all that it stands in."))
        .examples([json!({"id": 8, "value": 120})])
}

value! {
    /// What caused an event.
    Source = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(64))
        .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]*$"))
        .description(Some("What caused it: `api` if left out."))
        .examples([json!("app")])
}
