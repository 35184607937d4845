//! Connections to a server: in the clear and with public authorities those of the library, with
//! authorities of one's own over a stream that is made here. The library takes such
//! authorities, too, and then refuses a certificate that is its own authority.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{MultiplexedConnection, PubSub};
use ::redis::{AsyncConnectionConfig, Client, ConnectionAddr, RedisConnectionInfo, RedisError};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Limits;
use super::address::Trusted;

/// Makes connections to one server.
#[derive(Clone)]
pub(crate) struct Dialer {
    client: Client,
    tls: Option<Arc<Trusted>>,
}

impl Dialer {
    /// With authorities of one's own, or those of the library.
    pub(super) fn new(client: Client, tls: Option<Trusted>) -> Self {
        Self { client, tls: tls.map(Arc::new) }
    }

    /// Whether the library connects.
    pub(super) const fn is_plain(&self) -> bool {
        self.tls.is_none()
    }

    /// What makes the connections of a pool, where the library connects.
    ///
    /// # Errors
    /// The address cannot be used.
    pub(super) fn manager(&self, limits: Limits) -> Result<deadpool_redis::Manager, RedisError> {
        let server = self.client.get_connection_info().clone();
        deadpool_redis::Manager::new_with_config(server, config(limits.connect, limits.response))
    }

    /// A connection for commands, which has come about within `connect`; an answer may take as
    /// long as `response`.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn connect(
        &self,
        connect: Duration,
        response: Duration,
    ) -> Result<MultiplexedConnection, RedisError> {
        let config = config(connect, response);
        let Some(tls) = &self.tls else {
            return Box::pin(self.client.get_multiplexed_async_connection_with_config(&config)).await;
        };
        // A handshake is large, and whoever asks something carries it along.
        let connecting = Box::pin(async {
            let stream = self.stream(tls).await?;
            MultiplexedConnection::new_with_config(self.settings(), stream, config).await
        });
        let (connection, driver) = tokio::time::timeout(connect, connecting).await.map_err(late)??;
        // It ends when the last clone of the connection is dropped, or the server hangs up.
        drop(tokio::spawn(driver));
        Ok(connection)
    }

    /// A connection for subscriptions.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn subscriber(&self) -> Result<PubSub, RedisError> {
        match &self.tls {
            None => Box::pin(self.client.get_async_pubsub()).await,
            Some(tls) => Box::pin(PubSub::new(self.settings(), Box::pin(self.stream(tls)).await?)).await,
        }
    }

    fn settings(&self) -> &RedisConnectionInfo {
        self.client.get_connection_info().redis_settings()
    }

    async fn stream(&self, tls: &Trusted) -> io::Result<TlsStream<TcpStream>> {
        let ConnectionAddr::TcpTls { host, port, .. } = self.client.get_connection_info().addr() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the server is not reached over TLS"));
        };
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        // Commands are short, and each is waited for.
        stream.set_nodelay(true)?;
        TlsConnector::from(tls.config()).connect(name, stream).await
    }
}

fn config(connect: Duration, response: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(connect)).set_response_timeout(Some(response))
}

fn late<E>(_: E) -> RedisError {
    RedisError::from(io::Error::from(io::ErrorKind::TimedOut))
}
