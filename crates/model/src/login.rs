//! Login state: who signed in with a browser, and devices that wait to be let in.

use crate::{Timestamp, UserId};

/// A browser that is signed in. Only the hash of its token is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// Whose it is.
    pub user: UserId,
    /// SHA-256 of the token in the cookie.
    pub token_hash: [u8; 32],
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A device (a command line) that asks to be let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceCode {
    /// SHA-256 of the code that the device keeps to itself.
    pub device_hash: [u8; 32],
    /// What the user types or confirms, e.g. `BCDF-GHJK`.
    pub user_code: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Who let it in; `None` while nobody has.
    pub confirmed_by: Option<UserId>,
}
