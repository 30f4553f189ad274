//! Events, each kept once, before its fan-out, and how far that is.

use std::io::{Read, Write};

use aws_sdk_dynamodb::{
    operation::{put_item::PutItemError, update_item::UpdateItemError},
    types::ReturnValuesOnConditionCheckFailure as OnFailure,
};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use serde::{Deserialize, Serialize};

use super::{Item, Store, StoreError, error::unless_refused, from_item, keys::Key, number, text, to_item};
use crate::{
    domain::{CompanyId, Event, EventId, FanOutState, PAGE_LEASE, PageStanding, Timestamp, page_standing},
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
    /// Absent from what the version before wrote: it knew one page.
    #[serde(default)]
    page: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    packing: Packing,
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
    ttl: i64,
}

impl EventItem {
    fn fan_out(&self) -> FanOutState {
        match self.state {
            State::Fanning => FanOutState::Fanning { page: self.page, lease_until: self.lease_until },
            State::Done => FanOutState::Done,
        }
    }
}

/// How often a page is claimed while its predecessor moves the item on.
const CLAIM_TRIES: usize = 8;

/// An event, and how far its fan-out was when it was read.
#[derive(Debug)]
pub struct FanOut {
    /// The event as it was first kept: its time is the time, whatever a repeat says.
    pub event: Box<Event>,
    /// How far it is.
    pub state: FanOutState,
    /// Whether this very call has kept it. Of all repeats of an event one is told so; none, if DynamoDB's answer is lost.
    pub is_new: bool,
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
        let item = EventItem {
            pk,
            sk,
            v: Version1,
            state: State::Fanning,
            page: 0,
            lease_until: None,
            owner: None,
            packing,
            body,
            ttl: self.expiry(now),
        };
        let put = self
            .client
            .put_item()
            .table_name(&self.deliveries)
            .set_item(Some(to_item(&item)?))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        let Err(error) = put.send().await else {
            return Ok(FanOut { event, state: item.fan_out(), is_new: true });
        };
        let Some(PutItemError::ConditionalCheckFailedException(kept)) = error.as_service_error() else {
            return Err(StoreError::call("PutItem")(error));
        };
        fan_out(kept.item().cloned().unwrap_or_default())
    }

    /// Reads an event whose fan-out goes on, consistently; `None` if it has expired.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn fan_out(&self, company: &CompanyId, event: &EventId) -> Result<Option<FanOut>, StoreError> {
        let get = self.client.get_item().table_name(&self.deliveries).consistent_read(true);
        let get = get.set_key(Some(Key::event(company, event).into_item()));
        get.send().await.map_err(StoreError::call("GetItem"))?.item.map(fan_out).transpose()
    }

    /// Claims a page of a fan-out, on condition that it is as far as was read, else as far as is found. Of many copies of
    /// a page's message, one may `Begin`.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer, or others keep changing how far it is.
    pub async fn claim_page(
        &self,
        read: &FanOut,
        page: u32,
        owner: &str,
        now: Timestamp,
    ) -> Result<PageStanding, StoreError> {
        let mut state = read.state;
        for _ in 0..CLAIM_TRIES {
            let standing = page_standing(state, page, now);
            let (PageStanding::Begin, FanOutState::Fanning { page: was, lease_until }) = (standing, state)
            else {
                return Ok(standing);
            };
            let page_is =
                if was == 0 { "(attribute_not_exists(#page) OR #page = :was)" } else { "#page = :was" };
            let lease_is =
                lease_until.map_or("attribute_not_exists(lease_until)", |_| "lease_until = :lease");
            let mut update = self
                .client
                .update_item()
                .table_name(&self.deliveries)
                .set_key(Some(Key::event(&read.event.company, &read.event.id).into_item()))
                .update_expression("SET #page = :page, lease_until = :until, #owner = :owner")
                .condition_expression(format!("#state = :fanning AND {page_is} AND {lease_is}"))
                .expression_attribute_names("#state", "state")
                .expression_attribute_names("#page", "page")
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_values(":fanning", text("fanning"))
                .expression_attribute_values(":was", number(was))
                .expression_attribute_values(":page", number(page))
                .expression_attribute_values(":until", number((now + PAGE_LEASE).as_ms()))
                .expression_attribute_values(":owner", text(owner))
                .return_values_on_condition_check_failure(OnFailure::AllOld);
            if let Some(lease) = lease_until {
                update = update.expression_attribute_values(":lease", number(lease.as_ms()));
            }
            let Err(error) = update.send().await else { return Ok(PageStanding::Begin) };
            let Some(UpdateItemError::ConditionalCheckFailedException(refused)) = error.as_service_error()
            else {
                return Err(StoreError::call("UpdateItem")(error));
            };
            // Without an item, it has expired since it was read.
            let Some(item) = refused.item() else { return Ok(PageStanding::Over) };
            let found: EventItem = from_item(item.clone())?;
            // The answer to this very claim may have been lost, and the SDK have made it again.
            if found.page == page && found.owner.as_deref() == Some(owner) {
                return Ok(PageStanding::Begin);
            }
            state = found.fan_out();
        }
        Err(StoreError::Contention { operation: "claiming a page" })
    }

    /// Notes that a page is sent and that the next one has a message, unless somebody has noted it.
    ///
    /// # Errors
    ///
    /// If DynamoDB does not answer.
    pub async fn end_page(&self, company: &CompanyId, event: &EventId, page: u32) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.deliveries)
            .set_key(Some(Key::event(company, event).into_item()))
            .update_expression("SET #page = :next REMOVE lease_until, #owner")
            .condition_expression("#state = :fanning AND #page = :page")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#page", "page")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":fanning", text("fanning"))
            .expression_attribute_values(":page", number(page))
            .expression_attribute_values(":next", number(page.saturating_add(1)));
        unless_refused(update.send().await)
    }

    /// Notes that all deliveries of an event are on their way, if it is still kept.
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
            .update_expression("SET #state = :done REMOVE lease_until, #owner")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":done", text("done"));
        unless_refused(update.send().await)
    }
}

fn fan_out(item: Item) -> Result<FanOut, StoreError> {
    let item: EventItem = from_item(item)?;
    Ok(FanOut { event: Box::new(unpack(&item)?), state: item.fan_out(), is_new: false })
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
                page: 0,
                lease_until: None,
                owner: None,
                packing,
                body,
                ttl: 0,
            };
            let event = unpack(&item).expect("an event");
            assert_eq!(event.data.map(|data| data.get().to_owned()), Some(data));
        }
    }
}
