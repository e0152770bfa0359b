//! What a command prints: results on standard output, everything said about them on standard error.
//! Names and messages come from others, so nothing in them reaches a terminal as a command to it.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use serde_json::Value;

use crate::error::{Error, Kind, Result};

/// Bytes of a line that answers a question.
const LINE_BYTES_MAX: u64 = 1 << 10;

/// How a command speaks.
#[derive(Clone, Copy)]
pub(crate) struct Screen {
    /// `--json`
    pub(crate) json: bool,
    /// `--quiet`
    pub(crate) quiet: bool,
}

impl Screen {
    /// A line on standard output.
    pub(crate) fn line(&self, text: &str) -> Result<()> {
        written(writeln!(io::stdout().lock(), "{text}"))
    }

    /// A JSON document, or one of a stream of them, on a line of its own.
    pub(crate) fn document(&self, value: &Value) -> Result<()> {
        self.line(&value.to_string())
    }

    /// The document with `--json`, else the line.
    pub(crate) fn result(&self, value: &Value, line: &str) -> Result<()> {
        if self.json { self.document(value) } else { self.line(line) }
    }

    /// Something said on standard error; `--quiet` keeps it back.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.insist(text);
        }
    }

    /// Something said on standard error in any case.
    pub(crate) fn insist(&self, text: &str) {
        // Where standard error is closed there is nobody to tell.
        let _nobody = writeln!(io::stderr().lock(), "{text}");
    }

    /// The rows of a bounded list: with `--json` one document each, else columns.
    pub(crate) fn rows<const N: usize>(
        &self,
        titles: [&str; N],
        rows: &[Value],
        columns: impl Fn(&Value) -> [String; N],
    ) -> Result<()> {
        if self.json {
            return rows.iter().try_for_each(|row| self.document(row));
        }
        let rows: Vec<[String; N]> = rows.iter().map(columns).collect();
        table(titles, &rows).iter().try_for_each(|line| self.line(line))
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<()> {
        written(io::stdout().lock().write_all(bytes))
    }

    /// What is left in buffers.
    pub(crate) fn flush(&self) -> Result<()> {
        written(io::stdout().lock().flush())
    }

    /// Why the command failed, and what to do.
    pub(crate) fn failure(&self, error: &Error) {
        if self.json {
            return self.insist(&error.to_json().to_string());
        }
        self.insist(&format!("tilde: {}", shown(&error.message)));
        if let Some(next) = &error.next {
            self.insist(&format!("  next: {next}"));
        }
        if let Some(id) = error.request_id() {
            self.insist(&format!("  request id: {}", shown(id)));
        }
    }

    /// Goes on only if somebody says yes: with `--yes`, or at the terminal.
    pub(crate) fn confirm(&self, question: &str, yes: bool) -> Result<()> {
        if yes {
            return Ok(());
        }
        if !has_person() {
            let message = format!("{question} - and nobody is here to ask");
            return Err(Error::usage(message).next("say --yes if that is meant"));
        }
        let _shown = write!(io::stderr().lock(), "{question} [y/N] ");
        let mut answer = String::new();
        let read = io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut answer);
        match read {
            Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes" | "Yes") => Ok(()),
            _ => Err(Error::failed("nothing was done")),
        }
    }
}

/// Whether somebody can be asked.
pub(crate) fn has_person() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// All of standard input, which holds `what`.
pub(crate) fn stdin_text(what: &str, bytes_max: u64) -> Result<String> {
    let mut text = String::new();
    let read = io::stdin().lock().take(bytes_max + 1).read_to_string(&mut text);
    read.map_err(|error| {
        Error::failed(format!("cannot read {what} from standard input: {error}"))
    })?;
    if text.len() as u64 > bytes_max {
        return Err(Error::usage(format!("{what} on standard input: more than {bytes_max} bytes")));
    }
    Ok(text)
}

fn written(result: io::Result<()>) -> Result<()> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Error::new(Kind::Closed, "nobody reads the output"),
        _ => Error::failed(format!("cannot write to standard output: {error}")),
    })
}

/// `text` for a terminal: control characters, and those that turn the direction of writing, are
/// spelled out.
pub(crate) fn shown(text: &str) -> String {
    let turns = |c: char| {
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}')
    };
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || turns(c) {
            let _infallible = write!(plain, "{}", c.escape_unicode());
        } else {
            plain.push(c);
        }
    }
    plain
}

/// The first line of a message.
pub(crate) fn first_line(text: &str) -> String {
    shown(text.lines().next().unwrap_or_default())
}

/// A time of the API, to the second.
pub(crate) fn when(value: &Value) -> String {
    let text = value.as_str().unwrap_or("-");
    match text.get(..19) {
        Some(second) => shown(&second.replace('T', " ")),
        None => shown(text),
    }
}

/// The text of a field, for a terminal.
pub(crate) fn cell(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::String(text) => shown(text),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// Lines with the columns aligned; the last is as wide as it is.
fn table<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let titles = titles.map(str::to_owned);
    let lines = || std::iter::once(&titles).chain(rows);
    let width =
        |column: usize| lines().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: &[String; N]| {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let _infallible = write!(text, "{cell:width$}  ");
        }
        text.trim_end().to_owned()
    };
    lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_command_the_terminal() {
        let hostile = "a\x1b[2Jb\r\n\u{202e}c\u{9b}d";
        assert_eq!(shown(hostile), r"a\u{1b}[2Jb\u{d}\u{a}\u{202e}c\u{9b}d");
        assert_eq!(shown("données 数据"), "données 数据");
        assert_eq!(first_line("one\x07\ntwo"), r"one\u{7}");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest() {
        let rows = [["a".into(), "x y".into()], ["long".into(), "z".into()]];
        assert_eq!(table(["N", "V"], &rows), ["N     V", "a     x y", "long  z"]);
    }

    #[test]
    fn times_are_short() {
        assert_eq!(when(&"2026-01-02T03:04:05.678Z".into()), "2026-01-02 03:04:05");
        assert_eq!(when(&Value::Null), "-");
    }
}
