//! Signing in with a browser, and what users change of themselves.
//!
//! A login is a random token in a cookie, of which the catalog keeps the hash. The CSRF token is
//! derived from it, so that it needs no place of its own and fits that one login only.

use std::net::IpAddr;

use model::limits::LOGIN_DAYS;
use model::{Login, Secret, Timestamp, User};

use crate::login::Account;
use crate::names::{check_bio, check_label};
use crate::{Engine, Error, Kind, Principal, Result, token};

/// Tells the CSRF token from whatever else may be derived from the token of a login.
const CSRF_CONTEXT: &str = "tilde csrf v1";
/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A login just made.
pub struct NewLogin {
    /// Who signed in.
    pub user: User,
    /// For the cookie; seen only now.
    pub token: Secret,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// What of an account is to change; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct MeChange {
    /// Full name: one line.
    pub full_name: Option<String>,
    /// What they say about themselves.
    pub bio: Option<String>,
}

impl Engine {
    /// Signs a browser in by username or email and password. Kinds as [`Engine::authenticate`].
    pub async fn log_in(
        &self,
        login: &str,
        password: &Secret,
        from: Option<IpAddr>,
        request_id: &str,
    ) -> Result<NewLogin> {
        let user = self.user_by_password(login, password, from).await?;
        let user = user.ok_or_else(|| {
            let message = "no user has this name or email and this password";
            Error::new(Kind::Unauthenticated, "UNAUTHORIZED", message)
        })?;
        let token = token::random(self.entropy());
        let created_at = self.now();
        let expires_at = created_at.plus_ms(LOGIN_DAYS * DAY_MS);
        let token_hash = token::hash(&token);
        let stored = Login { user: user.id, token_hash, created_at, expires_at };
        let principal = Principal { user, request_id: request_id.to_owned() };
        let deed = self.deed_on_oneself(&principal, "Login");
        self.catalog().create_login(&stored, &deed).await?;
        Ok(NewLogin { user: principal.user, token, expires_at })
    }

    /// Ends a login, if there is one.
    pub async fn log_out(&self, principal: &Principal, token: &Secret) -> Result<()> {
        if token::may_be_random(token.expose()) {
            let deed = self.deed_on_oneself(principal, "Logout");
            let _it_may_have_ended = self.catalog().end_login(token::hash(token), &deed).await?;
        }
        Ok(())
    }

    /// What a request that may change something must show beside the cookie `token`: 64 hex digits.
    pub fn csrf_token(token: &Secret) -> String {
        let key = blake3::derive_key(CSRF_CONTEXT, token.expose().as_bytes());
        blake3::Hash::from_bytes(key).to_hex().to_string()
    }

    /// Changes the principal's own account. `Invalid` for a text that is too long, or a name with
    /// control characters.
    pub async fn update_me(&self, principal: &Principal, change: MeChange) -> Result<User> {
        let mut user = principal.user.clone();
        if let Some(full_name) = change.full_name {
            check_label("full_name", &full_name)?;
            user.full_name = full_name;
        }
        if let Some(bio) = change.bio {
            check_bio(&bio)?;
            user.bio = bio;
        }
        if user != principal.user {
            let deed = self.deed_on_oneself(principal, "UpdateMe");
            existing(self.catalog().update_user(&user, &deed).await?)?;
        }
        Ok(user)
    }

    /// Changes the principal's password; `current` is needed if there is one (`Invalid` if it is
    /// wrong, and counted as a failed login: `Throttled` for a locked account). Ends all logins but
    /// the one with the cookie `keep`.
    pub async fn change_password(
        &self,
        principal: &Principal,
        current: Option<&Secret>,
        new: Secret,
        keep: Option<&Secret>,
    ) -> Result<()> {
        let user = &principal.user;
        let found = self.catalog().user_by_login(&user.username).await?;
        if let Some(stored) = found.and_then(|found| found.password_hash) {
            let current = current.ok_or_else(|| Error::invalid("current_password: required"))?;
            let account = Account::Known(user.id);
            let verified = self.doorkeeper.verify(account, current, Some(stored), None, self.now());
            if !verified.await? {
                return Err(Error::invalid("current_password: wrong"));
            }
        }
        let hash = self.doorkeeper.hash("new_password", new, self.entropy()).await?;
        let deed = self.deed_on_oneself(principal, "ChangePassword");
        let keep = keep.map(token::hash);
        existing(self.catalog().set_password(user.id, &hash, keep, &deed).await?)
    }

    /// Sets the password of the user of this name and ends all their logins. For whoever runs the
    /// server; no principal. `NotFound` for an unknown user.
    pub async fn set_password(&self, username: &str, password: Secret) -> Result<()> {
        let user = self.user_named(username).await?;
        let hash = self.doorkeeper.hash("password", password, self.entropy()).await?;
        let deed = self.operator_deed("SetPassword", format!("users/{username}"));
        existing(self.catalog().set_password(user.id, &hash, None, &deed).await?)
    }
}

fn existing(found: bool) -> Result<()> {
    if found { Ok(()) } else { Err(Error::not_found("user")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csrf_token_fits_one_login_and_does_not_give_it_away() {
        let of = |text: &str| Engine::csrf_token(&Secret::new(text.to_owned()));
        assert_eq!(of("one"), of("one"));
        assert_ne!(of("one"), of("two"));
        assert_eq!(of("one").len(), 64);
        assert_ne!(of("one"), blake3::hash(b"one").to_hex().to_string(), "bound to its purpose");
    }
}
