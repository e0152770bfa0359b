//! What a collection takes, when, and when it refuses to.

use engine::{CollectSettings, Kind};
use model::CollectOptions;

use crate::world::{AT_ONCE, DAY_MS, WITH_TRASH, World, content, forced, pattern};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_repository_goes_and_the_others_stay_byte_for_byte() {
    let world = World::new(&["gone", "kept"]).await;
    let mut kept = content(20, 3_000, 1);
    // More pieces than an entry names: an extent list.
    kept.insert("large".to_owned(), pattern(5 * (16 << 20) + 3, 9));
    world.import_of("gone", &content(20, 50_000, 2)).await;
    world.import_of("kept", &kept).await;
    let before = world.files();
    world.delete("gone").await;
    for _ in 0..2 {
        world.collect(AT_ONCE).await;
    }
    let folders: std::collections::BTreeSet<_> =
        world.files().iter().filter_map(|file| file.parent().map(ToOwned::to_owned)).collect();
    assert_eq!(folders.len(), 1, "only files of one repository are left of {before:?}");
    world.assert_content("kept", &kept, None).await;
    world.assert_clean().await;
    let report = world.collect(AT_ONCE).await;
    let idle = (report.condemned, report.trashed, report.compacted, report.unlinked);
    assert_eq!(idle, (0, 0, 0, 0), "everything that could be done is done");
    assert!(report.segments > 0 && report.live_bytes > 5 * (16 << 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grace_and_trash_take_their_time() {
    let world = World::new(&["gone", "kept"]).await;
    world.import_of("gone", &content(5, 3_000, 1)).await;
    let doomed = world.files();
    world.import_of("kept", &content(5, 3_000, 2)).await;
    world.delete("gone").await;
    let day = std::time::Duration::from_millis(DAY_MS as u64);
    let settings = CollectSettings { grace: day, trash: day, ..AT_ONCE };
    let first = world.collect(settings).await;
    assert!(first.condemned > 0 && first.trashed == 0, "{first:?}");
    world.clock.advance_ms(DAY_MS - 1_000);
    let second = world.collect(settings).await;
    assert_eq!((second.condemned, second.trashed), (first.condemned, 0));
    world.clock.advance_ms(1_000);
    let third = world.collect(settings).await;
    assert_eq!((third.condemned, third.trashed), (0, first.condemned));
    assert!(third.trashed_bytes > 0 && doomed.iter().all(|file| file.exists()));
    world.clock.advance_ms(DAY_MS - 1_000);
    world.collect(settings).await;
    assert!(doomed.iter().all(|file| file.exists()), "not yet");
    world.clock.advance_ms(1_000);
    let last = world.collect(settings).await;
    assert_eq!(last.unlinked, third.trashed);
    assert!(doomed.iter().all(|file| !file.exists()));
    world.assert_content("kept", &content(5, 3_000, 2), None).await;
    world.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_commits_free_their_bytes_and_undo_brings_them_back() {
    let world = World::new(&["data"]).await;
    let (old, new) = (content(10, 100_000, 1), content(10, 100_000, 2));
    let first = world.import_of("data", &old).await;
    world.import_of("data", &new).await;
    world.collect(WITH_TRASH).await;
    world.assert_content("data", &old, Some(first)).await;

    world.retain("data", Some(1)).await;
    world.clock.advance_ms(2 * DAY_MS);
    let report = world.collect(WITH_TRASH).await;
    assert!(report.live_bytes < 1_100_000, "{report:?}");
    world.assert_content("data", &new, None).await;
    world.assert_clean().await;
    let stale = world.read("data", "k000", Some(first)).await.expect_err("it is stale");
    assert_eq!(stale.kind, Kind::Gone);

    // Somebody wants them back while they are in the trash.
    world.retain("data", None).await;
    world.read("data", "k000", Some(first)).await.expect_err("its bytes are in the trash");
    let undo = CollectOptions { undo: true, ..CollectOptions::default() };
    let undone = world.engine.collect(&undo, &WITH_TRASH).await.expect("undone");
    assert!(undone.restored > 0);
    world.assert_content("data", &old, Some(first)).await;
    world.assert_content("data", &new, None).await;

    world.retain("data", Some(1)).await;
    for _ in 0..2 {
        world.collect(AT_ONCE).await;
    }
    assert!(world.disk_bytes() < 1_100_000, "{}", world.disk_bytes());
    world.assert_content("data", &new, None).await;
    world.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_longer_retention_does_not_bring_back_what_was_collected() {
    let world = World::new(&["data"]).await;
    let first = world.import_of("data", &content(900, 300, 1)).await;
    let new = content(900, 300, 2);
    world.import_of("data", &new).await;
    world.retain("data", Some(1)).await;
    world.clock.advance_ms(2 * DAY_MS);
    world.collect(AT_ONCE).await;
    world.retain("data", None).await;
    let gone = world.read("data", "k000", Some(first)).await.expect_err("it is gone");
    assert_eq!(gone.kind, Kind::Gone);
    for _ in 0..2 {
        world.collect(AT_ONCE).await;
        world.assert_content("data", &new, None).await;
    }
    world.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_is_refused_unless_it_is_forced() {
    let world = World::new(&["gone", "kept"]).await;
    world.import_of("gone", &content(5, 30_000, 1)).await;
    world.import_of("kept", &content(10, 30_000, 2)).await;
    world.delete("gone").await;
    let files = world.files();
    let plain = CollectOptions::default();
    for _ in 0..2 {
        let refused = world.engine.collect(&plain, &AT_ONCE).await.expect_err("33 % would go");
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.message.contains("20 %") && refused.message.contains("force"));
        assert_eq!(world.files(), files);
    }
    let dry = CollectOptions { dry_run: true, ..CollectOptions::default() };
    let told = world.engine.collect(&dry, &AT_ONCE).await.expect("told");
    assert!(told.trashed > 0 && world.files() == files, "{told:?}");
    let done = world.engine.collect(&forced(), &AT_ONCE).await.expect("forced");
    assert_eq!((done.trashed, done.trashed_bytes), (told.trashed, told.trashed_bytes));
    assert_eq!((done.compacted, done.packed_bytes), (told.compacted, told.packed_bytes));
    world.engine.collect(&plain, &AT_ONCE).await.expect("little is left to go");
    world.assert_content("kept", &content(10, 30_000, 2), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_keeps_everything_and_says_whose_it_is() {
    let world = World::new(&["gone"]).await;
    world.import_of("gone", &content(5, 3_000, 1)).await;
    world.delete("gone").await;
    let hold = world.catalog.hold("a backup", 60_000).await.expect("held");
    let files = world.files();
    let refused = world.engine.collect(&forced(), &AT_ONCE).await.expect_err("it is held");
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(refused.message.contains("a backup"), "{}", refused.message);
    assert_eq!(world.files(), files);
    world.catalog.release_hold(hold).await.expect("released");
    world.collect(AT_ONCE).await;
    assert!(world.files().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_or_is_not_there_ends_it() {
    let mut world = World::new(&["data", "gone"]).await;
    let objects = content(10, 3_000, 1);
    world.import_of("data", &objects).await;
    world.import_of("gone", &objects).await;
    world.delete("gone").await;
    let files = world.files();
    // Another disk is mounted: the same folders, but not the files.
    let moved = files.iter().map(|file| (file.clone(), std::fs::read(file).expect("readable")));
    let moved: Vec<_> = moved.collect();
    for (all, part) in [(true, &moved[..]), (false, &moved[..1])] {
        part.iter().for_each(|(file, _)| std::fs::remove_file(file).expect("removed"));
        let refused = world.engine.collect(&forced(), &AT_ONCE).await.expect_err("all are missing");
        assert_eq!(refused.kind, Kind::Conflict, "all: {all}");
        assert!(refused.message.contains("missing"), "{}", refused.message);
        part.iter().for_each(|(file, bytes)| std::fs::write(file, bytes).expect("written"));
    }
    for (file, bytes) in &moved {
        std::fs::write(file, &bytes[1..]).expect("written");
    }
    let refused = world.engine.collect(&forced(), &AT_ONCE).await.expect_err("all are short");
    assert!(refused.message.contains("length"), "{}", refused.message);

    // Every page is damaged, whichever file is looked at first.
    for (file, bytes) in &moved {
        let mut damaged = bytes.clone();
        damaged[50] ^= 1;
        std::fs::write(file, damaged).expect("written");
    }
    world.reopen(std::sync::Arc::new(model::NoFailpoints)).await;
    let ended = world.engine.collect(&forced(), &AT_ONCE).await.expect_err("a page is damaged");
    assert_eq!(ended.kind, Kind::Damaged);
    assert_eq!(world.files(), files);
    moved.iter().for_each(|(file, bytes)| std::fs::write(file, bytes).expect("written"));
    world.collect(AT_ONCE).await;
    world.assert_content("data", &objects, None).await;
    world.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_times_are_refused() {
    let world = World::new(&[]).await;
    let options = CollectOptions { grace_ms: Some(-1), ..CollectOptions::default() };
    let refused = world.engine.collect(&options, &AT_ONCE).await.expect_err("negative");
    assert!(refused.kind == Kind::Invalid && refused.message.contains("grace_ms"));
    let endless = CollectOptions { trash_ms: Some(i64::MAX), ..forced() };
    world.engine.collect(&endless, &AT_ONCE).await.expect("nothing is ever old enough");
}
