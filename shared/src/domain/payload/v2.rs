//! Version 2.0 (facts: Pipedrive, Version 2.0 body). Every id in `meta` is a string.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::changed::changed_fields;
use crate::domain::{Action, AttemptNumber, CompanyId, EntityId, Event, UserId, Version, Webhook};

#[derive(Serialize)]
struct Body<'a> {
    data: Option<&'a RawValue>,
    previous: Option<Cow<'a, RawValue>>,
    meta: Meta<'a>,
}

#[derive(Serialize)]
struct Meta<'a> {
    action: &'a str,
    company_id: &'a CompanyId,
    correlation_id: &'a str,
    entity_id: &'a EntityId,
    entity: &'a str,
    id: String,
    is_bulk_edit: bool,
    timestamp: String,
    #[serde(rename = "type")]
    kind: &'a str,
    user_id: Option<&'a UserId>,
    version: &'a str,
    webhook_id: String,
    webhook_owner_id: &'a UserId,
    change_source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    permitted_user_ids: Option<&'a [UserId]>,
    attempt: u32,
    host: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_from_id: Option<&'a EntityId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_to_id: Option<&'a EntityId>,
}

pub(super) fn render(
    event: &Event,
    webhook: &Webhook,
    number: AttemptNumber,
) -> Result<Vec<u8>, serde_json::Error> {
    let (data, previous) = (event.data.as_deref(), event.previous.as_deref());
    let (data, previous) = match (event.action, data, previous) {
        (Action::Create, ..) => (data, None),
        (Action::Delete, ..) => (None, previous.map(Cow::Borrowed)),
        (_, Some(data), Some(previous)) => (Some(data), Some(changed_fields(data, previous))),
        (_, data, previous) => (data, previous.map(Cow::Borrowed)),
    };
    let object = event.object.as_str();
    serde_json::to_vec(&Body {
        data,
        previous,
        meta: Meta {
            action: Version::V2.action_word(event.action),
            company_id: &event.company,
            correlation_id: &event.correlation_id,
            entity_id: &event.entity,
            entity: object,
            id: event.id.as_uuid(&event.company).to_string(),
            is_bulk_edit: event.is_bulk_edit,
            timestamp: event.occurred_at.to_string(),
            kind: webhook.kind(),
            user_id: event.user.as_ref(),
            version: Version::V2.as_str(),
            webhook_id: webhook.id.to_string(),
            webhook_owner_id: &webhook.owner,
            change_source: &event.change_source,
            permitted_user_ids: event.permitted_users.as_deref().filter(|_| object != "user"),
            attempt: number.as_number(),
            host: &event.host,
            merged_from_id: event.merged_from.as_ref(),
            merged_to_id: event.merged_to.as_ref(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_values::{event, recorded_deal, webhook};

    fn body(event: &Event) -> String {
        let bytes =
            render(event, &webhook("8087566", "12094821", None), AttemptNumber::ORIGINAL).expect("JSON");
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn the_recorded_deal_is_rendered_key_for_key() {
        let expected = concat!(
            r#"{"data":{"id":8,"title":"Sample deal","value":100,"custom_fields":{}},"#,
            r#""previous":null,"#,
            r#""meta":{"action":"create","company_id":"8087566","#,
            r#""correlation_id":"4095519f-02cb-44bc-bd2f-551d5383f202","#,
            r#""entity_id":"8","entity":"deal","id":"71825ee0-0054-4267-b5fd-d28b7a414212","#,
            r#""is_bulk_edit":false,"timestamp":"2022-11-24T13:18:56.089Z","type":"general","#,
            r#""user_id":"12415231","version":"2.0","webhook_id":"7","webhook_owner_id":"12094821","#,
            r#""change_source":"app","permitted_user_ids":["26510409"],"attempt":1,"#,
            r#""host":"pd-us.pipedrive.com"}}"#
        );
        assert_eq!(body(&recorded_deal()), expected);
    }

    #[test]
    fn a_delete_has_no_data_and_a_create_has_nothing_before() {
        let both = |action| {
            let mut event = event("deal", action);
            event.data = RawValue::from_string("{\"id\":1}".to_owned()).ok();
            event.previous = RawValue::from_string("{\"id\":2}".to_owned()).ok();
            body(&event)
        };
        assert!(both("delete").starts_with(r#"{"data":null,"previous":{"id":2},"#));
        assert!(both("create").starts_with(r#"{"data":{"id":1},"previous":null,"#));
    }

    #[test]
    fn permitted_users_are_absent_for_users_and_where_everyone_may() {
        let mut user = event("user", "change");
        user.permitted_users = Some(vec!["1".parse().expect("an id")]);
        assert!(!body(&user).contains("permitted_user_ids"));
        assert!(!body(&event("deal", "change")).contains("permitted_user_ids"));
    }

    #[test]
    fn a_merge_is_a_change_from_and_a_delete_to() {
        let mut target = event("deal", "merge");
        target.merged_from = Some("9".parse().expect("an id"));
        let mut source = event("deal", "delete");
        source.merged_to = Some("8".parse().expect("an id"));
        assert!(
            body(&target).contains(r#""action":"change""#)
                && body(&target).contains(r#""merged_from_id":"9""#)
        );
        assert!(
            body(&source).contains(r#""action":"delete""#) && body(&source).contains(r#""merged_to_id":"8""#)
        );
    }
}
