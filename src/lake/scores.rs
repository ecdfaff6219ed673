//! What models said of whole portfolios, as they said it: a table that only grows, beside the
//! versions of the imports, with a lease of its own.
//!
//! A scoring is one file and one commit. What tells scorings apart stands in the log as partition
//! values, so what there is is told without opening a file. Rows stand in the order of their
//! subscriptions in small row groups, so one subscription is found by the bounds of these.
//!
//! Absent on purpose: changing and removing a scoring, and any effect on the version of the
//! tables.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use thiserror::Error;

use super::data_file::{DataFile, FileBatches};
use super::log::Mark;
use super::parquet::{Columns, FileWriter, WrittenFile, numbers, texts};
use super::schema::{Partition, Table};
use super::tables::{Lake, LakeError};
use crate::domain::{
    ChurnRisk, Day, DayError, HorizonDays, IssuedScore, Level, Period, PortfolioScoring, Score, ScoreStanding, ScoringHead, SubscriptionId,
    UnknownWord,
};

/// Rows after which the row group ends with the subscription. Fewer make a longer footer, which
/// every reader reads; more are decoded to find one subscription.
const GROUP_ROWS: usize = 12 * 1024;

/// Why a scoring is not in the table.
#[derive(Debug, Error)]
pub enum ScoresError {
    #[error("a scoring names no model version, so it could not be told from another's")]
    NoModelVersion,
    #[error("table version {0} is beyond 9.2e18")]
    TableVersion(u64),
    #[error("a scoring has a day that cannot be kept")]
    Day(#[from] DayError),
    #[error(
        "the score of subscription {subscription_id} for {horizon_days} days does not come after the one before it: \
         scores ascend by subscription and horizon, each once"
    )]
    OutOfOrder { subscription_id: SubscriptionId, horizon_days: u32 },
    #[error(transparent)]
    Lake(#[from] LakeError),
}

/// What came of appending a scoring. Either way it is in the table, on disk, as told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScoresReceipt {
    Recorded(ScoringHead),
    /// It was there before; nothing has changed, and no score was asked for.
    AlreadyRecorded(ScoringHead),
}

/// A scoring and the file that holds its rows.
#[derive(Debug)]
struct ScoringFile {
    head: ScoringHead,
    file: DataFile,
}

/// The scorings up to an entry of the log.
#[derive(Debug, Clone)]
pub(super) struct SeenScores {
    mark: Mark,
    files: Arc<[ScoringFile]>,
}

impl Lake {
    /// Appends one scoring of the whole portfolio, durably: when this returns, it cannot be lost.
    /// The version of the tables stays what it is. `scores` ascend by subscription and horizon,
    /// and are taken one after the other: memory is that of a row group, some 2 MB.
    ///
    /// The same again ([`PortfolioScoring::is_the_same_as`]) changes nothing, and costs a look at
    /// the log.
    ///
    /// # Errors
    /// Where the scoring cannot be kept as it is or its scores are out of order, and where the
    /// table cannot be read or written. Nothing is appended then.
    pub fn append_scores(&self, scoring: &PortfolioScoring, scores: impl IntoIterator<Item = Score>) -> Result<ScoresReceipt, ScoresError> {
        if let Some(remote) = self.written_through() {
            // The scores are there once alone: where another came first, the next look does it again.
            return remote.append(Table::Scores, |lake| lake.append_scores(scoring, scores))?.ok_or_else(|| remote.contended().into());
        }
        let mut partition = partition(scoring)?;
        let _lease = self.scores_lease()?;
        let present = self.scoring_files()?;
        if let Some(known) = present.iter().find(|known| known.head.scoring.is_the_same_as(scoring)) {
            return Ok(ScoresReceipt::AlreadyRecorded(known.head.clone()));
        }
        let (file, horizons) = self.write_scores(scoring, scores)?;
        if !horizons.is_empty() {
            let days: Vec<String> = horizons.iter().map(|horizon| horizon.get().to_string()).collect();
            partition.insert("horizons", days.join(","));
        }
        let rows = file.rows;
        let kept: Vec<DataFile> = present.iter().map(|known| known.file.clone()).collect();
        self.commit(Table::Scores, &kept, &[(partition, file)])?;
        Ok(ScoresReceipt::Recorded(ScoringHead { scoring: scoring.clone(), horizons: horizons.into_iter().collect(), rows }))
    }

