//! Amounts day by day, as a request brings them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use crate::domain::Micros;

/// Amounts of one day after the other; none for a day without a row.
#[derive(Debug, Default)]
pub(super) struct Daily {
    pub(super) values: Vec<Option<Micros>>,
    /// The first that is no amount, by its place, and what is wrong with it.
    pub(super) wrong: Option<(usize, String)>,
}

/// A list of quantities; a positive one is 1 micro-unit at least.
pub(super) fn quantities<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Daily, D::Error> {
    deserializer.deserialize_seq(Of::Quantity)
}

/// A list of costs, or null for none.
pub(super) fn costs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Daily, D::Error> {
    deserializer.deserialize_option(Of::Cost)
}

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Quantity,
    Cost,
}

impl Of {
    fn amount(self, number: f64) -> Option<Micros> {
        let amount = Micros::from_double(number)?;
        match self {
            Self::Quantity if number > 0.0 => Some(amount.max(Micros(1))),
            Self::Quantity => Some(amount).filter(|amount| amount.0 == 0 && number >= 0.0),
            Self::Cost => Some(amount),
        }
    }

    fn refuse(self, shown: &str) -> String {
        let short: String = shown.chars().take(40).collect();
        let shown = if short.len() < shown.len() { format!("`{short}...`") } else { format!("`{short}`") };
        match self {
            Self::Quantity => format!("{shown} is no quantity between 0 and 9,000,000,000,000"),
            Self::Cost => format!("{shown} is no cost between -9,000,000,000,000 and 9,000,000,000,000"),
        }
    }
}

impl<'de> Visitor<'de> for Of {
    type Value = Daily;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers")
    }

    fn visit_none<E>(self) -> Result<Daily, E> {
        Ok(Daily::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Daily, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Daily, A::Error> {
        // A quarter of a year: most of what is sent.
        let mut daily = Daily { values: Vec::with_capacity(92), wrong: None };
        while list.next_element_seed(OneDay { of: self, daily: &mut daily })?.is_some() {}
        Ok(daily)
    }
}

/// One value of a list, which goes to the end of it. Lists and objects are refused by serde,
/// which names them.
struct OneDay<'d> {
    of: Of,
    daily: &'d mut Daily,
}

impl OneDay<'_> {
    fn number(self, number: f64) {
        let amount = self.of.amount(number);
        if amount.is_none() {
            self.wrong(|| number.to_string());
        } else {
            self.daily.values.push(amount);
        }
    }

    #[cold]
    fn wrong(self, shown: impl FnOnce() -> String) {
        let detail = || self.of.refuse(&shown());
        if self.daily.wrong.is_none() {
            self.daily.wrong = Some((self.daily.values.len(), detail()));
        }
        self.daily.values.push(None);
    }
}

impl<'de> DeserializeSeed<'de> for OneDay<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for OneDay<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or null")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.daily.values.push(None);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.number(number);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.number(number as f64);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.number(number as f64);
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.wrong(|| truth.to_string());
        Ok(())
    }

    /// As JSON has it: a text in quotes is no number, whatever is in it.
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.wrong(|| format!("\"{text}\""));
        Ok(())
    }
}
