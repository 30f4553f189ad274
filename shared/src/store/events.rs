//! Events, each kept once, before its fan-out.

use std::io::{Read, Write};

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError, types::ReturnValuesOnConditionCheckFailure as OnFailure,
};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use serde::{Deserialize, Serialize};

use super::{Item, Store, StoreError, from_item, keys::Key, text, to_item};
use crate::{
    domain::{CompanyId, Event, EventId, Timestamp},
    version::Version1,
};

/// Below this, an item costs one write unit however small it is: packing would only cost time.
const PACKED_FROM_BYTES: usize = 900;

/// What an event bursts to at most when it is unpacked: it was bounded when it came in, so more is corruption.
const UNPACKED_BYTES_MAX: u64 = 4 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Packing {
    Plain,
    Deflate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Fanning,
    Done,
}

#[derive(Serialize, Deserialize)]
struct EventItem {
    pk: String,
    sk: String,
    v: Version1,
    state: State,
    packing: Packing,
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
    ttl: i64,
}

/// What is left to do for an event that has reached fan-out.
#[derive(Debug)]
pub enum FanOut {
    /// To fan it out, as it was first kept: its time is the time, whatever a repeat says.
    Due(Box<Event>),
    /// Nothing: it is a repeat.
    Done,
}

impl Store {
    /// Keeps an event before its fan-out, unless it is kept already.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn begin_fan_out(&self, event: Box<Event>, now: Timestamp) -> Result<FanOut, StoreError> {
        let Key { pk, sk } = Key::event(&event.company, &event.id);
        let (packing, body) = pack(&event)?;
        let item =
            EventItem { pk, sk, v: Version1, state: State::Fanning, packing, body, ttl: self.expiry(now) };
        let put = self
            .client
            .put_item()
            .table_name(&self.deliveries)
            .set_item(Some(to_item(&item)?))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        let Err(error) = put.send().await else { return Ok(FanOut::Due(event)) };
        let Some(PutItemError::ConditionalCheckFailedException(kept)) = error.as_service_error() else {
            return Err(StoreError::call("PutItem")(error));
        };
        let kept: EventItem = from_item(kept.item().cloned().unwrap_or_default())?;
        match kept.state {
            State::Done => Ok(FanOut::Done),
            State::Fanning => unpack(&kept).map(Box::new).map(FanOut::Due),
        }
    }

    /// Notes that all deliveries of an event are on their way.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn finish_fan_out(&self, company: &CompanyId, event: &EventId) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.deliveries)
            .set_key(Some(Key::event(company, event).into_item()))
            .update_expression("SET #state = :done")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":done", text("done"));
        update.send().await.map_err(StoreError::call("UpdateItem"))?;
        Ok(())
    }
}

/// Reads an event's item.
pub(super) fn event(item: Item) -> Result<Event, StoreError> {
    unpack(&from_item(item)?)
}

fn pack(event: &Event) -> Result<(Packing, Vec<u8>), StoreError> {
    let json = serde_json::to_vec(event).map_err(StoreError::Event)?;
    if json.len() < PACKED_FROM_BYTES {
        return Ok((Packing::Plain, json));
    }
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(json.len() / 2), Compression::fast());
    let packed = encoder.write_all(&json).and_then(|()| encoder.finish()).map_err(StoreError::Packing)?;
    Ok((Packing::Deflate, packed))
}

fn unpack(item: &EventItem) -> Result<Event, StoreError> {
    match item.packing {
        Packing::Plain => serde_json::from_slice(&item.body).map_err(StoreError::Event),
        Packing::Deflate => {
            let mut json = Vec::new();
            let decoder = DeflateDecoder::new(&*item.body);
            decoder.take(UNPACKED_BYTES_MAX).read_to_end(&mut json).map_err(StoreError::Packing)?;
            serde_json::from_slice(&json).map_err(StoreError::Event)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_values::{raw, recorded_deal};

    #[test]
    fn an_event_is_unpacked_digit_for_digit_whatever_its_size() {
        for (repeats, packing) in [(1, Packing::Plain), (2000, Packing::Deflate)] {
            let mut event = recorded_deal();
            let data = format!(r#"{{"n":[{}9007199254740993,1.10]}}"#, "1,".repeat(repeats));
            event.data = raw(&data);
            let (packed_as, body) = pack(&event).expect("packed");
            assert_eq!(packed_as, packing);
            let item = EventItem {
                pk: String::new(),
                sk: String::new(),
                v: Version1,
                state: State::Done,
                packing,
                body,
                ttl: 0,
            };
            let event = unpack(&item).expect("an event");
            assert_eq!(event.data.map(|data| data.get().to_owned()), Some(data));
        }
    }
}
