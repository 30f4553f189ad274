//! Every URL of the corpus, and what an allowed network changes.

use std::collections::HashSet;

use super::{
    corpus::{cases, deployed, verdict},
    *,
};

fn local(allowed: &str) -> AddressPolicy {
    let own_hosts = ["127.0.0.1:9000", "localhost:9000", "knock.example"];
    AddressPolicy {
        allowed: Network::parse_all(allowed).expect("networks"),
        own_hosts: own_hosts.map(str::to_owned).into(),
    }
}

#[test]
fn every_url_of_the_corpus_has_its_verdict() {
    let policy = deployed();
    let wrong: Vec<_> = cases()
        .into_iter()
        .map(|case| (verdict(&policy.check_url(&case.url)), case))
        .filter(|(found, case)| *found != case.verdict)
        .map(|(found, case)| format!("{:?} is {found}, not {}", case.url, case.verdict))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_corpus_is_large_and_names_no_url_twice() {
    let cases = cases();
    let urls: HashSet<_> = cases.iter().map(|case| &case.url).collect();
    let accepted = cases.iter().filter(|case| case.verdict == "accept").count();
    assert_eq!(urls.len(), cases.len());
    assert!(cases.len() >= 200 && accepted >= 50, "{} URLs, {accepted} accepted", cases.len());
}

#[test]
fn a_refusal_says_what_would_be_right() {
    let refusal = |url: &str| deployed().check_url(url).expect_err(url).to_string();
    assert_eq!(
        refusal("https://[::ffff:8.8.8.8]/"),
        "must be a public address, not a special-purpose one (IPv4-mapped Address)"
    );
    assert_eq!(refusal("https://example.com:25/"), "must not have the port of another protocol");
    assert_eq!(
        refusal("https://example.com/a b"),
        "must not contain white space, control characters or backslashes"
    );
}

#[test]
fn a_url_may_have_2048_bytes_written_and_sent() {
    let url = |path: &str, times| format!("https://example.com/{}", path.repeat(times));
    assert!(deployed().check_url(&url("a", 2028)).is_ok());
    assert_eq!(deployed().check_url(&url("a", 2029)), Err(Refused::TooLong));
    // One character of two bytes is sent as six.
    assert!(deployed().check_url(&url("é", 338)).is_ok());
    assert_eq!(deployed().check_url(&url("é", 339)), Err(Refused::TooLong));
}

#[test]
fn a_fragment_is_accepted() {
    let url = deployed().check_url("https://example.com/hook#a").expect("accepted");
    assert_eq!(url.fragment(), Some("a"));
}

#[test]
fn an_allowed_network_is_reached_and_no_other() {
    let policy = local("127.0.0.0/8 fc00::/7");
    for (url, expected) in [
        ("http://127.0.0.1:9001/x", "accept"),
        ("http://127.255.0.1/", "accept"),
        ("https://[fd00::1]/", "accept"),
        ("http://localhost:8080/", "accept"),
        ("http://printer.local/", "accept"),
        ("http://intranet/", "accept"),
        ("http://example.com:25/", "accept"),
        ("http://8.8.8.8/", "accept"),
        ("http://10.0.0.1/", "Private-Use"),
        ("http://169.254.169.254/latest/meta-data", "Link Local"),
        ("http://[::1]/", "Loopback Address"),
        ("http://[::ffff:127.0.0.1]/", "IPv4-mapped Address"),
        ("http://[64:ff9b::127.0.0.1]/", "IPv4-IPv6 Translat."),
        ("http://127.0.0.1:0/", "port"),
        ("http://user@127.0.0.1/", "user-info"),
        ("http://127.0.0.1/\\x", "character"),
        ("ftp://127.0.0.1/", "scheme"),
    ] {
        assert_eq!(verdict(&policy.check_url(url)), expected, "{url}");
    }
}

#[test]
fn in_a_local_run_the_own_api_is_refused_on_its_port_but_for_its_receiver() {
    let policy = local("127.0.0.0/8 ::1");
    for (url, expected) in [
        ("http://127.0.0.1:9000/v1/webhooks", "own"),
        ("https://127.0.0.1:9000/v1/webhooks", "own"),
        ("http://0x7f.1:9000/v1/webhooks", "own"),
        ("http://LocalHost.:9000/v1/webhooks", "own"),
        ("http://127.0.0.1:9000/receiver/../v1/webhooks", "own"),
        ("http://127.0.0.1:9000/receiver/%2e%2E/v1/webhooks", "own"),
        ("http://127.0.0.1:9000/receiver", "own"),
        ("http://knock.example/v1/webhooks", "own"),
        ("http://knock.example:80/v1/webhooks", "own"),
        ("https://knock.example:443/v1/webhooks", "own"),
        ("http://127.0.0.1:9000/receiver/x", "accept"),
        ("http://localhost:9000/receiver/x", "accept"),
        ("http://127.0.0.1:9001/v1/webhooks", "accept"),
        ("http://knock.example:8080/", "accept"),
    ] {
        assert_eq!(verdict(&policy.check_url(url)), expected, "{url}");
    }
}

#[test]
fn an_own_host_is_a_host_and_no_url() {
    for host in
        ["api.example.com", "api.example.com:8443", "API.Example.com.", "bücher.example", "[::1]:9000"]
    {
        assert!(AddressPolicy::is_host(host), "{host}");
    }
    for text in
        ["", "https://api.example.com", "api.example.com/v1", "a@b.example", "api.example.com:port", "a,b c"]
    {
        assert!(!AddressPolicy::is_host(text), "{text}");
    }
}

#[test]
fn deployed_there_is_no_receiver_of_the_apis_own() {
    assert_eq!(deployed().check_url("https://api.knock.example/receiver/x"), Err(Refused::Own));
}
