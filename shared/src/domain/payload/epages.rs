//! ePages' callback (facts: ePages, Callback). `id` and `createdOn` are of the notification: the same on every attempt.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::{DeliveryId, Event, Webhook};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    id: String,
    base_url: &'a str,
    entity_url: &'a str,
    created_on: String,
    event_type: String,
    entity: Entity<'a>,
}

/// The entity as the REST API shows it, or empty.
struct Entity<'a>(Option<&'a RawValue>);

impl Serialize for Entity<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(entity) => entity.serialize(serializer),
            None => serializer.collect_map(std::iter::empty::<(&str, ())>()),
        }
    }
}

pub(super) fn render(event: &Event, webhook: &Webhook) -> Result<Vec<u8>, serde_json::Error> {
    let base_url = format!("https://{}/rs/shops/{}", event.host, event.company);
    // The app's own end is of no entity but the shop.
    let entity_url = if webhook.pattern.is_for_uninstall() {
        base_url.clone()
    } else {
        format!("{base_url}/{}s/{}", event.object.as_str(), escaped(event.entity.as_str()))
    };
    let delivery = DeliveryId::derive(event.accepted_at, &event.company, &event.id, webhook.id);
    serde_json::to_vec(&Body {
        id: format!("{:X}", delivery.as_uuid().hyphenated()),
        base_url: &base_url,
        entity_url: &entity_url,
        created_on: event.accepted_at.to_seconds_string(),
        event_type: webhook.pattern.event_type(),
        entity: Entity(event.data.as_deref()),
    })
}

/// A text as one segment of a URL's path.
fn escaped(text: &str) -> String {
    let mut url = url::Url::parse("https://x.invalid").ok();
    if let Some(mut segments) = url.as_mut().and_then(|url| url.path_segments_mut().ok()) {
        segments.push(text);
    }
    url.map(|url| url.path().trim_start_matches('/').to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Pattern, WebhookId,
        test_values::{event, raw, webhook},
    };

    fn body(kind: &str, event: &Event) -> String {
        let mut webhook = webhook("DemoShop", "-", Some("mailer"));
        webhook.id = WebhookId::from_random([7; 16]);
        webhook.pattern = Pattern::of_event_type(kind).expect("an event type");
        String::from_utf8(render(event, &webhook).expect("JSON")).expect("UTF-8")
    }

    fn order(action: &str) -> Event {
        let mut event = event("order", action);
        (event.company, event.host) = ("DemoShop".parse().expect("an id"), "shop.example".to_owned());
        event.entity = "58B6F171-3417-072A-0304-AC1532194AAB".parse().expect("an id");
        event
    }

    #[test]
    fn a_callback_has_the_published_keys_in_the_published_order() {
        let text = body("ORDER_UPDATE", &order("change"));
        let (id, rest) = text.split_once(r#"","baseUrl""#).expect("an id first");
        let expected = concat!(
            r#":"https://shop.example/rs/shops/DemoShop","#,
            r#""entityUrl":"https://shop.example/rs/shops/DemoShop/orders/58B6F171-3417-072A-0304-AC1532194AAB","#,
            r#""createdOn":"2022-11-24T13:18:56Z","eventType":"ORDER_UPDATE","entity":{}}"#
        );
        assert_eq!(rest, expected);
        let id = id.strip_prefix(r#"{"id":""#).expect("an id");
        assert!(id.parse::<WebhookId>().is_ok() && id == id.to_uppercase(), "{id}");
        assert_eq!(body("ORDER_UPDATE", &order("change")), text, "the same on every attempt");
    }

    #[test]
    fn the_entity_is_passed_on_digit_for_digit_and_its_id_is_one_segment_of_the_url() {
        let mut event = order("create");
        (event.data, event.entity) = (raw(r#"{"total":1.10}"#), "a/../b?c#d e".parse().expect("an id"));
        let text = body("ORDER_CREATE", &event);
        assert!(text.ends_with(r#""eventType":"ORDER_CREATE","entity":{"total":1.10}}"#), "{text}");
        assert!(text.contains(r#"/orders/a%2F..%2Fb%3Fc%23d%20e","#), "{text}");
    }

    #[test]
    fn of_an_uninstall_the_entity_is_the_shop() {
        let text = body("APP_UNINSTALL", &order("delete"));
        assert!(text.contains(r#""entityUrl":"https://shop.example/rs/shops/DemoShop","#), "{text}");
    }
}
