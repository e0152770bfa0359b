//! Passwords: hashed with Argon2id, a few at a time, and only so many wrong ones per account.
//!
//! An unknown account costs the same time and is locked the same way as a known one, so that
//! neither tells which accounts there are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use model::{Entropy, Secret, Timestamp, UserId};
use quick_cache::unsync::Cache;
use tokio::sync::Semaphore;

use crate::{Error, Kind, Result};

/// Memory of one hash, in KiB.
const MEMORY_KIB: u32 = 19_456;
const ITERATIONS: u32 = 2;
const LANES: u32 = 1;
/// Hashes computed side by side.
const HASHES_MAX: usize = 2;
/// Requests that wait for one; more are turned away.
const WAITING_MAX: usize = 64;
/// Wrong passwords after which an account is locked ...
const FAILURES_MAX: u32 = 10;
/// ... within this time, and for as long.
const LOCK_MS: i64 = 15 * 60 * 1_000;
/// Seconds after which a login that was turned away may be tried again.
const BUSY_S: u32 = 1;
/// Accounts whose failures are remembered, of those that exist and of those that do not.
const ACCOUNTS_MAX: usize = 65_536;
/// Fewest characters of a password.
const PASSWORD_MIN: usize = 8;
/// Most bytes of a password.
const PASSWORD_BYTES_MAX: usize = 1_024;
/// Verified in place of the hash of an unknown account or one without a password; its password is
/// not known.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$dGlsZGUgZHVtbXkgc2FsdA\
                     $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whose failures are counted.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    Known(UserId),
    Unknown(String),
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    since: Timestamp,
}

