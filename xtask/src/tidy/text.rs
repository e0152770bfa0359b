//! The rules for every text file: no path of somebody's machine, clean line ends, Markdown links
//! that lead somewhere.

use std::path::Path;

const README_LINES_MAX: usize = 120;

/// Starts of paths that exist on one machine only; written in two halves, so as not to be found
/// here.
const MACHINES: [(&str, &str); 4] =
    [("/wo", "rk/"), ("/ho", "me/"), ("/ro", "ot/"), ("/Use", "rs/")];

/// Findings in one text file; `root` is asked whether links lead somewhere.
pub(super) fn check(root: &Path, path: &str, content: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let mut add = |line: usize, what: String| findings.push(format!("{path}:{line}: {what}"));
    for (index, line) in content.lines().enumerate() {
        if line.ends_with([' ', '\t']) && !path.ends_with(".snap") {
            add(index + 1, "spaces at the end of the line".to_owned());
        }
        for machine in MACHINES.map(|(left, right)| format!("{left}{right}")) {
            if starts_path(line, &machine) {
                add(index + 1, format!("{machine}.. is a path of somebody's machine"));
            }
        }
    }
    if !content.is_empty() && !content.ends_with('\n') && !path.ends_with(".snap") {
        add(content.lines().count(), "the last line has no end".to_owned());
    }
    if path == "README.md" && content.lines().count() > README_LINES_MAX {
        add(README_LINES_MAX, format!("a README has at most {README_LINES_MAX} lines"));
    }
    if path.ends_with(".md") {
        findings.extend(check_links(root, path, content));
    }
    findings
}

/// Whether an absolute path with this start stands in the line; `a/work/b` is none, nor is a URL's
/// path, nor that of Ann, who lives in examples.
fn starts_path(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let continues = before.is_some_and(|c| c.is_alphanumeric() || "._-~/}*".contains(c));
        !continues && !line[at + start.len()..].starts_with("ann")
    })
}

fn check_links(root: &Path, path: &str, content: &str) -> Vec<String> {
    let folder = root.join(path);
    let folder = folder.parent().unwrap_or(root);
    let mut findings = Vec::new();
    let mut in_code = false;
    for (index, line) in content.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        for target in links(line).filter(|_| !in_code) {
            if !folder.join(target).exists() {
                findings
                    .push(format!("{path}:{}: link to {target}, which is not there", index + 1));
            }
        }
    }
    findings
}

/// Targets of relative links in a line, without their anchors.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let targets =
        targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
    targets.filter_map(|target| target.split('#').next()).filter(|target| !target.is_empty())
}
