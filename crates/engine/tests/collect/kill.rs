//! A collection that dies at any step has lost nothing, and the next one ends with a clean store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use model::NoFailpoints;

use crate::world::{AT_ONCE, DAY_MS, World, content, forced};

const SITES: [(&str, u32); 8] = [
    ("collect.marked", 1),
    ("collect.condemned", 1),
    ("collect.trashed", 1),
    ("collect.packed", 1),
    ("collect.switched", 1),
    ("collect.switched", 2),
    ("collect.purged", 1),
    ("collect.unlinked", 2),
];

/// Panics when the work reaches its site for the given time, which drops all that is under way.
struct DieAt(&'static str, AtomicU32);

impl model::Failpoints for DieAt {
    fn reach(&self, site: &'static str) -> Result<(), model::Injected> {
        let dies = site == self.0 && self.1.fetch_sub(1, Ordering::SeqCst) == 1;
        assert!(!dies, "killed at {site}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_step_nothing_is_lost_and_the_next_collection_ends() {
    for (site, nth) in SITES {
        let mut world = World::new(&["gone", "data", "more"]).await;
        for name in ["data", "more"] {
            world.retain(name, Some(1)).await;
            world.import_of(name, &content(8, 4_000, 1)).await;
            world.import_of(name, &content(6, 4_000, 2)).await;
        }
        world.import_of("gone", &content(8, 4_000, 3)).await;
        world.delete("gone").await;
        world.clock.advance_ms(2 * DAY_MS);

        world.reopen(Arc::new(DieAt(site, AtomicU32::new(nth)))).await;
        let engine = world.engine.clone();
        let collecting = tokio::spawn(async move { engine.collect(&forced(), &AT_ONCE).await });
        let died = collecting.await.expect_err("the site is reached");
        assert!(died.is_panic(), "{site}");
        world.reopen(Arc::new(NoFailpoints)).await;
        world.assert_clean().await;
        for _ in 0..2 {
            for name in ["data", "more"] {
                world.assert_content(name, &content(6, 4_000, 2), None).await;
                let left = world.read(name, "k007", None).await.expect("the import overlays");
                assert!(left == content(8, 4_000, 1)["k007"], "{site}");
            }
            world.collect(AT_ONCE).await;
            world.assert_clean().await;
        }
        assert_eq!(world.files().len(), 2, "{site}: one file for each repository");
    }
}
