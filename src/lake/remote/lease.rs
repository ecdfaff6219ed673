//! The right to import, held by one writer of a lake at a time: an object of its own.
//!
//! It is taken, renewed and given back by conditional puts, so two writers never both win one. Its
//! fencing number grows with each writer. Whoever waits for a dead holder cannot compare clocks
//! with it, so it watches: a lease that has not changed for as long as its holder promised to
//! renew it is free. The lease spares work, and keeps writers from each other's way; that no import
//! is lost rests on the put of the last entry alone (`up.rs`).
//!
//! Absent on purpose: a clock, and deleting the object, which would let the number begin anew.

use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use object_store::{ObjectStore, PutMode, PutPayload, UpdateVersion};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::{drawn, place};

/// The object's name in the lake.
pub(super) const NAME: &str = "_writer.lease";

/// Looks at a lease without a change after which its holder is taken for dead: 30 s, of which
/// a renewal needs three to fail.
const LOOKS_MAX: u32 = 30;

/// How often a lease is looked at, and after how many looks without a change it is free.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) every: Duration,
    pub(super) looks: u32,
}

impl Pace {
    pub(super) const fn of_leases() -> Self {
        Self { every: Duration::from_secs(1), looks: LOOKS_MAX }
    }

    /// A third of the time after which it would be taken for dead.
    fn renewal(self) -> Duration {
        self.every * (self.looks / 3).max(1)
    }
}

/// What the object says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    /// The copy of the lake that holds it, or did last.
    holder: String,
    /// Grows with each writer.
    fence: u64,
    is_held: bool,
    /// Drawn each time that it is taken: what a process finds there is its own, or is not.
    taking: String,
    /// Counts renewals, so that each is a change.
    renewed: u64,
}

impl Lease {
    fn payload(&self) -> PutPayload {
        // A struct of numbers and plain text always writes.
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// A lease that is held, renewed until it is given back or dropped.
#[derive(Debug)]
pub(super) struct Held {
    store: Arc<dyn ObjectStore>,
    key: Path,
    lease: Lease,
    renewing: JoinHandle<()>,
}

/// Why a lease was not taken.
#[derive(Debug)]
pub(super) enum Trouble {
    Store(object_store::Error),
    /// The object is there and is no lease.
    Strange(String),
    Chance(std::io::Error),
}

impl From<object_store::Error> for Trouble {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

/// The lease as it lies there, and what tells it from a later one; none where there is none.
async fn read(store: &dyn ObjectStore, key: &Path) -> Result<Option<(Lease, UpdateVersion)>, Trouble> {
    let found = match store.get_opts(key, object_store::GetOptions::default()).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
    let bytes = found.bytes().await?;
    let lease = serde_json::from_slice(&bytes).map_err(|error| Trouble::Strange(error.to_string()))?;
    Ok(Some((lease, version)))
}

/// Whether a conditional put won. One whose answer was lost and that was sent again finds itself
/// there, so a refusal is looked at before it is believed.
async fn put(store: &dyn ObjectStore, key: &Path, lease: &Lease, mode: PutMode) -> Result<bool, Trouble> {
    let is_new = matches!(mode, PutMode::Create);
    match store.put_opts(key, lease.payload(), mode.into()).await {
        Ok(_) => Ok(true),
        // There is no bucket or container to put it into.
        Err(error @ object_store::Error::NotFound { .. }) if is_new => Err(error.into()),
        Err(
            object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. },
        ) => Ok(read(store, key).await?.is_some_and(|(found, _)| found == *lease)),
        Err(error) => Err(error.into()),
    }
}

/// Takes the lease for `holder`, of whom this machine lets one process ask at a time: one that it
/// seems to hold is that of a dead process. Waits while another holds it, and calls `waiting` once.
pub(super) async fn take(
    store: Arc<dyn ObjectStore>,
    key: Path,
    holder: &str,
    pace: Pace,
    waiting: impl Fn() + Send,
) -> Result<Held, Trouble> {
    let (mut last, mut looks) = (None, 0);
    loop {
        let found = read(&*store, &key).await?;
        let is_free = match &found {
            None => true,
            Some((lease, _)) => !lease.is_held || lease.holder == holder || looks >= pace.looks,
        };
        if is_free {
            let fence = found.as_ref().map_or(0, |(lease, _)| lease.fence) + 1;
            let lease = Lease { holder: holder.to_owned(), fence, is_held: true, taking: drawn().map_err(Trouble::Chance)?, renewed: 0 };
            let mode = found.map_or(PutMode::Create, |(_, version)| PutMode::Update(version));
            if put(&*store, &key, &lease, mode).await? {
                let renewing = tokio::spawn(renew(Arc::clone(&store), key.clone(), lease.clone(), pace.renewal()));
                return Ok(Held { store, key, lease, renewing });
            }
            (last, looks) = (None, 0);
            continue;
        }
        let seen = found.map(|(lease, _)| lease);
        if last.is_none() {
            waiting();
        }
        looks = if last == seen { looks + 1 } else { 0 };
        last = seen;
        tokio::time::sleep(pace.every).await;
    }
}

/// Renews until another has the lease. A store that is out of reach is asked again.
async fn renew(store: Arc<dyn ObjectStore>, key: Path, lease: Lease, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        match read(&*store, &key).await {
            Ok(Some((found, version))) if is_of(&found, &lease) => {
                let next = Lease { renewed: found.renewed + 1, ..found };
                if let Err(Trouble::Store(error)) = put(&*store, &key, &next, PutMode::Update(version)).await {
                    tracing::warn!(error = place::words(&error), "the lease of the import could not be renewed; trying again");
                }
            }
            Ok(_) | Err(Trouble::Strange(_) | Trouble::Chance(_)) => return,
            Err(Trouble::Store(error)) => {
                tracing::warn!(error = place::words(&error), "the lease of the import could not be renewed; trying again");
            }
        }
    }
}

fn is_of(found: &Lease, held: &Lease) -> bool {
    found.is_held && found.taking == held.taking && found.fence == held.fence
}

impl Held {
    /// Whether it is still held: another may have taken it from a holder that slept.
    pub(super) async fn is_held(&self) -> Result<bool, Trouble> {
        Ok(read(&*self.store, &self.key).await?.is_some_and(|(found, _)| is_of(&found, &self.lease)))
    }

