//! How long to wait before an attempt is made again.

use std::time::Duration;

/// Attempts at one request. With the waits below they span about a minute and a half; whoever is
/// down for longer is asked by the next pull.
pub(super) const ATTEMPTS_MAX: u32 = 7;

/// Wait before the second attempt, before its share of chance; each further one is twice as long.
const FIRST_WAIT_MILLIS: u64 = 1_000;
const WAIT_MAX_MILLIS: u64 = 60_000;

/// Waits that grow, and differ from one program to the next so that they do not come in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    seed: u64,
}

impl Backoff {
    /// The same seed gives the same waits.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self { seed }
    }

    /// The wait after the attempt with this number, from 1: between half and the whole of a span
    /// that doubles.
    pub(super) fn wait(self, attempt: u32) -> Duration {
        let whole = FIRST_WAIT_MILLIS.saturating_mul(2_u64.saturating_pow(attempt.saturating_sub(1))).min(WAIT_MAX_MILLIS);
        Duration::from_millis(whole / 2 + scatter(self.seed ^ u64::from(attempt)) % (whole / 2 + 1))
    }
}

/// A number that looks like chance and follows from `of` alone (the finaliser of `SplitMix64`).
const fn scatter(of: u64) -> u64 {
    let mixed = of.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What a `Retry-After` asks for: seconds, or a date of HTTP, which is past where it is none.
/// None where it is neither.
pub(super) fn retry_after(header: &str, now_epoch_seconds: u64) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = chrono::DateTime::parse_from_rfc2822(header).ok()?;
    Some(Duration::from_secs(u64::try_from(date.timestamp()).unwrap_or(0).saturating_sub(now_epoch_seconds)))
}

/// A span as a person reads it, in whole seconds, rounded up.
pub(super) fn seconds(span: Duration) -> String {
    format!("{:.0} s", span.as_secs_f64().ceil())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_their_bounds_and_follow_from_the_seed() {
        for seed in [0, 1, u64::MAX] {
            for (attempt, most) in [(1, 1_000), (2, 2_000), (3, 4_000), (7, 60_000), (64, 60_000), (u32::MAX, 60_000)] {
                let wait = Backoff::seeded(seed).wait(attempt);
                assert!(wait >= Duration::from_millis(most / 2) && wait <= Duration::from_millis(most), "{attempt}: {wait:?}");
                assert_eq!(wait, Backoff::seeded(seed).wait(attempt));
            }
        }
        assert_ne!(Backoff::seeded(1).wait(5), Backoff::seeded(2).wait(5));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // 1994-11-06 08:49:37 UTC, the example of RFC 9110.
        let noon = 784_111_777;
        for (header, now, wanted) in [
            ("10", 0, Some(10)),
            (" 0 ", 0, Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", noon - 30, Some(30)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", noon + 30, Some(0)),
            ("-1", 0, None),
            ("soon", 0, None),
            ("", 0, None),
        ] {
            assert_eq!(retry_after(header, now), wanted.map(Duration::from_secs), "{header}");
        }
    }
}
