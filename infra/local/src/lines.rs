//! One readable line in the terminal for each attempt and each mail.

use std::{
    fmt,
    io::{self, Write as _},
    sync::Arc,
};

use knockback::{clock::Clock, telemetry::ATTEMPT};
use local::aws::mail::MAIL;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

/// Prints what deliver logs of its attempts, and the box of mails.
#[derive(Debug)]
pub(crate) struct Lines {
    clock: Arc<dyn Clock>,
}

impl Lines {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = match event.metadata().target() {
            ATTEMPT => read::<AttemptLine>(event),
            MAIL => read::<MailLine>(event),
            _ => return,
        };
        let now = self.clock.now().to_string();
        let time = time_of_day(&now);
        // A terminal that is gone must not end the deliveries.
        let _ = writeln!(io::stdout().lock(), "{time}  {line}");
    }
}

/// The line that an event is.
fn read<L: Default + Visit + fmt::Display>(event: &Event<'_>) -> String {
    let mut line = L::default();
    event.record(&mut line);
    line.to_string()
}

/// The time of day of an instant, with its `Z`.
fn time_of_day(instant: &str) -> &str {
    instant.split_once('T').map_or(instant, |(_, time)| time)
}

/// What the log says of an attempt, or of a ban.
#[derive(Debug, Default)]
struct AttemptLine {
    object: String,
    action: String,
    webhook: String,
    attempt: u64,
    status: Option<u64>,
    duration_ms: Option<u64>,
    error: Option<String>,
    dropped: Option<String>,
    retry_due: Option<String>,
    given_up: bool,
    banned_until: Option<String>,
    deactivated: bool,
}

impl Visit for AttemptLine {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "webhook" => self.webhook = text,
            "retry_due" => self.retry_due = Some(text),
            "banned_until" => self.banned_until = Some(text),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "object" => value.clone_into(&mut self.object),
            "action" => value.clone_into(&mut self.action),
            "error" => self.error = Some(value.to_owned()),
            "dropped" => self.dropped = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "given_up" => self.given_up = value,
            "deactivated" => self.deactivated = value,
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "attempt" => self.attempt = value,
            "status" => self.status = Some(value),
            "duration_ms" => self.duration_ms = Some(value),
            _ => {}
        }
    }
}

impl fmt::Display for AttemptLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, action, webhook, attempt, .. } = self;
        write!(f, "webhook {webhook}  ")?;
        if let Some(until) = &self.banned_until {
            return write!(f, "BANNED until {}", time_of_day(until));
        }
        if self.deactivated {
            return f.write_str("DEACTIVATED: the retries of a delivery are used up");
        }
        write!(f, "attempt {attempt}  ")?;
        if let Some(dropped) = &self.dropped {
            return write!(f, "dropped: {dropped}");
        }
        let duration_ms = self.duration_ms.unwrap_or_default();
        match (&self.error, self.status) {
            (Some(error), _) => {
                write!(f, "{object}.{action}  FAILED after {duration_ms} ms: {error}")?;
                match &self.retry_due {
                    Some(due) => write!(f, "; next attempt at {}", time_of_day(due)),
                    None if self.given_up => f.write_str("; given up"),
                    // A copy of it has decided what follows, or its webhook is gone.
                    None => Ok(()),
                }
            }
            (None, status) => {
                write!(f, "{object}.{action}  delivered in {duration_ms} ms: {}", status.unwrap_or_default())
            }
        }
    }
}

/// What the box says of a mail.
#[derive(Debug, Default)]
struct MailLine {
    to: String,
    subject: String,
    file: Option<String>,
}

impl Visit for MailLine {
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "to" => value.clone_into(&mut self.to),
            "subject" => value.clone_into(&mut self.subject),
            "file" => self.file = Some(value.to_owned()),
            _ => {}
        }
    }
}

impl fmt::Display for MailLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Quoted with escapes: a subject may hold what somebody else wrote.
        write!(f, "mail to {}  {:?}", self.to, self.subject)?;
        self.file.iter().try_for_each(|file| write!(f, "  {file}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_happened() {
        let mut line = AttemptLine {
            object: "deal".to_owned(),
            action: "change".to_owned(),
            webhook: "7".to_owned(),
            attempt: 1,
            status: Some(200),
            duration_ms: Some(3),
            ..AttemptLine::default()
        };
        assert_eq!(line.to_string(), "webhook 7  attempt 1  deal.change  delivered in 3 ms: 200");
        line.error = Some("answered 500 Internal Server Error".to_owned());
        let expected =
            "webhook 7  attempt 1  deal.change  FAILED after 3 ms: answered 500 Internal Server Error";
        assert_eq!(line.to_string(), expected);
        line.given_up = true;
        assert_eq!(line.to_string(), format!("{expected}; given up"));
        line.retry_due = Some("2026-01-01T00:00:03.000Z".to_owned());
        assert!(line.to_string().ends_with("; next attempt at 00:00:03.000Z"), "{line}");
        line.dropped = Some("banned".to_owned());
        assert_eq!(line.to_string(), "webhook 7  attempt 1  dropped: banned");
        line.banned_until = Some("2026-01-01T00:30:00.000Z".to_owned());
        assert_eq!(line.to_string(), "webhook 7  BANNED until 00:30:00.000Z");
        (line.banned_until, line.deactivated) = (None, true);
        assert_eq!(line.to_string(), "webhook 7  DEACTIVATED: the retries of a delivery are used up");
    }

    #[test]
    fn a_mail_is_told_with_its_file_if_it_has_one() {
        let (to, subject) = ("owner@example.com".to_owned(), "Off\u{1b}[2J \"7\"".to_owned());
        let mut line = MailLine { to, subject, file: None };
        let told = r#"mail to owner@example.com  "Off\u{1b}[2J \"7\"""#;
        assert_eq!(line.to_string(), told);
        line.file = Some(".knockback/mails/a.eml".to_owned());
        assert_eq!(line.to_string(), format!("{told}  .knockback/mails/a.eml"));
    }
}
