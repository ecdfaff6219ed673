//! The forms of an answer: JSON, and for lists and series also CSV and NDJSON, made from the
//! very rows of the JSON so that no form can say something else.
//!
//! Absent on purpose: what is in a row.

use std::borrow::Cow;
use std::fmt;

use actix_web::HttpRequest;
use actix_web::http::header;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema, schema::SchemaType, schema::Type};

use super::meta::Meta;
use super::parameters::{Kind, Parameters, Spec};
use super::problem::Problem;

/// A form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    /// With a byte order mark before it, for spreadsheets that take UTF-8 for something else.
    Csv {
        bom: bool,
    },
    Ndjson,
}

const FORMAT: Spec = Spec::new(
    "format",
    Kind::Choice(&["json", "csv", "ndjson"]),
    "The form of the answer; what the Accept header asks for where nothing is said.",
);
const BOM: Spec = Spec::new("bom", Kind::Flag, "Begin CSV with a byte order mark, so that Excel takes it for UTF-8.");

pub(super) const JSON: &str = "application/json";
pub(super) const CSV: &str = "text/csv; charset=utf-8; header=present";
pub(super) const NDJSON: &str = "application/x-ndjson";

impl Form {
    /// What `format` and `bom` ask for; none where they say nothing.
    pub(super) fn parse(parameters: &mut Parameters) -> Option<Self> {
        let (json, csv) = (Self::Json, Self::Csv { bom: false });
        let asked = parameters.choice(&FORMAT, &[json, csv, Self::Ndjson]);
        if !parameters.flag(&BOM) {
            return asked;
        }
        match asked {
            Some(Self::Csv { .. }) | None => Some(Self::Csv { bom: true }),
            Some(other) => {
                parameters.impossible(BOM.name, "is for CSV alone");
                Some(other)
            }
        }
    }

    /// The form that an Accept header likes best, among those that there are; JSON where it says
    /// nothing, or likes several equally.
    ///
    /// # Errors
    /// Where it allows none.
    pub(super) fn negotiate(request: &HttpRequest, tabular: bool) -> Result<Self, Problem> {
        let accept: Vec<&str> = request.headers().get_all(header::ACCEPT).filter_map(|accept| accept.to_str().ok()).collect();
        let accept = accept.join(", ");
        if accept.trim().is_empty() {
            return Ok(Self::Json);
        }
        let tables = [Self::Csv { bom: false }, Self::Ndjson];
        let forms = [Self::Json].into_iter().chain(tables.into_iter().filter(|_| tabular));
        let mut best: Option<(f64, Self)> = None;
        for form in forms {
            let weight = weight(&accept, form.media_type());
            if weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, form));
            }
        }
        best.map(|(_, form)| form).ok_or(Problem::NotAcceptable { accept, tabular })
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Csv { .. } => "text/csv",
            Self::Ndjson => NDJSON,
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Csv { .. } => CSV,
            other => other.media_type(),
        }
    }
}

/// How much an Accept header likes a media type: the weight of its most specific range for it.
fn weight(accept: &str, media_type: &str) -> f64 {
    let family = media_type.split('/').next().unwrap_or_default();
    let ranges = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next()?.to_ascii_lowercase();
        let specific = match name.as_str() {
            name if name == media_type => 2,
            "*/*" => 0,
            name if name.strip_suffix("/*") == Some(family) => 1,
            _ => return None,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q="))).map_or(Ok(1.0), str::parse::<f64>);
        Some((specific, weight.unwrap_or(1.0)))
    });
    ranges.max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))).map_or(0.0, |(_, weight)| weight)
}

/// Writes rows in one form, into bytes that its user takes away.
#[derive(Debug)]
pub(super) struct RowWriter {
    form: Form,
    /// The columns of a table: every field of a row that is neither a list nor an object.
    columns: Vec<String>,
    pub(super) bytes: Vec<u8>,
    first: bool,
    scratch: Vec<u8>,
}

