//! A server from its start to its end, in order: each line of [`start`] relies on those before it,
//! and [`Server::stop`] undoes them.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use catalog::Catalog as _;
use catalog::sqlite::Sqlite;
use engine::{CollectWorker, Engine, Worker};
use model::Secret;
use server::{App, Limits, Watches};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::config::{BOOTSTRAP_API_KEY, BOOTSTRAP_PASSWORD, Config};
use crate::data_dir::{DataDir, Lock, write_private};
use crate::metrics;
use crate::rooms;
use crate::signals::Signals;
use crate::system::SystemEntropy;
use crate::tls;

/// How long running imports and requests in flight get when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// How often it is looked for what ends by itself.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// Exit code after a second signal: as a shell reports a program ended by Ctrl-C.
const IMPATIENT: i32 = 130;

/// A running server.
pub(crate) struct Server {
    /// Where it answers: scheme, host, port.
    pub(crate) url: String,
    /// The use cases, for what the quickstart has no API for.
    pub(crate) engine: Engine,
    /// Where the key of the first user was written, if this start made one.
    pub(crate) first_key: Option<FirstKey>,
    worker: Worker,
    collector: CollectWorker,
    /// The listeners, and what goes on beside them.
    tasks: JoinSet<()>,
    shutdown: CancellationToken,
    // The last to go: when the directory is free, nothing uses it any more.
    _lock: Lock,
}

/// The key made on the first start.
pub(crate) struct FirstKey {
    token: Secret,
    file: PathBuf,
}

/// `tilde serve`: runs until a signal, then stops in order; a second signal ends the process at
/// once.
pub(crate) async fn run(config: Config) -> Result<()> {
    let mut signals = Signals::listen()?;
    let server = tokio::select! {
        server = start(&config) => server?,
        () = signals.next() => return Ok(()),
    };
    if let Some(key) = &server.first_key {
        key.show();
    }
    println!("listening on {}", server.url);
    signals.next().await;
    tracing::info!("stopping: imports are checkpointed and go on at the next start");
    tokio::select! {
        () = server.stop() => tracing::info!("stopped"),
        () = signals.next() => std::process::exit(IMPATIENT),
    }
    Ok(())
}

/// Starts a server.
pub(crate) async fn start(config: &Config) -> Result<Server> {
    let data = DataDir::at(config.data_dir());
    let lock = data.open()?;
    let tls = tls::server_config(config)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let listener = bind(config.listen, "--listen ADDRESS:PORT").await?;
    let metrics_listener = bind_optional(config.metrics_listen).await?;
    let own = own_addresses([Some(&listener), metrics_listener.as_ref()])?;

    let catalog = Arc::new(rooms::open_catalog(&data)?);
    data.pair(&catalog.store_info().await?.id)?;
    void_leases(&catalog).await?;
    let engine = rooms::engine(config, &data, catalog, own.clone())?;
    let removed = engine.sweep().await.context("cannot remove leftover files")?;
    let first_key = bootstrap(&engine, &data).await?;
    let worker = Worker::start(engine.clone());
    let collector = CollectWorker::start(engine.clone(), config.collections());

    let url = format!("{scheme}://{}", reachable(own[0]));
    let shutdown = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(keep_house(engine.clone(), shutdown.clone()));
    if let Some(listener) = metrics_listener {
        let router = server::metrics_router(metrics::start(shutdown.clone())?);
        let limits = Limits::default();
        tasks.spawn(server::serve(listener, router, None, limits, shutdown.clone()));
    }
    let app = App {
        engine: engine.clone(),
        public_url: config.public_url.as_deref().unwrap_or(&url).into(),
        watches: Watches::new(shutdown.clone()),
        trusted_proxies: config.trusted_proxies.as_slice().into(),
        entropy: Arc::new(SystemEntropy),
        version: env!("CARGO_PKG_VERSION"),
    };
    let router = server::router(app);
    tasks.spawn(server::serve(listener, router, tls, Limits::default(), shutdown.clone()));
    warn_if_exposed(config);
    warn_of_missing_keys(&engine).await?;
    tracing::info!(%url, address = %own[0], data_dir = %data.root().display(), removed, "started");
    Ok(Server { url, engine, first_key, worker, collector, tasks, shutdown, _lock: lock })
}

impl Server {
    /// Accepts no more, checkpoints what runs and gives it back, lets requests in flight end, and
    /// closes.
    pub(crate) async fn stop(self) {
        let Self { worker, collector, mut tasks, shutdown, engine, _lock, .. } = self;
        shutdown.cancel();
        let orderly = async {
            tokio::join!(worker.stop(), collector.stop());
            while tasks.join_next().await.is_some() {}
        };
        if tokio::time::timeout(STOP_TIMEOUT, orderly).await.is_err() {
            tracing::warn!("not everything ended in time; the next start goes on from checkpoints");
        }
        drop(engine);
    }
}

