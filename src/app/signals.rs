//! The signals of the system: those that stop the program, and those that do not.

use std::io;

use render_signal_actors::config::ReadAgain;
use render_signal_actors::egress::Roots;
use render_signal_actors::kernel::port::Port;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that stop the program: SIGTERM, SIGINT and SIGQUIT.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Signals {
    /// From now on they are ours.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// The name of the next one.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.quit.recv() => "SIGQUIT",
        }
    }
}

/// The signals that end nothing, and would if nobody listened.
pub(super) struct OtherSignals {
    hangup: Signal,
    user_1: Signal,
    user_2: Signal,
}

impl OtherSignals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
        })
    }
}

/// SIGHUP has the documents and certificates read again. SIGUSR1 and SIGUSR2 are sent by tools that rotate logs;
/// ours goes to standard error and has no file to reopen.
pub(super) fn heed(mut signals: OtherSignals, read_again: Port<ReadAgain>, authorities: Roots) {
    drop(actix_rt::spawn(async move {
        loop {
            let ignored = tokio::select! {
                _ = signals.hangup.recv() => {
                    tracing::info!(
                        signal = "SIGHUP",
                        "documents are read again, and WEBHOOK_CA_FILE; IMAP_CA_FILE and REDIS_CA_FILE are with each new connection"
                    );
                    if let Err(why) = authorities.read_again() {
                        tracing::error!(why, "WEBHOOK_CA_FILE is not used, the authorities from before stay");
                    }
                    if let Err(error) = read_again.ask(ReadAgain).await {
                        tracing::warn!(%error, "the documents are not read now, but within seconds");
                    }
                    continue;
                }
                _ = signals.user_1.recv() => "SIGUSR1",
                _ = signals.user_2.recv() => "SIGUSR2",
            };
            tracing::info!(signal = ignored, "nothing to do: the log goes to standard error");
        }
    }));
}
