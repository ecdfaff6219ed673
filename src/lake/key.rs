//! The place of a usage row within its month, as one number.
//!
//! A row's subscription, day, category and unit are packed into one `Int64`: the number of the
//! subscription (32 bits), the day of the month from 0 (5), the number of the (category, unit) (16).
//! Where the numbers are places among all ids and all pairs ascending, keys sort as the columns do.

const SERIES_BITS: u32 = 16;
const DAY_BITS: u32 = 5;

/// Bits of a key below its subscription-day.
pub(super) const BELOW_DAY_BITS: u32 = SERIES_BITS;

/// (category, unit) pairs that fit in a key.
pub(crate) const SERIES_MAX: usize = 1 << SERIES_BITS;

/// The parts of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) subscription: u32,
    /// From 0.
    pub(crate) day_of_month: i32,
    /// Below [`SERIES_MAX`].
    pub(crate) series: u32,
}

pub(crate) const fn pack(Parts { subscription, day_of_month, series }: Parts) -> i64 {
    ((subscription as i64) << (DAY_BITS + SERIES_BITS)) | ((day_of_month as i64) << SERIES_BITS) | series as i64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the masks leave 32, 5 and 16 bits")]
pub(crate) const fn unpack(key: i64) -> Parts {
    Parts {
        subscription: (key >> (DAY_BITS + SERIES_BITS)) as u32,
        day_of_month: ((key >> SERIES_BITS) & ((1 << DAY_BITS) - 1)) as i32,
        series: (key & ((1 << SERIES_BITS) - 1)) as u32,
    }
}
