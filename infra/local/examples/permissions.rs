//! Holds infra/permissions.tsv against the calls that a test run has made: what it says that the code needs, and nobody
//! needed, is an error; so is what was needed and is not in it. That the roles of template.yaml permit just what the table
//! has is tested on the template.
//!
//! Standard input has a line for each call: the function, the action, the resource.

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
};

use anyhow::{Context as _, ensure};

const TABLE: &str = include_str!("../../permissions.tsv");

/// Function, action, resource.
type Permission = [String; 3];

/// What the table says that the code needs; what Lambda and SES need is theirs.
fn tabled() -> anyhow::Result<BTreeSet<Permission>> {
    let mut tabled = BTreeSet::new();
    for line in TABLE.lines().skip(1) {
        let mut words = line.split('\t').map(str::to_owned);
        let mut word = || words.next().with_context(|| format!("this line lacks a column: {line}"));
        let permission = [word()?, word()?, word()?];
        if word()? == "code" {
            tabled.insert(permission);
        }
    }
    Ok(tabled)
}

/// A resource of the box in the table's words: the name in the template, and what follows it.
fn named(resource: &str) -> String {
    let resource = resource.rsplit(':').next().unwrap_or_default();
    match resource.split_once('/') {
        Some(("table", table)) => table.to_owned(),
        Some(("event-bus", _)) => "Bus".to_owned(),
        Some(("identity", _)) => "identity/${MailFrom}".to_owned(),
        _ => resource.to_owned(),
    }
}

fn main() -> anyhow::Result<()> {
    let mut needed = BTreeSet::new();
    for line in io::stdin().lines() {
        let line = line?;
        let mut words = line.splitn(3, ' ');
        if let (Some(function), Some(action), Some(resource)) = (words.next(), words.next(), words.next()) {
            needed.insert([function.to_owned(), action.to_owned(), named(resource)]);
        }
    }
    let tabled = tabled()?;
    let lines = |permissions: BTreeSet<&Permission>| {
        permissions.into_iter().map(|it| it.join("\t")).collect::<Vec<_>>().join("\n")
    };
    let unneeded = lines(tabled.difference(&needed).collect());
    ensure!(unneeded.is_empty(), "nobody needed what infra/permissions.tsv has:\n{unneeded}");
    let untold = lines(needed.difference(&tabled).collect());
    ensure!(untold.is_empty(), "infra/permissions.tsv lacks what was needed:\n{untold}");
    writeln!(io::stdout(), "{} permissions were needed: those of infra/permissions.tsv", needed.len())?;
    Ok(())
}
