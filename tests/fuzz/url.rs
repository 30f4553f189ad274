//! Checking a URL, judged without the code that checks it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::Uri;
use knockback::domain::{AddressPolicy, Network, URL_BYTES_MAX};
use proptest::{prelude::*, sample::select};
use reqwest::Url;

use crate::target::Target;

const TARGET: Target = Target { name: "url", check, pieces: PIECES };

const PIECES: &[&str] = &[
    "https://",
    "http://",
    "//",
    "/",
    "?",
    "#",
    "@",
    ":",
    ":443",
    ":25",
    ":0",
    ":65536",
    ".",
    "..",
    "。",
    "．",
    "%2e",
    "%2f",
    "%00",
    "%40",
    "%31",
    "%",
    "\\",
    " ",
    "\t",
    "\n",
    "\u{0}",
    "\u{7f}",
    "\u{ad}",
    "\u{200b}",
    "\u{2028}",
    "\u{feff}",
    "１",
    "①",
    "ß",
    "İ",
    "ſ",
    "K",
    "é",
    "😀",
    "xn--",
    "xn--a",
    "localhost",
    ".local",
    ".internal",
    "127.0.0.1",
    "0x7f",
    "0177",
    "2130706433",
    "[",
    "]",
    "::1",
    "::ffff:",
    "fe80::1",
    "%25eth0",
    "api.knock.example",
    "receiver/",
    "..",
    "^",
    "`",
    "{",
    "}",
    "|",
    "\"",
    "<",
    "'",
    "&",
    "=",
    "+",
    "_",
    "-",
    "*",
];

const HOSTS: &[&str] = &[
    "example.com",
    "EXAMPLE.com.",
    "a-1._b.example",
    "bücher.example",
    "xn--bcher-kva.example",
    "faß.example",
    "ex%61mple.com",
    "例え.jp",
    "ｅxample。com",
    "localhost",
    "a.localhost",
    "LOCALHOST.",
    "printer.local",
    "intranet",
    "metadata.google.internal",
    "api.knock.example",
    "1.2.3.4.example.com",
    "example.1",
    "example.0x7f",
];

/// The file of URLs that the policy's own tests read; they know its verdicts, here it gives seeds.
fn known() -> Vec<Vec<u8>> {
    let lines = include_str!("../../shared/src/domain/address/urls.tsv").lines();
    let urls = lines.filter_map(|line| line.split('\t').nth(1));
    urls.filter_map(|url| serde_json::from_str::<String>(&format!("\"{url}\"")).ok())
        .map(String::into_bytes)
        .collect()
}

/// An IPv4 address in any notation.
fn ipv4() -> impl Strategy<Value = String> {
    let near =
        select(&[0x7f00_0001, 0x0a00_0000, 0xa9fe_a9fe, 0xc0a8_0000, 0x6440_0000, 0xac10_0000, 0_u32][..]);
    let number =
        prop_oneof![any::<u32>(), (near, 0..70_000_u32).prop_map(|(base, more)| base.wrapping_add(more))];
    let style = prop::collection::vec(0..3_u8, 4);
    (number, style, 1..5_usize, select(&[".", "。", "%2e", "．"][..])).prop_map(
        |(number, styles, parts, dot)| {
            let octets = number.to_be_bytes();
            let (single, rest) = octets.split_at(parts - 1);
            let rest = rest.iter().fold(0_u32, |rest, octet| rest << 8 | u32::from(*octet));
            let parts = single.iter().map(|octet| u32::from(*octet)).chain([rest]).zip(styles);
            let written = parts.map(|(part, style)| match style {
                0 => part.to_string(),
                1 => format!("0x{part:X}"),
                _ => format!("0{part:o}"),
            });
            written.collect::<Vec<_>>().join(dot)
        },
    )
}

/// An IPv6 address, often one with an IPv4 address inside.
fn ipv6() -> impl Strategy<Value = String> {
    let prefixes = [
        "",
        "::ffff:",
        "::ffff:0:",
        "64:ff9b::",
        "64:ff9b:1::",
        "2002:",
        "2001:0:",
        "2001:db8::",
        "fe80::",
        "fec0::",
        "fd00::",
        "ff02::",
        "2606:4700::5efe:",
        "2606:4700::",
    ];
    (select(prefixes.to_vec()), any::<u128>(), any::<bool>()).prop_map(|(prefix, bits, dotted)| {
        let low = u32::try_from(bits & u128::from(u32::MAX)).expect("32 bits");
        let tail = if dotted && !prefix.starts_with("200") {
            Ipv4Addr::from_bits(low).to_string()
        } else {
            format!("{:x}:{:x}", low >> 16, low & 0xffff)
        };
        let address = match prefix {
            "" => Ipv6Addr::from_bits(bits).to_string(),
            "2002:" | "2001:0:" => format!("{prefix}{tail}::1"),
            prefix => format!("{prefix}{tail}"),
        };
        format!("[{address}]")
    })
}

