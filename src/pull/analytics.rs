//! Partner Center's analytics of Azure usage and of subscriptions, page by page.
//!
//! A page names the next one by a link; where it names none and is full, the next rows are asked
//! for by `skip`, as the service's pages describe. A link that was followed before, and a page of
//! the same bytes as an earlier one, end the pull: rows would be added up twice, or for ever.
//!
//! The pages of a run are one picture of the data, so a run that was cut off is gone on with for a
//! day at most.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use super::client::{Ask, Client};
use super::folder::{Folder, Kept};
use super::page::Page;
use super::{PullError, PullSetup, Pulled, io_error};
use crate::domain::{Day, hex};
use crate::durable::replace_file;

/// Of one page: 10,000 rows, which is the most that the service gives, of 6 KiB each.
const PAGE_MAX_BYTES: u64 = 64 << 20;

/// Pages of one run: a billion rows.
const PAGES_MAX: usize = 100_000;

/// How long a run that was cut off is gone on with.
const RUN_MAX_SECONDS: u64 = 24 * 3_600;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyticsRequest {
    pub topic: AnalyticsTopic,
    /// Rows of a page; the service gives 10,000 at most.
    pub page_rows: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnalyticsTopic {
    /// Azure usage without cost, from and until a day where they are given.
    Usage { from: Option<Day>, until: Option<Day> },
    /// Every subscription as it stands.
    Subscriptions,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// Of the newest run, from 1.
    run: u64,
    /// What tells runs of other questions apart.
    query: String,
    begun_epoch_seconds: u64,
    /// Where the next page is; none once the run is whole.
    next: Option<String>,
    /// Whether a page of this run has linked to the next: then one that does not is the last.
    links: bool,
    pages: Vec<PageKept>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct PageKept {
    file: Kept,
    rows: usize,
    /// SHA-256 of the address that it came from.
    address: String,
}

/// Where the next page is, and whether the service said so.
struct Next {
    address: String,
    is_link: bool,
}

impl AnalyticsRequest {
    fn first(&self, client: &Client) -> Url {
        let path: &[&str] = match self.topic {
            AnalyticsTopic::Usage { .. } => &["partner", "v1", "analytics", "usage", "azure"],
            AnalyticsTopic::Subscriptions => &["partner", "v1", "analytics", "subscriptions"],
        };
        let mut url = client.api.below(path);
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("top", &self.page_rows.to_string()).append_pair("skip", "0");
            if let AnalyticsTopic::Usage { from, until } = self.topic {
                for (name, day) in [("startDate", from), ("endDate", until)] {
                    if let Some(day) = day {
                        query.append_pair(name, &format!("{day}T00:00:00Z"));
                    }
                }
            }
        }
        url
    }

    fn key(&self) -> &'static str {
        match self.topic {
            AnalyticsTopic::Usage { .. } => "analytics-usage",
            AnalyticsTopic::Subscriptions => "analytics-subscriptions",
        }
    }
}

/// Fetches every page of one of the analytics.
///
/// # Errors
/// Whatever keeps a page from being here whole, and a service that repeats itself. What is here
/// stays, and the next pull goes on.
pub async fn pull_analytics(request: &AnalyticsRequest, setup: &PullSetup) -> Result<Pulled, PullError> {
    let folder = Folder::open(&setup.into, request.key())?;
    let mut client = Client::new(setup)?;
    let mut state = resumed(&folder, request, &client)?;
    let begun_with = state.pages.len();
    while let Some(next) = state.next.take() {
        let url = client.api.follow("the next link", &next)?;
        if state.pages.len() >= PAGES_MAX {
            return Err(PullError::TooManyPages { max: PAGES_MAX });
        }
        match turn(&mut client, &folder, request, &state, url).await {
            Ok((page, next)) => {
                client.progress.line(&format!("page {}: {} rows", state.pages.len() + 1, page.rows));
                state.pages.push(page);
                state.links |= next.as_ref().is_some_and(|next| next.is_link);
                state.next = next.map(|next| next.address);
                folder.save(&state)?;
            }
            Err(error) => {
                if matches!(error, PullError::Repeated { .. }) {
                    // The run is worth nothing: the next pull begins another.
                    folder.save(&State { run: state.run, ..State::default() })?;
                }
                return Err(error);
            }
        }
    }
    let with_rows = state.pages.iter().filter(|page| page.rows > 0);
    Ok(Pulled {
        files: with_rows.map(|page| folder.pulled(&page.file)).collect(),
        version: None,
        downloaded: state.pages.len() - begun_with,
    })
}

