//! What an operator is told: a structured line for each thing that happens ([`ATTEMPT`] and others), and metrics
//! ([`Metrics`]), which are lines too.
//!
//! All of it is JSON on standard output, one document a line, as CloudWatch Logs takes it. No line holds a secret, what an
//! event carries, or more of a URL than its host.

mod metrics;
#[cfg(test)]
mod specification;
#[cfg(test)]
mod tests;

use std::{error::Error, io::Write as _};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::{self, MakeWriter},
    layer::{Context, Layer},
    prelude::*,
};

pub use self::metrics::{Count, METRICS, Metrics, Time};

/// The target of the lines about attempts: one for each that was made or dropped, one for each ban or deactivation that
/// they lead to.
pub const ATTEMPT: &str = "knockback::attempt";

/// The crates whose lines are Knockback's own.
const OWN: [&str; 6] = ["knockback", "api", "deliver", "fanout", "notify", "sweeper"];

/// An error with all its causes on one line, for a log that would show the error alone. Of a text that is not what it
/// should be, it does not say what it is: that may be what an event carries, or a secret.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(told).collect::<Vec<_>>().join(": ")
}

fn told(error: &(dyn Error + 'static)) -> String {
    if let Some(error) = error.downcast_ref::<serde_json::Error>() {
        let (line, column) = (error.line(), error.column());
        return format!("{:?} error in JSON at line {line} column {column}", error.classify());
    }
    let text = error.to_string();
    if error.is::<serde_dynamo::Error>() && !text.starts_with("missing field") {
        return "an attribute is not what it should be".to_owned();
    }
    text
}

/// Writes JSON lines to standard output, as CloudWatch takes them; `LOG_LEVEL` says which, `info` unless set.
pub fn start() {
    start_to(&std::env::var("LOG_LEVEL").unwrap_or_default(), std::io::stdout);
}

/// Writes the lines of the level of this name to wherever somebody wants them. Metrics are written whatever the level is.
pub fn start_to(named: &str, writer: impl for<'a> MakeWriter<'a> + Clone + Send + Sync + 'static) {
    let level = level(named);
    // Fails only where a test has started it before.
    let _ = lines(level.unwrap_or(LevelFilter::INFO), writer).try_init();
    if level.is_none() {
        tracing::warn!("LOG_LEVEL is none of off, error, warn, info, debug and trace: it is taken for info");
    }
}

/// The level of this name; that of no name is `info`.
fn level(name: &str) -> Option<LevelFilter> {
    if name.is_empty() { Some(LevelFilter::INFO) } else { name.parse().ok() }
}

/// What writes the lines of this level, and all metrics.
fn lines(
    level: LevelFilter,
    writer: impl for<'a> MakeWriter<'a> + Clone + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    // What libraries say below info may be requests as they are sent.
    let told = Targets::new()
        .with_default(level.min(LevelFilter::INFO))
        .with_targets(OWN.map(|target| (target, level)))
        .with_target(METRICS, LevelFilter::OFF);
    let lines = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    let metrics =
        Verbatim(writer.clone()).with_filter(Targets::new().with_target(METRICS, LevelFilter::INFO));
    tracing_subscriber::registry().with(lines.with_writer(writer).with_filter(told)).with(metrics)
}

/// Writes lines of metrics as they are: CloudWatch reads a metric from a whole document only.
struct Verbatim<W>(W);

impl<S: Subscriber, W: for<'a> MakeWriter<'a> + 'static> Layer<S> for Verbatim<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        line.0.push('\n');
        // In one piece, so that no other line comes into it. An output that is gone must not end the deliveries.
        let _ = self.0.make_writer().write_all(line.0.as_bytes());
    }
}

/// The line that an event of metrics is.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "line" {
            value.clone_into(&mut self.0);
        }
    }
}
