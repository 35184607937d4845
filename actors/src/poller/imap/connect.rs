//! From an address to a selected mailbox.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_imap::Client;
use async_imap::imap_proto::{Response, Status};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret as _;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::super::source::{Opened, SourceError};
use super::session::ImapSession;
use super::watched::{Io, Patience, Watched};
use super::wire::{Wire, explain, explain_io, text};
use super::{ImapSecurity, ImapSettings, WATCHDOG};

/// One address of several may take this long.
const PER_ADDRESS: Duration = Duration::from_secs(10);

pub(super) type Connection = async_imap::Session<Watched>;

/// Connects, protects, logs in, selects.
pub(super) async fn connect(settings: &ImapSettings) -> Result<ImapSession, SourceError> {
    let patience = Patience::default();
    let client = within("connecting", settings, open(settings, &patience)).await?;
    let (mut session, can_idle) = within("logging in", settings, log_in(settings, client)).await?;
    let selected = within("opening the mailbox", settings, async {
        session.select(&settings.mailbox).await.map_err(|error| match explain(&error) {
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
        None => within("asking for UIDNEXT", settings, uid_next(&mut session, settings)).await?,
    };
    let opened = Opened { validity: u64::from(validity), uid_next, exists: u64::from(selected.exists) };
    let refresh = settings.idle_refresh.min(ImapSettings::MAX_IDLE_REFRESH);
    Ok(ImapSession { wire: Wire::new(session, patience, selected.exists, can_idle, refresh), opened })
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

/// A protected stream, past the server's greeting.
async fn open(settings: &ImapSettings, patience: &Patience) -> Result<Client<Watched>, SourceError> {
    let watched = |io: Box<dyn Io>| Watched::new(io, WATCHDOG, patience.clone());
    let tcp = dial(settings).await?;
    match settings.security {
        ImapSecurity::Tls => {
            let mut client = Client::new(watched(encrypt(settings, Box::new(tcp)).await?));
            greeting(&mut client).await?;
            Ok(client)
        }
        ImapSecurity::Plain => {
            let mut client = Client::new(watched(Box::new(tcp)));
            greeting(&mut client).await?;
            Ok(client)
        }
        ImapSecurity::StartTls => {
            let mut client = Client::new(watched(Box::new(tcp)));
            greeting(&mut client).await?;
            client.run_command_and_check_ok("STARTTLS", None).await.map_err(|error| {
                match explain(&error) {
                    SourceError::Declined(why) => SourceError::Settings(format!(
                        "{}:{} does not do STARTTLS ({why}), and the password is not sent without it",
                        settings.host, settings.port
                    )),
                    other => other,
                }
            })?;
            // Whatever came in plain after the server's OK is dropped with the old client.
            let tls = encrypt(settings, client.into_inner().into_inner()).await?;
            Ok(Client::new(watched(tls)))
        }
    }
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

async fn encrypt(settings: &ImapSettings, plain: Box<dyn Io>) -> Result<Box<dyn Io>, SourceError> {
    let name = ServerName::try_from(settings.host.clone()).map_err(|_| {
        SourceError::Settings(format!("{:?} is neither a host name nor an address", settings.host))
    })?;
    let connector = TlsConnector::from(Arc::new(tls_config(settings.ca_file.as_deref())?));
    let stream = connector.connect(name, plain).await.map_err(|error| {
        SourceError::Unreachable(format!("TLS with {}:{} failed: {error}", settings.host, settings.port))
    })?;
    Ok(Box::new(stream))
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

/// The server speaks first.
async fn greeting(client: &mut Client<Watched>) -> Result<(), SourceError> {
    let response = match client.read_response().await {
        Ok(Some(response)) => response,
        Ok(None) => {
            return Err(SourceError::Unreachable("the server hung up before its greeting".to_owned()));
        }
        Err(error) => return Err(explain_io(&error)),
    };
    match response.parsed() {
        Response::Data { status: Status::Ok, .. } => Ok(()),
        Response::Data { status: Status::Bye, outcome } => {
            Err(SourceError::Unreachable(format!("the server turned us away: {}", text(outcome))))
        }
        _ => Err(SourceError::Protocol("the server's greeting is not one of IMAP before a login".to_owned())),
    }
}

async fn log_in(settings: &ImapSettings, client: Client<Watched>) -> Result<(Connection, bool), SourceError> {
    let login = client.login_with_capabilities(&settings.user, settings.password.expose_secret()).await;
    let (mut session, capabilities) = login.map_err(|(error, _)| refusal(settings, &error))?;
    let capabilities = match capabilities {
        Some(capabilities) => capabilities,
        None => session.capabilities().await.map_err(|error| explain(&error))?,
    };
    Ok((session, capabilities.has_str("IDLE")))
}

/// A login that failed: for good, as far as the server says, or for now.
fn refusal(settings: &ImapSettings, error: &async_imap::error::Error) -> SourceError {
    match explain(error) {
        SourceError::Declined(why) => {
            let why = format!("{} did not accept the login of {}: {why}", settings.host, settings.user);
            // RFC 5530: the server cannot tell at the moment.
            if why.contains("UNAVAILABLE") || why.contains("Temporary") {
                SourceError::Unreachable(why)
            } else {
                SourceError::Refused(why)
            }
        }
        other => other,
    }
}

/// For a server that does not say UIDNEXT when the mailbox is opened.
async fn uid_next(session: &mut Connection, settings: &ImapSettings) -> Result<u64, SourceError> {
    let status = session.status(&settings.mailbox, "(UIDNEXT)").await.map_err(|error| explain(&error))?;
    status.uid_next.map(u64::from).ok_or_else(|| {
        SourceError::Protocol(format!("{} gives no UIDNEXT for {}", settings.host, settings.mailbox))
    })
}

/// A logged-in connection of its own, for tests that play another mail program.
#[cfg(test)]
pub(super) async fn log_in_plain(settings: &ImapSettings) -> Result<Connection, SourceError> {
    let client = open(settings, &Patience::default()).await?;
    Ok(log_in(settings, client).await?.0)
}
