//! Reads `urls.tsv`, which is tried at both moments: when a webhook is created, and when it is dialled.
//!
//! Each line is a verdict, a URL and a reason. A URL is written as in JSON, so that it may hold any character;
//! `{a*3}` stands for `aaa`.

use super::{AddressPolicy, Refused};

/// One URL of the corpus.
pub(crate) struct Case {
    /// The URL.
    pub(crate) url: String,
    /// `accept`, or why it is refused, as [`verdict`] has it.
    pub(crate) verdict: &'static str,
}

/// All URLs of the corpus.
pub(crate) fn cases() -> Vec<Case> {
    let lines = include_str!("urls.tsv").lines().filter(|line| !line.starts_with('#'));
    let case = |line: &'static str| {
        let fields: Vec<_> = line.split('\t').collect();
        let [verdict, url, reason] = fields[..] else { panic!("{line}") };
        assert!(!reason.is_empty(), "{line}");
        let url: String = serde_json::from_str(&format!("\"{url}\"")).expect(line);
        Case { url: repeated(&url), verdict }
    };
    lines.map(case).collect()
}

fn repeated(url: &str) -> String {
    let Some((before, rest)) = url.split_once('{') else { return url.to_owned() };
    let Some(((what, times), after)) =
        rest.split_once('}').and_then(|(inside, after)| Some((inside.split_once('*')?, after)))
    else {
        return url.to_owned();
    };
    format!("{before}{}{after}", what.repeat(times.parse().expect(url)))
}

/// The policy of a deployment whose API is at `api.knock.example`.
pub(crate) fn deployed() -> AddressPolicy {
    let own_hosts = ["api.knock.example", "Bücher.Example:8443", "[2606:4700::9]:443"];
    AddressPolicy { allowed: Vec::new(), own_hosts: own_hosts.map(str::to_owned).into() }
}

/// What came of a check, in one word or by the name of a range.
pub(crate) fn verdict<T>(checked: &Result<T, Refused>) -> &'static str {
    match checked {
        Ok(_) => "accept",
        Err(Refused::TooLong) => "too-long",
        Err(Refused::Character) => "character",
        Err(Refused::NotAUrl) => "not-a-url",
        Err(Refused::Scheme) => "scheme",
        Err(Refused::UserInfo) => "user-info",
        Err(Refused::LocalName) => "local-name",
        Err(Refused::Port) => "port",
        Err(Refused::Own) => "own",
        Err(Refused::NotPublic(range)) => range,
    }
}
