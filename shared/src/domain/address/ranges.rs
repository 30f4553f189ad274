//! The addresses that are not public, by the names of their ranges.
//!
//! They are those of IANA's IPv4 and IPv6 Special-Purpose Address Registries, the globally reachable ones too: those are
//! anycast services and sinks, and no receivers. Beyond the registries: multicast, and forms of IPv6 that are deprecated.
//! Whatever embeds an IPv4 address (mapped, compatible, translated, 6to4, Teredo, ISATAP) is refused whole, also with a
//! public one inside: nobody needs it, and no form may be a way to a private address.

use std::net::{IpAddr, Ipv6Addr};

use super::Network;

/// Where two overlap, the first has the name.
const RANGES: &[(Network, &str)] = &[
    // RFC 791, RFC 1122
    (Network::v4([0, 0, 0, 0], 8), "This network"),
    // RFC 1918
    (Network::v4([10, 0, 0, 0], 8), "Private-Use"),
    // RFC 6598
    (Network::v4([100, 64, 0, 0], 10), "Shared Address Space"),
    // RFC 1122
    (Network::v4([127, 0, 0, 0], 8), "Loopback"),
    // RFC 3927
    (Network::v4([169, 254, 0, 0], 16), "Link Local"),
    // RFC 1918
    (Network::v4([172, 16, 0, 0], 12), "Private-Use"),
    // RFC 6890, with what is assigned from it: RFC 7335, 7600, 7723, 8155, 7050
    (Network::v4([192, 0, 0, 0], 24), "IETF Protocol Assignments"),
    // RFC 5737
    (Network::v4([192, 0, 2, 0], 24), "Documentation (TEST-NET-1)"),
    // RFC 7535
    (Network::v4([192, 31, 196, 0], 24), "AS112-v4"),
    // RFC 7450
    (Network::v4([192, 52, 193, 0], 24), "AMT"),
    // RFC 7526
    (Network::v4([192, 88, 99, 0], 24), "Deprecated (6to4 Relay Anycast)"),
    // RFC 1918
    (Network::v4([192, 168, 0, 0], 16), "Private-Use"),
    // RFC 7534
    (Network::v4([192, 175, 48, 0], 24), "Direct Delegation AS112 Service"),
    // RFC 2544
    (Network::v4([198, 18, 0, 0], 15), "Benchmarking"),
    // RFC 5737
    (Network::v4([198, 51, 100, 0], 24), "Documentation (TEST-NET-2)"),
    (Network::v4([203, 0, 113, 0], 24), "Documentation (TEST-NET-3)"),
    // RFC 5771
    (Network::v4([224, 0, 0, 0], 4), "Multicast"),
    // RFC 8190, RFC 919
    (Network::v4([255, 255, 255, 255], 32), "Limited Broadcast"),
    // RFC 1112
    (Network::v4([240, 0, 0, 0], 4), "Reserved"),
    // RFC 4291
    (Network::v6_low([0, 0, 0, 0], 128), "Unspecified Address"),
    (Network::v6_low([0, 0, 0, 1], 128), "Loopback Address"),
    (Network::v6_low([0, 0xffff, 0, 0], 96), "IPv4-mapped Address"),
    (Network::v6_low([0, 0, 0, 0], 96), "IPv4-compatible Address"),
    // RFC 2765
    (Network::v6_low([0xffff, 0, 0, 0], 96), "IPv4-translated Address"),
    // RFC 6052, RFC 8215
    (Network::v6([0x64, 0xff9b, 0, 0], 96), "IPv4-IPv6 Translat."),
    (Network::v6([0x64, 0xff9b, 1, 0], 48), "IPv4-IPv6 Translat."),
    // RFC 6666, RFC 9780
    (Network::v6([0x100, 0, 0, 0], 64), "Discard-Only Address Block"),
    (Network::v6([0x100, 0, 0, 1], 64), "Dummy IPv6 Prefix"),
    // RFC 4380
    (Network::v6([0x2001, 0, 0, 0], 32), "TEREDO"),
    // RFC 5180
    (Network::v6([0x2001, 2, 0, 0], 48), "Benchmarking"),
    // RFC 7450
    (Network::v6([0x2001, 3, 0, 0], 32), "AMT"),
    // RFC 7535
    (Network::v6([0x2001, 4, 0x112, 0], 48), "AS112-v6"),
    // RFC 4843
    (Network::v6([0x2001, 0x10, 0, 0], 28), "Deprecated (previously ORCHID)"),
    // RFC 7343
    (Network::v6([0x2001, 0x20, 0, 0], 28), "ORCHIDv2"),
    // RFC 9374
    (Network::v6([0x2001, 0x30, 0, 0], 28), "Drone Remote ID Protocol Entity Tags (DETs) Prefix"),
    // RFC 2928
    (Network::v6([0x2001, 0, 0, 0], 23), "IETF Protocol Assignments"),
    // RFC 3849
    (Network::v6([0x2001, 0xdb8, 0, 0], 32), "Documentation"),
    // RFC 3056
    (Network::v6([0x2002, 0, 0, 0], 16), "6to4"),
    // RFC 7534
    (Network::v6([0x2620, 0x4f, 0x8000, 0], 48), "Direct Delegation AS112 Service"),
    // RFC 9637
    (Network::v6([0x3fff, 0, 0, 0], 20), "Documentation"),
    // RFC 9602
    (Network::v6([0x5f00, 0, 0, 0], 16), "Segment Routing (SRv6) SIDs"),
    // RFC 4193
    (Network::v6([0xfc00, 0, 0, 0], 7), "Unique-Local"),
    // RFC 4291
    (Network::v6([0xfe80, 0, 0, 0], 10), "Link-Local Unicast"),
    // RFC 3879
    (Network::v6([0xfec0, 0, 0, 0], 10), "Site-Local (deprecated)"),
    // RFC 4291
    (Network::v6([0xff00, 0, 0, 0], 8), "Multicast"),
];

