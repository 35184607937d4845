//! A real Dovecot in a temporary folder, on free loopback ports.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::loopback::free_port;
use crate::poller::imap::connect;
use crate::poller::imap::{ImapLogin, ImapSecurity, ImapSettings};

pub(super) const USER: &str = "me@example.fr";
/// Needs quoting, and is not ASCII.
pub(super) const PASSWORD: &str = "mot \"de\" p\\asse à moi";

/// What opens it.
pub(super) fn login() -> ImapLogin {
    ImapLogin::Password(SecretString::from(PASSWORD))
}

/// Dropping it kills it.
pub(super) struct Dovecot {
    dir: TempDir,
    owner: Owner,
    pub(super) plain_port: u16,
    pub(super) tls_port: u16,
    master: Option<Child>,
}

#[derive(Clone)]
struct Owner {
    name: String,
    uid: u32,
    gid: u32,
    root: bool,
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Owner {
    /// Dovecot does not serve mail as root: then it runs as the user of its package.
    fn find() -> Self {
        let root = output("id", &["-u"]) == "0";
        let name = if root { "dovecot".to_owned() } else { output("id", &["-un"]) };
        let number = |flag| output("id", &[flag, &name]).parse().expect("package dovecot-imapd");
        Self { uid: number("-u"), gid: number("-g"), name, root }
    }
}

impl Dovecot {
    pub(super) async fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("rs-imap-").tempdir().unwrap();
        let mut dovecot =
            Self { owner: Owner::find(), plain_port: free_port(), tls_port: free_port(), master: None, dir };
        certificates(dovecot.dir.path());
        let users = format!("{USER}:{{PLAIN}}{PASSWORD}::::::\n");
        std::fs::write(dovecot.dir.path().join("users"), users).unwrap();
        std::fs::write(dovecot.dir.path().join("dovecot.conf"), dovecot.configuration()).unwrap();
        for entry in std::fs::read_dir(dovecot.dir.path()).unwrap() {
            dovecot.give_away(&entry.unwrap().path());
        }
        dovecot.give_away(dovecot.dir.path());
        dovecot.run().await;
        dovecot
    }

    fn give_away(&self, path: &Path) {
        chown(path, Some(self.owner.uid), Some(self.owner.gid)).unwrap();
    }

    /// Starts it on the data and ports it had before.
    pub(super) async fn run(&mut self) {
        drop(std::fs::remove_file(self.dir.path().join("run/master.pid")));
        let mut command = if self.owner.root {
            let mut command = Command::new("setpriv");
            command.arg(format!("--reuid={}", self.owner.uid)).arg(format!("--regid={}", self.owner.gid));
            command.args(["--clear-groups", "dovecot"]);
            command
        } else {
            Command::new("dovecot")
        };
        let master = command
            .args(["-F", "-c"])
            .arg(self.dir.path().join("dovecot.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("package dovecot-imapd");
        self.master = Some(master);
        for _ in 0..400 {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.plain_port)).await
                && stream.read_u8().await.is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("dovecot did not start: {:?}", std::fs::read_to_string(self.dir.path().join("dovecot.log")));
    }

    /// As a crash would: the master and all it has started, at once.
    pub(super) fn kill(&mut self) {
        let Some(mut master) = self.master.take() else { return };
        // Stopped first, so that it starts nobody who would keep its ports.
        drop(Command::new("kill").args(["-STOP", &master.id().to_string()]).output());
        let children = output("ps", &["-o", "pid=", "--ppid", &master.id().to_string()]);
        master.kill().unwrap();
        for child in children.split_whitespace() {
            drop(Command::new("kill").args(["-9", child]).output());
        }
        master.wait().unwrap();
    }

    pub(super) fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    pub(super) fn settings(&self, security: ImapSecurity) -> ImapSettings {
        let (port, ca_file) = match security {
            ImapSecurity::Tls => (self.tls_port, Some(self.ca_file())),
            ImapSecurity::StartTls => (self.plain_port, Some(self.ca_file())),
            ImapSecurity::Plain => (self.plain_port, None),
        };
        ImapSettings {
            host: "localhost".to_owned(),
            port,
            security,
            user: USER.to_owned(),
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

    fn configuration(&self) -> String {
        let dir = self.dir.path().display();
        let Owner { name, gid, .. } = &self.owner;
        let (plain, tls) = (self.plain_port, self.tls_port);
        let group = output("getent", &["group", &gid.to_string()]);
        let group = group.split(':').next().unwrap_or_default();
        format!(
            "protocols = imap
listen = 127.0.0.1
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
default_internal_user = {name}
default_login_user = {name}
default_internal_group = {group}
first_valid_uid = 1
mail_uid = {name}
mail_gid = {group}
mail_home = {dir}/mail/%u
mail_location = maildir:~/Maildir
mail_fsync = never
mail_max_userip_connections = 200
disable_plaintext_auth = no
auth_mechanisms = plain login
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {dir}/users
}}
userdb {{
  driver = static
  args = uid={name} gid={group} home={dir}/mail/%u
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  inet_listener imap {{
    address = 127.0.0.1
    port = {plain}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {tls}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service imap {{
  process_min_avail = 1
}}
service stats {{
  chroot =
}}
"
        )
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A certificate for loopback, by an authority that nobody knows.
fn certificates(dir: &Path) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "an authority for tests");
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap();
    std::fs::write(dir.join("ca.pem"), ca_certificate.pem()).unwrap();
    std::fs::write(dir.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
}
