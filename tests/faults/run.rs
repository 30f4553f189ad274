//! One run of a scenario: its stage, its act with what goes wrong, the rest, the judgement.

use local::aws::faults::Fault;

use crate::{extent::Plan, judge::judge, scenarios::Scenario};

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
        Ok(calls.into_iter().map(|(target, _)| target).collect())
    } else {
        Err(format!("{}: without faults: {}", scenario.name, broken.join("; ")))
    }
}

impl Run {
    /// Plays it, and judges.
    pub(crate) async fn judge(self) -> Judged {
        let Self { scenario, plan } = self;
        let (calls, broken) = play(scenario, &plan).await;
        let struck = calls.iter().filter(|(_, fault)| fault.is_some()).count();
        let told = || {
            let did = |(place, fault): &(usize, Fault)| {
                format!(
                    "{fault:?}@{place} ({})",
                    calls.get(*place).map_or("never made", |(target, _)| target)
                )
            };
            let plan: Vec<_> = plan.iter().map(did).collect();
            format!("{}: {}: {}", scenario.name, plan.join(" "), broken.join("; "))
        };
        Judged { struck, broken: (!broken.is_empty()).then(told) }
    }
}

/// The calls, with what became of them, and what does not hold in the end.
async fn play(scenario: &Scenario, plan: &[(usize, Fault)]) -> (Vec<(String, Option<Fault>)>, Vec<String>) {
    let stage = (scenario.stage)().await;
    let faults = &stage.world.system.aws.faults;
    faults.plan(plan.iter().copied());
    (scenario.act)(&stage).await;
    let calls = faults.end();
    stage.world.run_to_rest().await;
    let mut broken = judge(&stage).await;
    broken.extend((scenario.holds)(&stage).await);
    (calls.into_iter().map(|call| (call.target, call.fault)).collect(), broken)
}
