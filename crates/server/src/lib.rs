//! How the engine is spoken to over HTTP: routes, wire types, the OpenAPI document, and the
//! listener.
//!
//! A handler decodes, calls the engine and encodes; nothing is decided here. Every error of
//! every kind reaches the client as `{message, code, request_id}`. No request is redirected but a
//! read that asks for a link. Only signing in and out with a browser sets cookies.

mod absent;
mod auth;
mod bodies;
mod client_address;
mod conditions;
mod connection;
mod console;
mod cookies;
mod download;
mod error;
mod extract;
mod framing;
mod metrics;
mod middleware;
mod openapi;
mod pagination;
mod range;
mod reading;
mod router;
mod routes;
mod serve;
mod watch;
mod wire;

use std::sync::Arc;

use engine::Engine;
use model::{Cidr, Entropy};

pub use metrics::metrics_router;
pub use openapi::document;
pub use router::router;
pub use serve::{Limits, serve};
pub use watch::Watches;

/// As it goes from one handler to the next, several times in every request.
type Shared = Arc<App>;

/// What the handlers work with.
pub struct App {
    /// The use cases.
    pub engine: Engine,
    /// Where users reach this server: scheme, host, optional port, no final `/`.
    pub public_url: Arc<str>,
    /// The streams of events that are open.
    pub watches: Watches,
    /// Where proxies are whose word on a client's address is taken.
    pub trusted_proxies: Arc<[Cidr]>,
    /// Makes request ids.
    pub entropy: Arc<dyn Entropy>,
    /// Version of the server, e.g. `0.1.0`.
    pub version: &'static str,
}
