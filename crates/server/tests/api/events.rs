//! An import watched through its events: to its end, until it may not be seen any more, and as
//! long as the server lets it.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use http::HeaderMap;
use serde_json::{Value, json};
use server::{Limits, serve};
use testkit::s3::{Fault, Gate, Objects, Op, Rule};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{ORG, REPO, World, request};

/// Streams that a server allows.
const STREAMS_MAX: usize = 256;

/// A stream of events that is being read.
struct Stream {
    headers: HeaderMap,
    body: BodyDataStream,
    /// What has arrived and is not told yet.
    text: String,
    comments: usize,
}

impl Stream {
    async fn open(world: &World, job: &str, token: &str) -> Self {
        let response = world.begin(events(job, token)).await;
        assert_eq!(response.status(), 200);
        let (parts, body) = response.into_parts();
        let (body, text) = (body.into_data_stream(), String::new());
        Self { headers: parts.headers, body, text, comments: 0 }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                match block.starts_with(':') {
                    true => self.comments += 1,
                    false => return Some(parsed(&block)),
                }
            }
            let Some(bytes) = self.body.next().await else {
                assert_eq!(self.text, "", "the last event is whole");
                return None;
            };
            let bytes = bytes.expect("the stream does not break");
            self.text.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
        }
    }
}

fn parsed(block: &str) -> (String, Value) {
    let (event, data) = block.split_once('\n').expect("two lines");
    let event = event.strip_prefix("event: ").expect("a named event").to_owned();
    let data = data.strip_prefix("data: ").expect("data in one line");
    (event, serde_json::from_str(data).expect("JSON"))
}

fn events(job: &str, token: &str) -> http::Request<Body> {
    request("GET", &format!("{REPO}/import/{job}/events"), Some(token), None)
}

/// An import that cannot end, as nothing of the source can be read before the gate opens.
async fn held(world: &World) -> (String, Gate) {
    let gate = Gate::new();
    world.source.rule(Rule::on(Op::Get, Fault::Hold(gate.clone())));
    (started(world).await, gate)
}

async fn started(world: &World) -> String {
    let body = json!({"connector_id": world.attached().await, "destination_path": ""});
    let started = world.post(&format!("{REPO}/import"), body).await.is(202).json();
    started["job_id"].as_str().expect("an id").to_owned()
}

fn objects() -> Objects {
    Objects::from([("a.txt", "one"), ("b.txt", "three")])
}

#[tokio::test]
async fn an_import_is_watched_to_its_end() {
    let world = World::new(objects()).await;
    let (job, gate) = held(&world).await;
    let mut stream = Stream::open(&world, &job, &world.owner).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["cache-control"], "no-store");
    assert_eq!(stream.headers["x-accel-buffering"], "no");

    let (event, first) = stream.next().await.expect("the state comes at once");
    assert_eq!((&*event, &first["id"]), ("progress", &json!(job)));
    gate.open();
    let mut last = first;
    loop {
        let (event, state) = stream.next().await.expect("an event before the end");
        if event == "end" {
            last = state;
            break;
        }
        assert_eq!(event, "progress");
        assert_ne!(state, last, "only what has changed is told");
        last = state;
    }
    assert_eq!((&last["status"], &last["objects_imported"]), (&json!("completed"), &json!(2)));
    assert_eq!(last["commit_id"], world.head().await);
    assert_eq!(last, world.get(&format!("{REPO}/import/{job}")).await.json());
    assert!(stream.next().await.is_none(), "nothing comes after the end");

    // Of one that has ended there is nothing to wait for.
    let mut stream = Stream::open(&world, &job, &world.owner).await;
    assert_eq!(stream.next().await, Some(("end".to_owned(), last)));
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn who_may_not_see_the_job_any_more_is_told_so() {
    let world = World::new(objects()).await;
    world.post(&format!("{ORG}/members"), json!({"username": "mallory"})).await.is(201);
    let (job, _gate) = held(&world).await;
    let key = world.post("/api/v1/auth/keys", json!({"name": "k"})).await.is(201).json();
    let token = key["token"].as_str().expect("a token");
    let mut member = Stream::open(&world, &job, &world.stranger).await;
    let mut keyed = Stream::open(&world, &job, token).await;
    for stream in [&mut member, &mut keyed] {
        assert_eq!(stream.next().await.expect("a state").0, "progress");
    }

    let members = world.get(&format!("{ORG}/members")).await.json();
    let members = members["results"].as_array().expect("members").clone();
    let mallory = members.iter().find(|member| member["username"] == "mallory");
    let mallory = mallory.expect("a member")["user_id"].as_str().expect("an id");
    world.delete(&format!("{ORG}/members/{mallory}")).await.is(204);
    let id = key["id"].as_str().expect("an id");
    world.delete(&format!("/api/v1/auth/keys/{id}")).await.is(204);
    for (stream, code) in [(&mut member, "NOT_FOUND"), (&mut keyed, "UNAUTHORIZED")] {
        let error = loop {
            match stream.next().await.expect("an error before the end") {
                (event, _) if event == "progress" => {}
                (event, error) => {
                    assert_eq!(event, "error");
                    break error;
                }
            }
        };
        assert_eq!(error["code"], code);
        assert_eq!(error["request_id"], stream.headers["x-request-id"].to_str().expect("ASCII"));
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
        assert!(stream.next().await.is_none());
    }
    let mut owner = Stream::open(&world, &job, &world.owner).await;
    assert_eq!(owner.next().await.expect("a state").0, "progress");
}

