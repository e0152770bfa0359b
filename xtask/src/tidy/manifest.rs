//! Manifests of the rooms: versions and features of what comes from outside stand once, in the
//! root.

/// Findings in one Cargo.toml of a room.
pub(super) fn check(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let mut section = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            continue;
        }
        let is_dependency = section.ends_with("dependencies") && line.contains('=');
        if is_dependency && !line.ends_with(".workspace = true") {
            let what = "write NAME.workspace = true; versions and features stand in the root";
            findings.push(format!("{path}:{}: {what}", index + 1));
        }
    }
    if !text.contains("[lints]\nworkspace = true") {
        findings.push(format!("{path}: [lints] workspace = true is missing"));
    }
    findings
}
