//! A model of what an import does, in plain maps, and the engine held against it.
//!
//! Names come from a small alphabet, so that they collide: with each other, with prefixes, with
//! folders. `PROPTEST_CASES` makes it look harder.

mod globs;
mod scenario;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use engine::{ChangeStatus, ImportRequest};
use model::{Count, Import, ImportMode, ImportOptions, JobStatus, OnError};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use proptest::{prop_assert, prop_assert_eq};
use sample::Object;
use testkit::s3::{BUCKET, Fault, Gate, HostileS3, Objects, Op, Rule, Settings};

use crate::repo::Repo;
use crate::world::{ORG, Setup, World, connector, waiting};
use scenario::{Ask, Change, Content, DIRECTORY, Scenario, Step};

/// One object of the destination, as far as the model goes: which content of which key.
type Destination = BTreeMap<String, (String, Content)>;
/// What a source holds, by key.
type Source = BTreeMap<String, Content>;

/// What an import is to do.
#[derive(Default, Debug)]
struct Outcome {
    after: Destination,
    imported: u64,
    unchanged: u64,
    skipped: u64,
    deleted: u64,
    /// The mirror would delete too much.
    refused: bool,
    /// What a dry run tells of it.
    changes: BTreeMap<String, (ChangeStatus, u64)>,
    counts: [Count; 4],
}

/// What the source has for an import: path below the destination, and the key.
fn taken(source: &Source, ask: &Ask) -> BTreeMap<String, String> {
    let prefix = ask.effective_prefix();
    let cut = prefix.rfind('/').map_or(0, |at| at + 1);
    let keys = source.keys().filter(|key| key.starts_with(&prefix));
    let below = keys.map(|key| (key[cut..].to_owned(), key.clone()));
    below.filter(|(below, _)| ask.takes(below)).collect()
}

/// The import as it should be. `base` is what it compares with, `head` what it lands on; of the
/// `denied` keys it can read nothing, and leaves them out.
fn expected(
    (base, head): (&Destination, &Destination),
    source: &Source,
    ask: &Ask,
    denied: &BTreeSet<String>,
) -> Outcome {
    let destination = ask.destination();
    let prefix = ask.effective_prefix();
    let reach = format!("{destination}{}", &prefix[prefix.rfind('/').map_or(0, |at| at + 1)..]);
    let mut outcome = Outcome { after: head.clone(), ..Outcome::default() };
    let mut paths = BTreeSet::new();
    for (below, key) in taken(source, ask) {
        let path = format!("{destination}{below}");
        if path.is_empty() {
            continue; // the marker of the root
        }
        paths.insert(path.clone());
        let new = (key.clone(), source[&key].clone());
        let is_unchanged = base.get(&path) == Some(&new);
        if !is_unchanged && denied.contains(&key) {
            outcome.skipped += 1;
            continue; // whatever is there stays
        }
        outcome.imported += 1;
        outcome.unchanged += u64::from(is_unchanged);
        let status = match head.get(&path) {
            None => Some(ChangeStatus::Added),
            Some(old) if *old == new => None,
            Some(_) => Some(ChangeStatus::Modified),
        };
        outcome.tell(&path, status, new.1.len() as u64);
        outcome.after.insert(path, new);
    }
    let in_reach = |path: &str| path.starts_with(&reach) && ask.takes(&path[destination.len()..]);
    let reached: Vec<&String> = head.keys().filter(|path| in_reach(path)).collect();
    if let ImportMode::Mirror { max_delete_percent } = ask.options.mode {
        for path in reached.iter().filter(|path| !paths.contains(**path)) {
            outcome.deleted += 1;
            outcome.after.remove(*path);
            let size = head[*path].1.len() as u64;
            outcome.tell(path, Some(ChangeStatus::Removed), size);
        }
        let most = reached.len() as u64 * u64::from(max_delete_percent);
        outcome.refused = outcome.deleted * 100 > most;
    }
    outcome
}

impl Outcome {
    fn tell(&mut self, path: &str, status: Option<ChangeStatus>, size: u64) {
        let index = match status {
            Some(ChangeStatus::Added) => 0,
            Some(ChangeStatus::Modified) => 1,
            Some(ChangeStatus::Removed) => 2,
            None => 3,
        };
        self.counts[index].add(size);
        if let Some(status) = status {
            self.changes.insert(path.to_owned(), (status, size));
        }
    }
}

/// The engine and its sources: one for all cases, each with a repository of its own.
struct Stage {
    world: World,
    /// What others import from meanwhile.
    others: HostileS3,
    others_connector: model::ConnectorId,
}

