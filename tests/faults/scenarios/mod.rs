//! What is done while something goes wrong.

mod api;
mod deliveries;
mod removals;
mod shops;

use std::sync::LazyLock;

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::stage::Stage;

/// A scenario.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Whether two faults at once are tried.
    pub(crate) in_pairs: bool,
    /// What is there before.
    pub(crate) stage: fn() -> BoxFuture<'static, Stage>,
    /// What is done while it goes wrong.
    pub(crate) act: for<'a> fn(&'a Stage) -> BoxFuture<'a, ()>,
    /// What does not hold in the end, beside the rules.
    pub(crate) holds: for<'a> fn(&'a Stage) -> BoxFuture<'a, Vec<String>>,
}

/// All of them.
pub(crate) static ALL: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
    let parts = [deliveries::scenarios(), shops::scenarios(), api::scenarios(), removals::scenarios()];
    parts.into_iter().flatten().collect()
});

/// Says what does not hold, if it does not.
fn unless(holds: bool, otherwise: impl FnOnce() -> String) -> Vec<String> {
    if holds { Vec::new() } else { vec![otherwise()] }
}

/// How often the platform was told each kind of news.
fn told(stage: &Stage, kind: &str) -> usize {
    stage.world.announced().iter().filter(|announced| announced.kind == kind).count()
}

/// The webhook's health, as it is kept.
async fn health(stage: &Stage) -> Value {
    stage.world.health(&stage.webhook).await
}
