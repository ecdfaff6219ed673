//! Exact amounts: money and quantities as integer micro-units, and the wider form in which
//! rows are added before they are rounded once.

use std::borrow::Cow;
use std::fmt;
use std::iter::Sum;
use std::ops::AddAssign;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use thiserror::Error;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Micro-units in one unit of money or quantity.
pub const MICROS_PER_UNIT: i64 = 1_000_000;

/// Atto-units (1e-18) in one micro-unit (1e-6).
const ATTOS_PER_MICRO: i128 = 1_000_000_000_000;

/// Fraction digits that [`Exact`] keeps.
const EXACT_DIGITS: i32 = 18;

/// Largest amount of one row, in units: a millionth of it is the step of an `i64` of
/// micro-units, and ten million such rows still add up inside 38 decimal digits.
const MAX_UNITS: i128 = 9_000_000_000_000;

/// Why a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AmountError {
    #[error("`{0}` is no decimal number like 12.5")]
    Malformed(String),
    #[error("`{0}` is not a finite number")]
    NotFinite(String),
    #[error("{0} is beyond 9,000,000,000,000")]
    OutOfRange(String),
}

/// A decimal number in units of 1e-18, the form in which rows are summed.
///
/// Digits past the 18th of one row are rounded half-even as the row is read; an amount that is
/// not 0 is 1e-18 at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exact(i128);

impl Exact {
    /// Reads plain decimals (`12.5`, `-3`, `.5`) and exponents (`1.2E-05`).
    ///
    /// # Errors
    /// Anything else, `NaN` and infinities, and amounts beyond 9e12.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        match parse_short(text.as_bytes()) {
            Some(attos) => Ok(Self(attos)),
            None => parse_any(text).map(Self),
        }
    }

    /// The amount, where the bytes are a plain decimal like `12.5` or `-3`: the form of nearly
    /// every row. None for every other form, right or wrong: [`Exact::parse`] tells which.
    #[must_use]
    pub fn parse_plain(bytes: &[u8]) -> Option<Self> {
        parse_short(bytes).map(Self)
    }

    /// The amount of a whole number of micro-units.
    #[must_use]
    pub fn from_micros(micros: Micros) -> Self {
        Self(i128::from(micros.0) * ATTOS_PER_MICRO)
    }

    /// The number of 1e-18.
    #[must_use]
    pub const fn attos(self) -> i128 {
        self.0
    }

    #[must_use]
    pub const fn from_attos(attos: i128) -> Self {
        Self(attos)
    }

    /// The product of two amounts, exact but for one rounding, half-even, to 1e-18. None where it
    /// is beyond what one row may hold.
    #[must_use]
    pub fn times(self, factor: Self) -> Option<Self> {
        const UNIT: u128 = 1_000_000_000_000_000_000;
        let (a, b) = (self.0.unsigned_abs(), factor.0.unsigned_abs());
        let (a_units, a_rest, b_units, b_rest) = (a / UNIT, a % UNIT, b / UNIT, b % UNIT);
        // Rests are below 2^60, so their product fits; units of a sum may be any number.
        let units = a_units.checked_mul(b_units)?.checked_mul(UNIT)?;
        let crossed = a_units.checked_mul(b_rest)?.checked_add(b_units.checked_mul(a_rest)?)?;
        let (rests, below) = (a_rest * b_rest / UNIT, a_rest * b_rest % UNIT);
        let floor = units.checked_add(crossed)?.checked_add(rests)?;
        let up = below * 2 > UNIT || (below * 2 == UNIT && floor % 2 == 1);
        let attos = i128::try_from(floor + u128::from(up)).ok().filter(|attos| *attos <= MAX_UNITS * 1_000_000_000_000_000_000)?;
        Some(Self(if (self.0 < 0) == (factor.0 < 0) { attos } else { -attos }))
    }

    /// The amount `factor` times; none where it is beyond what one row may hold.
    #[must_use]
    pub fn times_whole(self, factor: u64) -> Option<Self> {
        let attos = self.0.checked_mul(i128::from(factor))?;
        (attos.unsigned_abs() <= MAX_UNITS.unsigned_abs() * 1_000_000_000_000_000_000).then_some(Self(attos))
    }

    /// The amount in micro-units, where it is a whole number of them that fits.
    #[must_use]
    pub fn whole_micros(self) -> Option<Micros> {
        // 1e12 is 2^12 times this. Below 37,000 units 64 bits hold what is left without 2^12, and
        // dividing them costs a tenth of dividing 128.
        const FIVES: i64 = 244_140_625;
        if self.0 & 0xfff != 0 {
            return None;
        }
        match i64::try_from(self.0 >> 12) {
            Ok(fives) => (fives % FIVES == 0).then_some(Micros(fives / FIVES)),
            Err(_) if self.0 % ATTOS_PER_MICRO == 0 => i64::try_from(self.0 / ATTOS_PER_MICRO).ok().map(Micros),
            Err(_) => None,
        }
    }

    /// Rounded half-even to micro-units; none where that passes `i64`.
    #[must_use]
    pub fn round(self) -> Option<Micros> {
        if let Some(whole) = self.whole_micros() {
            return Some(whole);
        }
        let (quotient, rest) = (self.0.div_euclid(ATTOS_PER_MICRO), self.0.rem_euclid(ATTOS_PER_MICRO));
        let half = ATTOS_PER_MICRO / 2;
        let up = rest > half || (rest == half && quotient % 2 != 0);
        i64::try_from(quotient + i128::from(up)).ok().map(Micros)
    }

    /// As [`Exact::round`], except that a positive amount never becomes 0: it is 1 micro-unit
    /// at least. The rule is for quantities, where "used a little" is not "not used".
    #[must_use]
    pub fn round_quantity(self) -> Option<Micros> {
        match self.round() {
            Some(Micros(0)) if self.0 > 0 => Some(Micros(1)),
            rounded => rounded,
        }
    }
}

