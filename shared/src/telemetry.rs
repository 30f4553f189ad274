//! One structured line for each thing that an operator wants to know.

use tracing_subscriber::{EnvFilter, fmt, fmt::MakeWriter, prelude::*};

/// The target of the lines about attempts: one for each that was made or dropped, one for each ban that they earn.
pub const ATTEMPT: &str = "knockback::attempt";

/// An error with all its causes on one line, for a log that would show the error alone.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Writes JSON lines to standard output, as CloudWatch takes them; `LOG_LEVEL` says which, `info` unless set.
pub fn start() {
    start_to(std::io::stdout);
}

/// Writes the same lines to wherever somebody else wants them.
pub fn start_to(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let filter = EnvFilter::try_from_env("LOG_LEVEL").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    let lines = lines.with_writer(writer);
    // Fails only where a test has started it before.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}
