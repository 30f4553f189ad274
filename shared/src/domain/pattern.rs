//! What a webhook asks for: an action and an object, in the words of its version (facts: Pipedrive, POST; ePages,
//! Resources).

use serde::{Deserialize, Serialize};

use super::{Action, Dialect, Event, Object};

/// The version of the payload, which also decides the words of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Version {
    /// 1.0: `added`, `updated`, `merged`, `deleted`.
    #[serde(rename = "1.0")]
    V1,
    /// 2.0: `create`, `change`, `delete`.
    #[serde(rename = "2.0")]
    V2,
    /// The only one that ePages has: `create`, `update`, `delete`, and `uninstall` of the app itself.
    #[serde(rename = "epages")]
    Epages,
}

/// The objects of version 2.0.
const OBJECTS_V2: &[&str] =
    &["activity", "deal", "lead", "note", "organization", "person", "pipeline", "product", "stage", "user"];

/// The objects of version 1.0.
const OBJECTS_V1: &[&str] = &[
    "activity",
    "activityType",
    "deal",
    "note",
    "organization",
    "person",
    "pipeline",
    "product",
    "stage",
    "user",
];

const ACTIONS_V2: &[(&str, &[Action])] = &[
    ("create", &[Action::Create]),
    ("change", &[Action::Change, Action::Merge]),
    ("delete", &[Action::Delete]),
    (ANY, &[Action::Create, Action::Change, Action::Merge, Action::Delete]),
];

const ACTIONS_V1: &[(&str, &[Action])] = &[
    ("added", &[Action::Create]),
    ("updated", &[Action::Change]),
    ("merged", &[Action::Merge]),
    ("deleted", &[Action::Delete]),
    (ANY, &[Action::Create, Action::Change, Action::Merge, Action::Delete]),
];

const OBJECTS_EPAGES: &[&str] = &["order", "product"];

const ACTIONS_EPAGES: &[(&str, &[Action])] = &[
    ("create", &[Action::Create]),
    ("update", &[Action::Change, Action::Merge]),
    ("delete", &[Action::Delete]),
];

/// What ePages calls the event that no platform reports: the app is told of its own end.
const APP_UNINSTALL: &str = "APP_UNINSTALL";

/// Every action, or every object of the version.
pub const ANY: &str = "*";

impl Version {
    /// How it is written in requests and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
            Self::Epages => "epages",
        }
    }

    /// Whose clients and receivers have it.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::V1 | Self::V2 => Dialect::Pipedrive,
            Self::Epages => Dialect::Epages,
        }
    }

    /// Reads `1.0` or `2.0`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::V1, Self::V2].into_iter().find(|version| version.as_str() == text)
    }

    /// The objects that everybody has.
    const fn objects(self) -> &'static [&'static str] {
        match self {
            Self::V1 => OBJECTS_V1,
            Self::V2 => OBJECTS_V2,
            Self::Epages => OBJECTS_EPAGES,
        }
    }

    const fn actions(self) -> &'static [(&'static str, &'static [Action])] {
        match self {
            Self::V1 => ACTIONS_V1,
            Self::V2 => ACTIONS_V2,
            Self::Epages => ACTIONS_EPAGES,
        }
    }

    /// The word of this version for an action.
    pub const fn action_word(self, action: Action) -> &'static str {
        match (self, action) {
            (Self::V1, Action::Create) => "added",
            (Self::V1, Action::Change) => "updated",
            (Self::V1, Action::Merge) => "merged",
            (Self::V1, Action::Delete) => "deleted",
            (Self::V2 | Self::Epages, Action::Create) => "create",
            (Self::V2, Action::Change | Action::Merge) => "change",
            (Self::Epages, Action::Change | Action::Merge) => "update",
            (Self::V2 | Self::Epages, Action::Delete) => "delete",
        }
    }
}

/// The object that owners are told of their own webhooks by: never an operator's, and no part of `*`.
const RESERVED: &str = "webhook";

/// The objects that webhooks can ask for: those of each version, and what an operator adds to all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Objects {
    added: Vec<Object>,
}

