//! The folder of a backup: laid out as a data directory, but for the lock, so that a copy of it can
//! be served as it is. What is no backup of this very store is refused before anything is written.
//!
//! `backup.lock` says that it is a backup. A server that is started on it removes that mark: what
//! it writes would be lost, and take the names of files that the original writes too, if backups
//! went on into the same folder.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use blocks::{Local, Store};
use catalog::Catalog;
use catalog::sqlite::Sqlite;
use engine::BackupTarget;

use crate::data_dir::{DataDir, lock_file, make_private_folder, sync_folder, write_private};

/// What may lie in a folder into which no backup has got as far as the format.
const OWN_NAMES: [&str; 3] = ["backup.lock", "format.new", "lost+found"];
/// What SQLite keeps beside a database, after the database's name.
const BESIDE_DATABASE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The folder of a backup, which this process alone writes to.
pub(super) struct Folder {
    data: DataDir,
    store: Arc<Local>,
    copy: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be. Refuses one that is neither empty nor a backup of the store
    /// named `store`, and one within `source`.
    pub(super) fn open(root: &Path, source: &DataDir, store: &str) -> Result<Self> {
        let data = DataDir::at(root);
        let shown = data.root().display();
        refuse_within(data.root(), source.root())?;
        match DirBuilder::new().mode(0o700).create(data.root()) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => refuse_other(&data, store)?,
            made => made.with_context(|| format!("cannot make the folder {shown}"))?,
        }
        std::fs::set_permissions(data.root(), Permissions::from_mode(0o700))
            .with_context(|| format!("cannot make the folder {shown} private"))?;
        let lock = lock_file(&data.backup_lock_file())?;
        let lock = lock.with_context(|| format!("another backup is being written to {shown}"))?;
        // Once more: a server that was started on it meanwhile has its own lock by now.
        refuse_served(&data)?;
        data.pair(store)?;
        let store = Local::open(data.root())
            .with_context(|| format!("cannot open the segments in {shown}"))?;
        let copy = data.root().join("tilde.db.new");
        remove_database(&copy)
            .with_context(|| format!("cannot remove what is left of a backup in {shown}"))?;
        Ok(Self { data, store: Arc::new(store), copy, _lock: lock })
    }

    /// The folder.
    pub(super) fn root(&self) -> &Path {
        self.data.root()
    }

    /// Whether the key of the data directory lies in it.
    pub(super) fn has_key(&self) -> bool {
        self.data.own_key_file().exists()
    }

    /// Copies the key that the data directory has made for itself.
    pub(super) fn keep_key(&self, source: &DataDir) -> Result<()> {
        let from = source.own_key_file();
        let text = std::fs::read_to_string(&from).with_context(|| {
            format!(
                "cannot read {}; keys in auth.encryption.keys are kept where they are configured",
                from.display()
            )
        })?;
        let to = self.data.own_key_file();
        let new = to.with_extension("new");
        make_private_folder(&self.data.root().join("keys"))?;
        let _leftover = std::fs::remove_file(&new);
        write_private(&new, &text)?;
        std::fs::rename(&new, &to).with_context(|| format!("cannot write {}", to.display()))?;
        to.parent().map_or(Ok(()), sync_folder)
    }
}

impl BackupTarget for Folder {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn copy_path(&self) -> &Path {
        &self.copy
    }

    fn open_copy(&self) -> catalog::Result<Arc<dyn Catalog>> {
        Ok(Arc::new(Sqlite::open_read_only(&self.copy)?))
    }

    fn open_former(&self) -> catalog::Result<Option<Arc<dyn Catalog>>> {
        match self.data.catalog_file().exists() {
            true => Ok(Some(Arc::new(Sqlite::open_read_only(&self.data.catalog_file())?))),
            false => Ok(None),
        }
    }

    fn publish(&self) -> io::Result<()> {
        let path = self.data.catalog_file();
        // They are empty, and would be taken for those of the new database.
        remove_beside(&path)?;
        std::fs::rename(&self.copy, &path)?;
        File::open(self.data.root())?.sync_all()
    }
}

/// Neither is a backup of use that lies in what it is to save, nor may it change what it reads.
fn refuse_within(root: &Path, source: &Path) -> Result<()> {
    let shown = root.display();
    let resolved = match root.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let (Some(parent), Some(name)) = (root.parent(), root.file_name()) else {
                bail!("{shown} is no folder for a backup; give the path of a new folder");
            };
            parent.canonicalize().map(|parent| parent.join(name))
        }
        resolved => resolved,
    };
    let resolved = resolved.with_context(|| format!("cannot make the folder {shown}"))?;
    let source = source
        .canonicalize()
        .with_context(|| format!("cannot find the data directory {}", source.display()))?;
    if resolved.starts_with(&source) {
        bail!(
            "{shown} lies in the data directory; give a folder elsewhere, best on another disk or \
             machine"
        );
    }
    Ok(())
}

/// A folder that is there must be empty, or hold a backup of the same store.
fn refuse_other(data: &DataDir, store: &str) -> Result<()> {
    let shown = data.root().display();
    match data.store()? {
        Some(found) if found != store => {
            bail!("{shown} belongs to another store ({found}); give an empty or a new folder")
        }
        Some(_) => refuse_served(data),
        None => refuse_foreign(data),
    }
}

fn refuse_served(data: &DataDir) -> Result<()> {
    let log = data.root().join("tilde.db-wal");
    let is_written = std::fs::metadata(log).is_ok_and(|log| log.len() > 0);
    if is_written || data.lock_file().exists() || !data.backup_lock_file().exists() {
        bail!(
            "{} is a data directory of its own: a server has run on it, or it was copied from one; \
             give an empty or a new folder",
            data.root().display()
        );
    }
    Ok(())
}

fn refuse_foreign(data: &DataDir) -> Result<()> {
    let shown = data.root().display();
    let entries = std::fs::read_dir(data.root()).with_context(|| format!("cannot read {shown}"))?;
    for entry in entries {
        let name = entry.with_context(|| format!("cannot read {shown}"))?.file_name();
        if !OWN_NAMES.iter().any(|own| name == *own) {
            bail!(
                "{shown} is not empty and no backup (it holds {}); give an empty or a new folder",
                name.display()
            );
        }
    }
    Ok(())
}

fn remove_database(path: &Path) -> io::Result<()> {
    remove_if_there(path)?;
    remove_beside(path)
}

fn remove_beside(path: &Path) -> io::Result<()> {
    BESIDE_DATABASE.iter().try_for_each(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        remove_if_there(Path::new(&name))
    })
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
