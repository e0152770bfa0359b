//! The store in memory, for tests and simulations: the same promises as on disk, but for
//! durability.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::name::OPEN;
use crate::{Error, Name, Result, Sink, Store, StoredFile};

/// Segments in memory. Clones share the files.
#[derive(Clone, Default)]
pub struct Memory {
    /// Finished files; and, without content, the `.open` names of those being written.
    files: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `bytes` in the place of a finished file, or makes one: how a test damages or copies a
    /// file.
    pub fn replace(&self, file: &str, bytes: Bytes) -> Result<()> {
        let _: Name = file.parse()?;
        self.files().insert(file.to_owned(), bytes);
        Ok(())
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, file: &str) -> Result<Bytes> {
        let _: Name = file.parse()?;
        let found = self.files().get(file).cloned();
        found.ok_or_else(|| Error::Missing { file: file.to_owned() })
    }
}

#[async_trait]
impl Store for Memory {
    async fn create(&self, file: &str) -> Result<Box<dyn Sink>> {
        let _: Name = file.parse()?;
        let open = format!("{file}{OPEN}");
        let mut files = self.files();
        if files.contains_key(file) || files.contains_key(&open) {
            return Err(Error::io(file, io::ErrorKind::AlreadyExists.into()));
        }
        files.insert(open, Bytes::new());
        let (memory, file) = (self.clone(), file.to_owned());
        Ok(Box::new(MemorySink { memory, file, content: Vec::new() }))
    }

    async fn read(&self, file: &str, range: Range<u64>) -> Result<Bytes> {
        let bytes = self.get(file)?;
        if range.start > range.end || range.end > bytes.len() as u64 {
            return Err(Error::damaged(file, format!("it ends before byte {}", range.end)));
        }
        Ok(bytes.slice(range.start as usize..range.end as usize))
    }

    async fn length(&self, file: &str) -> Result<u64> {
        Ok(self.get(file)?.len() as u64)
    }

    async fn list(&self) -> Result<Vec<StoredFile>> {
        let files = self.files();
        let list = files.keys().map(|file| {
            let (name, open) = Name::parse_any(file)?;
            Ok(StoredFile { file: file.clone(), name, open })
        });
        list.collect()
    }

    async fn delete(&self, file: &str) -> Result<()> {
        Name::parse_any(file)?;
        self.files().remove(file);
        Ok(())
    }
}

struct MemorySink {
    memory: Memory,
    file: String,
    content: Vec<u8>,
}

#[async_trait]
impl Sink for MemorySink {
    async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<()> {
        let start = offset as usize;
        let end = start + bytes.len();
        if self.content.len() < end {
            self.content.resize(end, 0);
        }
        self.content[start..end].copy_from_slice(&bytes);
        Ok(())
    }

    async fn finish(mut self: Box<Self>, length: u64) -> Result<()> {
        self.content.resize(length as usize, 0);
        let content = std::mem::take(&mut self.content);
        self.memory.files().insert(self.file.clone(), content.into());
        Ok(())
    }
}

impl Drop for MemorySink {
    fn drop(&mut self) {
        self.memory.files().remove(&format!("{}{OPEN}", self.file));
    }
}
