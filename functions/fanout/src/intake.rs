//! Reading a message: one that Knockback wrote, or an event that EventBridge passed on.

use knockback::{
    Context,
    domain::{EVENT_BYTES_MAX, Event, EventDefaults, EventId, FieldErrors, Fields, RawObject, Timestamp},
    queues::EventsMessage,
};

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
        let fields =
            errors.by_field().iter().map(|(field, reasons)| format!("{field} {}", reasons.join(", ")));
        Self::Fields(fields.collect::<Vec<_>>().join("; "))
    }
}

/// Reads a message.
pub(crate) fn read_message(context: &Context, body: &str) -> Result<EventsMessage, Intake> {
    // Most are Knockback's own: they are read once.
    match serde_json::from_str(body) {
        Ok(message) => Ok(message),
        Err(_) if is_envelope(body) => Ok(EventsMessage::Event(Box::new(read_envelope(context, body)?))),
        Err(error) => Err(error.into()),
    }
}

fn is_envelope(body: &str) -> bool {
    serde_json::from_str::<RawObject<'_>>(body).is_ok_and(|message| message.field("detail-type").is_some())
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
