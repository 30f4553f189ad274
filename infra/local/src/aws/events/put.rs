//! `PutEvents`: takes events and delivers them.

use knockback::domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value, json, value::RawValue};

use super::{ACCOUNT, EventService, REGION, Refusal, Result, SinkError, buses, json::Json};

const MAX_ENTRIES: usize = 10;
/// Of all entries of a call together.
const MAX_BYTES: usize = 1024 * 1024;
/// What an entry's time counts, however it is written.
const TIME_BYTES: usize = 14;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutEvents {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
    resources: Option<Vec<String>>,
    /// Seconds since 1970.
    time: Option<Number>,
}

/// An event as targets get it.
#[derive(Debug)]
pub(super) struct Event {
    /// The whole as JSON; the detail comes last.
    pub(super) text: String,
    pub(super) received_at: String,
    detail_bytes: usize,
}

/// An event's envelope, in the order in which AWS writes it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope<'a> {
    version: &'a str,
    id: &'a str,
    detail_type: &'a str,
    source: &'a str,
    account: &'a str,
    time: &'a str,
    region: &'a str,
    resources: &'a [String],
    detail: &'a RawValue,
}

/// What one target gets of an event.
struct Dispatch {
    rule_arn: String,
    target_arn: String,
    dead_letter_arn: Option<String>,
    /// `None` if the event lacks what the target wants of it.
    body: Option<String>,
}

/// Why one entry of a call is refused while the others are taken.
struct EntryError {
    code: &'static str,
    message: String,
}

/// Takes the events of a call, each on its own, and delivers them in their order.
pub(super) fn put_events(service: &EventService, request: &PutEvents) -> Result<Value> {
    check_limits(&request.entries)?;
    let mut failed = 0;
    let mut entries = Vec::new();
    for entry in &request.entries {
        match put_event(service, entry) {
            Ok(id) => entries.push(json!({"EventId": id})),
            Err(error) => {
                failed += 1;
                entries.push(json!({"ErrorCode": error.code, "ErrorMessage": error.message}));
            }
        }
    }
    Ok(json!({"FailedEntryCount": failed, "Entries": entries}))
}

fn check_limits(entries: &[Entry]) -> Result<()> {
    let out_of_range = |how| {
        Refusal::validation(format!(
            "1 validation error detected: Value at 'entries' failed to satisfy constraint: \
             Member must have length {how}"
        ))
    };
    if entries.is_empty() {
        return Err(out_of_range("greater than or equal to 1"));
    }
    if entries.len() > MAX_ENTRIES {
        return Err(out_of_range("less than or equal to 10"));
    }
    if entries.iter().map(Entry::bytes).sum::<usize>() > MAX_BYTES {
        return Err(Refusal::validation("Total size of the entries in the request is over the limit."));
    }
    Ok(())
}

fn put_event(service: &EventService, entry: &Entry) -> Result<String, EntryError> {
    let source = required("Source", entry.source.as_deref())?;
    let detail_type = required("DetailType", entry.detail_type.as_deref())?;
    let detail = required("Detail", entry.detail.as_deref())?;
    if source.starts_with("aws.") {
        let message = "Not authorized for the source.".to_owned();
        return Err(EntryError { code: "NotAuthorizedForSourceException", message });
    }
    let detail: &RawValue = serde_json::from_str(detail)
        .ok()
        .filter(|detail: &&RawValue| detail.get().starts_with('{'))
        .ok_or_else(|| EntryError { code: "MalformedDetail", message: "Detail is malformed.".to_owned() })?;
    let now = service.clock.now();
    let id = new_id(service);
    let envelope = Envelope {
        version: "0",
        id: &id,
        detail_type,
        source,
        account: ACCOUNT,
        time: &in_seconds(entry.time.as_ref().and_then(timestamp).unwrap_or(now)),
        region: REGION,
        resources: entry.resources.as_deref().unwrap_or_default(),
        detail,
    };
    let internal =
        |error: serde_json::Error| EntryError { code: "InternalFailure", message: error.to_string() };
    let text = serde_json::to_string(&envelope).map_err(internal)?;
    let parsed = Json::parse(&text).map_err(internal)?;
    let event = Event { text, received_at: in_seconds(now), detail_bytes: detail.get().len() };
    for dispatch in dispatches(service, buses::name(entry.event_bus_name.as_ref()), &event, &parsed) {
        dispatch.send(service, &event);
    }
    Ok(id)
}

/// Whom the rules of a bus send the event to. As on AWS, a bus that does not exist swallows it.
fn dispatches(service: &EventService, bus_name: &str, event: &Event, parsed: &Json) -> Vec<Dispatch> {
    let buses = service.buses();
    let Some(bus) = buses.get(bus_name) else {
        tracing::warn!(bus_name, "an event was put on a bus that does not exist");
        return Vec::new();
    };
    bus.rules
        .iter()
        .filter(|(_, rule)| rule.is_for(parsed))
        .flat_map(|(name, rule)| {
            rule.targets.values().map(|target| Dispatch {
                rule_arn: rule.arn.clone(),
                target_arn: target.arn.clone(),
                dead_letter_arn: target.dead_letter_arn.clone(),
                body: target.input.render(event, name, &rule.arn),
            })
        })
        .collect()
}

impl Dispatch {
    fn send(self, service: &EventService, event: &Event) {
        let Self { rule_arn, target_arn, dead_letter_arn, body } = self;
        let sent = match body {
            Some(body) => service.sink.send(&target_arn, body),
            None => Err(SinkError::from("the event has nothing at the target's input path")),
        };
        let Err(error) = sent else { return };
        tracing::warn!(rule_arn, target_arn, %error, "a target did not take an event");
        let Some(dead_letter_arn) = dead_letter_arn else { return };
        if let Err(error) = service.sink.send(&dead_letter_arn, event.text.clone()) {
            tracing::warn!(rule_arn, dead_letter_arn, %error, "an event is lost");
        }
    }
}

impl Event {
    /// The event as JSON without its detail.
    pub(super) fn without_detail(&self) -> String {
        let end = self.text.len() - self.detail_bytes - r#","detail":}"#.len();
        format!("{}}}", &self.text[..end])
    }
}

impl Entry {
    /// What the entry counts towards the limit of a call.
    fn bytes(&self) -> usize {
        let resources = self.resources.iter().flatten();
        let texts = [&self.source, &self.detail_type, &self.detail];
        self.time.as_ref().map_or(0, |_| TIME_BYTES)
            + texts.into_iter().flatten().chain(resources).map(String::len).sum::<usize>()
    }
}

fn required<'a>(name: &str, value: Option<&'a str>) -> Result<&'a str, EntryError> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| EntryError {
        code: "InvalidArgument",
        message: format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
    })
}

fn new_id(service: &EventService) -> String {
    let mut bytes = [0; 16];
    service.entropy.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// AWS keeps no fractions of an event's seconds.
fn timestamp(seconds: &Number) -> Option<Timestamp> {
    let text = seconds.as_f64().map(|seconds| format!("{:.0}", seconds.floor()));
    let seconds: i64 = text?.parse().ok()?;
    Some(Timestamp::from_ms(seconds.checked_mul(1000)?)).filter(|at| {
        // Only what can be shown: the years 1970 to 9999.
        (0..=253_402_300_799).contains(&at.as_secs())
    })
}

fn in_seconds(at: Timestamp) -> String {
    let with_ms = at.to_string();
    with_ms.split_once('.').map_or_else(|| with_ms.clone(), |(seconds, _)| format!("{seconds}Z"))
}
