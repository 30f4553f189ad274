//! The numbers of a dialect (facts: Pipedrive and ePages, Delivery policy). An operator may change each of them.

use std::time::Duration;

use super::AttemptNumber;

/// How deliveries are tried, and what failing costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// One deadline for a whole exchange: DNS, connect, TLS, headers, body.
    pub timeout: Duration,
    /// The delay of each retry, counted from the end of the failed attempt before it.
    pub retries: Vec<Duration>,
    /// What becomes of a webhook when the retries of a delivery are used up.
    pub exhaustion: Exhaustion,
    /// How bans are earned, where there are any.
    pub ban: Option<BanRule>,
    /// How long a failure holds its app in a company, where it does.
    pub hold: Option<Duration>,
    /// How long a webhook may fail without a success before it is deleted, where it is.
    pub stale: Option<Duration>,
    /// The webhooks that an owner may have, where they are counted.
    pub quota: Option<u32>,
}

/// How a ban is earned, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BanRule {
    /// The failed original attempts that earn it.
    pub strikes: u32,
    /// How long it lasts.
    pub lasts: Duration,
}

/// What becomes of a webhook when the retries of a delivery are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhaustion {
    /// It stays as it is; the delivery is given up.
    GiveUp,
    /// It is switched off, until its owner switches it on again.
    Deactivate,
}

/// Whose clients and receivers a webhook is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Pipedrive's.
    Pipedrive,
    /// ePages'.
    Epages,
}

/// One policy for each dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// Pipedrive's.
    pub pipedrive: Policy,
    /// ePages'.
    pub epages: Policy,
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
pub const NUMBERS: &str = "pipedrive.timeout, pipedrive.retries, pipedrive.strikes, pipedrive.ban, pipedrive.stale, \
     pipedrive.quota, epages.timeout, epages.retries, epages.hold";

/// The longest timeout that fits into the time a function has for a batch.
const TIMEOUT_MAX: Duration = Duration::from_secs(20);
const RETRIES_MAX: usize = 20;
const WAIT_MAX: Duration = Duration::from_hours(7 * 24);
const STALE_MAX: Duration = Duration::from_hours(365 * 24);

impl Policy {
    /// Whether no retry follows the attempt with this number.
    pub fn is_last(&self, number: AttemptNumber) -> bool {
        usize::try_from(number.as_number()).map_or(true, |number| number > self.retries.len())
    }

    fn pipedrive() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retries: [3, 30, 150].map(Duration::from_secs).to_vec(),
            exhaustion: Exhaustion::GiveUp,
            ban: Some(BanRule { strikes: 10, lasts: Duration::from_mins(30) }),
            hold: None,
            stale: Some(Duration::from_hours(3 * 24)),
            quota: Some(40),
        }
    }

    fn epages() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retries: [60, 180, 300, 600, 900, 1800, 3600, 7200, 21_600, 50_400, 86_400]
                .map(Duration::from_secs)
                .to_vec(),
            exhaustion: Exhaustion::Deactivate,
            ban: None,
            hold: Some(Duration::from_mins(1)),
            stale: None,
            quota: None,
        }
    }

    /// Sets a number; `None` if this policy has none of this name.
    fn set(&mut self, number: &str, value: &str) -> Option<Result<(), &'static str>> {
        let count = |range: std::ops::RangeInclusive<u32>| value.parse().ok().filter(|n| range.contains(n));
        let wait = |what: &mut Duration| {
            duration(value, WAIT_MAX).map(|wait| *what = wait).ok_or("a duration such as 30m, at most 7days")
        };
        Some(match number {
            "timeout" => duration(value, TIMEOUT_MAX)
                .filter(|timeout| !timeout.is_zero())
                .map(|timeout| self.timeout = timeout)
                .ok_or("more than 0 and at most 20s"),
            "retries" => durations(value)
                .map(|retries| self.retries = retries)
                .ok_or("at most 20 durations such as 3s,30s,150s, each at most 7days, or none"),
            "strikes" => {
                let rule = self.ban.as_mut()?;
                count(1..=1_000_000).map(|n| rule.strikes = n).ok_or("from 1 to 1000000")
            }
            "ban" => wait(&mut self.ban.as_mut()?.lasts),
            "hold" => wait(self.hold.as_mut()?),
            "stale" => {
                let stale = self.stale.as_mut()?;
                duration(value, STALE_MAX)
                    .filter(|time| !time.is_zero())
                    .map(|time| *stale = time)
                    .ok_or("more than 0 and at most 365days")
            }
            "quota" => {
                let quota = self.quota.as_mut()?;
                count(0..=1_000_000).map(|n| *quota = n).ok_or("from 0 to 1000000")
            }
            _ => return None,
        })
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self { pipedrive: Policy::pipedrive(), epages: Policy::epages() }
    }
}

impl Policies {
    /// The policy of a dialect.
    pub fn of(&self, dialect: Dialect) -> &Policy {
        match dialect {
            Dialect::Pipedrive => &self.pipedrive,
            Dialect::Epages => &self.epages,
        }
    }

    /// Changes numbers: assignments with white space between them, such as `pipedrive.retries=3s,30s,150s`.
    ///
    /// # Errors
    ///
    /// The first assignment that cannot be made.
    pub fn with(mut self, assignments: &str) -> Result<Self, InvalidPolicy> {
        for assignment in assignments.split_whitespace() {
            let unknown = || InvalidPolicy::Unknown(assignment.to_owned());
            let (name, value) = assignment.split_once('=').ok_or_else(unknown)?;
            let (policy, number) = match name.split_once('.') {
                Some(("pipedrive", number)) => (&mut self.pipedrive, number),
                Some(("epages", number)) => (&mut self.epages, number),
                _ => return Err(unknown()),
            };
            policy.set(number, value).ok_or_else(unknown)?.map_err(|expected| InvalidPolicy::Value {
                name: name.to_owned(),
                value: value.to_owned(),
                expected,
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
            exhaustion: Exhaustion::GiveUp,
            ban: Some(BanRule { strikes: 3, lasts: Duration::from_secs(5) }),
            hold: None,
            stale: Some(Duration::from_hours(1)),
            quota: Some(2),
        };
        assert_eq!(policies.pipedrive, expected);
        let policies = Policies::default().with("epages.timeout=2s epages.retries=1s epages.hold=5s");
        let expected = Policy {
            timeout: Duration::from_secs(2),
            retries: vec![Duration::from_secs(1)],
            hold: Some(Duration::from_secs(5)),
            ..Policy::epages()
        };
        assert_eq!(policies.expect("a policy").epages, expected);
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
        for text in [
            "pipedrive.bans=1",
            "ban=1m",
            "pipedrive.ban",
            "pipedrive.hold=1m",
            "epages.ban=1m",
            "other.ban=1m",
        ] {
            assert!(error(text).contains("is none of pipedrive.timeout"), "{text}");
        }
        for text in
            ["pipedrive.strikes=0", "pipedrive.retries=", "pipedrive.ban=soon", "pipedrive.timeout=0s"]
        {
            assert!(error(text).contains("must be"), "{text}");
        }
    }
}
