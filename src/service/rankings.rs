//! The one cache of the service: the ranking of the portfolio in service under the model in
//! service. A ranking reads every active subscription; a page of it should not.
//!
//! Absent on purpose: rankings of older versions. A cursor into one of those gets 410.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::model::{LoadedModel, Ranking};
use crate::portfolio::Portfolio;

/// The last ranking asked for, and of what it is.
#[derive(Debug, Default)]
pub(super) struct Rankings(Mutex<Option<Entry>>);

/// The ranking of one (portfolio, model). Both are held, so no other can come to their
/// addresses while it is here: to be of the same allocation is to be of the same version.
#[derive(Debug, Clone)]
struct Entry {
    portfolio: Arc<Portfolio>,
    model: Arc<LoadedModel>,
    ranking: Arc<OnceLock<Arc<Ranking>>>,
}

impl Rankings {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The ranking of `portfolio` under `model`. It is computed once; whoever asks meanwhile
    /// waits for it. Blocks: not to be called on a thread that answers requests.
    pub(super) fn of(&self, portfolio: &Arc<Portfolio>, model: &Arc<LoadedModel>) -> Arc<Ranking> {
        let entry = self.entry(portfolio, model);
        Arc::clone(entry.ranking.get_or_init(|| Arc::new(Ranking::compute(portfolio, &model.model))))
    }

    fn entry(&self, portfolio: &Arc<Portfolio>, model: &Arc<LoadedModel>) -> Entry {
        let mut last = self.0.lock();
        if let Some(entry) = last.as_ref().filter(|entry| Arc::ptr_eq(&entry.portfolio, portfolio) && Arc::ptr_eq(&entry.model, model)) {
            return entry.clone();
        }
        let entry = Entry { portfolio: Arc::clone(portfolio), model: Arc::clone(model), ranking: Arc::default() };
        *last = Some(entry.clone());
        entry
    }
}
