//! What an operator sets: environment variables on Lambda, flags in a local run.

use std::time::Duration;

use crate::{
    domain::{AddressPolicy, Budget, Network, Objects, Pages, Policies, is_email_address},
    queues::QueueUrls,
    token::is_sha256_hex,
};

/// The settings of a deployment.
#[derive(Debug, Clone)]
pub struct Config {
    /// The table of webhooks.
    pub webhooks_table: String,
    /// The table of events and attempts.
    pub deliveries_table: String,
    /// The queues between the functions.
    pub queues: QueueUrls,
    /// The name of the event bus.
    pub bus: String,
    /// SHA-256, in hex, of the tokens that are the platform's.
    pub platform_tokens: Vec<String>,
    /// The numbers of the dialects.
    pub policies: Policies,
    /// What webhooks can ask for.
    pub objects: Objects,
    /// What each token may ask for in a minute.
    pub budget: Budget,
    /// Which receivers may be reached.
    pub addresses: AddressPolicy,
    /// How long events and attempts are kept.
    pub retention: Duration,
    /// How much one message does.
    pub pages: Pages,
    /// The host that events are given where the platform leaves it out, if one is set.
    pub host: Option<String>,
    /// The address that mail to owners comes from; without, none is sent.
    pub mail_from: Option<String>,
    /// The secret in Secrets Manager that holds the keys, for the functions that seal and open.
    pub key_ring: Option<String>,
    /// The name of the deployment, by which its metrics are told from others; without, there are none.
    pub stack: Option<String>,
}

/// A setting that is missing or wrong.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not there.
    #[error("the environment variable {0} is missing")]
    Missing(&'static str),
    /// It is there, but wrong.
    #[error("the environment variable {name} is wrong: {reason}")]
    Wrong {
        /// Which.
        name: &'static str,
        /// Why.
        reason: String,
    },
}

const RETENTION_DAYS_DEFAULT: u64 = 7;
const RETENTION_DAYS_MIN: u64 = 3;

impl Config {
    /// Reads the settings by their names, which are those of template.yaml; `ALLOW_NETWORKS` is for tests and
    /// not there.
    ///
    /// # Errors
    ///
    /// The first that is missing or wrong.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let required =
            |name| variable(name).filter(|value| !value.is_empty()).ok_or(ConfigError::Missing(name));
        let optional = |name| variable(name).unwrap_or_default();
        let wrong = |name, reason: String| ConfigError::Wrong { name, reason };

        let platform_tokens = parse_hashes(&required("PLATFORM_TOKEN_SHA256")?)
            .ok_or_else(|| wrong("PLATFORM_TOKEN_SHA256", "must be SHA-256 in hex".to_owned()))?;
        let policies = Policies::default()
            .with(&optional("POLICY"))
            .map_err(|error| wrong("POLICY", error.to_string()))?;
        let objects = Objects::parse(&optional("OBJECTS")).map_err(|reason| wrong("OBJECTS", reason))?;
        let budget = match &*optional("BUDGET") {
            "" => Budget::default(),
            units => units.parse().map_err(|reason: &str| wrong("BUDGET", reason.to_owned()))?,
        };
        let days = match &*optional("RETENTION_DAYS") {
            "" => Some(RETENTION_DAYS_DEFAULT),
            days => days.parse().ok().filter(|days| (RETENTION_DAYS_MIN..=3650).contains(days)),
        };
        let days = days.ok_or_else(|| wrong("RETENTION_DAYS", "must be from 3 to 3650".to_owned()))?;
        let own_hosts: Vec<_> = optional("OWN_HOSTS").split_whitespace().map(str::to_owned).collect();
        if !own_hosts.iter().all(|host| AddressPolicy::is_host(host)) {
            return Err(wrong("OWN_HOSTS", "must be hosts such as api.example.com, and no URLs".to_owned()));
        }
        let allowed = Network::parse_all(&optional("ALLOW_NETWORKS"))
            .map_err(|error| wrong("ALLOW_NETWORKS", error.to_string()))?;
        let mail_from = variable("MAIL_FROM").filter(|from| !from.is_empty());
        if mail_from.as_deref().is_some_and(|from| !is_email_address(from)) {
            return Err(wrong("MAIL_FROM", "must be an e-mail address without a name".to_owned()));
        }
        Ok(Self {
            webhooks_table: required("WEBHOOKS_TABLE")?,
            deliveries_table: required("DELIVERIES_TABLE")?,
            queues: QueueUrls {
                events: required("EVENTS_QUEUE_URL")?,
                deliveries: required("DELIVERIES_QUEUE_URL")?,
                retries: required("RETRIES_QUEUE_URL")?,
            },
            bus: required("BUS_NAME")?,
            platform_tokens,
            policies,
            objects,
            budget,
            addresses: AddressPolicy { allowed, own_hosts },
            retention: Duration::from_hours(24 * days),
            pages: Pages::default(),
            host: variable("HOST").filter(|host| !host.is_empty()),
            mail_from,
            key_ring: variable("KEY_RING").filter(|secret| !secret.is_empty()),
            stack: variable("STACK").filter(|name| !name.is_empty()),
        })
    }
}

fn parse_hashes(text: &str) -> Option<Vec<String>> {
    text.split(',').map(|hash| is_sha256_hex(hash).then(|| hash.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(changes: &[(&str, &str)]) -> Result<Config, String> {
        let hash = "a".repeat(64);
        let read = Config::read(|name| {
            let value = changes.iter().find(|(of, _)| *of == name).map(|(_, value)| *value);
            Some(str::to_owned(value.unwrap_or(match name {
                "PLATFORM_TOKEN_SHA256" => &hash,
                "BUDGET" | "OBJECTS" | "POLICY" | "RETENTION_DAYS" | "ALLOW_NETWORKS" | "OWN_HOSTS"
                | "HOST" | "MAIL_FROM" | "STACK" => "",
                _ => "x",
            })))
        });
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn what_may_be_left_out_has_its_default() {
        let config = read(&[]).expect("a configuration");
        assert_eq!(config.retention, Duration::from_hours(168));
        assert_eq!(config.policies, Policies::default());
        assert_eq!(config.addresses.allowed, []);
        assert_eq!((config.mail_from, config.stack), (None, None));
    }

    #[test]
    fn a_wrong_setting_is_named_with_what_would_be_right() {
        let error = |name, value| read(&[(name, value)]).expect_err(value);
        assert_eq!(error("WEBHOOKS_TABLE", ""), "the environment variable WEBHOOKS_TABLE is missing");
        for (name, value) in [
            ("PLATFORM_TOKEN_SHA256", "abc"),
            ("POLICY", "pipedrive.ban=x"),
            ("OBJECTS", "order webhook"),
            ("BUDGET", "none"),
            ("RETENTION_DAYS", "2"),
            ("ALLOW_NETWORKS", "10.0.0.1/8"),
            ("OWN_HOSTS", "https://api.example.com"),
            ("MAIL_FROM", "Knockback <webhooks@example.com>"),
        ] {
            assert!(error(name, value).contains(name), "{name}");
        }
    }
}
