//! The audit log of an organization.

use axum::Json as Answer;
use axum::extract::State;

use crate::Shared;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::{Path, Query};
use crate::pagination::{PageQuery, Paged};
use crate::wire::AuditRecord;

/// List who changed what in an organization, newest first. For its owners.
#[utoipa::path(
    get, path = "/organizations/{organization}/audit", operation_id = "listAudit",
    tag = "organizations", params(PageQuery),
    extensions(("x-tilde-extension" = json!(true))),
    responses(
        (status = 200, body = Paged<AuditRecord>), (status = 400), (status = 403), (status = 404),
    ),
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    Caller(principal): Caller,
    Path(organization): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Paged<AuditRecord>>> {
    let page = query.request()?;
    let amount = page.amount;
    let records = app.engine.audit(&principal, &organization, page).await?;
    Ok(Answer(Paged::new(records, amount, AuditRecord::from)))
}
