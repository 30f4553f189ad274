//! What must hold after any run, whatever went wrong: looked up in the tables, the queues and at the receiver.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
    time::Duration,
};

use knockback::domain::{Policies, Policy};
use serde_json::Value;

use crate::stage::Stage;

/// The most webhooks that a user may have.
const QUOTA: u64 = 40;

/// What does not hold.
pub(crate) async fn judge(stage: &Stage) -> Vec<String> {
    let items = stage.world.items().await;
    let mut broken = at_rest(stage, &items);
    // A success whose line could not be written is counted, and nothing is sent again for it (design.md: Data).
    let unlogged = stage.world.metrics().contains_key("OutcomeUnlogged");
    for webhook in Webhook::all(&items, &stage.policies) {
        broken.extend(webhook.has_heard(stage));
        broken.extend(webhook.strikes());
        broken.extend(webhook.chains(unlogged));
    }
    broken.extend(quotas(&items));
    broken
}

/// Nothing waits, nothing is left in a queue, and each event has reached its end.
fn at_rest(stage: &Stage, items: &[Value]) -> Vec<String> {
    let mut broken = Vec::new();
    for queue in [
        "EventsQueue",
        "DeliveriesQueue",
        "RetriesQueue",
        "NoticesQueue",
        "EventsDlq",
        "DeliveriesDlq",
        "NoticesDlq",
    ] {
        let depth = stage.world.depth(queue);
        if depth != 0 {
            broken.push(format!("{depth} messages are left in {queue}"));
        }
    }
    let unfinished =
        |item: &&Value| !item["wake_at"].is_null() || item["sk"] == "E" && item["state"] != "done";
    broken.extend(items.iter().filter(unfinished).map(|item| format!("rule 1: it is not over: {item}")));
    broken
}

/// A webhook's item, with the attempts that are kept of it.
struct Webhook<'a> {
    item: &'a Value,
    policy: &'a Policy,
    /// By delivery, in the order of their numbers.
    deliveries: BTreeMap<&'a str, Vec<&'a Value>>,
}

impl<'a> Webhook<'a> {
    fn all(items: &'a [Value], policies: &'a Policies) -> Vec<Self> {
        let webhooks = items.iter().filter(|item| item["webhook"].is_object());
        webhooks
            .map(|item| {
                let place = format!("{}#{}", text(&item["pk"]), text(&item["sk"]));
                let mut deliveries: BTreeMap<_, Vec<_>> = BTreeMap::new();
                for attempt in
                    items.iter().filter(|item| item["pk"] == place.as_str() && item["event"].is_string())
                {
                    let delivery = text(&attempt["sk"]).split('#').next().unwrap_or_default();
                    deliveries.entry(delivery).or_default().push(attempt);
                }
                let is_shops = text(&item["pk"]) == "C#DemoShop";
                let policy = if is_shops { &policies.epages } else { &policies.pipedrive };
                Self { item, policy, deliveries }
            })
            .collect()
    }

    fn is_there(&self) -> bool {
        self.item["webhook"]["removed_at"].is_null()
    }

    /// Rule 1: each accepted event was attempted, or its drop is recorded. Of a success whose line could not be written, the
    /// receiver knows.
    fn has_heard(&self, stage: &Stage) -> Vec<String> {
        if !self.is_there() {
            return Vec::new();
        }
        let kept: BTreeSet<_> =
            self.deliveries.values().flatten().map(|attempt| text(&attempt["event"])).collect();
        let arrived = stage.receiver.received();
        let accepted = stage.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_lost = |event: &&String| {
            !kept.contains(&***event)
                && !arrived.iter().any(|post| post.text().contains(&format!("\"{event}\"")))
        };
        let missing = accepted.iter().filter(is_lost);
        missing.map(|event| format!("rule 1: {} has not heard of {event}", self.item["sk"])).collect()
    }

