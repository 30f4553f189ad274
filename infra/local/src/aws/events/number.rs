//! Numbers as JSON writes them, compared exactly.

use std::cmp::Ordering;

/// A decimal number of any size and precision.
///
/// The value is `0.digits` × 10^`exponent`; the digits neither begin nor end with a zero, so that equal numbers
/// are equal in every field. Zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads a number of JSON's grammar; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let leading = i64::try_from(all.len() - digits.len()).ok()?;
        let digits = digits.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { negative: false, digits, exponent: 0 });
        }
        let shift = i64::try_from(whole.len()).ok()? - leading;
        Some(Self { negative, digits, exponent: power_of_ten(power)?.saturating_add(shift) })
    }
}

/// An exponent; one beyond all reason is as good as the largest.
fn power_of_ten(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().unwrap_or(i64::MAX);
    Some(if negative { -size } else { size })
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |one: &Self, two: &Self| {
            (!one.digits.is_empty())
                .cmp(&!two.digits.is_empty())
                .then_with(|| one.exponent.cmp(&two.exponent))
                .then_with(|| one.digits.cmp(&two.digits))
        };
        match (self.negative, other.negative) {
            (false, false) => size(self, other),
            (true, true) => size(other, self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(one: &str, expected: Ordering, two: &str) {
        let decimal = |text| Decimal::parse(text).expect("a number");
        assert_eq!(decimal(one).cmp(&decimal(two)), expected, "{one} and {two}");
        assert_eq!(decimal(two).cmp(&decimal(one)), expected.reverse(), "{two} and {one}");
    }

    #[test]
    fn numbers_compare_by_value_to_the_last_digit() {
        check("300", Ordering::Equal, "3.0e2");
        check("-0", Ordering::Equal, "0.0e9");
        check("0.1", Ordering::Equal, "1E-1");
        check("9007199254740993", Ordering::Greater, "9007199254740992");
        check("-9007199254740993", Ordering::Less, "-9007199254740992");
        check("0.30000000000000001", Ordering::Greater, "0.3");
        check("9", Ordering::Less, "10");
        check("-10", Ordering::Less, "9");
        check("-1", Ordering::Less, "0");
        check("0", Ordering::Less, "0.001");
        check("1e99999999999999999999", Ordering::Greater, "1e300");
        check("1e-99999999999999999999", Ordering::Less, "1e-300");
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", "one", "1e", "1.2.3", "0x10", " 1", "+1"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
