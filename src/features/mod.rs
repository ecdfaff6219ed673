//! From a subscription's history to the numbers that a model reads: one catalogue, one kernel,
//! the same for training, for ranking the portfolio and for a single score.
//!
//! Absent on purpose: labels and anything dated after the as-of day; transforms, which are
//! fitted in training and stored with the model; attributes of which the tables keep only the
//! last recorded value (auto-renew, the recorded term end, the last reported status), because a
//! row of the past would then read what was recorded after it.

mod aggregate;
pub mod catalogue;
mod feature;
mod handover;
mod history;
mod kernel;
mod lifetime;
mod scale;
mod siblings;
mod usual;

pub use catalogue::{FEATURE_COUNT, FEATURES};
pub use feature::{Family, Feature, Scale, Unit};
pub use handover::HANDOVER_DAYS;
pub use history::{FeedDays, History};
pub use kernel::{AsOf, FeatureVector, Kernel, Roll};
pub use scale::{ScaleError, SeriesScale, VolumeScale};
pub use usual::Usual;
