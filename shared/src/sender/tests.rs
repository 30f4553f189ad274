//! The sender against a server that closes, or talks nonsense, at will.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::*;

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

fn sender(allow_private: bool) -> Sender {
    Sender::new(AddressPolicy { allow_private, own_hosts: Vec::new() }).expect("a sender")
}

async fn post(sender: &Sender, url: &str) -> Exchange {
    let timeout = Duration::from_secs(5);
    sender.post(&Post { url, body: "{}".into(), headers: Vec::new(), basic: None, timeout }).await
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";

fn fine() -> Exchange {
    Exchange { status: Some(200), error: None, answer: Some("fine".to_owned()) }
}

#[tokio::test]
async fn a_connection_that_broke_while_idle_is_no_failure() {
    let (url, requests) = serve(&[OK]);
    let sender = sender(true);
    for _ in 0..3 {
        assert_eq!(post(&sender, &url).await, fine());
    }
    // The second request meets the end of the first one's connection; its repeat's is not kept.
    assert_eq!(requests.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_connection_that_breaks_when_it_is_new_is_a_failure_after_one_request() {
    let (url, requests) = serve(&[]);
    let exchange = post(&sender(true), &url).await;
    assert!(exchange.error.is_some_and(|error| error.starts_with("no answer: ")));
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nonsense_is_an_answer_and_not_asked_for_again() {
    let (url, requests) = serve(&[OK, "nonsense\r\n\r\n"]);
    let sender = sender(true);
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
        ("https://127.0.0.1/", "not sent: the URL must be a public address, not one for loopback"),
        ("https://localhost/", "not sent: the URL must be a public host, not a local name"),
    ] {
        assert_eq!(post(&sender(false), url).await, Exchange::failed(reason.to_owned()));
    }
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_is_checked_again_for_the_address_that_is_dialled() {
    // As if the name had been a public one when the webhook was created.
    let error = sender(false).pooled.post("https://localhost/").send().await.expect_err("refused");
    assert_eq!(explain(&error), "not sent: the URL must be a public address, not one for loopback");
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused_at_creation_and_one_that_leads_nowhere_is_not() {
    let public = AddressPolicy::default();
    assert_eq!(check_host("localhost", &public).await, Err(Refused::NotPublic("loopback")));
    assert_eq!(check_host("nowhere.invalid", &public).await, Ok(()));
    let private = AddressPolicy { allow_private: true, own_hosts: Vec::new() };
    assert_eq!(check_host("localhost", &private).await, Ok(()));
}
