//! A server that is told to stop in the middle of an import gives the import back; the next one
//! goes on with it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::s3::{ACCESS_KEY_ID, BUCKET, HostileS3, Objects, Op, SECRET_ACCESS_KEY, Settings};

use crate::program::{Folder, Server, admin_key, run, said};

const OBJECTS: u64 = 400;
/// GETs in flight by default: what a stop may have to read again.
const IN_FLIGHT: u64 = 10;
const REPOSITORY: &str = "/api/v1/organizations/acme/repositories/data";

#[test]
fn an_import_goes_on_after_an_orderly_stop() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let source = runtime.block_on(source());
    let folder = Folder::new();
    let data = folder.path("data");
    let server = Server::start(&data, |_| {});
    let job = start_import(&server, &data, &source.endpoint());
    runtime.block_on(source.until(|stats| stats.count(Op::Get) > OBJECTS / 4));

    let started = Instant::now();
    let log = server.stop();
    assert!(started.elapsed() < Duration::from_secs(10), "{log}");
    let before = source.stats().count(Op::Get);
    assert!(before < OBJECTS, "the stop came too late to prove anything");

    let server = Server::start(&data, |_| {});
    let ended = ended(&server, &data, &job);
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(ended["objects_imported"], OBJECTS);
    let gets = source.stats().count(Op::Get);
    assert!(gets <= OBJECTS + IN_FLIGHT, "{gets} GETs for {OBJECTS} objects");
    let (_, log) = server.call("GET", &format!("{REPOSITORY}/log"), &admin_key(&data), None);
    assert_eq!(log["results"].as_array().map(Vec::len), Some(1));
    server.stop();
    assert!(said(&run(&data, &["check"])).contains("clean (1 commit, 400 entries"));
}

async fn source() -> HostileS3 {
    let objects = (0..OBJECTS).map(|n| (format!("k{n:04}"), vec![n as u8; 3_000]));
    let settings = Settings { latency: Duration::from_millis(50), ..Settings::default() };
    HostileS3::start_with(objects.collect::<Objects>(), settings).await
}

fn start_import(server: &Server, data: &Path, endpoint: &str) -> String {
    let token = admin_key(data);
    let post = |path: &str, body: Value| {
        let (status, answer) = server.call("POST", path, &token, Some(body));
        assert!((200..300).contains(&status), "{path}: {answer}");
        answer
    };
    post("/api/v1/organizations", json!({"name": "acme", "display_name": "Acme"}));
    post("/api/v1/organizations/acme/repositories", json!({"name": "data"}));
    let connector = json!({
        "name": "source", "type": "s3", "source_uri": format!("s3://{BUCKET}/"),
        "config": {
            "access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET_ACCESS_KEY,
            "endpoint": endpoint,
        },
    });
    let connector = post("/api/v1/organizations/acme/connectors", connector)["id"].clone();
    post(&format!("{REPOSITORY}/connectors"), json!({"connector_id": connector}));
    let import = json!({"connector_id": connector, "destination_path": ""});
    let started = post(&format!("{REPOSITORY}/import"), import);
    started["job_id"].as_str().expect("a job").to_owned()
}

fn ended(server: &Server, data: &Path, job: &str) -> Value {
    let token = admin_key(data);
    for _ in 0..600 {
        let path = format!("{REPOSITORY}/import/{job}");
        let (_, import) = server.call("GET", &path, &token, None);
        if !["pending", "running"].map(Value::from).contains(&import["status"]) {
            return import;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the import does not end");
}
