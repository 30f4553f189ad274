//! What a sender asks for, and what SES would refuse of it.

use std::collections::BTreeMap;

use knockback::domain::Timestamp;
use serde::Deserialize;

use super::{Mail, MailError, address};

/// Receivers of one mail (SES's quota).
const RECIPIENTS_LIMIT: usize = 50;
const HEADERS_LIMIT: usize = 15;
const TAGS_LIMIT: usize = 50;

/// Headers that a sender of simple content cannot set as such, in lower case.
const OWN_HEADERS: [&str; 13] = [
    "bcc",
    "cc",
    "content-disposition",
    "content-transfer-encoding",
    "content-type",
    "date",
    "from",
    "message-id",
    "mime-version",
    "reply-to",
    "return-path",
    "subject",
    "to",
];

type Result<T> = std::result::Result<T, MailError>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendEmail {
    from_email_address: Option<String>,
    destination: Option<Destination>,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    content: Option<Content>,
    #[serde(default)]
    email_tags: Vec<Named>,
    configuration_set_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Destination {
    #[serde(default)]
    to_addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Content {
    simple: Option<Simple>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Simple {
    subject: Option<Text>,
    body: Option<Body>,
    #[serde(default)]
    headers: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Body {
    text: Option<Text>,
    html: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Text {
    data: String,
    charset: Option<String>,
}

/// A tag or a header.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Named {
    name: String,
    value: String,
}

/// The mail that `body` asks to send, with this id, at this time.
///
/// # Errors
///
/// If SES would refuse it, or the box does not know all of what it asks for.
pub(super) fn read(body: &[u8], id: String, at: Timestamp) -> Result<Mail> {
    let request: SendEmail = serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?;
    let from = request.from_email_address.ok_or_else(|| bad("FromEmailAddress is missing"))?;
    let to = request.destination.map(|destination| destination.to_addresses).unwrap_or_default();
    if to.is_empty() {
        return Err(bad("Destination has no ToAddresses"));
    }
    if to.len() > RECIPIENTS_LIMIT {
        return Err(bad(format!("Recipient count exceeds {RECIPIENTS_LIMIT}.")));
    }
    for address in [&from].into_iter().chain(&to).chain(&request.reply_to_addresses) {
        address::check(address).map_err(|reason| bad(format!("{reason}: {address}")))?;
    }
    let simple = request.content.and_then(|content| content.simple);
    let simple = simple.ok_or_else(|| bad("Content has nothing Simple, which is all that the box sends"))?;
    let subject = text("Subject", simple.subject)?.ok_or_else(|| bad("Subject is missing"))?;
    if subject.chars().any(char::is_control) {
        return Err(bad("Subject contains control characters"));
    }
    let (body_text, html) = simple.body.map(|body| (body.text, body.html)).unwrap_or_default();
    let (body_text, html) = (text("Text", body_text)?, text("Html", html)?);
    if body_text.is_none() && html.is_none() {
        return Err(bad("Body has neither Text nor Html"));
    }
    Ok(Mail {
        id,
        at,
        from,
        to,
        reply_to: request.reply_to_addresses,
        subject,
        text: body_text,
        html,
        headers: headers(simple.headers)?,
        tags: tags(request.email_tags)?,
        configuration_set: request.configuration_set_name,
    })
}

/// The text, if there is one. SES takes one without a charset to be ASCII, and spoils whatever is not.
fn text(name: &str, text: Option<Text>) -> Result<Option<String>> {
    match text {
        Some(Text { data, .. }) if data.is_empty() => Err(bad(format!("{name} is empty"))),
        Some(Text { data, charset: None }) if !data.is_ascii() => {
            Err(bad(format!("{name} is not 7-bit ASCII, and has no Charset")))
        }
        Some(Text { charset: Some(charset), .. }) if !charset.eq_ignore_ascii_case("UTF-8") => {
            Err(bad(format!("{name} has the Charset {charset}, and the box writes UTF-8 only")))
        }
        text => Ok(text.map(|text| text.data)),
    }
}

fn headers(headers: Vec<Named>) -> Result<Vec<(String, String)>> {
    if headers.len() > HEADERS_LIMIT {
        return Err(bad(format!("there are more than {HEADERS_LIMIT} Headers")));
    }
    let checked = headers.into_iter().map(|Named { name, value }| {
        let is_name = (1..=126).contains(&name.len())
            && name.chars().all(|char| char.is_ascii_graphic() && char != ':')
            && !OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str());
        let is_value = (1..=870).contains(&value.len())
            && value.chars().all(|char| char.is_ascii_graphic() || char == ' ');
        if is_name && is_value {
            Ok((name, value))
        } else {
            Err(bad(format!("the header {name:?} is invalid")))
        }
    });
    checked.collect()
}

fn tags(tags: Vec<Named>) -> Result<BTreeMap<String, String>> {
    if tags.len() > TAGS_LIMIT {
        return Err(bad(format!("there are more than {TAGS_LIMIT} EmailTags")));
    }
    let is_word = |word: &str| {
        (1..=256).contains(&word.len())
            && word.chars().all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
    };
    let checked = tags.into_iter().map(|Named { name, value }| {
        if is_word(&name) && is_word(&value) {
            Ok((name, value))
        } else {
            Err(bad(format!("the tag {name:?} is invalid: it has letters, digits, _ and - only")))
        }
    });
    checked.collect()
}

fn bad(reason: impl Into<String>) -> MailError {
    MailError::BadRequest(reason.into())
}
