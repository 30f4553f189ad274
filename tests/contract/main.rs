//! The contract: what Knockback relies on in AWS, clause by clause, on any endpoint.
//!
//! Without `KNOCKBACK_CONTRACT_ENDPOINT` that is AWS in a box, in this process and in virtual time. With it, the clauses are
//! the same and that URL is asked, in real time; `KNOCKBACK_CONTRACT_NAME` says what is there, for where it is known to
//! differ. A clause that is known to differ is tried all the same, and has to differ as it is known to: an emulator
//! that gets it right one day breaks the run, and the line that says otherwise can go.
//!
//! Arguments choose clauses by parts of their names, as with other tests. `.ci/contract` starts the emulators.

#![expect(clippy::print_stdout, reason = "it says what held")]

mod aws;
mod check;
mod clause;
mod dynamodb;
mod emulator;
mod events;
mod mail;
mod report;
mod secrets;
mod sqs;
mod wanted;

use std::process::ExitCode;

use futures_util::{StreamExt as _, stream};

use self::{aws::Endpoint, clause::Clause, emulator::Service, report::Report, wanted::Wanted};

/// How many clauses are tried at once.
const AT_ONCE: usize = 8;

/// All of them, with the service that each needs.
fn contract() -> Vec<(Service, Vec<Clause>)> {
    vec![
        (Service::Dynamodb, dynamodb::clauses()),
        (Service::Sqs, sqs::clauses()),
        (Service::Events, events::clauses()),
        (Service::Secrets, secrets::clauses()),
        (Service::Mail, mail::clauses()),
    ]
}

#[tokio::main]
async fn main() -> ExitCode {
    let wanted = Wanted::from_arguments(std::env::args().skip(1));
    let is_wanted = |clause: &Clause| wanted.includes(&clause.name);
    if wanted.list {
        let clauses = contract().into_iter().flat_map(|(_, clauses)| clauses);
        clauses.filter(is_wanted).for_each(|clause| println!("{}: test", clause.name));
        return ExitCode::SUCCESS;
    }
    let endpoint = match Endpoint::from_environment() {
        Ok(endpoint) => endpoint,
        Err(reason) => {
            println!("contract: {reason}");
            return ExitCode::FAILURE;
        }
    };
    clause::listen_to_panics();
    let mut report = Report::new(&endpoint);
    let mut tried = Vec::new();
    for (service, clauses) in contract() {
        let mut clauses: Vec<_> = clauses.into_iter().filter(is_wanted).collect();
        match endpoint.emulator.lacks(service) {
            Some(known) if !clauses.is_empty() => {
                report.lacking(service, known, clauses.len(), endpoint.probe(service).await);
            }
            _ => tried.append(&mut clauses),
        }
    }
    let outcomes = stream::iter(tried).map(|clause| {
        let endpoint = endpoint.clone();
        async move { (clause.name.clone(), clause.try_on(&endpoint).await) }
    });
    let mut outcomes = outcomes.buffer_unordered(AT_ONCE);
    while let Some((name, outcome)) = outcomes.next().await {
        report.note(&name, outcome);
    }
    report.close()
}
