//! Which source and form a file is of, told by the names of its columns.
//!
//! Absent on purpose: the names themselves. They are data, in `aliases.rs`.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::lake::schema::Table;

/// One kind of file of a source.
#[derive(Debug)]
pub(super) struct Form {
    /// The source's name in `imports`, in messages and behind `--format`.
    pub(super) source: &'static str,
    /// What the file is called within its source; empty where the source has one form alone.
    pub(super) name: &'static str,
    /// The table that most of its rows go to.
    pub(super) table: Table,
    pub(super) columns: &'static [Column],
    /// A header with one of these is of another form, whatever else it has.
    pub(super) foreign: &'static [&'static str],
    /// Whether a header that fits is of another form of the source all the same, where it has enough
    /// columns that only the other asks for (`TELLING_COLUMNS`).
    pub(super) is_strict: bool,
}

/// A column of a form, and the names that it goes by, in any case, the best first. Where a file has
/// several of them, a cell is that of the first that has a value.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) aliases: &'static [&'static str],
    pub(super) need: Need,
}

/// Whether a form is recognised by a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

impl Form {
    /// `` `focus` cost``, `` `rest-subscriptions` ``.
    pub(super) fn title(&self) -> String {
        let source = format!("`{}`", self.source);
        [source.as_str(), self.name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Adds the names that a later row of JSON may have where the first rows do not.
    pub(super) fn add_aliases(&self, header: &mut Vec<String>) {
        for alias in self.columns.iter().flat_map(|column| column.aliases) {
            if place(alias, header).is_none() {
                header.push((*alias).to_owned());
            }
        }
    }

    fn lacking<'f>(&'f self, header: &'f [String]) -> impl Iterator<Item = &'static str> + use<'f> {
        let required = self.columns.iter().filter(|column| column.need == Need::Required);
        required.filter(|column| places(column, header).next().is_none()).map(|column| column.aliases[0])
    }

    fn fits(&self, header: &[String]) -> bool {
        self.admits(header) && self.lacking(header).next().is_none()
    }

    fn admits(&self, header: &[String]) -> bool {
        !self.foreign.iter().any(|name| place(name, header).is_some())
    }

    /// Columns of the file that the form reads.
    fn shared(&self, header: &[String]) -> usize {
        self.columns.iter().filter(|column| places(column, header).next().is_some()).count()
    }

    /// Columns that this form asks for and `other` does not know.
    fn tells_against(&self, other: &Self, header: &[String]) -> usize {
        let knows = |name: &str| other.columns.iter().any(|column| column.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name)));
        let required = self.columns.iter().filter(|column| column.need == Need::Required);
        required.filter(|column| places(column, header).any(|at| !knows(&header[at]))).count()
    }
}

fn place(name: &str, header: &[String]) -> Option<usize> {
    header.iter().position(|column| column.eq_ignore_ascii_case(name))
}

fn places<'a>(column: &'a Column, header: &'a [String]) -> impl Iterator<Item = usize> + 'a {
    column.aliases.iter().filter_map(|alias| place(alias, header))
}

/// Columns that only another form of the same source asks for, and that make a header that one's: a
/// file of usage whose day is called `date` must not be taken for a file of subscriptions.
const TELLING_COLUMNS: usize = 2;

