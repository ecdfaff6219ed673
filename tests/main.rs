//! Every promise to a user, one module each, in one binary: `DataFusion` is linked once.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

mod committed_model;
mod features_kernel;
mod http_answers;
mod http_at_risk;
mod http_problems;
mod http_reload;
mod http_service;
mod http_trained;
mod import_again;
mod import_command;
mod import_crash;
mod import_forms;
mod import_headers;
mod import_rejects;
mod import_sums;
mod metrics_anomalies;
mod metrics_by_hand;
mod metrics_identities;
mod metrics_oracle;
mod metrics_oracle_customers;
mod metrics_oracle_lives;
mod model_files;
mod model_registry;
mod portfolio_cache;
mod ranking;
mod simulate;
mod support;
mod tidy;
mod training_fit;
mod training_flow;
mod training_labels;
