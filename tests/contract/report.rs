//! What the run says: each clause, then what is known, what is broken, and how many of each there are.

use std::process::ExitCode;

use crate::{
    aws::Endpoint,
    clause::Outcome,
    emulator::{Emulator, Lacking, Service},
};

/// What has come out so far.
pub(crate) struct Report {
    emulator: Emulator,
    held: usize,
    known: Vec<String>,
    lacking: Vec<String>,
    broken: Vec<String>,
}

impl Report {
    /// Nothing yet.
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        println!("the contract of AWS, on {} ({})", endpoint.emulator, endpoint.place());
        let emulator = endpoint.emulator;
        Self { emulator, held: 0, known: Vec::new(), lacking: Vec::new(), broken: Vec::new() }
    }

    /// Notes a service that is known to be absent, and by which code a call was refused all the same.
    pub(crate) fn lacking(
        &mut self,
        service: Service,
        known: Lacking,
        clauses: usize,
        refused_by: Option<String>,
    ) {
        let Lacking { answer, reason } = known;
        match refused_by {
            Some(code) if code == answer => {
                self.lacking.push(format!("no {service} ({clauses} clauses): {reason}, and answers {code}"));
            }
            Some(code) => {
                self.broken.push(format!("no {service}: it is known to answer {answer}, not {code}"));
            }
            None => self.broken.push(format!("{service}: it answers, and is known not to: that line can go")),
        }
    }

    /// Notes what became of a clause.
    pub(crate) fn note(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Outcome::Holds => {
                println!("holds   {name}");
                self.held += 1;
            }
            Outcome::Known(known) => {
                println!("known   {name}");
                self.known.push(format!("{name}: {}", known.reason));
            }
            Outcome::Broken(said) => {
                println!("BROKEN  {name}");
                self.broken.push(format!("{name}\n    {}", said.replace('\n', "\n    ")));
            }
        }
    }

    /// Says the rest, and whether all is as it has to be.
    pub(crate) fn close(mut self) -> ExitCode {
        self.known.sort();
        self.broken.sort();
        for (kind, lines) in [("known", &self.known), ("lacking", &self.lacking), ("BROKEN", &self.broken)] {
            for line in lines {
                println!("{kind}: {line}");
            }
        }
        let Self { emulator, held, known, lacking, broken } = &self;
        println!(
            "contract on {emulator}: {held} clauses hold, {} differ as is known, {} services are lacking, {} broken",
            known.len(),
            lacking.len(),
            broken.len(),
        );
        if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
