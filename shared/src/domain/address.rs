//! Which receivers may be reached: the public internet, and nothing else (design: Safety).
//!
//! A URL is checked when a webhook is created; the address that its name leads to is checked again each time it is
//! dialled, because names change their mind.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The longest URL, in bytes.
pub const URL_BYTES_MAX: usize = 2048;

/// What an operator permits.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    /// Lifts the rule: any address, and http beside https. For local use.
    pub allow_private: bool,
    /// Hosts, with their port where it is not the scheme's, that are this API itself.
    pub own_hosts: Vec<String>,
}

/// Why a URL or an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Longer than [`URL_BYTES_MAX`].
    #[error("must be at most {URL_BYTES_MAX} bytes")]
    TooLong,
    /// Not a URL with a host.
    #[error("must be a full URL such as https://example.com/hook")]
    NotAUrl,
    /// Another scheme than https.
    #[error("must begin with https://")]
    Scheme,
    /// A user or a password before the host.
    #[error("must not contain a user or password")]
    UserInfo,
    /// A name that is never a public one.
    #[error("must be a public host, not a local name")]
    LocalName,
    /// An address that is not public, by the name of its range.
    #[error("must be a public address, not one for {0}")]
    NotPublic(&'static str),
    /// One of the API's own endpoints.
    #[error("must not be one of this API's own endpoints")]
    Own,
}

type Range<A> = (A, u8, &'static str);

/// IANA's special-purpose IPv4 ranges that are not globally reachable, and what else is no receiver.
const IPV4: &[Range<Ipv4Addr>] = &[
    (Ipv4Addr::UNSPECIFIED, 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private use"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared address space"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local use"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private use"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "IETF protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "AS112"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "AMT"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relays"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private use"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "AS112"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "future use"),
];

/// Ranges inside IPv6's global unicast (`2000::/3`) that are not plain receivers. All outside of it is refused.
const IPV6: &[Range<Ipv6Addr>] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "IETF protocol assignments"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, "AS112"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
];

/// The last labels of names that never lead to the public internet.
const LOCAL_LABELS: &[&str] =
    &["localhost", "local", "internal", "localdomain", "home.arpa", "onion", "test", "invalid"];

impl AddressPolicy {
    /// Checks what a URL says by itself; what its name leads to is [`AddressPolicy::check_address`]'s.
    ///
    /// # Errors
    ///
    /// Why a webhook must not have this URL.
    pub fn check_url(&self, text: &str) -> Result<Url, Refused> {
        if text.len() > URL_BYTES_MAX {
            return Err(Refused::TooLong);
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(Refused::NotAUrl);
        }
        let url = Url::parse(text).map_err(|_| Refused::NotAUrl)?;
        if url.scheme() != "https" && !(self.allow_private && url.scheme() == "http") {
            return Err(Refused::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::UserInfo);
        }
        let host = url.host().ok_or(Refused::NotAUrl)?;
        if url.port() == Some(0) {
            return Err(Refused::NotAUrl);
        }
        match host {
            Host::Ipv4(address) => self.check_address(address.into())?,
            Host::Ipv6(address) => self.check_address(address.into())?,
            Host::Domain(name) if !self.allow_private && is_local_name(name) => {
                return Err(Refused::LocalName);
            }
            Host::Domain(_) => {}
        }
        if self.is_own(&url) { Err(Refused::Own) } else { Ok(url) }
    }

    /// Checks an address that is about to be dialled.
    ///
    /// # Errors
    ///
    /// The range it lies in, if it is not public.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Refused> {
        if self.allow_private {
            return Ok(());
        }
        match address {
            IpAddr::V4(address) => check_v4(address),
            IpAddr::V6(address) => check_v6(address),
        }
    }

    fn is_own(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        let with_port = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        self.own_hosts.iter().any(|own| own.eq_ignore_ascii_case(&with_port))
            && !url.path().starts_with("/receiver/")
    }
}

fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let local = LOCAL_LABELS
        .iter()
        .any(|label| name.strip_suffix(label).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    local || !name.contains('.')
}

fn check_v4(address: Ipv4Addr) -> Result<(), Refused> {
    let contains =
        |(base, bits, _): &&Range<Ipv4Addr>| (address.to_bits() ^ base.to_bits()) >> (32 - bits) == 0;
    IPV4.iter().find(contains).map_or(Ok(()), |(_, _, name)| Err(Refused::NotPublic(name)))
}

fn check_v6(address: Ipv6Addr) -> Result<(), Refused> {
    if address.segments()[0] & 0xe000 != 0x2000 {
        return Err(Refused::NotPublic("local use"));
    }
    let contains =
        |(base, bits, _): &&Range<Ipv6Addr>| (address.to_bits() ^ base.to_bits()) >> (128 - bits) == 0;
    IPV6.iter().find(contains).map_or(Ok(()), |(_, _, name)| Err(Refused::NotPublic(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), Refused> {
        let policy = AddressPolicy { allow_private: false, own_hosts: vec!["api.knock.example".to_owned()] };
        policy.check_url(text).map(|_| ())
    }

    #[test]
    fn public_https_urls_are_accepted() {
        for url in [
            "https://example.com",
            "HTTPS://Example.com:8443/a?b#c",
            "https://8.8.8.8/",
            "https://[2606:4700::1]/",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn what_is_not_public_is_refused_however_it_is_written() {
        for url in [
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://10.1.2.3/",
            "https://100.64.0.1/",
            "https://169.254.169.254/latest",
            "https://172.31.0.1/",
            "https://192.168.0.1/",
            "https://0.0.0.0/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[fc00::1]/",
            "https://[fe80::1]/",
            "https://[2002:7f00:1::]/",
            "https://[ff02::1]/",
        ] {
            assert!(matches!(check(url), Err(Refused::NotPublic(_))), "{url}");
        }
        for url in
            ["https://localhost/", "https://a.LOCALHOST./", "https://printer.local/", "https://intranet/"]
        {
            assert_eq!(check(url), Err(Refused::LocalName), "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused_with_their_reason() {
        assert_eq!(check("http://example.com"), Err(Refused::Scheme));
        assert_eq!(check("ftp://example.com"), Err(Refused::Scheme));
        assert_eq!(check("https://user:pw@example.com"), Err(Refused::UserInfo));
        assert_eq!(check("https://Api.Knock.example./v1/webhooks"), Err(Refused::Own));
        assert_eq!(check(&format!("https://example.com/{}", "a".repeat(2048))), Err(Refused::TooLong));
        for url in
            ["", "example.com", "https://", "https://exa mple.com", "https://example.com:0/", "//example.com"]
        {
            assert_eq!(check(url), Err(Refused::NotAUrl), "{url}");
        }
    }

    #[test]
    fn locally_the_rule_is_lifted_but_for_the_own_api() {
        let policy = AddressPolicy { allow_private: true, own_hosts: vec!["127.0.0.1:9000".to_owned()] };
        assert!(policy.check_url("http://127.0.0.1:9001/x").is_ok());
        assert!(policy.check_url("http://127.0.0.1:9000/receiver/x").is_ok());
        assert_eq!(policy.check_url("http://127.0.0.1:9000/v1/webhooks"), Err(Refused::Own));
    }
}
