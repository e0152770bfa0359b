//! The operations on users and on what they belong to.

use async_trait::async_trait;
use model::{
    ApiKey, ApiKeyId, AuditRecord, Deed, DeviceCode, Login, Member, NewApiKey, Organization,
    OrganizationId, Page, PageRequest, Role, Timestamp, User, UserId,
};

use super::super::{Sqlite, accounts, audit, devices, logins, organizations};
use crate::{Accounts, NewUser, Result};

#[async_trait]
impl Accounts for Sqlite {
    // Users and keys.

    async fn bootstrap(&self, admin: &NewUser, key: &NewApiKey, deed: &Deed) -> Result<bool> {
        let (admin, key, deed) = (admin.clone(), key.clone(), deed.clone());
        self.write(move |db| accounts::bootstrap(db, &admin, &key, &deed)).await
    }

    async fn create_user(&self, user: &NewUser, deed: &Deed) -> Result<()> {
        let (user, deed) = (user.clone(), deed.clone());
        self.write(move |db| accounts::create_user(db, &user, &deed)).await
    }

    async fn user_by_login(&self, login: &str) -> Result<Option<NewUser>> {
        let login = login.to_owned();
        self.read(move |db| accounts::user_by_login(db, &login)).await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>> {
        self.read_here(move |db| accounts::user(db, id)).await
    }

    async fn create_api_key(&self, key: &NewApiKey, deed: &Deed) -> Result<()> {
        let (key, deed) = (key.clone(), deed.clone());
        self.write(move |db| accounts::create_api_key(db, &key, &deed)).await
    }

    async fn api_keys(&self, user: UserId) -> Result<Vec<ApiKey>> {
        self.read(move |db| accounts::api_keys(db, user)).await
    }

    async fn revoke_api_key(&self, user: UserId, key: ApiKeyId, deed: &Deed) -> Result<bool> {
        let deed = deed.clone();
        self.write(move |db| accounts::revoke_api_key(db, user, key, &deed)).await
    }

    async fn user_by_token(&self, token_hash: [u8; 32], now: Timestamp) -> Result<Option<User>> {
        let found = self.read_here(move |db| accounts::user_by_token(db, token_hash, now)).await?;
        let Some((user, is_due)) = found else { return Ok(None) };
        if is_due {
            self.record_use(token_hash, now);
        }
        Ok(Some(user))
    }

    // Organizations.

    async fn create_organization(
        &self,
        organization: &Organization,
        owner: UserId,
        deed: &Deed,
    ) -> Result<()> {
        let (organization, deed) = (organization.clone(), deed.clone());
        self.write(move |db| organizations::create(db, &organization, owner, &deed)).await
    }

    async fn organization(
        &self,
        name: &str,
        viewer: UserId,
    ) -> Result<Option<(Organization, Role)>> {
        let name = name.to_owned();
        self.read_here(move |db| organizations::organization(db, &name, viewer)).await
    }

    async fn organizations_of(&self, user: UserId) -> Result<Vec<Organization>> {
        self.read(move |db| organizations::organizations_of(db, user)).await
    }

    async fn organization_name_taken(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        self.read(move |db| organizations::is_name_taken(db, &name)).await
    }

    async fn delete_organization(&self, id: OrganizationId, deed: &Deed) -> Result<bool> {
        let deed = deed.clone();
        self.wipe(move |db| organizations::delete(db, id, &deed)).await
    }

    async fn members(&self, organization: OrganizationId) -> Result<Vec<Member>> {
        self.read(move |db| organizations::members(db, organization)).await
    }

    async fn add_member(
        &self,
        organization: OrganizationId,
        user: UserId,
        role: Role,
        deed: &Deed,
    ) -> Result<()> {
        let deed = deed.clone();
        self.write(move |db| organizations::add_member(db, organization, user, role, &deed)).await
    }

    async fn remove_member(
        &self,
        organization: OrganizationId,
        user: UserId,
        deed: &Deed,
    ) -> Result<bool> {
        let deed = deed.clone();
        self.write(move |db| organizations::remove_member(db, organization, user, &deed)).await
    }

    // Users: what they change of themselves, and logins.

    async fn update_user(&self, user: &User, deed: &Deed) -> Result<bool> {
        let (user, deed) = (user.clone(), deed.clone());
        self.write(move |db| accounts::update_user(db, &user, &deed)).await
    }

    async fn set_password(
        &self,
        user: UserId,
        password_hash: &str,
        keep: Option<[u8; 32]>,
        deed: &Deed,
    ) -> Result<bool> {
        let (hash, deed) = (password_hash.to_owned(), deed.clone());
        self.write(move |db| accounts::set_password(db, user, &hash, keep, &deed)).await
    }

    async fn create_login(&self, login: &Login, deed: &Deed) -> Result<()> {
        let (login, deed) = (login.clone(), deed.clone());
        self.write(move |db| logins::create(db, &login, &deed)).await
    }

    async fn user_by_login_token(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<User>> {
        self.read_here(move |db| logins::user(db, token_hash, now)).await
    }

    async fn end_login(&self, token_hash: [u8; 32], deed: &Deed) -> Result<bool> {
        let deed = deed.clone();
        self.write(move |db| logins::end(db, token_hash, &deed)).await
    }

    async fn create_device_code(&self, code: &DeviceCode) -> Result<()> {
        let code = code.clone();
        self.write(move |db| devices::create(db, &code)).await
    }

    async fn device_code(
        &self,
        device_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<DeviceCode>> {
        self.read(move |db| devices::code(db, device_hash, now)).await
    }

    async fn confirm_device(&self, user_code: &str, user: UserId, deed: &Deed) -> Result<bool> {
        let (user_code, deed) = (user_code.to_owned(), deed.clone());
        self.write(move |db| devices::confirm(db, &user_code, user, &deed)).await
    }

    async fn redeem_device(
        &self,
        device_hash: [u8; 32],
        key: &NewApiKey,
        deed: &Deed,
    ) -> Result<bool> {
        let (key, deed) = (key.clone(), deed.clone());
        self.write(move |db| devices::redeem(db, device_hash, &key, &deed)).await
    }

    // The audit log.

    async fn audit(
        &self,
        organization: OrganizationId,
        page: &PageRequest,
    ) -> Result<Page<AuditRecord>> {
        let page = page.clone();
        self.read(move |db| audit::of_organization(db, organization, &page)).await
    }
}
