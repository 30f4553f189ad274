//! Whether an attempt may start now.

use serde::{Deserialize, Serialize};

use super::{AttemptNumber, Dialect, Hold, Installed, Timestamp, Webhook};

/// Why a delivery ends without another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Its webhook is gone.
    Removed,
    /// Its webhook's owner wants no deliveries.
    Inactive,
    /// The event came while its webhook was banned.
    Banned,
    /// The event is not kept any more.
    Expired,
}

impl DropReason {
    /// The word for it in logs and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Inactive => "inactive",
            Self::Banned => "banned",
            Self::Expired => "expired",
        }
    }
}

/// What to do with a delivery whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Attempt it now.
    Deliver,
    /// Attempt it not before then.
    Wait(Timestamp),
    /// Attempt it when the hold of its app ends, whatever hold has begun by then.
    Hold(Timestamp),
    /// Do not attempt it again.
    Drop(DropReason),
}

/// An attempt whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Which.
    pub number: AttemptNumber,
    /// When Knockback took the event: the same for all copies of its messages.
    pub accepted_at: Timestamp,
    /// Whether its delivery has waited for a hold.
    pub held: bool,
}

/// The app of an application webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppState {
    /// As the webhook's user has it.
    pub installed: Installed,
    /// Its last hold in the webhook's company.
    pub hold: Option<Hold>,
}

/// Decides whether an attempt may start now; `app` is of an application webhook.
///
/// New events are dropped while a ban is on; an original that was accepted before it waits for its end; retries run
/// on their schedule, but wait for a hold (design: Where the sources are silent).
pub fn gate(webhook: Option<&Webhook>, app: Option<AppState>, turn: &Turn, now: Timestamp) -> Gate {
    let Some(webhook) = webhook.filter(|webhook| stands(webhook, app)) else {
        return Gate::Drop(DropReason::Removed);
    };
    if !webhook.enabled || webhook.has_ended(turn.accepted_at) {
        return Gate::Drop(DropReason::Inactive);
    }
    let hold = app.and_then(|app| app.hold).filter(|_| webhook.dialect() == Dialect::Epages);
    if let Some(hold) = hold.filter(|hold| !turn.held && hold.is_on(now)) {
        return Gate::Hold(hold.until);
    }
    if !turn.number.is_original() {
        return Gate::Deliver;
    }
    if webhook.health.was_banned_at(turn.accepted_at) {
        return Gate::Drop(DropReason::Banned);
    }
    match webhook.health.banned_until {
        Some(until) if webhook.health.is_banned(now) => Gate::Wait(until),
        _ => Gate::Deliver,
    }
}

