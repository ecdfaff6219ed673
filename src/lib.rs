//! churn-risk: which Azure subscriptions of a cloud partner are about to leave, and why.
//!
//! The modules stand in the order in which data takes through them; each uses only those above.

pub mod domain;
pub mod progress;
mod durable;
pub mod access;
pub mod signals;
pub mod simulate;
pub mod pull;
pub mod lake;
pub mod watch;
pub mod portfolio;
pub mod metrics;
pub mod features;
pub mod model;
pub mod plotly;
pub mod service;
#[cfg(feature = "training")]
#[path = "../training/mod.rs"]
pub mod training;