/// The common case, without allocation: an optional minus, up to 12 digits, up to 18 more
/// after a point. None for everything else, right or wrong.
fn parse_short(bytes: &[u8]) -> Option<i128> {
    let (is_negative, digits) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, bytes),
    };
    let (whole, rest) = leading_digits(digits);
    let whole_len = digits.len() - rest.len();
    if whole_len == 0 || whole_len > 12 {
        return None;
    }
    let attos = match rest.split_first() {
        None => i128::from(whole) * i128::from(POWERS_OF_TEN[18]),
        Some((b'.', fraction)) if (1..=18).contains(&fraction.len()) => {
            let (below, rest) = leading_digits(fraction);
            if !rest.is_empty() {
                return None;
            }
            let below = below * POWERS_OF_TEN[18 - fraction.len()];
            i128::from(whole) * i128::from(POWERS_OF_TEN[18]) + i128::from(below)
        }
        Some(_) => return None,
    };
    Some(if is_negative { -attos } else { attos })
}

/// The number that the digits at the start are, where they are at most 19, and what follows them.
fn leading_digits(bytes: &[u8]) -> (u64, &[u8]) {
    let mut number: u64 = 0;
    let mut at = 0;
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (number, &bytes[at..])
}

/// 10 to the power of each place.
const POWERS_OF_TEN: [u64; 19] = {
    let mut powers = [1; 19];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// Every form that is accepted, digit by digit.
fn parse_any(text: &str) -> Result<i128, AmountError> {
    let malformed = || AmountError::Malformed(text.to_owned());
    let out_of_range = || AmountError::OutOfRange(text.to_owned());
    let body = text.trim();
    let (negative, body) = match body.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, body.strip_prefix('+').unwrap_or(body)),
    };
    if ["nan", "inf", "infinity"].contains(&body.to_ascii_lowercase().as_str()) {
        return Err(AmountError::NotFinite(text.to_owned()));
    }
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(malformed());
            }
            // An exponent past i32 is beyond every bound below; its sign still matters.
            let clamped = if exponent.starts_with('-') { -100_000 } else { 100_000 };
            (mantissa, exponent.parse::<i32>().unwrap_or(clamped).clamp(-100_000, 100_000))
        }
        None => (body, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    // `digits` x 10^scale is the number; digits that fall below 1e-18 are rounded half-even.
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').skip_while(|digit| *digit == 0).collect();
    let fraction_len = i32::try_from(fraction.len()).map_err(|_| out_of_range())?;
    let shift = exponent - fraction_len + EXACT_DIGITS;
    let kept = i64::from(shift) + i64::try_from(digits.len()).map_err(|_| out_of_range())?;
    if digits.is_empty() {
        return Ok(0);
    }
    if kept > 32 {
        return Err(out_of_range());
    }
    let (below, kept) = (kept < 0, usize::try_from(kept).unwrap_or(0));
    let mut attos = (0..kept).fold(0_i128, |number, at| number * 10 + i128::from(digits.get(at).copied().unwrap_or(0)));
    if let (false, Some((first, rest))) = (below, digits.get(kept..).and_then(<[u8]>::split_first)) {
        let above_half = *first > 5 || (*first == 5 && rest.iter().any(|digit| *digit != 0));
        let tie = *first == 5 && !above_half;
        attos += i128::from(above_half || (tie && attos % 2 != 0));
    }
    if attos > MAX_UNITS * 1_000_000_000_000_000_000 {
        return Err(out_of_range());
    }
    // Whatever is not 0 stays so: a trace of use is use, and below 0 is below 0.
    let attos = attos.max(1);
    Ok(if negative { -attos } else { attos })
}

