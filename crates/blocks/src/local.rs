//! The store on a local disk: `ROOT/segments/<repository>/<name>`.
//!
//! A file is written under its `.open` name, synced, renamed, and its folder synced, in this order;
//! the folder of a repository is synced into its parent before the first file in it. A failed sync
//! is final: the file is removed and never synced again, because the system may have dropped the
//! pages it could not write. All calls to the file system run on tokio's blocking pool, except for
//! reads of what is in the page cache, which wait for nothing.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::RepositoryId;
use quick_cache::sync::Cache;

use crate::name::{FOLDER, OPEN};
use crate::store::WRITE_ALIGN;
use crate::{Error, Name, Result, Sink, Store, StoredFile};

/// Open files kept for reading.
const HANDLES_MAX: usize = 256;
/// Repositories whose folder is known to be durable.
const FOLDERS_MAX: usize = 4_096;
/// Writes of at least this many bytes go past the page cache: copying into it costs more than
/// receiving and hashing the bytes, and an import does not read what it wrote. What is smaller,
/// such as the pages of a small commit, is likely to be read soon and stays cached.
const DIRECT_BYTES_MIN: usize = 1 << 20;

/// Most bytes copied from the page cache on the caller's thread: some 50 us, in which it serves
/// nobody else. Waking another thread, and being woken, takes as long.
const IN_PLACE_BYTES_MAX: usize = 512 << 10;

/// Segments in a folder of the local file system.
pub struct Local {
    disk: Arc<Disk>,
}

struct Disk {
    root: PathBuf,
    handles: Cache<String, Arc<File>>,
    /// Folders that this process has synced into their parent. One that is merely there may have
    /// been made by a process that died before it could.
    folders: Cache<RepositoryId, ()>,
}

impl Local {
    /// Opens the store below `root`, which is made if it is not there. Blocks on the file system.
    pub fn open(root: &Path) -> Result<Self> {
        let make = || {
            fs::create_dir_all(root.join(FOLDER))?;
            sync_folder(root)?;
            match root.parent().filter(|parent| parent.is_dir()).map_or(Ok(()), sync_folder) {
                // Where we may not even look, somebody else made our folder, before this start.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
                synced => synced,
            }
        };
        make().map_err(|source| Error::io(FOLDER, source))?;
        let (handles, folders) = (Cache::new(HANDLES_MAX), Cache::new(FOLDERS_MAX));
        Ok(Self { disk: Arc::new(Disk { root: root.to_owned(), handles, folders }) })
    }

    /// Runs `work` on `file` on the blocking pool.
    async fn run<T: Send + 'static>(
        &self,
        file: &str,
        work: impl FnOnce(&Disk, &str) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (disk, owned) = (Arc::clone(&self.disk), file.to_owned());
        blocking(file, move || work(&disk, &owned)).await
    }
}

async fn blocking<T: Send + 'static>(
    file: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(failure) if failure.is_panic() => resume_unwind(failure.into_panic()),
        Err(stopped) => Err(Error::io(file, io::Error::other(stopped))),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Opens a file past the page cache, if its file system can do that.
fn open_direct(path: &Path) -> Option<File> {
    #[cfg(target_os = "linux")]
    let flags = libc::O_DIRECT;
    // Elsewhere the flag does not exist, and this is a second handle like the first.
    #[cfg(not(target_os = "linux"))]
    let flags = 0;
    OpenOptions::new().write(true).custom_flags(flags).open(path).ok()
}

/// Reads what is in the page cache, as far as that reaches; `None` where the system cannot tell.
fn read_cached(file: &File, bytes: &mut [u8], offset: u64) -> Option<usize> {
    #[cfg(target_os = "linux")]
    {
        use rustix::io::{ReadWriteFlags, preadv2};
        preadv2(file, &mut [io::IoSliceMut::new(bytes)], offset, ReadWriteFlags::NOWAIT).ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, bytes, offset);
        None
    }
}

/// Whether a write may go past the page cache: large, and aligned in file and memory.
fn fits_direct(offset: u64, bytes: &[u8]) -> bool {
    let aligned = |number: usize| number.is_multiple_of(WRITE_ALIGN);
    bytes.len() >= DIRECT_BYTES_MIN
        && aligned(bytes.len())
        && aligned(bytes.as_ptr().addr())
        && offset.is_multiple_of(WRITE_ALIGN as u64)
}

