//! Apps: what is kept of them, how one is removed or uninstalled, and what stands no more from then on.
//!
//! A removal raises a number, and that is all it takes: what was given or created under a lower one stands no more,
//! wherever it is. That the items go is the work of a job ([`AppRemoval`]), which may take its time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Action, AppId, CompanyId, EventId, FieldErrors, RemoveReason, Sealed, Secret, Timestamp, UserId, Webhook,
    event::Event, fields::Fields,
};

/// The longest name and client secret, in characters.
const TEXT_CHARS_MAX: usize = 255;

/// How many repeats of removals on the bus are recognised.
const ENDED_BY_MAX: usize = 16;

/// An index may show a write late. A pass over it that began this long after the removal sees all that the app had.
const INDEX_SETTLES_WITHIN: Duration = Duration::from_mins(5);

/// The time from one pass to the next.
const PASSES_EVERY: Duration = Duration::from_mins(1);

/// Which life of an app, and of its installation by one user, something belongs to. It stands as long as both numbers
/// are still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Generation {
    /// Counts how often the app was removed.
    pub app: u64,
    /// Counts how often this user has uninstalled it.
    pub installation: u64,
}

impl Generation {
    /// Whether it is the first, or that of something without an app: it is left out of items then.
    pub fn is_first(&self) -> bool {
        *self == Self::default()
    }
}

/// An app as one user of a company has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// The company.
    pub company: CompanyId,
    /// The app.
    pub app: AppId,
    /// The user, whose token it has.
    pub user: UserId,
}

/// What the platform says of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// What it is called.
    pub name: String,
    /// Where its developer is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The secret that it shares with the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Sealed>,
}

impl Registration {
    /// Reads what the platform says of an app, the secret still in clear.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, by field.
    pub fn parse(json: &[u8]) -> Result<(Self, Option<Secret>), FieldErrors> {
        let mut fields = Fields::parse(json, "")?;
        fields.require("name");
        let contact = fields.email("contact");
        let [name, secret] = ["name", "client_secret"].map(|name| {
            let text = fields.text(name, TEXT_CHARS_MAX);
            if text.as_deref() == Some("") {
                fields.refuse(name, "must not be empty");
            }
            text
        });
        fields.finish(|| Some((Self { name: name?, contact, client_secret: None }, secret.map(Secret))))
    }

    /// The registration that replaces `former`: a secret that is left out stays, for nobody can read it to repeat it.
    #[must_use]
    pub fn instead_of(self, former: Option<&Self>) -> Self {
        let kept = || former.and_then(|former| former.client_secret.clone());
        Self { client_secret: self.client_secret.or_else(kept), ..self }
    }
}

/// How the life of an app, or of an installation, goes. The default is one that was never ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Life {
    /// Counts how often it was ended.
    pub generation: u64,
    /// How far the job is that clears away after the last end.
    pub page: u64,
    /// Since when the app is removed, until it is registered anew. An installation is never: whoever uninstalled an app
    /// may install it again at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Timestamp>,
    /// The last removals on the bus that ended it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended_by: Vec<EventId>,
}

impl Life {
    /// The life after a removal, or an uninstall, that `by` reports; `None` if that has been done already: it is a
    /// repeat, and must not end what has begun since, or the app is removed and nothing can have begun.
    #[must_use]
    pub fn ended(&self, target: &RemovalTarget, by: Option<&EventId>, now: Timestamp) -> Option<Self> {
        if self.removed_at.is_some() || by.is_some_and(|by| self.ended_by.contains(by)) {
            return None;
        }
        let mut ended_by = self.ended_by.clone();
        ended_by.extend(by.cloned());
        ended_by.drain(..ended_by.len().saturating_sub(ENDED_BY_MAX));
        let removed_at = matches!(target, RemovalTarget::App(_)).then_some(now);
        Some(Self { generation: self.generation + 1, page: 0, removed_at, ended_by })
    }
}

/// An app as one user of a company has it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Installed {
    /// Whether the app is removed from the marketplace.
    pub removed: bool,
    /// What is given or created now belongs to this.
    pub generation: Generation,
}