/// An exact amount of money or of a quantity: a whole number of millionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

impl Micros {
    /// The amount that a JSON number names: numbers of JSON are doubles (RFC 8259, section 6), and
    /// of all decimals that read as this double the shortest is meant. Rounded half-even; none
    /// beyond 9e12.
    ///
    /// Up to 15 significant digits that is the amount that [`Exact::parse`] reads from the text.
    #[must_use]
    pub fn from_double(units: f64) -> Option<Self> {
        /// Doubles from 2^52 to 2^53 are the whole numbers there: what is added to this is rounded
        /// to one, and the last bits of the sum are it.
        const WHOLE: f64 = 6_755_399_441_055_744.0;
        let micros = units * MICROS_PER_UNIT as f64;
        let shifted = micros + WHOLE;
        // Reading the decimal and multiplying each add at most half a step to the error.
        let error = micros.abs() * f64::EPSILON;
        let is_certain = (micros - (shifted - WHOLE)).abs() + error < 0.5;
        if is_certain && micros.abs() < WHOLE / 4.0 {
            return Some(Self(shifted.to_bits().wrapping_sub(WHOLE.to_bits()).cast_signed()));
        }
        Exact::parse(&units.to_string()).ok()?.round()
    }

    /// The amount as a float, for features and ratios; never for sums.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / MICROS_PER_UNIT as f64
    }
}

/// `12.5`, `-0.000001`, `3`: exact, at most 6 digits after the point, no trailing zeros.
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_micros(i128::from(self.0), f)
    }
}

fn write_micros(micros: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let unit = i128::from(MICROS_PER_UNIT).unsigned_abs();
    let (whole, rest) = (micros.unsigned_abs() / unit, micros.unsigned_abs() % unit);
    let sign = if micros < 0 { "-" } else { "" };
    if rest == 0 {
        return write!(f, "{sign}{whole}");
    }
    let digits = format!("{rest:06}");
    write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
}

/// A number with at most 6 digits after the point, exact (METRICS.md, Settled).
impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        exact_number(self.to_string(), serializer)
    }
}

/// Writes the digits as they are: a float in between would round what passes 2^53.
fn exact_number<S: Serializer>(digits: String, serializer: S) -> Result<S::Ok, S::Error> {
    RawValue::from_string(digits).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

impl PartialSchema for Micros {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("An exact amount of money or of a quantity, with at most 6 digits after the point."))
            .examples([serde_json::json!(18.1)])
            .into()
    }
}

impl ToSchema for Micros {
    fn name() -> Cow<'static, str> {
        "Amount".into()
    }
}

/// A sum of amounts: a whole number of millionths, wide enough that no number of rows of the
/// largest size passes it (2^64 rows of 2^63 each). The order of addition never changes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicrosSum(pub i128);

impl MicrosSum {
    /// The sum as a float, for ratios; never for sums.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / MICROS_PER_UNIT as f64
    }
}

impl AddAssign<Micros> for MicrosSum {
    fn add_assign(&mut self, amount: Micros) {
        self.0 += i128::from(amount.0);
    }
}

impl Sum<Micros> for MicrosSum {
    fn sum<I: Iterator<Item = Micros>>(amounts: I) -> Self {
        Self(amounts.map(|amount| i128::from(amount.0)).sum())
    }
}

