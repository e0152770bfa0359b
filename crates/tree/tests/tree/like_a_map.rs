//! Whatever the edits: a tree holds what a `BTreeMap` holds, and the same content is the same tree.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use model::limits::PAGE_ENTRIES_MIN;
use model::{Entry, Root};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tree::{Change, Edit, ListQuery, Listed, Tree};

use crate::world::{Map, World, delete, entry, put};

/// Paths in play, with folders, odd separators and more than ASCII.
fn universe() -> Vec<String> {
    universe_of(3_000)
}

fn universe_of(count: u32) -> Vec<String> {
    let path = |n: u32| match n % 5 {
        0 => format!("data/{:02}/part-{:04}.csv", n % 37, n),
        1 => format!("data/{:02}//{:04}", n % 11, n),
        2 => format!("logs/é{}/{:04}", n % 3, n),
        3 => format!("{n:04}"),
        _ => format!("z/{n}"),
    };
    (0..count).map(path).collect::<BTreeSet<_>>().into_iter().collect()
}

/// One call of apply, in terms of the universe.
#[derive(Clone, Debug)]
enum Batch {
    Put { start: usize, count: usize, step: usize, version: u8 },
    Delete { start: usize, count: usize, step: usize },
    Mixed(Vec<(usize, Option<u8>)>),
    DeleteAll,
    Again,
}

fn batch() -> impl Strategy<Value = Batch> {
    let (start, count, step) = (0..3_000usize, 1..1_500usize, 1..5usize);
    let range = (start, count, step);
    prop_oneof![
        4 => (range.clone(), any::<u8>()).prop_map(|((start, count, step), version)| {
            Batch::Put { start, count, step, version }
        }),
        2 => range.prop_map(|(start, count, step)| Batch::Delete { start, count, step }),
        4 => vec((0..3_000usize, any::<Option<u8>>()), 1..30).prop_map(Batch::Mixed),
        1 => Just(Batch::DeleteAll),
        1 => Just(Batch::Again),
    ]
}

/// The edits of a batch, and the map after it. Entries that hash alike keep their place, others get
/// `place`.
fn edits(batch: &Batch, universe: &[String], map: &mut Map, place: u32) -> Vec<Edit> {
    let scale = universe.len() / 3_000;
    let range = |start: usize, count: usize, step: usize| {
        universe.iter().skip(start * scale).step_by(step).take(count * scale).cloned()
    };
    let wanted: BTreeMap<String, Option<u8>> = match batch {
        Batch::Put { start, count, step, version } => {
            range(*start, *count, *step).map(|path| (path, Some(*version))).collect()
        }
        Batch::Delete { start, count, step } => {
            range(*start, *count, *step).map(|path| (path, None)).collect()
        }
        Batch::Mixed(changes) => {
            let pair = |(n, version): &(usize, _)| (universe[n * scale].clone(), *version);
            changes.iter().map(pair).collect()
        }
        Batch::DeleteAll => map.keys().map(|path| (path.clone(), None)).collect(),
        Batch::Again => {
            return map.iter().map(|(path, entry)| put(path, moved(entry, place))).collect();
        }
    };
    let mut edits = Vec::new();
    for (path, version) in wanted {
        let Some(version) = version else {
            map.remove(&path);
            edits.push(delete(&path));
            continue;
        };
        let new = entry(&path, version, place);
        edits.push(put(&path, new.clone()));
        match map.get(&path) {
            Some(old) if moved(old, place) == new => {}
            _ => drop(map.insert(path, new)),
        }
    }
    edits
}

/// The same entry, its bytes at another place.
fn moved(entry: &Entry, place: u32) -> Entry {
    let content = crate::world::entry("", (entry.size - 1_000) as u8, place).content;
    let content = match content {
        model::Content::Pieces(mut pieces) => {
            pieces[0].hash = entry.hash;
            model::Content::Pieces(pieces)
        }
        list => list,
    };
    Entry { content, ..entry.clone() }
}

fn bytes(map: &Map) -> u64 {
    map.values().map(|entry| entry.size).sum()
}

/// Tests that build trees cost more than others.
fn fewer_cases(times: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.div_ceil(times), ..default }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    runtime.expect("a runtime").block_on(future)
}

