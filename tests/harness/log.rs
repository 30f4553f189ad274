//! The log of the test run: what of it is a world's own, and what must not be in it.
//!
//! All worlds of a test run share one log, as its writer is the process's. A world finds its own lines in it by its name,
//! which is the stack's in metrics, and which a test can give to an event as its correlation id.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Mutex, Once,
        atomic::{AtomicU32, Ordering},
    },
};

use knockback::telemetry;
use serde_json::Value;

use crate::{
    World, specification,
    watch::{Findings, lock},
};

/// The path and the query of the receivers' URLs. No line of the log shows either.
pub(crate) const HOOK: &str = "/hook?key=of-the-receiver-alone";

/// What events carry here, unless a test says otherwise. No line of the log shows it.
pub const PAYLOAD: &str = "for the receiver alone";

/// What no line shows, beside secrets.
const NOWHERE: [&str; 3] = ["/hook", "of-the-receiver-alone", PAYLOAD];

/// What the log of the test run shows that it must not, with all secrets that are looked for in it.
static FINDINGS: Mutex<Findings> = Mutex::new(Findings::NONE);

/// The lines that hold the name of a world, by world.
static LINES: Mutex<BTreeMap<String, Vec<String>>> = Mutex::new(BTreeMap::new());

/// How many characters the name of a world has: none is the beginning of another.
const NAME_CHARS: usize = "world-000000".len();

/// The log, as one world reads it.
#[derive(Debug)]
pub(crate) struct Log {
    stack: String,
}

impl Log {
    /// Begins to read it, under a name that no other world has.
    pub(crate) fn start() -> Self {
        static ONCE: Once = Once::new();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // The lowest level: what no line shows is in none that an operator can ask for.
        ONCE.call_once(|| telemetry::start_to("trace", || Lines));
        let stack = format!("world-{:06}", COUNT.fetch_add(1, Ordering::Relaxed));
        lock(&LINES).insert(stack.clone(), Vec::new());
        Self { stack }
    }

    /// The name of the world, and of its deployment.
    pub(crate) fn stack(&self) -> &str {
        &self.stack
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        lock(&LINES).remove(&self.stack);
    }
}

/// Has a secret be looked for.
pub(crate) fn learn(secret: &str) {
    lock(&FINDINGS).learn(secret);
}

/// What was found that must not be there.
pub(crate) fn found() -> Vec<String> {
    lock(&FINDINGS).found.clone()
}

impl World {
    /// The name of this world, and of its deployment. Lines that hold it are [`World::lines`].
    pub fn name(&self) -> &str {
        self.watch.log.stack()
    }

    /// The lines of the log that hold the name of this world, in order.
    ///
    /// # Panics
    ///
    /// If one is not JSON.
    #[expect(clippy::expect_used, reason = "a line that is none has failed the test")]
    pub fn lines(&self) -> Vec<Value> {
        let lines = lock(&LINES).get(self.name()).cloned().unwrap_or_default();
        lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The sums of all metrics so far, and how often each time was measured.
    pub fn metrics(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for line in self.lines() {
            for (name, value) in line.as_object().into_iter().flatten().filter(|_| line["_aws"].is_object()) {
                let amount = value.as_u64().or_else(|| u64::try_from(value.as_array()?.len()).ok());
                if let Some(amount) = amount {
                    *sums.entry(name.clone()).or_default() += amount;
                }
            }
        }
        sums
    }

    /// What the clock shows, in milliseconds.
    pub fn clock_ms(&self) -> i64 {
        self.system.context.now().as_ms()
    }

    /// All times of one metric, in milliseconds, in order.
    pub fn measured(&self, name: &str) -> Vec<u64> {
        let lines = self.lines();
        let values = lines.iter().filter_map(|line| line[name].as_array()).flatten();
        values.filter_map(Value::as_u64).collect()
    }
}

/// Takes the lines of the log.
struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        take(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn take(text: &str) {
    let mut findings = lock(&FINDINGS);
    findings.look("the log", text);
    findings.found.extend(wrong(text));
    drop(findings);
    let Some(name) = text.find("world-").and_then(|start| text.get(start..start + NAME_CHARS)) else {
        return;
    };
    if let Some(lines) = lock(&LINES).get_mut(name) {
        lines.push(text.trim_end().to_owned());
    }
}

/// What is wrong with a line.
fn wrong(text: &str) -> Option<String> {
    if let Some(shown) = NOWHERE.iter().find(|kept| text.contains(**kept)) {
        return Some(format!("{shown} in the log: {text}"));
    }
    if text.matches("\"message\":").count() > 1 {
        return Some(format!("a field that hides the message: {text}"));
    }
    if !text.contains("\"_aws\"") {
        return None;
    }
    let line = text.strip_suffix('\n').ok_or_else(|| format!("no whole line: {text}"));
    line.and_then(specification::read).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_shows_what_it_must_not_is_found() {
        assert_eq!(wrong("{\"webhook\":7}\n"), None);
        for text in [PAYLOAD, "http://127.0.0.1:9/hook", "url?key=of-the-receiver-alone", HOOK] {
            assert!(wrong(&format!("{{\"error\":\"{text}\"}}\n")).is_some(), "{text}");
        }
        assert!(wrong("{\"message\":\"an event\",\"message\":\"7\"}\n").is_some(), "a name twice");
        assert!(wrong("{\"_aws\":{}}\n").is_some(), "metrics that are not as specified");
    }
}
