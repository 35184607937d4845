//! A real Dovecot of the test's own: a temporary folder, free loopback ports, one
//! mailbox. It can be killed, restarted on the same data, and renumbered.

mod admin;
mod settings;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::child::{descendants, kill_all, signal, until_stopped};
use super::mails::TestMail;
use super::until::{PATIENCE, until};
use super::{certificates, free_port};
pub use admin::{Admin, Seen};

/// The user of the mailbox.
pub const USER: &str = "signal@example.fr";
/// Its password.
pub const PASSWORD: &str = "motdepasse";

/// What a session holds, in the Maildir, while it gives UIDs to new mails.
const UID_LIST_LOCK: &str = "dovecot-uidlist.lock";

/// Whose mailbox a server has, and what its certificate is for.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    /// The user.
    pub user: &'static str,
    /// The password.
    pub password: &'static str,
    /// Names of the host.
    pub certified: &'static [&'static str],
}

/// The account of [`Dovecot::start`].
const ACCOUNT: Account = Account { user: USER, password: PASSWORD, certified: &["localhost", "127.0.0.1"] };

/// The server. Dropping it kills it.
#[derive(Debug)]
pub struct Dovecot {
    account: Account,
    folder: TempDir,
    owner: User,
    plain_port: u16,
    tls_port: u16,
    master: Option<Child>,
}

impl Dovecot {
    /// Starts one with an empty mailbox of [`USER`], opened by a password.
    pub async fn start() -> Self {
        Self::opened_by(ACCOUNT, None).await
    }

    /// Starts one with an empty mailbox of somebody else.
    pub async fn start_for(account: Account) -> Self {
        Self::opened_by(account, None).await
    }

    /// Starts one that is opened by access tokens, too: it asks at this address whether one counts.
    pub async fn with_tokens(introspection: &str) -> Self {
        Self::opened_by(ACCOUNT, Some(introspection)).await
    }

    async fn opened_by(account: Account, introspection: Option<&str>) -> Self {
        // Dovecot refuses to serve mail as root: it runs as the user of its package then.
        let owner = if Uid::effective().is_root() {
            User::from_name("dovecot")
                .expect("the user database")
                .expect("user dovecot (package dovecot-imapd)")
        } else {
            User::from_uid(Uid::effective()).expect("the user database").expect("the current user")
        };
        let folder = tempfile::Builder::new().prefix("rs-dovecot-").tempdir().expect("a temporary folder");
        let mut dovecot =
            Self { account, folder, owner, plain_port: free_port(), tls_port: free_port(), master: None };
        certificates::write_for(dovecot.folder.path(), account.certified);
        dovecot.write("users", &format!("{}:{{PLAIN}}{}::::::\n", account.user, account.password));
        let settings = settings::text(
            dovecot.folder.path(),
            &dovecot.owner.name,
            &dovecot.group(),
            (dovecot.plain_port, dovecot.tls_port),
            introspection.is_some(),
        );
        if let Some(url) = introspection {
            dovecot.write(settings::TOKENS, &settings::tokens(url));
        }
        dovecot.write("dovecot.conf", &settings);
        for part in ["new", "cur", "tmp"] {
            fs::create_dir_all(dovecot.maildir().join(part)).expect("a Maildir");
        }
        dovecot.give_away(dovecot.folder.path());
        dovecot.restart().await;
        dovecot
    }

