//! A Redis or Valkey server: a pool of connections, commands and scripts, and what went
//! wrong in two words.

mod address;
pub mod survey;

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, ScriptInvocation,
    ServerErrorKind,
};
use deadpool_redis::{Connection, Manager, Pool, Runtime};

pub use self::address::RedisAddress;
pub(crate) use self::address::explain;

/// Why there is no answer.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// It never left, or the server refused it before it did anything.
    NotDone(String),
    /// It was sent; whether it was done is not known.
    Unknown(String),
}

/// Sorts an error of a command that was handed to a connection.
pub(crate) fn judge(error: &RedisError) -> Trouble {
    let text = format!("Redis: {error}");
    let refused = match error.kind() {
        // A script that fails on its way gives a plain response error and may have written.
        ErrorKind::Server(kind) => kind != ServerErrorKind::ResponseError || refused_by_an_old_server(error),
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig => true,
        _ => {
            error.is_connection_refusal()
                || matches!(
                    error.code(),
                    Some(
                        "OOM"
                            | "MISCONF"
                            | "NOREPLICAS"
                            | "NOAUTH"
                            | "WRONGPASS"
                            | "BUSY"
                            | "LOADING"
                            | "READONLY"
                    )
                )
        }
    };
    if refused { Trouble::NotDone(text) } else { Trouble::Unknown(text) }
}

/// Before version 7 the reason for refusing a script's first write stands in the text only.
fn refused_by_an_old_server(error: &RedisError) -> bool {
    let text = error.to_string();
    ["OOM command not allowed", "READONLY", "MISCONF"].iter().any(|reason| text.contains(reason))
}

/// How a server is talked to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How long a connection may take to come about.
    pub(crate) connect: Duration,
    /// How long an answer may take; after that its outcome is unknown.
    pub(crate) response: Duration,
    /// Connections at the same time.
    pub(crate) connections: usize,
}

/// A server, seen through a pool.
pub(crate) struct Server {
    client: Client,
    pool: Pool,
    response: Duration,
}

impl Server {
    /// Makes the pool; connects to nothing yet.
    ///
    /// # Errors
    /// The address cannot be used; in plain words, without the address.
    pub(crate) fn new(address: &RedisAddress, limits: Limits) -> Result<Self, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("the Redis URL cannot be used: {error}");
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(limits.connect))
            .set_response_timeout(Some(limits.response));
        let client = address.client()?;
        let server = client.get_connection_info().clone();
        let manager = Manager::new_with_config(server, config).map_err(|error| wrong(&error))?;
        let pool = Pool::builder(manager)
            .max_size(limits.connections)
            .wait_timeout(Some(limits.response))
            .create_timeout(Some(limits.connect))
            .recycle_timeout(Some(limits.connect))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| wrong(&error))?;
        Ok(Self { client, pool, response: limits.response })
    }

    /// For a connection of one's own.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// How long an answer may take.
    pub(crate) const fn response(&self) -> Duration {
        self.response
    }

    /// Ends every connection; nothing is sent from now on.
    pub(crate) fn close(&self) {
        self.pool.close();
    }

    async fn connection(&self) -> Result<Connection, Trouble> {
        self.pool.get().await.map_err(|error| {
            Trouble::NotDone(format!("there is no connection to Redis: {}", explain(&error)))
        })
    }

    /// Runs a command.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Trouble> {
        let mut connection = self.connection().await?;
        let connection: &mut MultiplexedConnection = &mut connection;
        command.query_async(connection).await.map_err(|error| judge(&error))
    }

    /// Runs a script.
    pub(crate) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Trouble> {
        let mut connection = self.connection().await?;
        let connection: &mut MultiplexedConnection = &mut connection;
        script.invoke_async(connection).await.map_err(|error| judge(&error))
    }
}
