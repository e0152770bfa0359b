//! The page at `/device`, on which people let a command line in. Its parts come from this server
//! alone, nothing can be put into them, and no other site can show it in a frame.
//!
//! The page knows nothing: its script reads the code from the address, as a suggestion, and asks
//! the API for the rest.

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page.
pub(crate) fn page() -> ([(HeaderName, &'static str); 2], &'static str) {
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)];
    (headers, include_str!("device_page/page.html"))
}

/// How it looks.
pub(crate) fn style() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("device_page/device.css"))
}

/// What it does.
pub(crate) fn script() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("device_page/device.js"))
}
