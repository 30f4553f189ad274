//! Which receivers may be reached: the public internet, and nothing else (design: Safety).
//!
//! A URL is checked when a webhook is created and again before each attempt; the address that its name leads to is
//! checked each time it is dialled, because names change their mind. `urls.tsv` has what is refused, and what is not.

#[cfg(test)]
pub(crate) mod corpus;
mod names;
mod network;
mod ports;
mod ranges;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use url::{Host, Url};

pub use network::{InvalidNetwork, Network};

/// The longest URL, in bytes, as it is written and as it is sent.
pub const URL_BYTES_MAX: usize = 2048;

/// What an operator permits. By itself: public addresses, https, and no port of another protocol.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    /// Networks that may be reached although they are not public, for local use. If there is any, so may local names, any
    /// port and http; the address that is dialled still has to be public or in one of them.
    pub allowed: Vec<Network>,
    /// Hosts that are this API itself, on any port; where a network is allowed only on the port that is named here, or on
    /// the scheme's, and but for `/receiver/`.
    pub own_hosts: Vec<String>,
}

/// Why a URL or an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Longer than [`URL_BYTES_MAX`].
    #[error("must be at most {URL_BYTES_MAX} bytes")]
    TooLong,
    /// A character that programs disagree about: white space, a control character, a backslash.
    #[error("must not contain white space, control characters or backslashes")]
    Character,
    /// Not a URL with a host.
    #[error("must be a full URL such as https://example.com/hook")]
    NotAUrl,
    /// Another scheme than https.
    #[error("must begin with https://")]
    Scheme,
    /// A user or a password before the host, or a place for them.
    #[error("must not contain a user or password")]
    UserInfo,
    /// A name that is never a public one.
    #[error("must be a public host, not a local name")]
    LocalName,
    /// An address that is not public, by the name of its range.
    #[error("must be a public address, not a special-purpose one ({0})")]
    NotPublic(&'static str),
    /// A port of another protocol.
    #[error("must not have the port of another protocol")]
    Port,
    /// One of the API's own endpoints.
    #[error("must not be one of this API's own endpoints")]
    Own,
}

impl AddressPolicy {
    /// Checks what a URL says by itself; what its name leads to is [`AddressPolicy::check_address`]'s. A fragment is
    /// accepted: it is never sent.
    ///
    /// # Errors
    ///
    /// Why a webhook must not have this URL.
    pub fn check_url(&self, text: &str) -> Result<Url, Refused> {
        if text.len() > URL_BYTES_MAX {
            return Err(Refused::TooLong);
        }
        // What follows would silently leave some of them out, and take a backslash for a slash.
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(Refused::Character);
        }
        let url = Url::parse(text).map_err(|_| Refused::NotAUrl)?;
        if url.scheme() != "https" && !(self.is_local() && url.scheme() == "http") {
            return Err(Refused::Scheme);
        }
        let authority = authority(text).ok_or(Refused::NotAUrl)?;
        if authority.contains('@') {
            return Err(Refused::UserInfo);
        }
        if url.as_str().len() > URL_BYTES_MAX {
            return Err(Refused::TooLong);
        }
        match url.host().ok_or(Refused::NotAUrl)? {
            Host::Ipv4(address) => self.check_address(address.into())?,
            Host::Ipv6(address) => self.check_address(address.into())?,
            Host::Domain(name) if !names::is_name(name) => return Err(Refused::NotAUrl),
            Host::Domain(name) if !self.is_local() && names::is_local(name) => {
                return Err(Refused::LocalName);
            }
            Host::Domain(_) => {}
        }
        if url.port().is_some_and(|port| port == 0 || !self.is_local() && ports::is_blocked(port)) {
            return Err(Refused::Port);
        }
        if self.is_own(&url) { Err(Refused::Own) } else { Ok(url) }
    }

    /// Checks an address that is about to be dialled.
    ///
    /// # Errors
    ///
    /// The range it lies in, if it is neither public nor allowed.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Refused> {
        if self.allowed.iter().any(|network| network.contains(address)) {
            return Ok(());
        }
        ranges::special_purpose(address).map_or(Ok(()), |range| Err(Refused::NotPublic(range)))
    }

    /// Whether a text can be among the own hosts: a host, with or without a port.
    pub fn is_host(text: &str) -> bool {
        let url = format!("https://{text}/");
        authority(&url) == Some(text)
            && !text.contains('@')
            && Url::parse(&url).is_ok_and(|url| url.path() == "/" && url.query().is_none())
    }

    /// Whether this is a local run, and no deployment.
    fn is_local(&self) -> bool {
        !self.allowed.is_empty()
    }

    fn is_own(&self, url: &Url) -> bool {
        let is = |own: &String| {
            // Read like the URL, so that its host is written in the same way.
            let own = Url::parse(&format!("{}://{own}", url.scheme()));
            own.is_ok_and(|own| {
                host(&own) == host(url)
                    && (!self.is_local() || own.port_or_known_default() == url.port_or_known_default())
            })
        };
        let is_receiver = self.is_local() && url.path().starts_with("/receiver/");
        !is_receiver && self.own_hosts.iter().any(is)
    }
}

fn host(url: &Url) -> Option<&str> {
    url.host_str().map(names::without_root)
}

/// What is written between the scheme and the path; `None` if that is nothing, or if the slashes are not two.
fn authority(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(':')?;
    let rest = rest.strip_prefix("//")?;
    rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())
}
