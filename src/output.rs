//! What commands print: results to standard output, nothing else. Logs and complaints
//! go to standard error.
//!
//! A reader that goes away (`events tail | head`) ends the command quietly.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use render_signal_actors::kernel::words::visible;
use serde::Serialize;

use crate::exit::{CommandFailure, Exit};
use crate::words::story::StoryTone;

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

    /// Into a writer of the caller's, with colour.
    #[cfg(test)]
    pub(crate) fn in_colour(to: Box<dyn Write>) -> Self {
        Self { to, colour: true }
    }

    /// Into a writer of the caller's, without colour.
    #[cfg(test)]
    pub(crate) fn into_writer(to: Box<dyn Write>) -> Self {
        Self { to, colour: false }
    }

    /// One line. What could steer a terminal, other than our own colours, is written out:
    /// this is the only way to the terminal, so no command can forget it.
    ///
    /// # Errors
    /// When the reader is gone ([`Exit::Ok`], no message) or the output cannot be written.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> Result<(), CommandFailure> {
        let shown = shown(text.as_ref(), self.colour);
        writeln!(self.to, "{shown}").and_then(|()| self.to.flush()).map_err(gone)
    }

    /// A value as one line of JSON.
    ///
    /// # Errors
    /// See [`Self::line`].
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), CommandFailure> {
        self.line(serde_json::to_string(value).map_err(|error| CommandFailure::found(error.to_string()))?)
    }

    /// A value as JSON over several lines, for one object that a human may read.
    ///
    /// # Errors
    /// See [`Self::line`].
    pub(crate) fn json_pretty(&mut self, value: &impl Serialize) -> Result<(), CommandFailure> {
        self.line(
            serde_json::to_string_pretty(value).map_err(|error| CommandFailure::found(error.to_string()))?,
        )
    }

    /// `text` in the given style, or as it is where colours do not belong.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", style.code()) } else { text.to_owned() }
    }
}

/// A reader that closed the pipe has seen enough: that is no failure.
fn gone(error: io::Error) -> CommandFailure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        CommandFailure::new(Exit::Ok, "")
    } else {
        CommandFailure::found(format!("the output could not be written: {error}"))
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
    const ALL: [Self; 5] = [Self::Bold, Self::Dim, Self::Good, Self::Warn, Self::Bad];

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

impl From<StoryTone> for Style {
    fn from(tone: StoryTone) -> Self {
        match tone {
            StoryTone::News => Self::Bold,
            StoryTone::Aside => Self::Dim,
            StoryTone::Good => Self::Good,
            StoryTone::Warn => Self::Warn,
            StoryTone::Bad => Self::Bad,
        }
    }
}

/// The text as a terminal may get it: with line ends and tabulators, with our own colours if
/// there are any, and everything else that is hidden written out.
fn shown(text: &str, colour: bool) -> Cow<'_, str> {
    let plain = |c: char| matches!(c, '\n' | '\t');
    if !colour {
        return visible(text, plain);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(escape) = rest.find('\x1b') {
        let (before, from) = rest.split_at(escape);
        shown.push_str(&visible(before, plain));
        let own = Style::ALL.iter().map(|style| style.code()).chain(["0"]);
        let own = own.map(|code| format!("\x1b[{code}m")).find(|own| from.starts_with(own.as_str()));
        let sequence = own.as_deref().unwrap_or("\x1b");
        shown.push_str(&if own.is_some() { Cow::Borrowed(sequence) } else { visible(sequence, plain) });
        rest = from.get(sequence.len()..).unwrap_or_default();
    }
    shown.push_str(&visible(rest, plain));
    Cow::Owned(shown)
}

/// A line to standard error: something to know that is no result.
pub(crate) fn complain(text: &str) {
    // Nobody is left to tell when that fails.
    drop(writeln!(io::stderr(), "render-signal: {}", shown(text, false)));
}

/// A bar over `count` steps on a terminal's standard error; nothing elsewhere, or when it
/// would be over at once.
pub(crate) fn progress(count: usize) -> ProgressBar {
    const MIN_ITEMS: usize = 20;
    if count <= MIN_ITEMS || !io::stderr().is_terminal() {
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

/// The words of a mail on one line: white space is a blank, and what else is hidden is
/// written out. What a mail says must not steer the terminal.
pub(crate) fn words(text: &str) -> String {
    let on_one_line: String =
        text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }).collect();
    visible(&on_one_line, |_| false).into_owned()
}

/// [`words`] cut to `width` characters, with an ellipsis when something was cut.
pub(crate) fn fit(text: &str, width: usize) -> String {
    // A hidden character becomes six; none needs to be looked at that cannot be shown.
    let near: String = text.chars().take(width.saturating_add(1)).collect();
    let mut out: String = words(&near).chars().take(width.saturating_add(1)).collect();
    if out.chars().count() > width {
        out = out.chars().take(width.saturating_sub(1)).collect();
        out.push('…');
    }
    out
}

/// Like [`fit`], but cuts in the middle: the ends of subjects tell mails apart.
pub(crate) fn fit_ends(text: &str, width: usize) -> String {
    let clean: Vec<char> = words(text).chars().collect();
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
        assert_eq!(fit("a\x1b[31mb", 20), "a\\u001b[31mb");
        assert_eq!(fit("a\nb\u{9b}\u{202e}", 20), "a b\\u009b\\u202e");
        assert_eq!(fit("\u{202e}\u{202e}", 7), "\\u202e…");
        assert_eq!(fit("", 3), "");
    }

    #[test]
    fn fit_ends_keeps_both_ends() {
        assert_eq!(fit_ends("Média", 5), "Média");
        assert_eq!(fit_ends("Missions Recadrage - Lot 42", 14), "Mission…Lot 42");
        assert_eq!(fit_ends("abcdef", 1), "…");
    }

    #[derive(Clone, Default)]
    struct Printed(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl Write for Printed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_but_our_own_colours_reaches_a_terminal() {
        let printed = Printed::default();
        let mut out = Output::in_colour(Box::new(printed.clone()));
        let hostile = "\u{9b}2J\x1b]0;title\u{7}\u{202e}\x1b[5m\r";
        let line = format!("{} {hostile}", out.styled(Style::Bad, hostile));
        out.line(line).unwrap();
        out.json_line(&hostile).unwrap();
        let text = String::from_utf8(printed.0.lock().unwrap().clone()).unwrap();
        let shown = "\\u009b2J\\u001b]0;title\\u0007\\u202e\\u001b[5m\\u000d";
        let (line, json) = text.split_once('\n').unwrap();
        assert_eq!(line, format!("\x1b[31m{shown}\x1b[0m {shown}"));
        assert_eq!(serde_json::from_str::<String>(json).unwrap(), hostile);
        assert!(!json.trim_end().contains(char::is_control), "{json:?}");
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
