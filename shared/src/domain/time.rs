//! Instants and their one text form.
//!
//! Nothing in `domain` reads a clock: whoever needs the time is handed it.

use std::{fmt, ops::Add, ops::Sub, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// An instant, in whole milliseconds since 1970-01-01 UTC.
///
/// Stored as a number; shown as RFC 3339 with milliseconds and `Z`, which is what the clients of both
/// dialects parse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// The last that can be shown: 9999-12-31T23:59:59.999Z.
const LAST_MS: i64 = 253_402_300_799_999;

impl Timestamp {
    /// The instant `ms` milliseconds after 1970-01-01 UTC.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01 UTC, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Reads RFC 3339 in any offset; `None` if it is not, or is outside the years 1970 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        Self::shown(i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok()?)
    }

    /// The instant `ms` milliseconds after 1970-01-01 UTC; `None` outside the years 1970 to 9999.
    pub(super) fn shown(ms: i64) -> Option<Self> {
        (0..=LAST_MS).contains(&ms).then_some(Self(ms))
    }

    /// The same text form to the second, as ePages writes it in a callback.
    pub fn to_seconds_string(self) -> String {
        let text = self.to_string();
        text.split_once('.').map(|(secs, _)| format!("{secs}Z")).unwrap_or(text)
    }

    /// The time from `earlier` until this instant; zero if it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format =
            format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|at| at.format(&format).ok())
            .ok_or(fmt::Error)?;
        f.write_str(&text)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let ms = self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
        Self(ms.min(LAST_MS))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::shown(i64::deserialize(deserializer)?)
            .ok_or_else(|| D::Error::custom("a time outside the years 1970 to 9999"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_with_milliseconds_and_z() {
        assert_eq!(Timestamp::from_ms(1_571_995_527_000).to_string(), "2019-10-25T09:25:27.000Z");
        assert_eq!(Timestamp::from_ms(1).to_string(), "1970-01-01T00:00:00.001Z");
    }

    #[test]
    fn reads_any_offset_and_refuses_what_it_could_not_show() {
        let at = Timestamp::from_ms(1_571_995_527_120);
        assert_eq!(Timestamp::parse("2019-10-25T09:25:27.12Z"), Some(at));
        assert_eq!(Timestamp::parse("2019-10-25T11:25:27.1200001+02:00"), Some(at));
        for text in [
            "",
            "yesterday",
            "2019-10-25",
            "2019-13-25T09:25:27Z",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59-00:01",
            "0000-01-01T00:00:00+23:59",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn no_time_is_read_or_reached_that_could_not_be_shown() {
        let read = |json: &str| serde_json::from_str::<Timestamp>(json).ok();
        let last = Timestamp::from_ms(LAST_MS);
        assert_eq!(last.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!((read("0"), read("253402300799999")), (Some(Timestamp::default()), Some(last)));
        for json in ["-1", "253402300800000", "9223372036854775807", "1.0"] {
            assert_eq!(read(json), None, "{json}");
        }
        assert_eq!(Timestamp::parse("9999-12-31T23:59:59.9999999Z"), Some(last));
        assert_eq!(last + Duration::from_millis(1), last);
    }
}
