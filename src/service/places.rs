//! How many requests are answered at the same time, and of whom: nobody takes all places, and
//! whoever has not signed in takes none of theirs who have.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::{HttpRequest, web};
use parking_lot::Mutex;

use super::problem::Problem;

/// Bytes of bodies that are held at the same time, beyond those that each has free.
const BODIES_MAX_BYTES: usize = 512 << 20;
const BODY_FREE_BYTES: usize = 1 << 20;

/// Whoever wants a place, as a number that tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    /// The one caller where nobody signs in.
    Local,
    Caller(u64),
    /// By address.
    Stranger(u64),
}

/// How many places there are, and how many of them anyone may have.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    all: usize,
    of_caller: usize,
    /// Of all of whom nobody is known, and of one address of theirs.
    of_strangers: usize,
    of_address: usize,
}

impl Bounds {
    const fn requests(most: usize) -> Self {
        Self { all: most, of_caller: 96, of_strangers: 64, of_address: 16 }
    }

    const fn lists(most: usize) -> Self {
        Self { all: most, of_caller: most.div_ceil(4), of_strangers: 0, of_address: 0 }
    }

    const fn of(self, whose: Whose) -> usize {
        match whose {
            Whose::Local => self.all,
            Whose::Caller(_) => self.of_caller,
            Whose::Stranger(_) => self.of_address,
        }
    }
}

/// Places of one sort.
#[derive(Debug)]
struct Sort {
    bounds: Bounds,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_strangers: usize,
    by: HashMap<Whose, usize>,
}

/// The places of one service.
#[derive(Debug)]
pub(super) struct Places {
    requests: Arc<Sort>,
    lists: Arc<Sort>,
    bodies: Arc<AtomicUsize>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    sort: Arc<Sort>,
    whose: Whose,
}

/// Room for a body, which grows with it, until it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    bodies: Arc<AtomicUsize>,
    held: usize,
}

impl Places {
    pub(super) fn new(requests_max: usize, lists_max: usize) -> Self {
        let sort = |bounds| Arc::new(Sort { bounds, taken: Mutex::default() });
        let bodies = Arc::new(AtomicUsize::new(BODIES_MAX_BYTES));
        Self { requests: sort(Bounds::requests(requests_max)), lists: sort(Bounds::lists(lists_max)), bodies }
    }

    /// A place for a request; none where all that its sender may have are taken.
    pub(super) fn request(&self, whose: Whose) -> Option<Place> {
        Sort::place(&self.requests, whose)
    }

    /// A place for a list that is written while its reader reads; none likewise.
    pub(super) fn list(&self, whose: Whose) -> Option<Place> {
        Sort::place(&self.lists, whose)
    }

    /// Room for a body of which nothing has come yet.
    pub(super) fn room(&self) -> Room {
        Room { bodies: Arc::clone(&self.bodies), held: 0 }
    }
}

impl Room {
    /// Grows to so many bytes.
    ///
    /// # Errors
    /// Where all bodies together would be too large.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), Problem> {
        let more = bytes.saturating_sub(BODY_FREE_BYTES).saturating_sub(self.held);
        let taken = self.bodies.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(more));
        taken.map_err(|_| Problem::Overloaded)?;
        self.held += more;
        Ok(())
    }
}

impl Sort {
    fn place(this: &Arc<Self>, whose: Whose) -> Option<Place> {
        let Self { bounds, taken } = &**this;
        let mut taken = taken.lock();
        let is_stranger = matches!(whose, Whose::Stranger(_));
        let own = taken.by.get(&whose).copied().unwrap_or_default();
        if taken.all >= bounds.all || own >= bounds.of(whose) || (is_stranger && taken.by_strangers >= bounds.of_strangers) {
            return None;
        }
        taken.all += 1;
        taken.by_strangers += usize::from(is_stranger);
        taken.by.insert(whose, own + 1);
        Some(Place { sort: Arc::clone(this), whose })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.sort.taken.lock();
        taken.all -= 1;
        taken.by_strangers -= usize::from(matches!(self.whose, Whose::Stranger(_)));
        if let Some(own) = taken.by.get_mut(&self.whose) {
            *own -= 1;
            if *own == 0 {
                taken.by.remove(&self.whose);
            }
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.bodies.fetch_add(self.held, Ordering::AcqRel);
    }
}

/// The places of the service that a request came to.
///
/// # Errors
/// Every service is built with some.
pub(super) fn of(request: &HttpRequest) -> Result<&Places, Problem> {
    request.app_data::<web::Data<Places>>().map(|places| places.as_ref()).ok_or(Problem::Panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_leave_places_to_those_who_are_known_and_each_has_its_own_bound() {
        let places = Places::new(100, 0);
        let bounds = places.requests.bounds;
        let held: Vec<Place> = (0..).map_while(|at| places.request(Whose::Stranger(at / 16))).collect();
        assert_eq!(held.len(), bounds.of_strangers);
        assert!(places.request(Whose::Stranger(99)).is_none());
        let known: Vec<Place> = (0..).map_while(|_| places.request(Whose::Caller(1))).collect();
        assert_eq!(known.len(), 100 - bounds.of_strangers);
        drop(held);
        let address: Vec<Place> = (0..).map_while(|_| places.request(Whose::Stranger(7))).collect();
        assert_eq!(address.len(), bounds.of_address);
        drop((known, address));
        let caller: Vec<Place> = (0..).map_while(|_| places.request(Whose::Caller(1))).collect();
        assert_eq!(caller.len(), bounds.of_caller);
        drop(caller);
        let taken = places.requests.taken.lock();
        assert_eq!((taken.all, taken.by_strangers, taken.by.len()), (0, 0, 0));
    }

    #[test]
    fn lists_leave_places_to_requests() {
        let places = Places::new(4, 32);
        let held: Vec<Place> = (0..).map_while(|at| places.list(Whose::Caller(at / 8))).collect();
        assert_eq!(held.len(), 32);
        assert!(places.list(Whose::Local).is_none());
        assert!(places.request(Whose::Local).is_some());
    }

    #[test]
    fn large_bodies_share_a_bound() {
        let places = Places::new(1, 0);
        let large = || {
            let mut room = places.room();
            // As it comes.
            (0..=64_usize).try_for_each(|at| room.hold(at << 20)).map(|()| room)
        };
        let held: Vec<Room> = (0..).map_while(|_| large().ok()).collect();
        assert_eq!(held.len(), 8);
        assert!(places.room().hold(BODY_FREE_BYTES).is_ok(), "small ones need none");
        drop(held);
        assert!(places.room().hold(BODIES_MAX_BYTES).is_ok());
    }
}