/// The run that was cut off, where it is young and asked the same; a new one otherwise.
fn resumed(folder: &Folder, request: &AnalyticsRequest, client: &Client) -> Result<State, PullError> {
    let state: State = folder.load()?;
    let first = String::from(request.first(client));
    let young = client.now().saturating_sub(state.begun_epoch_seconds) < RUN_MAX_SECONDS;
    if state.next.is_some() && young && state.query == first && state.pages.iter().all(|page| folder.has(&page.file)) {
        client.progress.line(&format!("going on after page {} of the pull before", state.pages.len()));
        return Ok(state);
    }
    let run = state.run + 1;
    folder.make(&run_name(run))?;
    let state = State { run, query: first.clone(), begun_epoch_seconds: client.now(), next: Some(first), ..State::default() };
    folder.save(&state)?;
    Ok(state)
}

/// Fetches one page: what is kept of it, and where the next one is.
async fn turn(
    client: &mut Client,
    folder: &Folder,
    request: &AnalyticsRequest,
    state: &State,
    url: Url,
) -> Result<(PageKept, Option<Next>), PullError> {
    let number = state.pages.len() + 1;
    let repeated = |at: usize, repeats| PullError::Repeated { page: number, earlier: at + 1, repeats };
    let address = hex(&Sha256::digest(url.as_str().as_bytes()));
    if let Some(at) = state.pages.iter().position(|page| page.address == address) {
        return Err(repeated(at, "has the address of"));
    }
    let ask = Ask::get(url.clone());
    let answer = client.answer(&ask, PAGE_MAX_BYTES).await?;
    if answer.status != 200 {
        return Err(client.refusal(&ask, answer.status, &answer.body));
    }
    let page = Page::read(&answer.body).map_err(|reason| PullError::Answer { what: ask.what(), reason })?;
    let sha256 = hex(&Sha256::digest(&answer.body));
    if let Some(at) = state.pages.iter().position(|page| page.file.sha256 == sha256) {
        return Err(repeated(at, "has the bytes of"));
    }
    let file = format!("{}/page-{number:06}.json", run_name(state.run));
    let path = folder.path(&file);
    replace_file(&path, &answer.body).map_err(|source| io_error(&path, source))?;
    let next = next_of(client, request, state, &url, &page)?;
    Ok((PageKept { file: Kept { file, bytes: answer.body.len() as u64, sha256 }, rows: page.rows, address }, next))
}

/// Where the page after this one is; none where it is the last.
fn next_of(client: &Client, request: &AnalyticsRequest, state: &State, url: &Url, page: &Page) -> Result<Option<Next>, PullError> {
    if let Some(link) = &page.next {
        // It is looked at here, so that what is remembered can be followed.
        let address = String::from(client.api.follow("the next link", link)?);
        return Ok(Some(Next { address, is_link: true }));
    }
    if state.links || page.rows < request.page_rows.max(1) as usize {
        return Ok(None);
    }
    let mut pairs: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let skipped: u64 = pairs.get("skip").and_then(|skip| skip.parse().ok()).unwrap_or(0);
    pairs.insert("skip".to_owned(), (skipped + page.rows as u64).to_string());
    let mut next = url.clone();
    next.query_pairs_mut().clear().extend_pairs(pairs);
    Ok(Some(Next { address: next.into(), is_link: false }))
}

fn run_name(run: u64) -> String {
    format!("run-{run:06}")
}
