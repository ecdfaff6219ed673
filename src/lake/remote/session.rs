//! A write as a whole: the lease, the folder to write in, the ordinary work there, and the way up.
//!
//! Absent on purpose: what is written. Imports, feedback and scores do here what they do on a local
//! disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::lease::{self, NAME};
use super::scratch::Scratch;
use super::up::Went;
use super::{Remote, RemoteError};
use crate::lake::schema::Table;
use crate::lake::tables::{Lake, LakeError};
use crate::lake::vacuum::{VacuumReport, VacuumRequest};
use crate::progress::Progress;

impl Remote {
    /// Does an import on a lake that is the store's by now, under its lease, and gives the store
    /// what came of it. When this returns, it is there for everybody; where it fails before its last
    /// step, nothing of it is. Calls `waiting` once where another import is under way.
    pub(in crate::lake) fn import<T, E: From<LakeError>>(
        self: &Arc<Self>,
        waiting: impl Fn() + Send + Sync,
        import: impl FnOnce(&Lake) -> Result<T, E>,
    ) -> Result<T, E> {
        self.holding(waiting, |held| self.import_holding(held, import))
    }

    /// Deletes from the store what no version within the retention names, under the lease of the
    /// imports. Feedback and scores are left alone: they are added to without a lease, their files
    /// before the entry that names them.
    pub(in crate::lake) fn vacuum(
        self: &Arc<Self>,
        request: &VacuumRequest,
        progress: Progress,
        waiting: impl Fn() + Send + Sync,
    ) -> Result<VacuumReport, LakeError> {
        self.holding(waiting, |held| {
            let plan = self.import_holding(held, |lake| {
                let plan = lake.plan_vacuum(request, |table| self.objects(table))?;
                if let Some(plan) = plan.as_ref().filter(|_| !request.dry_run) {
                    lake.begin_vacuum(plan, request.today)?;
                    self.put_record(lake)?;
                }
                Ok::<_, LakeError>(plan)
            })?;
            match plan {
                Some(plan) => plan.carry_out(request, progress, |files, gone| self.delete(files, gone)),
                None => Ok(VacuumReport::default()),
            }
        })
    }

    /// Does something while no other writer imports, on this machine or elsewhere.
    fn holding<T, E: From<LakeError>>(
        self: &Arc<Self>,
        waiting: impl Fn() + Send + Sync,
        work: impl FnOnce(&lease::Held) -> Result<T, E>,
    ) -> Result<T, E> {
        let is_told = AtomicBool::new(false);
        let tell = || {
            if !is_told.swap(true, Ordering::Relaxed) {
                waiting();
            }
        };
        let _turn = self.lock("import.lock", tell)?;
        let key = self.place.key(NAME).map_err(LakeError::from)?;
        let take = lease::take(Arc::clone(&self.place.store), key, &self.holder, self.pace, tell);
        let held = self.place.run(take)?.map_err(|trouble| self.trouble(trouble))?;
        let done = work(&held);
        self.place.run(held.give_back())?;
        done
    }

    fn import_holding<T, E: From<LakeError>>(
        self: &Arc<Self>,
        held: &lease::Held,
        import: impl FnOnce(&Lake) -> Result<T, E>,
    ) -> Result<T, E> {
        self.take_down()?;
        let scratch = Scratch::of(self, "import", &Table::imported().collect::<Vec<_>>())?;
        let done = import(&scratch.lake(self)?)?;
        match self.place.run(self.give_up(&scratch, Table::Imports, Some(held)))?? {
            Went::Up => {}
            Went::Beaten => return Err(LakeError::from(RemoteError::TakenOver { url: self.place.url().to_owned() }).into()),
        }
        self.after(&scratch);
        Ok(done)
    }

    /// Does what adds to a table of no version, and gives the store what came of it; none where
    /// another has added to it meanwhile, and it is to be done again on what that left.
    pub(in crate::lake) fn append<T, E: From<LakeError>>(
        self: &Arc<Self>,
        table: Table,
        append: impl FnOnce(&Lake) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        let _turn = self.lock(&format!("{}.lock", table.name()), || ())?;
        self.take_down()?;
        let scratch = Scratch::of(self, table.name(), &[table])?;
        let done = append(&scratch.lake(self)?)?;
        if self.place.run(self.give_up(&scratch, table, None))?? == Went::Beaten {
            return Ok(None);
        }
        self.after(&scratch);
        Ok(Some(done))
    }

    /// Others have said something at the same moment, again and again.
    pub(in crate::lake) fn contended(&self) -> LakeError {
        RemoteError::Contended { url: self.place.url().to_owned() }.into()
    }

    /// Tidies up after a write that is in the store. It stands, so what fails here is only told; the
    /// next read does it again.
    fn after(&self, scratch: &Scratch) {
        if let Err(error) = self.take_down().map(drop).and_then(|()| scratch.clear()) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the copy of the lake is behind; the next read brings it up to date");
        }
    }
}
