//! The route table.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use bytes::Bytes;
use http::Uri;
use http::header::CONTENT_TYPE;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Error;
use crate::routes::{
    account, audit, commits, connectors, devices, downloads, health, imports, keys, logins,
    multipart, objects, organizations, repositories, sessions, staging, uploads,
};
use crate::{App, Shared, absent, bodies, console, middleware, openapi};

/// Everything the main listener serves.
pub fn router(app: App) -> Router {
    let app = Arc::new(app);
    let (api, _) = api().split_for_parts();
    let document = Bytes::from(openapi::document());
    let document = get(move || async move { ([(CONTENT_TYPE, "application/json")], document) });
    api.route("/api/v1/openapi.json", document)
        .route("/", get(console::front))
        .route("/device", get(console::front))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .fallback(console::elsewhere)
        .method_not_allowed_fallback(async |uri: Uri| {
            Error::MethodNotAllowed(absent::reason(uri.path()))
        })
        .layer(from_fn(bodies::limit))
        .layer(from_fn_with_state(app.clone(), middleware::observe))
        .with_state(app)
}

/// The API with its description.
pub(crate) fn api() -> OpenApiRouter<Shared> {
    let routes = OpenApiRouter::default()
        .routes(routes!(logins::sign_up))
        .routes(routes!(logins::log_in))
        .routes(routes!(logins::log_out))
        .routes(routes!(account::get, account::update))
        .routes(routes!(account::change_password))
        .routes(routes!(devices::code))
        .routes(routes!(devices::token))
        .routes(routes!(devices::confirm))
        .routes(routes!(keys::create, keys::list))
        .routes(routes!(keys::revoke))
        .routes(routes!(organizations::create, organizations::list))
        .routes(routes!(organizations::check_name))
        .routes(routes!(organizations::get, organizations::delete))
        .routes(routes!(organizations::members, organizations::add_member))
        .routes(routes!(organizations::remove_member))
        .routes(routes!(audit::list))
        .routes(routes!(repositories::list_all))
        .routes(routes!(repositories::create, repositories::list))
        .routes(routes!(repositories::get, repositories::update, repositories::delete))
        .routes(routes!(connectors::create, connectors::list))
        .routes(routes!(connectors::test_config))
        .routes(routes!(connectors::get, connectors::update, connectors::delete))
        .routes(routes!(connectors::test))
        .routes(routes!(connectors::attach, connectors::list_attached))
        .routes(routes!(connectors::detach))
        .routes(routes!(imports::start, imports::list))
        .routes(routes!(imports::get))
        .routes(routes!(imports::events))
        .routes(routes!(imports::changes))
        .routes(routes!(imports::cancel))
        .routes(routes!(imports::retry))
        .routes(routes!(sessions::create))
        .routes(routes!(sessions::commit, sessions::roll_back))
        .routes(routes!(sessions::changes))
        .routes(routes!(objects::get, objects::head, uploads::put, staging::delete))
        .routes(routes!(uploads::finalize))
        .routes(routes!(uploads::receive))
        .routes(routes!(multipart::begin, multipart::abort))
        .routes(routes!(multipart::part))
        .routes(routes!(multipart::complete))
        .routes(routes!(staging::copy))
        .routes(routes!(staging::delete_many))
        .routes(routes!(downloads::get, downloads::head))
        .routes(routes!(objects::list))
        .routes(routes!(commits::log))
        .routes(routes!(commits::get))
        .routes(routes!(commits::revert))
        .routes(routes!(commits::diff));
    OpenApiRouter::with_openapi(openapi::base()).nest("/api/v1", routes)
}
