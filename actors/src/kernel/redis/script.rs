//! Scripts: by their hash where the server has them, else by their text.
//!
//! `SCRIPT LOAD` is never used: servers whose ACL forbids `SCRIPT` run scripts all the same, and
//! `EVAL` keeps what it has run. Where `EVALSHA` is forbidden, too, the text goes with each call.

use std::sync::atomic::{AtomicBool, Ordering};

use ::redis::aio::ConnectionLike;
use ::redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind, ToRedisArgs, cmd};

/// A script in Lua.
pub(crate) struct Script {
    source: String,
    hash: String,
    /// The server does not let us call it by its hash.
    by_source: AtomicBool,
}

impl Script {
    /// Hashed once.
    pub(crate) fn new(source: &str) -> Self {
        let hash = ::redis::Script::new(source).get_hash().to_owned();
        Self { source: source.to_owned(), hash, by_source: AtomicBool::new(false) }
    }

    /// A call without keys and arguments.
    pub(crate) const fn prepare(&self) -> Call<'_> {
        Call { script: self, keys: Vec::new(), args: Vec::new() }
    }
}

/// A call of a script; it may be run more than once.
pub(crate) struct Call<'s> {
    script: &'s Script,
    keys: Vec<Vec<u8>>,
    args: Vec<Vec<u8>>,
}

impl Call<'_> {
    /// The next of `KEYS`.
    pub(crate) fn key(&mut self, key: impl ToRedisArgs) -> &mut Self {
        key.write_redis_args(&mut self.keys);
        self
    }

    /// The next of `ARGV`.
    pub(crate) fn arg(&mut self, arg: impl ToRedisArgs) -> &mut Self {
        arg.write_redis_args(&mut self.args);
        self
    }

    /// Runs it.
    ///
    /// # Errors
    /// What the server or the connection said.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        connection: &mut impl ConnectionLike,
    ) -> Result<T, RedisError> {
        let script = self.script;
        if script.by_source.load(Ordering::Relaxed) {
            return self.command("EVAL", &script.source).query_async(connection).await;
        }
        match self.command("EVALSHA", &script.hash).query_async(connection).await {
            Err(error) if forbids_hashes(&error) => script.by_source.store(true, Ordering::Relaxed),
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {}
            answer => return answer,
        }
        // In both cases the server has run nothing.
        self.command("EVAL", &script.source).query_async(connection).await
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = cmd(name);
        command.arg(script).arg(self.keys.len()).arg(&self.keys).arg(&self.args);
        command
    }
}

/// Whether it is `EVALSHA` itself that the ACL forbids, and not something that the script does.
fn forbids_hashes(error: &RedisError) -> bool {
    error.code() == Some("NOPERM") && error.to_string().to_ascii_lowercase().contains("'evalsha'")
}
