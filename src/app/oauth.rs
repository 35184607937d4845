//! Access tokens while the service runs: who checks them, and how they are asked for their state.

use std::sync::Arc;

use futures::FutureExt as _;
use render_signal_actors::lock::GetLockStatus;
use render_signal_actors::oauth::TokenService;
use render_signal_actors::oauth::check::{CheckReport, MayCheck};
use tokio::sync::watch;

use crate::health::probe::{OauthProbe, StatusProbe};
use crate::settings::{MailSourceSettings, MailboxLogin, Settings};

/// Of several workers the holder of the polling lease checks; one that never polls checks if there is
/// no mailbox to poll.
pub(super) fn holder_checks(probe: watch::Receiver<Option<StatusProbe>>, polls: bool) -> MayCheck {
    Arc::new(move || {
        let mut probe = probe.clone();
        let holds = async move {
            let asked = probe.wait_for(Option::is_some).await.ok().and_then(|probe| probe.clone());
            let Some(asked) = asked else { return false };
            match &asked.actors.lock {
                Some(lock) => lock.ask(GetLockStatus).await.is_ok_and(|status| status.held),
                None => !polls,
            }
        };
        holds.boxed()
    })
}

/// How the access tokens are asked for their state.
pub(super) fn probe(
    settings: &Settings,
    tokens: Arc<TokenService>,
    check: Option<watch::Receiver<CheckReport>>,
) -> OauthProbe {
    let open = matches!(&settings.mail, Some(MailSourceSettings::Imap(_, MailboxLogin::OAuth2)));
    OauthProbe { tokens: open.then_some(tokens), check }
}
