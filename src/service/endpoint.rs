//! What every route that reads has in common: the query, the version it stands on, the answer
//! given before, the forms, the pages. A route says what it takes and what it gives.
//!
//! Absent on purpose: what any single route answers.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures::SinkExt;
use futures::channel::mpsc;
use futures::executor::block_on;
use serde::Serialize;
use utoipa::ToSchema;

use super::aside::aside;
use super::cache::{Answered, Tag, has_tag, marked, not_modified, tell, wants_anew};
use super::cursor::{Cursor, Key, Short, short};
use super::forms::{Form, JSON, RowWriter};
use super::guard;
use super::meta::Meta;
use super::operation::Operation;
use super::parameters::{LIMIT_DEFAULT, Parameters, Query};
use super::places;
use super::problem::Problem;
use super::state::{self, State};
use super::version::Version;

/// Bytes of a streamed table that are sent in one piece.
const PIECE_BYTES: usize = 64 << 10;

/// Pieces that wait for a slow reader before the work behind them waits too.
const PIECES_WAITING: usize = 2;

/// What a route is called, and what it says of itself in the document.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    pub(super) path: &'static str,
    pub(super) operation: Operation,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) what: &'static str,
    /// Statuses beyond those that every route has.
    pub(super) fails: &'static [u16],
}

/// A row type for answers that are no table.
#[derive(Debug, Serialize, ToSchema)]
pub(super) enum NoRows {}

/// A route that answers with figures, and perhaps with a series of them.
pub(super) trait Figures: 'static {
    const ABOUT: About;
    type Query: Query;
    type Answer: Serialize + ToSchema;
    /// A row of its series, which CSV and NDJSON give; [`NoRows`] where there is none.
    type Row: Serialize + ToSchema;
    /// Whether there is such a series.
    const TABULAR: bool = true;
    /// Whether it tells of the scores that were issued before.
    const OF_SCORES: bool = false;

    /// The answer, from one version.
    fn answer(version: &Version, query: &Self::Query) -> Result<(Self::Answer, Meta), Problem>;

    /// The series.
    fn rows(answer: &Self::Answer) -> &[Self::Row];
}

/// A route that answers with a list, page by page.
pub(super) trait Listing: 'static {
    const ABOUT: About;
    type Query: Query;
    /// What is known of a row before it is written out.
    type Entry: Send + Sync + 'static;
    type Row: Serialize + ToSchema;

    /// Every row of the list, ascending by [`Listing::key`].
    fn entries(version: &Version, query: &Self::Query) -> Result<(Vec<Self::Entry>, Meta), Problem>;

    /// Where a row stands. No two share one.
    fn key(entry: &Self::Entry) -> Key;

    /// Writes rows out, one after another, until `take` wants no more.
    fn rows(
        version: &Version,
        query: &Self::Query,
        entries: &[Self::Entry],
        take: &mut dyn FnMut(Self::Row) -> bool,
    ) -> Result<(), Problem>;
}

