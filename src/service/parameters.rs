//! Query strings: read once, into types that cannot hold anything else, with every fault told
//! at once.
//!
//! Absent on purpose: default values of single routes.

use std::fmt::Display;
use std::ops::Deref;
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures::future::{Ready, ready};

use super::cursor::Cursor;
use super::problem::{Fault, Problem};
use crate::domain::Bucket;
use crate::metrics::{Filter, RawFilter};

/// Longest list page.
const LIMIT_MAX: u32 = 1_000;

/// Page of a list that says nothing of its length.
const LIMIT_DEFAULT: u32 = 50;

/// The parameters of a request, each to be taken by name; what nobody takes is unknown.
#[derive(Debug)]
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl Parameters {
    fn read(query: &str) -> Self {
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        // The reader of escapes puts U+FFFD for what is no UTF-8; no id or name holds it.
        let faults = pairs
            .iter()
            .filter(|(name, value)| name.contains('\u{fffd}') || value.contains('\u{fffd}'))
            .map(|(name, _)| Fault::parameter(name, "is not UTF-8"))
            .collect();
        Self { pairs, known: Vec::new(), faults }
    }

    /// Whether the parameter is given at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(other, _)| other == name)
    }

    /// Every value of a parameter that may be repeated.
    pub(super) fn all(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        self.pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value.clone()).collect()
    }

    /// The value of a parameter that may be given once.
    pub(super) fn one(&mut self, name: &'static str) -> Option<String> {
        let mut values = self.all(name);
        if values.len() > 1 {
            self.fault(name, format!("is given {} times, and may be given once", values.len()));
        }
        values.pop()
    }

    /// The value of a parameter that may be given once, read by `read`.
    pub(super) fn parsed<T>(&mut self, name: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.one(name)?;
        match read(text.trim()) {
            Ok(value) => Some(value),
            Err(detail) => {
                self.fault(name, detail);
                None
            }
        }
    }

    pub(super) fn fault(&mut self, name: &str, detail: impl Into<String>) {
        self.faults.push(Fault::parameter(name, detail));
    }

    /// The common filters.
    pub(super) fn filter(&mut self) -> Filter {
        let raw = RawFilter {
            customer: self.all("customer"),
            country: self.all("country"),
            reseller: self.all("reseller"),
            category: self.all("category"),
            product: self.all("product"),
        };
        Filter::parse(&raw).unwrap_or_else(|errors| {
            for error in errors {
                self.fault(error.parameter(), error.to_string());
            }
            Filter::default()
        })
    }

    /// The length of a page: 1 to 1,000, 50 where nothing is said.
    pub(super) fn limit(&mut self) -> usize {
        let limit = self.parsed("limit", |text| number::<u32>(text, 1, LIMIT_MAX)).unwrap_or(LIMIT_DEFAULT);
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    /// The cursor of a page after the first.
    pub(super) fn cursor(&mut self) -> Option<Cursor> {
        self.parsed("cursor", |text| Cursor::decode(text).ok_or_else(|| "is no cursor that a list gave".to_owned()))
    }

    /// `bucket=day|week|month`; days where nothing is said.
    pub(super) fn bucket(&mut self) -> Bucket {
        let read = |text: &str| match text {
            "day" => Ok(Bucket::Day),
            "week" => Ok(Bucket::Week),
            "month" => Ok(Bucket::Month),
            other => Err(format!("`{other}` is none of day, week, month")),
        };
        self.parsed("bucket", read).unwrap_or(Bucket::Day)
    }

    fn finish(mut self) -> Vec<Fault> {
        let mut known = std::mem::take(&mut self.known);
        known.sort_unstable();
        let mut told: Vec<&str> = Vec::new();
        for (name, _) in &self.pairs {
            if known.binary_search(&name.as_str()).is_err() && !told.contains(&name.as_str()) {
                told.push(name);
                self.faults.push(Fault::parameter(
                    name,
                    if known.is_empty() {
                        "is unknown here: this route takes none".to_owned()
                    } else {
                        format!("is unknown here: this route takes {}", known.join(", "))
                    },
                ));
            }
        }
        self.faults
    }
}

/// A number within bounds.
pub(super) fn number<T: FromStr + PartialOrd + Display + Copy>(text: &str, least: T, most: T) -> Result<T, String> {
    match text.parse::<T>() {
        Ok(number) if least <= number && number <= most => Ok(number),
        _ => Err(format!("`{text}` is no number from {least} to {most}")),
    }
}

/// A query that can be read from parameters. Faults go to the parameters; what is returned
/// beside a fault is thrown away.
pub(super) trait Query: Sized + 'static {
    fn parse(parameters: &mut Parameters) -> Self;
}

/// A query without a fault.
#[derive(Debug, Clone)]
pub(super) struct Valid<Q>(pub(super) Q);

impl<Q> Deref for Valid<Q> {
    type Target = Q;
    fn deref(&self) -> &Q {
        &self.0
    }
}

impl<Q: Query> FromRequest for Valid<Q> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut parameters = Parameters::read(request.query_string());
        let query = Q::parse(&mut parameters);
        let faults = parameters.finish();
        ready(if faults.is_empty() { Ok(Self(query)) } else { Err(Problem::BadParameters(faults)) })
    }
}

/// No parameters at all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nothing;

impl Query for Nothing {
    fn parse(_: &mut Parameters) -> Self {
        Self
    }
}