#[tokio::test]
async fn only_so_many_streams_are_open_at_once() {
    let mut world = World::new(objects()).await;
    world.rest().await;
    let job = started(&world).await;
    let mut open = Vec::new();
    for _ in 0..STREAMS_MAX {
        open.push(Stream::open(&world, &job, &world.owner).await);
    }
    let answer = world.send(events(&job, &world.owner)).await;
    assert!(answer.refused(503).contains("too many"));
    assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    world.send(events(&job, &world.stranger)).await.refused(404);
    world.get(&format!("{REPO}/import/{job}")).await.is(200);

    open.pop();
    let mut stream = Stream::open(&world, &job, &world.owner).await;
    assert_eq!(stream.next().await.expect("a state").1["status"], "pending");
}

#[tokio::test]
async fn a_stream_in_which_nothing_happens_shows_that_it_lives_and_ends_in_time() {
    let mut world = World::new(objects()).await;
    world.rest().await;
    let job = started(&world).await;
    let mut stream = Stream::open(&world, &job, &world.owner).await;
    assert_eq!(stream.next().await.expect("a state").1["status"], "pending");
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    assert_eq!(stream.next().await, None, "a job that does not change is not told again");
    // The paused clock leaps ahead of the looks, so it can show more, not less.
    assert!(begun.elapsed() > Duration::from_secs(3_500));
    assert!(stream.comments > 0);
    assert_eq!(world.get(&format!("{REPO}/import/{job}")).await.json()["status"], "pending");
}

#[tokio::test]
async fn a_stop_of_the_server_ends_the_streams_in_order() {
    let mut world = World::new(objects()).await;
    world.rest().await;
    let job = started(&world).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("an address");
    // Much more time than the test has: the streams must not be what the stop waits for.
    let limits = Limits { shutdown_ms: 3_600_000, ..Limits::default() };
    let (router, shutdown) = (world.router.clone(), world.shutdown.clone());
    let server = tokio::spawn(serve(listener, router, None, limits, shutdown));
    let mut client = TcpStream::connect(addr).await.expect("it listens");
    let head = format!(
        "GET {REPO}/import/{job}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        world.owner
    );
    client.write_all(head.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("event: progress") {
        let read = client.read_buf(&mut answer).await.expect("it answers");
        assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
    }
    world.shutdown.cancel();
    let ended = async {
        client.read_to_end(&mut answer).await.expect("an orderly end");
        server.await.expect("it ends");
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.expect("the stream ends");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.ends_with("\r\n0\r\n\r\n"), "{answer}");
    assert!(!answer.contains("event: end") && !answer.contains("event: error"), "{answer}");
}
