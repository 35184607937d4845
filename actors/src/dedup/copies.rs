//! A mail whose identity the journal knows: a further copy, or another mail of that identity.

use super::DedupDeps;
use super::admit::refused;
use super::commit::{self, Cx};
use crate::kernel::aggregate::{Loaded, rehydrate};
use crate::kernel::execute::ATTEMPTS;
use crate::kernel::journal::AppendError;
use crate::mail::content;
use crate::mail::life::{MailLife, mail_stream};
use crate::messages::{Admit, AdmitError, Admitted};

/// What was found out about a mail.
pub(super) enum CopyLookup {
    /// It is a copy, and its place is in the journal.
    Copy(Admitted),
    /// It says other things than the mail that has its identity. Nothing was written.
    Other,
}

/// Compares a mail, by the name and the hash of its content, with the one that the journal has
/// under that name. The place of a copy is
/// noted, unless it is known, too. `actual` is the version of the stream, as the journal said.
pub(super) async fn compare(
    deps: &DedupDeps,
    (key, content): (&str, Option<&str>),
    admit: &Admit,
    mut actual: u64,
) -> Result<CopyLookup, AdmitError> {
    let location = &admit.location;
    let known = Admitted { email_id: key.to_owned(), duplicate: true, decision: None };
    for _ in 0..ATTEMPTS {
        let events = deps
            .journal
            .read_stream(&mail_stream(key), 0)
            .await
            .map_err(|error| AdmitError::Journal(error.to_string()))?;
        let Loaded { state: life, version } =
            rehydrate::<MailLife>(&events).map_err(|error| AdmitError::Journal(error.to_string()))?;
        if content::differ(life.content.as_deref(), content) {
            return Ok(CopyLookup::Other);
        }
        // What happened to an archived mail is not here any more, but its version is.
        let version = if events.is_empty() { actual } else { version };
        if life.locations.contains(location) {
            return Ok(CopyLookup::Copy(known));
        }
        let policy = deps.policy.load();
        let cx = Cx { policy: &policy, now: deps.world.now(), ids: deps.world.ids.as_ref() };
        let fence = admit.fence.clone();
        let commit = commit::duplicate(key, version, location.clone(), life.to_be_marked(), fence, cx)
            .map_err(|error| AdmitError::Journal(error.to_string()))?;
        match deps.journal.append(commit).await {
            Ok(_) => {
                metrics::counter!("render_signal_mails_duplicate_total").increment(1);
                return Ok(CopyLookup::Copy(known));
            }
            Err(AppendError::Conflict { actual: now, .. }) => actual = now,
            Err(error) => return Err(refused(&error)),
        }
    }
    Err(AdmitError::Journal(format!("the stream of mail {key} keeps changing")))
}