/// Which part of a list, as it was asked for.
#[derive(Debug, Clone, Default)]
struct Part {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A request, read.
pub(super) struct Question<Q> {
    pub(super) query: Q,
    pub(super) form: Form,
    part: Part,
}

impl<Q: Query> Question<Q> {
    pub(super) fn read(request: &HttpRequest, tabular: bool, paged: bool) -> Result<Self, Problem> {
        let mut parameters = Parameters::of(request);
        let (query, form, part) = parse::<Q>(&mut parameters, tabular, paged);
        parameters.finish()?;
        let form = form.map_or_else(|| Form::negotiate(request, tabular), Ok)?;
        Ok(Self { query, form, part })
    }
}

/// Everything that a route takes: what is its own, then what all routes of its sort have.
fn parse<Q: Query>(parameters: &mut Parameters, tabular: bool, paged: bool) -> (Q, Option<Form>, Part) {
    let query = Q::parse(parameters);
    let part = if paged { Part { limit: parameters.limit(), cursor: parameters.cursor() } } else { Part::default() };
    let form = if tabular { Form::parse(parameters) } else { None };
    (query, form, part)
}

/// The parameters that a route takes, for the document.
pub(super) fn parameters<Q: Query>(tabular: bool, paged: bool) -> Vec<utoipa::openapi::path::Parameter> {
    Parameters::described(|parameters| parse::<Q>(parameters, tabular, paged))
}

#[derive(Serialize, ToSchema)]
pub(super) struct Envelope<T> {
    pub(super) data: T,
    pub(super) meta: Meta,
}

/// The tag of an answer: versions, form and question, and the scores issued where it tells of them.
fn tag(version: &Version, form: Form, request: &HttpRequest, of_scores: bool) -> Tag {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    let (digest, issued) = (version.digest(), of_scores.then(|| version.issued().digest()));
    let parts = [digest.as_slice(), form.content_type().as_bytes(), target.as_bytes()];
    Tag::weak(u64::from_be_bytes(short(parts.into_iter().chain(issued.iter().map(Short::as_slice)))))
}

/// The answer given before, where the same was asked of the version in service.
fn given_before(state: &State, version: &Version, request: &HttpRequest) -> Option<Arc<Answered>> {
    if wants_anew(request) {
        return None;
    }
    let found = state.answers().find(request, version.epoch());
    state.counters().looked_up(found.is_some());
    found
}

/// Answers a route of figures.
pub(super) async fn figures<F: Figures>(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let state = state::of(&request)?;
    let version = state.seen_by(&guard::caller(&request)?.view).await?;
    if let Some(answered) = given_before(state, &version, &request) {
        return answered.respond(&request).await;
    }
    let Question { query, form, .. } = Question::<F::Query>::read(&request, F::TABULAR, false)?;
    let tag = tag(&version, form, &request, F::OF_SCORES);
    let epoch = version.epoch();
    let work = move || -> Result<Answered, Problem> {
        let (answer, meta) = F::answer(&version, &query)?;
        let meta = meta.hiding::<F::Answer>(&version.tables().portfolio);
        if form == Form::Json {
            let body = serde_json::to_vec(&Envelope { data: answer, meta }).map_err(Problem::Unserialisable)?;
            return Ok(Answered::new(F::ABOUT.path, JSON, tag, Vec::new(), body));
        }
        let mut writer = RowWriter::new::<F::Row>(form)?;
        F::rows(&answer).iter().try_for_each(|row| writer.row(row))?;
        let headers = table_headers(&meta, None);
        Ok(Answered::new(F::ABOUT.path, form.content_type(), tag, headers, writer.bytes))
    };
    let answered = state.answers().once(&request, epoch, aside(&request, work)).await?;
    answered.respond(&request).await
}

/// What a table cannot say of itself.
fn table_headers(meta: &Meta, next: Option<String>) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    let facts = [
        ("churn-risk-as-of", meta.as_of.map(|day| day.to_string())),
        ("churn-risk-table-version", meta.table_version.map(|version| version.to_string())),
        ("churn-risk-model-version", meta.model_version.clone()),
        ("churn-risk-total", meta.total.map(|total| total.to_string())),
        ("link", next),
    ];
    headers.extend(facts.into_iter().filter_map(|(name, value)| Some((name, value?))));
    if !meta.warnings.is_empty() {
        headers.push(("churn-risk-warnings", meta.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>().join(", ")));
    }
    if !meta.hidden.is_empty() {
        headers.push(("churn-risk-hidden", meta.hidden.iter().map(|hidden| hidden.field).collect::<Vec<_>>().join(", ")));
    }
    headers
}

/// Answers a route of a list.
pub(super) async fn listing<L: Listing>(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let state = state::of(&request)?;
    let caller = guard::caller(&request)?;
    let current = state.seen_by(&caller.view).await?;
    if let Some(answered) = given_before(state, &current, &request) {
        return page(state, &current, &answered, &request).await;
    }
    let Question { query, form, part } = Question::<L::Query>::read(&request, true, true)?;
    let list = list_digest(&request);
    let (version, after) = match &part.cursor {
        None => (current, None),
        Some(text) => {
            let cursor = state.sealer().open_for(text, list)?;
            (state.walked(cursor.versions, &current, &caller.view)?, Some(cursor.after))
        }
    };
    let tag = tag(&version, form, &request, false);
    if form != Form::Json && part.limit.is_none() {
        if has_tag(&request, &tag) {
            return Ok(not_modified(L::ABOUT.path, &tag));
        }
        return stream::<L>(&request, version, query, (form, after), &tag).await;
    }
    let limit = part.limit.unwrap_or(usize::try_from(LIMIT_DEFAULT).unwrap_or(usize::MAX));
    let (epoch, own) = (version.epoch(), state.clone());
    let target = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let wanted = Page { after, limit, list, target, tag };
    let over = Arc::clone(&version);
    let work = move || wanted.write::<L>(&own, &over, &query, form);
    let answered = state.answers().once(&request, epoch, aside(&request, work)).await?;
    page(state, &version, &answered, &request).await
}

/// Gives a page. Where another comes after it, its version is kept for that one from now on.
async fn page(state: &State, version: &Arc<Version>, answered: &Arc<Answered>, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    if answered.goes_on() {
        state.walk(version);
    }
    answered.respond(request).await
}

/// A page that was asked for.
struct Page {
    after: Option<Key>,
    limit: usize,
    list: Short,
    target: String,
    tag: Tag,
}

