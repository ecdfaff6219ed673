//! The words of the product: ids, days and periods, exact amounts, lifecycle, commitments,
//! usage, risk.
//!
//! Absent on purpose: I/O, async, a clock, randomness. "Today" is always an argument.

mod amount;
mod chain;
mod commitment;
mod currency;
mod day;
mod feedback;
mod hex;
mod id;
mod lifecycle;
mod risk;
mod rows;
mod score;

pub use amount::{AmountError, Exact, MICROS_PER_UNIT, Micros, MicrosSum};
pub use chain::chain;
pub use commitment::{CommitmentKind, UnknownCommitmentKind};
pub use currency::{Currency, CurrencyError, Rate, RateError};
pub use day::{Bucket, Day, DayError, Period, PeriodError};
pub use feedback::{Feedback, Note, NoteError, SeenOutcome, UnknownWord, Verdict};
pub use hex::hex;
pub use id::{CommitmentId, CustomerId, FeedbackId, IdError, SubscriptionId, UNKNOWN_CUSTOMER};
pub use lifecycle::{Change, DataError, DataErrorKind, Deprovisioning, Event, EventKind, State, Timeline, UnknownEvent};
pub use risk::{ChurnRisk, HorizonDays, Level, RiskError};
pub use rows::{CommitmentRow, CustomerRow, SubscriptionRow, UsageRow};
pub use score::{IssuedScore, PortfolioScoring, Score, ScoreStanding, ScoringHead};
