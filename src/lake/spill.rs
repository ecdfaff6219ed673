//! Usage rows on disk as numbers, on their way from their files to the roll-up.
//!
//! Absent on purpose: a header, a checksum, a version. A spill is of one import on one machine and
//! goes away with it; tables are files of another kind (`parquet.rs`).

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use bytemuck::{Pod, cast_slice, cast_slice_mut};

use super::tables::LakeError;
use crate::domain::{Exact, Micros};

/// What quantities and costs of a spill are counted in: micro-units where every amount is a whole
/// number of them, atto-units elsewhere.
pub(crate) trait Amount: Pod + Ord + Send {
    /// The cost of a row that tells none; no row's own, since those end at 9e12 units.
    const NONE: Self;

    fn from_key(key: i64) -> Self;
    fn key(self) -> i64;
    fn exact(self) -> Exact;
}

impl Amount for i64 {
    const NONE: Self = Self::MIN;

    fn from_key(key: i64) -> Self {
        key
    }

    fn key(self) -> i64 {
        self
    }

    fn exact(self) -> Exact {
        Exact::from_micros(Micros(self))
    }
}

impl Amount for i128 {
    const NONE: Self = Self::MIN;

    fn from_key(key: i64) -> Self {
        key.into()
    }

    #[expect(clippy::cast_possible_truncation, reason = "it was an i64")]
    fn key(self) -> i64 {
        self as i64
    }

    fn exact(self) -> Exact {
        Exact::from_attos(self)
    }
}

/// Key, quantity and cost, the key as wide as the others: rows lie in files as they lie in memory.
pub(crate) type SpillRow<A> = [A; 3];

/// Rows that are read at a time.
const READ_ROWS: usize = 8 * 1024;

/// A file of rows, and those that wait to be written to it.
#[derive(Debug)]
pub(crate) struct Spill<A> {
    path: PathBuf,
    waiting: Vec<SpillRow<A>>,
    written: usize,
}

impl<A: Amount> Spill<A> {
    /// A spill at a path where no file is; there is one as soon as rows are written.
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path, waiting: Vec::new(), written: 0 }
    }

    /// Adds a row; how many wait.
    pub(crate) fn push(&mut self, row: SpillRow<A>) -> usize {
        self.waiting.push(row);
        self.waiting.len()
    }

    /// Writes the rows that wait; how many they were. The file is closed again: an import has a spill
    /// for every month, and there may be more months than open files.
    pub(crate) fn write(&mut self) -> Result<usize, LakeError> {
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            let mut file = OpenOptions::new().create(true).append(true).open(&self.path).map_err(|source| self.error(source))?;
            file.write_all(cast_slice(&waiting)).map_err(|source| self.error(source))?;
        }
        self.written += waiting.len();
        Ok(waiting.len())
    }

    /// Ends the writing.
    pub(crate) fn seal(mut self) -> Result<Spilled<A>, LakeError> {
        self.write()?;
        Ok(Spilled { path: self.path, rows: self.written, of: PhantomData })
    }

    fn error(&self, source: std::io::Error) -> LakeError {
        LakeError::io(&self.path, source)
    }
}

/// A file of rows that can be read as often as is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Spilled<A> {
    path: PathBuf,
    rows: usize,
    of: PhantomData<A>,
}

impl<A: Amount> Spilled<A> {
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the rows to `visit`, some at a time, in the order in which they were written.
    pub(crate) fn each(&self, mut visit: impl FnMut(&mut [SpillRow<A>]) -> Result<(), LakeError>) -> Result<(), LakeError> {
        let mut pieces = self.pieces();
        while let Some(rows) = pieces.next()? {
            visit(rows)?;
        }
        Ok(())
    }

    pub(crate) fn pieces(&self) -> Pieces<A> {
        Pieces { of: self.clone(), file: None, rows: vec![[A::zeroed(); 3]; self.rows.min(READ_ROWS)], left: self.rows }
    }
}

/// The rows of a spill, some at a time.
#[derive(Debug)]
pub(crate) struct Pieces<A> {
    of: Spilled<A>,
    file: Option<File>,
    rows: Vec<SpillRow<A>>,
    left: usize,
}

impl<A: Amount> Pieces<A> {
    /// The next rows; none where there are no more.
    pub(crate) fn next(&mut self) -> Result<Option<&mut [SpillRow<A>]>, LakeError> {
        let error = |source| LakeError::io(&self.of.path, source);
        if self.left == 0 {
            return Ok(None);
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(&self.of.path).map_err(error)?),
        };
        let rows = &mut self.rows[..self.left.min(READ_ROWS)];
        file.read_exact(cast_slice_mut(rows)).map_err(error)?;
        self.left -= rows.len();
        Ok(Some(rows))
    }
}
