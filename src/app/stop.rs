//! The end: what makes the program stop, and stopping in order within the time there is.

use std::time::Duration;

use actix_web::dev::ServerHandle;
use render_signal_actors::kernel::journal::JournalAdmin;
use render_signal_actors::system::System;

use super::signals::Signals;
use crate::exit::Exit;
use crate::health::probe::Draining;
use crate::restart::Restart;

/// From the signal to the end of the process; Render kills after 30 s.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);
/// Of that, what the HTTP server and the journal may take at the end.
const LAST_STEPS_TIMEOUT: Duration = Duration::from_secs(4);

/// How often it is checked whether the journal still answers.
const JOURNAL_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Serves until a signal comes, somebody wants a restart, or an actor is given up; stops everything then. How the
/// program ends.
pub(super) async fn until_the_end(
    actors: System,
    mut signals: Signals,
    restart: &Restart,
    draining: &Draining,
    http: ServerHandle,
    journal: &dyn JournalAdmin,
) -> Exit {
    let (reason, exit) = tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, "stopping");
            ("signal", Exit::Ok)
        }
        () = restart.asked() => {
            tracing::info!("a restart was asked for, stopping");
            ("restart", Exit::Restart)
        }
        why = gone(journal) => {
            tracing::error!(why, "the journal was taken away, stopping");
            ("journal gone", Exit::Journal)
        }
        why = actors.escalated() => {
            tracing::error!(why, "an actor failed again and again, stopping");
            ("escalation", Exit::Escalated)
        }
    };
    draining.begin();
    let orderly = async {
        // Claims and leases that are not given back in time run out by themselves.
        if tokio::time::timeout(SHUTDOWN_TIMEOUT.saturating_sub(LAST_STEPS_TIMEOUT), actors.stop(reason))
            .await
            .is_err()
        {
            tracing::warn!("some work was still under way; it comes due again");
        }
        http.stop(true).await;
        journal.close().await;
    };
    tokio::select! {
        stopped = tokio::time::timeout(SHUTDOWN_TIMEOUT, orderly) => match stopped {
            Ok(()) => tracing::info!("stopped"),
            Err(_) => tracing::warn!(seconds = SHUTDOWN_TIMEOUT.as_secs(), "not stopped in time; what was under way comes due again"),
        },
        name = signals.next() => tracing::warn!(signal = name, "a second signal: ending at once; what was under way comes due again"),
    }
    exit
}

/// Why the journal may not be written any more.
async fn gone(journal: &dyn JournalAdmin) -> String {
    loop {
        tokio::time::sleep(JOURNAL_CHECK_INTERVAL).await;
        if let Some(why) = journal.gone() {
            return why;
        }
    }
}
