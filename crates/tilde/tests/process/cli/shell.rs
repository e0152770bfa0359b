//! A user at a shell: runs commands, and keeps what was said in a form that is the same each time.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::program::{Folder, Server, admin_key, tilde};

/// A server, a home, and what was said so far.
pub(crate) struct Shell {
    pub(crate) server: Server,
    pub(crate) folder: Folder,
    pub(crate) key: String,
    /// Variables of every command.
    pub(crate) variables: Vec<(String, String)>,
    text: String,
    /// What is different each time, and what stands for it.
    names: Vec<(String, String)>,
}

impl Shell {
    /// A fresh server, and a user who has its first key.
    pub(crate) fn start() -> Self {
        let folder = Folder::new();
        // Its log goes into a pipe that nobody reads, and must not fill it.
        let server = Server::start(&folder.path("data"), |command| {
            command.env("TILDE__LOG__LEVEL", "error");
        });
        std::fs::create_dir(folder.path("home")).expect("made");
        let key = admin_key(&folder.path("data"));
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let variables = vec![
            set("HOME", &folder.path("home").to_string_lossy()),
            set("TILDE_ENDPOINT_URL", &server.url),
            set("TILDE_API_KEY", &key),
        ];
        let address = server.url.trim_start_matches("http://").to_owned();
        let names = vec![
            (folder.path("").to_string_lossy().trim_end_matches('/').to_owned(), "FOLDER".into()),
            (address, "SERVER".into()),
            (key.clone(), "KEY".into()),
        ];
        Self { server, folder, key, variables, text: String::new(), names }
    }

    /// `value` is written as `name` from now on.
    pub(crate) fn name(&mut self, value: &str, name: &str) {
        self.names.push((value.to_owned(), name.to_owned()));
    }

    /// A command with the variables of this shell.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tilde();
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command.args(arguments).envs(variables).current_dir(self.folder.path(""));
        command
    }

    /// Runs a command, without keeping what it says.
    pub(crate) fn quietly(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it runs")
    }

    /// Runs a command and keeps it; what it wrote to standard output.
    pub(crate) fn run(&mut self, arguments: &[&str]) -> String {
        let output = self.quietly(arguments);
        self.keep(arguments, &output)
    }

    /// Keeps a command that was run.
    pub(crate) fn keep(&mut self, arguments: &[&str], output: &Output) -> String {
        let quoted = |one: &&str| match one.contains([' ', '{']) || one.is_empty() {
            true => format!("'{one}'"),
            false => (*one).to_owned(),
        };
        let words: Vec<String> = arguments.iter().map(quoted).collect();
        self.text += &format!("$ tilde {}\n", words.join(" "));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        self.text += &said;
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            self.text += format!("! {line}").trim_end();
            self.text.push('\n');
        }
        match output.status.code() {
            Some(0) => {}
            code => self.text += &format!("[exit {}]\n", code.unwrap_or(-1)),
        }
        self.text.push('\n');
        said
    }

    /// A remark between commands.
    pub(crate) fn remark(&mut self, text: &str) {
        self.text += &format!("# {text}\n\n");
    }

    /// Writes a file below the folder.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, content).expect("written");
        path
    }

    /// Compares everything that was said with what it was.
    pub(crate) fn compare(self, name: &str) {
        let mut text = self.text.clone();
        for (value, name) in &self.names {
            text = text.replace(value, name);
        }
        let text = steady(&text);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process/cli/transcripts");
        let file = folder.join(format!("{name}.txt"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &text).expect("written");
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text, expected, "{name}: look at the difference, then UPDATE=1");
        self.server.stop();
    }
}

/// `text` with ids, tokens and times replaced. The same id is the same everywhere, also where only
/// its start is shown.
fn steady(text: &str) -> String {
    let mut ids: Vec<String> = Vec::new();
    let mut steady = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        steady += &rest[..start];
        rest = &rest[start..];
        if let Some(length) = time_length(rest) {
            steady += "TIME";
            rest = &rest[length..];
            continue;
        }
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
        steady += &named(word, &mut ids);
        rest = behind;
    }
    steady + rest
}

fn named(word: &str, ids: &mut Vec<String>) -> String {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let is_uuid = word.len() == 36 && word.matches('-').count() == 4;
    let is_hash =
        word.len() == 64 || (word.len() == 12 && word.bytes().any(|b| b.is_ascii_digit()));
    if word.starts_with("tuk-") && word.len() > 20 {
        return "TOKEN".to_owned();
    }
    if !is_hex(word) || !(is_uuid || is_hash) {
        return word.to_owned();
    }
    let known = ids.iter().position(|id| id.starts_with(word));
    let number = known.unwrap_or_else(|| {
        ids.push(word.to_owned());
        ids.len() - 1
    });
    let kind = match word.len() {
        36 => "UUID",
        64 => "HASH",
        _ => "HASH-START",
    };
    format!("{kind}-{}", number + 1)
}

/// Bytes of the time that `text` starts with.
fn time_length(text: &str) -> Option<usize> {
    const SHAPE: &str = "dddd-dd-ddTdd:dd:dd";
    let head = text.as_bytes().get(..SHAPE.len())?;
    let fits = head.iter().zip(SHAPE.bytes()).all(|(byte, wanted)| match wanted {
        b'd' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b' '),
        other => *byte == other,
    });
    let more = text[SHAPE.len()..].find(|c: char| !(c.is_ascii_digit() || c == '.' || c == 'Z'));
    fits.then(|| SHAPE.len() + more.unwrap_or(text.len() - SHAPE.len()))
}
