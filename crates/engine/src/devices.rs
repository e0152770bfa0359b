//! Device login: a command line shows a code, its user lets it in from a browser, and it gets an
//! API key of its own.
//!
//! Two codes, since one is shown: the device keeps a long one, of which the catalog has the hash,
//! and nobody gets a key without it. The short one is worth nothing but to say which device is
//! meant; guesses at it are limited, so that nobody lets in a device that is not theirs.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::limits::{DEVICE_INTERVAL_S, DEVICE_MS, DEVICES_MAX};
use model::{DeviceCode, Entropy, Secret, Timestamp, UserId};
use quick_cache::unsync::Cache;

use crate::accounts::stored;
use crate::tally::{MINUTE_MS, Tally, limited, network};
use crate::{Engine, Error, Kind, Principal, Result, token};

/// Device logins that one address may begin within a minute.
const BEGUN_MAX: u32 = 10;
/// Wrong codes that one user may confirm within a minute.
const WRONG_CODES_MAX: u32 = 10;
/// Letters of a code for people: no vowels, so that none is a word, and no letter is like another.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters on each side of the hyphen.
const HALF: usize = 4;
/// Codes that are tried until one is free. Of 2.5 * 10^10, at most 10^4 are taken.
const TRIES: usize = 5;
/// A question may come that much too early: the network delays one more than the other.
const EARLY_MS: i64 = 1_000;
/// The name of the key that a device gets.
const KEY_NAME: &str = "device login";

/// What a device is told that asks to be let in.
pub struct DeviceLogin {
    /// To be kept by the device, and asked with.
    pub device_code: Secret,
    /// To be shown to the user.
    pub user_code: String,
    /// Seconds until both are worth nothing.
    pub expires_s: u32,
    /// Seconds to wait between two questions.
    pub interval_s: u32,
}

/// What a device learns by asking.
pub enum DevicePoll {
    /// Nobody has let it in yet.
    Pending,
    /// The same, and it asks too often.
    SlowDown,
    /// Its time is over, or there never was such a code.
    Expired,
    /// It is let in: the token of a new API key, told once.
    Granted(Secret),
}

/// Who asks too often, in memory.
pub(crate) struct DeviceDesk {
    begun: Tally<IpAddr>,
    wrong_codes: Tally<UserId>,
    /// When each waiting device last asked.
    asked: Mutex<Cache<[u8; 32], Timestamp>>,
}

impl DeviceDesk {
    pub(crate) fn new() -> Self {
        Self {
            begun: Tally::new(BEGUN_MAX, MINUTE_MS),
            wrong_codes: Tally::new(WRONG_CODES_MAX, MINUTE_MS),
            asked: Mutex::new(Cache::new(DEVICES_MAX as usize)),
        }
    }

    /// Whether the device asks before its interval is over. Counts from its last question.
    fn asks_too_often(&self, device: [u8; 32], now: Timestamp) -> bool {
        let mut asked = self.asked();
        let interval_ms = i64::from(DEVICE_INTERVAL_S) * 1_000 - EARLY_MS;
        let early = asked.peek(&device).is_some_and(|last| now < last.plus_ms(interval_ms));
        asked.insert(device, now);
        early
    }

    fn forget(&self, device: &[u8; 32]) {
        self.asked().remove(device);
    }

    fn asked(&self) -> MutexGuard<'_, Cache<[u8; 32], Timestamp>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Begins a device login. `Throttled` for an address that begins too many, and while too many
    /// devices wait.
    pub async fn begin_device_login(&self, from: Option<IpAddr>) -> Result<DeviceLogin> {
        let now = self.now();
        if let Some(from) = from.map(network) {
            if let Some(retry_s) = self.devices.begun.wait_s(&from, now) {
                let message = "too many device logins from this address; try again in a minute";
                return Err(limited(retry_s, message));
            }
            self.devices.begun.add(from, now);
        }
        let device_code = token::random(self.entropy());
        let user_code = self.store_device(token::hash(&device_code), now).await?;
        Ok(DeviceLogin {
            device_code,
            user_code,
            expires_s: u32::try_from(DEVICE_MS / 1_000).expect("it is some minutes"),
            interval_s: DEVICE_INTERVAL_S,
        })
    }

