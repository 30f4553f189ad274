//! What a caller asks for when they change a webhook: fields that are left out stay as they are.

use super::{
    AddressPolicy, FieldErrors, Objects, Pattern, Sealed, Secret, Target, Timestamp, Version, Webhook,
    fields::Fields,
    subscription::{TEXT_CHARS_MAX, credentials, target, word},
};

/// What becomes of something that a webhook can be without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit<T> {
    /// It stays as it is.
    Keep,
    /// It is taken away.
    Clear,
    /// It is this from now on.
    Set(T),
}

impl<T: Clone> Edit<T> {
    fn apply(&self, value: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *value = None,
            Self::Set(new) => *value = Some(new.clone()),
        }
    }
}

/// A checked request to change a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// Where to.
    pub target: Option<Target>,
    /// HTTP Basic password.
    pub http_auth_password: Edit<Secret>,
    action: Option<String>,
    object: Option<String>,
    name: Edit<String>,
    http_auth_user: Edit<String>,
    enabled: Option<bool>,
}

impl Amendment {
    /// Reads a request to change a webhook of this version. Unknown fields are ignored; `null` takes away what a webhook
    /// can be without.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, by field.
    pub fn parse(
        json: &[u8],
        version: Version,
        addresses: &AddressPolicy,
        objects: &Objects,
    ) -> Result<Self, FieldErrors> {
        let mut fields = Fields::parse(json, "")?;
        // Of an ePages webhook, the pattern is its event type.
        let fixed: &[&str] = match version {
            Version::V1 | Version::V2 => &["version", "user_id"],
            Version::Epages => &["version", "user_id", "event_action", "event_object"],
        };
        for name in fixed {
            if fields.raw(name).is_some() {
                fields.refuse(name, "cannot be changed: create another webhook");
            }
        }
        for name in ["subscription_url", "event_action", "event_object", "is_active"] {
            if fields.is_cleared(name) {
                fields.refuse(name, "must not be null");
            }
        }
        let words = |fields: &mut Fields<'_>| {
            let action = word(fields, "event_action", |word| Pattern::check_action(version, word).err());
            let object =
                word(fields, "event_object", |word| Pattern::check_object(version, objects, word).err());
            (action, object)
        };
        let (action, object) = if version == Version::Epages { (None, None) } else { words(&mut fields) };
        let target = target(&mut fields, addresses);
        let name = fields.text("name", TEXT_CHARS_MAX);
        let (user, password) = credentials(&mut fields);
        let enabled = fields.flag("is_active");
        let amendment = Self {
            target,
            action,
            object,
            name: clearable(&fields, "name", name),
            http_auth_user: clearable(&fields, "http_auth_user", user),
            http_auth_password: clearable(&fields, "http_auth_password", password),
            enabled,
        };
        fields.finish(|| Some(amendment))
    }

    /// A request that only switches a webhook on or off.
    pub fn switch(on: bool) -> Self {
        Self {
            target: None,
            http_auth_password: Edit::Keep,
            action: None,
            object: None,
            name: Edit::Keep,
            http_auth_user: Edit::Keep,
            enabled: Some(on),
        }
    }

    /// The webhook as it is to be from `now` on; `password` is the sealed one, where the amendment has one.
    pub fn apply(&self, webhook: &Webhook, password: Option<Sealed>, now: Timestamp) -> Webhook {
        let mut changed = Webhook { changed_at: Some(now), ..webhook.clone() };
        if let Some(target) = &self.target {
            changed.url.clone_from(&target.url);
        }
        if let Some(action) = &self.action {
            changed.pattern.action.clone_from(action);
        }
        if let Some(object) = &self.object {
            changed.pattern.object.clone_from(object);
        }
        self.name.apply(&mut changed.name);
        self.http_auth_user.apply(&mut changed.http_auth_user);
        if self.http_auth_password != Edit::Keep {
            changed.http_auth_password = password;
        }
        if let Some(on) = self.enabled {
            changed.switch(on, now);
        }
        let is_repaired = changed.url != webhook.url
            || changed.http_auth_user != webhook.http_auth_user
            || self.http_auth_password != Edit::Keep
            || changed.enabled && !webhook.enabled;
        if is_repaired {
            // What failed was the webhook as it was: it has its days anew.
            changed.health.failing_since = None;
        }
        changed
    }
}