fn urls() -> impl Strategy<Value = Vec<u8>> {
    let scheme = prop_oneof![14 => Just("https://"), 1 => select(&["http://", "HTTPS://", "https:/", "ftp://", ""][..])];
    let user = prop_oneof![20 => Just(""), 1 => select(&["@", "a:b@", "example.com@", "%40"][..])];
    let host = prop_oneof![
        5 => select(HOSTS).prop_map(str::to_owned),
        2 => "[a-z0-9_-]{1,12}(\\.[a-z0-9_-]{1,10}){0,3}",
        1 => "\\PC{1,12}\\.[a-z]{2,3}",
        3 => ipv4(),
        2 => ipv6(),
    ];
    let port = prop_oneof![6 => Just(String::new()), 1 => any::<u16>().prop_map(|port| format!(":{port}")),
        1 => select(&[":", ":443", ":0443", ":25", ":99999"][..]).prop_map(str::to_owned)];
    let path = prop_oneof![
        3 => select(&["", "/", "/hook", "/a/../b", "/receiver/x", "?a=b", "#f", "/?{|}^`\"", "/%2e%2e/"][..])
            .prop_map(str::to_owned),
        1 => "/\\PC{0,40}",
        1 => "/[!-~]{0,40}",
    ];
    (scheme, user, host, port, path)
        .prop_map(|(scheme, user, host, port, path)| format!("{scheme}{user}{host}{port}{path}").into_bytes())
}

/// Whether an address is one of the public internet: a second opinion, in other words than the first.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let special = v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_documentation();
            let assigned = a == 0 || a >= 240 || (a, b & 0xc0) == (100, 64) || (a, b & 0xfe) == (198, 18);
            let sinks = [[192, 0, 0], [192, 31, 196], [192, 52, 193], [192, 88, 99], [192, 175, 48]];
            !special && !assigned && !sinks.contains(&[a, b, c])
        }
        IpAddr::V6(v6) => {
            let [a, b, c, _, flags, marker, ..] = v6.segments();
            let special = v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.to_ipv4().is_some();
            let assigned = (a == 0x2001 && b < 0x200)
                || (a, b) == (0x2001, 0xdb8)
                || a == 0x2002
                || (a == 0x3fff && b < 0x1000)
                || (a, b, c) == (0x2620, 0x4f, 0x8000);
            let isatap = flags & !0x200 == 0 && marker == 0x5efe;
            a >> 13 == 1 && !special && !assigned && !isatap
        }
    }
}

/// The host's address, if it is written as one.
fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::from),
    }
}

