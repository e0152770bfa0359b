//! Puts the rooms together: an engine for a server, or one for a command beside it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use blocks::{Blocks, Local};
use catalog::Catalog;
use catalog::seal::{KeyRing, key_id};
use catalog::sqlite::Sqlite;
use engine::{Engine, ImportSettings, Located, Parts};
use model::{Clock, Entropy, Failpoints, NoFailpoints};
use sources::{Egress, Private, Sources, Timeouts};

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::system::{ArmedFailpoints, SystemClock, SystemEntropy};

/// Sites and counts of failpoints, for tests.
const FAILPOINTS: &str = "TILDE_FAILPOINTS";
/// Cache of decoded pages of a command beside the server, in bytes.
const BESIDE_CACHE_BYTES: u64 = 16 << 20;

/// What a command beside the server does with the catalog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Reads it.
    Read,
    /// Writes to it too.
    Write,
}

/// The catalog of a server: made or migrated where needed.
pub(crate) fn open_catalog(data: &DataDir) -> Result<Sqlite> {
    let path = data.make_catalog_file()?;
    Sqlite::open(&path, &SystemEntropy)
        .with_context(|| format!("cannot open the catalog {}", path.display()))
}

/// The engine of a server that listens on `own`.
pub(crate) fn engine(
    config: &Config,
    data: &DataDir,
    catalog: Arc<dyn Catalog>,
    own: Vec<SocketAddr>,
) -> Result<Engine> {
    let sources = sources::Config {
        egress: Egress { private: config.private(), own },
        ca_files: config.ca_files.clone(),
        s3_endpoint: config.s3_endpoint.clone(),
        gcs_endpoint: config.gcs_endpoint.clone(),
        gcs_token_endpoint: config.gcs_token_endpoint.clone(),
        timeouts: Timeouts::default(),
    };
    let imports = ImportSettings {
        transfers_max: config.imports_concurrency,
        jobs_max: config.imports_jobs,
        verify: config.imports_verify,
        ..ImportSettings::default()
    };
    let (blocks, located) = open_blocks(data, &catalog)?;
    Ok(Engine::new(Parts {
        catalog,
        blocks,
        located,
        sources: Arc::new(open_sources(sources)?),
        keys: Arc::new(key_ring(config, data)?),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        failpoints: failpoints(data)?,
        imports,
        page_cache_bytes: config.cache_pages_mib << 20,
    }))
}

/// An engine for a command that works beside a server or without one. It reaches no source and
/// opens no connector config.
pub(crate) async fn engine_beside(data: &DataDir, access: Access) -> Result<Engine> {
    named_engine_beside(data, access).await.map(|(engine, _)| engine)
}

/// As [`engine_beside`], with the id of the store.
pub(crate) async fn named_engine_beside(
    data: &DataDir,
    access: Access,
) -> Result<(Engine, String)> {
    data.open_beside()?;
    let path = data.catalog_file();
    let catalog = match access {
        Access::Write => Sqlite::open(&path, &SystemEntropy),
        Access::Read => Sqlite::open_read_only(&path),
    };
    let catalog = catalog.with_context(|| format!("cannot open the catalog {}", path.display()))?;
    let store = catalog.store_info().await?.id;
    data.pair(&store)?;
    let catalog: Arc<dyn Catalog> = Arc::new(catalog);
    let (blocks, located) = open_blocks(data, &catalog)?;
    let sources = sources::Config {
        egress: Egress { private: Private::Deny, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: None,
        gcs_endpoint: None,
        gcs_token_endpoint: sources::TokenEndpoint::Google,
        timeouts: Timeouts::default(),
    };
    let mut throwaway = [0; 32];
    SystemEntropy.fill(&mut throwaway);
    let engine = Engine::new(Parts {
        catalog,
        blocks,
        located,
        sources: Arc::new(open_sources(sources)?),
        keys: Arc::new(KeyRing::new(vec![("none".to_owned(), throwaway)], entropy())?),
        clock: Arc::new(SystemClock),
        entropy: entropy(),
        failpoints: failpoints(data)?,
        imports: ImportSettings::default(),
        page_cache_bytes: BESIDE_CACHE_BYTES,
    });
    Ok((engine, store))
}

fn open_blocks(data: &DataDir, catalog: &Arc<dyn Catalog>) -> Result<(Blocks, Arc<Located>)> {
    let store = Local::open(data.root())
        .with_context(|| format!("cannot open the segments in {}", data.root().display()))?;
    let located = Arc::new(Located::new(catalog.clone()));
    Ok((Blocks::new(Arc::new(store), located.clone()), located))
}

fn open_sources(config: sources::Config) -> Result<Sources> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Sources::new(config, clock, entropy()).context("sources.ca_files")
}

fn entropy() -> Arc<dyn Entropy> {
    Arc::new(SystemEntropy)
}

/// The configured keys, and last the directory's own: what it sealed before keys were configured
/// still opens.
fn key_ring(config: &Config, data: &DataDir) -> Result<KeyRing> {
    let mut keys = config.encryption_keys.clone();
    let own = match data.own_key()? {
        None if keys.is_empty() => {
            let key = data.make_own_key(&SystemEntropy)?;
            let file = data.own_key_file();
            tracing::info!(file = %file.display(), "made a key that seals connector credentials");
            Some(key)
        }
        own => own,
    };
    keys.extend(
        own.map(|key| (key_id(&key), key)).filter(|own| !config.encryption_keys.contains(own)),
    );
    KeyRing::new(keys, entropy()).context("auth.encryption.keys")
}

/// No failpoint can be armed in a directory that a test has not marked.
fn failpoints(data: &DataDir) -> Result<Arc<dyn Failpoints>> {
    match std::env::var(FAILPOINTS) {
        Ok(text) if data.may_arm_failpoints() => {
            Ok(Arc::new(ArmedFailpoints::parse(&text).context(FAILPOINTS)?))
        }
        _ => Ok(Arc::new(NoFailpoints)),
    }
}