#[async_trait]
impl Store for Local {
    async fn create(&self, file: &str) -> Result<Box<dyn Sink>> {
        let name: Name = file.parse()?;
        self.run(file, move |disk, file| disk.create(&name, file)).await
    }

    async fn read(&self, file: &str, range: Range<u64>) -> Result<Bytes> {
        let _: Name = file.parse()?;
        if let Some(bytes) = self.disk.read_in_place(file, &range) {
            return Ok(bytes);
        }
        self.run(file, |disk, file| disk.read(file, range)).await
    }

    async fn length(&self, file: &str) -> Result<u64> {
        let _: Name = file.parse()?;
        self.run(file, |disk, file| {
            // Whoever asks wants to know what is on disk now: a handle may still hold a file since
            // replaced.
            disk.handles.remove(file);
            let found = fs::metadata(disk.root.join(file));
            Ok(found.map_err(|source| Error::io(file, source))?.len())
        })
        .await
    }

    async fn list(&self) -> Result<Vec<StoredFile>> {
        self.run(FOLDER, |disk, folder| disk.list().map_err(|source| Error::io(folder, source)))
            .await
    }

    async fn delete(&self, file: &str) -> Result<()> {
        let (name, _) = Name::parse_any(file)?;
        self.run(file, move |disk, file| {
            disk.delete(&name, file).map_err(|source| Error::io(file, source))
        })
        .await
    }
}

impl Disk {
    fn folder(&self, repository: RepositoryId) -> PathBuf {
        self.root.join(FOLDER).join(repository.to_string())
    }

