//! Google Cloud Storage in the process of a test, with its token endpoint, which can be told to go
//! wrong.
//!
//! The JSON API of one bucket: listing, the description of an object, its bytes. Objects have
//! generations, requests need a token, a token needs an assertion signed by the one key there is.
//! Without rules it behaves as Google's does.
//!
//! ```no_run
//! # async fn example() {
//! use testkit::gcs::{FakeGcs, Fault, Op, Rule};
//! let server = FakeGcs::start([("a", "bytes")]).await;
//! server.rule(Rule::on(Op::Media, Fault::Delete).nth(0));
//! // Let a client read from `server.endpoint()`; it does not find the object it has listed.
//! assert_eq!(server.stats().count(Op::Media), 1);
//! # }
//! ```

mod exchange;
mod rule;
mod state;
mod token;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

pub use rule::{Fault, Op, Rule};
pub use state::{Object, Seen, Stats};
pub use token::{CLIENT_EMAIL, credentials, credentials_json};

use state::State;

/// The bucket of a server.
pub const BUCKET: &str = "source-bucket";

/// How a server behaves when it is not at fault.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most keys in a page.
    pub page_keys: usize,
    /// How long a token is good for.
    pub token_life_s: u64,
    /// How far the server's clock is ahead, in seconds.
    pub clock_ahead_s: i64,
    /// Whether requests need a token.
    pub checks_tokens: bool,
    /// Whether requests must name a project to bill, ...
    pub requester_pays: bool,
    /// ... and whether the account may name one.
    pub may_bill: bool,
    /// Whether `ifGenerationMatch` is honoured; some emulators ignore it.
    pub honours_preconditions: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_keys: 1_000,
            token_life_s: 3_600,
            clock_ahead_s: 0,
            checks_tokens: true,
            requester_pays: false,
            may_bill: true,
            honours_preconditions: true,
        }
    }
}

/// A running server. Dropping it closes the listener and every connection.
pub struct FakeGcs {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What connections share.
#[derive(Default)]
struct Shared {
    settings: Mutex<Settings>,
    rules: Mutex<Vec<Rule>>,
    state: Mutex<State>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the lock")
    }

    fn settings(&self) -> Settings {
        self.settings.lock().expect("a change of settings does not panic").clone()
    }
}

impl FakeGcs {
    /// A well-behaved server of `objects` on a free port of 127.0.0.1.
    pub async fn start<K: AsRef<str>, B: Into<Bytes>>(
        objects: impl IntoIterator<Item = (K, B)>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        for (key, bytes) in objects {
            shared.state().put(key.as_ref(), Object::new(bytes));
        }
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self { addr, shared, accepting }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`, of the storage and of `/token`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Adds a rule. Every rule counts each request of its operation; of those that apply to a
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

    /// Adds or replaces an object; it is a new generation.
    pub fn put(&self, key: &str, object: Object) {
        self.shared.state().put(key, object);
    }

    /// Removes an object, if there.
    pub fn remove(&self, key: &str) {
        self.shared.state().objects.remove(key);
    }

    /// Makes all tokens that were given out worthless.
    pub fn revoke_tokens(&self) {
        self.shared.state().tokens.clear();
    }

    /// What was seen until now.
    pub fn stats(&self) -> Stats {
        self.shared.state().stats.clone()
    }
}

impl Drop for FakeGcs {
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
        shared.state().stats.connections += 1;
        connections.spawn(exchange::serve(stream, shared.clone()));
    }
}

#[cfg(test)]
#[path = "gcs/tests.rs"]
mod tests;
