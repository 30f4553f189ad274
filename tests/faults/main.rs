//! Faults: what can go wrong with the calls of a scenario, and then the rules (design.md: What must always hold).
//!
//! A scenario is run without faults first, which tells how many calls it makes. Then it is run again, for each of them and
//! each fault that fits, until nothing is left to do; and what is then in the tables, in the queues and at the receivers
//! is judged. The table says how often, and how many runs broke a rule.
//!
//! `cargo test` tries some of them. `KNOCKBACK_FAULTS=all` tries each fault at each call, and `KNOCKBACK_FAULTS=pairs` two
//! faults in one run, of those scenarios that are short, for as many seconds as `KNOCKBACK_SECONDS` says. Arguments choose
//! scenarios by parts of their names; those such as `Cut@12` are the faults of one run, as a broken one tells them.

#![expect(clippy::print_stdout, reason = "it says what held")]

mod extent;
mod judge;
mod run;
mod scenarios;
mod stage;

use std::process::ExitCode;

use futures_util::{StreamExt as _, stream};
use knockback::clock::{Clock as _, SystemClock};

use self::{
    extent::{Extent, Plan, shown},
    run::{Run, calls_of},
    scenarios::Scenario,
};

/// How many runs are under way at once.
const AT_ONCE: usize = 4;

/// How many broken runs of a scenario are shown.
const SHOWN: usize = 10;

/// What came of a scenario.
#[derive(Default)]
struct Row {
    calls: usize,
    runs: usize,
    faults: usize,
    broken: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let (planned, wanted): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .partition(|it| it.contains('@'));
    let extent = match Extent::from_environment(&planned) {
        Ok(extent) => extent,
        Err(reason) => {
            println!("faults: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let is_wanted = |scenario: &&'static Scenario| {
        (wanted.is_empty() || wanted.iter().any(|part| scenario.name.contains(&**part)))
            && extent.includes(scenario)
    };
    let began = SystemClock.now();
    println!("{:<28} {:>7} {:>7} {:>7} {:>11}", "scenario", "calls", "runs", "faults", "violations");
    let (mut runs, mut faults, mut violations) = (0, 0, 0);
    for scenario in scenarios::ALL.iter().filter(is_wanted) {
        let row = try_out(scenario, &extent).await;
        let Row { calls, broken, .. } = &row;
        println!("{:<28} {calls:>7} {:>7} {:>7} {:>11}", scenario.name, row.runs, row.faults, broken.len());
        for what in broken.iter().take(SHOWN) {
            println!("    {what}");
        }
        (runs, faults, violations) = (runs + row.runs, faults + row.faults, violations + broken.len());
    }
    println!("{:<28} {:>7} {runs:>7} {faults:>7} {violations:>11}", "in all", "");
    println!("in {} s", SystemClock.now().since(began).as_secs());
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a scenario as often as it is to be.
async fn try_out(scenario: &'static Scenario, extent: &Extent) -> Row {
    let calls = match calls_of(scenario).await {
        Ok(calls) => calls,
        Err(broken) => return Row { runs: 1, broken: vec![broken], ..Row::default() },
    };
    let mut row = Row { calls: calls.len(), ..Row::default() };
    let began = SystemClock.now();
    let plans =
        extent.plans(&calls).into_iter().take_while(|_| extent.has_time(SystemClock.now().since(began)));
    let judged = stream::iter(plans).map(async |plan: Plan| {
        let shown = shown(&plan);
        let run = tokio::spawn(Run { scenario, plan }.judge());
        run.await.map_err(|panic| format!("{}: {shown}: {panic}", scenario.name))
    });
    let mut judged = judged.buffer_unordered(AT_ONCE);
    while let Some(judged) = judged.next().await {
        row.runs += 1;
        match judged {
            Ok(judged) => {
                row.faults += judged.struck;
                row.broken.extend(judged.broken);
            }
            Err(panic) => row.broken.push(panic),
        }
    }
    row
}
