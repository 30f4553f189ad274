//! One run of a scenario: its stage, its act with what goes wrong, the rest, the judgement.

use local::aws::faults::{Call, Fault};

use crate::{
    extent::{Plan, shown},
    judge::judge,
    scenarios::Scenario,
};

/// A scenario with what is to go wrong.
pub(crate) struct Run {
    pub(crate) scenario: &'static Scenario,
    pub(crate) plan: Plan,
}

/// What came of a run.
pub(crate) struct Judged {
    /// How many calls were struck.
    pub(crate) struck: usize,
    /// The rules that did not hold, with how to see it again.
    pub(crate) broken: Option<String>,
}

/// The names of the calls that a scenario makes when nothing goes wrong.
///
/// # Errors
///
/// What does not even hold then.
pub(crate) async fn calls_of(scenario: &'static Scenario) -> Result<Vec<String>, String> {
    let (calls, broken) = play(scenario, &[]).await;
    if broken.is_empty() {
        Ok(calls.into_iter().map(|call| call.target).collect())
    } else {
        Err(format!("{}: without faults: {}", scenario.name, broken.join("; ")))
    }
}

impl Run {
    /// Plays it, and judges.
    pub(crate) async fn judge(self) -> Judged {
        let Self { scenario, plan } = self;
        let (calls, broken) = play(scenario, &plan).await;
        let struck = calls.iter().filter(|call| call.fault.is_some()).count();
        let told = || {
            let target =
                |(place, _): &(usize, Fault)| calls.get(*place).map_or("never made", |call| &*call.target);
            let targets: Vec<_> = plan.iter().map(target).collect();
            format!("{}: {} ({}): {}", scenario.name, shown(&plan), targets.join(", "), broken.join("; "))
        };
        Judged { struck, broken: (!broken.is_empty()).then(told) }
    }
}

/// The calls, with what became of them, and what does not hold in the end.
async fn play(scenario: &Scenario, plan: &[(usize, Fault)]) -> (Vec<Call>, Vec<String>) {
    let stage = (scenario.stage)().await;
    let faults = &stage.world.system.aws.faults;
    faults.plan(plan.iter().copied());
    (scenario.act)(&stage).await;
    let calls = faults.end();
    stage.world.run_to_rest().await;
    let mut broken = judge(&stage).await;
    broken.extend((scenario.holds)(&stage).await);
    (calls, broken)
}
