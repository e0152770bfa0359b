//! Tidy on small bad samples: each rule finds what it is for, and nothing in good code.

use std::path::Path;

use serde_json::{Value, json};

use super::arrows::{check_lock, check_metadata};
use super::mask::mask;
use super::{manifest, room, rust, text};

fn found(path: &str, source: &str, needle: &str) {
    let findings = rust::check(path, source);
    let hits = findings.iter().filter(|finding| finding.contains(needle)).count();
    assert_eq!(hits, 1, "{needle} in {findings:#?}");
}

fn clean(path: &str, source: &str) {
    assert_eq!(rust::check(path, source), Vec::<String>::new());
}

const GOOD: &str = "//! A file.\n\n/// Its function.\npub fn good() {}\n";

#[test]
fn good_code_has_no_findings() {
    clean("crates/engine/src/good.rs", GOOD);
    clean("crates/tree/benches/tree.rs", "//! Speed.\nuse std::time::Instant;\n");
    clean("crates/tilde/src/a.rs", "//! A.\nfn a() { println!(); std::env::args(); }\n");
    clean("crates/blocks/src/local.rs", "//! L.\nuse std::fs;\n");
}

#[test]
fn shape_is_checked() {
    found("crates/model/src/a.rs", "fn a() {}\n", "open with //!");
    found("crates/model/src/a.rs", &format!("//! {}\n", "x".repeat(100)), "104 columns");
    let long = format!("//! A.\nasync fn long(\n) {{\n{}}}\n", "    x();\n".repeat(70));
    found("crates/model/src/a.rs", &long, "a function of 73 lines");
    let many = format!("//! A.\n{}", "fn a() {}\n".repeat(601));
    found("crates/model/src/a.rs", &many, "602 production lines");
    let tests = format!("//! A.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn a() {}\n".repeat(601));
    clean("crates/model/src/a.rs", &tests);
    clean("crates/model/src/a/tests.rs", &many);
}

#[test]
fn a_declaration_is_no_function() {
    let lines = ["trait A {", "    fn a(&self) -> [u8; 2];", "    fn b(&self) {", "    }", "}"];
    assert_eq!(rust::functions(&lines), [(3, 2)]);
}

#[test]
fn names_are_checked() {
    for path in ["crates/model/src/utils.rs", "crates/model/src/helpers/mod.rs"] {
        found(path, GOOD, "names nothing");
    }
    let stutter = "//! A.\n/// E.\npub enum BlocksError {}\n";
    found("crates/blocks/src/error.rs", stutter, "BlocksError stutters");
    clean("crates/tree/src/error.rs", "//! A.\n/// E.\npub enum TreeFindingError {}\n");
}

#[test]
fn calls_are_banned_by_room() {
    let calls = [
        "let a = b.unwrap();",
        "let a = SystemTime::now();",
        "use std::time::{Duration, Instant};",
        "let a = rand::random();",
        "let a = std::env::args();",
        "println!(\"a\");",
        "let a = unbounded_channel();",
        "#[allow(dead_code)]",
    ];
    for call in calls {
        found("crates/engine/src/a.rs", &format!("//! A.\nfn a() {{\n{call}\n}}\n"), "a.rs:3");
        clean("crates/engine/src/a.rs", &format!("//! A.\n// {call}\nfn a() {{}}\n"));
    }
    found("crates/tree/src/a.rs", "//! A.\nuse std::fs::File;\n", "touches no files");
    found("crates/tilde/src/a.rs", "//! A.\nfn a() { b().unwrap(); }\n", "expect(");
    let tested = "//! A.\n#[cfg(test)]\nmod tests {\n    fn a() { b().unwrap(); }\n}\n";
    clean("crates/tree/src/a.rs", tested);
}

#[test]
fn the_mask_blanks_texts_and_keeps_lines() {
    let source = "a(\"x }\\\" {\"); // b {\n/* c /* d */ { */ 'e'; '\\''; &'f g; \
                  r#\"h\" {\"#; br\"{\"; r#fn\n";
    let masked = mask(source);
    assert_eq!(masked.lines().count(), 2);
    assert_eq!(masked.chars().count(), source.chars().count());
    assert!(!masked.contains('{') && !masked.contains('}'), "{masked}");
    for kept in ["a(\"", "&'f g;", "r#fn"] {
        assert!(masked.contains(kept), "{kept} in {masked}");
    }
}

fn metadata(name: &str, dependencies: &Value) -> Value {
    let member = |name: &str| json!({"name": name, "dependencies": [], "features": {}});
    let package = json!({"name": name, "dependencies": dependencies, "features": {}});
    json!({"packages": [package, member("model"), member("testkit"), member("catalog"),
        member("engine"), member("server")]})
}

#[test]
fn arrows_point_down_only() {
    let edge = |name: &str, kind: Value| json!([{"name": name, "kind": kind}]);
    let bad = [
        ("model", edge("tokio", Value::Null)),
        ("blocks", edge("engine", Value::Null)),
        ("server", edge("catalog", Value::Null)),
        ("server", edge("rusqlite", Value::Null)),
        ("engine", edge("testkit", Value::Null)),
        ("tree", edge("catalog", json!("dev"))),
        ("sources", edge("reqwest", Value::Null)),
        ("newcomer", json!([])),
    ];
    for (name, dependencies) in bad {
        let findings = check_metadata(&metadata(name, &dependencies));
        assert_eq!(findings.len(), 1, "{name}: {findings:?}");
    }
    let good = [
        ("blocks", edge("model", Value::Null)),
        ("engine", edge("testkit", json!("dev"))),
        ("server", edge("catalog", json!("dev"))),
        ("catalog", edge("rusqlite", Value::Null)),
    ];
    for (name, dependencies) in good {
        let findings = check_metadata(&metadata(name, &dependencies));
        assert!(findings.is_empty(), "{name}: {findings:?}");
    }
}

#[test]
fn manifests_and_the_lock_are_checked() {
    let good = "[lints]\nworkspace = true\n\n[dependencies]\nserde.workspace = true\n";
    assert!(manifest::check("crates/a/Cargo.toml", good).is_empty());
    let bad = good.replace("serde.workspace = true", "serde = \"1\"");
    assert_eq!(manifest::check("crates/a/Cargo.toml", &bad).len(), 1);
    assert_eq!(manifest::check("crates/a/Cargo.toml", "[package]\n").len(), 1);
    assert_eq!(check_lock("[[package]]\nname = \"openssl-sys\"\nname = \"serde\"\n").len(), 1);
}

#[test]
fn texts_are_checked() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a parent");
    let count = |path: &str, content: &str| text::check(root, path, content).len();
    assert_eq!(count("docs/a.md", "[a](../README.md#there) and [b](https://example.com/c)\n"), 0);
    assert_eq!(count("docs/a.md", "[a](nowhere.md)\n"), 1);
    assert_eq!(count("docs/a.md", "```\n[a](nowhere.md)\n```\n"), 0);
    assert_eq!(count("README.md", &"a\n".repeat(121)), 1);
    assert_eq!(count("a.py", "a = 1 \n"), 1);
    assert_eq!(count("a.py", "a = 1"), 1);
    assert_eq!(count("a.py", &format!("open('{}{}me/a')\n", "/ho", "me/")), 1);
    assert_eq!(count("a.py", "open('data/home/a')\n"), 0);
}

#[test]
fn every_file_has_a_room() {
    assert_eq!(room("crates/tree/src/lib.rs"), "tree");
    assert_eq!(room("xtask/src/main.rs"), "xtask");
    assert_eq!(room("README.md"), "");
}
