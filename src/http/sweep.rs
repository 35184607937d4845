//! A sweep of the mailbox that somebody asks for.

use render_signal_actors::kernel::journal::AppendError;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::lock::GetLockStatus;
use render_signal_actors::poller::check;

use super::HttpState;

/// Why the mailbox is not swept.
#[derive(Debug)]
pub(in crate::http) enum NoSweep {
    /// There is no mailbox.
    NoMailbox,
    /// There is nowhere to send webhooks to.
    NoTarget,
    /// A document has to be mended first: why.
    Withheld(Said),
    /// No worker polls that is known of.
    NobodyPolls,
    /// The journal did not take the request.
    Journal(AppendError),
}

/// Asks the worker that polls to sweep the mailbox at once, also while polling is switched off and
/// during a vacation. `by` says who asked.
///
/// # Errors
/// See [`NoSweep`].
pub(in crate::http) async fn sweep_now(state: &HttpState, by: &str) -> Result<(), NoSweep> {
    let mailbox = state.reference.mailbox.as_deref().ok_or(NoSweep::NoMailbox)?;
    let policy = state.reference.policy.load();
    if policy.default_target.url.is_empty() {
        return Err(NoSweep::NoTarget);
    }
    if let Some(why) = policy.withheld.polling.first() {
        return Err(NoSweep::Withheld(why.clone()));
    }
    if !is_polled(state).await {
        return Err(NoSweep::NobodyPolls);
    }
    check::request(state.journal.as_ref(), &state.world, mailbox, by).await.map_err(NoSweep::Journal)
}

/// Whether a worker of ours may poll, as far as is known: a wish that nobody hears is lost.
pub(in crate::http) async fn is_polled(state: &HttpState) -> bool {
    let own = match &state.probe.actors.lock {
        Some(lock) => lock.ask(GetLockStatus).await.is_ok_and(|lock| lock.held),
        None => false,
    };
    // Who cannot be asked may well be there.
    own || state.services.board.workers().await.map_or(true, |words| words.iter().any(|word| word.polls))
}
