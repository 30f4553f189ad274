//! Receivers that mean harm, all in one invocation of deliver with healthy ones: each is one failed attempt that says why,
//! by the deadline, and none of them is felt by anybody else.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use knockback::domain::{Policies, Timestamp};
use serde_json::{Value, json};
use tests::{Authority, Identity, NOW, Socket, SocketReceiver, World};

/// How often the clock is set to real time.
const TICK: Duration = Duration::from_millis(1);

/// What a healthy receiver's delivery may take, among all the others.
const HEALTHY_WITHIN_MS: i64 = 1000;

/// What any other may take: the deadline, and what a busy machine adds.
const HOSTILE_WITHIN_MS: i64 = 4000;

/// What the sockets between us and a receiver may swallow before it notices that nobody reads.
const SOCKETS_BYTES_MAX: usize = 8 * 1024 * 1024;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";

/// What is to become of an attempt.
enum Expected {
    /// A success, with this as what is kept of the answer.
    Success(&'static str),
    /// A failure with this status and this error.
    Failure(Option<u16>, &'static str),
    /// A failure without a status whose error begins so: how it goes on depends on who is quicker.
    Broken(&'static str),
}

struct Case {
    name: &'static str,
    scheme: &'static str,
    host: String,
    receiver: SocketReceiver,
    expected: Expected,
}

use Expected::{Broken, Failure, Success};

impl Case {
    fn http(
        name: &'static str,
        expected: Expected,
        conduct: impl Fn(&mut Socket) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let host = "127.0.0.1".to_owned();
        Self { name, scheme: "http", host, receiver: SocketReceiver::start(conduct), expected }
    }

    /// One that answers with this, and then waits for the other side to close.
    fn answering(name: &'static str, expected: Expected, answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::http(name, expected, move |socket| {
            socket.answer(&answer)?;
            socket.wait()
        })
    }

    /// One on an https URL, under a name of its own.
    fn https(
        name: &'static str,
        expected: Expected,
        conduct: impl Fn(&mut Socket) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { scheme: "https", host: host(name), ..Self::http(name, expected, conduct) }
    }

    /// One that presents this.
    fn presenting(name: &'static str, expected: Expected, identity: Identity) -> Self {
        Self::https(name, expected, move |socket| identity.answer(socket, OK))
    }

    fn url(&self) -> String {
        self.receiver.url(self.scheme, &self.host)
    }
}

fn host(name: &str) -> String {
    format!("{}.example", name.replace([' ', '/', '.'], "-").to_lowercase())
}

/// Those that never come to an end.
fn endless() -> Vec<Case> {
    let waiting = || Failure(None, "timed out after 2s while waiting for the answer");
    let reading = || Failure(Some(200), "timed out after 2s while reading the body");
    vec![
        Case::http("endless body", Success("x"), |socket| {
            socket.answer(b"HTTP/1.1 200 OK\r\n\r\n")?;
            socket.flood(&[b'x'; 64 * 1024])
        }),
        Case::http("endless chunks", Success("x"), |socket| {
            socket.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            socket.flood(b"10\r\nxxxxxxxxxxxxxxxx\r\n")
        }),
        Case::http("dripping body", reading(), |socket| {
            socket.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")?;
            socket.drip([b'x'; 1000])
        }),
        Case::http("silence", waiting(), Socket::wait),
        Case::http("dripping head", waiting(), |socket| {
            socket.answer(b"HTTP/1.1 200 OK\r\n")?;
            socket.drip(b"a: b\r\n".iter().copied().cycle())
        }),
        Case::http("endless 100", waiting(), |socket| {
            socket.answer(b"")?;
            socket.flood(b"HTTP/1.1 100 Continue\r\n\r\n")
        }),
        Case::http("endless 103", waiting(), |socket| {
            socket.answer(b"")?;
            socket.flood(b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n")
        }),
        Case::http("endless head", Failure(None, "no answer: the answer's head is too large"), |socket| {
            socket.answer(b"HTTP/1.1 200 OK\r\na: ")?;
            socket.flood(&[b'x'; 64 * 1024])
        }),
        Case::https(
            "silence in the handshake",
            Failure(None, "timed out after 2s while connecting"),
            Socket::wait,
        ),
    ]
}

/// Those that answer, but with what no receiver should.
fn wrong() -> Vec<Case> {
    let too_large = || Failure(None, "no answer: the answer's head is too large");
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
    vec![
        Case::answering("large header", too_large(), head(&format!("a: {}\r\n", "x".repeat(1024 * 1024)))),
        Case::answering("many headers", too_large(), head(&"a: b\r\n".repeat(5000))),
        Case::answering("gzip bomb", Success("\u{fffd}"), bomb()),
        Case::answering(
            "not HTTP",
            Failure(None, "no answer: what came is not HTTP (invalid HTTP version parsed)"),
            "SSH-2.0-OpenSSH\r\n\r\n",
        ),
        Case::answering(
            "HTTP/0.9",
            Failure(None, "no answer: what came is not HTTP (invalid HTTP version parsed)"),
            "<html>welcome</html>\r\n",
        ),
        Case::answering(
            "HTTP/2",
            Failure(None, "no answer: what came is not HTTP (invalid HTTP version parsed)"),
            *b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64",
        ),
        Case::answering(
            "status 999",
            Failure(Some(999), "answered 999 <unknown status code>"),
            "HTTP/1.1 999\r\ncontent-length: 0\r\n\r\n",
        ),
        Case::answering(
            "status 1000",
            Failure(None, "no answer: what came is not HTTP (invalid HTTP status-code parsed)"),
            "HTTP/1.1 1000 OK\r\n\r\n",
        ),
        Case::answering(
            "two lengths",
            Failure(None, "no answer: what came is not HTTP (invalid content-length parsed)"),
            head("content-length: 4\r\ncontent-length: 5\r\n") + "fine!",
        ),
        Case::answering(
            "switching protocols",
            Failure(Some(101), "answered 101 Switching Protocols"),
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        ),
        Case::answering(
            "chunked nonsense",
            Failure(Some(200), "the answer's body broke off: Invalid chunk size line: missing size digit"),
            head("transfer-encoding: chunked\r\n") + "nonsense\r\n",
        ),
        Case::answering(
            "overflowing chunk",
            Failure(Some(200), "the answer's body broke off: invalid chunk size: overflow"),
            head("transfer-encoding: chunked\r\n") + "fffffffffffffffff\r\n",
        ),
        Case::http(
            "short body",
            Failure(Some(200), "the answer's body broke off: the connection was closed before its end"),
            |socket| socket.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        ),
        Case::answering("long body", Success("fine"), [OK, b"HTTP/1.1 500 Sorry\r\n\r\n"].concat()),
    ]
}

/// Those that do to a connection what is no answer.
fn rude() -> Vec<Case> {
    let closed = || Failure(None, "no answer: the connection was closed before the answer was complete");
    vec![
        Case::http("half closed", closed(), |socket| {
            socket.answer(b"")?;
            socket.end()?;
            socket.wait()
        }),
        Case::http("closed in the head", closed(), |socket| socket.answer(b"HTTP/1.1 200 OK\r\ncontent-")),
        // To close with something unread is a reset.
        Case::http("reset", Failure(None, "no answer: Connection reset by peer"), |socket| socket.peek()),
        Case::http("closed at once", Broken("no answer: "), |_| Ok(())),
        Case::http("speaks first", Broken("no answer: "), |socket| {
            socket.write_all(b"220 mail.example ESMTP\r\n")?;
            socket.wait()
        }),
        Case::http(
            "answers before it reads",
            Failure(Some(500), "answered 500 Internal Server Error"),
            |socket| {
                socket.peek()?;
                socket.write_all(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")?;
                socket.wait()
            },
        ),
    ]
}

/// Those whose TLS is none, or whose certificate is not theirs.
fn untrusted(authority: &Authority) -> Vec<Case> {
    let failure = |error| Failure(None, error);
    let no_common = "could not connect: the receiver does not speak TLS 1.2 or 1.3 with HTTP/1.1";
    let unknown = "could not connect: the certificate is not signed by a known authority";
    let signed = |name, years| authority.identity(&host(name), &years);
    vec![
        Case::https("no TLS", failure("could not connect: the receiver does not speak TLS"), |socket| {
            socket.peek()?;
            socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
            socket.wait()
        }),
        Case::https(
            "closed in the handshake",
            failure("could not connect: the connection was closed during the TLS handshake"),
            |socket| {
                socket.peek()?;
                socket.end()?;
                socket.wait()
            },
        ),
        Case::presenting(
            "expired",
            failure("could not connect: the certificate has expired"),
            signed("expired", 2020..2022),
        ),
        Case::presenting(
            "not yet valid",
            failure("could not connect: the certificate is not valid yet"),
            signed("not yet valid", 2099..2100),
        ),
        Case::presenting(
            "another host",
            failure("could not connect: the certificate is not for this host"),
            signed("somebody else", NOW),
        ),
        Case::presenting("self signed", failure(unknown), Identity::self_signed(&host("self signed"))),
        Case::presenting(
            "unknown authority",
            failure(unknown),
            Authority::new("Nobody").identity(&host("unknown authority"), &NOW),
        ),
        Case::presenting("only h2", failure(no_common), signed("only h2", NOW).speaking(&["h2"])),
    ]
}

fn healthy(authority: &Authority) -> Vec<Case> {
    let identity = |name| authority.identity(&host(name), &NOW);
    vec![
        Case::answering("healthy", Success("fine"), OK),
        Case::answering("healthy with 204", Success(""), "HTTP/1.1 204 No Content\r\n\r\n"),
        Case::presenting("healthy with TLS", Success("fine"), identity("healthy with TLS")),
        Case::presenting(
            "healthy with HTTP/1.1 and h2",
            Success("fine"),
            authority.identity(&host("healthy with HTTP/1.1 and h2"), &NOW).speaking(&["h2", "http/1.1"]),
        ),
    ]
}

/// A small answer that is 4 MiB when it is decoded.
fn bomb() -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&vec![0; 4 * 1024 * 1024]).expect("compressed");
    let body = gzip.finish().expect("compressed");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.into_bytes(), body].concat()
}

