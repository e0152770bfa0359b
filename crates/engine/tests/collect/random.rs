//! Random lives of a store against a model of what must be readable.

use std::collections::BTreeMap;

use engine::{At, Kind};
use model::{CommitId, SessionId};
use proptest::prelude::*;

use crate::world::{AT_ONCE, Content, DAY_MS, ORG, WITH_TRASH, World, pattern};

const NAMES: [&str; 2] = ["left", "right"];

#[derive(Clone, Debug)]
enum Step {
    /// Objects `first` to `first + count` change, and the repository is imported.
    Import {
        name: usize,
        first: usize,
        count: usize,
        bytes: usize,
    },
    /// The repository is deleted; the next import makes it anew.
    Delete {
        name: usize,
    },
    /// Retention for one repository.
    Retain {
        name: usize,
        days: Option<i64>,
    },
    /// Days pass.
    Wait {
        days: i64,
    },
    Collect {
        keeps_trash: bool,
    },
    /// An object is staged, in the session of the repository, which begins if need be.
    Stage {
        name: usize,
        key: usize,
        bytes: usize,
    },
    /// What the session sees at one of its own or of the imported keys is copied.
    Copy {
        name: usize,
        from: usize,
        to: usize,
    },
    Remove {
        name: usize,
        key: usize,
    },
    Commit {
        name: usize,
    },
    Rollback {
        name: usize,
    },
    /// The head is undone.
    Revert {
        name: usize,
    },
}

/// Keys that sessions write; imports bring others.
const KEYS: usize = 5;

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES.len();
    let import =
        (name(), 0_usize..6, 1_usize..6, prop_oneof![4 => 1_usize..4_000, 1 => 1_usize..300_000]);
    prop_oneof![
        6 => import.prop_map(|(name, first, count, bytes)| {
            Step::Import { name, first, count, bytes }
        }),
        1 => name().prop_map(|name| Step::Delete { name }),
        2 => (name(), prop_oneof![Just(None), (1_i64..3).prop_map(Some)])
            .prop_map(|(name, days)| Step::Retain { name, days }),
        2 => (1_i64..3).prop_map(|days| Step::Wait { days }),
        6 => any::<bool>().prop_map(|keeps_trash| Step::Collect { keeps_trash }),
        4 => (name(), 0..KEYS, 1_usize..100_000)
            .prop_map(|(name, key, bytes)| Step::Stage { name, key, bytes }),
        4 => (name(), 0..2 * KEYS, 0..KEYS)
            .prop_map(|(name, from, to)| Step::Copy { name, from, to }),
        1 => (name(), 0..KEYS).prop_map(|(name, key)| Step::Remove { name, key }),
        3 => name().prop_map(|name| Step::Commit { name }),
        1 => name().prop_map(|name| Step::Rollback { name }),
        2 => name().prop_map(|name| Step::Revert { name }),
    ]
}

/// What must be readable.
#[derive(Default)]
struct Repository {
    /// Newest last, with its content and when it ceased to be head.
    commits: Vec<(CommitId, Content, Option<i64>)>,
    retention_days: Option<i64>,
    /// What [`World::retain`] leaves, once it was called.
    has_short_sessions: bool,
    session: Option<Staging>,
}

struct Staging {
    id: SessionId,
    /// What it sees.
    content: Content,
    ends: i64,
}

impl Repository {
    fn head(&self) -> Content {
        self.commits.last().map(|(_, content, _)| content.clone()).unwrap_or_default()
    }
}

struct Life {
    world: World,
    today: i64,
    repositories: BTreeMap<usize, Repository>,
    /// All objects that an import into a repository finds: what was once put there stays.
    sources: BTreeMap<usize, Content>,
}

impl Life {
    async fn take(&mut self, number: usize, step: &Step) {
        let world = &self.world;
        match *step {
            Step::Import { name, first, count, bytes } => {
                if let std::collections::btree_map::Entry::Vacant(none) =
                    self.repositories.entry(name)
                {
                    world.make(NAMES[name]).await;
                    none.insert(Repository::default());
                }
                let keys = (first..first + count).map(|n| format!("k{n}"));
                let objects: Content =
                    keys.map(|key| (key, pattern(bytes, number * 100 + bytes))).collect();
                world.put(NAMES[name], &objects);
                self.sources.entry(name).or_default().extend(objects);
                let commit = world.import(NAMES[name]).await;
                self.imported(name, commit);
            }
            Step::Delete { name } => {
                if self.repositories.remove(&name).is_some() {
                    world.delete(NAMES[name]).await;
                }
            }
            Step::Retain { name, days } => {
                let Some(repository) = self.repositories.get_mut(&name) else { return };
                // What has gone does not come back by being kept for longer.
                let today = self.today;
                let kept = repository.retention_days;
                repository.commits.retain(|(_, _, ended)| !is_stale(kept, *ended, today));
                repository.retention_days = days;
                repository.has_short_sessions = true;
                world.retain(NAMES[name], days).await;
            }
            Step::Wait { days } => {
                self.today += days;
                let today = self.today;
                for repository in self.repositories.values_mut() {
                    repository.session.take_if(|session| session.ends <= today);
                }
                world.clock.advance_ms(days * DAY_MS);
            }
            Step::Collect { keeps_trash } => {
                world.collect(if keeps_trash { WITH_TRASH } else { AT_ONCE }).await;
            }
            _ => self.take_in_session(number, step).await,
        }
    }

