//! Secrets in clear, wherever they must not be (design: Safety). Every world watches for them: in each call that its
//! functions make to AWS, in its tables at its end, and in the log of the whole test run.
//!
//! What a secret is, the API tells: what it asks for and answers with under the names of secrets. Beside those, all that
//! looks like one.

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use local::aws::AwsBox;
use serde_json::{Value, json};

use crate::{
    epages::CLIENT_SECRET,
    log::{self, Log},
};

/// What secrets are called where they are sent and answered, beside [`TELLING`].
const NAMES: &[&str] = &["signing_secret", "signingSecret"];

/// The same, of those that are the test's own words: there are few, and nothing shows that they are secrets.
const TELLING: &[&str] = &["http_auth_password", "client_secret"];

/// The shortest secret that is looked for: a shorter one could be there by chance.
const SECRET_CHARS_MIN: usize = 12;

/// The most signing secrets that a world looks for, so that one with thousands takes no longer. In clear they would begin with
/// what is looked for everywhere.
const SIGNING_SECRETS_MAX: usize = 16;

/// What all signing secrets begin with, and all tokens; and the secrets that are the same in all tests.
const EVERYWHERE: &[&str] = &["whsec_", "kb_", crate::world::PLATFORM_TOKEN, CLIENT_SECRET];

/// The secrets that are known, and where they were seen.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    secrets: BTreeSet<String>,
    pub(crate) found: Vec<String>,
}

impl Findings {
    /// None yet.
    pub(crate) const NONE: Self = Self { secrets: BTreeSet::new(), found: Vec::new() };

    pub(crate) fn learn(&mut self, secret: &str) {
        let secret = secret.trim_start_matches("whsec_");
        if secret.len() >= SECRET_CHARS_MIN {
            self.secrets.insert(secret.to_owned());
        }
    }

    pub(crate) fn look(&mut self, place: &str, text: &str) {
        let known = self.secrets.iter().map(String::as_str).chain(EVERYWHERE.iter().copied());
        for secret in known.filter(|secret| text.contains(secret)) {
            self.found.push(format!("{secret} in {place}: {text}"));
        }
    }
}

pub(crate) fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches one world. The test fails when it is dropped, if a secret was seen.
#[derive(Debug)]
pub(crate) struct Watch {
    findings: Arc<Mutex<Findings>>,
    aws: Arc<AwsBox>,
    pub(crate) log: Log,
}

impl Watch {
    /// Watches a box from now on, beside the log of the test run.
    pub(crate) fn start(aws: &Arc<AwsBox>, log: Log) -> Self {
        let findings = Arc::new(Mutex::new(Findings::default()));
        let watch = Self { findings: Arc::clone(&findings), aws: Arc::clone(aws), log };
        aws.watch(move |target, body| {
            if !target.starts_with("secretsmanager") {
                lock(&findings).look(target, &String::from_utf8_lossy(body));
            }
        });
        let ring = aws.secrets.call("GetSecretValue", br#"{"SecretId":"KeyRing"}"#);
        let ring: Value = serde_json::from_slice(&ring.body).unwrap_or_default();
        let ring: Value =
            serde_json::from_str(ring["SecretString"].as_str().unwrap_or_default()).unwrap_or_default();
        for key in ring.as_object().into_iter().flatten().filter_map(|(_, key)| key.as_str()) {
            watch.learn(key);
        }
        watch
    }

    /// Learns the secrets that a request or an answer of the API holds.
    pub(crate) fn read(&self, body: &[u8]) {
        if let Ok(body) = serde_json::from_slice(body) {
            self.read_value(&body);
        }
    }

    fn read_value(&self, value: &Value) {
        for (name, value) in value.as_object().into_iter().flatten() {
            match value.as_str() {
                Some(secret) if TELLING.contains(&name.as_str()) => self.learn(secret),
                Some(secret) if NAMES.contains(&name.as_str()) => self.learn_signing_secret(secret),
                _ => self.read_value(value),
            }
        }
        let text = |name: &str| value[name].as_str();
        if let Some((user, password)) = text("http_auth_user").zip(text("http_auth_password")) {
            // As it stands in a header.
            self.learn(&BASE64_STANDARD.encode(format!("{user}:{password}")));
        }
    }

    fn learn(&self, secret: &str) {
        lock(&self.findings).learn(secret);
        log::learn(secret);
    }

    fn learn_signing_secret(&self, secret: &str) {
        let mut findings = lock(&self.findings);
        if findings.secrets.len() < SIGNING_SECRETS_MAX {
            findings.learn(secret);
        }
    }

    /// Adds what functions have needed to the file that `KNOCKBACK_CALLS` names, for whoever holds their roles against it.
    #[expect(clippy::expect_used, reason = "a run that is not noted has failed")]
    fn note_needs(&self) {
        let Ok(file) = std::env::var("KNOCKBACK_CALLS") else { return };
        let needed = self.aws.roles.needed().into_iter();
        let lines: Vec<_> = needed
            .map(|(function, needed)| format!("{function} {} {}\n", needed.action, needed.resource))
            .collect();
        let file = OpenOptions::new().create(true).append(true).open(file);
        file.and_then(|mut file| file.write_all(lines.concat().as_bytes())).expect("noted");
    }

    fn look_into_tables(&self) {
        for table in ["WebhooksTable", "DeliveriesTable"] {
            let mut scan = json!({ "TableName": table });
            loop {
                let answer = self.aws.tables.call("Scan", scan.to_string().as_bytes());
                let text = String::from_utf8_lossy(&answer.body);
                // A table that a test has deleted is an error, which says nothing.
                lock(&self.findings).look(table, &text);
                let page: Value = serde_json::from_str(&text).unwrap_or_default();
                match page.get("LastEvaluatedKey") {
                    Some(last) => scan["ExclusiveStartKey"] = last.clone(),
                    None => break,
                }
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.look_into_tables();
        self.note_needs();
        let mut found = std::mem::take(&mut lock(&self.findings).found);
        found.extend(log::found());
        assert!(found.is_empty(), "secrets in clear: {found:#?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_wherever_it_stands() {
        let mut findings = Findings::default();
        findings.learn("whsec_c2VjcmV0IGluIGNsZWFy");
        findings.learn("short");
        findings.look("a message", "all is well, in short");
        assert!(findings.found.is_empty());
        for text in
            ["x c2VjcmV0IGluIGNsZWFy x", "whsec_", "kb_12", CLIENT_SECRET, crate::world::PLATFORM_TOKEN]
        {
            findings.look("a message", text);
        }
        assert_eq!(findings.found.len(), 5);
    }
}
