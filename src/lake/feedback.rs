//! What people said of risks: a table that only grows, beside the versions of the imports.
//!
//! It has a lease of its own, so that nobody who gives feedback waits for an import, and no
//! import waits for feedback. Each answer is one commit, on disk before it is acknowledged.
//!
//! Absent on purpose: changing or removing an answer, and any effect on the version of the
//! tables.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use thiserror::Error;

use super::data_file::DataFile;
use super::parquet::{Columns, days, numbers, texts, write_file};
use super::schema::{Partition, Table};
use super::tables::{Lake, LakeError};
use crate::domain::{ChurnRisk, Feedback, FeedbackId, Note, SeenOutcome, SubscriptionId, UnknownWord, Verdict};

/// Files of the table before the next answer puts all of them into one. Each answer is a file of
/// one row; reading 64 of those takes some 10 ms.
const FILES_MAX: usize = 64;

/// How often an answer is tried again that another has come before, in an object store.
const ROUNDS_MAX: usize = 16;

/// Why feedback is not in the table.
#[derive(Debug, Error)]
pub enum FeedbackError {
    #[error("feedback {feedback_id} was given before, and says something else of subscription {subscription_id}")]
    Conflict { feedback_id: FeedbackId, subscription_id: SubscriptionId },
    #[error(transparent)]
    Lake(#[from] LakeError),
}

/// What came of giving feedback.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedbackReceipt {
    /// It is in the table, on disk.
    Recorded,
    /// It was in the table before, as here; nothing has changed.
    KnownAs(Box<Feedback>),
}

impl Lake {
    /// Appends one answer, durably: when this returns, it cannot be lost. The version of the
    /// tables stays what it is.
    ///
    /// The same answer again ([`Feedback::says_the_same_as`]) changes nothing.
    ///
    /// # Errors
    /// Where the id was given before to an answer that says something else, and where the table
    /// cannot be read or written.
    pub fn give_feedback(&self, given: &Feedback) -> Result<FeedbackReceipt, FeedbackError> {
        if let Some(remote) = self.written_through() {
            for _ in 0..ROUNDS_MAX {
                if let Some(receipt) = remote.append(Table::Feedback, |lake| lake.give_feedback(given))? {
                    return Ok(receipt);
                }
            }
            return Err(remote.contended().into());
        }
        let _lease = self.feedback_lease()?;
        let files = self.feedback_files()?;
        let mut rows = read(&files)?;
        if let Some((_, known)) = rows.iter().find(|(_, known)| known.feedback_id == given.feedback_id) {
            if known.says_the_same_as(given) {
                return Ok(FeedbackReceipt::KnownAs(Box::new(known.clone())));
            }
            return Err(FeedbackError::Conflict { feedback_id: known.feedback_id.clone(), subscription_id: known.subscription_id.clone() });
        }
        let number = rows.last().map_or(1, |(number, _)| number + 1);
        let kept: &[DataFile] = if files.len() >= FILES_MAX {
            &[]
        } else {
            rows.clear();
            &files
        };
        rows.push((number, given.clone()));
        let file = write_file(&self.table_dir(Table::Feedback), &format!("feedback-{number:08}"), &batch(&rows)?)?;
        self.commit(Table::Feedback, kept, &[(Partition::new(), file)])?;
        Ok(FeedbackReceipt::Recorded)
    }

    /// Every answer, in the order in which they were given.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub fn feedback(&self) -> Result<Vec<Feedback>, LakeError> {
        let rows = self.read_newest(Table::Feedback, read)?;
        Ok(rows.into_iter().map(|(_, feedback)| feedback).collect())
    }

    pub(super) fn feedback_files(&self) -> Result<Vec<DataFile>, LakeError> {
        self.newest_files(Table::Feedback)
    }
}

/// The answers with their numbers, ascending.
pub(super) fn read(files: &[DataFile]) -> Result<Vec<(i64, Feedback)>, LakeError> {
    let mut rows = Vec::new();
    for file in files {
        for batch in file.read(None)? {
            let columns = Columns::new(batch?);
            for row in 0..columns.rows() {
                let damaged = |reason: String| LakeError::File { path: file.path.clone(), reason };
                rows.push((columns.long("number", row)?, feedback(&columns, row, damaged)?));
            }
        }
    }
    rows.sort_by_key(|(number, _)| *number);
    Ok(rows)
}

/// One row of the table.
fn feedback(columns: &Columns, row: usize, damaged: impl Fn(String) -> LakeError) -> Result<Feedback, LakeError> {
    let needed = |name: &str| columns.text(name, row).and_then(|text| text.ok_or_else(|| damaged(format!("no {name}"))));
    let day = |name: &str| columns.day(name, row).and_then(|day| day.ok_or_else(|| damaged(format!("no {name}"))));
    let verdict = columns.text("verdict", row)?.map(|word| word.parse()).transpose();
    let outcome = columns.text("outcome", row)?.map(|word| word.parse()).transpose();
    Ok(Feedback {
        feedback_id: FeedbackId::parse(&needed("feedback_id")?).map_err(|error| damaged(error.to_string()))?,
        subscription_id: SubscriptionId::parse(&needed("subscription_id")?).map_err(|error| damaged(error.to_string()))?,
        given_on: day("given_on")?,
        as_of: day("as_of")?,
        model_version: columns.text("model_version", row)?,
        risk: columns.number("risk", row)?.map(ChurnRisk::new).transpose().map_err(|error| damaged(error.to_string()))?,
        verdict: verdict.map_err(|error: UnknownWord| damaged(error.to_string()))?,
        outcome: outcome.map_err(|error: UnknownWord| damaged(error.to_string()))?,
        note: columns.text("note", row)?.map(|text| Note::parse(&text)).transpose().map_err(|error| damaged(error.to_string()))?,
        given_by: columns.text("given_by", row)?,
    })
}

pub(super) fn batch(rows: &[(i64, Feedback)]) -> Result<RecordBatch, LakeError> {
    let given = || rows.iter().map(|(_, feedback)| feedback);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|(number, _)| *number).collect::<Int64Array>()),
        texts(given().map(|one| Some(one.feedback_id.as_str()))),
        texts(given().map(|one| Some(one.subscription_id.as_str()))),
        days(given().map(|one| Some(one.given_on))),
        days(given().map(|one| Some(one.as_of))),
        texts(given().map(|one| one.model_version.as_deref())),
        numbers(given().map(|one| one.risk.map(ChurnRisk::get))),
        texts(given().map(|one| one.verdict.map(Verdict::as_str))),
        texts(given().map(|one| one.outcome.map(SeenOutcome::as_str))),
        texts(given().map(|one| one.note.as_ref().map(Note::as_str))),
        texts(given().map(|one| one.given_by.as_deref())),
    ];
    Ok(RecordBatch::try_new(Table::Feedback.arrow_schema(), columns)?)
}