/// The state of the door: who is locked out, and how many are being let in.
pub(crate) struct Doorkeeper {
    /// Apart from those of unknown accounts: invented names must not push out a lock.
    known: Mutex<Cache<Account, Failures>>,
    unknown: Mutex<Cache<Account, Failures>>,
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Doorkeeper {
    pub(crate) fn new() -> Self {
        Self {
            known: Mutex::new(Cache::new(ACCOUNTS_MAX)),
            unknown: Mutex::new(Cache::new(ACCOUNTS_MAX)),
            hashing: Arc::new(Semaphore::new(HASHES_MAX)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }

    /// Whether `password` has the hash `stored`; `false` where there is none. `Throttled` for a
    /// locked account.
    pub(crate) async fn verify(
        &self,
        account: Account,
        password: &Secret,
        stored: Option<String>,
        now: Timestamp,
    ) -> Result<bool> {
        self.check_lock(&account, now)?;
        if password.expose().len() > PASSWORD_BYTES_MAX {
            // Nobody's password, so nothing was guessed: not worth a hash or a place in memory.
            return Ok(false);
        }
        let waiting = self.waiting.clone().try_acquire_owned().map_err(|_| busy())?;
        let hashing = self.hashing.clone().acquire_owned().await.map_err(Error::internal)?;
        // Those that waited while others failed must not get a try more.
        self.check_lock(&account, now)?;
        let password = password.clone();
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| DUMMY.to_owned());
        let matches = tokio::task::spawn_blocking(move || {
            // Held to the end of the hash, which goes on when the client has hung up.
            let _held = (waiting, hashing);
            matches(&password, &stored)
        });
        let matches = matches.await.map_err(Error::internal)?? && known;
        Ok(self.record(account, matches, now))
    }

    fn failures(&self, account: &Account) -> MutexGuard<'_, Cache<Account, Failures>> {
        let failures = match account {
            Account::Known(_) => &self.known,
            Account::Unknown(_) => &self.unknown,
        };
        failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_lock(&self, account: &Account, now: Timestamp) -> Result<()> {
        match self.failures(account).peek(account) {
            Some(failures) if failures.count >= FAILURES_MAX && !failures.is_over(now) => {
                let message = "too many wrong passwords; try again in 15 minutes";
                let kind = Kind::Throttled { retry_s: failures.left_s(now) };
                Err(Error::new(kind, "ACCOUNT_LOCKED", message))
            }
            _ => Ok(()),
        }
    }

    fn record(&self, account: Account, success: bool, now: Timestamp) -> bool {
        let mut failures = self.failures(&account);
        if success {
            failures.remove(&account);
            return true;
        }
        let before = failures.peek(&account).filter(|failures| !failures.is_over(now)).copied();
        let Failures { count, since } = before.unwrap_or(Failures { count: 0, since: now });
        let since = if count + 1 >= FAILURES_MAX { now } else { since };
        failures.insert(account, Failures { count: count + 1, since });
        false
    }
}

impl Failures {
    fn is_over(&self, now: Timestamp) -> bool {
        now >= self.since.plus_ms(LOCK_MS)
    }

    /// Seconds until then, begun ones included.
    fn left_s(&self, now: Timestamp) -> u32 {
        let left_us = self.since.plus_ms(LOCK_MS).0.saturating_sub(now.0);
        u32::try_from(left_us.max(0).unsigned_abs().div_ceil(1_000_000)).unwrap_or(u32::MAX)
    }
}

fn busy() -> Error {
    let message = "too many logins at once; try again in a second";
    Error::new(Kind::Throttled { retry_s: BUSY_S }, "RATE_LIMITED", message)
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, ITERATIONS, LANES, None);
    let params = params.expect("the parameters are within the algorithm's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn matches(password: &Secret, stored: &str) -> Result<bool> {
    let stored = PasswordHash::new(stored).map_err(Error::internal)?;
    Ok(argon2().verify_password(password.expose().as_bytes(), &stored).is_ok())
}

/// The PHC string of a new password. `Invalid` if it is too short or too long.
pub(crate) async fn hash(password: Secret, entropy: &dyn Entropy) -> Result<String> {
    let text = password.expose();
    if text.chars().count() < PASSWORD_MIN || text.len() > PASSWORD_BYTES_MAX {
        let message = format!(
            "password: must have at least {PASSWORD_MIN} characters and at most \
             {PASSWORD_BYTES_MAX} bytes"
        );
        return Err(Error::invalid(message));
    }
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    let hashed = tokio::task::spawn_blocking(move || {
        let password = password.expose().as_bytes();
        let hash: PasswordHash =
            argon2().hash_password_with_salt(password, &salt).map_err(Error::internal)?;
        Ok(hash.to_string())
    });
    hashed.await.map_err(Error::internal)?
}

#[cfg(test)]
mod tests {
    use testkit::SeededEntropy;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_only_and_the_dummy_fits_none() {
        let stored = hash(secret("correct horse"), &SeededEntropy::new(1)).await.expect("hashed");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(matches(&secret("correct horse"), &stored).expect("verified"));
        assert!(!matches(&secret("correct house"), &stored).expect("verified"));
        assert!(!matches(&secret("correct horse"), DUMMY).expect("the dummy can be verified"));
        assert!(hash(secret("seven 7"), &SeededEntropy::new(1)).await.is_err());
    }

    #[test]
    fn ten_failures_lock_for_a_quarter_of_an_hour() {
        let door = Doorkeeper::new();
        let account = || Account::Unknown("eve".to_owned());
        let start = Timestamp::from_seconds(1_000_000);
        for _ in 1..FAILURES_MAX {
            door.record(account(), false, start);
        }
        assert!(door.check_lock(&account(), start).is_ok());
        let last = start.plus_ms(LOCK_MS - 1);
        door.record(account(), false, last);
        let locked = door.check_lock(&account(), last).expect_err("locked");
        let kind = Kind::Throttled { retry_s: 15 * 60 };
        assert_eq!((locked.code, locked.kind), ("ACCOUNT_LOCKED", kind));
        let later = door.check_lock(&account(), last.plus_ms(60_001)).expect_err("locked");
        assert_eq!(later.kind, Kind::Throttled { retry_s: 14 * 60 });
        assert!(door.check_lock(&Account::Unknown("bob".to_owned()), last).is_ok());
        assert!(door.check_lock(&account(), last.plus_ms(LOCK_MS - 1)).is_err());
        assert!(door.check_lock(&account(), last.plus_ms(LOCK_MS)).is_ok());
    }

    #[test]
    fn a_success_and_time_forgive() {
        let door = Doorkeeper::new();
        let account = || Account::Unknown("eve".to_owned());
        let start = Timestamp::from_seconds(1_000_000);
        for round in 0..3 {
            for _ in 1..FAILURES_MAX {
                door.record(account(), false, start.plus_ms(round * LOCK_MS));
            }
        }
        let end = start.plus_ms(2 * LOCK_MS);
        assert!(door.check_lock(&account(), end).is_ok());
        door.record(account(), true, end);
        for _ in 1..FAILURES_MAX {
            door.record(account(), false, end);
        }
        assert!(door.check_lock(&account(), end).is_ok());
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_keeps_its_place_until_the_hash_is_done() {
        let door = Doorkeeper::new();
        let (account, wrong) = (Account::Unknown("eve".to_owned()), secret("a wrong one"));
        let login = door.verify(account, &wrong, None, Timestamp::from_seconds(1));
        // Polled once, it is in the midst of hashing; then it is dropped.
        assert!(tokio::time::timeout(std::time::Duration::ZERO, login).await.is_err());
        assert_eq!(door.hashing.available_permits(), HASHES_MAX - 1);
        let all = door.hashing.acquire_many(HASHES_MAX as u32).await;
        assert!(all.is_ok(), "the place is free again afterwards");
    }

    #[tokio::test]
    async fn what_is_too_long_for_a_password_takes_no_place() {
        let door = Doorkeeper::new();
        let long = secret(&"x".repeat(PASSWORD_BYTES_MAX + 1));
        let now = Timestamp::from_seconds(1);
        for _ in 0..=FAILURES_MAX {
            let account = Account::Unknown("eve".to_owned());
            assert!(matches!(door.verify(account, &long, None, now).await, Ok(false)));
        }
    }

    #[test]
    fn invented_accounts_do_not_push_out_a_lock() {
        let door = Doorkeeper::new();
        let now = Timestamp::from_seconds(1_000_000);
        let ada = || Account::Known(UserId(uuid::Uuid::from_u128(1)));
        for number in 0..ACCOUNTS_MAX {
            door.record(Account::Unknown(number.to_string()), false, now);
        }
        for _ in 0..FAILURES_MAX {
            door.record(ada(), false, now);
        }
        for number in 0..ACCOUNTS_MAX {
            door.record(Account::Unknown(format!("more {number}")), false, now);
        }
        assert!(door.check_lock(&ada(), now).is_err());
    }
}
