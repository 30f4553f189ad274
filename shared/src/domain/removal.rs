//! Clearing away what a removed or uninstalled app had: a job that goes page by page.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Action, AppId, Event, EventId, Generation, Installation, Life, RemoveReason, Timestamp, Webhook,
};

/// An index may show a write late. A pass over it that began this long after the removal sees all that the app had.
const INDEX_SETTLES_WITHIN: Duration = Duration::from_mins(5);

/// The time from one pass to the next.
const PASSES_EVERY: Duration = Duration::from_mins(1);

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
        let page = self.page.saturating_add(1);
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
    use crate::domain::{
        Pattern,
        test_values::{removed_app, uninstalled_app, webhook},
    };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    #[test]
    fn a_page_is_over_when_a_later_one_or_a_later_removal_has_come() {
        let life = |generation, page| Life { generation, page, ..Life::default() };
        let page = AppRemoval::begin(removed_app(), &life(2, 5), at(0));
        assert!(!page.is_over(&life(2, 5)));
        assert!(page.is_over(&life(2, 6)) && page.is_over(&life(3, 0)));
        assert!(!page.is_over(&life(2, 4)), "who sent it died before it could say so");
    }

    #[test]
    fn what_belongs_to_a_later_generation_stays() {
        let life = Life { generation: 2, ..Life::default() };
        let (of_app, of_user) = (
            AppRemoval::begin(removed_app(), &life, at(0)),
            AppRemoval::begin(uninstalled_app(), &life, at(0)),
        );
        assert!(of_app.takes(Generation { app: 1, installation: 7 }));
        assert!(!of_app.takes(Generation { app: 2, installation: 0 }));
        assert!(of_user.takes(Generation { app: 7, installation: 0 }));
        assert!(!of_user.takes(Generation { app: 0, installation: 2 }));
    }

    #[test]
    fn a_job_goes_on_until_a_pass_that_saw_all_found_nothing() {
        let first = AppRemoval::begin(removed_app(), &Life::default(), at(0));
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
        let uninstall = AppRemoval::begin(uninstalled_app(), &life, at(7));
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

        assert!(AppRemoval::begin(removed_app(), &life, at(7)).farewell(&asks, "").is_none());
        let other = Webhook { pattern: Pattern::of_event_type("ORDER_CREATE").expect("one"), ..asks.clone() };
        assert!(uninstall.farewell(&other, "").is_none());
        assert!(uninstall.farewell(&Webhook { enabled: false, ..asks.clone() }, "").is_none());
        asks.generation.installation = 2;
        assert!(uninstall.farewell(&asks, "").is_none(), "it was created after the app was installed again");
    }
}