#[tokio::test]
async fn each_hostile_receiver_is_one_failure_that_says_why_and_healthy_ones_in_the_same_batch_do_not_feel_it()
 {
    let authority = Authority::new("An authority");
    let policies =
        Policies::default().with("pipedrive.retries=none pipedrive.timeout=2s pipedrive.quota=100");
    let world = World::trusting(authority.trusted(), policies.expect("policies")).await;
    let (rotten, healthy) = ([endless(), wrong(), rude(), untrusted(&authority)], healthy(&authority));
    let healthy_names: Vec<_> = healthy.iter().map(|case| case.name).collect();
    // The healthy ones come last, as if all the others were before them in the queue.
    let cases: Vec<Case> = rotten.into_iter().flatten().chain(healthy).collect();
    let owner = world.owner().await;
    let mut webhooks = Vec::new();
    for case in &cases {
        world.names.answer(&case.host, &["127.0.0.1"]);
        webhooks.push(world.subscribe(&owner, &case.url(), json!({})).await);
    }
    world.report(json!({})).await;
    invoke_once_in_real_time(&world).await;
    let mut wrong = Vec::new();
    for (case, webhook) in cases.iter().zip(&webhooks) {
        let attempts = world.attempts(webhook).await;
        let [attempt] = &attempts[..] else { panic!("{}: {attempts:?}", case.name) };
        let took_ms = ms(attempt, "ended_at") - ms(attempt, "started_at");
        let limit_ms = if healthy_names.contains(&case.name) { HEALTHY_WITHIN_MS } else { HOSTILE_WITHIN_MS };
        let written = case.receiver.bytes_written();
        // Whoever floods with answers that are none is read to the deadline, and nothing of it is kept.
        let is_read_on = case.name.starts_with("endless 10");
        let is_right = is_as_expected(case, attempt)
            && took_ms < limit_ms
            && case.receiver.connections() == 1
            && (written < SOCKETS_BYTES_MAX || is_read_on);
        if !is_right {
            wrong.push(format!("{} after {took_ms} ms and {written} bytes: {}", case.name, attempt["end"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Has deliver make all attempts that are queued, in one invocation, while the clock shows real time.
async fn invoke_once_in_real_time(world: &World) {
    while !world.pump("EventsQueue").await.is_empty() {}
    let mut messages = Vec::new();
    loop {
        let more = world.receive("DeliveriesQueue");
        if more.is_empty() {
            break;
        }
        messages.extend(more);
    }
    let ended = Arc::new(AtomicBool::new(false));
    let clock = std::thread::spawn({
        let (ended, clock, start) = (Arc::clone(&ended), world.clock.clone(), now());
        let begin = knockback::clock::Clock::now(&clock);
        move || {
            while !ended.load(Ordering::SeqCst) {
                clock.set(begin + start.elapsed());
                std::thread::sleep(TICK);
            }
        }
    });
    let failed = world.invoke("DeliveriesQueue", &messages).await;
    ended.store(true, Ordering::SeqCst);
    clock.join().expect("the clock ran");
    assert!(failed.is_empty(), "{failed:?}");
}

#[expect(clippy::disallowed_methods, reason = "what is measured here is real time")]
fn now() -> Instant {
    Instant::now()
}

fn ms(attempt: &Value, name: &str) -> i64 {
    let text = &attempt["end"][name];
    serde_json::from_value::<Timestamp>(text.clone()).expect("a time").as_ms()
}

/// Whether an attempt became what was expected.
fn is_as_expected(case: &Case, attempt: &Value) -> bool {
    let end = &attempt["end"];
    let (state, status) = (attempt["state"].as_str(), &end["status"]);
    let (error, kept) = (end["error"].as_str(), end["answer"].as_str().unwrap_or_default());
    match &case.expected {
        Success(answer) => state == Some("succeeded") && error.is_none() && kept.starts_with(answer),
        Failure(expected, reason) => {
            state == Some("failed") && *status == json!(expected) && error == Some(reason)
        }
        Broken(begin) => {
            state == Some("failed") && status.is_null() && error.is_some_and(|error| error.starts_with(begin))
        }
    }
}
