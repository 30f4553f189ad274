//! Names that lead where nobody may go, at once or later, and the corpus of URLs at the moment of dialling.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::{BoxFuture, ready};
use url::Host;

use super::*;
use crate::domain::{
    Refused,
    corpus::{cases, deployed, verdict},
};

/// A resolver that gives each of these answers once, the last one again and again, and notes the names it was asked for.
#[derive(Debug, Clone, Default)]
struct Scripted {
    answers: Arc<Mutex<Vec<Vec<SocketAddr>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn new(answers: &[&str]) -> Self {
        let names = Self::default();
        names.answer(answers);
        names
    }

    /// Gives these answers from now on; each is addresses with white space between them.
    fn answer(&self, answers: &[&str]) {
        let address = |text: &str| {
            // With a zone, it is only read with a port.
            text.parse().or_else(|_| text.parse().map(|ip| SocketAddr::new(ip, 0))).expect(text)
        };
        let answers = answers.iter().rev().map(|answer| answer.split_whitespace().map(address).collect());
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers.collect();
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn internet(&self) -> Internet {
        Internet { resolver: Arc::new(self.clone()), ..Internet::default() }
    }
}

impl Resolver for Scripted {
    fn look_up(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = if answers.len() > 1 { answers.pop() } else { answers.last().cloned() };
        Box::pin(ready(answer.ok_or_else(|| io::Error::other("nobody knows"))))
    }
}

/// A resolver that never answers.
#[derive(Debug)]
struct Silent;

impl Resolver for Silent {
    fn look_up(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(std::future::pending())
    }
}

/// What creation says of a name with these answers, and then an attempt.
async fn at_both_moments(answers: &[&str]) -> (Result<(), Refused>, Exchange) {
    let names = Scripted::new(answers);
    let created = check_host("receiver.example", &AddressPolicy::default(), &names).await;
    let sender = Sender::new(&names.internet(), AddressPolicy::default()).expect("a sender");
    let exchange = post(&sender, "https://receiver.example/hook?token=secret").await;
    assert_eq!(names.asked(), 2, "it is asked each time");
    (created, exchange)
}

fn not_sent(range: &str) -> Exchange {
    Exchange::failed(format!(
        "not sent: the URL must be a public address, not a special-purpose one ({range})"
    ))
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_refused_when_it_is_dialled() {
    for (second, range) in [
        ("127.0.0.1", "Loopback"),
        ("169.254.169.254", "Link Local"),
        ("10.0.0.1", "Private-Use"),
        ("::1", "Loopback Address"),
        ("::ffff:127.0.0.1", "IPv4-mapped Address"),
        ("64:ff9b::7f00:1", "IPv4-IPv6 Translat."),
    ] {
        let (created, exchange) = at_both_moments(&["8.8.8.8", second]).await;
        assert_eq!((created, exchange), (Ok(()), not_sent(range)));
    }
}

#[tokio::test]
async fn a_mix_of_public_and_private_addresses_is_refused_at_both_moments() {
    for (answer, range) in [
        ("8.8.8.8 127.0.0.1", "Loopback"),
        ("10.0.0.1 8.8.8.8", "Private-Use"),
        ("2606:4700::1 8.8.8.8 fd00::1", "Unique-Local"),
        ("2606:4700::1 ::ffff:8.8.8.8", "IPv4-mapped Address"),
        ("[fe80::1%2]:0", "Link-Local Unicast"),
        ("fec0::1", "Site-Local (deprecated)"),
    ] {
        let (created, exchange) = at_both_moments(&[answer]).await;
        assert_eq!(
            created.map_err(|refused| refused.to_string()),
            Err(Refused::NotPublic(range).to_string())
        );
        assert_eq!(exchange, not_sent(range));
    }
}

#[tokio::test]
async fn a_name_without_an_address_is_accepted_and_a_failure_when_it_is_dialled() {
    let (created, exchange) = at_both_moments(&[""]).await;
    assert_eq!(created, Ok(()));
    assert_eq!(exchange, Exchange::failed("could not connect: the name has no address".to_owned()));
    let (created, exchange) = at_both_moments(&[]).await;
    assert_eq!(created, Ok(()));
    assert_eq!(exchange, Exchange::failed("could not connect: nobody knows".to_owned()));
}

/// A machine that cannot open another file.
#[derive(Debug)]
struct Exhausting(i32);

impl Resolver for Exhausting {
    fn look_up(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let error = io::Error::from_raw_os_error(self.0);
        Box::pin(async move { Err(error) })
    }
}

#[tokio::test]
async fn what_this_machine_lacks_is_no_failure_of_the_receiver() {
    // Too many open files, here and everywhere; but not a refused connection, or no address of the receiver's kind.
    for (number, is_ours) in [(24, true), (23, true), (111, false), (99, false)] {
        let internet = Internet { resolver: Arc::new(Exhausting(number)), ..Internet::default() };
        let sender = Sender::new(&internet, AddressPolicy::default()).expect("a sender");
        let (url, timeout) = ("https://receiver.example/", Duration::from_secs(5));
        let post = Post { url, body: "{}".into(), headers: Vec::new(), basic: None, timeout };
        assert_eq!(sender.post(&post).await.is_err(), is_ours, "{number}");
    }
}

#[tokio::test]
async fn a_name_with_public_ipv6_addresses_only_is_accepted() {
    let names = Scripted::new(&["2606:4700::1 2606:4700::2"]);
    assert_eq!(check_host("receiver.example", &AddressPolicy::default(), &names).await, Ok(()));
}

#[tokio::test]
async fn the_port_that_is_dialled_is_the_urls_whatever_the_resolver_says() {
    let (url, requests) = serve(&[OK]);
    let port: u16 = url.trim_end_matches('/').rsplit(':').next().expect("a port").parse().expect("a port");
    let names = Scripted::new(&["127.0.0.1:1"]);
    let sender = Sender::new(&names.internet(), allowing_loopback()).expect("a sender");
    assert_eq!(post(&sender, &format!("http://receiver.example:{port}/")).await, fine());
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_name_that_nobody_answers_for_is_accepted_and_times_out_when_it_is_dialled() {
    assert_eq!(check_host("receiver.example", &AddressPolicy::default(), &Silent).await, Ok(()));
    let internet = Internet { resolver: Arc::new(Silent), ..Internet::default() };
    let sender = Sender::new(&internet, AddressPolicy::default()).expect("a sender");
    let (url, timeout) = ("https://receiver.example/", Duration::from_millis(50));
    let post = Post { url, body: "{}".into(), headers: Vec::new(), basic: None, timeout };
    let exchange = sender.post(&post).await.expect("there is room");
    assert_eq!(exchange, Exchange::failed("timed out after 50ms while looking up the name".to_owned()));
}

#[tokio::test]
async fn what_the_corpus_refuses_is_refused_when_it_is_sent_though_it_was_stored() {
    let names = Scripted::new(&["8.8.8.8"]);
    let sender = Sender::new(&names.internet(), deployed()).expect("a sender");
    for case in cases().into_iter().filter(|case| case.verdict != "accept") {
        let exchange = post(&sender, &case.url).await;
        assert!(
            exchange.error.is_some_and(|error| error.starts_with("not sent: the URL must ")),
            "{:?}",
            case.url
        );
    }
    assert_eq!(names.asked(), 0, "nobody is asked about them");
}

/// Nothing is dialled: the names all lead to this machine, and of addresses only the check is asked.
#[tokio::test]
async fn what_the_corpus_accepts_is_dialled_only_where_its_address_is_public() {
    let names = Scripted::new(&["127.0.0.1"]);
    let sender = Sender::new(&names.internet(), deployed()).expect("a sender");
    let mut asked = 0;
    for case in cases().into_iter().filter(|case| case.verdict == "accept") {
        let url = deployed().check_url(&case.url).expect("accepted");
        match url.host().expect("a host") {
            Host::Domain(_) => {
                asked += 1;
                assert_eq!(post(&sender, &case.url).await, not_sent("Loopback"), "{:?}", case.url);
            }
            Host::Ipv4(address) => assert_eq!(deployed().check_address(address.into()), Ok(())),
            Host::Ipv6(address) => assert_eq!(deployed().check_address(address.into()), Ok(())),
        }
    }
    assert!(asked > 0);
    assert_eq!(names.asked(), asked);
}

#[tokio::test]
async fn a_name_that_leads_to_an_address_of_the_corpus_is_judged_as_the_address_is() {
    let names = Scripted::default();
    let sender = Sender::new(&names.internet(), AddressPolicy::default()).expect("a sender");
    let mut tried = 0;
    for case in cases() {
        // What is refused for its address is a URL for the parser.
        let (Ok(url), false) = (Url::parse(&case.url), matches!(case.verdict, "accept" | "own" | "port"))
        else {
            continue;
        };
        let address = match url.host() {
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(_)) | None => continue,
        };
        let Err(Refused::NotPublic(range)) = deployed().check_address(address.parse().expect("an address"))
        else {
            continue;
        };
        tried += 1;
        names.answer(&[&address]);
        let created = check_host("receiver.example", &AddressPolicy::default(), &names).await;
        assert_eq!(verdict(&created), range, "{:?}", case.url);
        assert_eq!(post(&sender, "https://receiver.example/").await, not_sent(range), "{:?}", case.url);
        let judged_first = ["scheme", "user-info", "character", "not-a-url"].contains(&case.verdict);
        assert!(judged_first || range == case.verdict, "{:?}", case.url);
    }
    assert!(tried > 100, "{tried}");
}
