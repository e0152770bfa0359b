//! Users, keys and how a request proves who asks.

use std::net::IpAddr;

use catalog::NewUser;
use model::{ApiKey, ApiKeyId, Deed, NewApiKey, Organization, Secret, User, UserId};

use crate::login::Account;
use crate::names::{check_description, check_label, check_name, check_username};
use crate::{Engine, Error, Principal, Result, token};

/// The user that the first start makes.
const ADMIN: &str = "admin";
/// The name of its first key.
const ADMIN_KEY: &str = "bootstrap";
/// Nobody's username or email is longer, so nothing longer is looked up.
const LOGIN_BYTES_MAX: usize = 255;

/// What a request offers as proof. Never shown, so it has no `Debug`.
pub enum Credential {
    /// A Bearer token.
    Token(Secret),
    /// HTTP Basic: username or email, and the password.
    Basic {
        /// Username or email.
        login: String,
        /// The password.
        password: Secret,
    },
    /// The cookie of a browser that signed in. Whoever takes it from a request checks the CSRF
    /// token ([`crate::Engine::csrf_token`]) where the request may change something.
    Login(Secret),
}

/// The answer to "who am I".
#[derive(Clone, Debug)]
pub struct Me {
    /// The user.
    pub user: User,
    /// Their organizations, by name.
    pub organizations: Vec<Organization>,
    /// Whether a password is set.
    pub has_password: bool,
}

/// A key just made: the only time its token is seen.
pub struct NewKey {
    /// The token to hand to the user.
    pub token: Secret,
    /// The record.
    pub key: ApiKey,
}

/// A user to be made.
pub struct NewUserSpec {
    /// `^[a-z0-9][a-z0-9_-]{1,38}$`.
    pub username: String,
    /// May be empty.
    pub email: String,
    /// May be empty.
    pub full_name: String,
    /// At least 8 characters; `None` for no password.
    pub password: Option<Secret>,
}

impl Engine {
    /// Who this credential belongs to. Kinds: `Unauthenticated`; `Throttled` (`ACCOUNT_LOCKED`, for
    /// 15 minutes) after 10 wrong passwords within 15 minutes, `RATE_LIMITED` for an address with
    /// too many of them within a minute.
    pub async fn authenticate(
        &self,
        credential: &Credential,
        from: Option<IpAddr>,
    ) -> Result<Principal> {
        let user = match credential {
            Credential::Token(token) => self.user_by_token(token).await?,
            Credential::Login(token) => self.user_by_login_token(token).await?,
            Credential::Basic { login, password } => {
                self.user_by_password(login, password, from).await?
            }
        };
        Ok(Principal::new(user.ok_or_else(Error::unauthenticated)?))
    }

    async fn user_by_token(&self, token: &Secret) -> Result<Option<User>> {
        match token::may_be_one(token.expose()) {
            true => Ok(self.catalog().user_by_token(token::hash(token), self.now()).await?),
            false => Ok(None),
        }
    }

    async fn user_by_login_token(&self, token: &Secret) -> Result<Option<User>> {
        match token::may_be_random(token.expose()) {
            true => Ok(self.catalog().user_by_login_token(token::hash(token), self.now()).await?),
            false => Ok(None),
        }
    }

    pub(crate) async fn user_by_password(
        &self,
        login: &str,
        password: &Secret,
        from: Option<IpAddr>,
    ) -> Result<Option<User>> {
        if login.is_empty() || login.len() > LOGIN_BYTES_MAX {
            return Ok(None);
        }
        let (account, user, stored) = match self.catalog().user_by_login(login).await? {
            Some(found) => (Account::Known(found.user.id), Some(found.user), found.password_hash),
            None => (Account::Unknown(login.to_owned()), None, None),
        };
        let verified = self.doorkeeper.verify(account, password, stored, from, self.now()).await?;
        Ok(user.filter(|_| verified))
    }

    /// The principal's own account.
    pub async fn me(&self, principal: &Principal) -> Result<Me> {
        let organizations = self.catalog().organizations_of(principal.user.id).await?;
        let user = principal.user.clone();
        Ok(Me { has_password: user.has_password, user, organizations })
    }

    /// Makes a key for the principal. `Invalid` for a bad name or description.
    pub async fn create_key(
        &self,
        principal: &Principal,
        name: &str,
        description: &str,
    ) -> Result<NewKey> {
        let deed = self.deed_on_oneself(principal, "CreateAPIKey");
        self.store_key(principal.user.id, name, description, deed).await
    }

    async fn store_key(
        &self,
        user: UserId,
        name: &str,
        description: &str,
        deed: Deed,
    ) -> Result<NewKey> {
        check_name("name", name)?;
        check_description(description)?;
        let new = self.new_key(user, token::generate(self.entropy()), name, description);
        let deed = deed.with("api_key", new.key.id).with("name", name);
        self.catalog().create_api_key(&stored(&new), &deed).await?;
        Ok(new)
    }

