//! How many requests are answered at the same time, and of whom: nobody takes all places, and
//! whoever has not signed in takes none of theirs who have.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::web;
use parking_lot::Mutex;

/// Places of one caller.
const OF_CALLER: usize = 96;

/// Places of all of whom nobody is known, and of one address of theirs.
const OF_STRANGERS: usize = 64;
const OF_ADDRESS: usize = 16;

/// Bytes of large bodies that are held at the same time.
const BODIES_MAX_BYTES: usize = 512 << 20;

/// Whoever wants a place, as a number that tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    /// The one caller where nobody signs in.
    Local,
    Caller(u64),
    /// By address.
    Stranger(u64),
}

/// The places of one service.
#[derive(Debug)]
pub(super) struct Places {
    all: AtomicUsize,
    strangers: AtomicUsize,
    taken: Mutex<HashMap<Whose, usize>>,
    bodies: AtomicUsize,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: web::Data<Places>,
    whose: Whose,
}

/// Room for a large body, until it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    places: web::Data<Places>,
    bytes: usize,
}

fn take(from: &AtomicUsize, some: usize) -> bool {
    from.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(some)).is_ok()
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        let strangers = AtomicUsize::new(OF_STRANGERS.min(most));
        Self { all: AtomicUsize::new(most), strangers, taken: Mutex::default(), bodies: AtomicUsize::new(BODIES_MAX_BYTES) }
    }
}

/// A place for somebody; none where all that they may have are taken.
pub(super) fn place(places: &web::Data<Places>, whose: Whose) -> Option<Place> {
    let most = match whose {
        Whose::Local => usize::MAX,
        Whose::Caller(_) => OF_CALLER,
        Whose::Stranger(_) => OF_ADDRESS,
    };
    let mut taken = places.taken.lock();
    let own = taken.entry(whose).or_default();
    let has_room = *own < most && take(&places.all, 1);
    let found = has_room && (!matches!(whose, Whose::Stranger(_)) || take(&places.strangers, 1));
    if has_room && !found {
        places.all.fetch_add(1, Ordering::AcqRel);
    }
    if found {
        *own += 1;
    } else if *own == 0 {
        taken.remove(&whose);
    }
    found.then(|| Place { places: places.clone(), whose })
}

/// Room for a body of so many bytes; none where too many are held.
pub(super) fn room(places: &web::Data<Places>, bytes: usize) -> Option<Room> {
    take(&places.bodies, bytes).then(|| Room { places: places.clone(), bytes })
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        if let Some(own) = taken.get_mut(&self.whose) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.whose);
            }
        }
        if matches!(self.whose, Whose::Stranger(_)) {
            self.places.strangers.fetch_add(1, Ordering::AcqRel);
        }
        self.places.all.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.places.bodies.fetch_add(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_leave_places_to_those_who_are_known_and_each_has_its_own_bound() {
        let places = web::Data::new(Places::new(100));
        let held: Vec<Place> = (0..).map_while(|at| place(&places, Whose::Stranger(at / 16))).collect();
        assert_eq!(held.len(), OF_STRANGERS);
        assert!(place(&places, Whose::Stranger(99)).is_none());
        let known: Vec<Place> = (0..).map_while(|_| place(&places, Whose::Caller(1))).collect();
        assert_eq!(known.len(), 100 - OF_STRANGERS);
        drop(held);
        let address: Vec<Place> = (0..).map_while(|_| place(&places, Whose::Stranger(7))).collect();
        assert_eq!(address.len(), OF_ADDRESS);
        drop((known, address));
        let caller: Vec<Place> = (0..).map_while(|_| place(&places, Whose::Caller(1))).collect();
        assert_eq!(caller.len(), OF_CALLER);
        drop(caller);
        assert_eq!((places.all.load(Ordering::Acquire), places.taken.lock().len()), (100, 0));
    }

    #[test]
    fn large_bodies_share_a_bound() {
        let places = web::Data::new(Places::new(1));
        let held: Vec<Room> = (0..).map_while(|_| room(&places, 64 << 20)).collect();
        assert_eq!(held.len(), 8);
        drop(held);
        assert!(room(&places, BODIES_MAX_BYTES).is_some());
    }
}
