//! The data directory: what lies in it, who may use it, and which version of the program
//! understands it.
//!
//! ```text
//! DATA/format              version of this layout, and the id of the store
//! DATA/lock                held by the one server that runs on it
//! DATA/tilde.db            the catalog (SQLite, with -wal and -shm beside it)
//! DATA/segments/           the bytes of objects and pages
//! DATA/keys/encryption.key the key that seals connector credentials, if none is configured
//! DATA/admin.key           the first API key of the user admin
//! DATA/backup.lock         says that this is a backup: held by a backup that writes to it
//! ```
//!
//! The folder is readable by its owner only, and so is every secret in it. A backup that is served
//! becomes a data directory like any other, and is no backup any more.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Entropy;

use crate::config::decode_key;

/// The version of the layout that this program writes.
const FORMAT_VERSION: u32 = 1;
/// Everything that may lie in a data directory whose first start was cut short.
const OWN_NAMES: [&str; 10] = [
    "format.new",
    "lock",
    "lost+found",
    "quickstart",
    "tilde.db",
    "tilde.db-wal",
    "tilde.db-shm",
    "segments",
    "keys",
    "test-failpoints",
];

/// A data directory; holds nothing open.
#[derive(Clone)]
pub(crate) struct DataDir {
    root: PathBuf,
}

/// The exclusive use of a data directory, for as long as it lives.
pub(crate) struct Lock {
    _file: File,
}

/// What `DATA/format` says.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Format {
    version: u32,
    store: String,
}

impl DataDir {
    /// The data directory at `root`, whether it exists or not.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: std::path::absolute(root).unwrap_or_else(|_| root.to_owned()) }
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The catalog's database.
    pub(crate) fn catalog_file(&self) -> PathBuf {
        self.root.join("tilde.db")
    }

    /// The catalog's database, which its owner alone can read; an empty one if there is none. The
    /// database gives the files beside it the same mode.
    pub(crate) fn make_catalog_file(&self) -> Result<PathBuf> {
        let path = self.catalog_file();
        let made = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        made.with_context(|| format!("cannot open the catalog {}", path.display()))?;
        Ok(path)
    }

    /// The first API key of the user admin.
    pub(crate) fn admin_key_file(&self) -> PathBuf {
        self.root.join("admin.key")
    }

    /// Whether the failpoints of a test may be armed here.
    pub(crate) fn may_arm_failpoints(&self) -> bool {
        self.root.join("test-failpoints").exists()
    }

