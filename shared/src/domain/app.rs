//! Apps: what is kept of them, how one is removed or uninstalled, and what stands no more from then on.
//!
//! A removal raises a number, and that is all it takes: what was given or created under a lower one stands no more,
//! wherever it is. That the items go is the work of a job ([`AppRemoval`]), which may take its time.

use serde::{Deserialize, Serialize};

use super::{
    AppId, CompanyId, EventId, FieldErrors, RemovalTarget, Sealed, Secret, Timestamp, UserId, fields::Fields,
};

/// The longest name and client secret, in characters.
const TEXT_CHARS_MAX: usize = 255;

/// How many repeats of removals on the bus are recognised.
const ENDED_BY_MAX: usize = 16;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_values::{removed_app, uninstalled_app};

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
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
        let once = Life::default().ended(&uninstalled_app(), Some(&id("a")), at(1)).expect("the end");
        assert_eq!((once.generation, once.removed_at), (1, None));
        assert_eq!(once.ended(&uninstalled_app(), Some(&id("a")), at(2)), None);
        let twice = once.ended(&uninstalled_app(), Some(&id("b")), at(2)).expect("the end");
        assert_eq!(twice.ended(&uninstalled_app(), Some(&id("a")), at(3)), None);
        assert_eq!(twice.ended(&uninstalled_app(), None, at(3)).expect("the end").generation, 3);
    }

    #[test]
    fn what_is_remembered_of_the_bus_is_bounded() {
        let mut life = Life::default();
        for number in 0..100 {
            let by = number.to_string().parse().expect("an id");
            life = life.ended(&uninstalled_app(), Some(&by), at(1)).expect("the end");
        }
        assert_eq!(life.ended_by.len(), ENDED_BY_MAX);
        assert_eq!(life.ended(&uninstalled_app(), life.ended_by.last(), at(1)), None);
    }

    #[test]
    fn an_app_that_is_removed_is_not_removed_again() {
        let removed = Life::default().ended(&removed_app(), None, at(1)).expect("the end");
        assert_eq!((removed.generation, removed.removed_at), (1, Some(at(1))));
        assert_eq!(removed.ended(&removed_app(), None, at(2)), None);
        let anew = Life { removed_at: None, ..removed };
        assert_eq!(anew.ended(&removed_app(), None, at(3)).expect("the end").generation, 2);
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
