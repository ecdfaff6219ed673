//! One row of a file, read by the columns of its form into domain types, or refused with the
//! column of the file, the value and what would be right.

use std::borrow::Cow;

use super::form::ColumnMap;
use super::rejects::{Kind, Refusal};
use super::source::Cells;
use super::{ImportError, dates};
use crate::domain::{AmountError, CustomerId, Day, DayError, Exact, IdError, Micros, SubscriptionId};

/// Why a row goes no further: it is refused, or the whole import is.
#[derive(Debug)]
pub(super) enum Fault {
    Row(Refusal),
    Import(Box<ImportError>),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Row(refusal)
    }
}

impl From<ImportError> for Fault {
    fn from(error: ImportError) -> Self {
        Self::Import(Box::new(error))
    }
}

/// One row, read by column number of its form.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    cells: &'a dyn Cells,
    columns: &'a ColumnMap,
}

impl<'a> Row<'a> {
    /// # Errors
    /// Where the row has more or fewer cells than the header.
    pub(super) fn new(cells: &'a dyn Cells, columns: &'a ColumnMap) -> Result<Self, Refusal> {
        if cells.len() == columns.width() {
            return Ok(Self { cells, columns });
        }
        let reason = format!("the row has {} cells where the header has {}", cells.len(), columns.width());
        Err(Refusal { kind: Kind::Cells, column: String::new(), value: String::new(), reason })
    }

