//! The scores that were issued: appended to the lake as versions come into service, and read back
//! for histories and for the live record.
//!
//! Absent on purpose: when it is done (`recorder.rs`), and figures, which are the model's.

use std::fmt;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::cursor::{Short, short};
use super::routes::{reason_code, risked};
use super::version::Version;
use crate::domain::{
    Day, Feedback, HorizonDays, IssuedScore, MicrosSum, Period, PortfolioScoring, Score, ScoreStanding, ScoringHead, SubscriptionId, chain,
};
use crate::lake::{Lake, LakeError, ScoresError, ScoresReceipt};
use crate::model::{HorizonRecord, IssuedRisk, LoadedModel, ModelRecord, Ranking, Registry, Standing, cost_30_days, weekly};
use crate::portfolio::{Portfolio, SubscriptionIx};

/// Where scores are kept, and where the models are that issued them.
pub(super) struct Scores {
    lake: Reader,
    registry: Registry,
    today: fn() -> Day,
    /// What the last append failed with, so that the log tells it once.
    failed: Mutex<Option<String>>,
}

impl fmt::Debug for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scores").field("lake", &self.lake.get().map(Lake::dir)).finish_non_exhaustive()
    }
}

/// A lake whose engine is given up on a thread of its own: the last to hold it may be one of those
/// that answer, which may not block.
#[derive(Debug)]
struct Reader(Option<Lake>);

impl Reader {
    const fn get(&self) -> Option<&Lake> {
        self.0.as_ref()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let lake = self.0.take();
        // Where no thread can be started the process is at its end anyway.
        let _ = thread::Builder::new().name("lake-close".to_owned()).spawn(move || drop(lake));
    }
}

/// The scorings that were recorded when a version came into service.
#[derive(Debug, Clone, Default)]
pub(super) struct Issued {
    scores: Option<Arc<Scores>>,
    /// Ascending by as-of day, then by the day of scoring.
    heads: Arc<[ScoringHead]>,
    /// Of all of them.
    digest: Short,
    /// Why there are none, where the table does not read.
    pub(super) unread: Option<String>,
}

/// What came of one model's scores.
#[derive(Debug)]
pub(super) struct RecordOfModel {
    pub(super) model_version: String,
    /// Ascending by as-of day.
    pub(super) heads: Vec<ScoringHead>,
    /// The figures, or why there are none.
    pub(super) measured: Result<MeasuredScores, String>,
}

/// What the scores of one model came to.
#[derive(Debug)]
pub(super) struct MeasuredScores {
    /// By horizon, the shortest first.
    pub(super) horizons: Vec<HorizonRecord>,
    /// Of each scoring that is taken, oldest first; empty where the tables have no cost.
    pub(super) cost_at_risk: Vec<CostAtRisk>,
}

/// The cost at risk on the day of a scoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct CostAtRisk {
    pub(super) as_of: Day,
    /// The sum of risk times the cost of the 30 days that ended on that day: the risks of the first
    /// horizon as they were issued, the costs as the tables know them.
    pub(super) cost_at_risk: MicrosSum,
}

impl Scores {
    pub(super) fn new(lake: Lake, registry: Registry, today: fn() -> Day) -> Self {
        Self { lake: Reader(Some(lake)), registry, today, failed: Mutex::new(None) }
    }

