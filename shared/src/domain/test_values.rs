//! Values that many tests begin with.

use serde_json::value::RawValue;

use super::{
    Event, EventDefaults, EventId, Generation, Health, Installation, Member, Pattern, RemovalTarget, Scope,
    Sealed, Timestamp, Version, Webhook, WebhookId,
};

pub(crate) fn raw(json: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(json.to_owned()).ok()
}

/// The deal of facts/pipedrive.md, as the platform reports it.
pub(crate) const RECORDED_DEAL: &str = r#"{"id":"71825ee0-0054-4267-b5fd-d28b7a414212","company_id":"8087566",
    "object":"deal","action":"create","entity_id":"8","user_id":"12415231","occurred_at":"2022-11-24T13:18:56.089Z",
    "data":{"id":8,"title":"Sample deal","value":100,"custom_fields":{}},"permitted_user_ids":["26510409"],
    "change_source":"app","correlation_id":"4095519f-02cb-44bc-bd2f-551d5383f202","host":"pd-us.pipedrive.com"}"#;

pub(crate) fn recorded_deal() -> Event {
    let defaults = EventDefaults {
        accepted_at: Timestamp::from_ms(1_669_295_936_089),
        occurred_at: Timestamp::from_ms(1_669_295_936_089),
        host: "kb.example",
        id: EventId::from_random([0; 16]),
        correlation: [0; 16],
    };
    Event::parse(RECORDED_DEAL.as_bytes(), "", defaults).expect("an event")
}

/// An event that everybody may get, without entity.
pub(crate) fn event(object: &str, action: &str) -> Event {
    Event {
        object: object.parse().expect("an object"),
        action: action.parse().expect("an action"),
        data: None,
        previous: None,
        permitted_users: None,
        ..recorded_deal()
    }
}

pub(crate) fn member(company: &str, user: &str, app: Option<&str>, admin: bool) -> Member {
    Member {
        company: company.parse().expect("an id"),
        user: user.parse().expect("an id"),
        app: app.map(|app| app.parse().expect("an id")),
        admin,
        scopes: vec![Scope::Admin],
        contact: None,
        generation: Generation::default(),
    }
}

/// Webhook 7, asking for every change of a deal in version 2.0.
pub(crate) fn webhook(company: &str, owner: &str, app: Option<&str>) -> Webhook {
    let member = member(company, owner, app, false);
    Webhook {
        id: WebhookId::new(7),
        company: member.company,
        owner: member.user.clone(),
        user: member.user,
        app: member.app,
        generation: member.generation,
        pattern: Pattern { version: Version::V2, action: "change".to_owned(), object: "deal".to_owned() },
        url: "https://receiver.example/hook".to_owned(),
        name: None,
        http_auth_user: None,
        http_auth_password: None,
        signing_secret: Sealed("sealed".to_owned()),
        former_signing_secrets: Vec::new(),
        added_at: Timestamp::from_ms(0),
        removed_at: None,
        remove_reason: None,
        enabled: true,
        switched_off_at: None,
        changed_at: None,
        contact: None,
        health: Health::default(),
    }
}

/// The app that is removed from the marketplace.
pub(crate) fn removed_app() -> RemovalTarget {
    RemovalTarget::App("crm-sync".parse().expect("an id"))
}

/// The same, uninstalled by user 10 of company 1.
pub(crate) fn uninstalled_app() -> RemovalTarget {
    RemovalTarget::Installation(Installation {
        company: "1".parse().expect("an id"),
        app: "crm-sync".parse().expect("an id"),
        user: "10".parse().expect("an id"),
    })
}