/// The form that a header is of; otherwise a sentence with the nearest and what it lacks. Of two
/// that fit, the one that reads more of the file's columns is meant.
pub(super) fn recognise(forms: &[&'static Form], header: &[String]) -> Result<&'static Form, String> {
    for (at, column) in header.iter().enumerate() {
        if header[..at].iter().any(|earlier| earlier.eq_ignore_ascii_case(column)) && !column.is_empty() {
            return Err(format!("the column `{column}` stands twice in the header"));
        }
    }
    // `max_by_key` takes the last of equals; the first in the list is meant.
    let fits = forms.iter().rev().filter(|form| form.fits(header)).max_by_key(|form| form.shared(header));
    let other = fits.filter(|form| form.is_strict).and_then(|form| {
        let same_source = forms.iter().filter(|other| other.source == form.source && other.admits(header));
        same_source.into_iter().find(|other| other.tells_against(form, header) >= TELLING_COLUMNS)
    });
    if let (Some(form), None) = (fits, other) {
        return Ok(form);
    }
    // The nearest shares most columns; among equals, the one that lacks fewest.
    let distance = |form: &&&Form| (form.shared(header), Reverse(form.lacking(header).count()));
    let nearest = other.or_else(|| forms.iter().rev().filter(|form| form.admits(header)).max_by_key(distance));
    Err(nearest.map_or_else(String::new, |form| {
        let lacking: Vec<&str> = form.lacking(header).collect();
        format!("the header ({}) fits no source; the nearest is {}, for which it lacks {}", shown(header), form.title(), lacking.join(", "))
    }))
}

/// Column names that a message lists.
const SHOWN_COLUMNS: usize = 24;

fn shown(header: &[String]) -> String {
    let first = header.iter().take(SHOWN_COLUMNS).map(|name| name.chars().take(60).collect::<String>()).collect::<Vec<_>>().join(", ");
    match header.len().saturating_sub(SHOWN_COLUMNS) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// Where each column of a form stands in a file's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnMap {
    /// The names that messages ask for.
    names: Vec<&'static str>,
    places: Vec<Places>,
    header: Arc<[String]>,
}

/// The columns of the file that may hold a value, the best first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Places {
    first: Option<usize>,
    more: Vec<usize>,
}

impl ColumnMap {
    pub(super) fn new(form: &'static Form, header: Vec<String>) -> Self {
        let places_of = |column: &Column| {
            let mut places = places(column, &header);
            Places { first: places.next(), more: places.collect() }
        };
        let names = form.columns.iter().map(|column| column.aliases[0]).collect();
        Self { names, places: form.columns.iter().map(places_of).collect(), header: header.into() }
    }

    /// Columns of the file, read or not.
    pub(super) fn width(&self) -> usize {
        self.header.len()
    }

    /// The names of the columns of the file.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// The first name of the form's column number `column`.
    pub(super) fn name(&self, column: usize) -> &'static str {
        self.names[column]
    }

    /// Whether the column at `place` of the file is read.
    pub(super) fn reads(&self, place: usize) -> bool {
        self.places.iter().any(|of| of.first == Some(place) || of.more.contains(&place))
    }

    /// The columns of the file that the form's column number `column` is read from.
    pub(super) fn places(&self, column: usize) -> impl Iterator<Item = usize> + '_ {
        self.places[column].first.into_iter().chain(self.places[column].more.iter().copied())
    }

    /// The first of them.
    pub(super) fn first(&self, column: usize) -> Option<usize> {
        self.places[column].first
    }

    /// Those after it.
    pub(super) fn more(&self, column: usize) -> &[usize] {
        &self.places[column].more
    }

    /// Form columns that the file does not have, by number.
    pub(super) fn absent(&self) -> impl Iterator<Item = usize> + '_ {
        self.places.iter().enumerate().filter(|(_, places)| places.first.is_none()).map(|(column, _)| column)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sources;
    use super::*;

    fn header(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    fn told(text: &str) -> Result<String, String> {
        recognise(&sources::forms(None), &header(text)).map(Form::title)
    }

    #[test]
    fn a_header_is_recognised_in_any_order_and_case() {
        let check = |text, wanted: &str| assert_eq!(told(text), Ok(wanted.to_owned()));
        check("Quantity,UNIT,category,on,subscription_id,extra", "`generic` usage_daily");
        check("subscription_id,on,event", "`generic` lifecycle");
        check("customer_id,subscription_id", "`generic` subscriptions");
        check("customer_id", "`generic` customers");
        check("Kind,ends_on,subscription_id,customer_id,COMMITMENT_ID", "`generic` commitments");
    }

    #[test]
    fn an_unknown_header_is_told_the_nearest_and_what_it_lacks() {
        let reason = told("subscription_id,on,category,units,amount").expect_err("no quantity");
        assert!(reason.contains("usage_daily") && reason.ends_with("lacks unit, quantity"), "{reason}");
        // It has all that a subscription needs, and is none.
        let reason = told("commitment_id,subscription_id,customer_id,product,ends_on").expect_err("no kind");
        assert!(reason.contains("commitments") && reason.ends_with("lacks kind"), "{reason}");
        assert!(told("customer_id,Customer_ID").expect_err("twice").contains("twice"));
    }

    #[test]
    fn a_cell_is_that_of_the_best_name_that_has_one() {
        let form = recognise(
            &sources::forms(None),
            &header(
                "ServiceCategory,x_SkuMeterCategory,SubAccountId,ChargePeriodStart,ChargeCategory,ConsumedQuantity,ConsumedUnit,EffectiveCost,BillingCurrency",
            ),
        );
        let form = form.expect("a form of FOCUS");
        let map = ColumnMap::new(form, header("ServiceCategory,x_SkuMeterCategory"));
        let category = form.columns.iter().position(|column| column.aliases.contains(&"ServiceCategory")).expect("a category");
        assert_eq!(map.places(category).collect::<Vec<_>>(), [1, 0]);
        assert!(map.reads(0) && map.reads(1));
    }
}