    /// What is recorded so far.
    pub(super) fn issued(self: &Arc<Self>) -> Issued {
        let listed = self.lake.get().map_or_else(|| Ok(Vec::new()), Lake::scorings);
        let (heads, unread): (Arc<[ScoringHead]>, _) = match listed {
            Ok(heads) => (heads.into(), None),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the recorded scores cannot be listed");
                (Arc::default(), Some(chain(&error)))
            }
        };
        let told: Vec<String> = heads.iter().map(|head| format!("{head:?}")).collect();
        let digest = short(told.iter().chain(&unread).map(String::as_bytes));
        Issued { scores: Some(Arc::clone(self)), heads, digest, unread }
    }

    /// The day that the operator's clock shows.
    pub(super) fn today(&self) -> Day {
        (self.today)()
    }

    /// Appends the scoring of the whole portfolio by a version; none where it has no as-of day or
    /// no model, or is recorded already.
    ///
    /// # Errors
    /// Where the table cannot be read or written.
    pub(super) fn append(&self, version: &Version) -> Result<Option<ScoresReceipt>, ScoresError> {
        let (Some(loaded), Some(scoring), Some(lake)) = (version.model(), self.scoring(version), self.lake.get()) else { return Ok(None) };
        if version.issued().holds(&scoring) {
            return Ok(None);
        }
        let portfolio = &version.tables().portfolio;
        // Asked for only where the scoring is not in the table yet.
        let rows = Lazily::new(|| rows(portfolio, loaded, |head| version.ranking(loaded, head)));
        let receipt = lake.append_scores(&scoring, rows)?;
        *self.failed.lock() = None;
        Ok(Some(receipt))
    }

    /// Tells the log of a failed append, unless the one before it failed alike.
    pub(super) fn tell_failure(&self, error: &ScoresError) {
        let told = chain(error);
        let mut failed = self.failed.lock();
        if failed.as_ref() != Some(&told) {
            tracing::warn!(error = told, "the scoring is not recorded; it is tried again at the next look");
            *failed = Some(told);
        }
    }

    fn scoring(&self, version: &Version) -> Option<PortfolioScoring> {
        let portfolio = &version.tables().portfolio;
        let (as_of, loaded) = (portfolio.as_of()?, version.model()?);
        let model_version = loaded.model.version().to_owned();
        Some(PortfolioScoring { as_of, model_version, table_version: portfolio.version(), scored_on: self.today() })
    }

    /// Compares the files with their checksums, so that who asks for a history first need not wait
    /// for that. A damaged one is told to the log.
    pub(super) fn check_files(&self) {
        if let Some(Err(error)) = self.lake.get().map(Lake::check_scores) {
            tracing::warn!(error = &error as &dyn std::error::Error, "recorded scores do not read");
        }
    }

    fn model(&self, version: &str) -> Result<LoadedModel, String> {
        self.registry.load(version).map_err(|error| chain(&error))
    }
}

/// An iterator that is made when it is asked for the first time.
enum Lazily<M, I> {
    Unmade(Option<M>),
    Made(I),
}

impl<I: Iterator, M: FnOnce() -> I> Lazily<M, I> {
    const fn new(make: M) -> Self {
        Self::Unmade(Some(make))
    }
}

impl<I: Iterator, M: FnOnce() -> I> Iterator for Lazily<M, I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if let Self::Unmade(make) = self {
            *self = Self::Made(make.take()?());
        }
        match self {
            Self::Made(made) => made.next(),
            Self::Unmade(_) => None,
        }
    }
}

/// Every active subscription at every horizon, ascending by both.
fn rows<'v>(portfolio: &'v Portfolio, loaded: &'v LoadedModel, ranking: impl Fn(usize) -> &'v Ranking) -> impl Iterator<Item = Score> + 'v {
    let in_order = |ranking: &'v Ranking| {
        let mut rows: Vec<&'v _> = ranking.rows().iter().collect();
        rows.sort_unstable_by_key(|row| row.subscription);
        rows
    };
    let heads = loaded.model.heads();
    let lists: Vec<(HorizonDays, Vec<_>)> = (0..heads.len()).map(|head| (heads[head].horizon_days, in_order(ranking(head)))).collect();
    let subscriptions = lists.first().map_or(0, |(_, rows)| rows.len());
    (0..subscriptions).flat_map(move |at| {
        let of_horizon = |(horizon_days, rows): &(HorizonDays, Vec<&'v crate::model::RankedSubscription>)| {
            rows.get(at).map(|row| Score {
                subscription_id: portfolio.subscription(row.subscription).id.clone(),
                horizon_days: *horizon_days,
                standing: match row.standing {
                    Standing::Known { risk, level } => ScoreStanding::Known { risk, level },
                    Standing::Unknown { reason } => ScoreStanding::Unknown { reason: reason_code(reason).into() },
                },
            })
        };
        lists.iter().filter_map(of_horizon).collect::<Vec<_>>()
    })
}

impl Issued {
    /// Whether there is a lake that scores are kept in.
    pub(super) const fn has_lake(&self) -> bool {
        self.scores.is_some()
    }

    pub(super) fn heads(&self) -> &[ScoringHead] {
        &self.heads
    }

    /// Tells them from other scorings.
    pub(super) const fn digest(&self) -> Short {
        self.digest
    }

    fn holds(&self, scoring: &PortfolioScoring) -> bool {
        self.heads.iter().any(|head| head.scoring.is_the_same_as(scoring))
    }

    /// Days since the newest scoring was made; none where there is none.
    pub(super) fn age_days(&self) -> Option<i32> {
        let newest = self.heads.iter().map(|head| head.scoring.scored_on).max()?;
        Some(self.scores.as_ref()?.today() - newest)
    }