impl Objects {
    /// Reads what an operator adds: names with white space between them.
    ///
    /// # Errors
    ///
    /// The first that is no name of an object, with the reason.
    pub fn parse(names: &str) -> Result<Self, String> {
        let added = names.split_whitespace().map(|name| {
            let object: Object = name.parse().map_err(|reason| format!("{name:?} {reason}"))?;
            if name == RESERVED { Err(format!("{name:?} is Knockback's own")) } else { Ok(object) }
        });
        Ok(Self { added: added.collect::<Result<_, _>>()? })
    }

    /// The objects of a version, which `*` stands for.
    pub fn of(&self, version: Version) -> impl Iterator<Item = &str> {
        let known = version.objects();
        let added = self.added.iter().map(Object::as_str).filter(|added| !known.contains(added));
        known.iter().copied().chain(added)
    }
}

/// An action and an object, each possibly `*`, in the words of a version: kept as sent, for clients compare them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    /// Decides what the words mean.
    pub version: Version,
    /// Such as `change`.
    pub action: String,
    /// Such as `deal`.
    pub object: String,
}

impl Pattern {
    /// Why the action is none of the version's, if it is not.
    ///
    /// # Errors
    ///
    /// The words that there are.
    pub fn check_action(version: Version, word: &str) -> Result<(), String> {
        let words: Vec<&str> = version.actions().iter().map(|(word, _)| *word).collect();
        check_word(version, word, &words)
    }

    /// Why the object is none of the version's, if it is not.
    ///
    /// # Errors
    ///
    /// The words that there are.
    pub fn check_object(version: Version, objects: &Objects, word: &str) -> Result<(), String> {
        let words: Vec<&str> = objects.of(version).chain([ANY]).collect();
        check_word(version, word, &words)
    }

    /// Reads an event type of ePages', such as `ORDER_CREATE` or, in the words of its prose, `ORDERS_CREATE`.
    ///
    /// # Errors
    ///
    /// The event types that there are.
    pub fn of_event_type(text: &str) -> Result<Self, String> {
        let all = || {
            let ask = |object: &str, action: &str| Self {
                version: Version::Epages,
                action: action.to_owned(),
                object: object.to_owned(),
            };
            let of = move |object| ACTIONS_EPAGES.iter().map(move |(action, _)| ask(object, action));
            OBJECTS_EPAGES.iter().copied().flat_map(of).chain([ask("app", "uninstall")])
        };
        let named = |pattern: &Self| {
            let singular = pattern.event_type();
            text == singular || text == singular.replacen('_', "S_", 1) && singular != APP_UNINSTALL
        };
        all().find(named).ok_or_else(|| {
            let types: Vec<_> = all().map(|pattern| pattern.event_type()).collect();
            format!("must be one of {}", types.join(", "))
        })
    }

    /// The event type of ePages' that the pattern is, in the singular.
    pub fn event_type(&self) -> String {
        format!("{}_{}", self.object, self.action).to_uppercase()
    }

    /// Whether it asks for the end of its own app: no event of the platform's is that.
    pub fn is_for_uninstall(&self) -> bool {
        self.version == Version::Epages && self.event_type() == APP_UNINSTALL
    }

    /// Whether the pattern asks for the event.
    pub fn matches(&self, event: &Event, objects: &Objects) -> bool {
        let object = event.object.as_str();
        let has_object =
            self.object == object || self.object == ANY && objects.of(self.version).any(|of| of == object);
        has_object
            && self
                .version
                .actions()
                .iter()
                .any(|(word, actions)| *word == self.action && actions.contains(&event.action))
    }
}

