//! Holds the roles of template.yaml against the calls that a test run has made: what a role permits and nobody needed is
//! named, and is an error. (What somebody needed and no role permits was refused in the tests themselves.)
//!
//! Standard input has a line for each call: the function, the action, the resource.

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
};

use anyhow::ensure;
use local::{
    aws::iam::Permission,
    template::{Stack, TEMPLATE},
};

/// What the code does not ask for by itself, and why it is there.
const BY_OTHERS: [(&str, &str, &str); 6] = [
    ("logs:CreateLogStream", "", "Lambda writes the log"),
    ("logs:PutLogEvents", "", "Lambda writes the log"),
    ("sqs:ReceiveMessage", "", "Lambda reads the queue that feeds the function"),
    ("sqs:DeleteMessage", "", "the same"),
    ("sqs:GetQueueAttributes", "", "the same"),
    (
        "ses:SendEmail",
        ":configuration-set/",
        "SES asks for it where an identity has one, and the box has none",
    ),
];

fn is_by_others(granted: &Permission) -> bool {
    BY_OTHERS
        .iter()
        .any(|(action, resource, _)| granted.action == *action && granted.resource.contains(resource))
}

fn main() -> anyhow::Result<()> {
    let mut needed = BTreeSet::new();
    for line in io::stdin().lines() {
        let line = line?;
        let mut words = line.splitn(3, ' ').map(str::to_owned);
        if let (Some(function), Some(action), Some(resource)) = (words.next(), words.next(), words.next()) {
            needed.insert((function, Permission { action, resource }));
        }
    }
    let mut unneeded = Vec::new();
    for (function, role) in Stack::read(TEMPLATE)?.roles {
        for granted in role.permissions().iter().filter(|granted| !is_by_others(granted)) {
            if !needed.iter().any(|(of, needed)| *of == function && granted.covers(needed)) {
                unneeded.push(format!("{function} needs no {} on {}", granted.action, granted.resource));
            }
        }
    }
    ensure!(unneeded.is_empty(), "roles permit too much:\n{}", unneeded.join("\n"));
    writeln!(io::stdout(), "{} permissions were needed, and no other is granted", needed.len())?;
    Ok(())
}