impl RowWriter {
    /// A writer of rows of type `R`, its head written.
    ///
    /// # Errors
    /// Where the head does not serialise.
    pub(super) fn new<R: ToSchema>(form: Form) -> Result<Self, Problem> {
        let mut writer = Self { form, columns: Vec::new(), bytes: Vec::new(), first: true, scratch: Vec::new() };
        if form == Form::Json {
            writer.bytes.extend(b"{\"data\":[");
        }
        if let Form::Csv { bom } = form {
            writer.columns = columns::<R>();
            if bom {
                writer.bytes.extend("\u{feff}".bytes());
            }
            let head: Vec<&[u8]> = writer.columns.iter().map(String::as_bytes).collect();
            record(&mut writer.bytes, &head)?;
        }
        Ok(writer)
    }

    /// Writes one more row.
    ///
    /// # Errors
    /// Where it does not serialise.
    pub(super) fn row<R: Serialize>(&mut self, row: &R) -> Result<(), Problem> {
        match self.form {
            Form::Json => {
                if !self.first {
                    self.bytes.push(b',');
                }
                serde_json::to_writer(&mut self.bytes, row).map_err(Problem::Unserialisable)?;
            }
            Form::Ndjson => {
                serde_json::to_writer(&mut self.bytes, row).map_err(Problem::Unserialisable)?;
                self.bytes.push(b'\n');
            }
            Form::Csv { .. } => {
                self.scratch.clear();
                serde_json::to_writer(&mut self.scratch, row).map_err(Problem::Unserialisable)?;
                let fields: Fields<'_> = serde_json::from_slice(&self.scratch).map_err(Problem::Unserialisable)?;
                let cells: Vec<Cow<'_, str>> = self.columns.iter().map(|column| fields.cell(column)).collect();
                let cells: Vec<&[u8]> = cells.iter().map(|cell| cell.as_bytes()).collect();
                record(&mut self.bytes, &cells)?;
            }
        }
        self.first = false;
        Ok(())
    }

    /// Ends the rows: JSON says after them what they stand on; a table says it in its headers.
    ///
    /// # Errors
    /// Where that does not serialise.
    pub(super) fn finish(mut self, meta: &Meta) -> Result<Vec<u8>, Problem> {
        if self.form == Form::Json {
            self.bytes.extend(b"],\"meta\":");
            serde_json::to_writer(&mut self.bytes, meta).map_err(Problem::Unserialisable)?;
            self.bytes.push(b'}');
        }
        Ok(self.bytes)
    }
}

fn record(bytes: &mut Vec<u8>, cells: &[&[u8]]) -> Result<(), Problem> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(bytes);
    let written = writer.write_record(cells).and_then(|()| writer.flush().map_err(csv::Error::from));
    written.map_err(|error| Problem::Unserialisable(serde::ser::Error::custom(error)))
}

/// The fields of a row as they were written, in their order.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl Fields<'_> {
    /// What stands in a column: numbers as they are, text without its escapes, nothing for null.
    fn cell(&self, column: &str) -> Cow<'_, str> {
        let Some(raw) = self.0.iter().find(|(name, _)| name == column).map(|(_, raw)| raw.get()) else { return Cow::Borrowed("") };
        match raw.as_bytes().first() {
            Some(b'"') => guarded(serde_json::from_str::<String>(raw).unwrap_or_default()).into(),
            Some(b'n') | None => Cow::Borrowed(""),
            Some(_) => Cow::Borrowed(raw),
        }
    }
}

/// Text that no spreadsheet takes for a formula: an apostrophe before what it would begin with.
fn guarded(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered;
        impl<'de> Visitor<'de> for Ordered {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, raw)) = map.next_entry::<&str, &RawValue>()? {
                    fields.push((Cow::Borrowed(name), raw));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Ordered)
    }
}

