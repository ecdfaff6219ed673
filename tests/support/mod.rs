//! What the tests share: portfolios to ask, and services to ask them of.

pub(crate) mod client;
pub(crate) mod expiring_oracle;
pub(crate) mod lakes;
pub(crate) mod models;
pub(crate) mod oracle;
pub(crate) mod oracle_anomalies;
pub(crate) mod oracle_customers;
pub(crate) mod oracle_revenue;
pub(crate) mod partner;
pub(crate) mod provider;
pub(crate) mod pulls;
pub(crate) mod services;
pub(crate) mod steady;
pub(crate) mod worlds;
