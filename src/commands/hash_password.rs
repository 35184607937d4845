//! `hash-password`: the hash of a password, for `DASHBOARD_PASSWORD`.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use render_signal_actors::access::password::hash;
use render_signal_actors::kernel::clock::World;
use secrecy::{ExposeSecret as _, SecretString};

use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::lang::Lang;
use crate::output::{Output, complain};

/// A longer line is no password.
const MAX_BYTES: u64 = 4_096;
/// A shorter one is found by trying.
const MIN_CHARS: usize = 12;

/// Reads a password and prints its hash.
pub(super) fn run(lang: Lang, out: &mut Output) -> CommandResult {
    let password =
        if io::stdin().is_terminal() { asked(lang)? } else { line(&mut io::stdin().lock(), lang)? };
    if password.expose_secret().is_empty() {
        return Err(CommandFailure::new(
            Exit::Usage,
            lang.pick("aucun mot de passe n'a été donné", "no password was given"),
        ));
    }
    if password.expose_secret().chars().count() < MIN_CHARS {
        complain(lang.pick(
            "moins de 12 caractères\u{a0}: un mot de passe aussi court se trouve par essais",
            "fewer than 12 characters: a password as short as that is found by trying",
        ));
    }
    let hash = hash(&password, &World::real().ids.secret()).map_err(CommandFailure::found)?;
    out.line(hash)?;
    Ok(Exit::Ok)
}

/// Asks twice at the terminal, which shows nothing of it.
fn asked(lang: Lang) -> Result<SecretString, CommandFailure> {
    let _quiet = Quiet::now()?;
    let mut input = io::stdin().lock();
    let first = prompt(lang.pick("Mot de passe\u{a0}: ", "Password: "), &mut input, lang)?;
    let second = prompt(lang.pick("Encore une fois\u{a0}: ", "Once more: "), &mut input, lang)?;
    if first.expose_secret() != second.expose_secret() {
        let why = lang.pick("les deux ne sont pas les mêmes\u{a0}: recommencez", "the two differ: try again");
        return Err(CommandFailure::new(Exit::Usage, why));
    }
    Ok(first)
}

fn prompt(text: &str, input: &mut io::StdinLock<'_>, lang: Lang) -> Result<SecretString, CommandFailure> {
    let mut terminal = io::stderr();
    terminal.write_all(text.as_bytes())?;
    terminal.flush()?;
    let line = line(input, lang);
    // What was typed has ended the line, unseen.
    terminal.write_all(b"\n")?;
    line
}

/// One line, without its end.
fn line(input: &mut impl io::BufRead, lang: Lang) -> Result<SecretString, CommandFailure> {
    let mut text = String::new();
    let read = input.by_ref().take(MAX_BYTES + 1).read_line(&mut text);
    let text = SecretString::from(text);
    read.map_err(|error| {
        CommandFailure::found(lang.say(
            "le mot de passe n'a pas pu être lu",
            "the password could not be read",
            &error.to_string(),
        ))
    })?;
    let line = text.expose_secret().trim_end_matches(['\r', '\n']);
    if line.len() as u64 >= MAX_BYTES {
        return Err(CommandFailure::new(
            Exit::Usage,
            lang.pick("ce n'est pas un mot de passe\u{a0}: trop long", "that is no password: too long"),
        ));
    }
    Ok(line.to_owned().into())
}

/// The terminal shows nothing of what is typed, until this is dropped.
struct Quiet(Termios);

impl Quiet {
    fn now() -> Result<Self, CommandFailure> {
        let unusable = |error: nix::Error| {
            CommandFailure::found(format!("the terminal cannot be kept from showing what is typed: {error}"))
        };
        let before = termios::tcgetattr(io::stdin()).map_err(unusable)?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        termios::tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &quiet).map_err(unusable)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // It is ours no longer when this fails.
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_without_its_end_and_nothing_after_it() {
        let read =
            |text: &str| line(&mut text.as_bytes(), Lang::En).map(|line| line.expose_secret().to_owned());
        for (text, wanted) in
            [("s3cret\n", "s3cret"), ("s3cret\r\nmore\n", "s3cret"), (" é \n", " é "), ("", "")]
        {
            assert_eq!(read(text).ok().as_deref(), Some(wanted), "{text:?}");
        }
        assert_eq!(read(&"x".repeat(5_000)).expect_err("too long").exit, Exit::Usage);
    }
}
