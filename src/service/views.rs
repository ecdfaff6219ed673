//! What those see of the version in service who may not see all of it. A part is made when somebody
//! first asks for it, and kept while it is asked for.
//!
//! Absent on purpose: a part that is wider than its view.

use std::sync::Arc;

use parking_lot::Mutex;

use super::version::Version;
use crate::access::View;

/// Parts that are kept.
const KEPT_MAX: usize = 32;

/// Usage rows of all parts that are kept, for each row of the whole.
const ROWS_MAX_TIMES: usize = 2;

/// The parts that were made, the one asked for last at the end.
#[derive(Debug, Default)]
pub(super) struct Views {
    kept: Mutex<Vec<Arc<Version>>>,
    /// Parts are made one after another: each takes a copy of its usage.
    making: Mutex<()>,
}

impl Views {
    /// What somebody of `view` sees of `current`, where that was made already.
    pub(super) fn find(&self, current: &Arc<Version>, view: &View) -> Option<Arc<Version>> {
        let mut kept = self.kept.lock();
        let at = kept.iter().position(|one| one.whole().epoch() == current.epoch() && one.is_view(view))?;
        let found = kept.remove(at);
        kept.push(Arc::clone(&found));
        Some(found)
    }

    /// The same, made where it was not. Blocks.
    pub(super) fn make(&self, current: &Arc<Version>, view: &View, mut next_epoch: impl FnMut() -> u64) -> Arc<Version> {
        let _turn = self.making.lock();
        if let Some(found) = self.find(current, view) {
            return found;
        }
        let priced = if view.scope.is_everybody() {
            Arc::clone(current)
        } else {
            let own = View { scope: view.scope.clone(), money_hidden: false };
            self.one((current, current), &own, &mut next_epoch, |epoch| current.of_scope(epoch, view.scope.clone()))
        };
        if view.money_hidden {
            return self.one((current, &priced), view, &mut next_epoch, |epoch| priced.without_cost(epoch));
        }
        priced
    }

    /// A part of `of` that is kept from now on. Where only the scores that were issued, or the day, are others
    /// than before, the rows of the part made before go on.
    fn one(
        &self,
        (current, of): (&Arc<Version>, &Arc<Version>),
        view: &View,
        next_epoch: &mut impl FnMut() -> u64,
        make: impl FnOnce(u64) -> Version,
    ) -> Arc<Version> {
        if let Some(found) = self.find(current, view) {
            return found;
        }
        let earlier = self.kept.lock().iter().find(|one| one.is_view(view) && one.whole().stands_on(current)).cloned();
        let part = Arc::new(match earlier {
            Some(earlier) => earlier.part_of(next_epoch(), of),
            None => make(next_epoch()),
        });
        let mut kept = self.kept.lock();
        kept.retain(|one| one.whole().stands_on(current) && !one.is_view(view));
        kept.push(Arc::clone(&part));
        // The one that was asked for stays whatever its size.
        let staying = fitting(kept.iter().rev().map(|one| &**one), current).max(1);
        let gone = kept.len() - staying;
        kept.drain(..gone);
        part
    }
}

/// How many of these parts of a version, the latest first, may be kept.
pub(super) fn fitting<'v>(parts: impl Iterator<Item = &'v Version>, whole: &Version) -> usize {
    let rows = |version: &Version| version.tables().portfolio.usage_rows();
    let most = ROWS_MAX_TIMES * rows(whole);
    let mut sum = 0;
    let fits = parts.take(KEPT_MAX).take_while(|one| {
        sum += rows(one);
        sum <= most
    });
    fits.count()
}