impl fmt::Display for MicrosSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_micros(self.0, f)
    }
}

/// A number, as [`Micros`].
impl Serialize for MicrosSum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        exact_number(self.to_string(), serializer)
    }
}

impl PartialSchema for MicrosSum {
    fn schema() -> RefOr<Schema> {
        Micros::schema()
    }
}

impl ToSchema for MicrosSum {
    fn name() -> Cow<'static, str> {
        Micros::name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, micros: Option<&str>) {
        let seen = Exact::parse(text).ok().and_then(Exact::round).map(|amount| amount.to_string());
        assert_eq!(seen.as_deref(), micros, "{text}");
    }

    #[test]
    fn decimals_are_read_exactly_and_rounded_half_even() {
        check("253.7956", Some("253.7956"));
        check("-0.0000015", Some("-0.000002"));
        check("0.0000005", Some("0"));
        check("0.0000025", Some("0.000002"));
        // Past the 18th digit a row is rounded as it is read, so this is a tie again.
        check("0.0000025000000000000000001", Some("0.000002"));
        check(".5", Some("0.5"));
        check("5.", Some("5"));
        check("1.2E-05", Some("0.000012"));
        check("1e3", Some("1000"));
        check("9000000000000", Some("9000000000000"));
        for wrong in ["", "-", ".", "1,5", "1e999", "nan", "inf", "0x10", "1e", "1 2", "9000000000001", "--1", "1e+", "٣"] {
            check(wrong, None);
        }
        check("1e-999", Some("0"));
    }

    #[test]
    fn a_double_is_the_decimal_that_it_was_written_as() {
        let texts =
            ["0", "-0.0", "12.5", "-3", "253.7956", "0.000001", "0.0000005", "0.0000015", "-0.0000025", "1e-300", "0.30000000000000004"];
        let large = ["8999999999999.5", "9000000000000", "1125899906.842624", "4503599627.370497", "9000000000001", "1e300", "-9e12"];
        for text in texts.into_iter().chain(large) {
            let double: f64 = text.parse().expect("a double");
            assert_eq!(Micros::from_double(double), Exact::parse(text).ok().and_then(Exact::round), "{text}");
        }
        assert_eq!(Micros::from_double(f64::NAN).or(Micros::from_double(f64::INFINITY)), None);
    }

    proptest::proptest! {
        /// Fifteen significant digits, with the point anywhere, ties of the rounding among them.
        #[test]
        fn any_double_of_fifteen_digits_is_the_decimal_that_it_was_written_as(digits in 0_u64..1_000_000_000_000_000, point in -18_i32..1, tie: bool) {
            let text = if tie { format!("{}5e-7", digits % 10_000_000_000_000) } else { format!("{digits}e{point}") };
            let double: f64 = text.parse().expect("a double");
            proptest::prop_assert_eq!(Micros::from_double(double), Exact::parse(&text).ok().and_then(Exact::round), "{}", text);
        }
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_reads_what_the_long_way_reads(text in r"-?[0-9]{0,13}(\.[0-9]{0,19})?") {
            if let Some(attos) = parse_short(text.as_bytes()) {
                proptest::prop_assert_eq!(parse_any(&text), Ok(attos));
            }
        }

        /// Around both bounds of the short way, and everywhere else.
        #[test]
        fn whole_micro_units_are_those_that_nothing_is_left_of(micros: i64, small in -40_000_000_000_i64..40_000_000_000, below in 0_i128..3, shift in 0_u32..64) {
            for whole in [micros >> shift, small] {
                let exact = Exact(i128::from(whole) * ATTOS_PER_MICRO + below * 4096);
                proptest::prop_assert_eq!(exact.whole_micros(), (below == 0).then_some(Micros(whole)));
            }
            proptest::prop_assert_eq!(Exact((i128::from(i64::MAX) + 1 + i128::from(small.abs())) * ATTOS_PER_MICRO).whole_micros(), None);
        }
    }

    #[test]
    fn a_trace_of_use_is_never_rounded_to_none() {
        let trace = Exact::parse("0.0000001").expect("a decimal");
        assert_eq!(trace.round(), Some(Micros(0)));
        assert_eq!(trace.round_quantity(), Some(Micros(1)));
        assert_eq!(Exact::from_attos(0).round_quantity(), Some(Micros(0)));
    }
}
