//! Random lives of two sessions and of commits beside them, against a model of maps.

use std::collections::{BTreeMap, BTreeSet};

use engine::{At, ChangesQuery, DiffQuery, Kind, Status};
use model::SessionId;
use proptest::prelude::*;

use crate::world::{ORG, Objects, REPO, World};

/// Names that collide in every way: with and without delimiters, one the start of another.
const PATHS: [&str; 14] = [
    "a",
    "a/",
    "a/b",
    "a/b/c",
    "a/b/d",
    "a//x",
    "a0",
    "b/x",
    "b/y",
    "b/y/z",
    "c/d/e",
    "c/d/f",
    "\u{e4}/\u{f6}",
    "z",
];
const PREFIXES: [&str; 7] = ["", "a", "a/", "a/b", "b/", "c/d/", "zz"];
const DELIMITERS: [Option<&str>; 5] = [None, None, Some("/"), Some("//"), Some("b")];

#[derive(Clone, Debug)]
enum Step {
    Put {
        session: usize,
        path: usize,
        seed: u8,
    },
    Copy {
        session: usize,
        from: usize,
        to: usize,
    },
    Delete {
        session: usize,
        paths: Vec<usize>,
    },
    Commit {
        session: usize,
    },
    Rollback {
        session: usize,
    },
    /// A commit of somebody else's.
    Beside {
        path: usize,
        seed: Option<u8>,
    },
    /// Everything a reader can ask.
    Look {
        session: usize,
        prefix: usize,
        delimiter: usize,
        amount: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (session, path) = (|| 0..2_usize, || 0..PATHS.len());
    let seed = || 0..4_u8;
    prop_oneof![
        6 => (session(), path(), seed())
            .prop_map(|(session, path, seed)| Step::Put { session, path, seed }),
        3 => (session(), path(), path())
            .prop_map(|(session, from, to)| Step::Copy { session, from, to }),
        4 => (session(), prop::collection::vec(path(), 1..6))
            .prop_map(|(session, paths)| Step::Delete { session, paths }),
        4 => session().prop_map(|session| Step::Commit { session }),
        1 => session().prop_map(|session| Step::Rollback { session }),
        2 => (path(), prop::option::weighted(0.7, seed()))
            .prop_map(|(path, seed)| Step::Beside { path, seed }),
        4 => (session(), 0..PREFIXES.len(), 0..DELIMITERS.len(), 1..6_usize).prop_map(
            |(session, prefix, delimiter, amount)| Step::Look { session, prefix, delimiter, amount }
        ),
    ]
}

/// Some bytes; of the same seed the same, so that an entry can come to be what it was.
fn bytes(seed: u8) -> Vec<u8> {
    vec![seed; usize::from(seed) * 700]
}

/// A session that the model knows.
struct Staging {
    id: SessionId,
    base: Objects,
    staged: BTreeMap<String, Option<Vec<u8>>>,
}

impl Staging {
    fn seen(&self) -> Objects {
        applied(&self.base, &self.staged)
    }
}

fn applied(base: &Objects, staged: &BTreeMap<String, Option<Vec<u8>>>) -> Objects {
    let mut objects = base.clone();
    for (path, bytes) in staged {
        match bytes {
            Some(bytes) => objects.insert(path.clone(), bytes.clone()),
            None => objects.remove(path),
        };
    }
    objects
}

/// Where two maps differ, by path.
fn differences(left: &Objects, right: &Objects) -> BTreeMap<String, Status> {
    let paths: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let status = |path: &String| match (left.get(path), right.get(path)) {
        (None, Some(_)) => Some(Status::Added),
        (Some(_), None) => Some(Status::Removed),
        (left, right) => (left != right).then_some(Status::Modified),
    };
    paths.into_iter().filter_map(|path| Some((path.clone(), status(path)?))).collect()
}

fn group<'a>(path: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter?;
    let at = path[prefix.len()..].find(delimiter)?;
    Some(&path[..prefix.len() + at + delimiter.len()])
}

/// The names that a listing shows.
fn listed(objects: &Objects, prefix: &str, delimiter: Option<&str>) -> Vec<String> {
    let names = objects.keys().filter(|path| path.starts_with(prefix));
    let mut names: Vec<String> =
        names.map(|path| group(path, prefix, delimiter).unwrap_or(path).to_owned()).collect();
    names.dedup();
    names
}

