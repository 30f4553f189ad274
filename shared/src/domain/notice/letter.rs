//! A mail to an owner, in words.
//!
//! It says nothing that is secret: of the URL only scheme, host and port, and nothing of credentials. What callers have
//! named is cut, and shown without what could disguise it; in HTML it is escaped.

use std::fmt::Write as _;

use serde_json::json;
use url::Url;

use super::{Notice, Told};
use crate::domain::{AttemptEnd, Dialect, Policy, Timestamp, Webhook};

/// The most that is shown of what a webhook is called, and of why an attempt failed, in characters.
const NAME_CHARS_MAX: usize = 60;
const ERROR_CHARS_MAX: usize = 200;

/// A mail, without its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// What it is about: one line.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// What a mail says, before it is written in a form.
struct Letter {
    subject: String,
    /// What happened.
    lead: String,
    /// What is known of the webhook, by what it is called.
    facts: Vec<(&'static str, String)>,
    /// What to do.
    advice: String,
    /// The request that does it.
    request: String,
}

impl Mail {
    /// Writes what a notice tells of a webhook. `last` is how its last attempt ended, where that is known.
    pub fn write(notice: &Notice, webhook: &Webhook, last: Option<&AttemptEnd>, policy: &Policy) -> Self {
        let letter = Letter::new(notice, webhook, last, policy);
        Self { subject: letter.subject.clone(), text: letter.text(), html: letter.html() }
    }
}

impl Letter {
    fn new(notice: &Notice, webhook: &Webhook, last: Option<&AttemptEnd>, policy: &Policy) -> Self {
        let named = named(webhook);
        let company = company(webhook);
        let timeout = humantime::format_duration(policy.timeout);
        let answers = format!("has to answer a POST with a status from 200 to 299 within {timeout}");
        let (subject, lead, when, advice) = match notice.told {
            Told::Deactivated => (
                format!("{named} is deactivated"),
                format!(
                    "{named} of {company} is deactivated, for the last retry of a delivery has failed. What happens \
                     until it is switched on again is not delivered to it."
                ),
                ("Deactivated", notice.at),
                format!("Mend the endpoint: it {answers}. Then switch the webhook on again:"),
            ),
            Told::Expiring { expires_at } => (
                format!("{named} will be deleted"),
                format!("{named} of {company} fails, and will be deleted soon after {}.", moment(expires_at)),
                ("Will be deleted", expires_at),
                format!(
                    "Mend the endpoint: it {answers}. One delivery that succeeds before then saves the webhook, and so \
                     does a change of its URL:"
                ),
            ),
            Told::Deleted => (
                format!("{named} was deleted"),
                format!(
                    "{named} of {company} was deleted, for no delivery has succeeded since it began to fail."
                ),
                ("Deleted", notice.at),
                format!("Mend the endpoint: it {answers}. Then create the webhook again:"),
            ),
        };
        let facts = facts(notice, webhook, last, when);
        Self { subject, lead, facts, advice, request: request(notice.told, webhook) }
    }

    fn text(&self) -> String {
        let Self { lead, facts, advice, request, .. } = self;
        let facts: String = facts.iter().fold(String::new(), |mut lines, (name, value)| {
            // Writing to a text cannot fail.
            let _ = writeln!(lines, "{name}: {value}");
            lines
        });
        let request = request.replace('\n', "\n  ");
        format!("{lead}\n\n{facts}\n{advice}\n\n  {request}\n")
    }

    fn html(&self) -> String {
        let [lead, advice, request] = [&self.lead, &self.advice, &self.request].map(|text| escaped(text));
        let rows: String = self.facts.iter().fold(String::new(), |mut rows, (name, value)| {
            let value = escaped(value);
            let _ = writeln!(rows, "<tr><th align=\"left\">{name}</th><td>{value}</td></tr>");
            rows
        });
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><body>\n<p>{lead}</p>\n<table>\n{rows}</table>\n<p>{advice}</p>\n\
             <pre>{request}</pre>\n</body></html>\n"
        )
    }
}

