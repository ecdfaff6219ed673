//! The draws of the bootstrap: how often each customer is drawn, for eight draws at once.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Draws that are worked out side by side.
pub(super) const LANES: usize = 8;

/// Draws. 200 give an end of a 95 % interval to about a tenth of its width.
pub(super) const DRAWS: usize = 200;

const SEED: u64 = 0x00C0_FFEE;

/// A number for each of eight draws.
pub(super) type Lanes = [f64; LANES];

/// How often each customer is in each of eight draws.
#[derive(Debug, Clone)]
pub(super) struct Batch(Vec<[u8; LANES]>);

impl Batch {
    /// Every customer once.
    pub(super) fn ones(customers: usize) -> Self {
        Self(vec![[1; LANES]; customers])
    }

    pub(super) fn of(&self, customer: u32) -> Lanes {
        self.0[customer as usize].map(f64::from)
    }

    /// Every customer's draws, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Lanes> {
        self.0.iter().map(|times| times.map(f64::from))
    }
}

/// All draws over some customers.
#[derive(Debug)]
pub(super) struct Draws {
    customers: usize,
    batches: Vec<Batch>,
}

impl Draws {
    /// Draws as many customers as there are, with replacement, again and again.
    pub(super) fn new(customers: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        let batch = |_| {
            let mut batch = Batch(vec![[0; LANES]; customers]);
            for lane in 0..LANES {
                for _ in 0..customers {
                    let drawn = &mut batch.0[below(&mut random, customers)][lane];
                    *drawn = drawn.saturating_add(1);
                }
            }
            batch
        };
        Self { customers, batches: (0..DRAWS / LANES).map(batch).collect() }
    }

    pub(super) const fn customers(&self) -> usize {
        self.customers
    }

    pub(super) fn batches(&self) -> &[Batch] {
        &self.batches
    }
}

/// A number below `bound`, from the high half of a 64-bit product.
fn below(random: &mut ChaCha8Rng, bound: usize) -> usize {
    let product = u128::from(random.next_u64()) * bound as u128;
    usize::try_from(product >> 64).unwrap_or(0)
}
