//! What went wrong, in words that the owner of a webhook understands.
//!
//! They are kept and shown. So they say nothing of the URL, its query or the credentials; of a certificate they do not
//! say whom it is for either.

use std::{error::Error, io};

use rustls::{AlertDescription, CertificateError};

use crate::domain::Refused;

/// What hyper says of a head that is beyond its limits; it has no better way to tell.
const HEAD_TOO_LARGE: &str = "message head is too large";

/// Why a URL, or an address, was not dialled.
pub(super) fn refusal(refused: Refused) -> String {
    format!("not sent: the URL {refused}")
}

/// Why there is no answer.
pub(super) fn no_answer(error: reqwest::Error) -> String {
    let error = error.without_url();
    if let Some(refused) = find::<Refused>(&error) {
        return refusal(*refused);
    }
    let reason = reason(&error);
    if error.is_connect() { format!("could not connect: {reason}") } else { format!("no answer: {reason}") }
}

/// Why the body of an answer has no end.
pub(super) fn broken_body(error: reqwest::Error) -> String {
    let error = error.without_url();
    let closed = || "the connection was closed before its end".to_owned();
    let reason = if is_end(&error) { closed() } else { reason(&error) };
    format!("the answer's body broke off: {reason}")
}

/// Whether a request failed because its connection broke, and not because of what was answered.
pub(super) fn is_broken_connection(error: &reqwest::Error) -> bool {
    let answered = find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse);
    !answered && !error.is_connect() && !error.is_builder()
}

/// The system's numbers for too many open files, in this process and in all: the same wherever Knockback runs.
const TOO_MANY_FILES: [i32; 2] = [24, 23];

/// Whether a connection was not made because this machine lacks something. Not for want of an address to come from: that is what
/// a machine without IPv6 says of receivers that have nothing else.
pub(super) fn is_exhausted(error: &reqwest::Error) -> bool {
    let lacks = |error: &io::Error| {
        error.kind() == io::ErrorKind::OutOfMemory
            || error.raw_os_error().is_some_and(|number| TOO_MANY_FILES.contains(&number))
    };
    error.is_connect() && causes(error).filter_map(|cause| cause.downcast_ref()).any(lacks)
}

fn reason(error: &reqwest::Error) -> String {
    if let Some(error) = find::<rustls::Error>(error) {
        return of_tls(error);
    }
    if error.is_connect() && is_end(error) {
        return "the connection was closed during the TLS handshake".to_owned();
    }
    let root = causes(error).last().map(ToString::to_string).unwrap_or_default();
    match find::<hyper::Error>(error) {
        Some(_) if root == HEAD_TOO_LARGE => "the answer's head is too large".to_owned(),
        Some(error) if error.is_parse() => format!("what came is not HTTP ({root})"),
        Some(error) if error.is_incomplete_message() => {
            "the connection was closed before the answer was complete".to_owned()
        }
        _ => without_number(&root).to_owned(),
    }
}

/// Whether the other side closed the connection in the middle of something.
fn is_end(error: &reqwest::Error) -> bool {
    let mut errors = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    errors.any(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}

/// The text of a system's error without its number.
fn without_number(text: &str) -> &str {
    text.split_once(" (os error ").map_or(text, |(text, _)| text)
}

fn of_tls(error: &rustls::Error) -> String {
    use rustls::Error;

    let reason = match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::NoCertificatesPresented => "the receiver presents no certificate",
        Error::InvalidMessage(_) => "the receiver does not speak TLS",
        Error::PeerIncompatible(_)
        | Error::NoApplicationProtocol
        | Error::AlertReceived(
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::NoApplicationProtocol,
        ) => "the receiver does not speak TLS 1.2 or 1.3 with HTTP/1.1",
        Error::AlertReceived(_) => "the receiver broke off the TLS handshake",
        _ => "the TLS handshake failed",
    };
    reason.to_owned()
}

fn of_certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is not for this host"
        }
        CertificateError::UnknownIssuer => "the certificate is not signed by a known authority",
        CertificateError::Revoked => "the certificate is revoked",
        _ => "the certificate is not valid",
    }
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// An error and what caused it. An I/O error hides what it wraps from whoever asks for its source.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|error| error as &(dyn Error + 'static)),
        None => error.source(),
    })
}
