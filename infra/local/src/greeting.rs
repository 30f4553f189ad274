//! What the runner prints when it is up: where it is, the tokens, and three commands to paste.

use std::fmt;

/// What there is to say.
#[derive(Debug)]
pub(crate) struct Greeting<'a> {
    /// Where the API is, without a slash at the end.
    pub(crate) url: &'a str,
    /// Where the data is kept; `None` in memory.
    pub(crate) data: Option<String>,
    pub(crate) platform_token: &'a str,
    pub(crate) caller_token: &'a str,
    pub(crate) allow_private: bool,
}

/// The company that the caller's token is of.
pub(crate) const COMPANY: &str = "1";
/// The user that the caller's token is of.
pub(crate) const USER: &str = "10";

impl fmt::Display for Greeting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, data, platform_token, caller_token, allow_private } = self;
        let data = data.as_ref().map_or_else(|| "in memory".to_owned(), |data| format!("in {data}"));
        writeln!(f, "Knockback is up on {url}, its data {data}.\n")?;
        writeln!(f, "platform token  {platform_token}")?;
        writeln!(f, "caller's token  {caller_token}  (company {COMPANY}, user {USER}, admin)\n")?;
        writeln!(f, "Paste these into another terminal:\n")?;
        let subscription = format!(
            r#"{{"subscription_url":"{url}/receiver/hello","event_action":"*","event_object":"deal"}}"#
        );
        let event = format!(
            r#"{{"company_id":"{COMPANY}","object":"deal","action":"create","entity_id":"8","data":{{"id":8,"title":"Sample deal"}}}}"#
        );
        writeln!(
            f,
            "# 1. subscribe\ncurl -w '\n' -X POST {url}/v1/webhooks -H 'x-api-token: {caller_token}' -d '{subscription}'\n"
        )?;
        writeln!(
            f,
            "# 2. report an event\ncurl -w '\n' -X POST {url}/v1/events -H 'x-api-token: {platform_token}' -d '{event}'\n"
        )?;
        writeln!(f, "# 3. look\ncurl -w '\n' {url}/v1/webhooks -H 'x-api-token: {caller_token}'\n")?;
        if *allow_private {
            writeln!(
                f,
                "Receivers on private addresses and over http are permitted (--allow-private=false forbids them)."
            )?;
        }
        writeln!(f, "Each attempt is a line below. Ctrl-C finishes what is in flight.")
    }
}
