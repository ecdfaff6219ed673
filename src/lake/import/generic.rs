//! The `generic` source: one file a canonical table, columns by their names (FORMATS.md).

use std::borrow::Cow;

use super::dates;
use super::rejects::{Kind, Refusal};
use super::source::Cells;
use super::taken::Lacking;
use crate::domain::{
    AmountError, CommitmentId, CommitmentRow, CustomerId, CustomerRow, Day, Event, EventKind, Exact, IdError, Micros, SubscriptionId,
    SubscriptionRow, UnknownCommitmentKind, UnknownEvent,
};
use crate::lake::schema::Table;

/// The source's name in `imports` and in messages.
pub(super) const SOURCE: &str = "generic";

/// Columns of one table: those a file must have, then those it may have.
struct Form {
    table: Table,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    /// A header with one of these is of another table, whatever else it has.
    foreign: &'static [&'static str],
}

/// In the order in which a header is tried: the more a form asks for, the earlier.
const FORMS: [Form; 5] = [
    Form {
        table: Table::UsageDaily,
        required: &["subscription_id", "on", "category", "unit", "quantity"],
        optional: &["cost", "currency"],
        foreign: &[],
    },
    Form { table: Table::Lifecycle, required: &["subscription_id", "on", "event"], optional: &["reason"], foreign: &[] },
    Form {
        table: Table::Commitments,
        required: &["commitment_id", "kind", "ends_on"],
        optional: &["subscription_id", "customer_id", "product", "quantity"],
        foreign: &[],
    },
    Form {
        table: Table::Subscriptions,
        required: &["subscription_id", "customer_id"],
        optional: &["name", "product", "created_on", "auto_renew", "term_end_on", "is_trial", "status", "status_on"],
        foreign: &["commitment_id"],
    },
    Form {
        table: Table::Customers,
        required: &["customer_id"],
        optional: &["name", "country", "segment", "reseller_id", "reseller_name"],
        foreign: &["commitment_id"],
    },
];

/// Where each column of a form stands in a file's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnMap {
    names: Vec<&'static str>,
    places: Vec<Option<usize>>,
    width: usize,
}

impl ColumnMap {
    /// Columns of the file, read or not.
    pub(super) const fn width(&self) -> usize {
        self.width
    }

    /// The name under which the column at `place` of the file is read; none where it is not.
    pub(super) fn reads(&self, place: usize) -> Option<&'static str> {
        self.names.iter().zip(&self.places).find(|(_, at)| **at == Some(place)).map(|(name, _)| *name)
    }
}

/// Columns that only another form asks for, and that make a header that one's: a file of usage
/// whose day is called `date` must not be taken for a file of subscriptions.
const TELLING_COLUMNS: usize = 2;

/// The table that a header is of; otherwise a sentence with the nearest and what it lacks.
pub(super) fn recognise(header: &[String]) -> Result<(Table, ColumnMap), String> {
    let place = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
    for (at, column) in header.iter().enumerate() {
        if header[..at].iter().any(|earlier| earlier.eq_ignore_ascii_case(column)) && !column.is_empty() {
            return Err(format!("the column `{column}` stands twice in the header"));
        }
    }
    let lacking = |form: &Form| form.required.iter().filter(|name| place(name).is_none()).copied().collect::<Vec<_>>();
    let admits = |form: &&Form| form.foreign.iter().all(|name| place(name).is_none());
    let fits = FORMS.iter().filter(admits).find(|form| lacking(form).is_empty());
    let other = fits.and_then(|form| {
        let telling = |other: &&Form| {
            let own = |name: &&&str| place(name).is_some() && !form.required.contains(*name) && !form.optional.contains(*name);
            other.required.iter().filter(own).count() >= TELLING_COLUMNS
        };
        FORMS.iter().filter(admits).find(telling)
    });
    if let (Some(form), None) = (fits, other) {
        let names: Vec<&'static str> = form.required.iter().chain(form.optional).copied().collect();
        let places = names.iter().map(|name| place(name)).collect();
        return Ok((form.table, ColumnMap { names, places, width: header.len() }));
    }
    // The nearest shares most columns; among equals, the one that lacks fewest.
    let shared = |form: &Form| form.required.iter().chain(form.optional).filter(|name| place(name).is_some()).count();
    let nearest = FORMS.iter().filter(admits).max_by_key(|form| (shared(form), std::cmp::Reverse(lacking(form).len())));
    Err(other.or(nearest).map_or_else(String::new, |form| {
        format!(
            "the header ({}) fits no source; the nearest is `{SOURCE}` {}, for which it lacks {}",
            header.join(", "),
            form.table.name(),
            lacking(form).join(", ")
        )
    }))
}

