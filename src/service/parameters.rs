//! Query strings: read once, into types that cannot hold anything else, with every fault told
//! at once; and the same code, asked without a request, tells which parameters there are.
//!
//! Absent on purpose: default values of single routes.

use std::fmt::Display;
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ArrayBuilder, KnownFormat, ObjectBuilder, RefOr, Required, Schema, SchemaFormat, Type};

use super::problem::{Fault, Problem};
use crate::domain::{Bucket, Day, SubscriptionId};
use crate::metrics::{Filter, RawFilter};

/// Longest list page.
const LIMIT_MAX: u32 = 1_000;

/// Page of a list that says nothing of its length.
pub(super) const LIMIT_DEFAULT: u32 = 50;

/// Most values of one parameter that may be repeated: as many GUIDs as a target can hold.
const REPEATED_MAX: usize = 150;

/// Longest text of one parameter, in characters: as ids and names are.
const TEXT_MAX_CHARS: usize = 256;

/// What a parameter's value may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Text,
    Day,
    Flag,
    Choice(&'static [&'static str]),
    Whole { least: u32, most: u32 },
    Number { least: f64, most: f64 },
}

/// A parameter: what it is called, what it is for, what it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) kind: Kind,
    /// A value to try.
    pub(super) example: Option<&'static str>,
}

impl Spec {
    pub(super) const fn new(name: &'static str, kind: Kind, what: &'static str) -> Self {
        Self { name, what, kind, example: None }
    }

    pub(super) const fn such_as(mut self, example: &'static str) -> Self {
        self.example = Some(example);
        self
    }

    fn schema(&self) -> Schema {
        let object = ObjectBuilder::new();
        let object = match self.kind {
            Kind::Text => object.schema_type(Type::String).min_length(Some(1)).max_length(Some(TEXT_MAX_CHARS)).pattern(Some(VISIBLE)),
            Kind::Day => {
                let format = SchemaFormat::KnownFormat(KnownFormat::Date);
                object
                    .schema_type(Type::String)
                    .format(Some(format))
                    .pattern(Some(r"^(19[7-9][0-9]|2[01][0-9][0-9]|2200)-[0-9][0-9]-[0-9][0-9]$"))
            }
            Kind::Flag => object.schema_type(Type::Boolean),
            Kind::Choice(names) => object.schema_type(Type::String).enum_values(Some(names.iter().copied())),
            Kind::Whole { least, most } => object.schema_type(Type::Integer).minimum(Some(least)).maximum(Some(most)),
            Kind::Number { least, most } => object.schema_type(Type::Number).minimum(Some(least)).maximum(Some(most)),
        };
        object.build().into()
    }

    fn described(&self, repeatable: bool, place: ParameterIn) -> Parameter {
        let schema: RefOr<Schema> = if repeatable {
            Schema::from(ArrayBuilder::new().items(RefOr::T(self.schema())).max_items(Some(REPEATED_MAX)).build()).into()
        } else {
            self.schema().into()
        };
        // In words: the page to try the interface fills in whatever is an example, and would ask
        // with filters that nobody chose.
        let what = self.example.map_or_else(|| self.what.to_owned(), |example| format!("{} For instance `{example}`.", self.what));
        let required = if matches!(place, ParameterIn::Path) { Required::True } else { Required::False };
        ParameterBuilder::new()
            .name(self.name)
            .parameter_in(place)
            .required(required)
            .description(Some(what))
            .schema(Some(schema))
            .explode(repeatable.then_some(true))
            .build()
    }
}

/// Text with something to see in it: begins and ends with no white space, holds no control character.
const VISIBLE: &str = r"^[^\x00-\x20\x7F-\xA0](?:[^\x00-\x1F\x7F-\x9F]*[^\x00-\x20\x7F-\xA0])?$";

/// The common filters.
const CUSTOMER: Spec = Spec::new("customer", Kind::Text, "Customers by id. Several are alternatives; different filters combine.");
const COUNTRY: Spec = Spec::new("country", Kind::Text, "Countries of the customer, as the files spell them.").such_as("DE");
const RESELLER: Spec = Spec::new("reseller", Kind::Text, "Resellers of the customer, by id.");
const CATEGORY: Spec =
    Spec::new("category", Kind::Text, "Meter categories: keeps the subscriptions that used one of them, and only those rows.")
        .such_as("Virtual Machines");
const PRODUCT: Spec = Spec::new("product", Kind::Text, "Products of the subscription.");

const LIMIT: Spec = Spec::new(
    "limit",
    Kind::Whole { least: 1, most: LIMIT_MAX },
    "Rows of a page: 50 where nothing is said. CSV and NDJSON give the whole list where nothing is said.",
)
.such_as("10");
const CURSOR: Spec = Spec::new(
    "cursor",
    Kind::Text,
    "The `meta.next` of the page before. It belongs to one version of the tables and the model, and to the same other parameters.",
);
const BUCKET: Spec = Spec::new(
    "bucket",
    Kind::Choice(Bucket::NAMES),
    "How the period is cut: days, ISO weeks from Monday, or months. Days where nothing is said.",
)
.such_as("month");
const ID: Spec = Spec::new("id", Kind::Text, "The subscription's id, as the lists give it.");

