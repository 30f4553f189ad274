//! Reading a message: one that Knockback wrote, or one that EventBridge passed on.

use knockback::{
    Context,
    domain::{
        EVENT_BYTES_MAX, Event, EventDefaults, EventId, FieldErrors, Fields, Installation, RawObject,
        RemovalTarget, Timestamp, UserId,
    },
    queues::EventsMessage,
};
use serde_json::value::RawValue;

/// The detail types, as JSON has them, of what the platform says of apps.
const APP_REMOVED: &str = "\"app.removed\"";
const APP_UNINSTALLED: &str = "\"app.uninstalled\"";

/// Why a message cannot be read. It ends in the dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Intake {
    #[error("the message is not JSON of a known kind")]
    Format(#[from] serde_json::Error),
    #[error("the event on the bus is wrong: {0}")]
    Fields(String),
    #[error("the event on the bus has {0} bytes, more than {EVENT_BYTES_MAX}")]
    TooLarge(usize),
}

impl From<FieldErrors> for Intake {
    fn from(errors: FieldErrors) -> Self {
        Self::Fields(errors.to_string())
    }
}

/// What a message is about.
pub(crate) enum Work {
    /// What Knockback itself sent, or an event as the bus had it.
    Message(EventsMessage),
    /// An app that was removed or uninstalled, as the bus says.
    End(RemovalTarget, EventId),
}

/// Reads a message.
pub(crate) fn read(context: &Context, body: &str) -> Result<Work, Intake> {
    // Most are Knockback's own: they are read once.
    match serde_json::from_str(body) {
        Ok(message) => Ok(Work::Message(message)),
        Err(error) => match detail_type(body) {
            None => Err(error.into()),
            Some(APP_REMOVED | APP_UNINSTALLED) => read_end(body),
            Some(_) => Ok(Work::Message(EventsMessage::Event(Box::new(read_envelope(context, body)?)))),
        },
    }
}

/// What EventBridge says that a message is about, as JSON has it.
fn detail_type(body: &str) -> Option<&str> {
    let message = serde_json::from_str::<RawObject<'_>>(body).ok()?;
    message.field("detail-type").map(RawValue::get)
}

/// Reads what the platform says of an app. The envelope's id tells a repeat.
fn read_end(body: &str) -> Result<Work, Intake> {
    let mut envelope = Fields::parse(body.as_bytes(), "")?;
    for name in ["id", "detail"] {
        envelope.require(name);
    }
    let (id, kind, detail) = (envelope.id("id"), envelope.raw("detail-type"), envelope.raw("detail"));
    let (id, kind, detail) = envelope.finish(|| Some((id?, kind?.get(), detail?.get())))?;
    let mut fields = Fields::parse(detail.as_bytes(), "detail.")?;
    fields.require("app");
    let app = fields.id("app");
    let target = if kind == APP_REMOVED {
        fields.finish(|| Some(RemovalTarget::App(app?)))?
    } else {
        fields.require("company_id");
        // Without a user, it is the company that had the app.
        let (company, user) = (fields.id("company_id"), fields.id("user_id"));
        let user = user.unwrap_or_else(UserId::of_company);
        fields.finish(|| {
            let installation = Installation { company: company?, app: app?, user };
            Some(RemovalTarget::Installation(installation))
        })?
    };
    Ok(Work::End(target, id))
}

fn read_envelope(context: &Context, body: &str) -> Result<Event, Intake> {
    let mut envelope = Fields::parse(body.as_bytes(), "")?;
    for name in ["id", "time", "detail"] {
        envelope.require(name);
    }
    let id: Option<EventId> = envelope.id("id");
    let time = envelope.text("time", 64).and_then(|time| Timestamp::parse(&time));
    let detail = envelope.raw("detail");
    let (id, occurred_at, detail) = envelope.finish(|| Some((id?, time?, detail?.get())))?;
    if detail.len() > EVENT_BYTES_MAX {
        return Err(Intake::TooLarge(detail.len()));
    }
    // The envelope's id and time serve, so that a repeat of the envelope is the same event. When Knockback took it is not
    // for the sender to say: of all repeats, the first that is kept decides.
    let host = context.config.host.as_deref().unwrap_or_default();
    let defaults =
        EventDefaults { accepted_at: context.now(), occurred_at, host, id, correlation: context.random() };
    Ok(Event::parse(detail.as_bytes(), "detail.", defaults)?)
}
