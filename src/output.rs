//! What commands print: results to standard output, nothing else. Logs and complaints
//! go to standard error.
//!
//! A reader that goes away (`events tail | head`) ends the command quietly.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::exit::{Exit, Failure};

/// Standard output, line by line.
pub(crate) struct Output {
    to: Box<dyn Write>,
    colour: bool,
}

impl Output {
    /// The process's standard output; coloured on a terminal unless `NO_COLOR` is set.
    pub(crate) fn stdout() -> Self {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { to: Box::new(io::stdout()), colour }
    }

    /// Into a writer of the caller's, without colour.
    #[cfg(test)]
    pub(crate) fn into_writer(to: Box<dyn Write>) -> Self {
        Self { to, colour: false }
    }

    /// One line.
    ///
    /// # Errors
    /// When the reader is gone ([`Exit::Ok`], no message) or the output cannot be written.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        writeln!(self.to, "{}", text.as_ref()).and_then(|()| self.to.flush()).map_err(gone)
    }

    /// A value as one line of JSON.
    ///
    /// # Errors
    /// See [`Self::line`].
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(serde_json::to_string(value).map_err(|error| Failure::found(error.to_string()))?)
    }

    /// A value as JSON over several lines, for one object that a human may read.
    ///
    /// # Errors
    /// See [`Self::line`].
    pub(crate) fn json_pretty(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(serde_json::to_string_pretty(value).map_err(|error| Failure::found(error.to_string()))?)
    }

    /// `text` in the given style, or as it is where colours do not belong.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", style.code()) } else { text.to_owned() }
    }
}

/// A reader that closed the pipe has seen enough: that is no failure.
fn gone(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Failure::new(Exit::Ok, "")
    } else {
        Failure::found(format!("the output could not be written: {error}"))
    }
}

/// How a piece of text looks on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A heading.
    Bold,
    /// A detail.
    Dim,
    /// All is well.
    Good,
    /// Look at this.
    Warn,
    /// Wrong.
    Bad,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31",
        }
    }
}

/// A line to standard error: something to know that is no result.
pub(crate) fn complain(text: &str) {
    // Nobody is left to tell when that fails.
    drop(writeln!(io::stderr(), "render-signal: {text}"));
}

/// A bar over `count` steps on a terminal's standard error; nothing elsewhere, or when it
/// would be over at once.
pub(crate) fn progress(count: usize) -> ProgressBar {
    const SHORT: usize = 20;
    if count <= SHORT || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(
        Some(u64::try_from(count).unwrap_or(u64::MAX)),
        ProgressDrawTarget::stderr_with_hz(10),
    );
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len}  {per_sec}") {
        bar.set_style(style);
    }
    bar
}

/// Says on a terminal what is being waited for.
pub(crate) fn spinner(what: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// `text` cut to `width` characters, with an ellipsis when something was cut, and
/// without control characters: what a mail says must not steer the terminal.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut out: String = clean.take(width.saturating_add(1)).collect();
    if out.chars().count() > width {
        out = out.chars().take(width.saturating_sub(1)).collect();
        out.push('…');
    }
    out
}

/// Like [`fit`], but cuts in the middle: the ends of subjects tell mails apart.
pub(crate) fn fit_ends(text: &str, width: usize) -> String {
    let clean: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.len() <= width {
        return clean.into_iter().collect();
    }
    let tail = width.saturating_sub(1) / 2;
    let head = width.saturating_sub(1) - tail;
    let cut = clean.len().saturating_sub(tail);
    clean.iter().take(head).chain(&['…']).chain(clean.iter().skip(cut)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fit_cuts_by_characters_and_removes_control_codes() {
        assert_eq!(fit("Média", 5), "Média");
        assert_eq!(fit("Média Solution", 6), "Média…");
        assert_eq!(fit("a\x1b[31mb", 10), "a [31mb");
        assert_eq!(fit("", 3), "");
    }

    #[test]
    fn fit_ends_keeps_both_ends() {
        assert_eq!(fit_ends("Média", 5), "Média");
        assert_eq!(fit_ends("Missions Recadrage - Lot 42", 14), "Mission…Lot 42");
        assert_eq!(fit_ends("abcdef", 1), "…");
    }

    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let failure = Output::into_writer(Box::new(Closed)).line("x").unwrap_err();
        assert_eq!(failure.exit, Exit::Ok);
        assert!(failure.message.is_empty());
    }
}