fn check_word(version: Version, word: &str, words: &[&str]) -> Result<(), String> {
    if words.contains(&word) {
        return Ok(());
    }
    Err(format!("must be one of {} with version {}", words.join(", "), version.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_values::event;

    fn check(version: Version, action: &str, object: &str, matching: &[(&str, &str)]) {
        let pattern = Pattern { version, action: action.to_owned(), object: object.to_owned() };
        for object in ["deal", "lead", "activityType", "webhook", "order"] {
            for action in ["create", "change", "delete", "merge"] {
                let found = pattern.matches(&event(object, action), &Objects::default());
                assert_eq!(found, matching.contains(&(object, action)), "{pattern:?} {object} {action}");
            }
        }
    }

    #[test]
    fn a_pattern_matches_the_actions_its_version_calls_so() {
        check(Version::V2, "change", "deal", &[("deal", "change"), ("deal", "merge")]);
        check(Version::V1, "updated", "deal", &[("deal", "change")]);
        check(Version::V1, "merged", "deal", &[("deal", "merge")]);
        check(Version::V1, "deleted", "activityType", &[("activityType", "delete")]);
    }

    #[test]
    fn a_star_means_the_objects_of_the_version_and_never_webhook() {
        check(Version::V2, "create", "*", &[("deal", "create"), ("lead", "create")]);
        check(Version::V1, "added", "*", &[("deal", "create"), ("activityType", "create")]);
    }

    #[test]
    fn words_of_the_other_version_are_refused() {
        assert!(Pattern::check_action(Version::V2, "added").is_err());
        assert!(Pattern::check_action(Version::V1, "create").is_err());
        let check = |version, word| Pattern::check_object(version, &Objects::default(), word);
        assert!(check(Version::V1, "lead").is_err());
        assert!(check(Version::V2, "activityType").is_err());
        assert!(check(Version::V2, "*").is_ok());
    }

    #[test]
    fn an_event_type_is_read_in_both_spellings_and_kept_in_the_singular() {
        for (text, object, action) in [
            ("ORDER_CREATE", "order", "create"),
            ("ORDERS_CREATE", "order", "create"),
            ("ORDERS_UPDATE", "order", "update"),
            ("PRODUCT_DELETE", "product", "delete"),
            ("PRODUCTS_UPDATE", "product", "update"),
            ("APP_UNINSTALL", "app", "uninstall"),
        ] {
            let pattern = Pattern::of_event_type(text).expect(text);
            assert_eq!((&*pattern.object, &*pattern.action), (object, action));
            assert_eq!(pattern.event_type(), text.replace("S_", "_"));
            assert_eq!(pattern.is_for_uninstall(), text == "APP_UNINSTALL");
        }
        for text in
            ["", "order_create", "ORDERSS_CREATE", "APPS_UNINSTALL", "APP_CREATE", "ORDER_UNINSTALL", "*"]
        {
            let refusal = Pattern::of_event_type(text).expect_err(text);
            assert!(refusal.ends_with("PRODUCT_DELETE, APP_UNINSTALL"), "{refusal}");
        }
    }

    #[test]
    fn an_event_type_matches_what_the_platform_reports_and_no_report_is_an_uninstall() {
        let matches = |kind, object, action| {
            let pattern = Pattern::of_event_type(kind).expect(kind);
            pattern.matches(&event(object, action), &Objects::parse("app").expect("objects"))
        };
        assert!(matches("ORDER_CREATE", "order", "create") && matches("ORDER_UPDATE", "order", "change"));
        assert!(matches("PRODUCT_DELETE", "product", "delete") && matches("ORDER_UPDATE", "order", "merge"));
        assert!(!matches("ORDER_CREATE", "order", "change") && !matches("ORDER_CREATE", "product", "create"));
        for action in ["create", "change", "delete", "merge"] {
            assert!(!matches("APP_UNINSTALL", "app", action));
        }
    }

    #[test]
    fn an_operators_objects_can_be_asked_for_and_are_among_all() {
        let objects = Objects::parse("order  purchase-item\ndeal").expect("objects");
        for version in [Version::V1, Version::V2] {
            assert!(Pattern::check_object(version, &objects, "order").is_ok());
            let refusal = Pattern::check_object(version, &objects, "orders").expect_err("a plural");
            assert!(refusal.contains("user, order, purchase-item, *"), "{refusal}");
            let all = Pattern { version, action: ANY.to_owned(), object: ANY.to_owned() };
            assert!(all.matches(&event("order", "create"), &objects));
            assert!(!all.matches(&event("invoice", "create"), &objects));
        }
        assert_eq!(objects.of(Version::V2).filter(|object| *object == "deal").count(), 1);
        for wrong in ["webhook", "a#b", "*", "7"] {
            assert!(Objects::parse(wrong).expect_err(wrong).contains(wrong));
        }
    }
}
