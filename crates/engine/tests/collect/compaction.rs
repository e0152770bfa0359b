//! Compaction frees disk and files, keeps every byte and every address, and disturbs no reader.

use model::CollectOptions;

use crate::world::{AT_ONCE, Content, DAY_MS, WITH_TRASH, World, content, pattern};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tiny_segments_become_one_file() {
    let world = World::new(&["data", "other"]).await;
    let mut all = Content::new();
    let mut commits = Vec::new();
    for round in 0..6 {
        let objects: Content =
            (0..5).map(|n| (format!("r{round}/{n}"), pattern(1_000 + n, round * 9 + n))).collect();
        all.extend(objects.clone());
        commits.push((world.import_of("data", &objects).await, all.clone()));
    }
    world.import_of("other", &content(3, 500, 1)).await;
    let before = world.files().len();
    // Nothing is dead, so nothing needs to be forced.
    let plain = CollectOptions::default();
    let report = world.engine.collect(&plain, &WITH_TRASH).await.expect("collected");
    assert!(report.compacted >= 12 && report.trashed == 0, "{report:?}");
    assert!(world.files().len() > before, "until the trash is emptied the old files stay");
    world.assert_clean().await;
    world.collect(AT_ONCE).await;
    assert_eq!(world.files().len(), 2, "one for each repository: {:?}", world.files());
    for (commit, content) in &commits {
        world.assert_content("data", content, Some(*commit)).await;
    }
    world.assert_content("other", &content(3, 500, 1), None).await;
    world.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_sparse_segment_only_what_is_needed_stays() {
    let world = World::new(&["data"]).await;
    world.retain("data", Some(1)).await;
    // 15 MB in one segment, of which 3 MB stay.
    let mut objects: Content = content(30, 500_000, 1);
    world.import_of("data", &objects).await;
    for (_, bytes) in objects.iter_mut().skip(6) {
        *bytes = b"small now".to_vec();
    }
    world.import_of("data", &objects).await;
    world.clock.advance_ms(2 * DAY_MS);
    assert!(world.disk_bytes() > 15_000_000);
    let report = world.collect(AT_ONCE).await;
    assert!(report.compacted > 0 && report.packed_bytes < 3_200_000, "{report:?}");
    assert!(world.disk_bytes() < 3_200_000, "{}", world.disk_bytes());
    world.assert_content("data", &objects, None).await;
    world.assert_clean().await;
    assert_eq!(world.collect(AT_ONCE).await.compacted, 0, "it is done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_go_on_while_everything_moves() {
    let world = World::new(&["data"]).await;
    let mut objects = content(8, 200_000, 1);
    world.import_of("data", &objects).await;
    let reading = async {
        for _ in 0..12 {
            world.assert_content("data", &content(8, 200_000, 1), None).await;
        }
    };
    let moving = async {
        for round in 0..8 {
            objects.insert(format!("more{round}"), pattern(3_000, round));
            world.import_of("data", &objects).await;
            assert!(world.collect(AT_ONCE).await.compacted > 0);
        }
    };
    tokio::join!(reading, moving);
    world.assert_content("data", &objects, None).await;
    world.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packed_file_is_checked_once_and_its_damage_named() {
    let mut world = World::new(&["data"]).await;
    for round in 0..3 {
        let objects = Content::from([(format!("r{round}"), pattern(100_000, round))]);
        world.import_of("data", &objects).await;
    }
    world.collect(AT_ONCE).await;
    let [packed] = &world.files()[..] else { panic!("{:?}", world.files()) };
    let check = |engine: engine::Engine| async move {
        engine.check(engine::Scope::All, &mut |_| {}).await.expect("a check")
    };
    let sound = check(world.engine.clone()).await;
    assert_eq!((sound.damage_count, sound.bytes), (0, world.disk_bytes()));
    assert!(sound.segments >= 6, "a row for each segment: {}", sound.segments);

    let bytes = std::fs::read(packed).expect("readable");
    let wanted = pattern(100_000, 1);
    let at = bytes.windows(100_000).position(|window| window == wanted).expect("it is there");
    let mut damaged = bytes.clone();
    // In a frame that nothing else lies in.
    damaged[at + 50_000] ^= 1;
    std::fs::write(packed, &damaged).expect("written");
    let report = check(world.engine.clone()).await;
    let paths: Vec<_> = report.damage.iter().filter_map(|damage| damage.path.as_deref()).collect();
    assert!(paths.contains(&"r1") && !paths.contains(&"r0"), "{:?}", report.damage);

    damaged = bytes.clone();
    let end = damaged.len() - 100;
    damaged[end] ^= 1;
    std::fs::write(packed, &damaged).expect("written");
    world.reopen(std::sync::Arc::new(model::NoFailpoints)).await;
    let report = check(world.engine.clone()).await;
    let whole = report.damage.iter().filter(|damage| damage.path.is_none()).count();
    assert!(whole >= 1 && report.damage_count > 1, "{:?}", report.damage);
    std::fs::write(packed, &bytes).expect("written");
    world.assert_clean().await;
}
