//! What the quickstart prints: short lines on standard output, coloured only where a person looks.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// The screen.
pub(super) struct Screen {
    is_terminal: bool,
    has_colour: bool,
}

impl Screen {
    /// Standard output.
    pub(super) fn stdout() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        Self { is_terminal, has_colour: is_terminal && std::env::var_os("NO_COLOR").is_none() }
    }

    /// Whether a person looks.
    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// A line as it is.
    pub(super) fn line(&self, text: impl Display) {
        // Whoever closed the pipe does not want to read on; the work goes on all the same.
        let _closed = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// An empty line and a heading.
    pub(super) fn heading(&self, text: impl Display) {
        let (bold, plain) = if self.has_colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        self.line(format_args!("\n{bold}{text}{plain}"));
    }

    /// A step that is done.
    pub(super) fn done(&self, text: impl Display) {
        let (green, plain) = if self.has_colour { ("\x1b[32m", "\x1b[0m") } else { ("", "") };
        self.line(format_args!("  {green}\u{2713}{plain} {text}"));
    }

    /// A name and its value, aligned with others.
    pub(super) fn pair(&self, name: &str, value: impl Display) {
        self.line(format_args!("  {name:<8} {value}"));
    }

    /// A line that shows how far an import is; nothing where nobody looks.
    pub(super) fn progress(&self, objects: Option<u64>) -> ProgressBar {
        if !self.is_terminal {
            return ProgressBar::hidden();
        }
        let (bar, template) = match objects {
            Some(objects) => (
                ProgressBar::new(objects),
                "  {spinner} importing {bar:30.green} {pos}/{len} objects",
            ),
            None => (ProgressBar::new_spinner(), "  {spinner} importing, {pos} objects so far"),
        };
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        bar.set_style(style);
        bar.enable_steady_tick(TICK);
        bar
    }

    /// Rows under headings, columns aligned; the last column is not padded.
    pub(super) fn table<const N: usize>(&self, head: [&str; N], rows: &[[String; N]]) {
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([head[column].chars().count()]).max().unwrap_or_default()
        });
        let print = |cells: [&str; N]| {
            let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            let line = padded.collect::<Vec<_>>().join("  ");
            self.line(format_args!("  {}", line.trim_end()));
        };
        print(head);
        rows.iter().for_each(|row| print(std::array::from_fn(|column| &*row[column])));
    }
}
