//! A link is used: looked at, and consumed by whoever signs in with it.

use secrecy::SecretString;

use super::super::record::Record;
use super::super::sessions::{Session, SignInMethod};
use super::super::state::{MagicLinkCommand, link_name};
use super::super::token::LinkRefusal;
use super::super::{AccessError, Committed, Visitor};
use super::{Denied, MagicLinks};
use crate::kernel::aggregate::Aggregate as _;
use crate::kernel::execute::ATTEMPTS;

impl MagicLinks {
    /// Whether a session could be opened with it now; opens none, and changes nothing.
    ///
    /// # Errors
    /// Why not.
    pub async fn look(&self, text: &str) -> Result<(), Denied> {
        let signed = self.signer.read(text, self.now())?;
        if signed.expired {
            return Err(LinkRefusal::Expired.into());
        }
        let document = self.document().await?;
        let record = document.links.get(&signed.id).ok_or(LinkRefusal::Unknown)?;
        let known = self.known(&link_name(&signed.id)).await?;
        let consume = MagicLinkCommand::Consume { record: record.clone(), session: String::new() };
        known.state.decide(&consume, &self.now())?;
        Ok(())
    }

    /// Opens a session with it: what the cookie is to hold, and the session. The checks and their
    /// order are those of the reference system (section 6.2).
    ///
    /// # Errors
    /// Why none was opened.
    pub async fn consume(&self, text: &str, from: &Visitor) -> Result<(SecretString, Session), Denied> {
        let signed = self.signer.read(text, self.now())?;
        if signed.expired {
            self.drop_entry(&signed.id).await;
            return Err(LinkRefusal::Expired.into());
        }
        let name = link_name(&signed.id);
        for _ in 0..ATTEMPTS {
            let document = self.document().await?;
            let record = document.links.get(&signed.id).ok_or(LinkRefusal::Unknown)?;
            let known = self.known(&name).await?;
            let opening = self.sessions.opening(&self.user, SignInMethod::MagicLink(name.clone()), from)?;
            let consume =
                MagicLinkCommand::Consume { record: record.clone(), session: opening.session.id.clone() };
            let events = match known.state.decide(&consume, &self.now()) {
                Ok(events) => events,
                Err(refusal) => {
                    if refusal == LinkRefusal::Expired {
                        self.drop_entry(&signed.id).await;
                    }
                    return Err(refusal.into());
                }
            };
            let link = self.link_write(&name, known.version, &events)?;
            match self.commit(vec![link, opening.write]).await? {
                Committed::Done => {
                    if record.single_use {
                        self.mark_consumed(&signed.id, record, &document.others).await;
                    }
                    return Ok((opening.secret, opening.session));
                }
                // It has left the log: it was over before.
                Committed::SomebodyWasFirst if self.is_archived(&name).await? => {
                    return Err(LinkRefusal::Unknown.into());
                }
                Committed::SomebodyWasFirst => {}
            }
        }
        Err(AccessError::journal("somebody else went on writing").into())
    }

    /// Whether nothing is left of its stream but its version.
    pub(super) async fn is_archived(&self, name: &str) -> Result<bool, AccessError> {
        Ok(self.known(name).await?.version == 0)
    }

    /// The document is to say that it was consumed. What is not an entry leaves it, as it does
    /// with every change of the reference system.
    async fn mark_consumed(&self, id: &str, record: &Record, others: &[String]) {
        let consumed = Record { consumed: true, consumed_at: Some(self.now()), ..record.clone() };
        let mut fields = vec![(id.to_owned(), Some(consumed.write()))];
        fields.extend(others.iter().map(|name| (name.clone(), None)));
        if let Err(error) = self.write(fields).await {
            tracing::warn!(%error, "a sign-in link that was used is not marked in its document yet; here it opens nothing more");
        }
    }

    async fn drop_entry(&self, id: &str) {
        if let Err(error) = self.write(vec![(id.to_owned(), None)]).await {
            tracing::debug!(%error, "an expired sign-in link stays in its document for now");
        }
    }
}
