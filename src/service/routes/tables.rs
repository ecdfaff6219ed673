//! GET /v1/imports, GET /v1/gaps and POST /v1/tables/reload

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Day, Period};
use crate::lake::ImportRecord;
use crate::metrics::{self, Gap};

use super::super::body::NoBody;
use super::super::endpoint::{About, Envelope, Figures};
use super::super::meta::Meta;
use super::super::openapi::Route;
use super::super::operation::Operation;
use super::super::parameters::{Nothing, Parameters};
use super::super::problem::Problem;
use super::super::state;
use super::super::version::Version;
use super::plain;

/// One import.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Import)]
pub(super) struct ImportRow {
    /// Its number, which is also that of the table version that it made.
    #[schema(examples(12))]
    import_id: u64,
    /// The format that its files have.
    #[schema(examples("generic"))]
    source: String,
    imported_on: Day,
    rows_read: u64,
    rows_kept: u64,
    rows_refused: u64,
    /// First and last day with a usage row; null where it brought no usage.
    first_day: Option<Day>,
    last_day: Option<Day>,
    /// What it said to the person who ran it, in one text.
    notes: Option<String>,
    files: Vec<FileRow>,
}

/// One file of an import.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportedFile)]
struct FileRow {
    name: String,
    /// SHA-256 of its bytes, in hexadecimal.
    sha256: String,
    /// The table it was read as.
    table: String,
}

impl From<&ImportRecord> for ImportRow {
    fn from(record: &ImportRecord) -> Self {
        let file =
            |file: &crate::lake::ImportedFile| FileRow { name: file.name.clone(), sha256: file.sha256.clone(), table: file.table.clone() };
        Self {
            import_id: record.import_id,
            source: record.source.clone(),
            imported_on: record.imported_on,
            rows_read: record.rows_read,
            rows_kept: record.rows_kept,
            rows_refused: record.rows_refused,
            first_day: record.first_day,
            last_day: record.last_day,
            notes: (!record.warnings.is_empty()).then(|| record.warnings.join("; ")),
            files: record.files.iter().map(file).collect(),
        }
    }
}

/// What came in when.
#[derive(Debug)]
pub(super) struct Imports;

impl Figures for Imports {
    const ABOUT: About = About {
        path: "/v1/imports",
        operation: Operation::Imports,
        tag: "tables",
        summary: "What came in when",
        what: "Every import that made the tables in service, the newest first: its files, rows read, kept and refused, first and last day of usage.",
        fails: &[],
    };
    type Query = Nothing;
    type Answer = Vec<ImportRow>;
    type Row = ImportRow;

    fn answer(version: &Version, _: &Nothing) -> Result<(Vec<ImportRow>, Meta), Problem> {
        Ok((version.imports().iter().rev().map(ImportRow::from).collect(), Meta::at(version)))
    }

    fn rows(answer: &Vec<ImportRow>) -> &[ImportRow] {
        answer
    }
}

/// Where the feed has holes.
#[derive(Debug)]
pub(super) struct Gaps;

impl Figures for Gaps {
    const ABOUT: About = About {
        path: "/v1/gaps",
        operation: Operation::Gaps,
        tag: "tables",
        summary: "Where the feed has holes",
        what: "Days between the first day of data and the as-of day without a single usage row in the whole portfolio, in runs. They are unknown, not zero: metrics fill nothing in, and silence does not count them.",
        fails: &[],
    };
    type Query = Nothing;
    type Answer = Vec<Gap>;
    type Row = Gap;

    fn answer(version: &Version, _: &Nothing) -> Result<(Vec<Gap>, Meta), Problem> {
        let sight = version.sight()?;
        let first = sight.portfolio.first_day().unwrap_or(sight.as_of);
        let known = Period::new(first, sight.as_of).unwrap_or(Period::last(1, sight.as_of));
        Ok((metrics::gaps(sight.portfolio, known), Meta::of(sight)))
    }

    fn rows(answer: &Vec<Gap>) -> &[Gap] {
        answer
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct TablesReload {
    /// The version of the tables in service.
    table_version: u64,
    /// The one before.
    previous_version: u64,
    changed: bool,
}

pub(super) fn reload_route() -> Route {
    let about = About {
        path: "/v1/tables/reload",
        operation: Operation::ReloadTables,
        tag: "tables",
        summary: "Put the newest tables in service",
        what: "Looks for a newer import at once, builds its version aside and swaps it in; requests in flight keep theirs. A service also looks by itself every few seconds.",
        fails: &[],
    };
    Route::command::<TablesReload>(about, || web::route().to(reload))
}

async fn reload(request: HttpRequest, _: NoBody) -> Result<HttpResponse, Problem> {
    Parameters::of(&request).finish()?;
    let state = state::of(&request)?.clone();
    let reloading = state.clone();
    let before = state.current();
    let reloaded = web::block(move || reloading.reload_tables()).await.map_err(|_| Problem::Panicked)?;
    let (table_version, changed) = reloaded.map_err(Problem::TablesDoNotLoad)?;
    let previous_version = before.tables().portfolio.version();
    plain(&Envelope { meta: Meta::at(&state.current()), data: TablesReload { table_version, previous_version, changed } })
}