    fn create(&self, name: &Name, file: &str) -> Result<Box<dyn Sink>> {
        let at = |source| Error::io(file, source);
        self.prepare_folder(name.repository).map_err(at)?;
        let open = self.root.join(format!("{file}{OPEN}"));
        let private = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&open);
        let handle = private.map_err(at)?;
        let path = self.root.join(file);
        let sink = LocalSink {
            file: file.to_owned(),
            path,
            handle: Arc::new(handle),
            direct: open_direct(&open).map(Arc::new),
            unfinished: Some(open),
        };
        // Checked while we hold the `.open` name, the only way to the final one: nobody can take it
        // after this.
        match sink.path.try_exists().map_err(at)? {
            true => Err(at(io::ErrorKind::AlreadyExists.into())),
            false => Ok(Box::new(sink)),
        }
    }

    fn prepare_folder(&self, repository: RepositoryId) -> io::Result<()> {
        match fs::create_dir(self.folder(repository)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) if self.folders.get(&repository).is_some() => return Ok(()),
            _ => sync_folder(&self.root.join(FOLDER))?,
        }
        self.folders.insert(repository, ());
        Ok(())
    }

    /// The bytes, if the file is open and all of them are at hand.
    fn read_in_place(&self, file: &str, range: &Range<u64>) -> Option<Bytes> {
        let length = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
        let handle = self.handles.get(file).filter(|_| length <= IN_PLACE_BYTES_MAX)?;
        let mut bytes = vec![0; length];
        let read = read_cached(&handle, &mut bytes, range.start)?;
        (read == length).then(|| bytes.into())
    }

    fn read(&self, file: &str, range: Range<u64>) -> Result<Bytes> {
        let open = || File::open(self.root.join(file)).map(Arc::new);
        let handle = self.handles.get_or_insert_with(file, open);
        let handle = handle.map_err(|source| Error::io(file, source))?;
        let length = range.end.saturating_sub(range.start);
        let length = usize::try_from(length).map_err(|_| Error::Misuse { what: "range" })?;
        let mut bytes = vec![0; length];
        match handle.read_exact_at(&mut bytes, range.start) {
            Ok(()) => Ok(bytes.into()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Error::damaged(file, format!("it ends before byte {}", range.end)))
            }
            Err(error) => Err(Error::io(file, error)),
        }
    }

    fn list(&self) -> io::Result<Vec<StoredFile>> {
        let mut files = Vec::new();
        for folder in fs::read_dir(self.root.join(FOLDER))? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for entry in fs::read_dir(folder.path())? {
                let (folder, entry) = (folder.file_name(), entry?.file_name());
                let (Some(folder), Some(entry)) = (folder.to_str(), entry.to_str()) else {
                    continue;
                };
                let file = format!("{FOLDER}/{folder}/{entry}");
                if let Ok((name, open)) = Name::parse_any(&file) {
                    files.push(StoredFile { file, name, open });
                }
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    fn delete(&self, name: &Name, file: &str) -> io::Result<()> {
        let gone = |result: io::Result<()>| match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        gone(fs::remove_file(self.root.join(file)))?;
        self.handles.remove(file);
        // Also when the file was gone already: whoever removed it may have died before the sync.
        gone(sync_folder(&self.folder(name.repository)))
    }
}

struct LocalSink {
    file: String,
    path: PathBuf,
    handle: Arc<File>,
    /// The same file past the page cache, where the file system can do that.
    direct: Option<Arc<File>>,
    /// What to remove when this is dropped: the file under its present name, until it is durable.
    unfinished: Option<PathBuf>,
}

#[async_trait]
impl Sink for LocalSink {
    async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<()> {
        let direct = self.direct.clone().filter(|_| fits_direct(offset, &bytes));
        let handle = Arc::clone(&self.handle);
        let write = move || match direct.map(|direct| direct.write_all_at(&bytes, offset)) {
            // The file system wants more than our alignment; nothing is wrong with the file.
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidInput => {
                handle.write_all_at(&bytes, offset)
            }
            Some(written) => written,
            None => handle.write_all_at(&bytes, offset),
        };
        let file = self.file.clone();
        blocking(&self.file, move || write().map_err(|source| Error::io(&file, source))).await
    }

    async fn finish(mut self: Box<Self>, length: u64) -> Result<()> {
        let file = self.file.clone();
        blocking(&file, move || self.complete(length)).await
    }
}

impl LocalSink {
    fn complete(&mut self, length: u64) -> Result<()> {
        let lost = |source| Error::lost(&self.file, source);
        self.handle.set_len(length).map_err(lost)?;
        self.handle.sync_data().map_err(lost)?;
        let open = self.unfinished.take().unwrap_or_default();
        let renamed = fs::rename(&open, &self.path);
        self.unfinished = Some(if renamed.is_ok() { self.path.clone() } else { open });
        renamed.map_err(lost)?;
        self.path.parent().map_or(Ok(()), sync_folder).map_err(lost)?;
        self.unfinished = None;
        Ok(())
    }
}

impl Drop for LocalSink {
    fn drop(&mut self) {
        let Some(path) = self.unfinished.take() else { return };
        if let Err(error) = fs::remove_file(&path) {
            // Harmless: it is swept as a leftover later.
            tracing::warn!(file = self.file, %error, "an unfinished segment could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const FILE: &str = "segments/00000000-0000-4000-8000-000000000001/0000000000000001-00000000";

    /// A store with one file of these bytes, which the page cache holds.
    fn holding(bytes: &[u8]) -> (tempfile::TempDir, Local) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Local::open(folder.path()).expect("a store");
        let path = folder.path().join(FILE);
        fs::create_dir(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
        (folder, store)
    }

    /// Whether the file system can tell what is in the page cache at all.
    fn can_tell(store: &Local) -> bool {
        let file = File::open(store.disk.root.join(FILE)).expect("the file");
        read_cached(&file, &mut [0], 0) == Some(1)
    }

    #[tokio::test]
    async fn what_is_cached_is_read_without_waiting() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let (_folder, store) = holding(&bytes);
        if !can_tell(&store) {
            return;
        }
        let first = store.read(FILE, 5..99_000).await.expect("opens it");
        assert_eq!(first, bytes[5..99_000]);
        let mut again = pin!(store.read(FILE, 7..99_999));
        let Poll::Ready(read) = again.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("it waited for another thread");
        };
        assert_eq!(read.expect("bytes"), bytes[7..99_999]);
    }

    #[tokio::test]
    async fn what_cannot_be_read_in_place_is_read_all_the_same() {
        let bytes = vec![7; IN_PLACE_BYTES_MAX + 2];
        let (_folder, store) = holding(&bytes);
        let most = IN_PLACE_BYTES_MAX as u64;
        for (range, in_place) in [(0..most, true), (0..most + 1, false), (most..most + 3, false)] {
            store.read(FILE, 0..1).await.expect("opens it");
            let found = store.disk.read_in_place(FILE, &range);
            assert_eq!(found.is_some(), in_place && can_tell(&store), "{range:?}");
            let read = store.read(FILE, range.clone()).await;
            match bytes.get(range.start as usize..range.end as usize) {
                Some(wanted) => assert_eq!(read.expect("bytes"), wanted),
                None => assert!(matches!(read, Err(Error::Damaged { .. })), "{range:?}"),
            }
        }
    }
}
