//! Currencies by their code, and rates between them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{AmountError, Exact};

/// An ISO 4217 code, upper-cased: `EUR`. Whether the code is in use is not asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(String);

/// A text that is no currency code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no currency code of three letters like EUR")]
pub struct CurrencyError(pub String);

impl Currency {
    /// Reads a code of three letters, in either case.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, CurrencyError> {
        let code = text.trim();
        if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            Ok(Self(code.to_ascii_uppercase()))
        } else {
            Err(CurrencyError(text.to_owned()))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one unit of a currency is worth in the reporting currency: above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(Exact);

/// Why a text is no rate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RateError {
    #[error(transparent)]
    Number(#[from] AmountError),
    #[error("a rate of `{0}` is not above 0")]
    NotPositive(String),
}

impl Rate {
    /// Converts an amount exactly, rounded half-even once to 1e-18; none where the result is
    /// beyond what one row may hold.
    #[must_use]
    pub fn convert(self, amount: Exact) -> Option<Exact> {
        amount.times(self.0)
    }

    /// Whether nothing changes by it.
    #[must_use]
    pub fn is_one(self) -> bool {
        self.0.attos() == 1_000_000_000_000_000_000
    }
}

/// A plain decimal above 0, of at most 18 digits after the point.
impl FromStr for Rate {
    type Err = RateError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rate = Exact::parse(text)?;
        if rate.attos() > 0 { Ok(Self(rate)) } else { Err(RateError::NotPositive(text.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_three_letters_in_either_case() {
        assert_eq!(Currency::parse(" eur ").map(|code| code.to_string()), Ok("EUR".to_owned()));
        for wrong in ["", "EU", "EURO", "E1R", "€", "ÄÖÜ"] {
            assert!(Currency::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[track_caller]
    fn check(amount: &str, rate: &str, wanted: Option<&str>) {
        let rate: Rate = rate.parse().expect("a rate");
        let seen = rate.convert(Exact::parse(amount).expect("an amount"));
        assert_eq!(seen, wanted.map(|text| Exact::parse(text).expect("an amount")), "{amount} at {rate:?}");
    }

    #[test]
    fn an_amount_is_converted_exactly_and_rounded_half_even_once() {
        check("12.5", "0.92", Some("11.5"));
        check("-12.5", "0.92", Some("-11.5"));
        check("0.000000000000000001", "0.5", Some("0"));
        check("0.000000000000000003", "0.5", Some("0.000000000000000002"));
        check("-0.000000000000000003", "0.5", Some("-0.000000000000000002"));
        check("0.000000000000000001", "0.500000000000000001", Some("0.000000000000000001"));
        check("1234567.890123456789012345", "1.000000000000000001", Some("1234567.890123456790246913"));
        check("9000000000000", "1", Some("9000000000000"));
        check("9000000000000", "1.000000000000000001", None);
        check("3000000000000", "9000000000000", None);
        assert!("0".parse::<Rate>().is_err() && "-1".parse::<Rate>().is_err() && "one".parse::<Rate>().is_err());
    }
}