impl Page {
    fn write<L: Listing>(self, state: &State, version: &Arc<Version>, query: &L::Query, form: Form) -> Result<Answered, Problem> {
        let (entries, meta) = L::entries(version, query)?;
        let mut meta = meta.hiding::<L::Row>(&version.tables().portfolio);
        let from = start::<L>(&entries, self.after);
        let rows = &entries[from..entries.len().min(from.saturating_add(self.limit))];
        let next = rows
            .last()
            .filter(|_| from + rows.len() < entries.len())
            .map(|last| state.sealer().seal(&Cursor { versions: version.digest(), query: self.list, after: L::key(last) }));
        meta.total = Some(entries.len() as u64);
        meta.next = Some(next.clone());
        let mut writer = RowWriter::new::<L::Row>(form)?;
        let mut written = Ok(());
        L::rows(version, query, rows, &mut |row| {
            written = writer.row(&row);
            written.is_ok()
        })?;
        written?;
        let goes_on = next.is_some();
        let headers = if form == Form::Json {
            Vec::new()
        } else {
            table_headers(&meta, next.map(|next| format!("<{}>; rel=\"next\"", with_cursor(&self.target, &next))))
        };
        let answered = Answered::new(L::ABOUT.path, form.content_type(), self.tag, headers, writer.finish(&meta)?);
        Ok(if goes_on { answered.going_on() } else { answered })
    }
}

/// The place of the first row after a key.
fn start<L: Listing>(entries: &[L::Entry], after: Option<Key>) -> usize {
    after.map_or(0, |after| entries.partition_point(|entry| L::key(entry) <= after))
}

/// The target of a page with another cursor.
fn with_cursor(target: &str, cursor: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let pairs: Vec<&str> = kept.collect();
    let query = pairs.iter().fold(String::new(), |query, pair| query + pair + "&");
    format!("{path}?{query}cursor={cursor}")
}

/// The digest of a list and its parameters, but for those that only choose the page or the form.
fn list_digest(request: &HttpRequest) -> Short {
    let mut pairs: Vec<_> = url::form_urlencoded::parse(request.query_string().as_bytes())
        .filter(|(name, _)| !["cursor", "limit", "format", "bom"].contains(&name.as_ref()))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.sort_unstable();
    short([request.path()].into_iter().chain(pairs.iter().map(String::as_str)).map(str::as_bytes))
}

/// The whole rest of a list, as fast as the client reads it.
async fn stream<L: Listing>(
    request: &HttpRequest,
    version: Arc<Version>,
    query: L::Query,
    (form, after): (Form, Option<Key>),
    tag: &Tag,
) -> Result<HttpResponse, Problem> {
    let whose = guard::of(request)?.own(&*guard::caller(request)?);
    let place = places::of(request)?.list(whose).ok_or(Problem::Overloaded)?;
    let known = Arc::clone(&version);
    let (query, entries, meta) = aside(request, move || {
        let (entries, meta) = L::entries(&known, &query)?;
        let mut meta = meta.hiding::<L::Row>(&known.tables().portfolio);
        meta.total = Some(entries.len() as u64);
        Ok((query, entries, meta))
    })
    .await?;
    let (send, receive) = mpsc::channel::<Result<Bytes, Problem>>(PIECES_WAITING);
    // It ends with its last row, or when the client goes away and takes no more.
    actix_web::rt::task::spawn_blocking(move || {
        // The place is free before the reader sees the end.
        let (mut send, _place) = (send, place);
        if let Err(problem) = write_all::<L>(&version, &query, &entries, form, after, &mut send) {
            tracing::error!(%problem, "a streamed list ends early");
            // The client is told by the broken stream.
            let _ = block_on(send.send(Err(problem)));
        }
    });
    let mut response = HttpResponse::Ok();
    tell(&mut response, tag).content_type(form.content_type());
    for (name, value) in table_headers(&meta, None) {
        response.insert_header((name, value));
    }
    let response = response.insert_header((header::CONTENT_DISPOSITION, disposition(form))).streaming(receive);
    Ok(marked(response, L::ABOUT.path))
}

const fn disposition(form: Form) -> &'static str {
    match form {
        Form::Csv { .. } => "inline; filename=\"churn-risk.csv\"",
        Form::Json | Form::Ndjson => "inline; filename=\"churn-risk.ndjson\"",
    }
}

fn write_all<L: Listing>(
    version: &Version,
    query: &L::Query,
    entries: &[L::Entry],
    form: Form,
    after: Option<Key>,
    send: &mut mpsc::Sender<Result<Bytes, Problem>>,
) -> Result<(), Problem> {
    let mut writer = RowWriter::new::<L::Row>(form)?;
    let mut written = Ok(());
    let mut listening = true;
    L::rows(version, query, &entries[start::<L>(entries, after)..], &mut |row| {
        written = writer.row(&row);
        if writer.bytes.len() >= PIECE_BYTES {
            listening = block_on(send.send(Ok(std::mem::take(&mut writer.bytes).into()))).is_ok();
        }
        written.is_ok() && listening
    })?;
    written?;
    if listening && !writer.bytes.is_empty() {
        // A client that has gone by now has all but the last piece.
        let _ = block_on(send.send(Ok(writer.bytes.into())));
    }
    Ok(())
}
