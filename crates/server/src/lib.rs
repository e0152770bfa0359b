//! How the engine is spoken to over HTTP: routes, wire types, the OpenAPI document, and the
//! listener.
//!
//! A handler decodes, calls the engine and encodes; nothing is decided here. Every error of
//! every kind reaches the client as `{message, code, request_id}`. No request is redirected, no
//! cookie is ever set.

mod absent;
mod auth;
mod connection;
mod download;
mod error;
mod extract;
mod framing;
mod metrics;
mod middleware;
mod openapi;
mod page;
mod pagination;
mod range;
mod router;
mod routes;
mod serve;
mod watch;
mod wire;

use std::sync::Arc;

use engine::Engine;
use model::Entropy;

pub use metrics::metrics_router;
pub use openapi::document;
pub use router::router;
pub use serve::{Limits, serve};
pub use watch::Watches;

/// What the handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The use cases.
    pub engine: Engine,
    /// Where users reach this server: scheme, host, optional port, no final `/`.
    pub public_url: Arc<str>,
    /// The streams of events that are open.
    pub watches: Watches,
    /// Makes request ids.
    pub entropy: Arc<dyn Entropy>,
    /// Version of the server, e.g. `0.1.0`.
    pub version: &'static str,
}
