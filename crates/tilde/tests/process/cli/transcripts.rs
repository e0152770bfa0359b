//! What the commands say, word for word.

use std::time::SystemTime;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::shell::Shell;

/// The sample bucket behind a port of this machine.
struct Bucket {
    runtime: Runtime,
    server: sample::Server,
}

impl Bucket {
    fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let credentials = sample::Credentials {
            access_key_id: "own-id".to_owned(),
            secret_access_key: "hush-hush".to_owned(),
        };
        let server = {
            let _in_runtime = runtime.enter();
            let bucket = sample::demo_bucket();
            sample::Server::start(listener, [bucket], credentials, SystemTime::now)
        };
        Self { runtime, server }
    }

    /// The usual variables for it.
    fn variables(&self, shell: &mut Shell, secret: &str) {
        let endpoint = format!("http://{}", self.server.addr());
        shell.name(&self.server.addr().to_string(), "BUCKET");
        shell.variables.retain(|(name, _)| !name.starts_with("AWS_"));
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", "own-id"),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_ENDPOINT_URL", &endpoint),
        ] {
            shell.variables.push((name.to_owned(), value.to_owned()));
        }
    }
}

#[test]
fn organizations_repositories_and_keys() {
    let mut shell = Shell::start();
    shell.run(&["organization", "create", "acme", "--display-name", "Acme Inc."]);
    shell.run(&["organization", "create", "acme"]);
    shell.run(&["organization", "create", "Not A Slug"]);
    shell.run(&["organization", "ls"]);
    shell.run(&["organization", "show", "acme"]);
    shell.run(&["organization", "show", "acme", "--json"]);
    shell.run(&["organization", "show", "nobody"]);
    shell.run(&["repository", "create", "acme/data", "--description", "measurements"]);
    shell.run(&["repository", "create", "acme/old", "--retention-days", "30", "--json"]);
    shell.run(&["repository", "ls"]);
    shell.run(&["repository", "ls", "acme", "--json"]);
    shell.run(&["repository", "show", "acme/data"]);
    shell.run(&["repository", "delete", "acme/old"]);
    shell.run(&["repository", "delete", "acme/old", "--yes"]);
    shell.run(&["repository", "delete", "acme/old", "--yes", "--json"]);
    shell.run(&["organization", "delete", "acme", "--yes", "-q"]);
    shell.run(&["organization", "ls", "--json"]);
    shell.run(&["key", "create", "robot", "--description", "for the night"]);
    let made = shell.run(&["key", "create", "second", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    shell.run(&["key", "revoke", made["id"].as_str().expect("an id")]);
    let token = made["token"].as_str().expect("a token");
    shell.run(&["repository", "ls", "--api-key", token]);
    shell.compare("nouns");
}

#[test]
fn connectors_and_imports() {
    let mut shell = Shell::start();
    let bucket = Bucket::start();
    shell.quietly(&["organization", "create", "acme"]);
    shell.run(&["import", "s3://sample-bucket/datasets/", "acme/data/in/", "--wait"]);
    shell.quietly(&["repository", "create", "acme/data"]);
    shell.run(&["import", "s3://sample-bucket/datasets/", "acme/data/in/", "--wait"]);
    bucket.variables(&mut shell, "wrong");
    shell.run(&["import", "s3://sample-bucket/datasets/", "acme/data/in/", "--wait"]);
    bucket.variables(&mut shell, "hush-hush");
    let dry = ["import", "s3://sample-bucket/datasets/", "acme/data/in/", "--wait", "--dry-run"];
    shell.run(&dry);
    shell.run(&["import", "s3://sample-bucket/datasets/", "acme/data/in/", "--wait"]);
    shell.remark("from here on the connector is there, and nothing needs credentials");
    shell.variables.retain(|(name, _)| !name.starts_with("AWS_"));
    shell.run(&["import", "s3://sample-bucket/datasets/notes/", "acme/data/n/", "--wait", "-q"]);
    let again = ["import", "s3://sample-bucket/datasets/notes/", "acme/data/n/", "--wait"];
    shell.run(&[&again[..], &["--json"]].concat());
    shell.run(&["import", "s3://sample-bucket/", "acme/data", "--wait"]);
    let wrong = ["import", "s3://sample-bucket/", "acme/data", "--connector", "sample-bucket"];
    shell.run(&wrong);
    shell.run(&["import", "tilde://acme/data/n/", "acme/data/copy/", "--wait", "-m", "Copy"]);
    let started = shell.run(&["import", "s3://sample-bucket/datasets/notes/", "acme/data/m/"]);
    let job = started.trim().to_owned();
    shell.run(&["import", "watch", "acme/data", &job]);
    shell.run(&["import", "cancel", "acme/data", &job]);
    shell.run(&["import", "status", "acme/data", &job]);
    shell.run(&["import", "retry", "acme/data", &job, "--wait"]);
    shell.run(&["import", "ls", "acme/data", "-n", "3"]);
    shell.run(&["ls", "acme/data/n", "-l"]);
    shell.run(&["import"]);
    connectors(&mut shell, &bucket);
    shell.compare("imports");
    drop(bucket.server);
    drop(bucket.runtime);
}

fn connectors(shell: &mut Shell, bucket: &Bucket) {
    shell.run(&["connector", "ls", "acme"]);
    shell.run(&["connector", "test", "acme", "sample-bucket"]);
    shell.run(&["connector", "create", "acme", "second", "s3://sample-bucket/"]);
    for (name, value) in [("MY_ID", "own-id"), ("MY_SECRET", "hush-hush")] {
        shell.variables.push((name.to_owned(), value.to_owned()));
    }
    let endpoint = format!("http://{}", bucket.server.addr());
    let named = ["--access-key-id-env", "MY_ID", "--secret-access-key-env", "MY_SECRET"];
    let create = ["connector", "create", "acme", "second", "s3://sample-bucket/", "--endpoint"];
    shell.run(&[&create[..], &[&endpoint], &named[..]].concat());
    shell.run(&["connector", "attach", "acme/data", "second"]);
    shell.run(&["connector", "attach", "acme/data", "second"]);
    shell.run(&["connector", "ls", "acme/data"]);
    shell.run(&["connector", "detach", "acme/data", "second"]);
    shell.run(&["connector", "delete", "acme", "second", "--yes"]);
    shell.run(&["connector", "delete", "acme", "second", "--yes"]);
    shell.run(&["connector", "ls", "acme", "--json"]);
}

#[test]
fn objects_and_history() {
    let mut shell = Shell::start();
    shell.quietly(&["organization", "create", "acme"]);
    shell.quietly(&["repository", "create", "acme/data"]);
    shell.write("files/a.csv", "a,b\n1,2\n");
    shell.write("files/deep/b.json", "{}\n");
    shell.write("files/deep/c.tmp", "no");
    shell.run(&["ls", "acme/data"]);
    shell.run(&["put", "files", "acme/data/in/", "--exclude", "**/*.tmp", "-m", "First"]);
    shell.run(&["put", "files", "acme/data/in/", "--exclude", "**/*.tmp"]);
    shell.run(&["put", "files/a.csv", "acme/data/", "--json"]);
    shell.run(&["ls", "acme/data"]);
    shell.run(&["ls", "-l", "acme/data/in"]);
    shell.run(&["ls", "-R", "acme/data"]);
    shell.run(&["ls", "acme/data/in/", "--json"]);
    shell.run(&["ls", "acme/data/nothing"]);
    shell.run(&["cat", "acme/data/in/a.csv"]);
    shell.run(&["cat", "acme/data/in/none"]);
    let session = shell.run(&["session", "start", "acme/data"]).trim().to_owned();
    shell.write("files/a.csv", "changed\n");
    shell.run(&["put", "files/a.csv", "acme/data/in/", "--session", &session]);
    shell.run(&["session", "changes", "acme/data", &session]);
    shell.run(&["diff", "acme/data", "--session", &session]);
    shell.remark("meanwhile somebody else changes the same");
    shell.write("files/a.csv", "theirs\n");
    shell.run(&["put", "files/a.csv", "acme/data/in/"]);
    shell.run(&["session", "commit", "acme/data", &session, "-m", "Mine"]);
    shell.run(&["session", "rollback", "acme/data", &session]);
    shell.run(&["session", "rollback", "acme/data", &session]);
    let log = shell.run(&["log", "acme/data"]);
    let ids: Vec<&str> = log.lines().filter_map(|line| line.split(' ').next()).collect();
    shell.run(&["log", "acme/data", "-n", "1", "--json"]);
    shell.run(&["log", "acme/data", "--object", "a.csv"]);
    shell.run(&["diff", "acme/data", ids[0]]);
    shell.run(&["diff", "acme/data", ids[2], ids[0], "--json"]);
    shell.run(&["revert", "acme/data", ids[0]]);
    shell.run(&["revert", "acme/data", ids[0]]);
    shell.run(&["cat", "acme/data/in/a.csv"]);
    shell.run(&["cat", "acme/data/in/a.csv", "--ref", ids[0]]);
    shell.run(&["get", "acme/data/in/", "out"]);
    shell.run(&["get", "acme/data/in/", "out", "--json"]);
    shell.run(&["get", "acme/data/in/none", "out"]);
    shell.compare("objects");
}

#[test]
fn what_goes_wrong_says_what_to_do() {
    let mut shell = Shell::start();
    shell.run(&["doctor"]);
    shell.run(&["api", "GET", "/organizations"]);
    shell.run(&["api", "post", "/organizations", "-d", r#"{"name":"acme","display_name":""}"#]);
    shell.run(&["api", "GET", "/nothing", "--json"]);
    shell.run(&["api", "GET", "no-slash"]);
    shell.run(&["api", "GET", "/x", "-d", "{"]);
    shell.run(&["ls", "acme"]);
    shell.run(&["repository", "ls", "--endpoint-url", "ftp://h"]);
    shell.run(&["repository", "ls", "--endpoint-url", "http://127.0.0.1:9"]);
    shell.run(&["repository", "ls", "--api-key", "tuk-wrong", "--json"]);
    shell.run(&["repository", "ls", "--api-key", "secret-of-another-kind"]);
    shell.variables.retain(|(name, _)| name != "TILDE_API_KEY");
    shell.run(&["repository", "ls"]);
    shell.run(&["auth", "status"]);
    let file = shell.write("home/.tilde/config.yaml", format!("api_key: {}\n", shell.key));
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(file, open).expect("set");
    shell.run(&["doctor", "--json"]);
    shell.write("home/.tilde/config.yaml", "- not\n- ours\n");
    shell.run(&["doctor"]);
    shell.run(&["repository", "ls"]);
    shell.compare("trouble");
}

#[test]
fn a_shell_can_complete_the_commands() {
    let shell = Shell::start();
    for name in ["bash", "zsh", "fish"] {
        let output = shell.quietly(&["completions", name]);
        let script = crate::program::said(&output);
        assert!(script.contains("connector") && script.contains("endpoint-url"), "{name}");
    }
}
