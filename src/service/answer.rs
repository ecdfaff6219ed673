//! The envelope of every answer: `data` and `meta`, with an `ETag`; and the work behind it, done
//! on a thread that may block.
//!
//! Absent on purpose: a cache of answers. `If-None-Match` spares the work where nothing changed.

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures::future::{Ready, ready};
use serde::Serialize;

use super::cursor::{Cursor, Short, short};
use super::problem::Problem;
use super::state::{CurrentModel, CurrentPortfolio};
use crate::domain::{Day, HorizonDays, Period};
use crate::model::{Label, LoadedModel, Method};
use crate::portfolio::Portfolio;

/// An answer: what was asked for, and what it stands on.
#[derive(Debug, Serialize)]
pub(super) struct Envelope<T> {
    pub(super) data: T,
    pub(super) meta: Meta,
}

/// What an answer stands on.
#[derive(Debug, Default, Serialize)]
pub(super) struct Meta {
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Day>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table_version: Option<u64>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    model: Option<ModelMeta>,
    /// Whether the period reaches beyond the data at either end.
    partial: bool,
    warnings: Vec<Warning>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    page: Option<PageMeta>,
}

#[derive(Debug, Serialize)]
struct Span {
    from: Day,
    to: Day,
}

#[derive(Debug, Serialize)]
struct ModelMeta {
    model_version: String,
    method: Method,
    label: Label,
    horizon_days: HorizonDays,
}

#[derive(Debug, Serialize)]
struct PageMeta {
    total: usize,
    /// The cursor of the next page; none on the last.
    next: Option<String>,
}

/// Something that a reader of the figures should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Warning {
    code: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    days: Vec<Day>,
}

impl Warning {
    pub(super) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), days: Vec::new() }
    }

    /// The feed's gaps between two days, where there are any.
    pub(super) fn gaps(portfolio: &Portfolio, from: Day, to: Day) -> Option<Self> {
        let days: Vec<Day> = portfolio.gaps().iter().copied().filter(|day| from <= *day && *day <= to).collect();
        let detail = match days.len() {
            0 => return None,
            1 => "1 day has no row in the whole feed; nothing is filled in".to_owned(),
            days => format!("{days} days have no row in the whole feed; nothing is filled in"),
        };
        Some(Self { code: "gap_days", detail, days })
    }
}

impl Meta {
    /// An answer that stands on these tables.
    pub(super) fn of(portfolio: &CurrentPortfolio) -> Self {
        Self { as_of: Some(portfolio.as_of()), table_version: Some(portfolio.version()), ..Self::default() }
    }

    /// And is about these days.
    pub(super) fn about(mut self, portfolio: &CurrentPortfolio, period: Period) -> Self {
        let as_of = portfolio.as_of();
        let first = portfolio.first_day().unwrap_or(as_of);
        self.period = Some(Span { from: period.from(), to: period.to() });
        if period.to() > as_of {
            self.warn(Warning::new("after_as_of", format!("the period ends after the as-of day; figures stand at {as_of}")));
        }
        if period.from() < first {
            self.warn(Warning::new("before_data", format!("the period begins before the first day of usage, {first}")));
        }
        self.partial = period.to() > as_of || period.from() < first;
        self.warnings.extend(Warning::gaps(portfolio, period.from(), period.to()));
        self
    }

    /// And a model spoke in it.
    pub(super) fn spoken_by(mut self, loaded: &LoadedModel) -> Self {
        self.model = Some(ModelMeta {
            model_version: loaded.model.version().to_owned(),
            method: loaded.card.method,
            label: loaded.model.label(),
            horizon_days: loaded.model.horizon(),
        });
        self
    }

    pub(super) fn warn(&mut self, warning: impl Into<Option<Warning>>) {
        self.warnings.extend(warning.into());
    }

    fn page(&mut self, total: usize, next: Option<String>) {
        self.page = Some(PageMeta { total, next });
    }
}

/// What was asked, as far as it decides the answer: the path, its query, and what the client has.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    path: String,
    query: String,
    has: Option<String>,
}

impl FromRequest for Asked {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let has: Vec<&str> = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|has| has.to_str().ok()).collect();
        let has = (!has.is_empty()).then(|| has.join(","));
        ready(Ok(Self { path: request.path().to_owned(), query: request.query_string().to_owned(), has }))
    }
}

