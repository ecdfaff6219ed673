//! Amounts day by day, as a request brings them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

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
    fn amount(self, number: f64) -> Result<Micros, String> {
        let amount = Micros::from_double(number);
        let amount = match self {
            Self::Quantity if number > 0.0 => amount.map(|amount| amount.max(Micros(1))),
            Self::Quantity => amount.filter(|amount| amount.0 == 0 && number >= 0.0),
            Self::Cost => amount,
        };
        amount.ok_or_else(|| self.refuse(&number.to_string()))
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
        while let Some(value) = list.next_element::<Value>()? {
            let amount = match value {
                Value::Null => Ok(None),
                Value::Number(number) => self.amount(number).map(Some),
                Value::Other(shown) => Err(self.refuse(&shown)),
            };
            daily.values.push(amount.unwrap_or_else(|detail| {
                daily.wrong.get_or_insert((daily.values.len(), detail));
                None
            }));
        }
        Ok(daily)
    }
}

/// One value of a list. Lists and objects are refused by serde, which names them.
enum Value {
    Null,
    Number(f64),
    /// As JSON has it: a text in quotes is no number, whatever is in it.
    Other(String),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        impl Visitor<'_> for AnyValue {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or null")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
                Ok(Value::Number(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Number(number as f64))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
                Ok(Value::Number(number as f64))
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
                Ok(Value::Other(truth.to_string()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Other(format!("\"{text}\"")))
            }
        }

        deserializer.deserialize_any(AnyValue)
    }
}
