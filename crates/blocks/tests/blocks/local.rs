//! What only the store on disk does.

use std::fs;
use std::sync::Arc;

use blocks::{Error, ItemKind, Local};

use crate::fixture::{REPOSITORY, Setup, append, noise};

#[tokio::test]
async fn a_segment_is_one_file_that_a_new_process_reads() {
    let setup = Setup::local();
    let mut segment = setup.open(0xab).await;
    let item = append(&mut segment, ItemKind::Object, noise(1, 3 << 20)).await;
    let record = setup.seal(segment).await;
    let path = setup.root().join("segments").join(REPOSITORY).join("00000000000000ab-00000000");
    let bytes = fs::read(&path).expect("the file");
    assert_eq!(bytes.len() as u64, record.length);
    assert_eq!(&bytes[44..44 + item.bytes.len()], &item.bytes[..]);

    let again = Setup::new(Arc::new(Local::open(&setup.root()).expect("a store")));
    again.table.insert(record.clone());
    again.assert_sound(&record).await;
    again.assert_items(&[item]).await;
}

#[tokio::test]
async fn a_dead_writers_file_is_a_leftover_and_foreign_files_are_left_alone() {
    let setup = Setup::local();
    let folder = setup.root().join("segments").join(REPOSITORY);
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("0000000000000001-00000000.open"), "partial").expect("a file");
    fs::write(folder.join(".DS_Store"), "foreign").expect("a file");
    fs::write(setup.root().join("segments/foreign"), "foreign").expect("a file");
    fs::create_dir(setup.root().join("segments/lost+found")).expect("a folder");
    let listed = setup.store.list().await.expect("a list");
    assert_eq!(listed.len(), 1);
    assert!(listed[0].open && listed[0].name.id.writer.0 == 1);
    assert!(setup.writer(1).open().await.is_err(), "the name is taken while the leftover is there");
    setup.store.delete(&listed[0].file).await.expect("a deleted file");
    assert_eq!(setup.store.list().await.expect("a list"), []);
    assert!(folder.join(".DS_Store").exists());
    setup.open(1).await;
}

#[tokio::test]
async fn verify_looks_at_the_disk_and_not_at_an_open_handle() {
    let setup = Setup::local();
    let mut segment = setup.open(1).await;
    let item = append(&mut segment, ItemKind::Object, noise(1, 1_000)).await;
    let record = setup.seal(segment).await;
    setup.assert_items(std::slice::from_ref(&item)).await;
    let path = setup.root().join(&record.file);
    let mut bytes = fs::read(&path).expect("the file");
    bytes[100] ^= 1;
    fs::remove_file(&path).expect("the file");
    fs::write(&path, bytes).expect("the file");
    let damages = setup.blocks.verify(&record).await.expect("a check");
    assert_eq!(damages.len(), 1);
    assert_eq!(damages[0].items, [(item.extent, item.kind)]);
    assert!(matches!(setup.blocks.read(item.extent, None).await, Err(Error::Damaged { .. })));
}

#[tokio::test]
async fn a_store_that_cannot_be_made_is_an_error() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    assert!(Local::open(&file).is_err());
    Local::open(&folder.path().join("a/b/c")).expect("folders are made");
}