/// All that IANA has given out for unicast between networks (RFC 4291).
const GLOBAL_UNICAST: Network = Network::v6([0x2000, 0, 0, 0], 3);

/// The range of an address that is not public; `None` if it is public.
pub(super) fn special_purpose(address: IpAddr) -> Option<&'static str> {
    let named = RANGES.iter().find(|(network, _)| network.contains(address)).map(|(_, name)| *name);
    named.or_else(|| match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(_) if !GLOBAL_UNICAST.contains(address) => Some("not global unicast"),
        IpAddr::V6(address) => is_isatap(address).then_some("ISATAP"),
    })
}

/// Whether the last half is an IPv4 address that a router of the site would take it to (RFC 5214).
fn is_isatap(address: Ipv6Addr) -> bool {
    let [.., flags, marker, _, _] = address.segments();
    flags & !0x0200 == 0 && marker == 0x5efe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expected: Option<&str>) {
        assert_eq!(special_purpose(address.parse().expect("an address")), expected, "{address}");
    }

    #[test]
    fn the_neighbours_of_a_range_are_public() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:db7:ffff::1",
            "2001:db9::1",
            "2003::1",
            "2620:4f:7fff::1",
            "3ffe:ffff::1",
            "2606:4700:0:0:1:5efe:7f00:1",
        ] {
            check(address, None);
        }
    }

    #[test]
    fn the_more_particular_of_two_ranges_has_the_name() {
        check("255.255.255.255", Some("Limited Broadcast"));
        check("255.255.255.254", Some("Reserved"));
        check("::1", Some("Loopback Address"));
        check("::2", Some("IPv4-compatible Address"));
        check("100::1", Some("Discard-Only Address Block"));
        check("100:0:0:1::1", Some("Dummy IPv6 Prefix"));
        check("2001::1", Some("TEREDO"));
        check("2001:1::1", Some("IETF Protocol Assignments"));
    }

    #[test]
    fn all_that_embeds_an_ipv4_address_is_refused_also_with_a_public_one() {
        for (address, name) in [
            ("::ffff:8.8.8.8", "IPv4-mapped Address"),
            ("::8.8.8.8", "IPv4-compatible Address"),
            ("::ffff:0:8.8.8.8", "IPv4-translated Address"),
            ("64:ff9b::8.8.8.8", "IPv4-IPv6 Translat."),
            ("64:ff9b:1::8.8.8.8", "IPv4-IPv6 Translat."),
            ("2002:808:808::", "6to4"),
            ("2001:0:808:808::", "TEREDO"),
            ("2606:4700::5efe:8.8.8.8", "ISATAP"),
            ("2606:4700::200:5efe:8.8.8.8", "ISATAP"),
        ] {
            check(address, Some(name));
        }
    }

    #[test]
    fn what_is_neither_named_nor_global_unicast_is_refused() {
        for address in
            ["1::1", "64:ff9c::1", "200::1", "1fff::1", "4000::1", "5eff::1", "8000::1", "fbff::1", "fe00::1"]
        {
            check(address, Some("not global unicast"));
        }
    }
}
