//! A Redis or Valkey server: a pool of connections, commands and scripts, and what went
//! wrong in two words.

mod address;
mod dial;
mod script;
pub mod survey;
mod trust;

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ServerErrorKind, cmd};
use deadpool::Runtime;
use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, RecycleError, RecycleResult};

pub use self::address::RedisAddress;
pub(crate) use self::address::explain;
pub(crate) use self::dial::Dialer;
pub(crate) use self::script::{Call, Script};

/// Why there is no answer.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// It never left, or the server refused it before it did anything.
    NotDone(String),
    /// The server refused it before it did anything, and says that this passes by itself: it
    /// loads its data, cannot write them, or has lost its replicas.
    NotYet(String),
    /// It was sent; whether it was done is not known.
    Unknown(String),
}

impl Trouble {
    /// In plain words.
    pub(crate) fn words(self) -> String {
        match self {
            Self::NotDone(why) | Self::NotYet(why) | Self::Unknown(why) => why,
        }
    }
}

/// Refusals that pass by themselves, or when somebody looks after the server.
const PASSING: [&str; 5] = ["LOADING", "MASTERDOWN", "BUSY", "MISCONF", "NOREPLICAS"];
/// Other refusals of a command that was not begun.
const REFUSALS: [&str; 4] = ["OOM", "NOAUTH", "WRONGPASS", "READONLY"];
/// What only a server in cluster mode says.
const CLUSTER: [&str; 4] = ["MOVED", "ASK", "CROSSSLOT", "CLUSTERDOWN"];
/// What to do about one.
pub(crate) const NO_CLUSTER: &str = "it runs in cluster mode, where keys are spread over servers, and what belongs together here is not kept \
     together: use a server, or a plan of its host, without cluster mode";

/// Sorts an error of a command that was handed to a connection.
pub(crate) fn judge(error: &RedisError) -> Trouble {
    let code = error.code().unwrap_or_default();
    let advice = if CLUSTER.contains(&code) { format!("; {NO_CLUSTER}") } else { String::new() };
    let text = format!("Redis: {error}{advice}");
    if PASSING.contains(&code) || by_an_old_server(error, &["MISCONF", "NOREPLICAS"]) {
        return Trouble::NotYet(text);
    }
    let refused = match error.kind() {
        // A script that fails on its way gives a plain response error and may have written.
        ErrorKind::Server(kind) => {
            kind != ServerErrorKind::ResponseError
                || by_an_old_server(error, &["OOM command not allowed", "READONLY"])
        }
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig => true,
        _ => error.is_connection_refusal() || REFUSALS.contains(&code),
    };
    if refused { Trouble::NotDone(text) } else { Trouble::Unknown(text) }
}

/// Before version 7 the reason for refusing a script's first write stands in the text only.
fn by_an_old_server(error: &RedisError, reasons: &[&str]) -> bool {
    let text = error.to_string();
    reasons.iter().any(|reason| text.contains(reason))
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

/// Makes the connections of a pool, and looks whether one that was used still answers.
enum Connections {
    /// The library connects.
    Library(deadpool_redis::Manager),
    /// Over a stream of ours, for authorities of one's own.
    Own(Dialer, Limits),
}

impl Manager for Connections {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<MultiplexedConnection, RedisError> {
        match self {
            Self::Library(manager) => manager.create().await,
            Self::Own(dialer, limits) => dialer.connect(limits.connect, limits.response).await,
        }
    }

    async fn recycle(
        &self,
        connection: &mut MultiplexedConnection,
        metrics: &Metrics,
    ) -> RecycleResult<RedisError> {
        if let Self::Library(manager) = self {
            return manager.recycle(connection, metrics).await;
        }
        let answer: String = cmd("PING").query_async(connection).await?;
        if answer == "PONG" { Ok(()) } else { Err(RecycleError::message("it answers something else")) }
    }
}

/// A server, seen through a pool.
pub(crate) struct Server {
    dialer: Dialer,
    pool: Pool<Connections>,
    response: Duration,
}

impl Server {
    /// Makes the pool; connects to nothing yet.
    ///
    /// # Errors
    /// The address cannot be used; in plain words, without the address.
    pub(crate) fn new(address: &RedisAddress, limits: Limits) -> Result<Self, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("the Redis URL cannot be used: {error}");
        let dialer = address.dialer()?;
        let manager = match dialer.is_plain() {
            true => Connections::Library(dialer.manager(limits).map_err(|error| wrong(&error))?),
            false => Connections::Own(dialer.clone(), limits),
        };
        let pool = Pool::builder(manager)
            .max_size(limits.connections)
            .wait_timeout(Some(limits.response))
            .create_timeout(Some(limits.connect))
            .recycle_timeout(Some(limits.connect))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| wrong(&error))?;
        Ok(Self { dialer, pool, response: limits.response })
    }

    /// For a connection of one's own.
    pub(crate) const fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// How long an answer may take.
    pub(crate) const fn response(&self) -> Duration {
        self.response
    }

    /// Ends every connection; nothing is sent from now on.
    pub(crate) fn close(&self) {
        self.pool.close();
    }

    async fn connection(&self) -> Result<Object<Connections>, Trouble> {
        self.pool.get().await.map_err(|error| match &error {
            PoolError::Backend(refused) if matches!(judge(refused), Trouble::NotYet(_)) => judge(refused),
            _ => Trouble::NotDone(format!("there is no connection to Redis: {}", explain(&error))),
        })
    }

    /// Runs a command.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Trouble> {
        let mut connection = self.connection().await?;
        let connection: &mut MultiplexedConnection = &mut connection;
        command.query_async(connection).await.map_err(|error| judge(&error))
    }

    /// Runs commands in one go; an answer for each.
    pub(crate) async fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, Trouble> {
        let mut connection = self.connection().await?;
        let connection: &mut MultiplexedConnection = &mut connection;
        commands.query_async(connection).await.map_err(|error| judge(&error))
    }

    /// Runs a script.
    pub(crate) async fn run<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, Trouble> {
        let mut connection = self.connection().await?;
        let connection: &mut MultiplexedConnection = &mut connection;
        call.run(connection).await.map_err(|error| judge(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error as the server words it.
    fn said(line: &str) -> RedisError {
        let reply = format!("-{line}\r\n");
        match ::redis::parse_redis_value(reply.as_bytes()).and_then(::redis::Value::extract_error) {
            Err(error) => error,
            Ok(value) => panic!("{value:?}"),
        }
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_does_not() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "MISCONF Errors writing to the AOF file: No space left on device",
            "NOREPLICAS Not enough good replicas to write.",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "BUSY Redis is busy running a script.",
            // Of a script, before version 7.
            "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -MISCONF Errors writing",
        ] {
            assert!(matches!(judge(&said(line)), Trouble::NotYet(_)), "{line}");
        }
        for line in ["OOM command not allowed when used memory > 'maxmemory'.", "READONLY You can't write"] {
            assert!(matches!(judge(&said(line)), Trouble::NotDone(_)), "{line}");
        }
        assert!(matches!(judge(&said("ERR user_script:3: attempt to index")), Trouble::Unknown(_)));
    }

    #[test]
    fn a_server_in_cluster_mode_is_explained() {
        for line in ["MOVED 3999 10.0.0.2:6379", "CROSSSLOT Keys in request don't hash to the same slot"] {
            let words = judge(&said(line)).words();
            assert!(words.contains("without cluster mode"), "{words}");
        }
    }
}
