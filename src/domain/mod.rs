//! The words of the product: ids, days and periods, exact amounts, lifecycle, usage, risk.
//!
//! Absent on purpose: I/O, async, a clock, randomness. "Today" is always an argument.

mod amount;
mod day;
mod hex;
mod id;
mod lifecycle;
mod risk;
mod rows;

pub use amount::{AmountError, Exact, MICROS_PER_UNIT, Micros, MicrosSum};
pub use day::{Bucket, Day, DayError, Period, PeriodError};
pub use hex::hex;
pub use id::{CustomerId, IdError, SubscriptionId, UNKNOWN_CUSTOMER};
pub use lifecycle::{Change, DataError, DataErrorKind, Deprovisioning, Event, EventKind, State, Timeline, UnknownEvent};
pub use risk::{ChurnRisk, HorizonDays, Level, RiskError};
pub use rows::{CustomerRow, SubscriptionRow, UsageRow};