    #[cfg(test)]
    pub(super) const fn fence(&self) -> u64 {
        self.lease.fence
    }

    /// Gives it back. Where that fails, whoever comes next waits until it is taken for dead.
    pub(super) async fn give_back(self) {
        self.renewing.abort();
        for _ in 0..2 {
            // A renewal that was under way may come in between.
            let Ok(Some((found, version))) = read(&*self.store, &self.key).await else { return };
            if !is_of(&found, &self.lease) {
                return;
            }
            let free = Lease { is_held: false, ..found };
            if !matches!(put(&*self.store, &self.key, &free, PutMode::Update(version)).await, Ok(false)) {
                return;
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    const PACE: Pace = Pace { every: Duration::from_millis(1), looks: 30 };

    fn key() -> Path {
        Path::from("lake/_writer.lease")
    }

    fn blocking<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
    }

    async fn took(store: &Arc<dyn ObjectStore>, holder: &str, pace: Pace) -> Held {
        take(Arc::clone(store), key(), holder, pace, || ()).await.expect("a store in memory")
    }

    #[test]
    fn one_holds_it_and_the_next_has_a_larger_number() {
        blocking(async {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let first = took(&store, "one", PACE).await;
            assert_eq!((first.fence(), first.is_held().await.expect("a store")), (1, true));
            first.give_back().await;
            let second = took(&store, "other", PACE).await;
            assert_eq!(second.fence(), 2);
        });
    }

    #[test]
    fn whoever_renews_keeps_it_and_the_other_waits() {
        blocking(async {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let first = took(&store, "one", PACE).await;
            let told = std::sync::atomic::AtomicU32::new(0);
            let other = take(Arc::clone(&store), key(), "other", PACE, || {
                told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            });
            // Three times the looks after which a silent holder would be dead.
            let waited = tokio::time::timeout(PACE.every * PACE.looks * 3, other).await;
            assert!(waited.is_err(), "it was taken from one that renews");
            assert_eq!(told.load(std::sync::atomic::Ordering::Relaxed), 1);
            assert!(first.is_held().await.expect("a store"));
        });
    }

    #[test]
    fn a_dead_holder_is_followed_and_is_told_when_it_wakes() {
        blocking(async {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let first = took(&store, "one", PACE).await;
            first.renewing.abort();
            let second = took(&store, "other", PACE).await;
            assert_eq!(second.fence(), 2);
            assert!(!first.is_held().await.expect("a store"), "it was fenced off");
            first.give_back().await;
            assert!(second.is_held().await.expect("a store"), "and takes nothing from its successor");
        });
    }

    #[test]
    fn the_same_copy_takes_it_from_a_dead_process_of_its_own_at_once() {
        blocking(async {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let first = took(&store, "one", Pace { every: Duration::from_mins(1), looks: 30 }).await;
            first.renewing.abort();
            assert_eq!(took(&store, "one", Pace { every: Duration::from_mins(1), looks: 30 }).await.fence(), 2);
        });
    }

    #[test]
    fn of_two_that_ask_at_once_one_wins() {
        blocking(async {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let one = Lease { holder: "one".to_owned(), fence: 1, is_held: true, taking: "a".to_owned(), renewed: 0 };
            let other = Lease { holder: "other".to_owned(), ..one.clone() };
            assert!(put(&*store, &key(), &one, PutMode::Create).await.expect("a store"));
            assert!(!put(&*store, &key(), &other, PutMode::Create).await.expect("a store"));
            assert!(put(&*store, &key(), &one, PutMode::Create).await.expect("a store"), "an answer that was lost");
        });
    }
}
