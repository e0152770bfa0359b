//! A server that is told to stop in the middle of an import gives the import back; the next one
//! goes on with it.

use std::time::{Duration, Instant};

use testkit::s3::{Objects, Op, Settings};

use crate::importing::{REPOSITORY, Source, User};
use crate::program::{Folder, Server, run, said};

const OBJECTS: u64 = 400;
/// GETs in flight by default: what a stop may have to read again.
const IN_FLIGHT: u64 = 10;

#[test]
fn an_import_goes_on_after_an_orderly_stop() {
    let objects = (0..OBJECTS).map(|n| (format!("k{n:04}"), vec![n as u8; 3_000]));
    let settings = Settings { latency: Duration::from_millis(50), ..Settings::default() };
    let source = Source::start(objects.collect::<Objects>(), settings);
    let folder = Folder::new();
    let data = folder.path("data");
    let server = Server::start(&data, |_| {});
    let user = User::admin(&server, &data);
    user.set_up(&source);
    user.repository("data");
    let job = user.start_import("data", "");
    source.runtime.block_on(source.s3.until(|stats| stats.count(Op::Get) > OBJECTS / 4));

    let started = Instant::now();
    let log = server.stop();
    assert!(started.elapsed() < Duration::from_secs(10), "{log}");
    let before = source.s3.stats().count(Op::Get);
    assert!(before < OBJECTS, "the stop came too late to prove anything");

    let server = Server::start(&data, |_| {});
    let user = User::admin(&server, &data);
    let ended = user.ended(&job);
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(ended["objects_imported"], OBJECTS);
    let gets = source.s3.stats().count(Op::Get);
    assert!(gets <= OBJECTS + IN_FLIGHT, "{gets} GETs for {OBJECTS} objects");
    let log = user.call("GET", &format!("{REPOSITORY}/log"), None);
    assert_eq!(log["results"].as_array().map(Vec::len), Some(1));
    server.stop();
    assert!(said(&run(&data, &["check"])).contains("clean (1 commit, 400 entries"));
}
