//! A store that fails where a test says, around any other store.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Error, Result, Sink, Store, StoredFile};

/// What can be made to fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// [`Store::create`].
    Create,
    /// [`Store::read`].
    Read,
    /// [`Sink::write_at`].
    Write,
    /// [`Sink::finish`].
    Finish,
}

struct Fault {
    call: Call,
    /// Calls that still succeed before this one fails.
    after: u32,
    kind: io::ErrorKind,
}

/// A store whose calls fail as planned with [`Faulty::fail`]. Clones share the plan.
#[derive(Clone)]
pub struct Faulty {
    inner: Arc<dyn Store>,
    plan: Arc<Mutex<Vec<Fault>>>,
}

impl Faulty {
    /// Wraps `inner`; nothing fails yet.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, plan: Arc::default() }
    }

    /// The `nth` such call from now on, counted from 1 over all files, fails once, with `kind`.
    pub fn fail(&self, call: Call, nth: u32, kind: io::ErrorKind) {
        let fault = Fault { call, after: nth.saturating_sub(1), kind };
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    fn reach(&self, call: Call) -> io::Result<()> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let due = plan.iter().position(|fault| fault.call == call && fault.after == 0);
        plan.iter_mut()
            .filter(|fault| fault.call == call)
            .for_each(|fault| fault.after = fault.after.saturating_sub(1));
        due.map_or(Ok(()), |index| Err(plan.remove(index).kind.into()))
    }
}

#[async_trait]
impl Store for Faulty {
    async fn create(&self, file: &str) -> Result<Box<dyn Sink>> {
        self.reach(Call::Create).map_err(|source| Error::io(file, source))?;
        let inner = self.inner.create(file).await?;
        Ok(Box::new(FaultySink { inner, faulty: self.clone(), file: file.to_owned() }))
    }

    async fn read(&self, file: &str, range: Range<u64>) -> Result<Bytes> {
        self.reach(Call::Read).map_err(|source| Error::io(file, source))?;
        self.inner.read(file, range).await
    }

    async fn length(&self, file: &str) -> Result<u64> {
        self.inner.length(file).await
    }

    async fn list(&self) -> Result<Vec<StoredFile>> {
        self.inner.list().await
    }

    async fn delete(&self, file: &str) -> Result<()> {
        self.inner.delete(file).await
    }
}

struct FaultySink {
    inner: Box<dyn Sink>,
    faulty: Faulty,
    file: String,
}

#[async_trait]
impl Sink for FaultySink {
    async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<()> {
        self.faulty.reach(Call::Write).map_err(|source| Error::io(&self.file, source))?;
        self.inner.write_at(offset, bytes).await
    }

    async fn finish(self: Box<Self>, length: u64) -> Result<()> {
        self.faulty.reach(Call::Finish).map_err(|source| Error::lost(&self.file, source))?;
        self.inner.finish(length).await
    }
}