    async fn take_in_session(&mut self, number: usize, step: &Step) {
        match *step {
            Step::Stage { name, key, bytes } => {
                let bytes = pattern(bytes, number * 100 + bytes);
                if let Some((world, session)) = self.session(name).await {
                    world.stage(NAMES[name], session.id, &own(key), &bytes).await;
                    session.content.insert(own(key), bytes);
                }
            }
            Step::Copy { name, from, to } => {
                if let Some((world, session)) = self.session(name).await {
                    let from = if from < KEYS { own(from) } else { format!("k{}", from - KEYS) };
                    if let Some(bytes) = session.content.get(&from).cloned() {
                        world.copy(NAMES[name], session.id, &from, &own(to)).await;
                        session.content.insert(own(to), bytes);
                    }
                }
            }
            Step::Remove { name, key } => {
                if let Some((world, session)) = self.session(name).await {
                    world.remove(NAMES[name], session.id, &own(key)).await;
                    session.content.remove(&own(key));
                }
            }
            Step::Commit { name } => self.commit(name).await,
            Step::Rollback { name } => {
                let repository = self.repositories.get_mut(&name);
                if let Some(session) = repository.and_then(|repository| repository.session.take()) {
                    let (engine, principal) = (&self.world.engine, &self.world.principal);
                    let ended = engine.rollback_session(principal, ORG, NAMES[name], session.id);
                    ended.await.expect("rolled back");
                }
            }
            Step::Revert { name } => self.revert(name).await,
            _ => unreachable!("it is no step of a session"),
        }
    }

    /// The session of a repository; none without one.
    async fn session(&mut self, name: usize) -> Option<(&World, &mut Staging)> {
        let repository = self.repositories.get_mut(&name)?;
        if repository.session.is_none() {
            let id = self.world.begin(NAMES[name]).await;
            let ends = self.today + if repository.has_short_sessions { 1 } else { 7 };
            repository.session = Some(Staging { id, content: repository.head(), ends });
        }
        repository.session.as_mut().map(|session| (&self.world, session))
    }

    /// Nobody else commits at the keys of sessions but reverts.
    async fn commit(&mut self, name: usize) {
        let Some((world, session)) = self.session(name).await else { return };
        let landed = world.commit(NAMES[name], session.id).await;
        let own = std::mem::take(&mut session.content);
        match landed {
            Ok(commit) => {
                let Some(repository) = self.repositories.get_mut(&name) else { return };
                repository.session = None;
                let mut content = repository.head();
                content.retain(|key, _| key.starts_with('k'));
                content.extend(own.into_iter().filter(|(key, _)| !key.starts_with('k')));
                self.committed(name, commit, content);
            }
            Err(error) => {
                assert!(matches!(error.kind, Kind::Invalid | Kind::Conflict), "{error}");
                session.content = own;
            }
        }
    }

    async fn revert(&mut self, name: usize) {
        let Some(repository) = self.repositories.get(&name) else { return };
        let [.., (_, content, ended), (head, ..)] = &repository.commits[..] else { return };
        if is_stale(repository.retention_days, *ended, self.today) {
            return;
        }
        let (head, content) = (*head, content.clone());
        let reverted = self.world.revert(NAMES[name], head).await.expect("reverted");
        self.committed(name, reverted, content);
    }

    fn imported(&mut self, name: usize, commit: CommitId) {
        let Some(repository) = self.repositories.get(&name) else { return };
        let mut content = repository.head();
        content.extend(self.sources.get(&name).cloned().unwrap_or_default());
        self.committed(name, commit, content);
    }

    fn committed(&mut self, name: usize, commit: CommitId, content: Content) {
        let Some(repository) = self.repositories.get_mut(&name) else { return };
        match repository.commits.last_mut() {
            Some((head, ..)) if *head == commit => return,
            Some((.., ended)) => *ended = Some(self.today),
            None => {}
        }
        repository.commits.push((commit, content, None));
    }

    async fn assert_readable(&self) {
        for (name, repository) in &self.repositories {
            for (commit, content, ended) in &repository.commits {
                if !is_stale(repository.retention_days, *ended, self.today) {
                    self.world.assert_content(NAMES[*name], content, Some(*commit)).await;
                }
            }
            let Some(session) = &repository.session else { continue };
            for (path, bytes) in &session.content {
                let read = self.world.read_at(NAMES[*name], path, &At::Session(session.id)).await;
                assert!(read.expect("an object") == *bytes, "{path} of a session");
            }
        }
    }
}

fn own(key: usize) -> String {
    format!("s{key}")
}

fn is_stale(retention_days: Option<i64>, ended: Option<i64>, today: i64) -> bool {
    matches!((retention_days, ended), (Some(days), Some(ended)) if today > ended + days)
}

async fn live(steps: &[Step]) {
    let world = World::new(&[]).await;
    let (repositories, sources) = (BTreeMap::new(), BTreeMap::new());
    let mut life = Life { world, today: 0, repositories, sources };
    for (number, step) in steps.iter().enumerate() {
        life.take(number, step).await;
        if matches!(step, Step::Collect { .. }) {
            life.assert_readable().await;
        }
    }
    for _ in 0..2 {
        life.world.collect(AT_ONCE).await;
        life.assert_readable().await;
    }
    life.world.assert_clean().await;
}

/// Each case is a life of half a second.
fn few_cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.div_ceil(32), ..default }
}

proptest! {
    #![proptest_config(few_cases())]
    #[test]
    fn what_must_be_readable_is(steps in prop::collection::vec(step(), 1..24)) {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(live(&steps));
    }
}
