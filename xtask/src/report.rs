//! What a run did, step by step, and the summary at its end: what ran, and what did not and why.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

/// How a step ended.
pub(crate) enum Outcome {
    /// All was well; the text says how much that was, and may be empty.
    Passed(String),
    /// Something was wrong; the text says what.
    Failed(String),
    /// It did not run; the text says why.
    LeftOut(String),
}

impl Outcome {
    /// Passed or failed, without more to say.
    pub(crate) fn of(passed: bool) -> Self {
        if passed { Self::Passed(String::new()) } else { Self::Failed("see above".to_owned()) }
    }
}

/// Counts of a test runner.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Counts {
    /// Adds what a line like `test result: ok. 5 passed; 0 failed; 1 ignored;` (libtest) or
    /// `== 5 passed, 1 skipped in 3.21s ==` (pytest) says.
    pub(crate) fn add(&mut self, line: &str) {
        let mut number = None;
        for word in line.split([' ', ',', ';', '=']).filter(|word| !word.is_empty()) {
            match (word, number) {
                ("passed", Some(count)) => self.passed += count,
                ("failed" | "error" | "errors", Some(count)) => self.failed += count,
                ("ignored" | "skipped", Some(count)) => self.skipped += count,
                _ => {}
            }
            number = word.parse::<usize>().ok();
        }
    }

    /// As a person says it.
    pub(crate) fn text(self) -> String {
        let mut text = format!("{} passed", self.passed);
        if self.failed > 0 {
            text.push_str(&format!(", {} failed", self.failed));
        }
        if self.skipped > 0 {
            text.push_str(&format!(", {} skipped", self.skipped));
        }
        text
    }
}

/// The steps of a run.
#[derive(Default)]
pub(crate) struct Report {
    steps: Vec<(String, Outcome, u64)>,
    counts: Counts,
}

impl Report {
    /// Runs one step. An error of the step itself is a failure like any other.
    pub(crate) fn step(&mut self, name: &str, step: impl FnOnce(&mut Counts) -> Result<Outcome>) {
        println!("\n== {name}");
        let started = Instant::now();
        let outcome = step(&mut self.counts);
        let outcome = outcome.unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
        self.steps.push((name.to_owned(), outcome, started.elapsed().as_secs()));
    }

    /// Whether a step failed so far.
    pub(crate) fn has_failed(&self) -> bool {
        self.steps.iter().any(|(_, outcome, _)| matches!(outcome, Outcome::Failed(_)))
    }

    /// Prints the summary. The last line is for programs: steps that are no tests count as one.
    pub(crate) fn finish(self) -> ExitCode {
        println!("\n== summary");
        let failed = self.has_failed();
        let Counts { passed: mut good, failed: mut bad, .. } = self.counts;
        for (name, outcome, seconds) in &self.steps {
            let (word, note) = match outcome {
                Outcome::Passed(note) => ("passed", note),
                Outcome::Failed(note) => ("FAILED", note),
                Outcome::LeftOut(note) => ("left out", note),
            };
            let colon = if note.is_empty() { "" } else { ": " };
            println!("{word:>8}  {name}{colon}{note} ({seconds} s)");
            match outcome {
                Outcome::Passed(note) if !note.contains(" passed") => good += 1,
                Outcome::Failed(note) if !note.contains(" failed") => bad += 1,
                _ => {}
            }
        }
        println!("\n{good} passed, {bad} failed");
        if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_counts_of_both_test_runners() {
        let mut counts = Counts::default();
        counts.add("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        counts.add("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured");
        counts.add("===== 1 failed, 41 passed, 3 skipped, 1 error in 12.3s =====");
        assert_eq!(counts, Counts { passed: 48, failed: 3, skipped: 4 });
        assert_eq!(counts.text(), "48 passed, 3 failed, 4 skipped");
        let before = counts;
        counts.add("test parsing::passed ... ok");
        assert_eq!(counts, before);
    }
}
