//! Loading.

use thiserror::Error;

/// x
#[derive(Debug, Error)]
pub enum LoadError {}

/// x
pub fn load() {}