impl Stage {
    async fn new() -> Self {
        let settings = Settings { page_keys: 7, ..Settings::default() };
        let source_uri = format!("s3://{BUCKET}/{DIRECTORY}");
        let setup = Setup { settings, source_uri, timeouts: waiting(60), ..Setup::default() };
        let world = World::with(Objects::new(), setup).await;
        let others = HostileS3::start(Objects::new()).await;
        let spec = connector("others", &format!("s3://{BUCKET}/{DIRECTORY}"), &others);
        let created = world.engine.create_connector(&world.principal, ORG, spec).await;
        let others_connector = created.expect("a connector").id;
        Self { world, others, others_connector }
    }

    async fn play(&self, scenario: &Scenario, number: u64) -> Result<(), TestCaseError> {
        let repo = self.world.another(&format!("case-{number}")).await;
        let (engine, principal) = (&self.world.engine, &self.world.principal);
        let attached = engine.attach(principal, ORG, &repo.name, self.others_connector).await;
        attached.expect("attached");
        self.clear();
        let (source, head) = (Source::new(), Destination::new());
        let mut play = Play { stage: self, repo, source, head, has_prior: false };
        for step in &scenario.steps {
            play.step(step).await?;
        }
        Ok(())
    }

    /// Removes what the case before left in the sources.
    fn clear(&self) {
        for server in [&self.world.server, &self.others] {
            server.clear_rules();
            while let Some(left) = server.objects().seek(Bound::Unbounded) {
                server.remove(&left.key);
            }
        }
    }
}

struct Play<'s> {
    stage: &'s Stage,
    repo: Repo<'s>,
    source: Source,
    head: Destination,
    /// An import has failed after it read what it could: the next one has that too.
    has_prior: bool,
}

