//! The durable tables, and how files become rows. The only home of DataFusion, deltalake and
//! their object store.
//!
//! Absent on purpose: metrics, features, anything that looks into the meaning of a row beyond
//! what makes it valid. Readers never wait: they open the versions that the newest row of
//! `imports` names, and nothing else.

mod at;
mod census;
mod checksum;
mod compact;
mod data_file;
mod durable;
mod engine;
mod feedback;
pub mod import;
mod imports;
mod kept;
mod key;
mod log;
mod parquet;
mod remote;
mod restated;
mod retention;
mod schema;
mod scores;
mod seal;
mod small;
mod sorted;
mod spill;
mod table_file;
mod tables;
mod usage;
mod vacuum;
mod vendor;
mod verify;

pub use at::{LakeAt, RemoteAt};
pub use census::TableCensus;
pub use compact::Compacted;
pub use feedback::{FeedbackError, FeedbackReceipt};
#[doc(hidden)]
pub use import::fuzz;
pub use import::{CostBasis, FileReport, ImportError, ImportReport, ImportRequest, Outcome, Reading, Reject, import, source_names};
pub use import::{PARQUET_COMMAND, ParquetReader, serve_parquet};
pub use imports::{ImportRecord, ImportedFile};
pub use remote::RemoteError;
pub use scores::{ScoreRows, ScoresError, ScoresReceipt};
pub use table_file::{ParquetColumns, PlainColumn, TableFileError, write_parquet};
pub use tables::{Lake, LakeError, Snapshot};
pub use usage::{UsageChunk, UsageColumns, UsageRun};
pub use vacuum::{VacuumReport, VacuumRequest, Vacuumed};
pub use vendor::VendorLevel;
pub use verify::{Fault, Verification, VerifiedTable, VerifyScope};
