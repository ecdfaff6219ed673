//! What the tests share: portfolios to ask, and services to ask them of.

pub(crate) mod oracle;
pub(crate) mod worlds;
