//! Networks: an address and the length of its prefix.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// The addresses that begin with the same bits.
///
/// IPv4 and IPv6 are strangers to each other: `127.0.0.0/8` does not contain `::ffff:127.0.0.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    /// Not an address with a prefix length, nor an address alone.
    #[error(
        "{0:?} is not a network: write an address and a prefix length, such as 10.0.0.0/8, or an address"
    )]
    Form(String),
    /// The address says more than the prefix covers.
    #[error("{text} has bits behind its prefix: write {network}")]
    Bits {
        /// What was written.
        text: String,
        /// The network that it is in.
        network: Network,
    },
}

impl Network {
    pub(super) const fn v4(octets: [u8; 4], bits: u8) -> Self {
        let [a, b, c, d] = octets;
        Self { base: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
    }

    /// One whose address has these first segments, and zeros behind them.
    pub(super) const fn v6(first: [u16; 4], bits: u8) -> Self {
        let [a, b, c, d] = first;
        Self { base: IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)), bits }
    }

    /// One whose address has these last segments, and zeros before them.
    pub(super) const fn v6_low(last: [u16; 4], bits: u8) -> Self {
        let [e, f, g, h] = last;
        Self { base: IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, e, f, g, h)), bits }
    }

    /// Reads networks with white space between them.
    ///
    /// # Errors
    ///
    /// The first that is none.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, InvalidNetwork> {
        text.split_whitespace().map(str::parse).collect()
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.base.is_ipv4() == address.is_ipv4() && prefix(address, self.bits) == self.base
    }
}

/// An address with only its first `bits`.
fn prefix(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let form = || InvalidNetwork::Form(text.to_owned());
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| form())?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let is_number = |bits: &str| !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            None => whole,
            Some(bits) if is_number(bits) => bits.parse().map_err(|_| form())?,
            Some(_) => return Err(form()),
        };
        if bits > whole {
            return Err(form());
        }
        let network = Self { base: prefix(address, bits), bits };
        if network.base == address {
            Ok(network)
        } else {
            Err(InvalidNetwork::Bits { text: text.to_owned(), network })
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, bits } = self;
        let whole = if base.is_ipv4() { 32 } else { 128 };
        if *bits == whole { write!(f, "{base}") } else { write!(f, "{base}/{bits}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        let network: Network = network.parse().expect("a network");
        network.contains(address.parse().expect("an address"))
    }

    #[test]
    fn a_network_contains_what_begins_with_its_prefix_and_nothing_else() {
        for (network, inside, outside) in [
            ("127.0.0.0/8", ["127.0.0.0", "127.255.255.255"], ["126.255.255.255", "128.0.0.0"]),
            ("172.16.0.0/12", ["172.16.0.0", "172.31.255.255"], ["172.15.255.255", "172.32.0.0"]),
            ("192.0.2.7", ["192.0.2.7", "192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
            ("fc00::/7", ["fc00::", "fdff::1"], ["fbff::1", "fe00::"]),
            ("::1", ["::1", "::1"], ["::", "::2"]),
        ] {
            assert!(inside.iter().all(|address| contains(network, address)), "{network}");
            assert!(!outside.iter().any(|address| contains(network, address)), "{network}");
        }
        assert!(contains("0.0.0.0/0", "8.8.8.8") && contains("::/0", "2606:4700::1"));
    }

    #[test]
    fn an_ipv4_network_contains_no_mapped_address_and_the_other_way_round() {
        assert!(!contains("127.0.0.0/8", "::ffff:127.0.0.1"));
        assert!(!contains("0.0.0.0/0", "::ffff:127.0.0.1"));
        assert!(!contains("::/0", "127.0.0.1"));
        assert!(contains("::ffff:127.0.0.0/104", "::ffff:127.0.0.1"));
    }

    #[test]
    fn what_is_written_is_read_and_shown_again() {
        let text = "127.0.0.0/8 ::1 10.0.0.0/8\n\tfc00::/7 192.0.2.7";
        let networks: Vec<_> =
            Network::parse_all(text).expect("networks").iter().map(Network::to_string).collect();
        assert_eq!(networks.join(" "), "127.0.0.0/8 ::1 10.0.0.0/8 fc00::/7 192.0.2.7");
        assert_eq!(Network::parse_all(" "), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_network_is_refused_with_what_would_be_right() {
        for text in [
            "localhost",
            "10",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "::1/129",
            "/8",
            "[::1]",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0/999",
            "0x7f.0.0.1",
        ] {
            let error = text.parse::<Network>().expect_err(text).to_string();
            assert!(error.contains("such as 10.0.0.0/8") && error.contains(text), "{error}");
        }
        let error = "10.0.0.1/8".parse::<Network>().expect_err("bits");
        assert_eq!(error.to_string(), "10.0.0.1/8 has bits behind its prefix: write 10.0.0.0/8");
    }
}