    fn group(&self) -> String {
        nix::unistd::Group::from_gid(self.owner.gid)
            .expect("the group database")
            .map_or_else(|| self.owner.gid.to_string(), |group| group.name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("writing a settings file");
    }

    /// Makes everything below `path` the property of the server's user.
    fn give_away(&self, path: &Path) {
        chown(path, Some(self.owner.uid.as_raw()), Some(self.owner.gid.as_raw()))
            .expect("changing the owner");
        if path.is_dir() {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("changing the mode");
            for entry in fs::read_dir(path).expect("a readable folder") {
                self.give_away(&entry.expect("a folder entry").path());
            }
        }
    }

    /// Port without TLS (and for STARTTLS).
    pub const fn plain_port(&self) -> u16 {
        self.plain_port
    }

    /// Port with TLS from the start.
    pub const fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// The authority that signed the server's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The INBOX on disk.
    fn maildir(&self) -> PathBuf {
        self.folder.path().join("mail").join(self.account.user).join("Maildir")
    }

    /// Starts the server on the data and ports it had before.
    pub async fn restart(&mut self) {
        self.kill();
        // Of a killed predecessor; its id may belong to anybody by now.
        let _ = fs::remove_file(self.folder.path().join("run/master.pid"));
        self.break_locks();
        let configuration = self.folder.path().join("dovecot.conf");
        let mut command = if Uid::effective().is_root() {
            let mut command = Command::new("setpriv");
            command
                .arg(format!("--reuid={}", self.owner.name))
                .arg(format!("--regid={}", self.group()))
                .args(["--clear-groups", "dovecot"]);
            command
        } else {
            Command::new("dovecot")
        };
        let master = command
            .args(["-F", "-c"])
            .arg(configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("dovecot, of the Debian package dovecot-imapd");
        self.master = Some(master);
        until("Dovecot to greet", PATIENCE, async || {
            self.greeting().await.map_err(|error| format!("{error}\n{}", self.log()))
        })
        .await;
    }

    /// Removes the lock of a process that was killed between creating the lock file and
    /// writing its id there. Dovecot waits two minutes before it breaks such a one, longer
    /// than tests do; one with the id of a dead process it breaks at once.
    fn break_locks(&self) {
        let _ = fs::remove_file(self.maildir().join(UID_LIST_LOCK));
    }

    /// Both ports are opened by the master together; the one without TLS also shows that
    /// somebody answers.
    async fn greeting(&self) -> std::io::Result<()> {
        TcpStream::connect(("127.0.0.1", self.tls_port)).await?;
        TcpStream::connect(("127.0.0.1", self.plain_port)).await?.read_u8().await.map(|_| ())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("dovecot.log")).unwrap_or_default()
    }

    /// Kills it as a crash would: the master and every process below it, at once.
    pub fn kill(&mut self) {
        let Some(mut master) = self.master.take() else { return };
        // Frozen first: it alone starts children, and one that is born while the others
        // are being killed would go on listening.
        signal(master.id(), Signal::SIGSTOP);
        until_stopped(master.id());
        kill_all(&descendants(master.id()));
        signal(master.id(), Signal::SIGKILL);
        master.wait().expect("a child of this process");
    }

    /// Puts mails into the INBOX as an MDA does: written aside, then moved into `new/`.
    /// Works while the server is down, too.
    pub fn deliver(&self, mails: &[TestMail]) {
        self.place(mails, &self.maildir());
    }

    fn place(&self, mails: &[TestMail], maildir: &Path) {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        for mail in mails {
            // A copy of a mail has the mark of the mail, and a file of its own.
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}-{number}.rs.{}", mail.mark, self.account.user);
            let aside = maildir.join("tmp").join(&name);
            fs::write(&aside, &mail.raw).expect("writing a mail");
            self.give_away(&aside);
            fs::rename(&aside, maildir.join("new").join(&name)).expect("delivering a mail");
        }
    }

    /// Makes mails arrive at one instant: they are staged in another folder and copied
    /// into the INBOX by a single command.
    pub async fn deliver_at_once(&self, mails: &[TestMail]) {
        let mut admin = self.admin().await;
        admin.ensure_folder("Staging").await;
        let staging = self.maildir().join(".Staging");
        self.place(mails, &staging);
        admin.copy_all("Staging", mails.len()).await;
        admin.logout().await;
    }

    /// A session of the mailbox's owner.
    pub async fn admin(&self) -> Admin {
        Admin::connect(self.plain_port, &self.account).await
    }

    /// Which mails of the INBOX are read, as the server says.
    pub async fn seen(&self) -> Seen {
        let mut admin = self.admin().await;
        let seen = admin.seen().await;
        admin.logout().await;
        seen
    }

    /// Makes the server forget its UIDs: the INBOX gets another UIDVALIDITY and every
    /// mail another UID. Flags and contents stay.
    pub async fn renumber(&mut self) {
        self.kill();
        for entry in fs::read_dir(self.maildir()).expect("the Maildir") {
            let path = entry.expect("a folder entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            // `dovecot-uidvalidity` stays: it is how the server avoids a value it had.
            if name == "dovecot-uidlist" || name.starts_with("dovecot.index") {
                fs::remove_file(&path).expect("removing an index");
            }
        }
        self.restart().await;
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what Dovecot logged ---\n{}", self.log());
        }
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mails;

    #[tokio::test]
    async fn takes_mails_and_shows_their_flags() {
        let mut dovecot = Dovecot::start().await;
        dovecot.deliver(&mails::mixed(3));
        dovecot.deliver_at_once(&mails::mixed(4)).await;
        assert_eq!(dovecot.seen().await, Seen { seen: 0, unseen: 7 });
        let mut admin = dovecot.admin().await;
        admin.mark_all_seen().await;
        admin.logout().await;
        dovecot.kill();
        dovecot.deliver(&mails::mixed(1));
        dovecot.restart().await;
        assert_eq!(dovecot.seen().await, Seen { seen: 7, unseen: 1 });
    }

    #[tokio::test]
    async fn a_lock_that_a_killed_session_left_half_written_stops_nobody() {
        let mut dovecot = Dovecot::start().await;
        dovecot.kill();
        dovecot.deliver(&mails::mixed(2));
        let lock = dovecot.maildir().join(UID_LIST_LOCK);
        fs::write(&lock, "").expect("a lock");
        dovecot.give_away(&lock);
        dovecot.restart().await;
        assert_eq!(dovecot.seen().await, Seen { seen: 0, unseen: 2 });
    }

    #[tokio::test]
    async fn renumbers_and_moves_away_and_back() {
        let mut dovecot = Dovecot::start().await;
        dovecot.deliver(&mails::mixed(3));
        let before = dovecot.admin().await.uid_validity().await;
        dovecot.renumber().await;
        let mut admin = dovecot.admin().await;
        assert_ne!(admin.uid_validity().await, before);
        admin.move_all("INBOX", "Ailleurs").await;
        assert_eq!(dovecot.seen().await, Seen { seen: 0, unseen: 0 });
        admin.move_all("Ailleurs", "INBOX").await;
        assert_eq!(dovecot.seen().await, Seen { seen: 0, unseen: 3 });
    }
}