    /// Makes the folder if need be, takes the lock, and refuses what is no data directory or of a
    /// newer version.
    pub(crate) fn open(&self) -> Result<Lock> {
        let shown = self.root.display();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.root)
            .with_context(|| format!("cannot make the data directory {shown}"))?;
        let format = self.format()?;
        if format.is_none() {
            self.refuse_foreign()?;
            std::fs::set_permissions(&self.root, Permissions::from_mode(0o700))
                .with_context(|| format!("cannot make the data directory {shown} private"))?;
        }
        let lock = self.lock()?;
        if format.is_some() {
            self.refuse_lost_catalog()?;
        }
        Ok(lock)
    }

    /// The lock of a directory that a server has used; `None` while one uses it.
    pub(crate) fn open_unless_served(&self) -> Result<Option<Lock>> {
        self.open_beside()?;
        self.try_lock()
    }

    /// For commands that work beside a running server: the directory must have been used by one.
    pub(crate) fn open_beside(&self) -> Result<()> {
        match self.format()? {
            Some(_) => self.refuse_lost_catalog(),
            None => bail!(
                "{} is not a data directory that a server has used; give the right one with \
                 --data-dir, or start `tilde serve` first",
                self.root.display()
            ),
        }
    }

    /// Ties the directory to the store its catalog names: on the first start records it, later
    /// insists on it.
    pub(crate) fn pair(&self, store: &str) -> Result<()> {
        let shown = self.root.display();
        match self.format()? {
            None => self.write_format(&Format { version: FORMAT_VERSION, store: store.to_owned() }),
            Some(format) if format.store == store => Ok(()),
            Some(format) => bail!(
                "the catalog {} belongs to the store {store}, but {shown} to the store {}; put \
                 back the catalog that belongs here, or give another data directory",
                self.catalog_file().display(),
                format.store
            ),
        }
    }

    /// The id of the store that the directory belongs to, if it belongs to one yet.
    pub(crate) fn store(&self) -> Result<Option<String>> {
        Ok(self.format()?.map(|format| format.store))
    }

    /// The key made for this directory, if there is one.
    pub(crate) fn own_key(&self) -> Result<Option<[u8; 32]>> {
        let path = self.own_key_file();
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let shown = path.display();
                decode_key(&text).map(Some).map_err(|why| anyhow!("{shown} holds no key: {why}"))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Makes a key for this directory.
    pub(crate) fn make_own_key(&self, entropy: &dyn Entropy) -> Result<[u8; 32]> {
        let mut key = [0; 32];
        entropy.fill(&mut key);
        make_private_folder(&self.root.join("keys"))?;
        write_private(&self.own_key_file(), &format!("{}\n", STANDARD.encode(key)))?;
        Ok(key)
    }

    /// Where [`DataDir::own_key`] lies.
    pub(crate) fn own_key_file(&self) -> PathBuf {
        self.root.join("keys").join("encryption.key")
    }

    fn lock(&self) -> Result<Lock> {
        self.try_lock()?.with_context(|| {
            format!(
                "another server uses the data directory {} (it holds {}); stop it, or give this \
                 one another directory with --data-dir",
                self.root.display(),
                self.lock_file().display()
            )
        })
    }

    /// `None` if somebody else holds it.
    fn try_lock(&self) -> Result<Option<Lock>> {
        let _no_backup_begins = self.end_being_a_backup()?;
        let lock = lock_file(&self.lock_file())?.map(|file| Lock { _file: file });
        if lock.is_some() {
            let _is_none = std::fs::remove_file(self.backup_lock_file());
        }
        Ok(lock)
    }

    /// Refuses while a backup writes to this directory; holds the next one off.
    fn end_being_a_backup(&self) -> Result<Option<File>> {
        let path = self.backup_lock_file();
        if !path.exists() {
            return Ok(None);
        }
        let shown = self.root.display();
        let held = lock_file(&path)?;
        held.map(Some).with_context(|| {
            format!("a backup is being written to {shown}; wait until it has ended, or use a copy")
        })
    }

    /// Held by the server; there once one has run.
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Held by a backup that writes to the directory; there if it is one.
    pub(crate) fn backup_lock_file(&self) -> PathBuf {
        self.root.join("backup.lock")
    }

    /// `None` if there is no format file.
    fn format(&self) -> Result<Option<Format>> {
        let path = self.root.join("format");
        let shown = path.display();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
        };
        let format = Format::parse(&text).with_context(|| format!("{shown} is damaged"))?;
        if format.version > FORMAT_VERSION {
            bail!(
                "{} has format {}, which a newer version of tilde made; this one knows up to \
                 format {FORMAT_VERSION}",
                self.root.display(),
                format.version
            );
        }
        // Format 1 is the first. An older one than the present would be brought forward here.
        Ok(Some(format))
    }

    fn write_format(&self, format: &Format) -> Result<()> {
        let new = self.root.join("format.new");
        let _leftover = std::fs::remove_file(&new);
        write_private(&new, &format!("tilde {}\nstore {}\n", format.version, format.store))?;
        let path = self.root.join("format");
        std::fs::rename(&new, &path).with_context(|| format!("cannot write {}", path.display()))?;
        sync_folder(&self.root)
    }

    /// A new catalog must not take the place of a lost one.
    fn refuse_lost_catalog(&self) -> Result<()> {
        let path = self.catalog_file();
        if !path.exists() {
            bail!("the catalog {} is missing; put it back", path.display());
        }
        Ok(())
    }

    /// A folder without a format file must be empty, or hold only what an interrupted first start
    /// leaves.
    fn refuse_foreign(&self) -> Result<()> {
        let shown = self.root.display();
        let entries =
            std::fs::read_dir(&self.root).with_context(|| format!("cannot read {shown}"))?;
        for entry in entries {
            let name = entry.with_context(|| format!("cannot read {shown}"))?.file_name();
            if !OWN_NAMES.iter().any(|own| name == *own) {
                bail!(
                    "{shown} is not empty and not a data directory (it holds {}); give an empty or \
                     a new folder with --data-dir",
                    name.display()
                );
            }
        }
        Ok(())
    }
}