    fn write_scores(
        &self,
        scoring: &PortfolioScoring,
        scores: impl IntoIterator<Item = Score>,
    ) -> Result<(WrittenFile, BTreeSet<HorizonDays>), ScoresError> {
        let stem = format!("scores-{}", scoring.as_of);
        let mut writer = FileWriter::create(&self.table_dir(Table::Scores), None, &stem, Table::Scores.arrow_schema())?;
        let mut horizons = BTreeSet::new();
        let mut group: Vec<Score> = Vec::with_capacity(GROUP_ROWS);
        for score in scores {
            if let Some(last) = group.last() {
                let order = last.subscription_id.cmp(&score.subscription_id);
                if order.then(last.horizon_days.cmp(&score.horizon_days)).is_ge() {
                    let horizon_days = score.horizon_days.get();
                    return Err(ScoresError::OutOfOrder { subscription_id: score.subscription_id, horizon_days });
                }
                // It ends between two subscriptions, so that all scores of one are found in one group.
                if group.len() >= GROUP_ROWS && order.is_lt() {
                    writer.write(&batch(&group)?)?;
                    writer.end_row_group()?;
                    group.clear();
                }
            }
            horizons.insert(score.horizon_days);
            group.push(score);
        }
        writer.write(&batch(&group)?)?;
        Ok((writer.finish()?, horizons))
    }

    /// What was scored, ascending by as-of day, then by the day of scoring. No row is read.
    ///
    /// # Errors
    /// Where the log of the table cannot be read.
    pub fn scorings(&self) -> Result<Vec<ScoringHead>, LakeError> {
        Ok(self.scoring_files()?.iter().map(|known| known.head.clone()).collect())
    }

    /// The scores of one scoring, ascending by subscription and horizon; none where it was never
    /// recorded. Memory is one batch.
    ///
    /// # Errors
    /// Where the table cannot be read. Each row that is not what it should be is an error too.
    pub fn scores_of(&self, head: &ScoringHead) -> Result<ScoreRows, LakeError> {
        let files = self.scoring_files()?;
        let known = files.iter().find(|known| known.head.scoring.is_the_same_as(&head.scoring));
        known.map_or_else(|| Ok(ScoreRows::default()), |known| ScoreRows::open(&known.file, known.head.rows))
    }

    /// Every score of one subscription in the scorings with an as-of day in `within`, or in all of
    /// them, ascending by as-of day, day of scoring and horizon.
    ///
    /// A file is compared with its checksum when this lake reads it for the first time; of its
    /// rows, those near the subscription's are decoded.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub fn score_history(&self, subscription: &SubscriptionId, within: Option<Period>) -> Result<Vec<IssuedScore>, LakeError> {
        let mut history = Vec::new();
        for ScoringFile { head, file } in self.scoring_files()?.iter() {
            if within.is_some_and(|period| !period.contains(head.scoring.as_of)) {
                continue;
            }
            for batch in file.read_groups_with("subscription_id", subscription.as_str())? {
                let columns = Columns::new(batch?);
                for row in rows_of(&columns, subscription.as_str())? {
                    history.push(IssuedScore { scoring: head.scoring.clone(), score: score(&columns, row, file)? });
                }
            }
        }
        Ok(history)
    }

    /// Compares each file with its checksum, where this lake has not read it before: what a first
    /// read would do.
    ///
    /// # Errors
    /// The first file that is damaged or missing, after all were looked at; and where the log
    /// cannot be read.
    pub fn check_scores(&self) -> Result<(), LakeError> {
        let checked = |known: &ScoringFile| if known.file.was_checked() { Ok(()) } else { known.file.check() };
        self.scoring_files()?.iter().map(checked).fold(Ok(()), Result::and)
    }

    /// Reads a file of the table whole: the scoring, and what is not as it must be among its rows.
    pub(super) fn read_scoring(file: &DataFile) -> Result<(ScoringHead, Vec<String>), LakeError> {
        let head = head(file)?;
        let mut told = Vec::new();
        let mut horizons = BTreeSet::new();
        let mut last: Option<(SubscriptionId, HorizonDays)> = None;
        for score in ScoreRows::open(file, head.rows)? {
            let score = score?;
            let key = (score.subscription_id, score.horizon_days);
            if last.as_ref().is_some_and(|last| *last >= key) {
                told.push(format!("the score of {} for {} days does not come after the one before it", key.0, key.1.get()));
            }
            horizons.insert(key.1);
            last = Some(key);
        }
        if !horizons.iter().eq(&head.horizons) {
            told.push(format!("its rows are of other horizons than {:?}, which the log says", head.horizons));
        }
        Ok((head, told))
    }

    /// The scorings, as they were listed before where no entry of the log has come since.
    fn scoring_files(&self) -> Result<Arc<[ScoringFile]>, LakeError> {
        let log = self.table_dir(Table::Scores).join("_delta_log");
        let seen = self.scores_seen.lock().clone();
        if let Some(seen) = &seen
            && seen.mark.is_newest(&log)?
        {
            return Ok(Arc::clone(&seen.files));
        }
        let (version, listed) = self.newest_listed(Table::Scores)?;
        let mut files = Vec::with_capacity(listed.len());
        for file in listed {
            // One that was listed before keeps that it was compared with its checksum.
            let known = seen.iter().flat_map(|seen| seen.files.iter()).find(|known| known.file.relative == file.relative);
            let file = known.map_or(file, |known| known.file.clone());
            files.push(ScoringFile { head: head(&file)?, file });
        }
        files.sort_by(|a, b| in_order(&a.head.scoring).cmp(&in_order(&b.head.scoring)));
        let files: Arc<[ScoringFile]> = files.into();
        let mark = version.map(|version| Mark::of(&log, version)).transpose()?.flatten();
        *self.scores_seen.lock() = mark.map(|mark| SeenScores { mark, files: Arc::clone(&files) });
        Ok(files)
    }
}

