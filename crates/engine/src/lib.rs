//! What may be done: the use cases, and the only room where blocks, tree, catalog and sources meet.
//!
//! Every verb of a user takes who asks first and decides access itself ([`access`]), so no caller
//! can forget to; what the operator runs (bootstrap, check, collect, sweep, digest) has no
//! principal. Verbs are grouped by resource, one file each; the heart is the life of an import, in
//! [`import`].

mod access;
mod accounts;
mod audit;
mod backup;
mod check;
mod collect;
mod commits;
mod connectors;
mod devices;
mod digest;
mod error;
mod housekeeping;
mod import;
mod landing;
mod links;
mod locate;
mod locks;
mod login;
mod logins;
mod names;
mod objects;
mod organizations;
mod pieces;
mod repositories;
mod revert;
mod sessions;
mod sweep;
mod tally;
mod token;
mod uploads;

use std::sync::Arc;

use blocks::Blocks;
use catalog::Catalog;
use catalog::seal::KeyRing;
use model::{Clock, Entropy, Failpoints, RepositoryId, Timestamp};
use sources::Sources;
use tokio::sync::OwnedRwLockWriteGuard;
use tree::Tree;

use crate::locks::Locks;

pub use access::Principal;
pub use accounts::{Credential, Me, NewKey, NewUserSpec};
pub use backup::{BackupReport, BackupTarget};
pub use check::{CheckReport, Damage, Scope};
pub use collect::{CollectSettings, CollectWorker};
pub use commits::{CommitView, DiffQuery, DiffRow, LogQuery, Status};
pub use connectors::{ConnectorSpec, ConnectorUpdate};
pub use devices::{DeviceLogin, DevicePoll};
pub use digest::commit_digest;
pub use error::{Error, Kind, Result};
pub use import::{ChangeStatus, ImportRequest, PlannedChange, Settings as ImportSettings, Worker};
pub use landing::CommitSpec;
pub use links::Presigned;
pub use locate::Located;
pub use logins::{MeChange, NewLogin};
pub use objects::{At, ListedEntry, ObjectRead, ObjectsQuery, RangeRequest};
pub use organizations::{NameCheck, OrganizationSpec};
pub use repositories::{RepositoryChange, RepositorySpec, RepositoryView};
pub use sessions::{ChangesQuery, StagedRow};
pub use uploads::{Body, MultipartTicket, PartOf, PartRef, UploadSpec};

/// The parts an engine is made of; `tilde` puts them together.
pub struct Parts {
    /// The catalog.
    pub catalog: Arc<dyn Catalog>,
    /// The block store, reading through [`Located`] over the same catalog.
    pub blocks: Blocks,
    /// The cache in front of the catalog's `segments` table that `blocks` reads through.
    pub located: Arc<Located>,
    /// Opens sources.
    pub sources: Arc<Sources>,
    /// Seals and opens connector configs.
    pub keys: Arc<KeyRing>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Places to fail, for tests.
    pub failpoints: Arc<dyn Failpoints>,
    /// How imports run.
    pub imports: ImportSettings,
    /// Bytes of decoded pages to keep.
    pub page_cache_bytes: u64,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
    tree: Tree,
    doorkeeper: Arc<login::Doorkeeper>,
    devices: Arc<devices::DeviceDesk>,
    probes: Arc<tokio::sync::Semaphore>,
    work: Arc<tokio::sync::Notify>,
    commit_locks: Arc<Locks<RepositoryId>>,
    links: Arc<links::Signer>,
    uploads: Arc<uploads::Uploads>,
    /// Held by the one collection that runs.
    collecting: Arc<tokio::sync::Mutex<()>>,
    /// Shared by whoever carries addresses from one place to another within a session or a
    /// repository's history; held alone by a collection while it reads either.
    carrying: Arc<tokio::sync::RwLock<()>>,
}

impl Engine {
    /// Puts the parts together; starts nothing.
    pub fn new(parts: Parts) -> Self {
        let tree = Tree::new(parts.blocks.clone(), parts.page_cache_bytes);
        let doorkeeper = Arc::new(login::Doorkeeper::new());
        let devices = Arc::new(devices::DeviceDesk::new());
        let probes = Arc::new(tokio::sync::Semaphore::new(connectors::PROBES_MAX));
        let work = Arc::new(tokio::sync::Notify::new());
        let (commit_locks, collecting, carrying) = Default::default();
        let links = Arc::new(links::Signer::new(&parts.keys));
        let parts = Arc::new(parts);
        let uploads = Arc::new(uploads::Uploads::new(Arc::clone(&parts)));
        Self {
            parts,
            tree,
            doorkeeper,
            devices,
            probes,
            work,
            commit_locks,
            links,
            uploads,
            collecting,
            carrying,
        }
    }

    fn catalog(&self) -> &dyn Catalog {
        &*self.parts.catalog
    }

    fn entropy(&self) -> &dyn Entropy {
        &*self.parts.entropy
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Held while a commit to the repository is made that must not lose its race for the head
    /// again.
    async fn commit_lock(&self, repository: RepositoryId) -> OwnedRwLockWriteGuard<()> {
        self.commit_locks.alone(repository).await
    }

    /// Whether the catalog answers.
    pub async fn ready(&self) -> Result<()> {
        Ok(self.catalog().ping().await?)
    }
}