impl Format {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let version = lines.next()?.strip_prefix("tilde ")?.parse().ok().filter(|n| *n > 0)?;
        // A newer version may say more, and differently.
        let store = lines.next().and_then(|line| line.strip_prefix("store ")).unwrap_or_default();
        let known = version > FORMAT_VERSION || !store.is_empty();
        known.then(|| Self { version, store: store.to_owned() })
    }
}

/// The file, made if need be and locked; `None` if somebody else has it locked.
pub(crate) fn lock_file(path: &Path) -> Result<Option<File>> {
    let shown = path.display();
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let file = file.with_context(|| format!("cannot open {shown}"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {shown}"))
        }
    }
}

/// Writes a new file that only its owner can read, durably.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes a folder that only its owner can read.
pub(crate) fn make_private_folder(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make {}", path.display()))
}

/// Makes durable what was made, renamed or removed in a folder.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("cannot make {} durable", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemEntropy;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("it exists").permissions().mode() & 0o777
    }

    fn message<T>(result: Result<T>) -> String {
        result.err().map(|error| format!("{error:#}")).expect("refused")
    }

    #[test]
    fn everything_is_private_and_the_lock_is_exclusive() {
        let temp = tempfile::tempdir().expect("a folder");
        let data = DataDir::at(&temp.path().join("a/data"));
        let lock = data.open().expect("opens");
        data.pair("one").expect("first pairing");
        let key = data.make_own_key(&SystemEntropy).expect("a key");
        assert_eq!(data.own_key().expect("reads"), Some(key));
        assert_eq!(mode(data.root()), 0o700);
        assert_eq!(mode(&data.own_key_file()), 0o600);
        assert!(message(data.open()).contains("another server uses the data directory"));
        assert!(message(data.open_beside()).contains("tilde.db is missing"));
        drop(lock);
        assert!(message(data.open()).contains("tilde.db is missing"));
        std::fs::write(data.catalog_file(), "").expect("written");
        data.open_beside().expect("works beside a server");
        data.open().expect("free again");
    }

    #[test]
    fn a_catalog_of_another_store_is_refused() {
        let temp = tempfile::tempdir().expect("a folder");
        let data = DataDir::at(temp.path());
        let _lock = data.open().expect("opens");
        data.pair("one").expect("first pairing");
        data.pair("one").expect("same again");
        assert!(message(data.pair("two")).contains("belongs to the store two"));
    }

    #[test]
    fn foreign_newer_and_damaged_folders_are_refused() {
        let temp = tempfile::tempdir().expect("a folder");
        let data = DataDir::at(temp.path());
        assert!(message(data.open_beside()).contains("is not a data directory"));
        std::fs::write(temp.path().join("thesis.tex"), "").expect("written");
        assert!(message(data.open()).contains("it holds thesis.tex"));
        std::fs::remove_file(temp.path().join("thesis.tex")).expect("removed");
        std::fs::write(temp.path().join("tilde.db"), "").expect("written");
        drop(data.open().expect("an interrupted first start goes on"));
        for (text, why) in [
            ("tilde 2\nwhatever", "which a newer version of tilde made"),
            ("tilde 1\n", "is damaged"),
            ("tilde 0\nstore a\n", "is damaged"),
            ("", "is damaged"),
        ] {
            std::fs::write(temp.path().join("format"), text).expect("written");
            assert!(message(data.open()).contains(why), "{text}");
            assert!(message(data.open_beside()).contains(why), "{text}");
        }
    }
}
