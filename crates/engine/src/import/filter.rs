//! Which objects an import takes: globs over the part of a path below the destination.
//!
//! `*` and `?` stay within a name, `**` crosses folders, `[a-z]` and `{a,b}` are as in a shell. A
//! glob without `/` is meant for the name alone, in whatever folder: `*.csv` takes `a/b.csv` too.
//! Globs see bytes as they are, and upper and lower case differ.

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};
use model::{ImportOptions, limits};

/// The globs of one import.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    /// `None` takes everything.
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Filter {
    /// Compiles the globs; an error names the field and the glob.
    pub(super) fn new(options: &ImportOptions) -> Result<Self, String> {
        let include = compile("include", &options.include)?;
        let exclude = compile("exclude", &options.exclude)?;
        Ok(Self { include: (!options.include.is_empty()).then_some(include), exclude })
    }

    /// Whether an object is taken, by its path below the destination.
    pub(super) fn takes(&self, relative: &[u8]) -> bool {
        if self.include.is_none() && self.exclude.is_empty() {
            return true;
        }
        let candidate = Candidate::from_bytes(relative);
        let included =
            self.include.as_ref().is_none_or(|globs| globs.is_match_candidate(&candidate));
        included && !self.exclude.is_match_candidate(&candidate)
    }
}

fn compile(field: &str, globs: &[String]) -> Result<GlobSet, String> {
    if globs.len() > limits::GLOBS_MAX {
        return Err(format!("{field}: has at most {} globs", limits::GLOBS_MAX));
    }
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let bytes_max = limits::GLOB_BYTES_MAX;
        if glob.is_empty() || glob.len() > bytes_max {
            return Err(format!("{field}: a glob has 1 to {bytes_max} bytes"));
        }
        let anchored = match glob.strip_prefix('/') {
            Some(rest) => rest.to_owned(),
            None if glob.contains('/') => glob.clone(),
            None => format!("**/{glob}"),
        };
        let mut glob_builder = GlobBuilder::new(&anchored);
        let built = glob_builder.literal_separator(true).backslash_escape(true).build();
        set.add(built.map_err(|error| format!("{field}: {glob:?} is no glob: {}", error.kind()))?);
    }
    set.build().map_err(|error| format!("{field}: the globs are too complex: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> Filter {
        let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect();
        let (include, exclude) = (owned(include), owned(exclude));
        Filter::new(&ImportOptions { include, exclude, ..ImportOptions::default() }).expect("globs")
    }

    #[test]
    fn globs_take_names_and_paths() {
        for (globs, taken, left) in [
            (&["*.csv"][..], &["a.csv", "d/e/a.csv", ".csv"][..], &["a.CSV", "a.csv/b", "csv"][..]),
            (&["d/*.csv"], &["d/a.csv"], &["a.csv", "d/e/a.csv", "x/d/a.csv"]),
            (&["d/**"], &["d/a", "d/e/f", "d//"], &["d", "e/d/a"]),
            (&["/*"], &["a"], &["d/a"]),
            (&["**/raw/*.{json,xml}"], &["raw/a.json", "a/b/raw/c.xml"], &["raw/a/b.json"]),
            (&["[a-c]?"], &["a1", "x/c2"], &["d1", "a"]),
            (&["\\*"], &["*"], &["a"]),
        ] {
            let filter = filter(globs, &[]);
            for path in taken {
                assert!(filter.takes(path.as_bytes()), "{globs:?} takes {path}");
            }
            for path in left {
                assert!(!filter.takes(path.as_bytes()), "{globs:?} leaves {path}");
            }
        }
    }

    #[test]
    fn exclude_wins_and_nothing_given_takes_all() {
        let both = filter(&["*.csv"], &["tmp/**", "_*"]);
        assert!(both.takes(b"a.csv") && !both.takes(b"tmp/a.csv") && !both.takes(b"x/_a.csv"));
        assert!(filter(&[], &[]).takes(b"\xff\x00//"));
        assert!(!filter(&[], &["*"]).takes(b"any/name"));
    }

    #[test]
    fn what_is_no_glob_is_named() {
        for (glob, said) in [("a[", "include: \"a[\""), ("", "include: a glob")] {
            let include = vec![glob.to_owned()];
            let error = Filter::new(&ImportOptions { include, ..ImportOptions::default() });
            assert!(error.expect_err(glob).starts_with(said));
        }
    }
}
