//! What the owner of the mailbox does with it, over IMAP.

use async_imap::Session;
use futures::TryStreamExt as _;
use tokio::net::TcpStream;

use super::Account;

/// How many mails of the INBOX are read, and how many are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// With `\Seen`.
    pub seen: usize,
    /// Without.
    pub unseen: usize,
}

/// A session.
#[derive(Debug)]
pub struct Admin {
    session: Session<TcpStream>,
}

impl Admin {
    /// Logs in.
    pub(super) async fn connect(port: u16, account: &Account) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("Dovecot listens");
        stream.set_nodelay(true).expect("a socket option");
        let mut client = async_imap::Client::new(stream);
        client.read_response().await.expect("a greeting").expect("a greeting");
        let session = client.login(account.user, account.password).await;
        let session = session.map_err(|(error, _)| error).expect("a login");
        Self { session }
    }

    /// Says goodbye.
    pub async fn logout(&mut self) {
        self.session.logout().await.expect("LOGOUT");
    }

    /// Counts.
    pub(super) async fn seen(&mut self) -> Seen {
        self.session.examine("INBOX").await.expect("EXAMINE");
        let seen = self.session.uid_search("SEEN").await.expect("SEARCH").len();
        let unseen = self.session.uid_search("UNSEEN").await.expect("SEARCH").len();
        Seen { seen, unseen }
    }

    /// The UIDVALIDITY of the INBOX.
    pub async fn uid_validity(&mut self) -> u32 {
        self.session.examine("INBOX").await.expect("EXAMINE").uid_validity.expect("UIDVALIDITY")
    }

    /// Creates a folder if it is not there.
    pub async fn ensure_folder(&mut self, folder: &str) {
        // The answer to CREATE of a folder that exists is NO.
        let _ = self.session.create(folder).await;
    }

    /// Moves every mail of a folder into another one.
    pub async fn move_all(&mut self, from: &str, to: &str) {
        self.ensure_folder(to).await;
        self.session.select(from).await.expect("SELECT");
        self.session.uid_mv("1:*", to).await.expect("UID MOVE");
    }

    /// Copies everything in a folder, `count` mails, into the INBOX by one command, and
    /// empties the folder.
    pub(super) async fn copy_all(&mut self, from: &str, count: usize) {
        let staged = self.session.select(from).await.expect("SELECT");
        assert_eq!(usize::try_from(staged.exists).expect("a count"), count, "mails in {from}");
        self.session.copy("1:*", "INBOX").await.expect("COPY");
        let flags = self.session.store("1:*", r"+FLAGS.SILENT (\Deleted)").await.expect("STORE");
        flags.try_collect::<Vec<_>>().await.expect("STORE");
        self.session.close().await.expect("CLOSE");
    }

    /// Marks every mail of the INBOX as read.
    pub async fn mark_all_seen(&mut self) {
        self.store_all(r"+FLAGS.SILENT (\Seen)").await;
    }

    /// Marks every mail of the INBOX as unread.
    pub async fn mark_all_unseen(&mut self) {
        self.store_all(r"-FLAGS.SILENT (\Seen)").await;
    }

    async fn store_all(&mut self, change: &str) {
        self.session.select("INBOX").await.expect("SELECT");
        let flags = self.session.store("1:*", change).await.expect("STORE");
        flags.try_collect::<Vec<_>>().await.expect("STORE");
    }
}
