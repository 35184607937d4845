//! From an address to a selected mailbox.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_imap::Client;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret as _;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::source::{MailboxStatus, SourceError};
use super::bounds::{Ask, ConnectionBounds};
use super::greeting::{capabilities, greeting, starttls};
use super::login::{MailboxKey, log_in};
use super::session::ImapSession;
use super::watched::{Io, WatchedIo};
use super::wire::{ServerVoice, Wire};
use super::{ImapLogin, ImapSecurity, ImapSettings, WATCHDOG};
use crate::kernel::heard::Secrets;

/// One address of several may take this long.
const PER_ADDRESS: Duration = Duration::from_secs(10);

pub(super) type Connection = async_imap::Session<WatchedIo>;

/// Connects, protects, logs in, selects.
pub(super) async fn connect(settings: &ImapSettings, login: &ImapLogin) -> Result<ImapSession, SourceError> {
    let key = MailboxKey::of(login).await?;
    let voice = voice(settings, &key);
    let (client, offers) = within("connecting", settings, open(settings, &key, &voice)).await?;
    let logged_in = within("logging in", settings, log_in(settings, &key, client, &offers, &voice)).await;
    key.judge(login, &logged_in);
    let (mut session, can_idle) = logged_in?;
    let selected = within("opening the mailbox", settings, async {
        let selected = exchange(&voice, session.select(&settings.mailbox)).await;
        selected.map_err(|error| match voice.explain(&error) {
            SourceError::Declined(why) => {
                SourceError::Unreachable(format!("mailbox {:?} cannot be opened: {why}", settings.mailbox))
            }
            other => other,
        })
    })
    .await?;
    let validity = selected.uid_validity.ok_or_else(|| {
        SourceError::Protocol(format!("{} gives no UIDVALIDITY for {}", settings.host, settings.mailbox))
    })?;
    let uid_next = match selected.uid_next {
        Some(uid_next) => u64::from(uid_next),
        None => within("asking for UIDNEXT", settings, uid_next(&mut session, settings, &voice)).await?,
    };
    let opened =
        MailboxStatus { validity: u64::from(validity), uid_next, exists: u64::from(selected.exists) };
    let refresh = settings.idle_refresh.min(ImapSettings::MAX_IDLE_REFRESH);
    Ok(ImapSession { wire: Wire::new(session, voice, selected.exists, can_idle, refresh), opened })
}

/// How the server's words are heard on one connection.
fn voice(settings: &ImapSettings, key: &MailboxKey<'_>) -> ServerVoice {
    let secrets = Secrets::new(&[&settings.user, key.secret().expose_secret()]);
    ServerVoice { bounds: ConnectionBounds::default(), secrets }
}

/// A command of the library's own, under the bounds of one that asks for words only.
pub(super) async fn exchange<T>(voice: &ServerVoice, answer: impl Future<Output = T>) -> T {
    voice.bounds.asked(Ask::default(), 0);
    let answer = answer.await;
    voice.bounds.answered();
    answer
}

/// One exchange under the watchdog.
async fn within<T>(
    what: &'static str,
    settings: &ImapSettings,
    exchange: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    timeout(WATCHDOG, exchange).await.unwrap_or_else(|_| {
        Err(SourceError::Unreachable(format!(
            "{what}: {}:{} did not answer within {} s",
            settings.host,
            settings.port,
            WATCHDOG.as_secs()
        )))
    })
}

/// A protected stream, past the server's greeting; for a token with what the server offers.
async fn open(
    settings: &ImapSettings,
    key: &MailboxKey<'_>,
    voice: &ServerVoice,
) -> Result<(Client<WatchedIo>, Vec<String>), SourceError> {
    let server = format!("{}:{}", settings.host, settings.port);
    let mut tcp = dial(settings).await?;
    let mut stream: Box<dyn Io> = match settings.security {
        ImapSecurity::Tls => {
            let mut tls = encrypt(settings, tcp).await?;
            greeting(&mut tls, &voice.secrets).await?;
            Box::new(tls)
        }
        ImapSecurity::Plain => {
            greeting(&mut tcp, &voice.secrets).await?;
            Box::new(tcp)
        }
        ImapSecurity::StartTls => {
            greeting(&mut tcp, &voice.secrets).await?;
            starttls(&mut tcp, &server, &voice.secrets).await?;
            Box::new(encrypt(settings, tcp).await?)
        }
    };
    let offers = match key {
        MailboxKey::Password(_) => Vec::new(),
        MailboxKey::Token(_) => capabilities(&mut stream).await?,
    };
    Ok((Client::new(WatchedIo::new(stream, WATCHDOG, voice.bounds.clone())), offers))
}

