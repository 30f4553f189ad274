//! What a caller asks for when they create a webhook (facts: Pipedrive, POST).

use super::{
    AddressPolicy, FieldErrors, Member, Objects, Pattern, Refused, Secret, URL_BYTES_MAX, UserId, Version,
    fields::Fields,
};

/// The longest name, user and password, in characters.
pub(super) const TEXT_CHARS_MAX: usize = 255;

/// The dialect's sentence for any URL that it does not take.
const BAD_URL: &str = "invalid or non-reachable URL";

/// A checked URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The URL, as sent.
    pub url: String,
    /// Its host, to look up.
    pub host: String,
}

/// A checked request for a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// What it asks for.
    pub pattern: Pattern,
    /// Where to.
    pub target: Target,
    /// What its owner calls it.
    pub name: Option<String>,
    /// Whose permissions decide.
    pub user: UserId,
    /// HTTP Basic user.
    pub http_auth_user: Option<String>,
    /// HTTP Basic password.
    pub http_auth_password: Option<Secret>,
    /// Whether it is switched on from the first.
    pub enabled: bool,
}

impl Subscription {
    /// Reads a request of `caller`. Unknown fields are ignored.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, by field.
    pub fn parse(
        json: &[u8],
        caller: &Member,
        addresses: &AddressPolicy,
        objects: &Objects,
    ) -> Result<Self, FieldErrors> {
        let mut fields = Fields::parse(json, "")?;
        for name in ["subscription_url", "event_action", "event_object"] {
            fields.require(name);
        }
        let version = version(&mut fields);
        let action = word(&mut fields, "event_action", |word| Pattern::check_action(version?, word).err());
        let object =
            word(&mut fields, "event_object", |word| Pattern::check_object(version?, objects, word).err());
        let target = target(&mut fields, addresses);
        let name = fields.text("name", TEXT_CHARS_MAX);
        let user = user(&mut fields, caller);
        let (http_auth_user, http_auth_password) = credentials(&mut fields);
        fields.finish(|| {
            Some(Self {
                pattern: Pattern { version: version?, action: action?, object: object? },
                target: target?,
                name,
                user: user?,
                http_auth_user,
                http_auth_password,
                enabled: true,
            })
        })
    }
}

impl Target {
    /// The complaint about a URL whose name leads to `reason`.
    pub fn unreachable(reason: &Refused) -> FieldErrors {
        let mut errors = FieldErrors::of("subscription_url", BAD_URL);
        errors.add("subscription_url", reason.to_string());
        errors
    }
}

/// Where to; `None` if that is left out or wrong.
pub(super) fn target(fields: &mut Fields<'_>, addresses: &AddressPolicy) -> Option<Target> {
    match checked(fields, "subscription_url", addresses)? {
        Ok(target) => Some(target),
        Err(reason) => {
            fields.refuse("subscription_url", BAD_URL);
            fields.refuse("subscription_url", reason.to_string());
            if reason == Refused::UserInfo {
                fields.refuse("subscription_url", "use http_auth_user and http_auth_password");
            }
            None
        }
    }
}

/// The URL in a field, or why a webhook must not have it; `None` if it is left out or no text.
pub(super) fn checked(
    fields: &mut Fields<'_>,
    name: &str,
    addresses: &AddressPolicy,
) -> Option<Result<Target, Refused>> {
    let url = fields.text(name, URL_BYTES_MAX)?;
    let host = addresses
        .check_url(&url)
        .and_then(|checked| checked.host_str().map(str::to_owned).ok_or(Refused::NotAUrl));
    Some(host.map(|host| Target { url, host }))
}

/// HTTP Basic user and password, as far as they are given.
pub(super) fn credentials(fields: &mut Fields<'_>) -> (Option<String>, Option<Secret>) {
    let user = fields.text("http_auth_user", TEXT_CHARS_MAX);
    if user.as_deref().is_some_and(|user| user.contains(':')) {
        fields.refuse("http_auth_user", "must not contain a colon");
    }
    (user, fields.text("http_auth_password", TEXT_CHARS_MAX).map(Secret))
}

