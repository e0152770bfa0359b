//! The real program as a test sees it: commands that know nothing of this machine's environment,
//! and a server that is waited for and ended.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a server may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// The program, in an environment of its own.
pub(crate) fn tilde() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tilde"));
    command.env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// Runs `arguments` with `--data-dir`.
pub(crate) fn run(data: &Path, arguments: &[&str]) -> Output {
    tilde().args(arguments).arg("--data-dir").arg(data).output().expect("it runs")
}

/// Standard output of a run that succeeded.
pub(crate) fn said(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// Standard error of a run that ended with `code`.
pub(crate) fn refused(output: &Output, code: i32) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    errors
}

/// A folder that goes with the test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// What a server answers.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// What a browser sends back of the cookies it was given.
    pub(crate) fn cookies(&self) -> String {
        let set = self.head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
        let pairs = set.map(|cookie| cookie.split(';').next().unwrap_or_default());
        pairs.collect::<Vec<_>>().join("; ")
    }
}

/// A running `tilde serve`; killed when dropped.
pub(crate) struct Server {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// What it said before it listened.
    pub(crate) greeting: String,
}

impl Server {
    /// Starts on a free port and waits until it listens.
    pub(crate) fn start(data: &Path, adjust: impl FnOnce(&mut Command)) -> Self {
        let mut command = tilde();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        adjust(&mut command);
        let mut child = command.spawn().expect("it runs");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let (mut greeting, mut url) = (String::new(), None);
        while url.is_none() {
            let mut line = String::new();
            if output.read_line(&mut line).expect("its output") == 0 {
                let mut errors = String::new();
                let _read = child.stderr.take().expect("piped").read_to_string(&mut errors);
                panic!("the server ended: {errors}");
            }
            url = line.strip_prefix("listening on ").map(|url| url.trim().to_owned());
            greeting.push_str(&line);
        }
        Self { child, output, url: url.expect("the loop ended"), greeting }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits until it ends; its status and what it wrote to standard error.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + END_TIMEOUT;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                break status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let (mut errors, mut rest) = (String::new(), String::new());
        self.child.stderr.take().expect("piped").read_to_string(&mut errors).expect("UTF-8");
        self.output.read_to_string(&mut rest).expect("UTF-8");
        (status, errors)
    }

    /// Ends it in order.
    pub(crate) fn stop(self) -> String {
        self.signal("TERM");
        let (status, errors) = self.ended();
        assert_eq!(status.code(), Some(0), "{errors}");
        errors
    }

    /// A request with a key; the status and the JSON of the answer.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let (status, bytes) = self.bytes(method, path, token, body);
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// A request with a key; the status and the bytes of the answer.
    pub(crate) fn bytes(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> (u16, Vec<u8>) {
        self.authorized(method, path, &format!("Bearer {token}"), body)
    }

    /// As [`Server::bytes`], with this `Authorization` header.
    pub(crate) fn authorized(
        &self,
        method: &str,
        path: &str,
        authorization: &str,
        body: Option<Value>,
    ) -> (u16, Vec<u8>) {
        let headers =
            format!("authorization: {authorization}\r\ncontent-type: application/json\r\n");
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let answer = self.send(method, path, &headers, body.as_bytes()).expect("an answer");
        (answer.status, answer.body)
    }

    /// A request with any headers, each line ended, and any body; `None` if the server is gone
    /// before it has answered.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Option<Answer> {
        let address = self.url.strip_prefix("http://").expect("plain HTTP");
        let mut stream = TcpStream::connect(address).ok()?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}content-length: {}\r\n\
             connection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Some(Answer { status: status.expect("a status"), head, body: answer[end + 4..].to_vec() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The key that the first start wrote.
pub(crate) fn admin_key(data: &Path) -> String {
    let key = std::fs::read_to_string(data.join("admin.key")).expect("admin.key");
    key.trim().to_owned()
}