fn in_order(scoring: &PortfolioScoring) -> (Day, Day, u64, &str) {
    (scoring.as_of, scoring.scored_on, scoring.table_version, &scoring.model_version)
}

/// The partition values of a scoring, but for the horizons, which its rows tell.
fn partition(scoring: &PortfolioScoring) -> Result<Partition, ScoresError> {
    // Delta reads an empty partition value as null.
    if scoring.model_version.is_empty() {
        return Err(ScoresError::NoModelVersion);
    }
    let table_version = i64::try_from(scoring.table_version).map_err(|_| ScoresError::TableVersion(scoring.table_version))?;
    let day = |day: Day| Day::parse(&day.to_string()).map(|day| day.to_string());
    Ok(Partition::from([
        ("as_of", day(scoring.as_of)?),
        ("model_version", scoring.model_version.clone()),
        ("table_version", table_version.to_string()),
        ("scored_on", day(scoring.scored_on)?),
    ]))
}

/// What the log says of the scoring in a file.
fn head(file: &DataFile) -> Result<ScoringHead, LakeError> {
    let damaged = |reason: String| LakeError::File { path: file.path.clone(), reason: format!("in the log, {reason}") };
    let needed = |name: &str| file.partition(name).ok_or_else(|| damaged(format!("it has no {name}")));
    let day = |name: &str| Day::parse(needed(name)?).map_err(|error| damaged(format!("its {name} is wrong: {error}")));
    let number = |text: &str| text.parse::<u64>().map_err(|error| damaged(format!("`{text}` is no number: {error}")));
    let horizons = file.partition("horizons").filter(|text| !text.is_empty()).map_or_else(Vec::new, |text| text.split(',').collect());
    let horizon = |text: &str| {
        let days = u32::try_from(number(text)?).unwrap_or(u32::MAX);
        HorizonDays::new(days).map_err(|error| damaged(error.to_string()))
    };
    Ok(ScoringHead {
        scoring: PortfolioScoring {
            as_of: day("as_of")?,
            model_version: needed("model_version")?.to_owned(),
            table_version: number(needed("table_version")?)?,
            scored_on: day("scored_on")?,
        },
        horizons: horizons.into_iter().map(horizon).collect::<Result<_, _>>()?,
        rows: file.rows_told().ok_or_else(|| damaged("it has no number of rows".to_owned()))?,
    })
}

/// The scores of one scoring, as they are read.
#[derive(Debug, Default)]
pub struct ScoreRows {
    open: Option<OpenScores>,
}

#[derive(Debug)]
struct OpenScores {
    file: DataFile,
    batches: FileBatches,
    columns: Option<Columns>,
    row: usize,
    /// Rows that the log says there are, less those that were read.
    left: u64,
}

