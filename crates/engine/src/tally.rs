//! Who has done something too often lately: wrong passwords of an account, device logins of an
//! address. In memory, and no more than [`KEYS_MAX`] of a kind: the least used make room.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::Timestamp;
use quick_cache::unsync::Cache;

use crate::{Error, Kind};

/// Keys that are remembered.
const KEYS_MAX: usize = 65_536;
/// The leading bits of an IPv6 address that a network gives to one customer at least.
const IPV6_NETWORK_BITS: u32 = 64;

/// A minute, for limits by the minute.
pub(crate) const MINUTE_MS: i64 = 60_000;

/// Counts events by key. One that reaches the bound within the time has to wait as long again.
pub(crate) struct Tally<K> {
    counts: Mutex<Cache<K, Count>>,
    max: u32,
    within_ms: i64,
}

#[derive(Clone, Copy)]
struct Count {
    count: u32,
    since: Timestamp,
}

impl<K: Hash + Eq> Tally<K> {
    pub(crate) fn new(max: u32, within_ms: i64) -> Self {
        Self { counts: Mutex::new(Cache::new(KEYS_MAX)), max, within_ms }
    }

    /// Seconds that the key has to wait, begun ones included; `None` if it may go on.
    pub(crate) fn wait_s(&self, key: &K, now: Timestamp) -> Option<u32> {
        let found = self.counts().peek(key).copied();
        let full = found.filter(|found| found.count >= self.max)?;
        let left_us = self.end(&full).0.saturating_sub(now.0);
        let left_s = u64::try_from(left_us).ok()?.div_ceil(1_000_000);
        u32::try_from(left_s).ok().filter(|left_s| *left_s > 0)
    }

    /// Counts one more.
    pub(crate) fn add(&self, key: K, now: Timestamp) {
        let mut counts = self.counts();
        let before = counts.peek(&key).filter(|before| now < self.end(before)).copied();
        let Count { count, since } = before.unwrap_or(Count { count: 0, since: now });
        let count = count.saturating_add(1);
        let since = if count >= self.max { now } else { since };
        counts.insert(key, Count { count, since });
    }

    /// Counts from 0 again.
    pub(crate) fn forget(&self, key: &K) {
        self.counts().remove(key);
    }

    fn end(&self, count: &Count) -> Timestamp {
        count.since.plus_ms(self.within_ms)
    }

    fn counts(&self) -> MutexGuard<'_, Cache<K, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What limits by address count by: an IPv4 address, or the network of an IPv6 one, whose customer
/// has all of its addresses.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mask = u128::MAX << (u128::BITS - IPV6_NETWORK_BITS);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
        v4 => v4,
    }
}

/// The refusal of what was done too often; `message` says of what.
pub(crate) fn limited(retry_s: u32, message: &str) -> Error {
    Error::new(Kind::Throttled { retry_s }, "RATE_LIMITED", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_000_000);

    #[test]
    fn the_last_that_is_allowed_begins_a_wait() {
        let tally = Tally::new(3, MINUTE_MS);
        tally.add("eve", START);
        tally.add("eve", START);
        assert_eq!(tally.wait_s(&"eve", START), None);
        let last = START.plus_ms(MINUTE_MS - 1);
        tally.add("eve", last);
        assert_eq!(tally.wait_s(&"eve", last), Some(60));
        assert_eq!(tally.wait_s(&"eve", last.plus_ms(58_999)), Some(2));
        assert_eq!(tally.wait_s(&"eve", last.plus_ms(59_999)), Some(1));
        assert_eq!(tally.wait_s(&"eve", last.plus_ms(60_000)), None);
        assert_eq!(tally.wait_s(&"bob", last), None);
    }

    #[test]
    fn time_and_forgetting_begin_anew() {
        let tally = Tally::new(2, MINUTE_MS);
        for minute in 0..5 {
            tally.add("eve", START.plus_ms(minute * MINUTE_MS));
        }
        let end = START.plus_ms(4 * MINUTE_MS);
        assert_eq!(tally.wait_s(&"eve", end), None);
        tally.forget(&"eve");
        tally.add("eve", end);
        assert_eq!(tally.wait_s(&"eve", end), None);
        tally.add("eve", end);
        assert_eq!(tally.wait_s(&"eve", end), Some(60));
        for _ in 0..2 {
            tally.add("eve", end.plus_ms(MINUTE_MS));
        }
        assert_eq!(tally.wait_s(&"eve", end.plus_ms(MINUTE_MS)), Some(60), "a second round");
    }

    #[test]
    fn an_ipv6_network_is_one_and_an_ipv4_address_is_one() {
        let of = |text: &str| network(text.parse().expect("an address")).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("2001:db8:1:3:3:4:5:6"), "2001:db8:1:3::");
        assert_eq!(of("203.0.113.7"), "203.0.113.7");
        assert_eq!(of("::ffff:203.0.113.7"), "203.0.113.7");
    }
}