impl Play<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let mut source = self.source.clone();
        for change in &step.changes {
            match change {
                Change::Put(key, content) => drop(source.insert(key.clone(), content.clone())),
                Change::Remove(key) => drop(source.remove(key)),
            }
        }
        self.put_source(&source);
        self.stage.world.server.set(|settings| settings.shuffled = step.shuffled);
        self.dry_run(&step.ask).await?;
        let leaves_out = step.ask.options.on_error == OnError::Skip && !self.has_prior;
        let denied = if leaves_out { step.denied.clone() } else { BTreeSet::new() };
        self.deny(&denied);
        let base = self.head.clone();
        let (job, commits) = match &step.meanwhile {
            None => {
                let commits = self.repo.commits().await.len();
                (self.repo.import(self.request(&step.ask)).await, commits)
            }
            Some(meanwhile) => self.import_around(&step.ask, meanwhile).await?,
        };
        self.stage.world.server.clear_rules();
        let outcome = expected((&base, &self.head), &self.source, &step.ask, &denied);
        self.has_prior |= outcome.refused;
        let is_new = !outcome.refused && outcome.after != self.head;
        self.compare_job(&job, &outcome)?;
        if !outcome.refused {
            self.head.clone_from(&outcome.after);
        }
        self.compare_content().await?;
        let made = self.repo.commits().await.len() - commits;
        prop_assert_eq!(made, usize::from(is_new));
        let head = self.repo.commits().await.first().map(|commit| commit.id);
        let named = if outcome.refused || (!is_new && outcome.imported == 0) { None } else { head };
        prop_assert_eq!(job.commit, named, "{:?}", job);
        Ok(())
    }

    /// Has the source hold this and nothing else.
    fn put_source(&mut self, source: &Source) {
        let server = &self.stage.world.server;
        for key in self.source.keys().filter(|key| !source.contains_key(*key)) {
            server.remove(key);
        }
        for (key, content) in source {
            if self.source.get(key) != Some(content) {
                server.put(key, Object::new(content.clone()));
            }
        }
        self.source.clone_from(source);
    }

    /// Has the source refuse these keys.
    fn deny(&self, denied: &BTreeSet<String>) {
        let refusal = Fault::Status { code: 403, s3_code: "AccessDenied", headers: Vec::new() };
        let denied = denied.clone();
        let rule = Rule::on(Op::Get, refusal).keys(move |key| denied.contains(key));
        self.stage.world.server.rule(rule);
    }

    fn request(&self, ask: &Ask) -> ImportRequest {
        ImportRequest {
            source_prefix: Some(ask.prefix.clone()),
            destination_path: ask.destination.clone(),
            options: ask.options.clone(),
            ..self.stage.world.request()
        }
    }

    /// A dry run tells exactly what the import would do to the head, and does nothing.
    async fn dry_run(&self, ask: &Ask) -> Result<(), TestCaseError> {
        let options = ImportOptions { dry_run: true, ..ask.options.clone() };
        let gets = self.stage.world.server.stats().count(Op::Get);
        let job = self.repo.import(ImportRequest { options, ..self.request(ask) }).await;
        prop_assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
        let outcome = expected((&self.head, &self.head), &self.source, ask, &BTreeSet::new());
        let preview = job.preview.expect("a preview");
        let counts = [preview.added, preview.modified, preview.removed, preview.unchanged];
        prop_assert_eq!(counts, outcome.counts);
        prop_assert_eq!(preview.refusal.is_some(), outcome.refused);
        let rows = self.repo.changes(job.id, 3).await;
        let told: Vec<_> = rows.into_iter().map(|row| (row.path, (row.status, row.size))).collect();
        prop_assert_eq!(told, outcome.changes.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(job.commit, None);
        prop_assert_eq!(self.stage.world.server.stats().count(Op::Get), gets);
        Ok(())
    }

    /// Imports while others, who start later and end earlier, import into the same repository.
    /// Gives the number of commits with theirs, too.
    async fn import_around(
        &mut self,
        ask: &Ask,
        meanwhile: &Source,
    ) -> Result<(Import, usize), TestCaseError> {
        let (server, gate) = (&self.stage.world.server, Gate::new());
        server.rule(Rule::on(Op::List, Fault::Hold(gate.clone())).hits(0..1));
        let id = self.repo.start(self.request(ask)).await;
        for (key, content) in meanwhile {
            self.stage.others.put(key, Object::new(content.clone()));
        }
        let connector_id = Some(self.stage.others_connector);
        let request = ImportRequest { connector_id, ..ImportRequest::default() };
        let job = self.repo.import(request).await;
        prop_assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
        for (key, content) in meanwhile {
            self.stage.others.remove(key);
            let path = key[DIRECTORY.len()..].to_owned();
            // The mark makes it another object than one of the same key of the own source.
            self.head.insert(path, (format!("others:{key}"), content.clone()));
        }
        let commits = self.repo.commits().await.len();
        gate.open();
        let job = self.repo.ended(id).await;
        Ok((job, commits))
    }

    fn compare_job(&self, job: &Import, outcome: &Outcome) -> Result<(), TestCaseError> {
        if outcome.refused {
            prop_assert_eq!(job.status, JobStatus::Failed, "{:?}", job);
            let error = job.error.clone().unwrap_or_default();
            prop_assert!(error.contains("max_delete_percent"), "{}", error);
            return Ok(());
        }
        prop_assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
        let progress = &job.progress;
        let counts = [progress.objects_imported, progress.objects_unchanged];
        prop_assert_eq!(counts, [outcome.imported, outcome.unchanged]);
        let counts = [progress.objects_skipped, progress.objects_deleted];
        prop_assert_eq!(counts, [outcome.skipped, outcome.deleted]);
        Ok(())
    }

    async fn compare_content(&self) -> Result<(), TestCaseError> {
        let entries = self.repo.entries().await;
        let paths: Vec<&String> = entries.keys().collect();
        prop_assert_eq!(paths, self.head.keys().collect::<Vec<_>>());
        for (path, entry) in &entries {
            let (key, content) = &self.head[path];
            prop_assert_eq!(entry.size, content.len() as u64);
            prop_assert_eq!(entry.hash, model::Hash::of(content), "{}", path);
            let source = entry.source.as_ref().expect("provenance");
            let key = key.strip_prefix("others:").unwrap_or(key);
            prop_assert_eq!(&*source.source_path, format!("s3://{BUCKET}/{key}"));
        }
        if let Some((path, (_, content))) = self.head.iter().next() {
            prop_assert_eq!(&self.repo.read(path).await, content);
        }
        Ok(())
    }
}

#[test]
fn imports_do_what_the_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(2).enable_all().build().expect("a runtime");
    let stage = runtime.block_on(Stage::new());
    let default = Config::default();
    let config = Config {
        cases: default.cases.div_ceil(8),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..default
    };
    let number = std::cell::Cell::new(0);
    let played = TestRunner::new(config).run(&scenario::any(), |scenario| {
        number.set(number.get() + 1);
        runtime.block_on(stage.play(&scenario, number.get()))
    });
    if let Err(failure) = played {
        panic!("{failure}");
    }
    runtime.block_on(stage.world.assert_sound());
}