/// One row, read by column number of its form.
pub(super) struct Row<'a> {
    cells: &'a dyn Cells,
    columns: &'a ColumnMap,
}

impl<'a> Row<'a> {
    /// # Errors
    /// Where the row has more or fewer cells than the header.
    pub(super) fn new(cells: &'a dyn Cells, columns: &'a ColumnMap) -> Result<Self, Refusal> {
        if cells.len() == columns.width {
            return Ok(Self { cells, columns });
        }
        let reason = format!("the row has {} cells where the header has {}", cells.len(), columns.width);
        Err(Refusal { kind: Kind::Cells, column: "", value: String::new(), reason })
    }

    /// The cell, trimmed; none where it is empty, `NULL` or `null`.
    pub(super) fn bytes(&self, column: usize) -> Option<Cow<'a, [u8]>> {
        let cell = self.cells.cell(self.columns.places[column]?)?;
        let cell = match cell {
            Cow::Borrowed(bytes) => Cow::Borrowed(bytes.trim_ascii()),
            Cow::Owned(bytes) => Cow::Owned(bytes.trim_ascii().to_vec()),
        };
        (!matches!(cell.as_ref(), b"" | b"NULL" | b"null")).then_some(cell)
    }

    /// Columns that the file does not have.
    pub(super) fn lacking(&self) -> Lacking {
        Lacking::new(&self.columns.places)
    }

    /// Refuses a second row of the key in the first column; `of` is what the key names.
    pub(super) fn conflict(&self, of: &str) -> Refusal {
        let key = self.bytes(0).unwrap_or_default();
        self.refuse(
            0,
            Kind::Conflict,
            &String::from_utf8_lossy(&key),
            format!("an earlier row of this file has other values for this {of}"),
        )
    }

    pub(super) fn refuse(&self, column: usize, kind: Kind, value: &str, reason: String) -> Refusal {
        Refusal { kind, column: self.columns.names[column], value: value.to_owned(), reason }
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

    pub(super) fn required(&self, column: usize) -> Result<Cow<'a, str>, Refusal> {
        self.text(column)?.ok_or_else(|| self.refuse(column, Kind::Empty, "", "a value is needed here".to_owned()))
    }

    fn owned(&self, column: usize) -> Result<Option<String>, Refusal> {
        Ok(self.text(column)?.map(Cow::into_owned))
    }

    fn flag(&self, column: usize) -> Result<Option<bool>, Refusal> {
        let Some(text) = self.text(column)? else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(Some(true)),
            "false" | "no" | "0" => Ok(Some(false)),
            _ => Err(self.refuse(column, Kind::Flag, &text, "not one of true, false, yes, no, 1, 0".to_owned())),
        }
    }

    /// A day that may lie in the future.
    fn day(&self, column: usize) -> Result<Option<Day>, Refusal> {
        let Some(text) = self.text(column)? else { return Ok(None) };
        dates::parse(&text).map(Some).map_err(|error| self.refuse(column, Kind::Day, &text, error.to_string()))
    }

    /// A day at most tomorrow: what has happened cannot be dated later.
    fn past_day(&self, column: usize, today: Day) -> Result<Option<Day>, Refusal> {
        match self.day(column)? {
            Some(day) if day > today + 1 => {
                let reason = format!("after tomorrow, which is {}", today + 1);
                Err(self.refuse(column, Kind::Future, &day.to_string(), reason))
            }
            day => Ok(day),
        }
    }

    /// The end of a term. Sources write "never" as 9999-12-31, which is none.
    fn term_end(&self, column: usize) -> Result<Option<Day>, Refusal> {
        match self.text(column)? {
            Some(text) if text.starts_with("9999-") => Ok(None),
            _ => self.day(column),
        }
    }

    fn id<T>(&self, column: usize, parse: impl Fn(&str) -> Result<T, IdError>) -> Result<T, Refusal> {
        let text = self.required(column)?;
        parse(&text).map_err(|error| self.refuse(column, Kind::Id, &text, error.to_string()))
    }

    fn possible_id<T>(&self, column: usize, parse: impl Fn(&str) -> Result<T, IdError>) -> Result<Option<T>, Refusal> {
        if self.bytes(column).is_none() { Ok(None) } else { self.id(column, parse).map(Some) }
    }

    pub(super) fn subscription_id(&self, column: usize) -> Result<SubscriptionId, Refusal> {
        self.id(column, SubscriptionId::parse)
    }

    fn customer_id(&self, column: usize) -> Result<CustomerId, Refusal> {
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

    /// The day of a usage row.
    pub(super) fn usage_day(&self, today: Day) -> Result<Day, Refusal> {
        self.past_day(1, today)?.ok_or_else(|| self.refuse(1, Kind::Empty, "", "a usage row needs its day".to_owned()))
    }

    /// The quantity of a usage row: never negative.
    pub(super) fn quantity(&self) -> Result<Exact, Refusal> {
        self.unsigned(4)?.ok_or_else(|| self.refuse(4, Kind::Empty, "", "a usage row needs its quantity".to_owned()))
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
    fn micros(&self, column: usize) -> Result<Option<Micros>, Refusal> {
        // What one row may hold always fits, so rounding drops nothing.
        Ok(self.unsigned(column)?.and_then(Exact::round_quantity))
    }
}

/// A row of `customers`.
pub(super) fn customer(row: &Row<'_>) -> Result<CustomerRow, Refusal> {
    Ok(CustomerRow {
        customer_id: row.customer_id(0)?,
        name: row.owned(1)?,
        country: row.owned(2)?,
        segment: row.owned(3)?,
        reseller_id: row.owned(4)?,
        reseller_name: row.owned(5)?,
    })
}

/// A row of `subscriptions`.
pub(super) fn subscription(row: &Row<'_>, today: Day) -> Result<SubscriptionRow, Refusal> {
    Ok(SubscriptionRow {
        subscription_id: row.subscription_id(0)?,
        customer_id: row.customer_id(1)?,
        name: row.owned(2)?,
        product: row.owned(3)?,
        created_on: row.past_day(4, today)?,
        auto_renew: row.flag(5)?,
        term_end_on: row.term_end(6)?,
        is_trial: row.flag(7)?,
        status: row.owned(8)?,
        status_on: row.past_day(9, today)?,
    })
}

/// A row of `lifecycle`.
pub(super) fn event(row: &Row<'_>, today: Day) -> Result<(SubscriptionId, Event), Refusal> {
    let subscription = row.subscription_id(0)?;
    let on = row.past_day(1, today)?.ok_or_else(|| row.refuse(1, Kind::Empty, "", "an event needs its day".to_owned()))?;
    let text = row.required(2)?;
    let kind: EventKind = text.parse().map_err(|error: UnknownEvent| row.refuse(2, Kind::Event, &text, error.to_string()))?;
    Ok((subscription, Event { on, kind, reason: row.owned(3)? }))
}

/// A row of `commitments`.
pub(super) fn commitment(row: &Row<'_>) -> Result<CommitmentRow, Refusal> {
    let text = row.required(1)?;
    let kind = text.parse().map_err(|error: UnknownCommitmentKind| row.refuse(1, Kind::Commitment, &text, error.to_string()))?;
    Ok(CommitmentRow {
        commitment_id: row.id(0, CommitmentId::parse)?,
        subscription_id: row.possible_id(3, SubscriptionId::parse)?,
        customer_id: row.possible_id(4, CustomerId::parse)?,
        product: row.owned(5)?,
        kind,
        quantity: row.micros(6)?,
        ends_on: row.term_end(2)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn a_header_is_recognised_in_any_order_and_case() {
        let table = |text| recognise(&header(text)).map(|(table, _)| table);
        assert_eq!(table("Quantity,UNIT,category,on,subscription_id,extra"), Ok(Table::UsageDaily));
        assert_eq!(table("subscription_id,on,event"), Ok(Table::Lifecycle));
        assert_eq!(table("customer_id,subscription_id"), Ok(Table::Subscriptions));
        assert_eq!(table("customer_id"), Ok(Table::Customers));
        assert_eq!(table("Kind,ends_on,subscription_id,customer_id,COMMITMENT_ID"), Ok(Table::Commitments));
    }

    #[test]
    fn an_unknown_header_is_told_the_nearest_and_what_it_lacks() {
        let reason = recognise(&header("subscription_id,on,category,units,amount")).expect_err("no quantity");
        assert!(reason.contains("usage_daily") && reason.ends_with("lacks unit, quantity"), "{reason}");
        // It has all that a subscription needs, and is none.
        let reason = recognise(&header("commitment_id,subscription_id,customer_id,product,ends_on")).expect_err("no kind");
        assert!(reason.contains("commitments") && reason.ends_with("lacks kind"), "{reason}");
        assert!(recognise(&header("customer_id,Customer_ID")).expect_err("twice").contains("twice"));
    }
}
