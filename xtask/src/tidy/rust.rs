//! The rules for Rust files: size, header, names, and what a room may not call.

use super::mask::mask;
use super::room;

const FUNCTION_LINES_MAX: usize = 70;
const PRODUCTION_LINES_MAX: usize = 600;
const COLUMNS_MAX: usize = 100;

/// Names that say nothing; what is in such a file belongs to somebody.
const EMPTY_NAMES: [&str; 8] =
    ["common", "helper", "helpers", "manager", "misc", "shared", "util", "utils"];

/// Something that a line of production code must not contain.
struct Ban {
    /// All of these stand in one line.
    texts: &'static [&'static str],
    /// Rooms that may.
    allowed: &'static [&'static str],
    /// Why not, or what instead.
    instead: &'static str,
}

const BANS: &[Ban] = &[
    Ban { texts: &[".unwrap()"], allowed: &[], instead: "say why it holds: expect(\"...\")" },
    Ban { texts: &["SystemTime::now"], allowed: OUTSIDE, instead: CLOCK },
    Ban { texts: &["OffsetDateTime::now"], allowed: OUTSIDE, instead: CLOCK },
    Ban { texts: &["std::time::", "Instant"], allowed: OUTSIDE, instead: CLOCK },
    Ban { texts: &["rand::"], allowed: OUTSIDE, instead: ENTROPY },
    Ban { texts: &["getrandom::"], allowed: OUTSIDE, instead: ENTROPY },
    Ban { texts: &["Uuid::new_v4"], allowed: OUTSIDE, instead: ENTROPY },
    Ban { texts: &["std::env::"], allowed: OUTSIDE, instead: "configuration is handed in" },
    Ban { texts: &["env::var"], allowed: OUTSIDE, instead: "configuration is handed in" },
    Ban { texts: &["println!("], allowed: OUTSIDE, instead: "use tracing" },
    Ban { texts: &["print!("], allowed: OUTSIDE, instead: "use tracing" },
    Ban { texts: &["std::fs"], allowed: FILES, instead: "this room touches no files" },
    Ban { texts: &["tokio::fs"], allowed: FILES, instead: "this room touches no files" },
    Ban { texts: &["unbounded_channel"], allowed: &[], instead: "every queue has a bound" },
    Ban { texts: &["todo!("], allowed: &[], instead: "do it" },
    Ban { texts: &["unimplemented!("], allowed: &[], instead: "do it" },
];

/// The rooms that meet the world outside: real time, chance, environment and the terminal.
const OUTSIDE: &[&str] = &["tilde", "xtask"];
/// The rooms that open files: blocks, the certificates of sources and server, what the command line
/// sends and fetches, the program.
const FILES: &[&str] = &["blocks", "catalog", "client", "sources", "server", "tilde", "xtask"];
const CLOCK: &str = "time comes as an argument or from model::Clock";
const ENTROPY: &str = "randomness comes from model::Entropy";

/// Findings in one Rust file.
pub(super) fn check(path: &str, source: &str) -> Vec<String> {
    let masked = mask(source);
    let lines: Vec<&str> = masked.lines().collect();
    let production = if is_test_file(path) { 0 } else { production_lines(&lines) };
    let mut findings = check_name(path);
    let mut add = |line: usize, what: String| findings.push(format!("{path}:{line}: {what}"));

    if !source.starts_with("//!") {
        add(1, "open with //! and say what the file is and what it promises".to_owned());
    }
    if production > PRODUCTION_LINES_MAX {
        let what = format!("{production} production lines of {PRODUCTION_LINES_MAX} at most");
        add(production, format!("{what}; find the second idea in it"));
    }
    for (index, line) in source.lines().enumerate() {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX {
            add(index + 1, format!("{columns} columns of {COLUMNS_MAX} at most"));
        }
    }
    for (line, length) in functions(&lines) {
        if length > FUNCTION_LINES_MAX {
            add(line, format!("a function of {length} lines, {FUNCTION_LINES_MAX} at most"));
        }
    }
    for (index, line) in lines.iter().enumerate() {
        if line.contains("[allow(") {
            add(index + 1, "use #[expect(lint, reason = \"...\")]".to_owned());
        }
        for instead in banned(room(path), line).filter(|_| index < production) {
            add(index + 1, instead);
        }
        if let Some(name) = own_error(room(path), line) {
            add(index + 1, format!("{name} stutters; call it {}::Error", room(path)));
        }
    }
    findings
}

fn banned(room: &str, line: &str) -> impl Iterator<Item = String> {
    let hits = BANS.iter().filter(move |ban| {
        ban.texts.iter().all(|text| contains_word(line, text)) && !ban.allowed.contains(&room)
    });
    hits.map(|ban| format!("{}: {}", ban.texts.join(".."), ban.instead))
}

/// Whether `text` stands in `line`, not as the end of a longer name.
fn contains_word(line: &str, text: &str) -> bool {
    line.match_indices(text).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        text.starts_with('.') || !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// `BlocksError` in room blocks.
fn own_error(room: &str, line: &str) -> Option<String> {
    let mut letters = room.chars();
    let name = format!("{}{}Error", letters.next()?.to_ascii_uppercase(), letters.as_str());
    let defined = ["struct", "enum", "type"].map(|kind| format!("{kind} {name}"));
    defined.iter().any(|text| line.contains(text)).then_some(name)
}

/// Tests, benchmarks, and the room of tests: only the rules of shape hold there.
pub(super) fn is_test_file(path: &str) -> bool {
    let in_folder = path.split('/').any(|part| part == "tests" || part == "benches");
    let is_named = path.ends_with("_tests.rs") || path.ends_with("/tests.rs");
    in_folder || is_named || room(path) == "testkit"
}

/// Lines before the tests at the end of a file.
pub(super) fn production_lines(lines: &[&str]) -> usize {
    let opens_tests = |index: usize| {
        let module = lines.get(index + 1).is_some_and(|next| {
            let next = next.strip_prefix("pub(crate) ").unwrap_or(next);
            next.starts_with("mod ") && next.ends_with('{')
        });
        lines[index] == "#[cfg(test)]" && module
    };
    (0..lines.len()).find(|index| opens_tests(*index)).unwrap_or(lines.len())
}

fn check_name(path: &str) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let named = stem.split('/').find(|part| EMPTY_NAMES.contains(part));
    named.map(|name| format!("{path}:1: `{name}` names nothing")).into_iter().collect()
}

/// First line (from 1) and number of lines of each function with a body, in masked lines.
pub(super) fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let opens = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.iter().position(|word| *word == "fn").is_some_and(|at| {
            words[..at].iter().all(|word| {
                word.starts_with("pub")
                    || matches!(*word, "const" | "async" | "in")
                    || word.ends_with(')')
            })
        })
    };
    let starts = (0..lines.len()).filter(|index| opens(lines[*index]));
    starts.filter_map(|start| Some((start + 1, body_end(lines, start)? - start + 1))).collect()
}

/// The line of the `}` that ends the function whose `fn` stands in line `start`.
fn body_end(lines: &[&str], start: usize) -> Option<usize> {
    let mut braces = 0usize;
    let mut brackets = 0usize;
    for (index, line) in lines.iter().enumerate().skip(start) {
        for character in line.chars() {
            match character {
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets = brackets.saturating_sub(1),
                ';' if braces == 0 && brackets == 0 => return None,
                '{' => braces += 1,
                '}' if braces == 1 => return Some(index),
                '}' => braces = braces.saturating_sub(1),
                _ => {}
            }
        }
    }
    None
}
