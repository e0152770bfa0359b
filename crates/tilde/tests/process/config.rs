//! The documentation of the options is what the program says, and mistakes in a configuration are
//! refused at the start with the place, the option and what is expected.

use std::path::Path;

use crate::program::{Folder, tilde};

#[test]
fn the_documentation_is_generated() {
    let page = tilde().args(["config", "docs"]).output().expect("it runs");
    let page = String::from_utf8(page.stdout).expect("UTF-8");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).expect("written");
    }
    let committed = std::fs::read_to_string(&path).expect("docs/configuration.md");
    assert!(committed == page, "docs/configuration.md is old; run this test with UPDATE=1");
}

#[test]
fn mistakes_are_refused_with_place_option_and_expectation() {
    let folder = Folder::new();
    let file = folder.path("tilde.yaml");
    for (yaml, expected) in [
        (
            "imports: {concurrency: many}",
            "`imports.concurrency` must be a number from 1 to 256; found `many`",
        ),
        ("import: {jobs: 1}", "unknown option `import`"),
        ("auth: {encryption: {keys: [c2hvcnQ=]}}", "key 1: it has 5 bytes, not 32"),
        (
            "auth: {encryption: {keys: [AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]}}",
            "no random key",
        ),
        ("listen: [", "not valid YAML"),
    ] {
        std::fs::write(&file, yaml).expect("written");
        let refused = tilde().arg("serve").arg("--config").arg(&file).output().expect("it runs");
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{yaml}: {message}");
        assert!(message.contains("tilde.yaml: ") && message.contains(expected), "{message}");
    }
    let missing = tilde().args(["serve", "--config", "/no/such.yaml"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot read /no/such.yaml"));
    let refused = tilde().arg("serve").env("TILDE__IMPORT__JOBS", "1").output().expect("it runs");
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains("TILDE__IMPORT__JOBS: unknown option"), "{message}");
}
