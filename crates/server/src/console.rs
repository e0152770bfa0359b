//! The web console: files that are built into this program, for browsers. What they do they do
//! through the API, like any other client.
//!
//! Every address that a person can have in a browser is the same page, whose script reads the
//! address. A request of something else than a browser is told where it is, or that there is
//! nothing. The pages come from here alone, run nothing that is not a file of their own, and cannot
//! be framed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, HeaderName, HeaderValue, VARY,
};
use http::{HeaderMap, Method, StatusCode, Uri};
use include_dir::{Dir, include_dir};
use model::Hash;

use crate::error::{Error, Result};
use crate::{Shared, absent, conditions};

static DIST: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../console/dist");
/// The files by their paths in a URL.
static FILES: LazyLock<BTreeMap<String, File>> = LazyLock::new(|| {
    let mut files = BTreeMap::new();
    gather(&DIST, &mut files);
    files
});
/// The page.
const INDEX: &str = "/index.html";
/// Here each file has a name of its own content, so it never changes.
const ASSETS: &str = "/assets/";
/// First parts of a path below which there are no pages for people.
const NO_PAGES: [&str; 5] = ["api", "assets", "livez", "metrics", "readyz"];
/// Bytes from which compressing pays.
const GZIP_BYTES_MIN: usize = 1024;

/// What the page may load, run and reach. Pictures of objects are `blob:` URLs that its script made
/// of bytes it has looked at.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
img-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
form-action 'self'";

/// A file, as it is and compressed.
struct File {
    content_type: &'static str,
    plain: Form,
    gzip: Option<Form>,
    cache: &'static str,
}

/// The bytes of a file in one encoding.
struct Form {
    bytes: Bytes,
    etag: HeaderValue,
}

/// The page at `/`, or for a program a few words about this server.
pub(crate) async fn front(State(app): State<Shared>, request: HeaderMap) -> Response {
    if reads_pages(&request) {
        return index(&request);
    }
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (VARY, "accept")];
    (headers, words(app.version, &app.public_url)).into_response()
}

/// What no route answers: a file of the console, a page of it, or nothing.
pub(crate) async fn elsewhere(method: Method, uri: Uri, request: HeaderMap) -> Result<Response> {
    let path = uri.path();
    let nothing = Error::NoRoute(absent::reason(path));
    if method != Method::GET && method != Method::HEAD {
        return Err(nothing);
    }
    if let Some(file) = FILES.get(path) {
        return Ok(file.answer(&request));
    }
    let first = path.split('/').nth(1).unwrap_or_default();
    if NO_PAGES.contains(&first) || !reads_pages(&request) {
        return Err(nothing);
    }
    Ok(index(&request))
}

fn index(request: &HeaderMap) -> Response {
    FILES.get(INDEX).expect("console/dist has the page").answer(request)
}

/// Whether it is a browser that is to show the answer. Scripts, styles and programs ask for `*/*`.
fn reads_pages(request: &HeaderMap) -> bool {
    lists(request, &ACCEPT, "text/html")
}

/// Whether a list of preferences names `wanted`, and not as the last resort of all.
fn lists(request: &HeaderMap, header: &HeaderName, wanted: &str) -> bool {
    let values = request.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_it = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        is_it && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

fn words(version: &str, public_url: &str) -> String {
    format!(
        "Tilde {version}, a self-hosted server for versioned data.

The console, in a browser:   {public_url}/
The interface:               {public_url}/api/v1/openapi.json
A first request:
  curl -H \"Authorization: Bearer $TILDE_API_KEY\" {public_url}/api/v1/auth/me

The first start writes the key of the user admin to the file admin.key in the data directory.
On the server's machine `tilde admin key create --user admin` makes another one.
"
    )
}

fn gather(folder: &'static Dir, files: &mut BTreeMap<String, File>) {
    for file in folder.files() {
        // Paths in a URL have this separator wherever the program was built.
        let path = format!("/{}", file.path().display()).replace('\\', "/");
        let made = File::new(&path, file.contents());
        files.insert(path, made);
    }
    folder.dirs().for_each(|folder| gather(folder, files));
}

impl File {
    fn new(path: &str, bytes: &'static [u8]) -> Self {
        let hash = Hash::of(bytes);
        let etag = |suffix: &str| {
            HeaderValue::try_from(format!("\"{hash}{suffix}\"")).expect("it is ASCII")
        };
        let gzip = (bytes.len() >= GZIP_BYTES_MIN)
            .then(|| Form { bytes: compressed(bytes), etag: etag("-gzip") });
        let cache = match path.starts_with(ASSETS) {
            true => "public, max-age=31536000, immutable",
            false => "no-cache",
        };
        let plain = Form { bytes: Bytes::from_static(bytes), etag: etag("") };
        Self { content_type: content_type(path), plain, gzip, cache }
    }

    fn answer(&self, request: &HeaderMap) -> Response {
        let gzip = self.gzip.as_ref().filter(|_| lists(request, &ACCEPT_ENCODING, "gzip"));
        let form = gzip.unwrap_or(&self.plain);
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        for (name, value) in [
            (CACHE_CONTROL, self.cache),
            (CONTENT_SECURITY_POLICY, POLICY),
            (VARY, "accept, accept-encoding"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
            (
                HeaderName::from_static("permissions-policy"),
                "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            ),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(ETAG, form.etag.clone());
        if conditions::is_known(request, &form.etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if gzip.is_some() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        *response.body_mut() = Body::from(form.bytes.clone());
        response
    }
}

fn compressed(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes it");
    Bytes::from(encoder.finish().expect("memory takes it"))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().cloned();
        pairs.map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_what_shows_pages_gets_one() {
        let reads = |accept| reads_pages(&request(&[(ACCEPT, accept)]));
        for browser in [
            "text/html",
            "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
            "*/*, TEXT/HTML ;q=0.1",
        ] {
            assert!(reads(browser), "{browser}");
        }
        for program in ["*/*", "", "application/json", "text/html;q=0", "text/html2", "text/*"] {
            assert!(!reads(program), "{program}");
        }
        assert!(!reads_pages(&HeaderMap::new()));
    }

    #[test]
    fn every_file_has_a_type_and_a_cache() {
        assert!(FILES.len() > 10);
        for (path, file) in FILES.iter() {
            assert_ne!(file.content_type, "application/octet-stream", "{path}");
            assert_eq!(file.cache == "no-cache", !path.starts_with(ASSETS), "{path}");
        }
    }
}
