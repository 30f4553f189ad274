//! The numbers of a dialect (facts: Pipedrive, Delivery policy). An operator may change each of them.

use std::time::Duration;

/// How deliveries are tried, and what failing costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// One deadline for a whole exchange: DNS, connect, TLS, headers, body.
    pub timeout: Duration,
    /// The delay of each retry, counted from the end of the failed attempt before it.
    pub retries: Vec<Duration>,
    /// The failed original attempts that earn a ban.
    pub strikes: u32,
    /// How long a ban lasts.
    pub ban: Duration,
    /// How long a webhook may fail without a success before it is deleted.
    pub stale: Duration,
    /// The webhooks that an owner may have.
    pub quota: u32,
}

/// One policy for each dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// Pipedrive's.
    pub pipedrive: Policy,
}

/// Why a policy's number cannot be changed as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// There is no such number.
    #[error("{0:?} is none of {NUMBERS}")]
    Unknown(String),
    /// The number cannot have this value.
    #[error("{name}={value}: must be {expected}")]
    Value {
        /// The number.
        name: String,
        /// What was asked for.
        value: String,
        /// What can be asked for.
        expected: &'static str,
    },
}

/// The names of all numbers, for those who change them.
pub const NUMBERS: &str = "pipedrive.timeout, pipedrive.retries, pipedrive.strikes, pipedrive.ban, pipedrive.stale, pipedrive.quota";

/// The longest timeout that fits into the time a function has for a batch.
const TIMEOUT_MAX: Duration = Duration::from_secs(20);
const RETRIES_MAX: usize = 20;
const WAIT_MAX: Duration = Duration::from_hours(7 * 24);
const STALE_MAX: Duration = Duration::from_hours(365 * 24);

impl Policy {
    fn pipedrive() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retries: [3, 30, 150].map(Duration::from_secs).to_vec(),
            strikes: 10,
            ban: Duration::from_mins(30),
            stale: Duration::from_hours(3 * 24),
            quota: 40,
        }
    }

    fn set(&mut self, number: &str, value: &str) -> Option<Result<(), &'static str>> {
        let count = |range: std::ops::RangeInclusive<u32>| value.parse().ok().filter(|n| range.contains(n));
        Some(match number {
            "timeout" => duration(value, TIMEOUT_MAX)
                .filter(|timeout| !timeout.is_zero())
                .map(|timeout| self.timeout = timeout)
                .ok_or("more than 0 and at most 20s"),
            "retries" => durations(value)
                .map(|retries| self.retries = retries)
                .ok_or("at most 20 durations such as 3s,30s,150s, each at most 7days, or none"),
            "strikes" => count(1..=1_000_000).map(|n| self.strikes = n).ok_or("from 1 to 1000000"),
            "ban" => duration(value, WAIT_MAX)
                .map(|ban| self.ban = ban)
                .ok_or("a duration such as 30m, at most 7days"),
            "stale" => duration(value, STALE_MAX)
                .filter(|stale| !stale.is_zero())
                .map(|stale| self.stale = stale)
                .ok_or("more than 0 and at most 365days"),
            "quota" => count(0..=1_000_000).map(|n| self.quota = n).ok_or("from 0 to 1000000"),
            _ => return None,
        })
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self { pipedrive: Policy::pipedrive() }
    }
}

impl Policies {
    /// Changes numbers: assignments with white space between them, such as `pipedrive.retries=3s,30s,150s`.
    ///
    /// # Errors
    ///
    /// The first assignment that cannot be made.
    pub fn with(mut self, assignments: &str) -> Result<Self, InvalidPolicy> {
        for assignment in assignments.split_whitespace() {
            let unknown = || InvalidPolicy::Unknown(assignment.to_owned());
            let (name, value) = assignment.split_once('=').ok_or_else(unknown)?;
            let number = name.strip_prefix("pipedrive.").ok_or_else(unknown)?;
            self.pipedrive.set(number, value).ok_or_else(unknown)?.map_err(|expected| {
                InvalidPolicy::Value { name: name.to_owned(), value: value.to_owned(), expected }
            })?;
        }
        Ok(self)
    }
}

fn duration(text: &str, max: Duration) -> Option<Duration> {
    humantime::parse_duration(text).ok().filter(|duration| *duration <= max)
}

fn durations(text: &str) -> Option<Vec<Duration>> {
    if text == "none" {
        return Some(Vec::new());
    }
    let durations: Option<Vec<_>> = text.split(',').map(|text| duration(text, WAIT_MAX)).collect();
    durations.filter(|durations| durations.len() <= RETRIES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_can_be_changed() {
        let policies = Policies::default()
            .with("pipedrive.timeout=2s pipedrive.retries=1s,500ms\npipedrive.strikes=3 pipedrive.ban=5s pipedrive.stale=1h pipedrive.quota=2")
            .expect("a policy");
        let expected = Policy {
            timeout: Duration::from_secs(2),
            retries: vec![Duration::from_secs(1), Duration::from_millis(500)],
            strikes: 3,
            ban: Duration::from_secs(5),
            stale: Duration::from_hours(1),
            quota: 2,
        };
        assert_eq!(policies.pipedrive, expected);
        let none = Policies::default().with("pipedrive.retries=none").expect("a policy");
        assert!(none.pipedrive.retries.is_empty());
        assert_eq!(Policies::default().with(" ").expect("a policy"), Policies::default());
    }

    #[test]
    fn a_wrong_assignment_says_what_would_be_right() {
        let error = |text: &str| Policies::default().with(text).expect_err(text).to_string();
        assert_eq!(
            error("pipedrive.timeout=1h"),
            "pipedrive.timeout=1h: must be more than 0 and at most 20s"
        );
        for text in ["pipedrive.bans=1", "ban=1m", "pipedrive.ban"] {
            assert!(error(text).contains("is none of pipedrive.timeout"), "{text}");
        }
        for text in
            ["pipedrive.strikes=0", "pipedrive.retries=", "pipedrive.ban=soon", "pipedrive.timeout=0s"]
        {
            assert!(error(text).contains("must be"), "{text}");
        }
    }
}