/// The columns of a table of rows: the fields of the row's schema, those of flattened parts
/// first, in their order; lists and objects are no columns.
fn columns<R: ToSchema>() -> Vec<String> {
    let mut others = Vec::new();
    R::schemas(&mut others);
    let mut found = Vec::new();
    gather(&R::schema(), &others, &mut found);
    found
}

type Named = (String, RefOr<Schema>);

fn gather(schema: &RefOr<Schema>, others: &[Named], found: &mut Vec<String>) {
    match resolved(schema, others) {
        Some(Schema::Object(object)) => {
            let plain = object.properties.iter().filter(|(_, property)| is_plain(property, others));
            found.extend(plain.map(|(name, _)| name.clone()));
        }
        Some(Schema::AllOf(parts)) => parts.items.iter().for_each(|part| gather(part, others, found)),
        _ => {}
    }
}

fn resolved<'s>(schema: &'s RefOr<Schema>, others: &'s [Named]) -> Option<&'s Schema> {
    match schema {
        RefOr::T(schema) => Some(schema),
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next()?;
            resolved(&others.iter().find(|(other, _)| other == name)?.1, others)
        }
    }
}

fn is_plain(schema: &RefOr<Schema>, others: &[Named]) -> bool {
    match resolved(schema, others) {
        Some(Schema::Array(_) | Schema::AllOf(_)) => false,
        Some(Schema::OneOf(parts)) => parts.items.iter().all(|part| is_plain(part, others)),
        Some(Schema::Object(object)) => match &object.schema_type {
            SchemaType::Type(Type::Object) => object.properties.is_empty() && object.enum_values.is_some(),
            SchemaType::Type(Type::Array) => false,
            SchemaType::Array(types) => !types.iter().any(|one| matches!(one, Type::Array | Type::Object)),
            _ => true,
        },
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;
    use crate::domain::{Day, Micros};

    #[derive(Serialize, ToSchema)]
    struct Part {
        first: Option<Micros>,
        second: bool,
    }

    #[derive(Serialize, ToSchema)]
    struct Row {
        name: Option<String>,
        on: Day,
        #[serde(flatten)]
        part: Part,
        list: Vec<u8>,
        count: u64,
    }

    fn rows() -> [Row; 2] {
        let row = |name: Option<&str>, micros, second| Row {
            name: name.map(str::to_owned),
            on: Day::from_epoch_days(20_000),
            part: Part { first: Some(Micros(micros)), second },
            list: vec![1],
            count: 3,
        };
        [row(Some("=SUM(A1:A2), \"x\""), -1_500_000, true), row(None, 9_007_199_254_740_993, false)]
    }

    fn written(form: Form) -> String {
        let mut writer = RowWriter::new::<Row>(form).expect("a head");
        for row in rows() {
            writer.row(&row).expect("a row");
        }
        String::from_utf8(writer.bytes).expect("text")
    }

    #[test]
    fn a_table_has_the_plain_fields_in_their_order_and_no_formula() {
        let csv = written(Form::Csv { bom: true });
        assert_eq!(
            csv,
            "\u{feff}first,second,name,on,count\r\n\
             -1.5,true,\"'=SUM(A1:A2), \"\"x\"\"\",2024-10-04,3\r\n\
             9007199254.740993,false,,2024-10-04,3\r\n"
        );
        assert_eq!(written(Form::Ndjson).lines().count(), 2);
        assert!(written(Form::Json).contains("\"first\":9007199254.740993"));
    }

    #[test]
    fn the_most_specific_range_of_an_accept_header_decides() {
        for yes in ["*/*", "application/json", "text/csv, application/*;q=0.1", "text/html,application/xhtml+xml,*/*;q=0.8"] {
            assert!(weight(yes, JSON) > 0.0, "{yes}");
        }
        for no in ["text/csv", "application/json;q=0", "application/json;q=0, */*", "application/problem+json", ""] {
            assert!(weight(no, JSON) <= 0.0, "{no}");
        }
    }
}
