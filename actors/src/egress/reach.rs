//! Reaching a server without asking it anything: name, guard, TCP, TLS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::client::vetted;
use super::policy::AddressReach;
use super::{ClientOptions, EgressPolicy, SendError, literal, tls};

/// Connects to the server of `url` within the rules of `egress`, shakes hands for
/// `https://`, and hangs up. Nothing is requested. Returns the address that answered.
///
/// # Errors
/// See [`SendError`].
pub async fn reach(
    egress: &EgressPolicy,
    options: &ClientOptions,
    url: &Url,
    timeout: Duration,
) -> Result<IpAddr, SendError> {
    tokio::time::timeout(timeout, connect(egress, options, url)).await.map_err(|_| SendError::Timeout)?
}

async fn connect(egress: &EgressPolicy, options: &ClientOptions, url: &Url) -> Result<IpAddr, SendError> {
    let reach = egress.check_url(url).map_err(SendError::Refused)?;
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses = addresses(egress, options, url, reach).await?;
    let mut failure = SendError::Connect("the name has no address".to_owned());
    for address in addresses {
        match TcpStream::connect(SocketAddr::new(address, port)).await {
            Ok(stream) => {
                if reach == AddressReach::Public {
                    shake_hands(options, url, stream).await?;
                }
                return Ok(address);
            }
            Err(error) => failure = SendError::Connect(error.to_string()),
        }
    }
    Err(failure)
}

/// Every address of the host, if all of them are allowed.
async fn addresses(
    egress: &EgressPolicy,
    options: &ClientOptions,
    url: &Url,
    reach: AddressReach,
) -> Result<Vec<IpAddr>, SendError> {
    match (literal(url), url.host_str()) {
        // Checked with the URL already.
        (Some(address), _) => {
            let dialled = options.dialer.dial(&address.to_string(), &[address]);
            dialled.map_err(|error| SendError::Connect(error.to_string()))?;
            Ok(vec![address])
        }
        (None, Some(name)) => vetted(egress, options, name, reach).await,
        (None, None) => Err(SendError::Refused("the address has no host".to_owned())),
    }
}

async fn shake_hands(options: &ClientOptions, url: &Url, stream: TcpStream) -> Result<(), SendError> {
    let failed = |error: &dyn std::fmt::Display| SendError::Connect(format!("TLS: {error}"));
    let config = tls::config(options, &options.extra_roots.load()).map_err(|error| failed(&error))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host).map_err(|error| failed(&error))?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| failed(&error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    async fn try_reach(url: &str, allow: &[&str]) -> Result<IpAddr, SendError> {
        let egress = EgressPolicy::new(allow.iter().map(|net| net.parse().unwrap()).collect());
        reach(&egress, &ClientOptions::default(), &url.parse().unwrap(), PATIENCE).await
    }

    #[tokio::test]
    async fn a_listening_port_is_reached_and_a_closed_one_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?key=secret", listener.local_addr().unwrap());
        assert_eq!(try_reach(&url, &["127.0.0.0/8"]).await, Ok(IpAddr::from([127, 0, 0, 1])));
        drop(listener);
        let error = try_reach(&url, &["127.0.0.0/8"]).await.unwrap_err();
        assert!(matches!(error, SendError::Connect(_)), "{error}");
        assert!(!error.to_string().contains("secret"));
    }

    #[tokio::test]
    async fn the_guard_holds_for_addresses_and_for_names() {
        for url in ["https://127.0.0.1:9/", "https://localhost:9/", "http://192.0.2.1/", "ftp://h/"] {
            let error = try_reach(url, &[]).await.unwrap_err();
            assert!(matches!(error, SendError::Refused(_) | SendError::RefusedNow(_)), "{url}: {error}");
        }
    }

    #[tokio::test]
    async fn a_server_without_tls_is_said_to_have_none() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let answer = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
        });
        let error = try_reach(&url, &["127.0.0.0/8"]).await.unwrap_err();
        assert!(error.to_string().contains("TLS"), "{error}");
        answer.await.unwrap();
    }
}
