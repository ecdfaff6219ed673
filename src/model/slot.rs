//! The model in use, and how another takes its place.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::registry::{LoadError, LoadedModel, Registry};

/// Holds the model in use. Readers take one for the whole of their request.
#[derive(Debug)]
pub struct ModelSlot {
    registry: Registry,
    current: ArcSwapOption<LoadedModel>,
}

impl ModelSlot {
    /// An empty slot over a registry.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self { registry, current: ArcSwapOption::empty() }
    }

    /// The folder of models that it loads from.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The model in use; none before the first load that succeeded.
    #[must_use]
    pub fn current(&self) -> Option<Arc<LoadedModel>> {
        self.current.load_full()
    }

    /// The version that the registry names, which need not be the one in use.
    ///
    /// # Errors
    /// Where it names none.
    pub fn current_version(&self) -> Result<String, LoadError> {
        self.registry.current_version()
    }

    /// The report of a version.
    ///
    /// # Errors
    /// As [`Registry::report`].
    pub fn report(&self, version: &str) -> Result<Option<Vec<u8>>, LoadError> {
        self.registry.report(version)
    }

    /// Reads the registry again. The model in use stays unless the new one passes every
    /// check: all that can fail comes before the swap, and the swap cannot fail.
    ///
    /// # Errors
    /// Where the registry names no model, or the one it names is refused.
    pub fn reload(&self) -> Result<Arc<LoadedModel>, LoadError> {
        let loaded = Arc::new(self.registry.load_current()?);
        self.current.store(Some(Arc::clone(&loaded)));
        Ok(loaded)
    }
}
