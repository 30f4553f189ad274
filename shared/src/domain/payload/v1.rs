//! Version 1.0 (facts: Pipedrive, Version 1.0 body). Ids are numbers where they are numeric; `webhook_id` is a string.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::{Action, AttemptNumber, Event, UserId, Version, Webhook};

#[derive(Serialize)]
struct Body<'a> {
    v: u8,
    matches_filters: Filters,
    meta: Meta<'a>,
    current: Option<&'a RawValue>,
    previous: Option<&'a RawValue>,
    event: String,
    retry: u32,
}

#[derive(Serialize, Default)]
struct Filters {
    current: [u8; 0],
}

#[derive(Serialize)]
struct Meta<'a> {
    action: &'a str,
    change_source: &'a str,
    company_id: Id<'a>,
    host: &'a str,
    id: Id<'a>,
    is_bulk_update: bool,
    matches_filters: Filters,
    object: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    permitted_user_ids: Option<Vec<Id<'a>>>,
    pipedrive_service_name: bool,
    timestamp: i64,
    timestamp_micro: i64,
    prepublish_timestamp: i64,
    trans_pending: bool,
    user_id: Option<Id<'a>>,
    v: u8,
    webhook_id: String,
}

/// A number where the text is one.
struct Id<'a>(&'a str);

impl Serialize for Id<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.parse::<u64>() {
            Ok(number) if number.to_string() == self.0 => serializer.serialize_u64(number),
            _ => serializer.serialize_str(self.0),
        }
    }
}

pub(super) fn render(
    event: &Event,
    webhook: &Webhook,
    number: AttemptNumber,
) -> Result<Vec<u8>, serde_json::Error> {
    let (action, object) = (Version::V1.action_word(event.action), event.object.as_str());
    serde_json::to_vec(&Body {
        v: 1,
        matches_filters: Filters::default(),
        meta: Meta {
            action,
            change_source: &event.change_source,
            company_id: Id(event.company.as_str()),
            host: &event.host,
            id: Id(event.entity.as_str()),
            is_bulk_update: event.is_bulk_edit,
            matches_filters: Filters::default(),
            object,
            permitted_user_ids: event.permitted_users.as_deref().map(user_ids),
            pipedrive_service_name: false,
            timestamp: event.occurred_at.as_secs(),
            timestamp_micro: event.occurred_at.as_ms().saturating_mul(1000),
            prepublish_timestamp: event.accepted_at.as_ms(),
            trans_pending: false,
            user_id: event.user.as_ref().map(|user| Id(user.as_str())),
            v: 1,
            webhook_id: webhook.id.to_string(),
        },
        current: event.data.as_deref().filter(|_| event.action != Action::Delete),
        previous: event.previous.as_deref().filter(|_| event.action != Action::Create),
        event: format!("{action}.{object}"),
        retry: number.as_number() - 1,
    })
}

fn user_ids(users: &[UserId]) -> Vec<Id<'_>> {
    users.iter().map(|user| Id(user.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_values::{event, raw, webhook};

    #[test]
    fn an_update_has_the_recorded_keys_in_the_recorded_order() {
        let mut event = event("deal", "change");
        (event.data, event.previous) = (raw(r#"{"id":1,"title":"b"}"#), raw(r#"{"id":1,"title":"a"}"#));
        (event.user, event.permitted_users) =
            ("14542087".parse().ok(), "14542087".parse().ok().map(|id| vec![id]));
        let number = AttemptNumber::ORIGINAL.next();
        let body = render(&event, &webhook("11149162", "10", None), number).expect("JSON");
        let expected = concat!(
            r#"{"v":1,"matches_filters":{"current":[]},"meta":{"action":"updated","change_source":"app","#,
            r#""company_id":8087566,"host":"pd-us.pipedrive.com","id":8,"is_bulk_update":false,"#,
            r#""matches_filters":{"current":[]},"object":"deal","permitted_user_ids":[14542087],"#,
            r#""pipedrive_service_name":false,"timestamp":1669295936,"timestamp_micro":1669295936089000,"#,
            r#""prepublish_timestamp":1669295936089,"trans_pending":false,"user_id":14542087,"v":1,"#,
            r#""webhook_id":"7"},"current":{"id":1,"title":"b"},"previous":{"id":1,"title":"a"},"#,
            r#""event":"updated.deal","retry":1}"#
        );
        assert_eq!(String::from_utf8(body).expect("UTF-8"), expected);
    }

    #[test]
    fn what_was_added_has_nothing_before_and_what_was_deleted_nothing_now() {
        let body = |action| {
            let mut event = event("deal", action);
            (event.data, event.previous) = (raw("{}"), raw("{}"));
            let bytes = render(&event, &webhook("1", "10", None), AttemptNumber::ORIGINAL).expect("JSON");
            String::from_utf8(bytes).expect("UTF-8")
        };
        assert!(body("create").contains(r#""current":{},"previous":null,"event":"added.deal""#));
        assert!(body("delete").contains(r#""current":null,"previous":{},"event":"deleted.deal""#));
        assert!(body("merge").contains(r#""event":"merged.deal""#));
    }
}