/// The parameters of a request, each to be taken by name; what nobody takes is unknown.
#[derive(Default)]
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
    /// The last step of the path, where the route names it.
    id: Option<Result<String, String>>,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
    /// Well-formed values that cannot be answered together.
    impossible: Vec<Fault>,
    described: Vec<Parameter>,
}

impl Parameters {
    /// The parameters of a request.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let mut parameters = Self::read(request.query_string());
        if request.match_info().get("id").is_some() {
            // The path's own deserialiser undoes every escape, those of `/` and `%` too.
            let path = web::Path::<String>::from_request(request, &mut Payload::None).into_inner();
            parameters.id = Some(path.map(web::Path::into_inner).map_err(|error| error.to_string()));
        }
        parameters
    }

    fn read(query: &str) -> Self {
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        // The reader of escapes puts U+FFFD for what is no UTF-8; no id or name holds it.
        let faults = pairs
            .iter()
            .filter(|(name, value)| name.contains('\u{fffd}') || value.contains('\u{fffd}'))
            .map(|(name, _)| Fault::parameter(name, "is not UTF-8"))
            .collect();
        Self { pairs, faults, ..Self::default() }
    }

    /// The same pairs as another part of the program asks, of the subscription of this id.
    pub(super) fn asking(pairs: Vec<(String, String)>, id: Option<&SubscriptionId>) -> Self {
        Self { pairs, id: id.map(|id| Ok(id.to_string())), ..Self::default() }
    }

    /// Without those that have a name and no value.
    pub(super) fn without_empty(mut self) -> Self {
        self.pairs.retain(|(_, value)| !value.trim().is_empty());
        self
    }

    /// Names and values as they were given.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// What a query that takes its values through `parse` takes.
    pub(super) fn described<Q>(parse: impl FnOnce(&mut Self) -> Q) -> Vec<Parameter> {
        let mut parameters = Self::default();
        parse(&mut parameters);
        parameters.described
    }

    /// Whether the parameter is given at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(other, _)| other == name)
    }

    fn values(&mut self, spec: &Spec, repeatable: bool) -> Vec<String> {
        self.known.push(spec.name);
        self.described.push(spec.described(repeatable, ParameterIn::Query));
        self.pairs.iter().filter(|(other, _)| other == spec.name).map(|(_, value)| value.clone()).collect()
    }

    /// Every value of a parameter that may be repeated.
    pub(super) fn all(&mut self, spec: &Spec) -> Vec<String> {
        let values = self.values(spec, true);
        if values.len() > REPEATED_MAX {
            self.fault(spec.name, format!("is given {} times, and may be given {REPEATED_MAX} times", values.len()));
        }
        values
    }

    /// The value of a parameter that may be given once.
    pub(super) fn one(&mut self, spec: &Spec) -> Option<String> {
        let mut values = self.values(spec, false);
        if values.len() > 1 {
            self.fault(spec.name, format!("is given {} times, and may be given once", values.len()));
        }
        values.pop()
    }

    /// The value of a parameter that may be given once, read by `read`.
    pub(super) fn parsed<T>(&mut self, spec: &Spec, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.one(spec)?;
        match read(text.trim()) {
            Ok(value) => Some(value),
            Err(detail) => {
                self.fault(spec.name, detail);
                None
            }
        }
    }

    /// A text with something to see in it, without the white space around it.
    pub(super) fn text(&mut self, spec: &Spec) -> Option<String> {
        self.parsed(spec, |text| match text {
            "" => Err("is empty".to_owned()),
            text if text.chars().any(char::is_control) => Err("holds a control character".to_owned()),
            text if text.chars().count() > TEXT_MAX_CHARS => Err(format!("has more than {TEXT_MAX_CHARS} characters")),
            text => Ok(text.to_owned()),
        })
    }

    /// A day.
    pub(super) fn day(&mut self, spec: &Spec) -> Option<Day> {
        self.parsed(spec, |text| Day::parse(text).map_err(|error| error.to_string()))
    }

    /// `true` or `false`; false where nothing is said.
    pub(super) fn flag(&mut self, spec: &Spec) -> bool {
        let read = |text: &str| text.parse::<bool>().map_err(|_| format!("`{text}` is neither true nor false"));
        self.parsed(spec, read).unwrap_or(false)
    }

    /// A number within the bounds of its kind.
    pub(super) fn whole(&mut self, spec: &Spec) -> Option<u32> {
        let Kind::Whole { least, most } = spec.kind else { return None };
        self.parsed(spec, |text| number(text, least, most))
    }

    /// A number within the bounds of its kind.
    pub(super) fn number(&mut self, spec: &Spec) -> Option<f64> {
        let Kind::Number { least, most } = spec.kind else { return None };
        self.parsed(spec, |text| number(text, least, most))
    }

    /// The one of `of` that stands where the value stands among the names of its kind.
    pub(super) fn choice<T: Copy>(&mut self, spec: &Spec, of: &[T]) -> Option<T> {
        self.parsed(spec, |text| chosen(spec, of, text))
    }

    /// As [`Parameters::choice`], any number of times.
    pub(super) fn choices<T: Copy>(&mut self, spec: &Spec, of: &[T]) -> Vec<T> {
        let values = self.all(spec);
        let mut found = Vec::with_capacity(values.len());
        for value in values {
            match chosen(spec, of, value.trim()) {
                Ok(one) => found.push(one),
                Err(detail) => self.fault(spec.name, detail),
            }
        }
        found
    }

    pub(super) fn fault(&mut self, name: &str, detail: impl Into<String>) {
        self.faults.push(Fault::parameter(name, detail));
    }

    /// Tells that well-formed values cannot be answered together.
    pub(super) fn impossible(&mut self, name: &str, detail: impl Into<String>) {
        self.impossible.push(Fault::parameter(name, detail));
    }

    /// The common filters.
    pub(super) fn filter(&mut self) -> Filter {
        let raw = RawFilter {
            customer: self.all(&CUSTOMER),
            country: self.all(&COUNTRY),
            reseller: self.all(&RESELLER),
            category: self.all(&CATEGORY),
            product: self.all(&PRODUCT),
        };
        Filter::parse(&raw).unwrap_or_else(|errors| {
            for error in errors {
                self.fault(error.parameter(), error.to_string());
            }
            Filter::default()
        })
    }

    /// The length of a page, where one is asked for: 1 to 1,000.
    pub(super) fn limit(&mut self) -> Option<usize> {
        self.whole(&LIMIT).and_then(|limit| usize::try_from(limit).ok())
    }

    /// The cursor of a page after the first, as it was sent.
    pub(super) fn cursor(&mut self) -> Option<String> {
        self.one(&CURSOR)
    }

    /// `bucket=day|week|month`; days where nothing is said.
    pub(super) fn bucket(&mut self) -> Bucket {
        self.choice(&BUCKET, &Bucket::ALL).unwrap_or(Bucket::Day)
    }

    /// The subscription that the path names. None beside a fault, and where nothing is asked.
    pub(super) fn subscription(&mut self) -> Option<SubscriptionId> {
        self.described.push(ID.described(false, ParameterIn::Path));
        let text = self.id.take()?;
        match text.and_then(|text| SubscriptionId::parse(&text).map_err(|error| error.to_string())) {
            Ok(id) => Some(id),
            Err(detail) => {
                self.fault(ID.name, detail);
                None
            }
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every fault: those of form first, and only where there is none those of sense.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        let mut known = std::mem::take(&mut self.known);
        known.sort_unstable();
        let mut told: Vec<&str> = Vec::new();
        for (name, _) in &self.pairs {
            if known.binary_search(&name.as_str()).is_err() && !told.contains(&name.as_str()) {
                told.push(name);
                let takes =
                    if known.is_empty() { "this route takes none".to_owned() } else { format!("this route takes {}", known.join(", ")) };
                self.faults.push(Fault::parameter(name, format!("is unknown here: {takes}")));
            }
        }
        if !self.faults.is_empty() {
            return Err(Problem::BadParameters(self.faults));
        }
        if self.impossible.is_empty() { Ok(()) } else { Err(Problem::ImpossibleParameters(self.impossible)) }
    }
}

fn chosen<T: Copy>(spec: &Spec, of: &[T], text: &str) -> Result<T, String> {
    let Kind::Choice(names) = spec.kind else { return Err("takes no choice".to_owned()) };
    let at = names.iter().position(|name| *name == text).ok_or_else(|| format!("`{text}` is none of {}", names.join(", ")))?;
    of.get(at).copied().ok_or_else(|| format!("`{text}` stands for nothing"))
}

/// A number within bounds.
fn number<T: FromStr + PartialOrd + Display + Copy>(text: &str, least: T, most: T) -> Result<T, String> {
    match text.parse::<T>() {
        Ok(number) if least <= number && number <= most => Ok(number),
        _ => Err(format!("`{text}` is no number from {least} to {most}")),
    }
}

/// A query that can be read from parameters. Faults go to the parameters; what is returned
/// beside a fault is thrown away.
pub(super) trait Query: Sized + Send + 'static {
    fn parse(parameters: &mut Parameters) -> Self;
}

/// No parameters at all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nothing;

impl Query for Nothing {
    fn parse(_: &mut Parameters) -> Self {
        Self
    }
}