    pub(crate) fn new_key(
        &self,
        user: UserId,
        token: Secret,
        name: &str,
        description: &str,
    ) -> NewKey {
        let key = ApiKey {
            id: ApiKeyId(self.entropy().uuid()),
            user,
            name: name.to_owned(),
            description: description.to_owned(),
            hint: token::hint(&token),
            created_at: self.now(),
            last_used_at: None,
            revoked_at: None,
        };
        NewKey { token, key }
    }

    /// The principal's live keys, oldest first.
    pub async fn keys(&self, principal: &Principal) -> Result<Vec<ApiKey>> {
        Ok(self.catalog().api_keys(principal.user.id).await?)
    }

    /// Revokes one of the principal's keys; `NotFound` for any other.
    pub async fn revoke_key(&self, principal: &Principal, key: ApiKeyId) -> Result<()> {
        let deed = self.deed_on_oneself(principal, "RevokeAPIKey").with("api_key", key);
        match self.catalog().revoke_api_key(principal.user.id, key, &deed).await? {
            true => Ok(()),
            false => Err(Error::not_found("API key")),
        }
    }

    /// Whether the user `admin` is yet to be made.
    pub async fn awaits_bootstrap(&self) -> Result<bool> {
        Ok(self.catalog().user_by_login(ADMIN).await?.is_none())
    }

    /// A token that nobody has, to be kept before [`Engine::bootstrap`] makes it a key.
    pub fn new_token(&self) -> Secret {
        token::generate(self.entropy())
    }

    /// On an empty catalog makes the user `admin` with a key (the given token: `tuk-` and 16 or
    /// more letters, digits, `-` or `_`; else a new one) and, if given, a password. `None` if there
    /// is a user already; then nothing changes.
    pub async fn bootstrap(
        &self,
        token: Option<Secret>,
        password: Option<Secret>,
    ) -> Result<Option<NewKey>> {
        let token = token.unwrap_or_else(|| token::generate(self.entropy()));
        if !token::is_acceptable(token.expose()) {
            let form = "must be tuk- and 16 or more letters, digits, - or _";
            return Err(Error::invalid(format!("bootstrap API key: {form}")));
        }
        let spec = NewUserSpec {
            username: ADMIN.to_owned(),
            email: String::new(),
            full_name: String::new(),
            password,
        };
        let admin = self.new_user(spec).await?;
        let new = self.new_key(admin.user.id, token, ADMIN_KEY, "made by the first start");
        let deed = self.operator_deed("Bootstrap", format!("users/{ADMIN}"));
        let deed = deed.with("api_key", new.key.id);
        let made = self.catalog().bootstrap(&admin, &stored(&new), &deed).await?;
        Ok(made.then_some(new))
    }

    /// Makes a user. For whoever runs the server; no principal.
    pub async fn add_user(&self, spec: NewUserSpec) -> Result<User> {
        let new = self.new_user(spec).await?;
        let deed = self.operator_deed("CreateUser", format!("users/{}", new.user.username));
        self.catalog().create_user(&new, &deed).await?;
        Ok(new.user)
    }

    async fn new_user(&self, spec: NewUserSpec) -> Result<NewUser> {
        let NewUserSpec { username, email, full_name, password } = spec;
        check_username(&username)?;
        check_label("email", &email)?;
        check_label("full_name", &full_name)?;
        if !(email.is_empty() || email.contains('@')) {
            return Err(Error::invalid("email: must contain an @"));
        }
        let has_password = password.is_some();
        let password_hash = match password {
            Some(password) => {
                Some(self.doorkeeper.hash("password", password, self.entropy()).await?)
            }
            None => None,
        };
        let id = UserId(self.entropy().uuid());
        let created_at = self.now();
        let user =
            User { id, username, email, full_name, bio: String::new(), created_at, has_password };
        Ok(NewUser { user, password_hash })
    }

    /// Makes a key for the user of this name. For whoever runs the server; no principal.
    pub async fn issue_key(&self, username: &str, name: &str) -> Result<NewKey> {
        let user = self.user_named(username).await?;
        let deed = self.operator_deed("CreateAPIKey", format!("users/{username}"));
        self.store_key(user.id, name, "", deed).await
    }

    /// The user of exactly this name; an email does not do.
    pub(crate) async fn user_named(&self, username: &str) -> Result<User> {
        let found = self.catalog().user_by_login(username).await?.map(|found| found.user);
        found.filter(|user| user.username == username).ok_or_else(|| Error::not_found("user"))
    }
}

/// A key as the catalog keeps it.
pub(crate) fn stored(new: &NewKey) -> NewApiKey {
    NewApiKey { key: new.key.clone(), token_hash: token::hash(&new.token) }
}
