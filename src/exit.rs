//! Exit codes, and the error that carries one. The numbers are a contract: scripts,
//! supervisors and tests rely on them (`render-signal --help` lists them).

use std::fmt;
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything is as it should be.
    Ok,
    /// A command worked and found something wrong, or failed for a reason without a
    /// number of its own.
    Found,
    /// Wrong usage that the argument parser cannot see.
    Usage,
    /// The configuration does not allow a start; every problem was listed.
    Config,
    /// The journal cannot be used: damaged, written by a newer version, or on a file
    /// system that does not last.
    Journal,
    /// `doctor` could not reach a configured server.
    Unreachable,
    /// Somebody asked for a restart; everything was stopped in order.
    Restart,
    /// An actor failed again and again; a restart of the process may help.
    Escalated,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Found => 1,
            Self::Usage => 2,
            Self::Config => 3,
            Self::Journal => 4,
            Self::Unreachable => 5,
            Self::Escalated => 70,
            Self::Restart => 75,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what it was asked: a message for a human, and the exit code.
#[derive(Debug)]
pub(crate) struct CommandFailure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What failed, on what, and what to do. No secret.
    pub(crate) message: String,
}

impl CommandFailure {
    /// A failure with an exit code of its own.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// A failure without a number of its own: exit code 1.
    pub(crate) fn found(message: impl Into<String>) -> Self {
        Self::new(Exit::Found, message)
    }

    /// The journal cannot be used: exit code 4.
    pub(crate) fn journal(message: impl Into<String>) -> Self {
        Self::new(Exit::Journal, message)
    }
}

impl fmt::Display for CommandFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CommandFailure {}

impl From<std::io::Error> for CommandFailure {
    fn from(error: std::io::Error) -> Self {
        Self::found(error.to_string())
    }
}

/// What a command returns.
pub(crate) type CommandResult = Result<Exit, CommandFailure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_help_text() {
        let help = crate::cli::EXIT_CODES;
        for exit in [
            Exit::Ok,
            Exit::Found,
            Exit::Usage,
            Exit::Config,
            Exit::Journal,
            Exit::Unreachable,
            Exit::Escalated,
        ] {
            let start = format!("  {} ", exit.code());
            assert!(help.lines().any(|line| line.starts_with(&start)), "{exit:?} is not documented");
        }
    }
}