/// A field that `null` takes away.
fn clearable<T>(fields: &Fields<'_>, name: &str, value: Option<T>) -> Edit<T> {
    match value {
        Some(value) => Edit::Set(value),
        None if fields.is_cleared(name) => Edit::Clear,
        None => Edit::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_values::webhook;

    const NOW: Timestamp = Timestamp::from_ms(5000);

    fn parse(json: &str) -> Result<Amendment, Vec<String>> {
        Amendment::parse(json.as_bytes(), Version::V2, &AddressPolicy::default(), &Objects::default())
            .map_err(|errors| errors.by_field().keys().cloned().collect())
    }

    #[test]
    fn what_is_left_out_stays_and_null_takes_away() {
        let mut webhook = webhook("1", "10", None);
        webhook.name = Some("mine".to_owned());
        webhook.http_auth_user = Some("ann".to_owned());
        webhook.http_auth_password = Some(Sealed("old".to_owned()));
        let same = Webhook { changed_at: Some(NOW), ..webhook.clone() };
        assert_eq!(parse("{}").expect("an amendment").apply(&webhook, None, NOW), same);

        let amendment =
            parse(r#"{"name":null,"http_auth_password":null,"event_object":"person","is_active":0}"#);
        let changed = amendment.expect("an amendment").apply(&webhook, None, NOW);
        assert_eq!((&changed.name, &changed.http_auth_password, changed.enabled), (&None, &None, false));
        assert_eq!(changed.switched_off_at, Some(NOW));
        assert_eq!((&*changed.pattern.action, &*changed.pattern.object), ("change", "person"));
        assert_eq!((&changed.http_auth_user, &changed.url), (&webhook.http_auth_user, &webhook.url));

        let amendment = parse(r#"{"http_auth_password":"new","subscription_url":"https://e.example/x"}"#);
        let amendment = amendment.expect("an amendment");
        assert_eq!(amendment.http_auth_password, Edit::Set(Secret("new".to_owned())));
        let changed = amendment.apply(&webhook, Some(Sealed("new, sealed".to_owned())), NOW);
        assert_eq!(changed.http_auth_password, Some(Sealed("new, sealed".to_owned())));
        assert_eq!(changed.url, "https://e.example/x");
    }

    #[test]
    fn a_webhook_that_is_repaired_has_its_days_before_it_is_stale_anew() {
        let mut failing = webhook("1", "10", None);
        failing.health.failing_since = Some(crate::domain::Timestamp::from_ms(1));
        failing.health.strikes = 9;
        for (json, since) in [
            (r#"{"name":"new","event_action":"create"}"#, failing.health.failing_since),
            (r#"{"subscription_url":"https://e.example/x"}"#, None),
            (r#"{"http_auth_user":"ann"}"#, None),
            (r#"{"http_auth_password":"new"}"#, None),
        ] {
            let changed = parse(json).expect("an amendment").apply(&failing, None, NOW);
            assert_eq!((changed.health.failing_since, changed.health.strikes), (since, 9), "{json}");
        }
        failing.enabled = false;
        assert_eq!(Amendment::switch(true).apply(&failing, None, NOW).health.failing_since, None);
        let on = parse(r#"{"is_active":true}"#).expect("an amendment").apply(&failing, None, NOW);
        assert_eq!(on.health.failing_since, None);
    }

    #[test]
    fn what_creation_refuses_is_refused_here_and_what_cannot_be_changed_too() {
        let json = r#"{"subscription_url":"nope","event_action":"added","event_object":"deals","name":7,
            "http_auth_user":"a:b","is_active":2,"version":"1.0","user_id":11}"#;
        let expected = [
            "event_action",
            "event_object",
            "http_auth_user",
            "is_active",
            "name",
            "subscription_url",
            "user_id",
            "version",
        ];
        assert_eq!(parse(json).expect_err("all wrong"), expected);
        let nulls = r#"{"subscription_url":null,"event_action":null,"event_object":null,"is_active":null}"#;
        assert_eq!(
            parse(nulls).expect_err("nothing of it can be taken away"),
            ["event_action", "event_object", "is_active", "subscription_url"]
        );
    }

    #[test]
    fn of_an_epages_webhook_the_pattern_cannot_be_changed() {
        let json = br#"{"event_action":"create","event_object":"order"}"#;
        let errors = Amendment::parse(json, Version::Epages, &AddressPolicy::default(), &Objects::default());
        let errors = errors.expect_err("its event type stays");
        let fields: Vec<_> =
            errors.by_field().iter().map(|(field, reasons)| (&**field, reasons.len())).collect();
        assert_eq!(fields, [("event_action", 1), ("event_object", 1)]);
    }
}