impl Installed {
    /// What the lives of an app and of an installation come to.
    pub fn new(app: &Life, installation: &Life) -> Self {
        let generation = Generation { app: app.generation, installation: installation.generation };
        Self { removed: app.removed_at.is_some(), generation }
    }

    /// Whether what belongs to `generation` still stands.
    pub fn keeps(&self, generation: Generation) -> bool {
        !self.removed && self.generation == generation
    }

    /// Whether the app is still to be told of the end of an installation that was of `generation`.
    pub fn keeps_farewell(&self, generation: Generation) -> bool {
        !self.removed && self.generation.app == generation.app
    }
}

/// What is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovalTarget {
    /// An app, from the marketplace: all that it has.
    App(AppId),
    /// An app, by one user of a company.
    Installation(Installation),
}

impl RemovalTarget {
    /// The app.
    pub fn app(&self) -> &AppId {
        match self {
            Self::App(app) => app,
            Self::Installation(installation) => &installation.app,
        }
    }

    /// Why the webhooks go.
    pub fn reason(&self) -> RemoveReason {
        match self {
            Self::App(_) => RemoveReason::AppRemoved,
            Self::Installation(_) => RemoveReason::AppUninstalled,
        }
    }
}

/// A page of the job that clears away what a removed or uninstalled app had.
///
/// The job goes through the index of what an app has, in passes of many pages, until a pass finds nothing that it could
/// have missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRemoval {
    /// What is removed.
    pub target: RemovalTarget,
    /// What belongs to an earlier generation goes.
    pub generation: u64,
    /// When it was removed.
    pub removed_at: Timestamp,
    /// Counts the pages of all passes.
    pub page: u64,
    /// When this pass began; the first page of a pass says when it is its turn.
    pub began_at: Timestamp,
    /// Whether this pass has found anything so far.
    pub found: bool,
    /// The host that it was reported to, if the platform reported it by HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Where this page begins, as the store knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl AppRemoval {
    /// The job for what the life of `target` has left behind. A job that is on its way may be begun again: it goes on with
    /// whichever comes first.
    pub fn begin(target: RemovalTarget, life: &Life, now: Timestamp) -> Self {
        Self {
            target,
            generation: life.generation,
            removed_at: now,
            page: life.page,
            began_at: now,
            found: false,
            host: None,
            cursor: None,
        }
    }

    /// Whether this page is done, or a later removal has taken its job over.
    pub fn is_over(&self, life: &Life) -> bool {
        (life.generation, life.page) > (self.generation, self.page)
    }

    /// Whether what belongs to `generation` goes.
    pub fn takes(&self, generation: Generation) -> bool {
        let number = match self.target {
            RemovalTarget::App(_) => generation.app,
            RemovalTarget::Installation(_) => generation.installation,
        };
        number < self.generation
    }

    /// What a webhook that goes still tells its app, if it asks for that: that it was uninstalled (facts: ePages,
    /// Delivery policy). It is the same event whenever the job comes to the webhook, so that a repeat is none.
    pub fn farewell(&self, webhook: &Webhook, host: &str) -> Option<Event> {
        let RemovalTarget::Installation(Installation { company, app, user }) = &self.target else {
            return None;
        };
        if !webhook.enabled || !webhook.pattern.is_for_uninstall() || !self.takes(webhook.generation) {
            return None;
        }
        let life = webhook.generation.installation.to_string();
        let id = EventId::from_ids(&["uninstall", company.as_str(), app.as_str(), user.as_str(), &life]);
        Some(Event {
            correlation_id: id.to_string(),
            id,
            company: company.clone(),
            object: webhook.pattern.object.parse().ok()?,
            action: Action::Delete,
            entity: app.as_str().parse().ok()?,
            user: None,
            occurred_at: self.removed_at,
            accepted_at: self.removed_at,
            data: None,
            previous: None,
            permitted_users: None,
            change_source: "api".to_owned(),
            is_bulk_edit: false,
            host: self.host.as_deref().unwrap_or(host).to_owned(),
            merged_from: None,
            merged_to: None,
        })
    }

    /// The page after this one, which was taken up at `now`, and how long to wait for it; `None` if the job is over.
    /// `found`: whether this page held anything that goes. `cursor`: where this pass goes on.
    pub fn next(&self, found: bool, cursor: Option<String>, now: Timestamp) -> Option<(Self, Duration)> {
        let began_at = if self.cursor.is_none() { now } else { self.began_at };
        let found = self.found || found;
        let page = self.page + 1;
        if cursor.is_some() {
            return Some((Self { page, began_at, found, cursor, ..self.clone() }, Duration::ZERO));
        }
        let saw_all = began_at.since(self.removed_at) >= INDEX_SETTLES_WITHIN;
        let again = Self { page, began_at, found: false, cursor, ..self.clone() };
        (found || !saw_all).then_some((again, PASSES_EVERY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Pattern, test_values::webhook};

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    fn app() -> RemovalTarget {
        RemovalTarget::App("crm-sync".parse().expect("an id"))
    }

    fn installation() -> RemovalTarget {
        RemovalTarget::Installation(Installation {
            company: "1".parse().expect("an id"),
            app: "crm-sync".parse().expect("an id"),
            user: "10".parse().expect("an id"),
        })
    }

    #[test]
    fn only_what_belongs_to_both_numbers_stands_and_nothing_of_a_removed_app() {
        let life = |generation| Life { generation, ..Life::default() };
        let installed = Installed::new(&life(1), &life(2));
        assert!(installed.keeps(Generation { app: 1, installation: 2 }));
        for (app, installation) in [(0, 2), (1, 1), (0, 0), (2, 2), (1, 3)] {
            assert!(!installed.keeps(Generation { app, installation }));
        }
        assert!(Installed::default().keeps(Generation::default()), "an app needs no registration");
        assert!(!Installed { removed: true, ..installed }.keeps(installed.generation));
    }

    #[test]
    fn the_same_message_ends_a_life_once_and_another_one_again() {
        let id = |text: &str| text.parse::<EventId>().expect("an id");
        let once = Life::default().ended(&installation(), Some(&id("a")), at(1)).expect("the end");
        assert_eq!((once.generation, once.removed_at), (1, None));
        assert_eq!(once.ended(&installation(), Some(&id("a")), at(2)), None);
        let twice = once.ended(&installation(), Some(&id("b")), at(2)).expect("the end");
        assert_eq!(twice.ended(&installation(), Some(&id("a")), at(3)), None);
        assert_eq!(twice.ended(&installation(), None, at(3)).expect("the end").generation, 3);
    }

    #[test]
    fn what_is_remembered_of_the_bus_is_bounded() {
        let mut life = Life::default();
        for number in 0..100 {
            let by = number.to_string().parse().expect("an id");
            life = life.ended(&installation(), Some(&by), at(1)).expect("the end");
        }
        assert_eq!(life.ended_by.len(), ENDED_BY_MAX);
        assert_eq!(life.ended(&installation(), life.ended_by.last(), at(1)), None);
    }

    #[test]
    fn an_app_that_is_removed_is_not_removed_again() {
        let removed = Life::default().ended(&app(), None, at(1)).expect("the end");
        assert_eq!((removed.generation, removed.removed_at), (1, Some(at(1))));
        assert_eq!(removed.ended(&app(), None, at(2)), None);
        let anew = Life { removed_at: None, ..removed };
        assert_eq!(anew.ended(&app(), None, at(3)).expect("the end").generation, 2);
    }

    #[test]
    fn a_page_is_over_when_a_later_one_or_a_later_removal_has_come() {
        let life = |generation, page| Life { generation, page, ..Life::default() };
        let page = AppRemoval::begin(app(), &life(2, 5), at(0));
        assert!(!page.is_over(&life(2, 5)));
        assert!(page.is_over(&life(2, 6)) && page.is_over(&life(3, 0)));
        assert!(!page.is_over(&life(2, 4)), "who sent it died before it could say so");
    }

    #[test]
    fn what_belongs_to_a_later_generation_stays() {
        let life = Life { generation: 2, ..Life::default() };
        let (of_app, of_user) =
            (AppRemoval::begin(app(), &life, at(0)), AppRemoval::begin(installation(), &life, at(0)));
        assert!(of_app.takes(Generation { app: 1, installation: 7 }));
        assert!(!of_app.takes(Generation { app: 2, installation: 0 }));
        assert!(of_user.takes(Generation { app: 7, installation: 0 }));
        assert!(!of_user.takes(Generation { app: 0, installation: 2 }));
    }

    #[test]
    fn a_job_goes_on_until_a_pass_that_saw_all_found_nothing() {
        let first = AppRemoval::begin(app(), &Life::default(), at(0));
        let (second, wait) = first.next(true, Some("more".to_owned()), at(1)).expect("more pages");
        assert_eq!((second.page, second.found, wait), (1, true, Duration::ZERO));
        let (pass, wait) = second.next(false, None, at(400)).expect("another pass: this one found something");
        assert_eq!((pass.page, pass.found, wait), (2, false, Duration::from_mins(1)));
        assert!(pass.next(false, None, at(299)).is_some(), "the index may still be behind");
        assert!(pass.next(true, None, at(300)).is_some());
        assert_eq!(pass.next(false, None, at(300)), None);
        let quiet = AppRemoval { found: false, ..second };
        assert!(quiet.next(false, None, at(400)).is_some(), "the pass began when its first page did");
    }

    #[test]
    fn a_webhook_that_asks_for_it_tells_its_app_of_the_uninstall_and_of_no_other_end() {
        let life = Life { generation: 2, ..Life::default() };
        let mut asks = webhook("1", "10", Some("crm-sync"));
        asks.pattern = Pattern::of_event_type("APP_UNINSTALL").expect("an event type");
        asks.generation.installation = 1;
        let uninstall = AppRemoval::begin(installation(), &life, at(7));
        let event = uninstall.farewell(&asks, "shop.example").expect("an event");
        assert_eq!(
            (event.object.as_str(), event.entity.as_str(), event.accepted_at),
            ("app", "crm-sync", at(7))
        );
        assert_eq!(event.host, "shop.example");
        let later = AppRemoval {
            removed_at: at(9),
            host: Some("own.example".to_owned()),
            page: 3,
            ..uninstall.clone()
        };
        let repeat = later.farewell(&asks, "shop.example").expect("an event");
        assert_eq!((repeat.id, &*repeat.host), (event.id, "own.example"));

        assert!(AppRemoval::begin(app(), &life, at(7)).farewell(&asks, "").is_none());
        let other = Webhook { pattern: Pattern::of_event_type("ORDER_CREATE").expect("one"), ..asks.clone() };
        assert!(uninstall.farewell(&other, "").is_none());
        assert!(uninstall.farewell(&Webhook { enabled: false, ..asks.clone() }, "").is_none());
        asks.generation.installation = 2;
        assert!(uninstall.farewell(&asks, "").is_none(), "it was created after the app was installed again");
    }

    #[test]
    fn a_registration_has_a_name_and_keeps_the_secret_that_is_left_out() {
        let (new, secret) =
            Registration::parse(br#"{"name":"CRM Sync","client_secret":"s"}"#).expect("a registration");
        assert_eq!(secret, Some(Secret("s".to_owned())));
        let former = Registration { client_secret: Some(Sealed("old".to_owned())), ..new.clone() };
        assert_eq!(new.clone().instead_of(Some(&former)), former);
        assert_eq!(new.clone().instead_of(None), new);
        for json in ["{}", r#"{"name":""}"#, r#"{"name":"a","contact":7}"#, r#"{"name":null}"#] {
            assert!(Registration::parse(json.as_bytes()).is_err(), "{json}");
        }
        assert!(Registration::parse(format!(r#"{{"name":"{}"}}"#, "a".repeat(256)).as_bytes()).is_err());
    }
}