/// The version, 2.0 unless said otherwise; `None` if it is none.
fn version(fields: &mut Fields<'_>) -> Option<Version> {
    if fields.raw("version").is_none() {
        return Some(Version::V2);
    }
    let version = Version::parse(&fields.text("version", TEXT_CHARS_MAX)?);
    if version.is_none() {
        fields.refuse("version", "must be \"1.0\" or \"2.0\"");
    }
    version
}

/// A word that there is no complaint about.
pub(super) fn word(
    fields: &mut Fields<'_>,
    name: &str,
    complaint: impl FnOnce(&str) -> Option<String>,
) -> Option<String> {
    let word = fields.text(name, TEXT_CHARS_MAX)?;
    match complaint(&word) {
        Some(reason) => {
            fields.refuse(name, reason);
            None
        }
        None => Some(word),
    }
}

fn user(fields: &mut Fields<'_>, caller: &Member) -> Option<UserId> {
    if fields.raw("user_id").is_none() {
        return Some(caller.user.clone());
    }
    let user: UserId = fields.id("user_id")?;
    if user.as_number().is_none() {
        fields.refuse("user_id", "must be an integer");
    } else if user != caller.user && !caller.admin {
        fields.refuse("user_id", "must be your own: only an admin may name another user");
    }
    Some(user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_values::member;

    fn parse(json: &str, admin: bool) -> Result<Subscription, Vec<String>> {
        Subscription::parse(
            json.as_bytes(),
            &member("1", "10", None, admin),
            &AddressPolicy::default(),
            &Objects::default(),
        )
        .map_err(|errors| errors.by_field().keys().cloned().collect())
    }

    fn with(more: &str) -> String {
        format!(
            r#"{{"subscription_url":"https://e.example/h","event_action":"change","event_object":"deal"{more}}}"#
        )
    }

    #[test]
    fn three_fields_are_enough() {
        let subscription = parse(&with(""), false).expect("a subscription");
        assert_eq!(subscription.pattern.version, Version::V2);
        assert_eq!(subscription.user.to_string(), "10");
        assert_eq!(subscription.target.host, "e.example");
        assert!(parse(&with(r#","unknown":{"a":1},"name":null"#), false).is_ok());
    }

    #[test]
    fn the_words_follow_the_version() {
        assert_eq!(parse(&with(r#","version":"1.0""#), false), Err(vec!["event_action".to_owned()]));
        let v1 = r#"{"subscription_url":"https://e.example","event_action":"added","event_object":"activityType"VERSION}"#;
        assert!(parse(&v1.replace("VERSION", r#","version":"1.0""#), false).is_ok());
        let both = vec!["event_action".to_owned(), "event_object".to_owned()];
        assert_eq!(parse(&v1.replace("VERSION", ""), false), Err(both));
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let json = r#"{"event_action":7,"event_object":"cat","subscription_url":"nope","name":[],"version":"3",
            "user_id":"x","http_auth_user":"a:b","http_auth_password":1}"#;
        let expected = [
            "event_action",
            "http_auth_password",
            "http_auth_user",
            "name",
            "subscription_url",
            "user_id",
            "version",
        ];
        assert_eq!(parse(json, false).expect_err("all wrong"), expected);
        let missing = ["event_action", "event_object", "subscription_url"];
        assert_eq!(parse("{}", false).expect_err("nothing there"), missing);
    }

    #[test]
    fn only_an_admin_names_another_user() {
        assert_eq!(parse(&with(r#","user_id":11"#), false), Err(vec!["user_id".to_owned()]));
        assert_eq!(parse(&with(r#","user_id":11"#), true).expect("a subscription").user.to_string(), "11");
        assert!(parse(&with(r#","user_id":10"#), false).is_ok());
    }
}
