//! A mail as a file, which mail programs open. The same mail is the same bytes, on every machine.

use mail_builder::{
    MessageBuilder,
    headers::{content_type::ContentType, date::Date, raw::Raw},
    mime::MimePart,
};

use super::Mail;

/// The name of a mail's file: by time, and then by id.
pub(super) fn file_name(mail: &Mail) -> String {
    let id = mail.id.get(..8).unwrap_or(&mail.id);
    // A colon is no part of a name on every system.
    format!("{}-{id}.eml", mail.at.to_string().replace(':', "-"))
}

/// The mail in MIME.
pub(super) fn write(mail: &Mail) -> Vec<u8> {
    let Mail { id, at, .. } = mail;
    // Addresses and headers are checked, and go out as they came in.
    let mut message = MessageBuilder::new()
        .message_id(format!("{id}@aws.box.localhost"))
        .date(Date::new(at.as_secs()))
        .header("From", Raw::new(&mail.from))
        .header("To", Raw::new(mail.to.join(", ")));
    if !mail.reply_to.is_empty() {
        message = message.header("Reply-To", Raw::new(mail.reply_to.join(", ")));
    }
    for (name, value) in &mail.headers {
        message = message.header(name, Raw::new(value));
    }
    let mut parts = Vec::new();
    for (kind, body) in [("text/plain", &mail.text), ("text/html", &mail.html)] {
        parts.extend(body.as_ref().map(|body| MimePart::new(kind, body)));
    }
    let body = if parts.len() == 1 {
        parts.remove(0)
    } else {
        let kind = ContentType::new("multipart/alternative").attribute("boundary", format!("=_{id}"));
        MimePart::new(kind, parts)
    };
    let mut bytes = Vec::new();
    message.subject(&mail.subject).body(body).serialize(&mut bytes);
    bytes
}