    /// Rules 2 and 3: each failed original is one strike, and nothing else is; the last of so many begins a ban, which lasts its
    /// time.
    fn strikes(&self) -> Option<String> {
        let health = &self.item["webhook"]["health"];
        let failed = self.deliveries.values().filter_map(|attempts| attempts.first());
        let failed =
            failed.filter(|attempt| attempt["state"] == "failed" && text(&attempt["sk"]).ends_with("#01"));
        let mut ends: Vec<_> = failed.filter_map(|attempt| attempt["end"]["ended_at"].as_i64()).collect();
        ends.sort_unstable();
        let struck = health["strikes"].as_u64().unwrap_or_default();
        let rule = self.policy.ban?;
        let (most, ban) = (rule.strikes as usize, ms(rule.lasts));
        let from = health["banned_from"].as_i64();
        let until = health["banned_until"].as_i64();
        let right = match (from, until) {
            (None, None) => struck == ends.len() as u64 && ends.len() < most,
            (Some(from), Some(until)) => {
                // Those in the ban add nothing.
                let before = ends.iter().filter(|end| **end <= from).count();
                let after = ends.iter().filter(|end| **end >= until).count() as u64;
                until - from == ban && before >= most && (struck == most as u64 || struck == after)
            }
            _ => false,
        };
        (!right).then(|| format!("rules 2 and 3: originals failed at {ends:?}, and kept is {health}"))
    }

    /// Rule 4: each attempt has ended; each but the last failed, and the next was made no earlier than its time; and who
    /// fails at last has been tried as often as the policy says.
    fn chains(&self, unlogged: bool) -> Vec<String> {
        let mut broken = Vec::new();
        for (delivery, attempts) in &self.deliveries {
            let wrong = self.chain(attempts, unlogged);
            broken.extend(wrong.map(|wrong| format!("rule 4: {wrong}: {delivery}: {attempts:?}")));
        }
        broken
    }

    fn chain(&self, attempts: &[&Value], unlogged: bool) -> Option<&'static str> {
        let state = |attempt: &Value| text(&attempt["state"]).to_owned();
        let at = |attempt: &Value, name: &str| attempt["end"][name].as_i64();
        for (number, attempt) in (1..).zip(attempts) {
            if !text(&attempt["sk"]).ends_with(&format!("#{number:02}")) {
                return Some("an attempt is missing");
            }
        }
        for (pair, delay) in attempts.windows(2).zip(&self.policy.retries) {
            let [before, after] = pair else { continue };
            if state(before) != "failed" {
                return Some("something followed what had not failed");
            }
            if !["dropped", "started"].contains(&&*state(after))
                && at(after, "started_at") < at(before, "ended_at").map(|end| end + ms(*delay))
            {
                return Some("an attempt was early");
            }
        }
        let last = attempts.last()?;
        match &*state(last) {
            "succeeded" | "dropped" => None,
            "started" if unlogged => None,
            "failed" if attempts.len() == self.policy.retries.len() + 1 || !self.is_there() => None,
            "failed" => Some("it was given up too soon"),
            _ => Some("an attempt has no end"),
        }
    }
}

/// Rule 6: each count is what there is, and not above the quota.
fn quotas(items: &[Value]) -> Vec<String> {
    let mut broken = Vec::new();
    for item in items.iter().filter(|item| text(&item["sk"]).starts_with("Q#")) {
        let owner = text(&item["sk"]);
        let there = items.iter().filter(|webhook| {
            let it = &webhook["webhook"];
            let of = format!("Q#{}#{}", it["app"].as_str().unwrap_or_default(), text(&it["user"]));
            it.is_object() && it["removed_at"].is_null() && webhook["pk"] == item["pk"] && of == owner
        });
        let there = there.count() as u64;
        if item["count"] != there || there > QUOTA {
            broken.push(format!("rule 6: {there} webhooks are there, and counted are {}", item["count"]));
        }
    }
    broken
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
