//! An IMAP server that is written for these tests: honest, but for one trick on a connection.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::support::TestMail;

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    Plain,
    Tls,
    StartTls,
}

/// What the server does at one point of a connection.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// Says this, and goes on as if it had not.
    Say(Vec<u8>),
    /// Says this instead of its answer and waits until the client hangs up. `{tag}` is the
    /// command's tag.
    Answer(Vec<u8>),
    /// Says this for ever.
    Flood(Vec<u8>),
    /// Says it once, then a byte a second for ever.
    Drip(Vec<u8>),
    /// Says this and closes.
    Last(Vec<u8>),
}

/// A deed at a point: `greeting`, or the verb of a command (`FETCH-BODY` for one of contents).
pub(super) type Trick = Option<(&'static str, Deed)>;

struct Shared {
    security: Security,
    tls: TlsAcceptor,
    /// One for each connection; afterwards all are honest.
    tricks: Mutex<std::collections::VecDeque<Trick>>,
    /// What was said in clear text and what after TLS, line by line.
    heard: Mutex<Vec<String>>,
    /// Bytes that were sent, in all.
    sent: Mutex<u64>,
    mail: Vec<u8>,
    seen: Mutex<bool>,
}

/// The server. Dropping it closes it.
pub(super) struct FakeImap {
    pub(super) port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl FakeImap {
    /// With one unread mail, and certificates in `folder`.
    pub(super) async fn start(
        security: Security,
        folder: &Path,
        mail: &TestMail,
        tricks: impl IntoIterator<Item = Trick>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let port = listener.local_addr().expect("the address of a bound listener").port();
        let shared = Arc::new(Shared {
            security,
            tls: acceptor(folder),
            tricks: Mutex::new(tricks.into_iter().collect()),
            heard: Mutex::default(),
            sent: Mutex::default(),
            mail: mail.raw.clone(),
            seen: Mutex::default(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { port, shared, server }
    }

    /// Tricks that have not been played yet.
    pub(super) fn left(&self) -> usize {
        self.shared.tricks.lock().unwrap().len()
    }

    /// Whether the mail was marked as read.
    pub(super) fn seen(&self) -> bool {
        *self.shared.seen.lock().unwrap()
    }

    /// Every line that was heard.
    pub(super) fn heard(&self) -> Vec<String> {
        self.shared.heard.lock().unwrap().clone()
    }

    /// Bytes that the client took.
    pub(super) fn sent(&self) -> u64 {
        *self.shared.sent.lock().unwrap()
    }
}

impl Drop for FakeImap {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn acceptor(folder: &Path) -> TlsAcceptor {
    let certificates = CertificateDer::pem_file_iter(folder.join("cert.pem")).expect("a certificate");
    let chain = certificates.collect::<Result<Vec<_>, _>>().expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate with its key");
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move { connection(stream, &shared).await });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// One connection. `Err` = the client has gone.
struct Talk<'a> {
    stream: BufReader<Box<dyn Io>>,
    shared: &'a Shared,
    trick: Trick,
    /// The tag of the IDLE that is on: DONE has none.
    idle: String,
}

async fn connection(tcp: TcpStream, shared: &Shared) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let trick = shared.tricks.lock().unwrap().pop_front().flatten();
    let stream: Box<dyn Io> = match shared.security {
        Security::Tls => Box::new(shared.tls.accept(tcp).await?),
        Security::Plain | Security::StartTls => Box::new(tcp),
    };
    let mut talk = Talk { stream: BufReader::new(stream), shared, trick, idle: String::new() };
    talk.say(b"", "greeting", b"* OK ready\r\n").await?;
    if shared.security == Security::StartTls {
        let (tag, verb) = talk.hear("clear").await?;
        if verb != "STARTTLS" {
            return Ok(());
        }
        talk.say(tag.as_bytes(), "STARTTLS", b"{tag} OK begin\r\n").await?;
        let plain = talk.stream.into_inner();
        talk.stream = BufReader::new(Box::new(shared.tls.accept(plain).await?));
    }
    loop {
        let (tag, verb) = talk.hear("secret").await?;
        let answer = talk.answer(&verb);
        talk.say(tag.as_bytes(), &verb, answer.as_slice()).await?;
        if verb == "LOGOUT" {
            return Ok(());
        }
    }
}

impl Talk<'_> {
    /// The tag and the verb of the next command.
    async fn hear(&mut self, how: &str) -> io::Result<(String, String)> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        self.shared.heard.lock().unwrap().push(format!("{how}: {line}"));
        if line == "DONE" {
            return Ok((std::mem::take(&mut self.idle), "DONE".to_owned()));
        }
        let mut words = line.split(' ');
        let tag = words.next().unwrap_or_default().to_owned();
        let mut verb = words.next().unwrap_or_default().to_owned();
        if verb == "UID" {
            verb = words.next().unwrap_or_default().to_owned();
        }
        if verb == "IDLE" {
            self.idle.clone_from(&tag);
        }
        if verb == "FETCH" && line.contains("BODY") {
            verb = "FETCH-BODY".to_owned();
        }
        if verb == "STORE" {
            *self.shared.seen.lock().unwrap() = true;
        }
        Ok((tag, verb))
    }

    /// What an honest server answers.
    fn answer(&self, verb: &str) -> Vec<u8> {
        let seen = *self.shared.seen.lock().unwrap();
        let mail = &self.shared.mail;
        let mut answer = match verb {
            "SELECT" => {
                b"* FLAGS (\\Seen)\r\n* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 2] x\r\n".to_vec()
            }
            "SEARCH" if seen => b"* SEARCH\r\n".to_vec(),
            "SEARCH" => b"* SEARCH 1\r\n".to_vec(),
            "FETCH" => {
                let flags = if seen { "\\Seen" } else { "" };
                let (size, date) = (mail.len(), "\" 3-Feb-2026 10:00:00 +0100\"");
                format!("* 1 FETCH (UID 1 FLAGS ({flags}) INTERNALDATE {date} RFC822.SIZE {size})\r\n").into()
            }
            "FETCH-BODY" => {
                let head = format!("* 1 FETCH (UID 1 BODY[]<0> {{{}}}\r\n", mail.len());
                [head.as_bytes(), mail, b")\r\n"].concat()
            }
            "IDLE" => return b"+ idling\r\n".to_vec(),
            _ => Vec::new(),
        };
        answer.extend_from_slice(b"{tag} OK [CAPABILITY IMAP4rev1 IDLE] done\r\n");
        answer
    }

    /// Plays the trick if it is time for it, else says `answer`.
    async fn say(&mut self, tag: &[u8], point: &str, answer: &[u8]) -> io::Result<()> {
        let due = self.trick.take_if(|(at, _)| *at == point).map(|(_, deed)| deed);
        match due {
            None => self.send(&with_tag(answer, tag)).await,
            Some(Deed::Say(words)) => {
                self.send(&with_tag(&words, tag)).await?;
                self.send(&with_tag(answer, tag)).await
            }
            Some(Deed::Answer(words)) => {
                self.send(&with_tag(&words, tag)).await?;
                loop {
                    self.hear("after the trick").await?;
                }
            }
            Some(Deed::Flood(words)) => loop {
                self.send(&words).await?;
            },
            Some(Deed::Drip(words)) => {
                self.send(&with_tag(&words, tag)).await?;
                loop {
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    self.send(b"x").await?;
                }
            }
            Some(Deed::Last(words)) => {
                self.send(&with_tag(&words, tag)).await?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        *self.shared.sent.lock().unwrap() += bytes.len() as u64;
        Ok(())
    }
}

fn with_tag(words: &[u8], tag: &[u8]) -> Vec<u8> {
    let Some(at) = words.windows(5).position(|five| five == b"{tag}") else { return words.to_vec() };
    [&words[..at], tag, &words[at + 5..]].concat()
}