fn policies() -> [(AddressPolicy, &'static str); 3] {
    let own_hosts = || vec!["api.knock.example".to_owned()];
    let allowing = |allowed: &str| AddressPolicy {
        allowed: Network::parse_all(allowed).expect("networks"),
        own_hosts: own_hosts(),
    };
    [
        (AddressPolicy::default(), ""),
        (AddressPolicy { allowed: Vec::new(), own_hosts: own_hosts() }, ""),
        (allowing("127.0.0.0/8 fd00::/8"), "local"),
    ]
}

fn check(input: &[u8]) -> bool {
    check_as_address(input);
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let policies = policies();
    let [open, deployed, local] = policies.each_ref().map(|(policy, _)| policy.check_url(text));
    for ((policy, kind), checked) in policies.iter().zip([&open, &deployed, &local]) {
        match checked {
            Ok(url) => {
                keeps_the_rules(text, url, *kind == "local");
                assert_eq!(policy.check_url(url.as_str()).as_ref(), Ok(url), "as it is sent");
            }
            Err(refused) => assert!(refused.to_string().starts_with("must "), "{refused}"),
        }
    }
    // Own hosts only take away, allowed networks only add: all but the own port.
    if let Ok(url) = &deployed {
        assert_eq!(open.as_ref(), Ok(url));
        assert_eq!(local.as_ref(), Ok(url));
    }
    if let Ok(url) = &deployed {
        assert!(!url.host_str().unwrap_or_default().trim_end_matches('.').eq("api.knock.example"));
    }
    open.is_ok()
}

/// What is accepted, in the words of the documentation.
fn keeps_the_rules(text: &str, url: &Url, is_local: bool) {
    assert!(text.len() <= URL_BYTES_MAX && url.as_str().len() <= URL_BYTES_MAX);
    assert!(!text.chars().any(|c| c.is_control() || c.is_whitespace()));
    assert!(url.as_str().is_ascii() && !url.as_str().contains(char::is_whitespace));
    assert!(url.scheme() == "https" || is_local && url.scheme() == "http");
    assert!(url.username().is_empty() && url.password().is_none() && !url.authority().contains('@'));
    let host = url.host_str().expect("a host");
    let port = url.port_or_known_default().expect("a port");
    assert!(port > 0 && (is_local || ![22, 25, 53, 110, 143, 465, 587].contains(&port)), "{port}");
    if let Some(address) = address(host) {
        let allowed = match address {
            IpAddr::V4(v4) => v4.octets()[0] == 127,
            IpAddr::V6(v6) => v6.segments()[0] >> 8 == 0xfd,
        };
        assert!(is_public(address) || is_local && allowed, "{address}");
    } else {
        let name = host.strip_suffix('.').unwrap_or(host);
        let last = name.rsplit('.').next().unwrap_or_default();
        // No program may take it for a number.
        assert!(last.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
        assert!(name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len())), "{name}");
        assert!(
            name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.')),
            "{name}"
        );
        let never =
            ["localhost", "local", "internal", "localdomain", "arpa", "test", "onion", "lan", "home", "corp"];
        assert!(is_local || name.contains('.') && !never.contains(&last), "{name}");
    }
    // What makes the request reads the same host and port from it, and the same path.
    let mut sent = url.clone();
    sent.set_fragment(None);
    let uri: Uri = sent.as_str().parse().unwrap_or_else(|error| panic!("{sent} cannot be dialled: {error}"));
    assert_eq!((uri.host(), uri.port_u16()), (Some(host), url.port()));
    assert_eq!((uri.path(), uri.query()), (url.path(), url.query()));
}

/// Four or sixteen bytes are an address, too, as a resolver may answer it.
fn check_as_address(input: &[u8]) {
    let address: IpAddr = match *input {
        [a, b, c, d] => Ipv4Addr::new(a, b, c, d).into(),
        _ => match <[u8; 16]>::try_from(input) {
            Ok(octets) => Ipv6Addr::from(octets).into(),
            Err(_) => return,
        },
    };
    assert_eq!(AddressPolicy::default().check_address(address).is_ok(), is_public(address), "{address}");
}

/// Addresses close to where the ranges begin and end.
fn addresses() -> impl Strategy<Value = Vec<u8>> {
    let v4 = (
        any::<[u8; 4]>(),
        select(&[0, 10, 100, 127, 169, 172, 192, 198, 203, 224, 240, 255_u8][..]),
        any::<bool>(),
    )
        .prop_map(|(mut octets, first, known)| {
            if known {
                octets[0] = first;
            }
            octets.to_vec()
        });
    let starts =
        [0, 0x64, 0x100, 0x2000, 0x2001, 0x2002, 0x2620, 0x3fff, 0x5f00, 0xfc00, 0xfe80, 0xfec0, 0xff02_u16];
    let v6 = (any::<[u16; 8]>(), select(starts.to_vec()), 0..8_usize, 0..8_usize).prop_map(
        |(mut segments, first, from, to)| {
            segments[0] = first;
            for segment in segments.iter_mut().take(to).skip(from.max(1)) {
                *segment = 0;
            }
            Ipv6Addr::from(segments).octets().to_vec()
        },
    );
    prop_oneof![v4, v6]
}

#[test]
fn every_file_keeps_the_promises_of_a_url() {
    TARGET.replay(60);
}

#[test]
fn any_text_keeps_the_promises_of_a_url() {
    TARGET.fuzz(3000, known(), prop_oneof![6 => urls(), 1 => addresses()]);
}

#[test]
fn every_known_url_keeps_the_promises_of_a_url() {
    let accepted = known().iter().filter(|url| check(url)).count();
    assert!(accepted >= 50, "{accepted}");
}
