//! Collections that are asked for.

use std::sync::Arc;

use catalog::Catalog;
use model::{CollectOptions, CollectReport, Collection};

use super::world::at;

pub(crate) async fn they_wait_in_the_order_in_which_they_were_asked_for(catalog: Arc<dyn Catalog>) {
    let next = || async { catalog.next_collection().await.expect("an answer") };
    assert_eq!(next().await, None);
    let options = CollectOptions {
        force: true,
        dry_run: false,
        undo: true,
        grace_ms: Some(-1),
        trash_ms: Some(i64::MAX),
    };
    let first = catalog.request_collection(&options, at(1)).await.expect("an id");
    let plain = CollectOptions::default();
    let second = catalog.request_collection(&plain, at(1)).await.expect("an id");
    assert!(second > first);
    let waiting =
        |id, options| Some(Collection { id, options, ended: false, report: None, error: None });
    assert_eq!(next().await, waiting(first, options.clone()));
    assert_eq!(next().await, waiting(first, options), "until it has ended");
    let refused = Err("it would take too much".to_owned());
    catalog.end_collection(first, refused, at(2)).await.expect("an answer");
    assert_eq!(next().await, waiting(second, plain.clone()));
    assert_eq!(
        catalog.collection(second).await.expect("an answer"),
        waiting(second, plain.clone())
    );
    catalog.end_collection(second, Ok(CollectReport::default()), at(3)).await.expect("an answer");
    assert_eq!(next().await, None);
    assert_eq!(catalog.collection(99).await.expect("an answer"), None);
}

pub(crate) async fn the_end_of_a_collection_is_kept(catalog: Arc<dyn Catalog>) {
    let ask = |dry_run| {
        let catalog = catalog.clone();
        let options = CollectOptions { dry_run, ..CollectOptions::default() };
        async move { catalog.request_collection(&options, at(1)).await.expect("an id") }
    };
    let last = || async { catalog.last_collection().await.expect("an answer") };
    let report = CollectReport { segments: 12, bytes: 1 << 62, unlinked: 3, ..Default::default() };
    let end = |id, outcome, seconds| {
        let catalog = catalog.clone();
        async move { catalog.end_collection(id, outcome, at(seconds)).await.expect("an answer") }
    };
    let (refused, dry_run, done) = (ask(false).await, ask(true).await, ask(false).await);
    end(refused, Err("no".to_owned()), 10).await;
    let found = catalog.collection(refused).await.expect("an answer").expect("the collection");
    assert_eq!((found.ended, found.report, found.error), (true, None, Some("no".to_owned())));
    end(dry_run, Ok(report.clone()), 20).await;
    assert_eq!(last().await, None, "neither took anything away");
    end(done, Ok(report.clone()), 30).await;
    assert_eq!(last().await, Some(at(30)));
    let ended = catalog.collection(done).await.expect("an answer").expect("the collection");
    assert_eq!((ended.ended, ended.report.as_ref(), &ended.error), (true, Some(&report), &None));
    end(done, Err("again".to_owned()), 40).await;
    end(99, Ok(report), 40).await;
    assert_eq!(catalog.collection(done).await.expect("an answer"), Some(ended), "it has ended");
    assert_eq!(last().await, Some(at(30)));
}
