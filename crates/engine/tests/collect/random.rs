//! Random lives of a store against a model of what must be readable.

use std::collections::BTreeMap;

use model::CommitId;
use proptest::prelude::*;

use crate::world::{AT_ONCE, Content, DAY_MS, WITH_TRASH, World, pattern};

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
}

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
        4 => any::<bool>().prop_map(|keeps_trash| Step::Collect { keeps_trash }),
    ]
}

/// What must be readable.
#[derive(Default)]
struct Repository {
    /// Newest last, with its content and when it ceased to be head.
    commits: Vec<(CommitId, Content, Option<i64>)>,
    retention_days: Option<i64>,
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
                world.retain(NAMES[name], days).await;
            }
            Step::Wait { days } => {
                self.today += days;
                world.clock.advance_ms(days * DAY_MS);
            }
            Step::Collect { keeps_trash } => {
                world.collect(if keeps_trash { WITH_TRASH } else { AT_ONCE }).await;
            }
        }
    }

    fn imported(&mut self, name: usize, commit: CommitId) {
        let content = self.sources.get(&name).cloned().unwrap_or_default();
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
        }
    }
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
    fn what_must_be_readable_is(steps in prop::collection::vec(step(), 1..14)) {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(live(&steps));
    }
}