    /// Stores a waiting device and returns the code for its user.
    async fn store_device(&self, device_hash: [u8; 32], now: Timestamp) -> Result<String> {
        let mut code = DeviceCode {
            device_hash,
            user_code: String::new(),
            created_at: now,
            expires_at: now.plus_ms(DEVICE_MS),
            confirmed_by: None,
        };
        for _ in 0..TRIES {
            code.user_code = user_code(self.entropy());
            match self.catalog().create_device_code(&code).await {
                Ok(()) => return Ok(code.user_code),
                Err(catalog::Error::Conflict { .. }) => {}
                Err(catalog::Error::TooMany { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
        let retry_s = u32::try_from(MINUTE_MS / 1_000).expect("it is a minute");
        Err(limited(retry_s, "too many devices wait to be let in; try again in a minute"))
    }

    /// Whether the device has been let in by now. The first to ask after that gets the key.
    pub async fn poll_device_login(&self, device_code: &Secret) -> Result<DevicePoll> {
        if !token::may_be_random(device_code.expose()) {
            return Ok(DevicePoll::Expired);
        }
        let (device, now) = (token::hash(device_code), self.now());
        match self.catalog().device_code(device, now).await? {
            None => Ok(DevicePoll::Expired),
            Some(DeviceCode { confirmed_by: Some(user), .. }) => {
                self.devices.forget(&device);
                self.redeem(device, user, now).await
            }
            Some(_) if self.devices.asks_too_often(device, now) => Ok(DevicePoll::SlowDown),
            Some(_) => Ok(DevicePoll::Pending),
        }
    }

    async fn redeem(&self, device: [u8; 32], user: UserId, now: Timestamp) -> Result<DevicePoll> {
        let Some(user) = self.catalog().user(user).await? else { return Ok(DevicePoll::Expired) };
        let time = now.to_string();
        let day = time.split('T').next().unwrap_or_default();
        let description = format!("made by a device login on {day}");
        let key = self.new_key(user.id, token::generate(self.entropy()), KEY_NAME, &description);
        let deed = self.deed_on_oneself(&Principal::new(user), "GetDeviceToken");
        match self.catalog().redeem_device(device, &stored(&key), &deed).await? {
            true => Ok(DevicePoll::Granted(key.token)),
            false => Ok(DevicePoll::Expired),
        }
    }

    /// Lets the device in that shows `user_code` (case, blanks and hyphens do not matter), as the
    /// principal. `NotFound` if none waits, `Throttled` for a user with too many wrong codes.
    pub async fn confirm_device_login(&self, principal: &Principal, user_code: &str) -> Result<()> {
        let (user, now) = (principal.user.id, self.now());
        if let Some(retry_s) = self.devices.wrong_codes.wait_s(&user, now) {
            return Err(limited(retry_s, "too many wrong codes; try again in a minute"));
        }
        let confirmed = match normalized(user_code) {
            Some(code) => {
                let deed = self.deed_on_oneself(principal, "ConfirmDevice");
                self.catalog().confirm_device(&code, user, &deed).await?
            }
            None => false,
        };
        if !confirmed {
            self.devices.wrong_codes.add(user, now);
            let message = "no device with this code waits to be let in";
            return Err(Error::new(Kind::NotFound, "NOT_FOUND", message));
        }
        Ok(())
    }
}

/// A new code for people, e.g. `BCDF-GHJK`.
fn user_code(entropy: &dyn Entropy) -> String {
    let mut letters = String::new();
    while letters.len() < 2 * HALF {
        let mut random = [0; 2 * HALF];
        entropy.fill(&mut random);
        // The bytes from the last whole multiple on would favour the first letters.
        let fair =
            random.iter().filter(|byte| usize::from(**byte) < 256 / LETTERS.len() * LETTERS.len());
        letters.extend(fair.map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])));
    }
    format!("{}-{}", &letters[..HALF], &letters[HALF..2 * HALF])
}

/// A code as it was shown, from what somebody typed; `None` for what was never shown.
fn normalized(typed: &str) -> Option<String> {
    let meant = |letter: &char| !(letter.is_whitespace() || *letter == '-');
    let letters: String = typed
        .chars()
        .filter(meant)
        .map(|letter| letter.to_ascii_uppercase())
        .take(2 * HALF + 1)
        .collect();
    let legal = letters.len() == 2 * HALF && letters.bytes().all(|byte| LETTERS.contains(&byte));
    legal.then(|| format!("{}-{}", &letters[..HALF], &letters[HALF..]))
}

#[cfg(test)]
mod tests {
    use testkit::SeededEntropy;

    use super::*;

    #[test]
    fn a_code_is_found_again_however_it_is_typed() {
        for seed in 0..50 {
            let code = user_code(&SeededEntropy::new(seed));
            assert_eq!(code.len(), 2 * HALF + 1);
            assert_eq!(normalized(&code).as_ref(), Some(&code));
        }
        for typed in ["bcdf-ghjk", " BCDF GHJK ", "BCDFGHJK", "b-c-d-f-g-h-j-k", "BCDF\tGHJK\n"] {
            assert_eq!(normalized(typed).as_deref(), Some("BCDF-GHJK"), "{typed}");
        }
        let endless = "B".repeat(1 << 20);
        for bad in ["", "BCDF", "BCDF-GHJKL", "BCDF-GHJA", "BCDF-GHJ8", "ẞCDFGHJ", &endless] {
            assert_eq!(normalized(bad), None);
        }
    }

    #[test]
    fn every_letter_is_as_likely() {
        let entropy = SeededEntropy::new(1);
        let mut counts = [0_u32; 256];
        const CODES: u32 = 5_000;
        for _ in 0..CODES {
            user_code(&entropy).bytes().for_each(|byte| counts[usize::from(byte)] += 1);
        }
        assert_eq!(counts[usize::from(b'-')], CODES);
        let expected = CODES * 2 * HALF as u32 / LETTERS.len() as u32;
        for letter in LETTERS {
            let count = counts[usize::from(*letter)];
            assert!(count.abs_diff(expected) < expected / 8, "{} {count}", char::from(*letter));
        }
    }
}