/// The tables and the model of an answer, told apart from every other.
pub(super) fn versions(portfolio: Option<&CurrentPortfolio>, model: Option<&CurrentModel>) -> Short {
    // The number of a table version does not tell two lakes apart, or two settings of the
    // settle days; with the as-of day and the count of rows it does wherever figures differ.
    let tables = portfolio.map(|tables| {
        let counts = [tables.customers().len(), tables.subscriptions().len(), tables.usage_rows()];
        format!("{} {} {counts:?}", tables.version(), tables.as_of())
    });
    let model = model.map(|loaded| loaded.model.version());
    short([env!("CARGO_PKG_VERSION"), tables.as_deref().unwrap_or("-"), model.unwrap_or("-")].map(str::as_bytes))
}

impl Asked {
    /// The digest of a list and its parameters, but for those that only choose the page.
    pub(super) fn list(&self, resolved: Option<Period>) -> Short {
        let mut pairs: Vec<_> = url::form_urlencoded::parse(self.query.as_bytes())
            .filter(|(name, _)| !["cursor", "limit", "period", "from", "to"].contains(&name.as_ref()))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.sort_unstable();
        let period = resolved.map(|period| format!("{}..{}", period.from(), period.to())).unwrap_or_default();
        short([self.path.as_str(), &period].into_iter().chain(pairs.iter().map(String::as_str)).map(str::as_bytes))
    }

    /// Answers from these versions: 304 where the client has the answer already, else what
    /// `work` gives on a thread that may block.
    pub(super) async fn answer<T, F>(self, versions: Short, work: F) -> Result<HttpResponse, Problem>
    where
        T: Serialize,
        F: FnOnce() -> Result<Envelope<T>, Problem> + Send + 'static,
    {
        let digest = u64::from_be_bytes(short([versions.as_slice(), self.path.as_bytes(), self.query.as_bytes()]));
        // Weak, because gzip changes the bytes and not what they say.
        let tag = format!("W/\"{digest:016x}\"");
        let fresh = self.has.as_deref().is_some_and(|has| has_tag(has, &tag));
        let mut response = HttpResponse::build(if fresh { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
        response.insert_header((header::ETAG, tag)).insert_header((header::CACHE_CONTROL, "private, no-cache"));
        if fresh {
            return Ok(response.finish());
        }
        let body = web::block(move || write(&work()?)).await.map_err(|_| Problem::Panicked)??;
        Ok(response.content_type("application/json").body(body))
    }
}

/// Answers without a tag: states of the service rather than of the tables.
pub(super) fn plain<T: Serialize>(envelope: &Envelope<T>) -> Result<HttpResponse, Problem> {
    let body = write(envelope)?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).content_type("application/json").body(body))
}

fn write<T: Serialize>(envelope: &Envelope<T>) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(envelope).map_err(Problem::Unserialisable)
}

/// Whether an `If-None-Match` header names `tag`, compared weakly.
fn has_tag(has: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    has.split(',').any(|one| one.trim() == "*" || opaque(one) == opaque(tag))
}

/// Which page of a list: of what versions and query, from where, how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    versions: Short,
    query: Short,
    offset: usize,
    limit: usize,
}

impl Page {
    /// The page at `cursor`, or the first.
    ///
    /// # Errors
    /// Where the cursor is of other versions (410) or of another list (400).
    pub(super) fn new(versions: Short, query: Short, cursor: Option<Cursor>, limit: usize) -> Result<Self, Problem> {
        let offset = cursor.map_or(Ok(0), |cursor| cursor.offset_in(versions, query))?;
        Ok(Self { versions, query, offset, limit })
    }

    /// The rows of this page, told in `meta`.
    pub(super) fn cut<'r, R>(&self, rows: &'r [R], meta: &mut Meta) -> &'r [R] {
        let from = self.offset.min(rows.len());
        let to = from.saturating_add(self.limit).min(rows.len());
        let next = u32::try_from(to).ok().filter(|_| to < rows.len());
        meta.page(rows.len(), next.map(|offset| Cursor { versions: self.versions, query: self.query, offset }.encode()));
        &rows[from..to]
    }
}
