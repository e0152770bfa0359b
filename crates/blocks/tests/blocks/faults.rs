//! Writes, syncs and reads that fail, and calls that are given up halfway.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use blocks::faulty::{Call, Faulty};
use blocks::{Error, ItemKind, Local, Memory, Result, Sink, Store, StoredFile};
use bytes::Bytes;
use model::Hash;
use tokio::sync::Semaphore;

use crate::fixture::{Setup, append, noise};

const MIB: usize = 1 << 20;

fn on_disk() -> (tempfile::TempDir, Faulty, Setup) {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let faulty = Faulty::new(Arc::new(Local::open(folder.path()).expect("a store")));
    let setup = Setup::new(Arc::new(faulty.clone()));
    (folder, faulty, setup)
}

/// Appends six objects of 1 MiB and seals; the first error.
async fn write_six(setup: &Setup, writer: u64) -> Result<()> {
    let mut segment = setup.writer(writer).open().await?;
    for seed in 0..6 {
        let bytes = noise(seed, MIB);
        if let Err(error) = segment.append(ItemKind::Object, &bytes, Hash::of(&bytes)).await {
            let again = segment.append(ItemKind::Object, b"x", Hash::of(b"x")).await;
            assert!(again.is_ok() || matches!(again, Err(Error::Lost { .. })), "{again:?}");
            assert!(matches!(segment.seal().await, Err(Error::Lost { .. })));
            return Err(error);
        }
    }
    let record = segment.seal().await?;
    setup.table.insert(record);
    Ok(())
}

#[tokio::test]
async fn a_failed_write_loses_the_segment_and_nothing_else() {
    let (_folder, faulty, setup) = on_disk();
    for (nth, kind) in
        (1..=7).flat_map(|nth| [ErrorKind::StorageFull, ErrorKind::Other].map(|kind| (nth, kind)))
    {
        faulty.fail(Call::Write, nth, kind);
        let failed = write_six(&setup, 1).await.expect_err("a failed write");
        match kind {
            ErrorKind::StorageFull => assert!(matches!(failed, Error::Full { .. }), "{failed:?}"),
            _ => assert!(matches!(failed, Error::Io { .. }), "{failed:?}"),
        }
        assert_eq!(setup.store.list().await.expect("a list"), [], "write {nth}");
    }
    write_six(&setup, 1).await.expect("nothing fails any more");
}

#[tokio::test]
async fn a_failed_sync_is_final() {
    let (_folder, faulty, setup) = on_disk();
    faulty.fail(Call::Finish, 1, ErrorKind::Other);
    assert!(matches!(write_six(&setup, 1).await, Err(Error::Lost { .. })));
    assert_eq!(setup.store.list().await.expect("a list"), []);
    faulty.fail(Call::Finish, 1, ErrorKind::StorageFull);
    assert!(matches!(write_six(&setup, 1).await, Err(Error::Full { .. })));
    assert_eq!(setup.store.list().await.expect("a list"), []);
    faulty.fail(Call::Create, 1, ErrorKind::PermissionDenied);
    assert!(matches!(write_six(&setup, 1).await, Err(Error::Io { .. })));
    write_six(&setup, 1).await.expect("nothing fails any more");
}

#[tokio::test]
async fn a_failed_read_is_not_remembered() {
    let faulty = Faulty::new(Arc::new(Memory::new()));
    let setup = Setup::new(Arc::new(faulty.clone()));
    let mut segment = setup.open(1).await;
    let item = append(&mut segment, ItemKind::Object, noise(1, 100)).await;
    let record = setup.seal(segment).await;
    for nth in 1..=2 {
        let cold = setup.cold();
        faulty.fail(Call::Read, nth, ErrorKind::Other);
        let failed = cold.read(item.extent, None).await;
        assert!(matches!(failed, Err(Error::Io { .. })), "{failed:?}");
        assert!(cold.read(item.extent, None).await.expect("the item") == item.bytes);
    }
    for nth in 1..=3 {
        faulty.fail(Call::Read, nth, ErrorKind::Other);
        assert!(matches!(setup.blocks.verify(&record).await, Err(Error::Io { .. })));
    }
    setup.assert_sound(&record).await;
}

/// A store whose writes wait for a permit, and which notes the memory they come from.
struct Gated {
    inner: Memory,
    gate: Arc<Semaphore>,
    buffers: Buffers,
}

struct GatedSink {
    inner: Box<dyn Sink>,
    gate: Arc<Semaphore>,
    buffers: Buffers,
}

type Buffers = Arc<Mutex<Vec<(usize, usize)>>>;

#[async_trait]
impl Store for Gated {
    async fn create(&self, file: &str) -> Result<Box<dyn Sink>> {
        let inner = self.inner.create(file).await?;
        Ok(Box::new(GatedSink { inner, gate: self.gate.clone(), buffers: self.buffers.clone() }))
    }
    async fn read(&self, file: &str, range: std::ops::Range<u64>) -> Result<Bytes> {
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

#[async_trait]
impl Sink for GatedSink {
    async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<()> {
        self.gate.acquire().await.expect("never closed").forget();
        let buffer = (bytes.as_ptr().addr(), bytes.len());
        self.buffers.lock().expect("no test panics with it").push(buffer);
        self.inner.write_at(offset, bytes).await
    }
    async fn finish(self: Box<Self>, length: u64) -> Result<()> {
        self.inner.finish(length).await
    }
}

fn gated(gate: &Arc<Semaphore>, buffers: &Buffers) -> Setup {
    let (gate, buffers) = (Arc::clone(gate), Arc::clone(buffers));
    Setup::new(Arc::new(Gated { inner: Memory::new(), gate, buffers }))
}

#[tokio::test]
async fn two_aligned_buffers_carry_a_segment() {
    let buffers = Buffers::default();
    let setup = gated(&Arc::new(Semaphore::new(100)), &buffers);
    let mut segment = setup.open(1).await;
    for seed in 0..40 {
        let size = 300_000 + 7 * seed as usize;
        append(&mut segment, ItemKind::Object, noise(seed, size)).await;
        segment.begin(ItemKind::Object).expect("no item is open");
        segment.write(&noise(seed, 2 * size)).await.expect("room for bytes");
        segment.abort().expect("an open item");
    }
    setup.seal(segment).await;
    let mut buffers = buffers.lock().expect("no test panics with it").clone();
    buffers.pop();
    assert!(buffers.len() >= 20 && buffers.iter().all(|(at, size)| at % 4096 == 0 && *size == MIB));
    buffers.sort_unstable();
    buffers.dedup();
    assert!(buffers.len() <= 2, "{buffers:?}");
}

#[tokio::test(start_paused = true)]
async fn an_append_given_up_halfway_can_be_aborted() {
    let gate = Arc::new(Semaphore::new(0));
    let setup = gated(&gate, &Buffers::default());
    let mut segment = setup.open(1).await;
    let first = append(&mut segment, ItemKind::Object, noise(1, MIB / 2)).await;
    let bytes = noise(2, 4 * MIB);
    let append_more = segment.append(ItemKind::Object, &bytes, Hash::of(&bytes));
    let given_up = tokio::time::timeout(Duration::from_secs(1), append_more).await;
    assert!(given_up.is_err(), "one buffer is being written, the other is full");
    assert!(segment.len() <= 2 * MIB as u64, "no third buffer");
    gate.add_permits(100);
    segment.abort().expect("the item given up is still open");
    let second = append(&mut segment, ItemKind::Object, noise(3, 3 * MIB)).await;
    let record = setup.seal(segment).await;
    setup.assert_sound(&record).await;
    setup.assert_items(&[first, second]).await;
}
