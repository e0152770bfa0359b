//! Objects by presigned links.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::Shared;
use crate::error::Result;
use crate::extract::Path;
use crate::reading::Reading;

/// Read the object that a link of `presign=true` stands for. The link itself is the credential.
#[utoipa::path(
    get, path = "/downloads/{token}", operation_id = "getDownload", tag = "objects", security(),
    extensions(("x-tilde-extension" = json!(true))),
    responses(
        (status = 200, description = "The object, in its own type", content_type = "*/*"),
        (status = 206, description = "The range, likewise", content_type = "*/*"),
        (status = 304, description = "The client has it"),
        (status = 403), (status = 404), (status = 410), (status = 412), (status = 416),
    ),
)]
pub(crate) async fn get(
    State(app): State<Shared>,
    Path(token): Path<String>,
    request: HeaderMap,
) -> Result<Response> {
    Reading::from(app.engine.presigned(&token).await?).get(&app, &request).await
}

/// Tell about the object that a link of `presign=true` stands for.
#[utoipa::path(
    head, path = "/downloads/{token}", operation_id = "headDownload", tag = "objects", security(),
    extensions(("x-tilde-extension" = json!(true))),
    responses(
        (status = 200, description = "The headers of the object"),
        (status = 304, description = "The client has it"),
        (status = 403), (status = 404), (status = 410), (status = 412),
    ),
)]
pub(crate) async fn head(
    State(app): State<Shared>,
    Path(token): Path<String>,
    request: HeaderMap,
) -> Result<Response> {
    Reading::from(app.engine.presigned(&token).await?).head(&app, &request).await
}
