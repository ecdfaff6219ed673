//! Numbers in place of the texts that usage rows repeat: subscriptions, categories, units.

use std::hash::BuildHasher;

use bytemuck::{bytes_of, bytes_of_mut};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::units::{Unit, fold};
use crate::domain::SubscriptionId;

/// Longest spelling of an id that is kept inside the table of spellings. A GUID has 36 bytes;
/// kept inside, a lookup touches one place in memory in place of two.
const INLINE_MAX_BYTES: usize = 39;

/// A spelling padded with zeros, and its length in the last byte; as words, which are hashed and
/// compared faster than bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Inline([u64; (INLINE_MAX_BYTES + 1) / 8]);

impl Inline {
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > INLINE_MAX_BYTES {
            return None;
        }
        let mut words = [0; (INLINE_MAX_BYTES + 1) / 8];
        let padded: &mut [u8] = bytes_of_mut(&mut words);
        padded[..bytes.len()].copy_from_slice(bytes);
        padded[INLINE_MAX_BYTES] = u8::try_from(bytes.len()).ok()?;
        Some(Self(words))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        let padded = bytes_of(&self.0);
        &padded[..usize::from(padded[INLINE_MAX_BYTES])]
    }

    /// Whether it is printable ASCII.
    pub(crate) fn is_plain(&self) -> bool {
        // Not `all`: to look at each costs less than to stop at the first.
        self.bytes().iter().fold(true, |is_plain, byte| is_plain & (b' '..=b'~').contains(byte))
    }
}

/// Ids in order of appearance, by canonical id and by the bytes that the files spell them with.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    short: HashTable<(Inline, u32)>,
    hasher: DefaultHashBuilder,
    long: HashMap<Box<[u8]>, u32>,
    by_id: HashMap<SubscriptionId, u32>,
    in_order: Vec<SubscriptionId>,
    /// Usage rows by number.
    rows: Vec<u64>,
}

impl Ids {
    /// The number of an id that some file spelt like this before.
    pub(crate) fn known(&self, key: &Inline) -> Option<u32> {
        self.find(self.hasher.hash_one(key), key)
    }

    /// The same for a spelling that is no [`Inline`], or no plain one.
    pub(crate) fn known_long(&self, bytes: &[u8]) -> Option<u32> {
        if bytes.len() > INLINE_MAX_BYTES { self.long.get(bytes).copied() } else { None }
    }

    fn find(&self, hash: u64, key: &Inline) -> Option<u32> {
        self.short.find(hash, |(known, _)| known == key).map(|(_, number)| *number)
    }

    /// The numbers of many spellings. Looked up in one tight loop, the misses of the processor's
    /// cache overlap: at 100,000 ids that is most of the cost of reading a row.
    pub(crate) fn known_all(&self, keys: impl Iterator<Item = Inline> + Clone, numbers: &mut Vec<Option<u32>>) {
        let hashes: Vec<u64> = keys.clone().map(|key| self.hasher.hash_one(key)).collect();
        numbers.clear();
        numbers.extend(keys.zip(hashes).map(|(key, hash)| self.find(hash, &key)));
    }

    /// The number of an id, and of the way that a file spells it.
    pub(crate) fn number(&mut self, bytes: &[u8], id: SubscriptionId) -> u32 {
        let next = u32::try_from(self.in_order.len()).unwrap_or(u32::MAX);
        let number = *self.by_id.entry(id.clone()).or_insert_with(|| {
            self.in_order.push(id);
            self.rows.push(0);
            next
        });
        match Inline::new(bytes) {
            Some(key) => {
                let hasher = &self.hasher;
                let hash = hasher.hash_one(key);
                self.short.entry(hash, |(known, _)| *known == key, |(known, _)| hasher.hash_one(known)).or_insert((key, number));
            }
            None => {
                self.long.insert(bytes.into(), number);
            }
        }
        number
    }

    /// Ids ascending, and for each number the place of its id there.
    pub(crate) fn ranked(&self) -> (Vec<String>, Vec<u32>) {
        rank(&self.in_order.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>())
    }

    /// Notes a usage row of the subscription with this number.
    pub(super) fn count_row(&mut self, number: u32) {
        self.rows[number as usize] += 1;
    }

    /// Usage rows of a subscription.
    pub(super) fn rows_of(&self, id: &SubscriptionId) -> u64 {
        self.by_id.get(id).map_or(0, |number| self.rows[*number as usize])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &SubscriptionId> {
        self.in_order.iter()
    }
}

/// (category, unit) pairs in order of appearance.
#[derive(Debug, Default)]
pub(crate) struct SeriesNumbers {
    by_names: HashMap<OwnedPair, u32>,
    names: Vec<(String, String)>,
    /// Pairs as files spell them whose units are folded: their numbers, and how many of the folded
    /// unit one of the file's is.
    folded: HashMap<OwnedPair, (u32, u64)>,
}

impl SeriesNumbers {
    /// The number of a pair that came before.
    pub(crate) fn known(&self, category: &[u8], unit: &[u8]) -> Option<u32> {
        self.by_names.get(&BorrowedPair(category, unit)).copied()
    }

    pub(crate) fn number(&mut self, category: &str, unit: &str) -> u32 {
        let key = (category.as_bytes(), unit.as_bytes());
        if let Some(number) = self.known(key.0, key.1) {
            return number;
        }
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.by_names.insert((key.0.into(), key.1.into()), next);
        self.names.push((category.to_owned(), unit.to_owned()));
        next
    }

    /// How many pairs there are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The number of a pair that some file spelt like this before, and the block of its unit.
    pub(super) fn spelt(&self, category: &[u8], unit: &[u8], is_folded: bool) -> Option<(u32, u64)> {
        if is_folded {
            return self.folded.get(&BorrowedPair(category, unit)).copied();
        }
        self.known(category, unit).map(|number| (number, 1))
    }

    /// The same of a pair that no file spelt like this before.
    pub(super) fn spell(&mut self, category: &str, unit: &str, is_folded: bool) -> (u32, u64) {
        if !is_folded {
            return (self.number(category, unit), 1);
        }
        let Unit { name, block } = fold(unit);
        let number = self.number(category, &name);
        self.folded.insert((category.as_bytes().into(), unit.as_bytes().into()), (number, block));
        (number, block)
    }

    /// Pairs ascending, and for each number the place of its pair there.
    pub(crate) fn ranked(&self) -> (Vec<(String, String)>, Vec<u32>) {
        rank(&self.names)
    }
}

/// Category and unit as bytes.
type OwnedPair = (Box<[u8]>, Box<[u8]>);

/// Looks a pair up without owning it.
#[derive(Hash)]
struct BorrowedPair<'a>(&'a [u8], &'a [u8]);

impl hashbrown::Equivalent<OwnedPair> for BorrowedPair<'_> {
    fn equivalent(&self, key: &OwnedPair) -> bool {
        *self.0 == *key.0 && *self.1 == *key.1
    }
}

fn rank<T: Ord + Clone>(items: &[T]) -> (Vec<T>, Vec<u32>) {
    let mut order: Vec<u32> = (0..u32::try_from(items.len()).unwrap_or(u32::MAX)).collect();
    order.sort_by(|a, b| items[*a as usize].cmp(&items[*b as usize]));
    let mut places = vec![0; items.len()];
    for (place, number) in (0..).zip(&order) {
        places[*number as usize] = place;
    }
    (order.into_iter().map(|number| items[number as usize].clone()).collect(), places)
}