proptest! {
    #![proptest_config(fewer_cases(4))]

    #[test]
    fn the_same_content_is_the_same_tree(batches in vec(batch(), 1..8)) {
        block_on(async {
            let (world, universe) = (World::new(), universe());
            let (mut root, mut map) = (Tree::empty(), Map::new());
            for (place, batch) in batches.iter().enumerate() {
                let before = map.clone();
                let edits = edits(batch, &universe, &mut map, place as u32);
                let applied = world.apply(&root, edits).await;
                if before == map {
                    assert_eq!((applied.root, applied.segments.len()), (root, 0), "{batch:?}");
                }
                root = applied.root;
            }
            let built = world.build(&map).await;
            assert_eq!(Root { page: built.page, ..root }, built);
            assert_eq!(root.page.is_some(), !map.is_empty());
            assert_eq!((root.entries, root.bytes), (map.len() as u64, bytes(&map)));
            assert_eq!(world.check(&root).await, map);
            assert_eq!(world.check(&built).await, map);
        });
    }

    #[test]
    fn reading_is_like_a_map(
        batches in vec(batch(), 1..4),
        bounds in vec((any::<Index>(), any::<Index>(), any::<bool>()), 8),
        lists in vec(list_query(), 12),
    ) {
        block_on(async {
            let (world, universe) = (World::new(), universe());
            let (mut root, mut map) = (Tree::empty(), Map::new());
            for (place, batch) in batches.iter().enumerate() {
                let edits = edits(batch, &universe, &mut map, place as u32);
                root = world.apply(&root, edits).await.root;
            }
            for path in universe.iter().step_by(13) {
                let found = world.tree.get(&root, path.as_bytes()).await.expect("sound");
                assert_eq!(found.as_ref(), map.get(path));
            }
            for (from, to, included) in &bounds {
                let (from, to) = (from.get(&universe), to.get(&universe));
                ranges_agree(&world, &root, &map, from, to, *included).await;
            }
            for query in &lists {
                listings_agree(&world, &root, &map, query).await;
            }
        });
    }

    #[test]
    fn a_diff_is_what_differs(
        common in vec(batch(), 0..3),
        left in vec(batch(), 0..2),
        right in vec(batch(), 0..3),
        bounds in (any::<Index>(), any::<Index>()),
    ) {
        block_on(async {
            let (world, universe) = (World::new(), universe());
            let mut place = 0;
            let mut grow = async |mut root, mut map: Map, batches: &[Batch]| {
                for batch in batches {
                    place += 1;
                    let edits = edits(batch, &universe, &mut map, place);
                    root = world.apply(&root, edits).await.root;
                }
                (root, map)
            };
            let (base, base_map) = grow(Tree::empty(), Map::new(), &common).await;
            let (left, left_map) = grow(base, base_map.clone(), &left).await;
            let (right, right_map) = grow(base, base_map, &right).await;
            let (start, end) = (bounds.0.get(&universe), bounds.1.get(&universe));
            for range in [None, Some((start, end))] {
                let changes = diff(&world, &left, &right, range).await;
                assert_eq!(changes, naive_diff(&left_map, &right_map, range));
                if range.is_none() {
                    let edits = changes.into_iter();
                    let edits = edits.map(|change| Edit { path: change.path, entry: change.right });
                    let merged = world.apply(&left, edits.collect()).await.root;
                    assert_eq!(merged.hash, right.hash);
                }
            }
        });
    }
}

proptest! {
    #![proptest_config(fewer_cases(64))]

    #[test]
    fn large_trees_are_no_different(
        first in batch(),
        batches in vec(batch(), 1..5),
        bounds in vec((any::<Index>(), any::<Index>()), 3),
    ) {
        block_on(async {
            let (world, universe) = (World::new(), universe_of(45_000));
            let all = universe.iter().map(|path| (path.clone(), entry(path, 2, 0)));
            let (base_map, mut place) = (all.collect::<Map>(), 0);
            let base = world.build(&base_map).await;
            assert!(base.level >= 2);
            let (mut root, mut map) = (base, base_map.clone());
            for batch in std::iter::once(&first).chain(&batches) {
                place += 1;
                let edits = edits(batch, &universe, &mut map, place);
                root = world.apply(&root, edits).await.root;
            }
            assert_eq!(Root { page: root.page, ..world.build(&map).await }, root);
            assert_eq!(world.check(&root).await, map);
            for (start, end) in &bounds {
                let range = (start.get(&universe), end.get(&universe));
                let changes = diff(&world, &base, &root, Some(range)).await;
                assert_eq!(changes, naive_diff(&base_map, &map, Some(range)));
                ranges_agree(&world, &root, &map, range.0, range.1, true).await;
            }
        });
    }
}

async fn ranges_agree(world: &World, root: &Root, map: &Map, from: &str, to: &str, included: bool) {
    let start = if included { Bound::Included(from) } else { Bound::Excluded(from) };
    let owned = start.map(|from| from.as_bytes().to_vec());
    let is_in = |path: &str| match start {
        Bound::Included(from) => path >= from,
        _ => path > from,
    };
    let from_start = map.iter().filter(|(path, _)| is_in(path));
    let expected: Map = from_start
        .clone()
        .filter(|(path, _)| path.as_str() < to)
        .map(|(path, entry)| (path.clone(), entry.clone()))
        .collect();
    let end = to.as_bytes().to_vec();
    assert_eq!(world.scan(root, owned.clone(), Some(end)).await, expected);

    let mut scan = world.tree.scan(root, Bound::Unbounded, None);
    let first = scan.next().await.expect("sound").map(|(path, _)| path.as_str().to_owned());
    assert_eq!(first.as_ref(), map.keys().next());
    scan.seek(owned);
    let next = scan.next().await.expect("sound").map(|(path, _)| path.as_str().to_owned());
    let mut rest = from_start.map(|(path, _)| path).filter(|path| Some(*path) != first.as_ref());
    assert_eq!(next.as_ref(), rest.next());
}

