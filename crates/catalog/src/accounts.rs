//! The operations on users and on what they belong to: keys, logins, organizations, and the log of
//! what was done there.

use async_trait::async_trait;
use model::{
    ApiKey, ApiKeyId, AuditRecord, Deed, DeviceCode, Login, Member, NewApiKey, Organization,
    OrganizationId, Page, PageRequest, Role, Timestamp, User, UserId,
};

use crate::{NewUser, Result};

/// A part of [`Catalog`](crate::Catalog).
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    // Users and keys.

    /// Stores the first user and key; `false` (and nothing written) if there is a user already.
    async fn bootstrap(&self, admin: &NewUser, key: &NewApiKey, deed: &Deed) -> Result<bool>;
    /// `Error::Conflict` if the username (or a non-empty email) is taken.
    async fn create_user(&self, user: &NewUser, deed: &Deed) -> Result<()>;
    /// By username or email, with the password hash.
    async fn user_by_login(&self, login: &str) -> Result<Option<NewUser>>;
    /// By id.
    async fn user(&self, id: UserId) -> Result<Option<User>>;
    /// Stores a key.
    async fn create_api_key(&self, key: &NewApiKey, deed: &Deed) -> Result<()>;
    /// All keys of a user that are not revoked, oldest first.
    async fn api_keys(&self, user: UserId) -> Result<Vec<ApiKey>>;
    /// `false` if the user has no such live key.
    async fn revoke_api_key(&self, user: UserId, key: ApiKeyId, deed: &Deed) -> Result<bool>;
    /// The user of a live key with this SHA-256. The use is recorded, to the minute, but not waited
    /// for; one that cannot be recorded is left to the next.
    async fn user_by_token(&self, token_hash: [u8; 32], now: Timestamp) -> Result<Option<User>>;

    // Organizations.

    /// Stores it with its creator as owner. `Error::Conflict` if the name is taken.
    async fn create_organization(
        &self,
        organization: &Organization,
        owner: UserId,
        deed: &Deed,
    ) -> Result<()>;
    /// The organization and the viewer's role in it; `None` for a stranger too.
    async fn organization(
        &self,
        name: &str,
        viewer: UserId,
    ) -> Result<Option<(Organization, Role)>>;
    /// The user's organizations by name.
    async fn organizations_of(&self, user: UserId) -> Result<Vec<Organization>>;
    /// Whether a live organization has this name.
    async fn organization_name_taken(&self, name: &str) -> Result<bool>;
    /// Soft: it and its repositories and connectors disappear, sealed configs are wiped, its name
    /// is free.
    async fn delete_organization(&self, id: OrganizationId, deed: &Deed) -> Result<bool>;
    /// All members, by username.
    async fn members(&self, organization: OrganizationId) -> Result<Vec<Member>>;
    /// `Error::Conflict` if the user is a member already.
    async fn add_member(
        &self,
        organization: OrganizationId,
        user: UserId,
        role: Role,
        deed: &Deed,
    ) -> Result<()>;
    /// `Error::Conflict` for the last owner; `false` if there is no such member.
    async fn remove_member(
        &self,
        organization: OrganizationId,
        user: UserId,
        deed: &Deed,
    ) -> Result<bool>;

    // Users: what they change of themselves, and logins.

    /// Stores full name and bio; `false` if there is no such user.
    async fn update_user(&self, user: &User, deed: &Deed) -> Result<bool>;
    /// Replaces the password hash and ends the user's logins but for the one with the token hash
    /// `keep`; `false` if there is no such user.
    async fn set_password(
        &self,
        user: UserId,
        password_hash: &str,
        keep: Option<[u8; 32]>,
        deed: &Deed,
    ) -> Result<bool>;
    /// Stores a login; of more than [`model::limits::LOGINS_MAX`] of a user the oldest end.
    async fn create_login(&self, login: &Login, deed: &Deed) -> Result<()>;
    /// The user of a login that has not ended.
    async fn user_by_login_token(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<User>>;
    /// Ends a login; `false` if there is none.
    async fn end_login(&self, token_hash: [u8; 32], deed: &Deed) -> Result<bool>;
    /// Stores a device code. `Error::Conflict` if the user code is in use, `Error::TooMany` if
    /// [`model::limits::DEVICES_MAX`] wait.
    async fn create_device_code(&self, code: &DeviceCode) -> Result<()>;
    /// The code with this hash that has not ended.
    async fn device_code(
        &self,
        device_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<DeviceCode>>;
    /// Lets the device with this user code in; `false` if none waits under it.
    async fn confirm_device(&self, user_code: &str, user: UserId, deed: &Deed) -> Result<bool>;
    /// Exchanges a code that the key's user has confirmed for the key, once: `false` (and nothing
    /// stored) if there is no such code by then.
    async fn redeem_device(
        &self,
        device_hash: [u8; 32],
        key: &NewApiKey,
        deed: &Deed,
    ) -> Result<bool>;

    // The audit log.

    /// Rows of an organization's log, newest first; the cursor is the last id.
    async fn audit(
        &self,
        organization: OrganizationId,
        page: &PageRequest,
    ) -> Result<Page<AuditRecord>>;
}
