//! An S3 server in the process of a test, which can be told to go wrong in every way that clients
//! of S3 must survive.
//!
//! It speaks raw HTTP/1.1 over TCP, because some faults are broken HTTP. Path style, keys byte for
//! byte, signatures checked. Without rules it behaves as S3 does.
//!
//! ```no_run
//! # async fn example() {
//! use testkit::s3::{Fault, HostileS3, Objects, Op, Rule};
//! let server = HostileS3::start(Objects::from([("a", "bytes")])).await;
//! server.rule(Rule::on(Op::Get, Fault::ResetAfter(2)).key("a").nth(0));
//! // Let a client read from `server.endpoint()`; it has to ask twice.
//! assert_eq!(server.stats().targets(Op::Get), ["/source-bucket/a"; 2]);
//! # }
//! ```

mod checksum;
mod exchange;
mod faults;
mod list_faults;
mod objects;
pub(crate) mod reply;
mod rule;
mod stats;
mod versions;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sample::{Credentials, Object};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

pub use objects::{Content, Generated, ObjectSet, Objects, Stored, Version};
pub use rule::{Checksum, Fault, Gate, Op, Rule};
pub use stats::{Seen, Stats};

/// The bucket of a server, unless set otherwise.
pub const BUCKET: &str = "source-bucket";
/// The access key id of a server, unless set otherwise.
pub const ACCESS_KEY_ID: &str = "AKIATESTKITEXAMPLE00";
/// The secret access key of a server, unless set otherwise.
pub const SECRET_ACCESS_KEY: &str = "testkit/secret+access/key/EXAMPLE0000000";

/// How a server behaves when it is not at fault.
#[derive(Clone)]
pub struct Settings {
    /// The only bucket.
    pub bucket: String,
    /// The only key pair.
    pub credentials: Credentials,
    /// If given, every request must carry this `x-amz-security-token`.
    pub session_token: Option<String>,
    /// The region requests must be signed for.
    pub region: String,
    /// Whether signatures are checked.
    pub checks_signatures: bool,
    /// How far the server's clock is ahead, in seconds.
    pub clock_ahead_s: i64,
    /// The most keys in a page.
    pub page_keys: usize,
    /// What ETags look like.
    pub etags: Etags,
    /// Sent with whole objects when asked with `x-amz-checksum-mode: ENABLED`.
    pub checksums: Vec<Checksum>,
    /// Whether a wrong `If-Match` is refused; some servers ignore it.
    pub honours_if_match: bool,
    /// The pause before each answer to a GET of an object.
    pub latency: Duration,
    /// The pause before each page of a listing.
    pub list_latency: Duration,
    /// Whether listings come in an order of their own, the same each time, as some servers' do.
    pub shuffled: bool,
    /// Whether requests are kept in `Stats`, beside being counted; not for millions of objects.
    pub records: bool,
}

/// What the ETag of an object in memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Etags {
    /// The MD5 of its bytes.
    Md5,
    /// The same for the same bytes, but no MD5 (as of an upload in parts).
    Opaque,
    /// The same as a weak one: it promises equal content, not equal bytes.
    Weak,
    /// The MD5 without the quotes around it.
    Unquoted,
    /// It looks like an MD5 and is another number, as where keys of KMS encrypt; a header says so.
    Kms,
    /// None at all.
    Absent,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bucket: BUCKET.into(),
            credentials: Credentials {
                access_key_id: ACCESS_KEY_ID.into(),
                secret_access_key: SECRET_ACCESS_KEY.into(),
            },
            session_token: None,
            region: sample::REGION.into(),
            checks_signatures: true,
            clock_ahead_s: 0,
            page_keys: sample::listing::PAGE_KEYS,
            etags: Etags::Md5,
            checksums: Vec::new(),
            honours_if_match: true,
            latency: Duration::ZERO,
            list_latency: Duration::ZERO,
            shuffled: false,
            records: true,
        }
    }
}

/// A running server. Dropping it closes the listener and every connection.
pub struct HostileS3 {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What connections share.
struct Shared {
    objects: Box<dyn ObjectSet>,
    settings: Mutex<Settings>,
    rules: Mutex<Vec<Rule>>,
    counter: stats::Counter,
}

impl HostileS3 {
    /// A well-behaved server of `objects` on a free port of 127.0.0.1.
    pub async fn start(objects: impl ObjectSet) -> Self {
        Self::start_with(objects, Settings::default()).await
    }

    /// A server with other settings.
    pub async fn start_with(objects: impl ObjectSet, settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            objects: Box::new(objects),
            settings: Mutex::new(settings),
            rules: Mutex::default(),
            counter: stats::Counter::default(),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self { addr, shared, accepting }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL a connector names: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Adds a rule. Every rule counts each request that matches it; of those that apply to a
    /// request, the one that was added first decides.
    pub fn rule(&self, rule: Rule) {
        self.shared.rules.lock().expect("no thread panics while it holds the lock").push(rule);
    }

    /// Behaves well again.
    pub fn clear_rules(&self) {
        self.shared.rules.lock().expect("no thread panics while it holds the lock").clear();
    }

    /// Changes the settings, from the next request on.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.shared.settings.lock().expect("a change of settings does not panic"));
    }

    /// What is served.
    pub fn objects(&self) -> &dyn ObjectSet {
        &*self.shared.objects
    }

    /// Adds or replaces an object.
    pub fn put(&self, key: &str, object: Object) {
        self.shared.objects.put(key, object);
    }

    /// Removes an object, if there.
    pub fn remove(&self, key: &str) {
        self.shared.objects.remove(key);
    }

    /// What was seen until now.
    pub fn stats(&self) -> Stats {
        self.shared.counter.locked().clone()
    }

    /// Waits until the counts are as `reached` wants them.
    pub async fn until(&self, reached: impl Fn(&Stats) -> bool) {
        while !reached(&self.shared.counter.locked()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Closes the listener and all connections, also those in the middle of an answer.
    pub async fn stop(mut self) {
        self.accepting.abort();
        let _canceled = (&mut self.accepting).await;
    }
}

impl Drop for HostileS3 {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Owns the listener and every connection: when this task ends, all are closed.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, _) = listener.accept().await.expect("a test has descriptors left");
        connections.spawn(exchange::serve(stream, shared.clone()));
    }
}

#[cfg(test)]
#[path = "s3/tests.rs"]
mod tests;