impl ScoreRows {
    fn open(file: &DataFile, rows: u64) -> Result<Self, LakeError> {
        let open = OpenScores { file: file.clone(), batches: file.read(None)?, columns: None, row: 0, left: rows };
        Ok(Self { open: Some(open) })
    }
}

impl OpenScores {
    fn next(&mut self) -> Result<Option<Score>, LakeError> {
        loop {
            if let Some(columns) = self.columns.as_ref().filter(|columns| self.row < columns.rows()) {
                let Some(left) = self.left.checked_sub(1) else {
                    return Err(self.damaged("it has more rows than the log says".to_owned()));
                };
                let score = score(columns, self.row, &self.file)?;
                (self.row, self.left) = (self.row + 1, left);
                return Ok(Some(score));
            }
            let Some(batch) = self.batches.next() else { break };
            (self.columns, self.row) = (Some(Columns::new(batch?)), 0);
        }
        match self.left {
            0 => Ok(None),
            left => Err(self.damaged(format!("{left} rows that the log says it has are not there"))),
        }
    }

    fn damaged(&self, reason: String) -> LakeError {
        LakeError::File { path: self.file.path.clone(), reason }
    }
}

impl Iterator for ScoreRows {
    type Item = Result<Score, LakeError>;

    /// After an error nothing comes.
    fn next(&mut self) -> Option<Self::Item> {
        let next = self.open.as_mut()?.next().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.open = None;
        }
        next
    }
}

/// The rows of a subscription in a batch, which ascends by subscription.
fn rows_of(columns: &Columns, subscription: &str) -> Result<std::ops::Range<usize>, LakeError> {
    let first = |is_before: &dyn Fn(&str) -> bool| -> Result<usize, LakeError> {
        let (mut low, mut high) = (0, columns.rows());
        while low < high {
            let middle = low.midpoint(high);
            let before = is_before(columns.text_at("subscription_id", middle)?.unwrap_or_default());
            if before { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    };
    Ok(first(&|id| id < subscription)?..first(&|id| id <= subscription)?)
}

/// One row of the table.
fn score(columns: &Columns, row: usize, file: &DataFile) -> Result<Score, LakeError> {
    let damaged = |reason: String| LakeError::File { path: file.path.clone(), reason };
    let id = columns.text_at("subscription_id", row)?.unwrap_or_default();
    let days = u32::try_from(columns.long("horizon_days", row)?).unwrap_or(u32::MAX);
    let (risk, level) = (columns.number("risk", row)?, columns.text_at("level", row)?);
    let standing = match (risk, level, columns.text_at("reason", row)?) {
        (Some(risk), Some(level), None) => ScoreStanding::Known {
            risk: ChurnRisk::new(risk).map_err(|error| damaged(error.to_string()))?,
            level: level.parse().map_err(|error: UnknownWord| damaged(error.to_string()))?,
        },
        (None, None, Some(reason)) => ScoreStanding::Unknown { reason: reason.to_owned().into() },
        _ => return Err(damaged(format!("the score of {id} has neither a risk with its level nor a reason alone"))),
    };
    Ok(Score {
        subscription_id: SubscriptionId::parse(id).map_err(|error| damaged(error.to_string()))?,
        horizon_days: HorizonDays::new(days).map_err(|error| damaged(error.to_string()))?,
        standing,
    })
}

fn known(score: &Score) -> Option<(ChurnRisk, Level)> {
    match score.standing {
        ScoreStanding::Known { risk, level } => Some((risk, level)),
        ScoreStanding::Unknown { .. } => None,
    }
}

fn reason(score: &Score) -> Option<&str> {
    match &score.standing {
        ScoreStanding::Known { .. } => None,
        ScoreStanding::Unknown { reason } => Some(reason),
    }
}

fn batch(scores: &[Score]) -> Result<RecordBatch, LakeError> {
    let columns: Vec<ArrayRef> = vec![
        texts(scores.iter().map(|score| Some(score.subscription_id.as_str()))),
        Arc::new(scores.iter().map(|score| i64::from(score.horizon_days.get())).collect::<Int64Array>()),
        numbers(scores.iter().map(|score| known(score).map(|(risk, _)| risk.get()))),
        texts(scores.iter().map(|score| known(score).map(|(_, level)| level.as_str()))),
        texts(scores.iter().map(reason)),
    ];
    Ok(RecordBatch::try_new(Table::Scores.arrow_schema(), columns)?)
}