    /// The cell, trimmed; none where it is empty, `NULL` or `null`. Where the form knows several
    /// columns of the file, it is the first of them that has a value.
    pub(super) fn bytes(&self, column: usize) -> Option<Cow<'a, [u8]>> {
        self.cell(self.columns.first(column)?).or_else(|| self.columns.more(column).iter().find_map(|place| self.cell(*place)))
    }

    fn cell(&self, place: usize) -> Option<Cow<'a, [u8]>> {
        let cell = match self.cells.cell(place)? {
            Cow::Borrowed(bytes) => Cow::Borrowed(bytes.trim_ascii()),
            Cow::Owned(bytes) => Cow::Owned(bytes.trim_ascii().to_vec()),
        };
        (!matches!(cell.as_ref(), b"" | b"NULL" | b"null")).then_some(cell)
    }

    /// The columns of the file.
    pub(super) const fn columns(&self) -> &'a ColumnMap {
        self.columns
    }

    /// The file's name for a column of the form: of the one that the value is from, or would be.
    fn name(&self, column: usize) -> String {
        let mut places = self.columns.places(column);
        let first = places.next();
        let spoken = first.into_iter().chain(places).find(|place| self.cell(*place).is_some()).or(first);
        spoken.and_then(|place| self.columns.header().get(place)).cloned().unwrap_or_default()
    }

    pub(super) fn refuse(&self, column: usize, kind: Kind, value: &str, reason: String) -> Refusal {
        Refusal { kind, column: self.name(column), value: value.to_owned(), reason }
    }

    /// Refuses a second row of the key in `column`; `of` is what the key names.
    pub(super) fn conflict(&self, column: usize, of: &str) -> Refusal {
        let key = self.bytes(column).unwrap_or_default();
        self.refuse(
            column,
            Kind::Conflict,
            &String::from_utf8_lossy(&key),
            format!("an earlier row of this file has other values for this {of}"),
        )
    }

    /// The cell as text.
    pub(super) fn text(&self, column: usize) -> Result<Option<Cow<'a, str>>, Refusal> {
        let utf8 = |bytes: &[u8]| {
            let shown = String::from_utf8_lossy(bytes);
            self.refuse(column, Kind::Utf8, &shown, "the bytes are not UTF-8".to_owned())
        };
        match self.bytes(column) {
            None => Ok(None),
            Some(Cow::Borrowed(bytes)) => std::str::from_utf8(bytes).map(|text| Some(Cow::Borrowed(text))).map_err(|_| utf8(bytes)),
            Some(Cow::Owned(bytes)) => String::from_utf8(bytes).map(|text| Some(Cow::Owned(text))).map_err(|error| utf8(error.as_bytes())),
        }
    }

    fn missing(&self, column: usize) -> Refusal {
        self.refuse(column, Kind::Empty, "", "a value is needed here".to_owned())
    }

    pub(super) fn required(&self, column: usize) -> Result<Cow<'a, str>, Refusal> {
        self.text(column)?.ok_or_else(|| self.missing(column))
    }

    pub(super) fn owned(&self, column: usize) -> Result<Option<String>, Refusal> {
        Ok(self.text(column)?.map(Cow::into_owned))
    }

    pub(super) fn flag(&self, column: usize) -> Result<Option<bool>, Refusal> {
        let Some(text) = self.text(column)? else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "1" => Ok(Some(true)),
            "false" | "no" | "n" | "0" => Ok(Some(false)),
            _ => Err(self.refuse(column, Kind::Flag, &text, "not one of true, false, yes, no, 1, 0".to_owned())),
        }
    }

    /// A day that may lie in the future.
    pub(super) fn day(&self, column: usize) -> Result<Option<Day>, Refusal> {
        self.day_by(column, dates::parse)
    }

    pub(super) fn day_by(&self, column: usize, parse: fn(&str) -> Result<Day, DayError>) -> Result<Option<Day>, Refusal> {
        let Some(text) = self.text(column)? else { return Ok(None) };
        parse(&text).map(Some).map_err(|error| self.refuse(column, Kind::Day, &text, error.to_string()))
    }

    /// A day at most tomorrow: what has happened cannot be dated later.
    pub(super) fn past_day(&self, column: usize, today: Day) -> Result<Option<Day>, Refusal> {
        self.past_day_by(column, today, dates::parse)
    }

    fn past_day_by(&self, column: usize, today: Day, parse: fn(&str) -> Result<Day, DayError>) -> Result<Option<Day>, Refusal> {
        match self.day_by(column, parse)? {
            Some(day) if day > today + 1 => {
                let reason = format!("after tomorrow, which is {}", today + 1);
                let text = self.required(column)?;
                Err(self.refuse(column, Kind::Future, &text, reason))
            }
            day => Ok(day),
        }
    }

    /// A day that must be there and is at most tomorrow.
    pub(super) fn required_day(&self, column: usize, today: Day, parse: fn(&str) -> Result<Day, DayError>) -> Result<Day, Refusal> {
        self.past_day_by(column, today, parse)?.ok_or_else(|| self.refuse(column, Kind::Empty, "", "a day is needed here".to_owned()))
    }

    /// A day that is far off where there is none: sources write "never" as 9999-12-31 and the like.
    pub(super) fn day_or_never(&self, column: usize) -> Result<Option<Day>, Refusal> {
        match self.text(column)? {
            Some(text) if dates::is_never(&text) => Ok(None),
            _ => self.day(column),
        }
    }

    pub(super) fn id<T>(&self, column: usize, parse: impl Fn(&str) -> Result<T, IdError>) -> Result<T, Refusal> {
        let text = self.required(column)?;
        parse(&text).map_err(|error| self.refuse(column, Kind::Id, &text, error.to_string()))
    }

    pub(super) fn possible_id<T>(&self, column: usize, parse: impl Fn(&str) -> Result<T, IdError>) -> Result<Option<T>, Refusal> {
        if self.bytes(column).is_none() { Ok(None) } else { self.id(column, parse).map(Some) }
    }

    pub(super) fn subscription_id(&self, column: usize) -> Result<SubscriptionId, Refusal> {
        self.id(column, SubscriptionId::parse)
    }

    pub(super) fn customer_id(&self, column: usize) -> Result<CustomerId, Refusal> {
        self.id(column, CustomerId::parse)
    }

    pub(super) fn amount(&self, column: usize) -> Result<Option<Exact>, Refusal> {
        let Some(bytes) = self.bytes(column) else { return Ok(None) };
        if let Some(amount) = Exact::parse_plain(&bytes) {
            return Ok(Some(amount));
        }
        let Some(text) = self.text(column)? else { return Ok(None) };
        Exact::parse(&text).map(Some).map_err(|error| {
            let kind = match &error {
                AmountError::NotFinite(_) => Kind::NotFinite,
                AmountError::Malformed(_) | AmountError::OutOfRange(_) => Kind::Number,
            };
            self.refuse(column, kind, &text, error.to_string())
        })
    }

    /// The quantity of a usage row: never negative.
    pub(super) fn quantity(&self, column: usize) -> Result<Exact, Refusal> {
        self.unsigned(column)?.ok_or_else(|| self.refuse(column, Kind::Empty, "", "a usage row needs its quantity".to_owned()))
    }

    /// An amount that is never negative.
    fn unsigned(&self, column: usize) -> Result<Option<Exact>, Refusal> {
        let amount = self.amount(column)?;
        if amount.is_some_and(|amount| amount.attos() < 0) {
            let text = self.required(column)?;
            return Err(self.refuse(column, Kind::Negative, &text, "a quantity cannot be negative".to_owned()));
        }
        Ok(amount)
    }

    /// The same in micro-units, for rows that are not added up.
    pub(super) fn micros(&self, column: usize) -> Result<Option<Micros>, Refusal> {
        // What one row may hold always fits, so rounding drops nothing.
        Ok(self.unsigned(column)?.and_then(Exact::round_quantity))
    }
}
