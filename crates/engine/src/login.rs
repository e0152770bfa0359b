//! Passwords: hashed with Argon2id, a few at a time, and only so many wrong ones for each account
//! and from each address.
//!
//! An unknown account costs the same time and is locked the same way as a known one, so that
//! neither tells which accounts there are.

use std::net::IpAddr;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use model::limits::ADDRESS_FAILURES_MAX;
use model::{Entropy, Secret, Timestamp, UserId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::tally::{MINUTE_MS, Tally, limited, network};
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
/// Fewest characters of a password.
const PASSWORD_MIN: usize = 8;
/// Most bytes of a password.
const PASSWORD_BYTES_MAX: usize = 1_024;
/// Verified in place of the hash of an unknown account or one without a password; its password is
/// not known.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$dGlsZGUgZHVtbXkgc2FsdA\
                     $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whose failures are counted.
pub(crate) enum Account {
    Known(UserId),
    Unknown(String),
}

/// What a hash is computed under.
type Place = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// The state of the door: who is locked out, and how many are being let in.
pub(crate) struct Doorkeeper {
    /// Apart from those of unknown accounts: invented names must not push out a lock.
    known: Tally<UserId>,
    unknown: Tally<String>,
    networks: Tally<IpAddr>,
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Doorkeeper {
    pub(crate) fn new() -> Self {
        Self {
            known: Tally::new(FAILURES_MAX, LOCK_MS),
            unknown: Tally::new(FAILURES_MAX, LOCK_MS),
            networks: Tally::new(ADDRESS_FAILURES_MAX, MINUTE_MS),
            hashing: Arc::new(Semaphore::new(HASHES_MAX)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }

    /// Whether `password` has the hash `stored`; `false` where there is none. `Throttled` for a
    /// locked account (`ACCOUNT_LOCKED`, which is told first), and for an address from which too
    /// many wrong ones came (`RATE_LIMITED`).
    pub(crate) async fn verify(
        &self,
        account: Account,
        password: &Secret,
        stored: Option<String>,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<bool> {
        let network = from.map(network);
        self.check(&account, network.as_ref(), now)?;
        if password.expose().len() > PASSWORD_BYTES_MAX {
            // Nobody's password, so nothing was guessed: not worth a hash or a place in memory.
            return Ok(false);
        }
        let place = self.place().await?;
        // Those that waited while others failed must not get a try more.
        self.check(&account, network.as_ref(), now)?;
        let password = password.clone();
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| DUMMY.to_owned());
        let matches = in_background(place, move || matches(&password, &stored)).await? && known;
        match matches {
            true => self.succeeded(&account),
            false => self.failed(account, network, now),
        }
        Ok(matches)
    }

    fn check(&self, account: &Account, network: Option<&IpAddr>, now: Timestamp) -> Result<()> {
        let wait_s = match account {
            Account::Known(id) => self.known.wait_s(id, now),
            Account::Unknown(name) => self.unknown.wait_s(name, now),
        };
        if let Some(retry_s) = wait_s {
            let message = "too many wrong passwords; try again in 15 minutes";
            return Err(Error::new(Kind::Throttled { retry_s }, "ACCOUNT_LOCKED", message));
        }
        match network.and_then(|network| self.networks.wait_s(network, now)) {
            Some(retry_s) => {
                let message = "too many wrong passwords from this address; try again in a minute";
                Err(limited(retry_s, message))
            }
            None => Ok(()),
        }
    }

    fn succeeded(&self, account: &Account) {
        match account {
            Account::Known(id) => self.known.forget(id),
            Account::Unknown(name) => self.unknown.forget(name),
        }
    }

    fn failed(&self, account: Account, network: Option<IpAddr>, now: Timestamp) {
        match account {
            Account::Known(id) => self.known.add(id, now),
            Account::Unknown(name) => self.unknown.add(name, now),
        }
        if let Some(network) = network {
            self.networks.add(network, now);
        }
    }

    /// The PHC string of a new password. `Invalid`, naming `field`, if it is too short or too long.
    pub(crate) async fn hash(
        &self,
        field: &str,
        password: Secret,
        entropy: &dyn Entropy,
    ) -> Result<String> {
        let text = password.expose();
        if text.chars().count() < PASSWORD_MIN || text.len() > PASSWORD_BYTES_MAX {
            let message = format!(
                "{field}: must have at least {PASSWORD_MIN} characters and at most \
                 {PASSWORD_BYTES_MAX} bytes"
            );
            return Err(Error::invalid(message));
        }
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let place = self.place().await?;
        in_background(place, move || {
            let password = password.expose().as_bytes();
            let hash: PasswordHash =
                argon2().hash_password_with_salt(password, &salt).map_err(Error::internal)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// A place among those that hash; `Throttled` where too many wait for one.
    async fn place(&self) -> Result<Place> {
        let waiting = self.waiting.clone().try_acquire_owned();
        let waiting = waiting
            .map_err(|_| limited(BUSY_S, "too many logins at once; try again in a second"))?;
        let hashing = self.hashing.clone().acquire_owned().await.map_err(Error::internal)?;
        Ok((waiting, hashing))
    }
}

/// Hashes on a thread that may block. The place is held to the end of the hash, which goes on when
/// the client has hung up.
async fn in_background<T: Send + 'static>(
    place: Place,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let work = tokio::task::spawn_blocking(move || {
        let _held = place;
        work()
    });
    work.await.map_err(Error::internal)?
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

#[cfg(test)]
mod tests {
    use testkit::SeededEntropy;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    const START: Timestamp = Timestamp::from_seconds(1_000_000);
    const NO_ADDRESS: Option<&IpAddr> = None;

    fn eve() -> Account {
        Account::Unknown("eve".to_owned())
    }

    fn address(last: u8) -> IpAddr {
        [203, 0, 113, last].into()
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_only_and_the_dummy_fits_none() {
        let (door, entropy) = (Doorkeeper::new(), SeededEntropy::new(1));
        let stored = door.hash("password", secret("correct horse"), &entropy).await;
        let stored = stored.expect("hashed");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(matches(&secret("correct horse"), &stored).expect("verified"));
        assert!(!matches(&secret("correct house"), &stored).expect("verified"));
        assert!(!matches(&secret("correct horse"), DUMMY).expect("the dummy can be verified"));
        let short = door.hash("new_password", secret("seven 7"), &entropy).await;
        assert!(short.expect_err("too short").message.starts_with("new_password: must have"));
    }

    #[test]
    fn ten_failures_lock_for_a_quarter_of_an_hour() {
        let door = Doorkeeper::new();
        for _ in 1..FAILURES_MAX {
            door.failed(eve(), None, START);
        }
        assert!(door.check(&eve(), NO_ADDRESS, START).is_ok());
        let last = START.plus_ms(LOCK_MS - 1);
        door.failed(eve(), None, last);
        let locked = door.check(&eve(), NO_ADDRESS, last).expect_err("locked");
        let kind = Kind::Throttled { retry_s: 15 * 60 };
        assert_eq!((locked.code, locked.kind), ("ACCOUNT_LOCKED", kind));
        let later = door.check(&eve(), NO_ADDRESS, last.plus_ms(60_001)).expect_err("locked");
        assert_eq!(later.kind, Kind::Throttled { retry_s: 14 * 60 });
        assert!(door.check(&Account::Unknown("bob".to_owned()), NO_ADDRESS, last).is_ok());
        assert!(door.check(&eve(), NO_ADDRESS, last.plus_ms(LOCK_MS - 1)).is_err());
        assert!(door.check(&eve(), NO_ADDRESS, last.plus_ms(LOCK_MS)).is_ok());
    }

    #[test]
    fn a_success_and_time_forgive() {
        let door = Doorkeeper::new();
        for round in 0..3 {
            for _ in 1..FAILURES_MAX {
                door.failed(eve(), None, START.plus_ms(round * LOCK_MS));
            }
        }
        let end = START.plus_ms(2 * LOCK_MS);
        assert!(door.check(&eve(), NO_ADDRESS, end).is_ok());
        door.succeeded(&eve());
        for _ in 1..FAILURES_MAX {
            door.failed(eve(), None, end);
        }
        assert!(door.check(&eve(), NO_ADDRESS, end).is_ok());
    }

    #[test]
    fn an_address_that_guesses_waits_a_minute_whatever_it_guesses_at() {
        let door = Doorkeeper::new();
        let ada = || Account::Known(UserId(uuid::Uuid::from_u128(1)));
        for number in 0..ADDRESS_FAILURES_MAX {
            assert!(door.check(&ada(), Some(&address(1)), START).is_ok(), "{number}");
            door.failed(Account::Unknown(number.to_string()), Some(address(1)), START);
            // Whoever knows one password must not buy guesses at others with it.
            door.succeeded(&ada());
        }
        let limited = door.check(&ada(), Some(&address(1)), START).expect_err("limited");
        let kind = Kind::Throttled { retry_s: 60 };
        assert_eq!((limited.code, limited.kind), ("RATE_LIMITED", kind));
        assert!(door.check(&ada(), Some(&address(2)), START).is_ok());
        assert!(door.check(&ada(), NO_ADDRESS, START).is_ok());
        assert!(door.check(&ada(), Some(&address(1)), START.plus_ms(MINUTE_MS)).is_ok());
    }

    #[test]
    fn a_lock_is_told_before_the_limit_of_an_address() {
        let door = Doorkeeper::new();
        for _ in 0..FAILURES_MAX.max(ADDRESS_FAILURES_MAX) {
            door.failed(eve(), Some(address(1)), START);
        }
        let locked = door.check(&eve(), Some(&address(1)), START).expect_err("both");
        assert_eq!(locked.code, "ACCOUNT_LOCKED");
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_keeps_its_place_until_the_hash_is_done() {
        let door = Doorkeeper::new();
        let wrong = secret("a wrong one");
        let login = door.verify(eve(), &wrong, None, None, START);
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
        for _ in 0..=FAILURES_MAX {
            let verified = door.verify(eve(), &long, None, Some(address(1)), START).await;
            assert!(matches!(verified, Ok(false)));
        }
    }

    #[test]
    fn invented_accounts_do_not_push_out_a_lock() {
        const MANY: u32 = 70_000;
        let door = Doorkeeper::new();
        let ada = || Account::Known(UserId(uuid::Uuid::from_u128(1)));
        for number in 0..MANY {
            door.failed(Account::Unknown(number.to_string()), None, START);
        }
        for _ in 0..FAILURES_MAX {
            door.failed(ada(), None, START);
        }
        for number in 0..MANY {
            door.failed(Account::Unknown(format!("more {number}")), None, START);
        }
        assert!(door.check(&ada(), NO_ADDRESS, START).is_err());
    }
}
