//! What the parts of a page are made from: one version, one view, one reader; and the answers of
//! the interface's own routes, so that a page and the interface cannot say two things.
//!
//! Absent on purpose: any figure that no route answers with.

use super::super::endpoint::{Figures, Listing};
use super::super::meta::Meta;
use super::super::parameters::{Parameters, Query};
use super::super::problem::Problem;
use super::super::version::Version;
use super::reader::Reader;
use super::texts::fill;
use super::view::{View, address};
use crate::access::Caller;
use crate::domain::SubscriptionId;

/// One page in the making.
pub(super) struct Board<'b> {
    pub(super) version: &'b Version,
    pub(super) view: &'b View,
    pub(super) caller: &'b Caller,
    pub(super) reader: &'b Reader,
}

/// An answer of a route, and where the same can be asked for.
pub(super) struct Asked<A> {
    /// Path and query of the route.
    pub(super) source: String,
    pub(super) got: Result<(A, Meta), Problem>,
}

/// The list of a route: what is known of its rows before they are written out.
pub(super) struct List<L: Listing> {
    query: L::Query,
    pub(super) entries: Vec<L::Entry>,
}

/// Some rows of a list.
pub(super) struct Listed<R> {
    pub(super) rows: Vec<R>,
    /// The rows of all pages.
    pub(super) total: usize,
    /// The page that they are of: from 1, and the last one where another was asked for that is not there.
    pub(super) page: usize,
}

/// Names and values of a question.
pub(super) type Pairs = Vec<(String, String)>;

/// Adds one more pair.
pub(super) fn and(mut pairs: Pairs, name: &str, value: impl Into<String>) -> Pairs {
    pairs.push((name.to_owned(), value.into()));
    pairs
}

fn target(path: &str, pairs: &Pairs) -> String {
    address(path, pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

fn read<Q: Query>(pairs: Pairs, id: Option<&SubscriptionId>) -> Result<Q, Problem> {
    let mut parameters = Parameters::asking(pairs, id);
    let query = Q::parse(&mut parameters);
    parameters.finish()?;
    Ok(query)
}

impl Board<'_> {
    /// Whether the tables have any cost.
    pub(super) fn has_cost(&self) -> bool {
        self.version.tables().portfolio.has_cost()
    }

    /// What is said where a part has no answer.
    pub(super) fn missing(&self, problem: &Problem) -> String {
        let t = self.reader.t;
        match problem {
            Problem::NotReady(_) if self.version.tables().portfolio.as_of().is_none() => t.no_days.to_owned(),
            Problem::NotReady(_) if self.version.model().is_none() => t.no_model.to_owned(),
            Problem::ImpossibleParameters(faults) if faults.iter().any(|fault| fault.parameter.as_deref() == Some("horizon")) => {
                let heads = self.version.model().map(|loaded| loaded.model.heads()).unwrap_or_default();
                let days: Vec<String> = heads.iter().map(|head| head.horizon_days.get().to_string()).collect();
                fill(t.unknown_horizon, &[("days", &days.join(", "))])
            }
            other => other.faults().first().map_or(other.title(), |fault| &fault.detail).to_owned(),
        }
    }

    /// The answer of a route of figures.
    pub(super) fn figures<F: Figures>(&self, pairs: Pairs) -> Asked<F::Answer> {
        let source = target(F::ABOUT.path, &pairs);
        Asked { source, got: read::<F::Query>(pairs, None).and_then(|query| F::answer(self.version, &query)) }
    }

    /// The answer of a route of figures of one subscription.
    pub(super) fn figures_of<F: Figures>(&self, id: &SubscriptionId, path: &str, pairs: Pairs) -> Asked<F::Answer> {
        let source = target(path, &pairs);
        Asked { source, got: read::<F::Query>(pairs, Some(id)).and_then(|query| F::answer(self.version, &query)) }
    }

    /// The list of a route, of which rows can be written out.
    pub(super) fn list<L: Listing>(&self, pairs: Pairs) -> Result<List<L>, Problem> {
        let query = read::<L::Query>(pairs, None)?;
        let (entries, _) = L::entries(self.version, &query)?;
        Ok(List { query, entries })
    }

    /// A page of a list; the last one where another is asked for that is not there.
    pub(super) fn page<L: Listing>(&self, list: &List<L>, page: usize, limit: usize) -> Result<Listed<L::Row>, Problem> {
        let List { query, entries } = list;
        let page = page.min(entries.len().div_ceil(limit)).max(1);
        let from = (page - 1) * limit;
        let shown = &entries[from.min(entries.len())..entries.len().min(from + limit)];
        let mut rows = Vec::with_capacity(shown.len());
        L::rows(self.version, query, shown, &mut |row| {
            rows.push(row);
            true
        })?;
        Ok(Listed { rows, total: entries.len(), page })
    }

    /// Where the whole list of a route can be asked for.
    pub(super) fn source<L: Listing>(pairs: &Pairs) -> String {
        target(L::ABOUT.path, pairs)
    }
}

/// The same as a table for a spreadsheet.
pub(super) fn as_table(source: &str) -> String {
    format!("{source}{}format=csv&bom=true", if source.contains('?') { '&' } else { '?' })
}
