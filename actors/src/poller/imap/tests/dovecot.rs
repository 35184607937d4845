//! A real Dovecot, and what the owner of its mailbox does, over this room's own connections.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use render_signal_testkit::dovecot::{Account, Dovecot as Server};
use secrecy::SecretString;

use crate::poller::imap::connect;
use crate::poller::imap::{ImapLogin, ImapSecurity, ImapSettings};

const ACCOUNT: Account = Account {
    user: "me@example.fr",
    // Needs quoting, and is not ASCII.
    password: "mot \"de\" p\\asse à moi",
    certified: &["localhost"],
};

/// What opens it.
pub(super) fn login() -> ImapLogin {
    ImapLogin::Password(SecretString::from(ACCOUNT.password))
}

/// Dropping it kills it.
pub(super) struct Dovecot(Server);

impl Dovecot {
    pub(super) async fn start() -> Self {
        Self(Server::start_for(ACCOUNT).await)
    }

    pub(super) fn settings(&self, security: ImapSecurity) -> ImapSettings {
        let (port, ca_file) = match security {
            ImapSecurity::Tls => (self.tls_port(), Some(self.ca_file())),
            ImapSecurity::StartTls => (self.plain_port(), Some(self.ca_file())),
            ImapSecurity::Plain => (self.plain_port(), None),
        };
        ImapSettings {
            host: "localhost".to_owned(),
            port,
            security,
            user: ACCOUNT.user.to_owned(),
            ca_file,
            mailbox: "INBOX".to_owned(),
            idle_refresh: Duration::from_secs(120),
        }
    }

    /// Puts mails into the mailbox, over a connection of its own.
    pub(super) async fn append(&self, mails: &[&str], flags: Option<&str>) {
        let mut client = connect::log_in_plain(&self.settings(ImapSecurity::Plain), &login()).await.unwrap();
        for mail in mails {
            client.append("INBOX", flags, None, mail).await.unwrap();
        }
        client.logout().await.unwrap();
    }

    /// UIDs found by a search, over a connection of its own.
    pub(super) async fn search(&self, query: &str) -> Vec<u32> {
        let mut client = connect::log_in_plain(&self.settings(ImapSecurity::Plain), &login()).await.unwrap();
        client.examine("INBOX").await.unwrap();
        let mut uids: Vec<u32> = client.uid_search(query).await.unwrap().into_iter().collect();
        client.logout().await.unwrap();
        uids.sort_unstable();
        uids
    }

    /// Removes mails for good.
    pub(super) async fn expunge(&self, uids: &str) {
        let mut client = connect::log_in_plain(&self.settings(ImapSecurity::Plain), &login()).await.unwrap();
        client.select("INBOX").await.unwrap();
        client.run_command_and_check_ok(format!("UID STORE {uids} +FLAGS.SILENT (\\Deleted)")).await.unwrap();
        client.run_command_and_check_ok("EXPUNGE").await.unwrap();
        client.logout().await.unwrap();
    }
}

impl Deref for Dovecot {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl DerefMut for Dovecot {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.0
    }
}
