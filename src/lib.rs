//! churn-risk: which Azure subscriptions of a cloud partner are about to leave, and why.
//!
//! The modules stand in the order in which data takes through them; each uses only those above.

pub mod domain;
pub mod progress;

pub mod lake;
pub mod portfolio;
pub mod simulate;