/// What is known of a webhook. `when`: the time that the mail is about.
fn facts(
    notice: &Notice,
    webhook: &Webhook,
    last: Option<&AttemptEnd>,
    (event, at): (&'static str, Timestamp),
) -> Vec<(&'static str, String)> {
    let failed = last.filter(|end| !end.is_success());
    let status = failed.map_or(notice.last_http_status, |end| end.status);
    let pattern = &webhook.pattern;
    let asks_for = match webhook.dialect() {
        Dialect::Epages => pattern.event_type(),
        Dialect::Pipedrive => {
            format!("{} of {} (version {})", pattern.action, pattern.object, pattern.version.as_str())
        }
    };
    let mut facts = vec![("Webhook", webhook.id.to_string())];
    facts.extend(name(webhook).map(|name| ("Name", name)));
    facts.push(("Belongs to", company(webhook)));
    facts.extend(webhook.app.as_ref().map(|app| ("App", app.to_string())));
    facts.push(("Asks for", asks_for));
    facts.extend(origin(&webhook.url).map(|origin| ("Delivers to", origin)));
    facts.push((event, moment(at)));
    facts.extend(notice.failing_since.map(|since| ("Fails since", moment(since))));
    facts.extend(failed.map(|end| ("Last attempt", moment(end.ended_at))));
    facts.push(("Last status", status.map_or("no answer".to_owned(), |status| status.to_string())));
    facts.extend(failed.and_then(why).map(|why| ("It failed because", why)));
    facts
}

/// Why an attempt failed. No reason names a URL; should one do so, it is not shown, for the URL may hold a secret.
fn why(end: &AttemptEnd) -> Option<String> {
    let error = end.error.as_deref().filter(|error| !error.contains("://"))?;
    Some(plain(error, ERROR_CHARS_MAX))
}

/// The request that revives a webhook, in the words of its dialect (facts: Resources; Management API).
pub(super) fn request(told: Told, webhook: &Webhook) -> String {
    let pattern = &webhook.pattern;
    let origin = origin(&webhook.url).unwrap_or_else(|| "https://".to_owned());
    let url = format!("{origin}/…");
    match webhook.dialect() {
        Dialect::Epages => {
            let webhooks = format!("POST /rs/shops/{}/webhooks", webhook.company);
            match told {
                Told::Deactivated | Told::Expiring { .. } => {
                    format!("{webhooks}/{}\nactive=true", webhook.id)
                }
                Told::Deleted => {
                    format!("{webhooks}\n{}", json!({"callbackUrl": url, "eventType": pattern.event_type()}))
                }
            }
        }
        Dialect::Pipedrive => {
            let webhook_path = format!("PATCH /v1/webhooks/{}", webhook.id);
            match told {
                Told::Deactivated => format!("{webhook_path}\n{}", json!({"is_active": true})),
                Told::Expiring { .. } => {
                    format!("{webhook_path}\n{}", json!({"subscription_url": "https://…"}))
                }
                Told::Deleted => {
                    let version = pattern.version.as_str();
                    let body = json!({"subscription_url": url, "event_action": pattern.action,
                        "event_object": pattern.object, "version": version});
                    format!("POST /v1/webhooks\n{body}")
                }
            }
        }
    }
}

/// A webhook as its owner knows it, to begin a sentence with.
fn named(webhook: &Webhook) -> String {
    let id = webhook.id;
    name(webhook).map_or_else(|| format!("Webhook {id}"), |name| format!("Webhook {id} (\"{name}\")"))
}

fn name(webhook: &Webhook) -> Option<String> {
    let name = plain(webhook.name.as_deref()?, NAME_CHARS_MAX);
    Some(name).filter(|name| !name.is_empty())
}

/// The company in the words of the dialect.
fn company(webhook: &Webhook) -> String {
    let word = match webhook.dialect() {
        Dialect::Pipedrive => "company",
        Dialect::Epages => "shop",
    };
    format!("{word} {}", webhook.company)
}

/// Scheme, host and port: the rest of a URL may hold a secret.
fn origin(url: &str) -> Option<String> {
    let origin = Url::parse(url).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

fn moment(at: Timestamp) -> String {
    at.to_seconds_string().replace('T', " ").replace('Z', " UTC")
}

/// A text of somebody else's on one line: without control characters and those that hide or turn round what stands beside
/// them, and cut.
fn plain(text: &str, chars_max: usize) -> String {
    let shown = |c: char| if c.is_control() || is_invisible(c) { ' ' } else { c };
    let text: String = text.chars().map(shown).collect();
    let words: Vec<_> = text.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= chars_max {
        return line;
    }
    line.chars().take(chars_max - 1).chain(['…']).collect()
}

/// Marks of direction, joiners, separators of lines, byte order marks, tags.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}
