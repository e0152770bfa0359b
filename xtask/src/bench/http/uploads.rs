//! Uploading small objects into a session: in the three steps of the Python client, and in one
//! request each. Both end with every object durable; the commit is timed on its own.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::super::data::Random;
use super::super::rows::{Bar, Row};
use super::connection::{Answer, Connection, request};
use super::drive::measured;
use super::peer::Peer;
use super::{CONNECTIONS, Setting};

const OBJECTS: u64 = 10_000;
const OBJECT_BYTES: usize = 8 << 10;
const PER_S_AIM: f64 = 1_500.0;
const REPOSITORY: &str = "/api/v1/organizations/bench/repositories/bench";
const TYPE: (&str, &str) = ("Content-Type", "application/octet-stream");
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// How an object gets into a session.
#[derive(Clone, Copy)]
enum Way {
    /// Begin, send, finalize.
    ThreeSteps,
    /// PUT with a body.
    OneRequest,
}

/// An upload's surroundings.
struct Session<'a> {
    id: String,
    folder: String,
    address: &'a str,
    authorization: String,
}

/// Both ways.
pub(super) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    const PART: &str = "uploads";
    let mut rows = Vec::new();
    for (way, name) in [(Way::ThreeSteps, "PUT, PUT, POST finalize"), (Way::OneRequest, "one PUT")]
    {
        let (mut speed, mut cpu, mut commit) = (vec![], vec![], vec![]);
        for run in 1..=setting.runs {
            let folder = format!("{}-{run}", if name == "one PUT" { "one" } else { "three" });
            let (per_s, cpu_us, commit_ms) = upload(setting, way, folder)?;
            eprintln!("{run}/{} {name}: {per_s:.0}/s, CPU {cpu_us:.0} us", setting.runs);
            speed.push(per_s);
            cpu.push(cpu_us);
            commit.push(commit_ms);
        }
        let speed = Row::new(PART, format!("{name}, 8 KiB, 16 connections"), "objects/s", speed);
        rows.push(speed.asked(Bar::AtLeast(PER_S_AIM)));
        rows.push(Row::new(PART, format!("{name}: CPU of the server"), "us/object", cpu));
        rows.push(Row::new(PART, format!("{name}: commit of the session"), "ms", commit));
    }
    Ok(rows)
}

/// One session: objects a second, microseconds of CPU an object, milliseconds of the commit.
fn upload(setting: &Setting, way: Way, folder: String) -> Result<(f64, f64, f64)> {
    let api = &setting.server.api;
    let path = "/organizations/bench/repositories/bench/sessions";
    let begun = api.call("POST", path, &Value::Null)?;
    let id = begun["session_id"].as_str().context("no session_id")?.to_owned();
    let authorization = format!("Bearer {}", api.key);
    let session = Session { id, folder, address: &api.address, authorization };
    let objects = setting.scaled(OBJECTS);
    let driven = measured(&Peer::tilde(&setting.server), CONNECTIONS, |thread, connection| {
        let mine = (thread..objects).step_by(CONNECTIONS as usize);
        mine.map(|number| {
            let sent = Instant::now();
            session.put(connection, way, number)?;
            Ok(sent.elapsed().as_secs_f64())
        })
        .collect()
    })?;
    let committing = Instant::now();
    let message = json!({"message": "An upload of the benchmark"});
    api.call("POST", &format!("{path}/{}", session.id), &message)?;
    let commit_ms = committing.elapsed().as_secs_f64() * 1e3;
    session.check(objects)?;
    Ok((driven.requests_per_s(), driven.server_us(), commit_ms))
}

impl Session<'_> {
    fn path(&self, number: u64) -> String {
        format!("uploads/{}/obj-{number:06}.bin", self.folder)
    }

    fn target(&self, number: u64) -> String {
        format!("session_id={}&path={}", self.id, self.path(number))
    }

    fn put(&self, connection: &mut Connection, way: Way, number: u64) -> Result<()> {
        let authorization = ("Authorization", &*self.authorization);
        let (target, bytes) = (self.target(number), content(number));
        let line = format!("PUT {REPOSITORY}/object?{target}");
        match way {
            Way::OneRequest => {
                let put = request(&line, self.address, &[authorization, TYPE], &bytes);
                good(&connection.exchange(&put)?)
            }
            Way::ThreeSteps => {
                let begin = request(&line, self.address, &[authorization], b"");
                let begun = document(&connection.exchange(&begin)?)?;
                let text = |field: &str| begun[field].as_str().context("an incomplete answer");
                let (url, token) = (text("upload_url")?, text("upload_token")?);
                let url = url.split_once("://").map_or(url, |(_, rest)| rest);
                let line = format!("PUT /{}", url.split_once('/').context("no path")?.1);
                let send = request(&line, self.address, &[TYPE], &bytes);
                let sent = connection.exchange(&send)?;
                good(&sent)?;
                let etag = sent.header("etag").context("no ETag")?.trim_matches('"').to_owned();
                let finalize = json!({
                    "upload_token": token, "checksum": etag, "size_bytes": bytes.len(),
                    "content_type": TYPE.1,
                });
                let line = format!("POST {REPOSITORY}/object/finalize?{target}");
                let headers = [authorization, JSON];
                let body = finalize.to_string();
                let finalize = request(&line, self.address, &headers, body.as_bytes());
                good(&connection.exchange(&finalize)?)
            }
        }
    }

    /// Some of the objects are in the head, with their bytes.
    fn check(&self, objects: u64) -> Result<()> {
        let mut connection = Connection::open(self.address)?;
        for number in (0..objects).step_by(objects.div_ceil(16) as usize) {
            let line = format!("GET {REPOSITORY}/object?path={}", self.path(number));
            let headers = [("Authorization", &*self.authorization)];
            let read = connection.exchange(&request(&line, self.address, &headers, b""))?;
            good(&read)?;
            ensure!(read.body == content(number), "{} has other bytes", self.path(number));
        }
        Ok(())
    }
}

fn good(answer: &Answer<'_>) -> Result<()> {
    let text = String::from_utf8_lossy(&answer.body[..answer.body.len().min(500)]);
    ensure!((200..300).contains(&answer.status), "answered {}: {text}", answer.status);
    Ok(())
}

fn document(answer: &Answer<'_>) -> Result<Value> {
    good(answer)?;
    serde_json::from_slice(answer.body).context("not a JSON document")
}

/// The bytes of an object, which no other has.
fn content(number: u64) -> Vec<u8> {
    let mut random = Random(number);
    (0..OBJECT_BYTES / 8).flat_map(|_| random.next().to_le_bytes()).collect()
}