impl FirstKey {
    /// On screen only where a person looks; a log keeps no key.
    fn show(&self) {
        if std::io::stdout().is_terminal() {
            println!("the API key of the user admin: {}", self.token.expose());
        }
        println!("the API key of the user admin is in {}", self.file.display());
    }
}

/// The embedded server holds its data directory alone, so no claim of an earlier process can be
/// alive.
async fn void_leases(catalog: &Sqlite) -> Result<()> {
    catalog.void_leases().await.context("cannot take over the jobs of the last run")
}

/// Removes what has ended by itself, once a minute until `shutdown`.
async fn keep_house(engine: Engine, shutdown: CancellationToken) {
    let mut minute = tokio::time::interval(HOUSEKEEPING);
    minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = minute.tick() => {}
        }
        match engine.keep_house().await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "removed what had ended"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "cannot remove what has ended");
            }
        }
    }
}

/// Keys and data would cross the network unencrypted.
fn warn_if_exposed(config: &Config) {
    let behind_https = config.public_url.as_ref().is_some_and(|url| url.starts_with("https:"));
    let encrypts = config.tls_cert_file.is_some() || behind_https;
    if !encrypts && !config.listen.ip().is_loopback() {
        tracing::warn!(
            "others reach this server over plain HTTP; set tls.cert_file or use a proxy"
        );
    }
}

/// Else an administrator who lost a key would learn it from the first import that fails.
async fn warn_of_missing_keys(engine: &Engine) -> Result<()> {
    for (key, connectors) in engine.missing_keys().await? {
        tracing::warn!(
            key,
            connectors,
            "a key that sealed connectors is not configured: add it to auth.encryption.keys"
        );
    }
    Ok(())
}

async fn bind_optional(address: Option<SocketAddr>) -> Result<Option<TcpListener>> {
    match address {
        Some(address) => bind(address, "metrics.listen").await.map(Some),
        None => Ok(None),
    }
}

async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow!(
            "{address} is taken: another program listens there; stop it, or choose another address \
             with {setting}"
        ),
        _ => anyhow!(
            "cannot listen on {address}: {error}; choose an address of this machine with {setting}"
        ),
    })
}

/// The bound addresses, the API's first.
fn own_addresses<const N: usize>(listeners: [Option<&TcpListener>; N]) -> Result<Vec<SocketAddr>> {
    let addresses = listeners.into_iter().flatten().map(TcpListener::local_addr);
    addresses.collect::<Result<_, _>>().context("cannot read the address of a listener")
}

/// An address that a client on this machine can use: the loopback one where all are listened on.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        other => other.ip(),
    };
    SocketAddr::new(ip, address.port())
}

/// On an empty catalog makes the user admin and a key. A key that this start makes up is kept in
/// its file first: one that is in the catalog alone would be lost with the process.
async fn bootstrap(engine: &Engine, data: &DataDir) -> Result<Option<FirstKey>> {
    if !engine.awaits_bootstrap().await? {
        return Ok(None);
    }
    let secret = |name| std::env::var(name).ok().filter(|text| !text.is_empty()).map(Secret::new);
    let (given, password) = (secret(BOOTSTRAP_API_KEY), secret(BOOTSTRAP_PASSWORD));
    let key = match given {
        Some(_) => None,
        None => Some(keep_first_key(engine.new_token(), data.admin_key_file())?),
    };
    let token = given.or_else(|| key.as_ref().map(|key| key.token.clone()));
    let made = engine.bootstrap(token, password).await.with_context(|| {
        format!("cannot make the first user (see {BOOTSTRAP_API_KEY} and {BOOTSTRAP_PASSWORD})")
    });
    if let (Some(key), Err(_) | Ok(None)) = (&key, &made) {
        let _tried_again_by_the_next_start = std::fs::remove_file(&key.file);
    }
    if made?.is_none() {
        return Ok(None);
    }
    if let Some(key) = &key {
        let file = key.file.display();
        tracing::info!(%file, "made the user admin; its API key is in the file");
    }
    Ok(key)
}

fn keep_first_key(token: Secret, file: PathBuf) -> Result<FirstKey> {
    let _of_an_interrupted_start = std::fs::remove_file(&file);
    write_private(&file, &format!("{}\n", token.expose()))?;
    Ok(FirstKey { token, file })
}
