//! What the runner prints when it is up: where it is, the tokens, and three commands to paste.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use knockback::domain::{AddressPolicy, Network};
use local::aws::sqs::REGION;

use crate::elsewhere::Elsewhere;

/// What there is to say.
#[derive(Debug)]
pub(crate) struct Greeting<'a> {
    /// Where the API listens, or at least the receiver.
    pub(crate) address: SocketAddr,
    /// Where the functions are, the API among them, if they are not in this process.
    pub(crate) elsewhere: Option<&'a Elsewhere<'a>>,
    /// Where AWS in a box listens, if it does.
    pub(crate) aws_address: Option<SocketAddr>,
    /// Where the data is kept; `None` in memory.
    pub(crate) data: Option<String>,
    pub(crate) platform_token: &'a str,
    pub(crate) caller_token: &'a str,
    /// Which receivers may be reached.
    pub(crate) addresses: &'a AddressPolicy,
    pub(crate) quiet: bool,
}

/// The company that the caller's token is of.
pub(crate) const COMPANY: &str = "1";
/// The user that the caller's token is of.
pub(crate) const USER: &str = "10";

/// Where a listener is reached from this machine: one on all interfaces by loopback.
pub(crate) fn reached_at(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

impl fmt::Display for Greeting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data, platform_token, caller_token, .. } = self;
        let here = format!("http://{}", reached_at(self.address));
        let data = data.as_ref().map_or_else(|| "in memory".to_owned(), |data| format!("in {data}"));
        let url = if let Some(Elsewhere { url, .. }) = self.elsewhere {
            writeln!(f, "Knockback's functions are invoked at {url}, its data {data}.\n")?;
            url.to_string()
        } else {
            writeln!(f, "Knockback is up on {here}, its data {data}.\n")?;
            here.clone()
        };
        if let Some(address) = self.aws_address {
            writeln!(f, "AWS in a box is on http://{address}, region {REGION}, with any credentials.\n")?;
        }
        writeln!(f, "platform token  {platform_token}")?;
        writeln!(f, "caller's token  {caller_token}  (company {COMPANY}, user {USER}, admin)\n")?;
        if let Some(elsewhere) = self.elsewhere {
            tell_start(f, elsewhere)?;
            writeln!(f, "Once they are up, which a line below says, paste these into a third one:\n")?;
        } else {
            writeln!(f, "Paste these into another terminal:\n")?;
        }
        let built_in = format!("{here}/receiver/hello");
        let is_permitted = self.addresses.check_url(&built_in).is_ok();
        let (receiver, hint) = if is_permitted {
            (built_in, "")
        } else {
            (
                "https://receiver.example/hook".to_owned(),
                ": put a receiver of yours in place of receiver.example",
            )
        };
        let subscription =
            format!(r#"{{"subscription_url":"{receiver}","event_action":"*","event_object":"deal"}}"#);
        let event = format!(
            r#"{{"company_id":"{COMPANY}","object":"deal","action":"create","entity_id":"8","data":{{"id":8,"title":"Sample deal"}}}}"#
        );
        writeln!(
            f,
            r"# 1. subscribe{hint}
curl -w '\n' -X POST '{url}/v1/webhooks' -H 'x-api-token: {caller_token}' -d '{subscription}'

# 2. report an event
curl -w '\n' -X POST '{url}/v1/events' -H 'x-api-token: {platform_token}' -d '{event}'

# 3. look
curl -w '\n' '{url}/v1/webhooks' -H 'x-api-token: {caller_token}'
"
        )?;
        let allowed: Vec<_> = self.addresses.allowed.iter().map(Network::to_string).collect();
        if allowed.is_empty() {
            write!(f, "Receivers must be public and https")?;
        } else {
            let allowed = allowed.join(" ");
            write!(
                f,
                "Receivers in {allowed} and over http are permitted (--allow-networks none forbids them)"
            )?;
        }
        if is_permitted {
            writeln!(f, ".")?;
        } else {
            writeln!(f, ": the built-in one at {here}/receiver/ is refused.")?;
        }
        if self.address.ip().is_unspecified() {
            writeln!(
                f,
                "It listens on all interfaces: whoever reaches this machine and has a token can use it."
            )?;
        }
        match (self.quiet, self.elsewhere) {
            (true, _) => {}
            (false, None) => write!(f, "Each attempt and each mail is a line below. ")?,
            (false, Some(_)) => {
                write!(f, "Each mail is a line below, each attempt one of the functions' log. ")?;
            }
        }
        writeln!(f, "Ctrl-C finishes what is in flight.")
    }
}

/// Says how the functions are started.
fn tell_start(f: &mut fmt::Formatter<'_>, elsewhere: &Elsewhere<'_>) -> fmt::Result {
    if let Some(command) = elsewhere.command() {
        return writeln!(f, "Start them in another terminal, in this folder:\n\n{command}\n");
    }
    let file = elsewhere.environment.path().display();
    writeln!(f, "Start them there, with the environment in {file}.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_reached_by_loopback() {
        for (listen, reached) in [
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("0.0.0.0:9000", "127.0.0.1:9000"),
            ("[::]:9000", "[::1]:9000"),
            ("[::1]:9000", "[::1]:9000"),
        ] {
            let listen = listen.parse().expect("an address");
            assert_eq!(reached_at(listen).to_string(), reached);
        }
    }
}
