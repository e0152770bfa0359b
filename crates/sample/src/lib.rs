//! A small read-only S3 server with a data set of its own: what the quickstart imports from.
//!
//! It speaks path-style S3 over HTTP/1.1, checks the version 4 signature of every request, keeps
//! keys byte for byte and serves from memory. Time is handed in. The pieces (signature, listing,
//! range, XML, routing) are public, so that other servers of this wire protocol can be built from
//! the same ones.

mod bucket;
mod demo;
mod error;
pub mod hex;
pub mod listing;
pub mod range;
mod respond;
pub mod route;
mod server;
pub mod signature;
pub mod xml;

pub use bucket::{Bucket, Object};
pub use demo::{DEMO_BUCKET, DEMO_PREFIX, demo_bucket};
pub use error::Error;
pub use server::Server;
pub use signature::Credentials;

/// The one region this server is in; requests must be signed for it.
pub const REGION: &str = "us-east-1";
