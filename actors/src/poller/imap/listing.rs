//! The mails that a listing finds, never more than there can be.

use std::collections::BTreeMap;

use super::super::source::{MailboxItem, SourceError};
use super::bounds::BELIEVED;

/// One listing. A mail that is told twice counts once.
#[derive(Debug)]
pub(super) struct Listing {
    mails: BTreeMap<u64, MailboxItem>,
    /// The most mails that the mailbox held since the listing began.
    exists: u64,
}

impl Listing {
    /// Of a mailbox with `exists` mails.
    pub(super) fn new(exists: u32) -> Self {
        Self { mails: BTreeMap::new(), exists: u64::from(exists) }
    }

    /// Adds what the server lists, with the number of mails as the server tells it by now.
    ///
    /// # Errors
    /// It is more than the mailbox holds, or more than can be held in memory.
    pub(super) fn add(
        &mut self,
        mails: impl IntoIterator<Item = MailboxItem>,
        exists: u32,
    ) -> Result<(), SourceError> {
        self.exists = self.exists.max(u64::from(exists));
        for mail in mails {
            self.mails.insert(mail.uid, mail);
            let count = self.mails.len() as u64;
            if count > self.exists {
                return Err(SourceError::Protocol(format!(
                    "the server lists more mails than the {} it has, the listing is given up",
                    self.exists
                )));
            }
            if count > BELIEVED {
                return Err(SourceError::Protocol(format!(
                    "the server lists more than {BELIEVED} mails that are unread or new, which do not fit into memory: mark old mails as read"
                )));
            }
        }
        Ok(())
    }

    /// What was found, in the order of UIDs.
    pub(super) fn into_mails(self) -> Vec<MailboxItem> {
        self.mails.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mails(uids: std::ops::Range<u64>) -> impl Iterator<Item = MailboxItem> {
        uids.map(|uid| MailboxItem { item: uid.to_string(), uid, detail: None })
    }

    #[test]
    fn a_listing_holds_what_the_mailbox_holds_and_not_one_more() {
        let mut listing = Listing::new(3);
        listing.add(mails(1..4), 3).unwrap();
        listing.add(mails(1..4), 2).unwrap();
        // One has arrived meanwhile.
        listing.add(mails(4..5), 4).unwrap();
        let error = listing.add(mails(5..6), 4).unwrap_err();
        assert!(matches!(&error, SourceError::Protocol(why) if why.contains("than the 4 it has")), "{error}");
        let mut listing = Listing::new(0);
        listing.add(mails(9..9), 0).unwrap();
        assert_eq!(listing.into_mails(), []);
    }

    #[test]
    fn a_mailbox_that_claims_any_number_fills_no_memory() {
        let mut listing = Listing::new(u32::MAX);
        let error = listing.add(mails(1..BELIEVED + 2), u32::MAX).unwrap_err();
        assert!(error.to_string().contains("500000"), "{error}");
    }
}
