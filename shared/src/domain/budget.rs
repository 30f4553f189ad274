//! What a token may ask of the API in a while, so that one caller's program that runs wild does not become everybody's
//! trouble (facts: Pipedrive; the costs are those of its API reference).
//!
//! A budget refills evenly. All that is kept of it is one instant: when it will be full again.

use std::{num::NonZeroU32, str::FromStr, time::Duration};

use super::Timestamp;

/// The time in which an empty budget refills.
const REFILLS_IN: Duration = Duration::from_mins(1);

/// The units that each token may spend in a minute, all of them at once if it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget(NonZeroU32);

/// How a token stands, for the caller to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The units of a full budget.
    pub limit: u32,
    /// The units that are left.
    pub remaining: u32,
    /// The time until the budget is full again.
    pub reset: Duration,
}

/// Whether a request is within its token's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spending {
    /// It is, as far as is known: this has to be written for it.
    Spend(Spend),
    /// It is not.
    Refuse {
        /// How the token stands.
        standing: RateLimit,
        /// When there will be enough.
        retry_after: Duration,
    },
}

/// What is written for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spend {
    /// The budget was full at `now`; it will be again at this time.
    Begin(Timestamp),
    /// It was not: its refilling takes this much longer, if it is still under way and ends by `latest` so far.
    Add {
        /// How much longer.
        longer: Duration,
        /// The latest that it may end without this request.
        latest: Timestamp,
    },
}

/// What a request costs, in units, by its method.
pub fn request_cost(method: &str) -> u32 {
    if method == "DELETE" { 6 } else { 10 }
}

impl Budget {
    /// The fewest and the most units.
    const BOUNDS: std::ops::RangeInclusive<u32> = 10..=60_000;

    /// Whether a request of this cost is within the budget, which will be full again at `full_at`.
    pub fn spend(self, full_at: Option<Timestamp>, cost: u32, now: Timestamp) -> Spending {
        let longer = self.refill_time(cost);
        let full_at = full_at.filter(|full_at| now < *full_at);
        let latest = now + REFILLS_IN - longer;
        match full_at {
            None => Spending::Spend(Spend::Begin(now + longer)),
            Some(full_at) if full_at <= latest => Spending::Spend(Spend::Add { longer, latest }),
            Some(full_at) => {
                Spending::Refuse { standing: self.standing(full_at, now), retry_after: full_at.since(latest) }
            }
        }
    }

    /// How a token stands whose budget will be full again at `full_at`.
    pub fn standing(self, full_at: Timestamp, now: Timestamp) -> RateLimit {
        let reset = full_at.since(now);
        let left = REFILLS_IN.saturating_sub(reset).as_millis() * u128::from(self.0.get());
        let remaining = left / REFILLS_IN.as_millis();
        RateLimit { limit: self.0.get(), remaining: u32::try_from(remaining).unwrap_or(u32::MAX), reset }
    }

    /// How long so many units take to refill, in whole milliseconds as instants are: rounded up, so that a budget never grows.
    fn refill_time(self, units: u32) -> Duration {
        let ms = (REFILLS_IN * units).as_millis().div_ceil(u128::from(self.0.get()));
        Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
    }
}

/// Generous: 20 requests a second without end, 1200 at once.
impl Default for Budget {
    fn default() -> Self {
        Self(const { NonZeroU32::new(12_000).expect("more than none") })
    }
}

/// Reads what an operator sets.
impl FromStr for Budget {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units = text.parse().ok().filter(|units| Self::BOUNDS.contains(units)).and_then(NonZeroU32::new);
        units.map(Self).ok_or("must be from 10 to 60000")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);

    /// When the budget is full again once this is written.
    fn written(spend: Spend, full_at: Option<Timestamp>) -> Timestamp {
        match spend {
            Spend::Begin(full_at) => full_at,
            Spend::Add { longer, .. } => full_at.expect("it was refilling") + longer,
        }
    }

    fn budget(units: u32) -> Budget {
        units.to_string().parse().expect("a budget")
    }

    /// Spends at one instant until it is refused; answers with the number of requests, and how it was refused.
    fn spend_all(budget: Budget, cost: u32) -> (u32, Spending) {
        let (mut full_at, mut count) = (None, 0);
        loop {
            match budget.spend(full_at, cost, NOW) {
                Spending::Spend(spend) => full_at = Some(written(spend, full_at)),
                refused @ Spending::Refuse { .. } => return (count, refused),
            }
            count += 1;
        }
    }

    #[test]
    fn a_full_budget_can_be_spent_at_once_and_then_refills_evenly() {
        let (count, refused) = spend_all(budget(100), 10);
        let standing = RateLimit { limit: 100, remaining: 0, reset: REFILLS_IN };
        assert_eq!(
            (count, refused),
            (10, Spending::Refuse { standing, retry_after: Duration::from_secs(6) })
        );
        assert_eq!(spend_all(budget(100), 6).0, 16);
        let full_at = Some(NOW + REFILLS_IN);
        let at = |secs| budget(100).spend(full_at, 10, NOW + Duration::from_secs(secs));
        assert!(matches!(at(5), Spending::Refuse { .. }));
        assert!(matches!(at(6), Spending::Spend(Spend::Add { .. })));
        assert!(matches!(at(60), Spending::Spend(Spend::Begin(_))));
    }

    #[test]
    fn a_delete_costs_less() {
        assert_eq!(["GET", "POST", "PATCH", "DELETE"].map(request_cost), [10, 10, 10, 6]);
    }

    #[test]
    fn a_budget_is_read_within_its_bounds() {
        assert_eq!("12000".parse(), Ok(Budget::default()));
        for text in ["", "9", "60001", "-1", "1e3", "many"] {
            assert!(text.parse::<Budget>().is_err(), "{text}");
        }
    }

    proptest! {
        /// In any stretch of time, no more is granted than a full budget and what refills meanwhile.
        #[test]
        fn no_more_is_granted_than_there_is(
            units in 10_u32..=3000,
            steps in prop::collection::vec((0_u64..40, prop::bool::ANY), 1..1000),
        ) {
            let budget = budget(units);
            let (mut now, mut full_at, mut granted) = (NOW, None, 0);
            for (ms, is_delete) in steps {
                now = now + Duration::from_millis(ms);
                let cost = request_cost(if is_delete { "DELETE" } else { "GET" });
                if let Spending::Spend(spend) = budget.spend(full_at, cost, now) {
                    full_at = Some(written(spend, full_at));
                    granted += u64::from(cost);
                }
                let most = u64::from(units) * (60_000 + u64::try_from(now.since(NOW).as_millis())?) / 60_000;
                prop_assert!(granted <= most, "{granted} of {most}");
            }
        }
    }
}
