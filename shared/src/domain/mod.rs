//! What Knockback decides, as plain functions of values and `now`.
//!
//! No async, no AWS, no clock, no randomness: the crate without its `adapters` feature is this module, and CI
//! builds it so.

mod address;
mod amendment;
mod announcement;
mod app;
mod attempt;
mod budget;
mod caller;
pub mod epages;
mod event;
mod fan_out;
mod fields;
mod gate;
mod hold;
mod ids;
mod notice;
mod pattern;
pub mod payload;
mod policy;
mod removal;
mod rotation;
mod staleness;
mod subscription;
#[cfg(test)]
pub(crate) mod test_values;
mod time;
mod turn;
mod waiting;
mod webhook;

#[cfg(all(test, feature = "adapters"))]
pub(crate) use address::corpus;
pub use address::{AddressPolicy, InvalidNetwork, Network, Refused, URL_BYTES_MAX};
pub use amendment::{Amendment, Edit};
pub use announcement::{Announcement, Change, Detail};
pub use app::{Generation, Installation, Installed, Life, Registration};
pub use attempt::{AfterFailure, AttemptEnd, AttemptNumber, LEASE, Retry, after_failure, after_success};
pub use budget::{Budget, RateLimit, Spend, Spending, request_cost};
pub use caller::{Caller, Member, Scope};
pub use event::{Action, EVENT_BYTES_MAX, EntityId, Event, EventDefaults, Object};
pub use fan_out::{FanOutState, PAGE_LEASE, PageStanding, Pages, page_standing};
pub use fields::{FieldErrors, Fields, JSON_DEPTH_MAX, RawObject, is_email_address, is_shallow};
pub use gate::{AppState, DropReason, Gate, Turn, gate};
pub use hold::Hold;
pub use ids::{AppId, CompanyId, DeliveryId, EventId, ID_BYTES_MAX, InvalidId, UserId, WebhookId};
pub use notice::{Mail, NOTICE_LEASE, Notice, NoticeError, Told, contact};
pub use pattern::{ANY, Objects, Pattern, Version};
pub use policy::{BanRule, Dialect, Exhaustion, InvalidPolicy, NUMBERS, Policies, Policy};
pub use removal::{AppRemoval, RemovalTarget};
pub use rotation::{FormerSecret, OVERLAP, RotatedTooOften};
pub use staleness::{StaleBounds, Staleness, staleness};
pub use subscription::{Subscription, Target};
pub use time::Timestamp;
pub use turn::{AttemptState, Standing, standing};
pub use waiting::{DELAY_MAX, alarm_delay, wake_again_at, wake_at};
pub use webhook::{Health, RemoveReason, Sealed, Secret, Webhook};