async fn dial(settings: &ImapSettings) -> Result<TcpStream, SourceError> {
    let host = settings.host.as_str();
    let unreachable = |why: String| SourceError::Unreachable(format!("{host}:{}: {why}", settings.port));
    let addresses: Vec<SocketAddr> = lookup_host((host, settings.port))
        .await
        .map_err(|error| unreachable(format!("the name cannot be resolved: {error}")))?
        .collect();
    if settings.security == ImapSecurity::Plain && !addresses.iter().all(|address| address.ip().is_loopback())
    {
        return Err(SourceError::Settings(format!(
            "{host} is not a loopback address, and IMAP without TLS is for loopback only: use TLS (port 993) or STARTTLS"
        )));
    }
    let mut last = unreachable("the name has no address".to_owned());
    for address in addresses {
        match timeout(PER_ADDRESS, dial_one(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = unreachable(format!("{address}: {error}")),
            Err(_) => last = unreachable(format!("{address}: no answer within {} s", PER_ADDRESS.as_secs())),
        }
    }
    Err(last)
}

async fn dial_one(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_keepalive(true)?;
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

async fn encrypt(settings: &ImapSettings, plain: TcpStream) -> Result<TlsStream<TcpStream>, SourceError> {
    let name = ServerName::try_from(settings.host.clone()).map_err(|_| {
        SourceError::Settings(format!("{:?} is neither a host name nor an address", settings.host))
    })?;
    let connector = TlsConnector::from(Arc::new(tls_config(settings.ca_file.as_deref())?));
    connector.connect(name, plain).await.map_err(|error| {
        // It quotes names from a certificate that nobody vouches for.
        let why = Secrets::default().said(error.to_string().as_bytes());
        SourceError::Unreachable(format!("TLS with {}:{} failed: {why}", settings.host, settings.port))
    })
}

fn tls_config(ca_file: Option<&Path>) -> Result<ClientConfig, SourceError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        let bad = |why: String| {
            SourceError::Settings(format!("the CA file {} cannot be used: {why}", path.display()))
        };
        let mut added = 0;
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))? {
            let certificate = certificate.map_err(|error| bad(error.to_string()))?;
            roots.add(certificate).map_err(|error| bad(error.to_string()))?;
            added += 1;
        }
        if added == 0 {
            return Err(bad("it contains no certificate".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SourceError::Settings(format!("TLS cannot be set up: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// For a server that does not say UIDNEXT when the mailbox is opened.
async fn uid_next(
    session: &mut Connection,
    settings: &ImapSettings,
    voice: &ServerVoice,
) -> Result<u64, SourceError> {
    let status = exchange(voice, session.status(&settings.mailbox, "(UIDNEXT)")).await;
    let status = status.map_err(|error| voice.explain(&error))?;
    status.uid_next.map(u64::from).ok_or_else(|| {
        SourceError::Protocol(format!("{} gives no UIDNEXT for {}", settings.host, settings.mailbox))
    })
}

/// A logged-in connection of its own, for tests that play another mail program.
#[cfg(test)]
pub(super) async fn log_in_plain(
    settings: &ImapSettings,
    login: &ImapLogin,
) -> Result<Connection, SourceError> {
    let key = MailboxKey::of(login).await?;
    let voice = voice(settings, &key);
    let (client, offers) = open(settings, &key, &voice).await?;
    Ok(log_in(settings, &key, client, &offers, &voice).await?.0)
}