/// Whether a webhook still gets what is for it. One that its app has left behind is as good as gone, but tells the app so.
fn stands(webhook: &Webhook, app: Option<AppState>) -> bool {
    let installed = app.map(|app| app.installed);
    if webhook.is_farewell() {
        return installed.is_some_and(|installed| installed.keeps_farewell(webhook.generation));
    }
    webhook.removed_at.is_none() && installed.is_none_or(|installed| installed.keeps(webhook.generation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Generation, Life, Pattern, RemoveReason, test_values::webhook};

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    fn number(number: u32) -> AttemptNumber {
        AttemptNumber::new(number).expect("from 1")
    }

    fn turn(n: u32, accepted: i64) -> Turn {
        Turn { number: number(n), accepted_at: at(accepted), held: false }
    }

    /// An app of these numbers.
    fn app(app: u64, installation: u64) -> AppState {
        let life = |generation| Life { generation, ..Life::default() };
        AppState { installed: Installed::new(&life(app), &life(installation)), hold: None }
    }

    #[test]
    fn a_ban_drops_what_came_during_it_and_delays_what_came_before() {
        let mut webhook = webhook("1", "10", None);
        (webhook.health.banned_from, webhook.health.banned_until) = (Some(at(100)), Some(at(200)));
        let gate = |n, accepted, now| gate(Some(&webhook), None, &turn(n, accepted), at(now));
        assert_eq!(gate(1, 99, 150), Gate::Wait(at(200)));
        assert_eq!(gate(1, 99, 200), Gate::Deliver);
        assert_eq!(gate(1, 100, 150), Gate::Drop(DropReason::Banned));
        assert_eq!(gate(1, 199, 201), Gate::Drop(DropReason::Banned));
        assert_eq!(gate(1, 200, 201), Gate::Deliver);
        assert_eq!(gate(2, 100, 150), Gate::Deliver);
    }

    #[test]
    fn a_webhook_that_is_gone_ends_its_deliveries() {
        let mut webhook = webhook("1", "10", None);
        assert_eq!(gate(None, None, &turn(2, 1), at(2)), Gate::Drop(DropReason::Removed));
        let removed = |webhook: &Webhook, app| gate(Some(webhook), app, &turn(2, 1), at(2));
        assert_eq!(
            removed(&webhook, Some(app(0, 1))),
            Gate::Drop(DropReason::Removed),
            "its app has left it"
        );
        webhook.removed_at = Some(at(1));
        assert_eq!(removed(&webhook, None), Gate::Drop(DropReason::Removed));
    }

    #[test]
    fn a_webhook_that_is_switched_off_ends_its_deliveries_retries_too() {
        let mut webhook = webhook("1", "10", None);
        webhook.enabled = false;
        for n in [1, 2] {
            assert_eq!(gate(Some(&webhook), None, &turn(n, 1), at(2)), Gate::Drop(DropReason::Inactive));
        }
    }

    #[test]
    fn what_was_pending_when_a_webhook_was_switched_off_stays_ended_when_it_is_switched_on() {
        let mut webhook = webhook("1", "10", None);
        webhook.switch(false, at(10));
        webhook.switch(true, at(20));
        for n in [1, 2] {
            let gate = |accepted| gate(Some(&webhook), None, &turn(n, accepted), at(30));
            assert_eq!(gate(9), Gate::Drop(DropReason::Inactive));
            assert_eq!(gate(10), Gate::Deliver);
        }
        webhook.switch(true, at(40));
        assert_eq!(webhook.switched_off_at, Some(at(10)), "switching on what is on ends nothing");
    }

    #[test]
    fn a_hold_delays_every_attempt_once() {
        let mut webhook = webhook("1", "10", Some("app"));
        webhook.pattern = Pattern::of_event_type("ORDER_CREATE").expect("an event type");
        let held = AppState { hold: Some(Hold { from: at(10), until: at(70) }), ..app(0, 0) };
        for n in [1, 2] {
            let gate = |held_before, now| {
                gate(Some(&webhook), Some(held), &Turn { held: held_before, ..turn(n, 5) }, at(now))
            };
            assert_eq!((gate(false, 69), gate(false, 70)), (Gate::Hold(at(70)), Gate::Deliver));
            assert_eq!(gate(true, 69), Gate::Deliver, "nobody starves behind a neighbour's dead URL");
        }
        webhook.pattern = super::super::test_values::webhook("1", "10", None).pattern;
        let gate = gate(Some(&webhook), Some(held), &turn(1, 5), at(69));
        assert_eq!(gate, Gate::Deliver, "the other dialect has no hold");
    }

    #[test]
    fn only_an_uninstall_is_told_to_what_it_removed() {
        let mut webhook = webhook("1", "10", Some("app"));
        webhook.pattern = Pattern::of_event_type("APP_UNINSTALL").expect("an event type");
        let gate_of = |webhook: &Webhook, app| gate(Some(webhook), app, &turn(1, 5), at(9));
        assert_eq!(gate_of(&webhook, Some(app(0, 1))), Gate::Deliver, "its job has not come to it yet");
        (webhook.removed_at, webhook.remove_reason) = (Some(at(6)), Some(RemoveReason::AppUninstalled));
        assert_eq!(gate_of(&webhook, Some(app(0, 1))), Gate::Deliver);
        assert_eq!(
            gate_of(&webhook, Some(app(1, 1))),
            Gate::Drop(DropReason::Removed),
            "the app was removed since"
        );
        webhook.generation = Generation { app: 0, installation: 3 };
        assert_eq!(gate_of(&webhook, Some(app(0, 4))), Gate::Deliver);
        for reason in [RemoveReason::Deleted, RemoveReason::Stale, RemoveReason::AppRemoved] {
            webhook.remove_reason = Some(reason);
            assert_eq!(gate_of(&webhook, Some(app(0, 4))), Gate::Drop(DropReason::Removed), "{reason:?}");
        }
        webhook.remove_reason = Some(RemoveReason::AppUninstalled);
        webhook.pattern = Pattern::of_event_type("ORDER_CREATE").expect("an event type");
        assert_eq!(gate_of(&webhook, Some(app(0, 4))), Gate::Drop(DropReason::Removed));
    }
}
