//! Which faults are tried.

use std::time::Duration;

use local::aws::faults::Fault;

use crate::scenarios::Scenario;

/// What goes wrong in one run: at which calls, by their numbers, and what.
pub(crate) type Plan = Vec<(usize, Fault)>;

/// How many runs of a scenario `cargo test` makes.
const SOME: usize = 30;

/// How many further calls a fault may cause, in which a second one may strike.
const CAUSED: usize = 12;

/// What is tried.
pub(crate) enum Extent {
    /// Some of all.
    Some,
    /// Each fault at each call.
    All,
    /// Pairs of faults, for so long.
    Pairs(Duration),
    /// One plan.
    One(Plan),
}

impl Extent {
    /// What the environment or, if there are any, these faults say.
    pub(crate) fn from_environment(planned: &[String]) -> Result<Self, String> {
        if !planned.is_empty() {
            return planned.iter().map(|text| parse(text)).collect::<Result<_, _>>().map(Self::One);
        }
        let seconds = std::env::var("KNOCKBACK_SECONDS").unwrap_or_default();
        match &*std::env::var("KNOCKBACK_FAULTS").unwrap_or_default() {
            "" => Ok(Self::Some),
            "all" => Ok(Self::All),
            "pairs" => match seconds.parse() {
                Ok(seconds) => Ok(Self::Pairs(Duration::from_secs(seconds))),
                Err(_) => Err("KNOCKBACK_SECONDS must say for how many seconds".to_owned()),
            },
            other => Err(format!("KNOCKBACK_FAULTS must be all or pairs, not {other:?}")),
        }
    }

    /// Whether a scenario is tried.
    pub(crate) fn includes(&self, scenario: &Scenario) -> bool {
        scenario.in_pairs || !matches!(self, Self::Pairs(_))
    }

    /// Whether there is time for another run after this time.
    pub(crate) fn has_time(&self, passed: Duration) -> bool {
        !matches!(self, Self::Pairs(time) if passed > *time)
    }

    /// The plans for a scenario that makes these calls, in the order in which they are tried.
    pub(crate) fn plans(&self, calls: &[String]) -> Vec<Plan> {
        let all: Vec<_> = (0..calls.len())
            .flat_map(|place| Fault::ALL.map(|fault| (place, fault)))
            .filter(|(place, fault)| fault.fits(&calls[*place]))
            .collect();
        match self {
            Self::One(plan) => vec![plan.clone()],
            Self::All => all.into_iter().map(|fault| vec![fault]).collect(),
            Self::Some => {
                let mut some = shuffled(all.into_iter().map(|fault| vec![fault]).collect());
                some.truncate(SOME);
                some
            }
            Self::Pairs(_) => {
                let pairs = all.iter().flat_map(|first| {
                    let later = first.0 + 1..calls.len() + CAUSED;
                    later.flat_map(|place| Fault::ALL.map(|fault| vec![*first, (place, fault)]))
                });
                shuffled(pairs.collect())
            }
        }
    }
}

/// The faults of a plan, as they are given to see it again.
pub(crate) fn shown(plan: &Plan) -> String {
    let faults: Vec<_> = plan.iter().map(|(place, fault)| format!("{fault:?}@{place}")).collect();
    faults.join(" ")
}

/// Reads a fault as a run tells it, such as `Cut@12`.
fn parse(text: &str) -> Result<(usize, Fault), String> {
    let read = || {
        let (name, place) = text.split_once('@')?;
        let fault = Fault::ALL.into_iter().find(|fault| format!("{fault:?}") == name)?;
        Some((place.parse().ok()?, fault))
    };
    read().ok_or_else(|| format!("{text} is no fault such as Cut@12"))
}

/// In an order that is the same each time: however long it goes on, what was tried is spread over all.
fn shuffled(mut plans: Vec<Plan>) -> Vec<Plan> {
    // Steele, Lea, Flood: Fast splittable pseudorandom number generators (SplitMix64).
    let mut state = 1_u64;
    let mut draw = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    for last in (1..plans.len()).rev() {
        let other = usize::try_from(draw() % (last as u64 + 1)).unwrap_or_default();
        plans.swap(last, other);
    }
    plans
}
