//! The sender against a server that closes, or talks nonsense, at will.

mod names;

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use super::*;
use crate::domain::Refused;

/// A server that gives each of a connection's requests one of `answers`, then closes it; with its URL and the number
/// of requests so far.
fn serve(answers: &'static [&'static str]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let counted = Arc::clone(&counted);
            thread::spawn(move || {
                for answer in answers.iter().copied().chain([""]) {
                    if read_request(&stream).is_none() {
                        return;
                    }
                    counted.fetch_add(1, Ordering::SeqCst);
                    if (&stream).write_all(answer.as_bytes()).is_err() || answer.is_empty() {
                        return;
                    }
                }
            });
        }
    });
    (url, requests)
}

/// Reads one request with the body `{}`, and nothing behind it.
fn read_request(stream: &TcpStream) -> Option<()> {
    let mut reader = BufReader::with_capacity(1, stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            return reader.read_exact(&mut [0; 2]).ok();
        }
    }
}

/// A server that answers one request with this, and gives away its head.
fn serve_once(answer: &'static str) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let (heads, received) = mpsc::channel();
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let head = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        heads.send(head.collect::<Vec<_>>().join("\n")).expect("somebody listens");
        (&stream).write_all(answer.as_bytes()).expect("somebody reads");
        // Until the other side closes.
        let _ = (&stream).read_to_end(&mut Vec::new());
    });
    (url, received)
}

fn allowing_loopback() -> AddressPolicy {
    let loopback = "127.0.0.0/8".parse().expect("a network");
    AddressPolicy { allowed: vec![loopback], ..AddressPolicy::default() }
}

fn sender() -> Sender {
    Sender::new(&Internet::default(), allowing_loopback()).expect("a sender")
}

async fn post(sender: &Sender, url: &str) -> Exchange {
    let timeout = Duration::from_secs(5);
    sender
        .post(&Post { url, body: "{}".into(), headers: Vec::new(), basic: None, timeout })
        .await
        .expect("there is room")
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";

fn fine() -> Exchange {
    Exchange { status: Some(200), error: None, answer: Some("fine".to_owned()) }
}

#[tokio::test]
async fn a_connection_that_broke_while_idle_is_no_failure() {
    let (url, requests) = serve(&[OK]);
    let sender = sender();
    for _ in 0..3 {
        assert_eq!(post(&sender, &url).await, fine());
    }
    // The second request meets the end of the first one's connection; its repeat's is not kept.
    assert_eq!(requests.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_connection_that_breaks_when_it_is_new_is_a_failure_after_one_request() {
    let (url, requests) = serve(&[]);
    let exchange = post(&sender(), &url).await;
    assert!(exchange.error.is_some_and(|error| error.starts_with("no answer: ")));
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nonsense_is_an_answer_and_not_asked_for_again() {
    let (url, requests) = serve(&[OK, "nonsense\r\n\r\n"]);
    let sender = sender();
    assert_eq!(post(&sender, &url).await, fine());
    let exchange = post(&sender, &url).await;
    assert!(exchange.error.is_some_and(|error| error.starts_with("no answer: ")));
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_url_that_is_not_public_is_not_dialled() {
    let (url, requests) = serve(&[OK]);
    for (url, reason) in [
        (&*url, "not sent: the URL must begin with https://"),
        (
            "https://127.0.0.1/",
            "not sent: the URL must be a public address, not a special-purpose one (Loopback)",
        ),
        ("https://localhost/", "not sent: the URL must be a public host, not a local name"),
    ] {
        let sender = Sender::new(&Internet::default(), AddressPolicy::default()).expect("a sender");
        assert_eq!(post(&sender, url).await, Exchange::failed(reason.to_owned()));
    }
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn this_machine_is_found_by_the_systems_resolver_and_refused() {
    let strict = AddressPolicy::default();
    let refused = check_host("localhost", &strict, &SystemResolver).await;
    assert!(matches!(refused, Err(Refused::NotPublic("Loopback" | "Loopback Address"))), "{refused:?}");
}

#[tokio::test]
async fn no_encoding_is_asked_for_and_none_is_decoded() {
    // gzip of 1 MiB of zeros would be small; what comes is kept as it came.
    let (url, heads) =
        serve_once("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\u{8}xx");
    let exchange = post(&sender(), &url).await;
    assert_eq!((exchange.status, exchange.error, exchange.answer.as_deref()), (Some(200), None, Some("xx")));
    let head = heads.recv().expect("a request").to_ascii_lowercase();
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(!head.contains("accept-encoding") && !head.contains("expect"), "{head}");
}

#[tokio::test]
async fn an_error_says_nothing_of_the_url_nor_of_credentials() {
    for answers in [&[][..], &["nonsense\r\n\r\n"], &["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"]] {
        let (url, _) = serve(answers);
        check_silent(&format!("{url}path?token=in-the-query")).await;
    }
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    check_silent(&format!("http://{free}/path?token=in-the-query")).await;
    check_silent("http://10.0.0.1/path?token=in-the-query").await;
    check_silent("https://receiver.invalid/path?token=in-the-query").await;
}

async fn check_silent(url: &str) {
    let basic = Some(("the-user".to_owned(), Some(Secret("the-password".to_owned()))));
    let headers = vec![("webhook-signature", "v1,the-signature".to_owned())];
    let timeout = Duration::from_secs(5);
    let post = Post { url, body: "{}".into(), headers, basic, timeout };
    let exchange = sender().post(&post).await.expect("there is room");
    let error = exchange.error.expect("a failure");
    for secret in [
        "in-the-query",
        "path",
        "http://",
        "https://",
        "the-user",
        "the-password",
        "the-signature",
        "10.0.0.1",
    ] {
        assert!(!error.contains(secret), "{error}");
    }
}

/// A header that cannot be sent is the one error that reqwest would name the URL in.
#[tokio::test]
async fn a_request_that_cannot_be_made_says_nothing_of_the_url() {
    let headers = vec![("webhook-id", "a\nb".to_owned())];
    let url = "http://127.0.0.1:1/path?token=in-the-query";
    let timeout = Duration::from_secs(5);
    let post = Post { url, body: "{}".into(), headers, basic: None, timeout };
    let exchange = sender().post(&post).await.expect("there is room");
    let error = exchange.error.expect("a failure");
    assert!(!error.contains("127.0.0.1") && !error.contains("in-the-query"), "{error}");
}
