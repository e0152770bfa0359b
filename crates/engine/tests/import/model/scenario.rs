//! What is played: a few imports one after the other, the source changing between them.

use std::collections::{BTreeMap, BTreeSet};

use model::{ImportMode, ImportOptions, OnError};
use proptest::bool::weighted;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::{Source, globs};

/// The directory of the connector.
pub(super) const DIRECTORY: &str = "s/";

/// The bytes of an object.
pub(super) type Content = Vec<u8>;

/// One case.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) steps: Vec<Step>,
}

/// The source changes, then it is imported.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) changes: Vec<Change>,
    pub(super) ask: Ask,
    /// What others import from their own source while this import runs.
    pub(super) meanwhile: Option<Source>,
    /// Keys that the source refuses, if the import is to leave such out.
    pub(super) denied: BTreeSet<String>,
    /// Whether the source lists in an order of its own.
    pub(super) shuffled: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Put(String, Content),
    Remove(String),
}

/// What an import is asked to do.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) prefix: String,
    pub(super) destination: String,
    pub(super) options: ImportOptions,
}

impl Ask {
    /// The connector's directory and the prefix, which may name it too.
    pub(super) fn effective_prefix(&self) -> String {
        match self.prefix.starts_with(DIRECTORY) {
            true => self.prefix.clone(),
            false => format!("{DIRECTORY}{}", self.prefix),
        }
    }

    /// Empty, or ending in a slash.
    pub(super) fn destination(&self) -> String {
        match self.destination.as_str() {
            "" => String::new(),
            directory if directory.ends_with('/') => directory.to_owned(),
            directory => format!("{directory}/"),
        }
    }

    /// Whether the filters take this path below the destination.
    pub(super) fn takes(&self, below: &str) -> bool {
        let ImportOptions { include, exclude, .. } = &self.options;
        let any = |list: &[String]| list.iter().any(|glob| globs::takes(glob, below));
        (include.is_empty() || any(include)) && !any(exclude)
    }
}

/// Up to thirty objects at first, one to three imports.
pub(super) fn any() -> impl Strategy<Value = Scenario> {
    vec(step(), 1..=3).prop_map(|steps| Scenario { steps })
}

fn key() -> impl Strategy<Value = String> {
    "(a|b|/|\\.csv){0,3}".prop_map(|name| format!("{DIRECTORY}{name}"))
}

fn content() -> impl Strategy<Value = Content> {
    vec(0_u8..3, 0..3)
}

fn step() -> impl Strategy<Value = Step> {
    let change = prop_oneof![
        4 => (key(), content()).prop_map(|(key, content)| Change::Put(key, content)),
        1 => key().prop_map(Change::Remove),
    ];
    let meanwhile = option::weighted(0.3, others());
    let denied = btree_set(key(), 0..10);
    (vec(change, 0..30), ask(), meanwhile, denied, weighted(0.3)).prop_map(
        |(changes, ask, meanwhile, denied, shuffled)| Step {
            changes,
            ask,
            meanwhile,
            denied,
            shuffled,
        },
    )
}

/// Objects of others; none is the marker of their root, which has no path.
fn others() -> impl Strategy<Value = BTreeMap<String, Content>> {
    let key = key().prop_filter("a marker", |key| key != DIRECTORY);
    btree_map(key, content(), 1..4)
}

fn ask() -> impl Strategy<Value = Ask> {
    let prefix = prop_oneof![3 => Just(String::new()), 2 => "[ab/]{1,2}", 1 => "s/[ab]{0,1}"];
    let destination = prop_oneof![2 => Just(String::new()), 1 => "[ab/]{1,2}"];
    (prefix, destination, options()).prop_map(|(prefix, destination, options)| Ask {
        prefix,
        destination,
        options,
    })
}

fn options() -> impl Strategy<Value = ImportOptions> {
    let mode = prop_oneof![
        Just(ImportMode::Overlay),
        prop_oneof![Just(100), Just(50), 0_u8..=100]
            .prop_map(|max_delete_percent| ImportMode::Mirror { max_delete_percent }),
    ];
    let on_error = prop_oneof![Just(OnError::Fail), Just(OnError::Skip)];
    let (include, exclude) = (option::weighted(0.3, globs(2)), option::weighted(0.3, globs(1)));
    (mode, on_error, include, exclude).prop_map(|(mode, on_error, include, exclude)| {
        ImportOptions {
            mode,
            on_error,
            include: include.unwrap_or_default(),
            exclude: exclude.unwrap_or_default(),
            ..ImportOptions::default()
        }
    })
}

fn globs(most: usize) -> impl Strategy<Value = Vec<String>> {
    let glob = prop_oneof![
        Just("*.csv"),
        Just("a*"),
        Just("?"),
        Just("/*"),
        Just("/a/**"),
        Just("a/?"),
        Just("**/b/*"),
        Just("b"),
    ];
    vec(glob.prop_map(str::to_owned), 1..=most)
}