/// The rows that a difference shows.
fn compared(
    left: &Objects,
    right: &Objects,
    prefix: &str,
    delimiter: Option<&str>,
) -> Vec<(String, Status)> {
    let has = |objects: &Objects, group: &str| objects.keys().any(|path| path.starts_with(group));
    let mut rows = Vec::new();
    for (path, status) in differences(left, right) {
        if !path.starts_with(prefix) {
            continue;
        }
        rows.push(match group(&path, prefix, delimiter) {
            None => (path, status),
            Some(group) => match (has(left, group), has(right, group)) {
                (false, _) => (group.to_owned(), Status::Added),
                (_, false) => (group.to_owned(), Status::Removed),
                _ => (group.to_owned(), Status::Modified),
            },
        });
    }
    rows.dedup();
    rows
}

struct Life {
    world: World,
    head: Objects,
    sessions: [Option<Staging>; 2],
}

impl Life {
    async fn session(&mut self, number: usize) -> &mut Staging {
        let (world, base) = (&self.world, self.head.clone());
        let slot = &mut self.sessions[number];
        if slot.is_none() {
            let id = world.begin().await;
            *slot = Some(Staging { id, base, staged: BTreeMap::new() });
        }
        slot.as_mut().expect("it was filled above")
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Put { session, path, seed } => {
                let (path, bytes) = (PATHS[*path].to_owned(), bytes(*seed));
                let id = self.session(*session).await.id;
                self.world.put(id, &path, &bytes).await;
                self.session(*session).await.staged.insert(path, Some(bytes));
            }
            Step::Copy { session, from, to } => self.copy(*session, PATHS[*from], PATHS[*to]).await,
            Step::Delete { session, paths } => {
                let paths: Vec<&str> = paths.iter().map(|path| PATHS[*path]).collect();
                let id = self.session(*session).await.id;
                let count = self.world.delete(id, &paths).await.expect("deleted");
                let different: BTreeSet<&str> = paths.into_iter().collect();
                assert_eq!(count, different.len() as u64);
                let staging = self.session(*session).await;
                staging.staged.extend(different.iter().map(|path| ((*path).to_owned(), None)));
            }
            Step::Commit { session } => self.commit(*session).await,
            Step::Rollback { session } => {
                let id = self.session(*session).await.id;
                self.world.rollback(id).await.expect("rolled back");
                self.sessions[*session] = None;
            }
            Step::Beside { path, seed } => {
                let (path, bytes) = (PATHS[*path], seed.map(bytes));
                let after = applied(&self.head, &[(path.to_owned(), bytes.clone())].into());
                if after != self.head {
                    self.world.committed(&[(path, bytes.as_deref())]).await;
                    self.head = after;
                }
            }
            Step::Look { session, prefix, delimiter, amount } => {
                let (prefix, delimiter) = (PREFIXES[*prefix], DELIMITERS[*delimiter]);
                self.session(*session).await;
                self.look(*session, prefix, delimiter, *amount).await;
            }
        }
    }

    async fn copy(&mut self, session: usize, from: &str, to: &str) {
        let (id, seen) = {
            let staging = self.session(session).await;
            (staging.id, staging.seen())
        };
        let copied = self.world.copy(id, from, to).await;
        match seen.get(from) {
            None => assert_eq!(copied.expect_err("nothing there").kind, Kind::NotFound),
            Some(bytes) => {
                copied.expect("copied");
                let staging = self.session(session).await;
                staging.staged.insert(to.to_owned(), Some(bytes.clone()));
            }
        }
    }

    async fn commit(&mut self, session: usize) {
        let head = self.head.clone();
        let staging = self.session(session).await;
        let (id, staged) = (staging.id, staging.staged.clone());
        let theirs = differences(&staging.base, &head);
        let conflicts: Vec<&String> =
            staged.keys().filter(|path| theirs.contains_key(*path)).collect();
        let after = applied(&head, &staged);
        let landed = self.world.commit(id).await;
        if !conflicts.is_empty() {
            let error = landed.expect_err("a conflict");
            assert_eq!((error.kind, error.code), (Kind::Conflict, "CONFLICT"));
            let count = format!("{} path", conflicts.len());
            assert!(error.message.starts_with(&count), "{error}: {conflicts:?}");
            let named = error.message.split_once(": ").map(|(_, named)| named);
            let expected: Vec<&str> = conflicts.iter().map(|path| path.as_str()).collect();
            assert_eq!(named, Some(expected.join(", ").as_str()));
        } else if after == head {
            let error = landed.expect_err("nothing to commit");
            assert_eq!((error.kind, error.code), (Kind::Invalid, "NO_CHANGES"));
        } else {
            let commit = landed.expect("committed");
            let root = self.world.find(commit).await.root;
            let bytes: usize = after.values().map(Vec::len).sum();
            assert_eq!((root.entries, root.bytes), (after.len() as u64, bytes as u64));
            self.head = after;
            self.sessions[session] = None;
            assert_eq!(self.world.content(&At::Commit(commit.to_string())).await, self.head);
        }
    }

    async fn look(&self, session: usize, prefix: &str, delimiter: Option<&str>, amount: usize) {
        let (world, staging) = (&self.world, self.sessions[session].as_ref().expect("it is open"));
        let (at, seen) = (At::Session(staging.id), staging.seen());
        assert_eq!(world.content(&at).await, seen);
        assert_eq!(world.content(&At::Head).await, self.head);
        for path in PATHS.iter().filter(|path| !seen.contains_key(**path)) {
            let absent = world.read(&at, path).await.expect_err("not there");
            assert_eq!(absent.kind, Kind::NotFound);
        }
        let names = world.names(&at, prefix, delimiter, amount).await;
        assert_eq!(names, listed(&seen, prefix, delimiter));
        let rows = self.diff(staging.id, prefix, delimiter, amount).await;
        assert_eq!(rows, compared(&staging.base, &seen, prefix, delimiter));
        let changes = self.changes(staging.id, prefix, amount).await;
        let staged = staging.staged.iter().filter(|(path, _)| path.starts_with(prefix));
        let size = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| bytes.len() as u64);
        let staged: Vec<_> = staged.map(|(path, bytes)| (path.clone(), size(bytes))).collect();
        assert_eq!(changes, staged);
    }

    async fn diff(
        &self,
        session: SessionId,
        prefix: &str,
        delimiter: Option<&str>,
        amount: usize,
    ) -> Vec<(String, Status)> {
        let (world, mut rows, mut after) = (&self.world, Vec::new(), None);
        loop {
            let query = DiffQuery {
                session: Some(session),
                prefix: prefix.to_owned(),
                delimiter: delimiter.map(ToOwned::to_owned),
                after,
                amount,
                ..DiffQuery::default()
            };
            let page = world.engine.diff(&world.owner, ORG, REPO, query).await.expect("a page");
            rows.extend(page.rows.into_iter().map(|row| (row.path, row.status)));
            match page.next {
                None => return rows,
                next => after = next,
            }
        }
    }

    async fn changes(
        &self,
        session: SessionId,
        prefix: &str,
        amount: usize,
    ) -> Vec<(String, Option<u64>)> {
        let (world, mut rows, mut after) = (&self.world, Vec::new(), None);
        loop {
            let query = ChangesQuery { prefix: prefix.to_owned(), after, amount };
            let page = world.engine.session_changes(&world.owner, ORG, REPO, session, query).await;
            let page = page.expect("a page");
            rows.extend(
                page.rows
                    .into_iter()
                    .map(|row| (row.path.as_str().to_owned(), row.entry.map(|entry| entry.size))),
            );
            match page.next {
                None => return rows,
                next => after = next,
            }
        }
    }
}

async fn live(steps: &[Step]) {
    let world = World::new().await;
    let mut life = Life { world, head: Objects::new(), sessions: [None, None] };
    for step in steps {
        life.take(step).await;
    }
    for session in 0..2 {
        life.session(session).await;
        life.look(session, "", Some("/"), 2).await;
    }
    life.world.assert_clean().await;
}

/// Each case takes some tenths of a second.
fn few_cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.div_ceil(8), ..default }
}

proptest! {
    #![proptest_config(few_cases())]
    #[test]
    fn sessions_do_what_maps_do(steps in prop::collection::vec(step(), 1..40)) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().expect("a runtime").block_on(live(&steps));
    }
}
