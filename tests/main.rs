//! Every promise to a user, one module each, in one binary.

mod metrics_by_hand;
mod metrics_identities;
mod metrics_oracle;
mod support;
