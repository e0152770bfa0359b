//! The audit log: what a change is recorded as, and reading it.

use std::collections::BTreeMap;

use model::{Actor, AuditRecord, Deed, OrganizationId, Page, PageRequest};

use crate::access::Verb;
use crate::names::check_page;
use crate::{Engine, Principal, Result};

impl Engine {
    /// The deed of a principal: what the catalog records with the change itself.
    pub(crate) fn deed(
        &self,
        principal: &Principal,
        organization: Option<OrganizationId>,
        action: &'static str,
        resource: impl Into<String>,
    ) -> Deed {
        Deed {
            at: self.now(),
            organization,
            actor: Actor::User { id: principal.user.id, name: principal.user.username.clone() },
            request_id: principal.request_id.clone(),
            action,
            resource: resource.into(),
            details: BTreeMap::new(),
        }
    }

    /// The deed of a principal that concerns nobody but themselves.
    pub(crate) fn deed_on_oneself(&self, principal: &Principal, action: &'static str) -> Deed {
        self.deed(principal, None, action, format!("users/{}", principal.user.username))
    }

    /// The deed of whoever runs the server, by a command on its machine.
    pub(crate) fn operator_deed(&self, action: &'static str, resource: impl Into<String>) -> Deed {
        Deed {
            at: self.now(),
            organization: None,
            actor: Actor::Operator,
            request_id: String::new(),
            action,
            resource: resource.into(),
            details: BTreeMap::new(),
        }
    }

    /// A page of an organization's audit log, newest first. For owners.
    pub async fn audit(
        &self,
        principal: &Principal,
        organization: &str,
        page: PageRequest,
    ) -> Result<Page<AuditRecord>> {
        let found = self.organization_for(principal, organization, Verb::ListAudit).await?;
        Ok(self.catalog().audit(found.id, &check_page(page)?).await?)
    }
}