    /// The scores of one subscription in these scorings, oldest first.
    ///
    /// # Errors
    /// Where the table does not read, in words.
    pub(super) fn history(&self, subscription: &SubscriptionId, within: Period) -> Result<Vec<IssuedScore>, String> {
        if let Some(unread) = &self.unread {
            return Err(unread.clone());
        }
        let lake = self.scores.as_ref().filter(|_| !self.heads.is_empty()).and_then(|scores| scores.lake.get());
        let Some(lake) = lake else { return Ok(Vec::new()) };
        let mut history = lake.score_history(subscription, Some(within)).map_err(|error| chain(&error))?;
        // One that was recorded since belongs to the answers of the version after this one.
        history.retain(|issued| self.holds(&issued.scoring));
        Ok(history)
    }

    /// All feedback, and none where there is no lake.
    ///
    /// # Errors
    /// Where the table does not read.
    pub(super) fn feedback(&self) -> Result<Vec<Feedback>, LakeError> {
        self.scores.as_ref().and_then(|scores| scores.lake.get()).map_or_else(|| Ok(Vec::new()), Lake::feedback)
    }

    /// A model that issued scores, or why it is not there, in words.
    pub(super) fn model(&self, version: &str) -> Result<LoadedModel, String> {
        self.scores.as_ref().map_or_else(|| Err("there is no registry".to_owned()), |scores| scores.model(version))
    }

    /// What came of the scores of each model, ascending by the model's version. It reads up to 53
    /// scorings of each model. Rows of subscriptions that the portfolio does not know count as such
    /// where it is that of everybody, and else not at all. Blocks.
    pub(super) fn record(&self, portfolio: &Portfolio, is_everybody: bool) -> Vec<RecordOfModel> {
        let mut versions: Vec<&str> = self.heads.iter().map(|head| head.scoring.model_version.as_str()).collect();
        versions.sort_unstable();
        versions.dedup();
        let of = |version: &str| {
            let heads: Vec<ScoringHead> = self.heads.iter().filter(|head| head.scoring.model_version == version).cloned().collect();
            let measured = self.measured(portfolio, is_everybody, version, &heads);
            if let Err(why) = &measured {
                tracing::warn!(model = version, why, "the scores of a model are not measured");
            }
            RecordOfModel { model_version: version.to_owned(), heads, measured }
        };
        versions.into_iter().map(of).collect()
    }

    fn measured(&self, portfolio: &Portfolio, is_everybody: bool, version: &str, heads: &[ScoringHead]) -> Result<MeasuredScores, String> {
        let lake = self.scores.as_ref().and_then(|scores| scores.lake.get()).ok_or("there is no lake")?;
        let loaded = self.model(version)?;
        let mut record = ModelRecord::new(portfolio, &loaded);
        let subscriptions: Vec<SubscriptionIx> = portfolio.subscription_indices().collect();
        let first = loaded.model.horizon();
        let mut cost_at_risk = Vec::new();
        let days: Vec<Day> = heads.iter().map(|head| head.scoring.as_of).collect();
        for head in weekly(&days).into_iter().map(|at| &heads[at]) {
            let told = |error: LakeError| chain(&error);
            let as_of = head.scoring.as_of;
            let (mut next, mut sum) = (0, MicrosSum(0));
            let rows = lake.scores_of(head).map_err(told)?.map(|row| {
                let row = row.map_err(told)?;
                let subscription = found(portfolio, &subscriptions, &mut next, &row.subscription_id);
                let risk = match row.standing {
                    ScoreStanding::Known { risk, .. } => Some(risk),
                    ScoreStanding::Unknown { .. } => None,
                };
                if let (Some(risk), Some(subscription)) = (risk, subscription.filter(|_| row.horizon_days == first)) {
                    let cost = cost_30_days(portfolio, subscription, as_of);
                    sum.0 += risked(risk, MicrosSum(i128::from(cost.0))).0;
                }
                Ok::<_, String>(IssuedRisk { subscription, horizon_days: row.horizon_days, risk })
            });
            let counts = |row: &Result<IssuedRisk, String>| is_everybody || row.as_ref().map_or(true, |row| row.subscription.is_some());
            record.take(as_of, rows.filter(counts))?;
            cost_at_risk.push(CostAtRisk { as_of, cost_at_risk: sum });
        }
        cost_at_risk.retain(|_| portfolio.has_cost());
        Ok(MeasuredScores { horizons: record.finish(), cost_at_risk })
    }
}

/// The subscription of an id: rows and subscriptions both ascend, so it mostly is that of the row
/// before, or the one after it.
fn found(portfolio: &Portfolio, all: &[SubscriptionIx], last: &mut usize, id: &SubscriptionId) -> Option<SubscriptionIx> {
    let near = (*last..all.len().min(*last + 2)).find(|at| portfolio.subscription(all[*at]).id == *id);
    if let Some(at) = near {
        *last = at;
        return Some(all[at]);
    }
    let found = portfolio.find_subscription(id.as_str())?;
    *last = found.at();
    Some(found)
}
