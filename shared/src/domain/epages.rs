//! What ePages' clients send (facts: ePages, Resources).

use url::form_urlencoded;

use super::{
    AddressPolicy, FieldErrors, Member, Pattern, Subscription,
    fields::Fields,
    subscription::{TEXT_CHARS_MAX, checked},
};

/// The field of a URL.
pub const CALLBACK_URL: &str = "callbackUrl";

/// The field of a switch.
const ACTIVE: &str = "active";

/// Reads a request of `caller` for a webhook. It is for the whole shop, and active unless said otherwise. Unknown fields
/// are ignored.
///
/// # Errors
///
/// All that is wrong with it, by field.
pub fn read_subscription(
    json: &[u8],
    caller: &Member,
    addresses: &AddressPolicy,
) -> Result<Subscription, FieldErrors> {
    let mut fields = Fields::parse(json, "")?;
    for name in [CALLBACK_URL, "eventType"] {
        fields.require(name);
    }
    let target = checked(&mut fields, CALLBACK_URL, addresses).and_then(|checked| match checked {
        Ok(target) => Some(target),
        Err(reason) => {
            fields.refuse(CALLBACK_URL, reason.to_string());
            None
        }
    });
    let pattern = fields.text("eventType", TEXT_CHARS_MAX).and_then(|text| {
        Pattern::of_event_type(&text).map_err(|reason| fields.refuse("eventType", reason)).ok()
    });
    let enabled = active(&mut fields).unwrap_or(true);
    fields.finish(|| {
        Some(Subscription {
            pattern: pattern?,
            target: target?,
            name: None,
            user: caller.user.clone(),
            http_auth_user: None,
            http_auth_password: None,
            enabled,
        })
    })
}

/// Reads whether a webhook is to be active: a JSON object, or a form as the official client sends it. The body shows which:
/// the content type says little, since curl calls everything a form.
///
/// # Errors
///
/// What is wrong with the field.
pub fn read_active(body: &[u8]) -> Result<bool, FieldErrors> {
    let body = body.trim_ascii();
    if body.starts_with(b"{") {
        let mut fields = Fields::parse(body, "")?;
        fields.require(ACTIVE);
        let active = active(&mut fields);
        return fields.finish(|| active);
    }
    // Of a repeated name the last counts, as in JSON.
    let active = form_urlencoded::parse(body).filter(|(name, _)| name == ACTIVE).last();
    match active.as_ref().map(|(_, value)| &**value) {
        Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(FieldErrors::of(ACTIVE, "must be true or false")),
        None => Err(FieldErrors::of(ACTIVE, "is required")),
    }
}

/// A switch; the official client writes it as a text.
fn active(fields: &mut Fields<'_>) -> Option<bool> {
    match fields.raw(ACTIVE)?.get() {
        r#""true""# => Some(true),
        r#""false""# => Some(false),
        _ => fields.flag(ACTIVE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{UserId, test_values::member};

    fn read(json: &str) -> Result<Subscription, Vec<String>> {
        let app = member("DemoShop", "-", Some("mailer"), false);
        let read = read_subscription(json.as_bytes(), &app, &AddressPolicy::default());
        read.map_err(|errors| {
            let said = errors.by_field().iter();
            said.map(|(field, reasons)| format!("{field} {}", reasons.join(", "))).collect()
        })
    }

    #[test]
    fn a_webhook_is_the_shops_and_active_unless_said_otherwise() {
        let json = r#"{"callbackUrl":"https://app.example/callback","eventType":"ORDERS_CREATE"ACTIVE}"#;
        for (active, enabled) in [
            ("", true),
            (r#","active":null"#, true),
            (r#","active":true"#, true),
            (r#","active":false"#, false),
            (r#","active":"false""#, false),
            (r#","unknown":{"a":1}"#, true),
        ] {
            let subscription = read(&json.replace("ACTIVE", active)).expect(active);
            assert_eq!(subscription.enabled, enabled, "{active}");
            assert_eq!(subscription.pattern.event_type(), "ORDER_CREATE");
            assert_eq!(
                (&*subscription.target.host, subscription.user),
                ("app.example", UserId::of_company())
            );
        }
    }

    #[test]
    fn every_wrong_field_is_named_with_its_reason() {
        let json = r#"{"callbackUrl":"http://app.example/","eventType":"ORDER","active":"yes"}"#;
        let types = concat!(
            "eventType must be one of ORDER_CREATE, ORDER_UPDATE, ORDER_DELETE, PRODUCT_CREATE, PRODUCT_UPDATE, ",
            "PRODUCT_DELETE, APP_UNINSTALL"
        );
        assert_eq!(
            read(json).expect_err("all wrong"),
            ["active must be true or false", "callbackUrl must begin with https://", types]
        );
        assert_eq!(read("{}").expect_err("nothing"), ["callbackUrl is required", "eventType is required"]);
        assert_eq!(read("[]").expect_err("no object"), ["body must be a JSON object"]);
        let user = r#"{"callbackUrl":"https://ann:pw@app.example/","eventType":"ORDER_CREATE"}"#;
        assert_eq!(read(user).expect_err("a user"), ["callbackUrl must not contain a user or password"]);
    }

    #[test]
    fn a_switch_is_read_from_json_and_from_a_form() {
        for (body, active) in [
            ("active=true", true),
            ("active=false", false),
            ("a=b&active=false\n", false),
            ("active=true&active=false", false),
            ("%61ctive=tru%65", true),
            (r#" {"active":true}"#, true),
            (r#"{"active":0,"x":[]}"#, false),
            (r#"{"active":"true"}"#, true),
        ] {
            assert_eq!(read_active(body.as_bytes()), Ok(active), "{body}");
        }
        for body in ["", "active", "active=", "active=yes", "inactive=true", "[]", "true", "{}", "\u{0}"] {
            let errors = read_active(body.as_bytes()).expect_err(body);
            assert!(errors.by_field().contains_key("active"), "{body}");
        }
        for body in [r#"{"active":null}"#, r#"{"active":"on"}"#, r#"{"active":{}}"#] {
            assert!(
                read_active(body.as_bytes()).expect_err(body).by_field().contains_key("active"),
                "{body}"
            );
        }
        assert!(read_active(b"{\"active\":true").expect_err("cut off").by_field().contains_key("body"));
        assert!(read_active(b"\xff\xfe=\0").is_err());
    }
}
