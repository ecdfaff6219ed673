//! How often one caller, or one address of which no caller is known, may ask.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::access::LimitsConfig;

/// Refusals of one address that are answered and recorded one by one: so many at once, and then
/// one every so often.
const REFUSALS_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);
const REFUSAL_EVERY: Duration = Duration::from_secs(2);

/// Writes of one caller.
const WRITES_A_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
const WRITES_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);

/// Requests after which those are forgotten who have not asked for long.
const SWEPT_AFTER: u32 = 1 << 14;

/// The rates of one service. Whoever asks is a number: a hash that nobody outside can foretell.
pub(super) struct Rates {
    asking: Option<DefaultKeyedRateLimiter<u64>>,
    writing: DefaultKeyedRateLimiter<u64>,
    refused: DefaultKeyedRateLimiter<u64>,
    hasher: RandomState,
    clock: DefaultClock,
    since_swept: AtomicU32,
}

impl Rates {
    /// As often as anybody likes.
    pub(super) fn none() -> Self {
        let quota = Quota::with_period(REFUSAL_EVERY).unwrap_or(Quota::per_second(REFUSALS_AT_ONCE)).allow_burst(REFUSALS_AT_ONCE);
        Self {
            asking: None,
            writing: RateLimiter::keyed(Quota::per_second(WRITES_A_SECOND).allow_burst(WRITES_AT_ONCE)),
            refused: RateLimiter::keyed(quota),
            hasher: RandomState::new(),
            clock: DefaultClock::default(),
            since_swept: AtomicU32::new(0),
        }
    }

    pub(super) fn of(limits: LimitsConfig) -> Self {
        let some = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(some(limits.requests_per_second)).allow_burst(some(limits.burst));
        Self { asking: Some(RateLimiter::keyed(quota)), ..Self::none() }
    }

    /// A number that tells one caller from others, and that nobody outside can foretell.
    pub(super) fn number(&self, who: &[u8]) -> u64 {
        self.hasher.hash_one(who)
    }

    /// The same of an address.
    pub(super) fn address_number(&self, from: IpAddr) -> u64 {
        self.hasher.hash_one(network(from))
    }

    /// Counts a write of a caller: each costs two lines that are synced to disk.
    ///
    /// # Errors
    /// When they may write again.
    pub(super) fn write(&self, who: &str) -> Result<(), Duration> {
        self.count(self.asking.is_some().then_some(&self.writing), self.number(who.as_bytes()))
    }

    /// Counts a request of a caller.
    ///
    /// # Errors
    /// When they may ask again.
    pub(super) fn caller(&self, who: &str) -> Result<(), Duration> {
        self.count(self.asking.as_ref(), self.number(who.as_bytes()))
    }

    /// Counts a request of an address of which no caller is known.
    ///
    /// # Errors
    /// When it may ask again.
    pub(super) fn address(&self, from: IpAddr) -> Result<(), Duration> {
        self.count(self.asking.as_ref(), self.address_number(from))
    }

    /// Counts a request that was refused for who sent it.
    ///
    /// # Errors
    /// When another one is answered.
    pub(super) fn refusal(&self, from: IpAddr) -> Result<(), Duration> {
        self.count(Some(&self.refused), self.address_number(from))
    }

    fn count(&self, limiter: Option<&DefaultKeyedRateLimiter<u64>>, key: u64) -> Result<(), Duration> {
        let Some(limiter) = limiter else { return Ok(()) };
        if self.since_swept.fetch_add(1, Ordering::Relaxed) == SWEPT_AFTER {
            self.since_swept.store(0, Ordering::Relaxed);
            self.refused.retain_recent();
            self.writing.retain_recent();
            if let Some(asking) = &self.asking {
                asking.retain_recent();
            }
        }
        limiter.check_key(&key).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

/// What one customer of a network provider has: an address, or 2^64 of them.
fn network(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => (u128::from(address) >> 64 << 64).to_be_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        Rates::of(LimitsConfig { requests_per_second: 1, burst: 3 })
    }

    #[test]
    fn who_asks_too_often_waits_and_others_do_not() {
        let rates = rates();
        let asked: Vec<bool> = (0..5).map(|_| rates.caller("key:a").is_ok()).collect();
        assert_eq!(asked, [true, true, true, false, false]);
        assert!(rates.caller("key:a").is_err_and(|wait| wait <= Duration::from_secs(1)));
        assert!(rates.caller("key:b").is_ok() && Rates::none().caller("key:a").is_ok());
    }

    #[test]
    fn a_network_of_one_customer_counts_as_one() {
        let rates = rates();
        let of = |text: &str| rates.address(text.parse().expect("an address")).is_ok();
        assert!((0..3).all(|at| of(&format!("2001:db8::{at}"))));
        assert!(!of("2001:db8::ffff") && of("2001:db8:1::1") && of("192.0.2.1"));
    }
}