fn list_query() -> impl Strategy<Value = ListQuery> {
    let text = prop_oneof![
        Just(""),
        Just("data/"),
        Just("data/0"),
        Just("data/03//"),
        Just("logs/é1/"),
        Just("z"),
        Just("logs"),
        Just("0"),
        Just("nothing"),
        Just("data/1/"),
        Just("data"),
        Just("é")
    ];
    let delimiter =
        prop_oneof![Just(None), Just(Some("/")), Just(Some("//")), Just(Some("1")), Just(Some(""))];
    (text.clone(), delimiter, proptest::option::of(text), 1..40usize).prop_map(
        |(prefix, delimiter, after, limit)| ListQuery {
            prefix: prefix.to_owned(),
            delimiter: delimiter.map(str::to_owned),
            after: after.map(str::to_owned),
            limit,
        },
    )
}

/// Every row of a listing by its name, without paging.
fn naive_rows(map: &Map, query: &ListQuery) -> BTreeMap<String, Option<Entry>> {
    let delimiter = query.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let mut rows = BTreeMap::new();
    for (path, entry) in map {
        let Some(rest) = path.strip_prefix(&query.prefix) else { continue };
        match delimiter.and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len())) {
            Some(end) => rows.insert(path[..query.prefix.len() + end].to_owned(), None),
            None => rows.insert(path.clone(), Some(entry.clone())),
        };
    }
    rows
}

/// Follows the listing to its end.
async fn listings_agree(world: &World, root: &Root, map: &Map, query: &ListQuery) {
    let rows = naive_rows(map, query).into_iter();
    let rows = rows.filter(|(name, _)| query.after.as_ref().is_none_or(|after| name > after));
    let rows: Vec<_> = rows.collect();
    let mut pages = rows.chunks(query.limit);
    let mut query = query.clone();
    loop {
        let page = world.tree.list(root, &query).await.expect("sound");
        let expected = pages.next().unwrap_or_default();
        let listed = page.rows.into_iter().map(|row| match row {
            Listed::Entry(path, entry) => (path.as_str().to_owned(), Some(entry)),
            Listed::Prefix(prefix) => (prefix, None),
        });
        assert_eq!(listed.collect::<Vec<_>>(), expected, "{query:?}");
        let more = pages.len() > 0;
        assert_eq!(page.next, more.then(|| expected.last().expect("a full page").0.clone()));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return,
        }
    }
}

async fn diff(
    world: &World,
    left: &Root,
    right: &Root,
    range: Option<(&String, &String)>,
) -> Vec<Change> {
    let start = range.map_or(Bound::Unbounded, |range| Bound::Excluded(range.0.clone().into()));
    let end = range.map(|range| range.1.clone().into());
    let mut diff = world.tree.diff(left, right, start, end);
    let mut changes = Vec::new();
    while let Some(change) = diff.next().await.expect("sound") {
        changes.push(change);
    }
    changes
}

fn naive_diff(left: &Map, right: &Map, range: Option<(&String, &String)>) -> Vec<Change> {
    let paths: BTreeSet<_> = left.keys().chain(right.keys()).collect();
    let in_range = |path: &&String| range.is_none_or(|(start, end)| *path > start && *path < end);
    let change = |path: &String| Change {
        path: crate::world::path(path),
        left: left.get(path).cloned(),
        right: right.get(path).cloned(),
    };
    let place_alone = |change: &Change| match (&change.left, &change.right) {
        (Some(left), Some(right)) => moved(left, 0) == moved(right, 0),
        _ => false,
    };
    let changes = paths.into_iter().filter(in_range).map(change);
    changes.filter(|change| !place_alone(change)).collect()
}

#[tokio::test]
async fn a_root_has_no_needless_level() {
    let world = World::new();
    let universe = universe();
    let map: Map = universe.iter().map(|path| (path.clone(), entry(path, 1, 0))).collect();
    let full = world.build(&map).await;
    assert!(full.level >= 1);
    for left in [1, 2, PAGE_ENTRIES_MIN, 200, 1_000] {
        for keep in [&universe[..left], &universe[universe.len() - left..]] {
            let gone = universe.iter().filter(|path| !keep.contains(path));
            let root = world.apply(&full, gone.map(|path| delete(path)).collect()).await.root;
            let kept = map.iter().filter(|(path, _)| keep.contains(path));
            let kept: Map = kept.map(|(path, entry)| (path.clone(), entry.clone())).collect();
            assert_eq!(Root { page: root.page, ..world.build(&kept).await }, root);
            assert_eq!(world.check(&root).await, kept);
        }
    }
    let nothing = universe.iter().map(|path| delete(path)).collect();
    assert_eq!(world.apply(&full, nothing).await.root, Tree::empty());
}
