//! On a Redis server, for all workers that share it. Time is the server's.
//!
//! | key, below one prefix in a hash tag | type | holds |
//! |---|---|---|
//! | `allowance:<key>` | string | when it is whole again (ms); expires then |
//! | `said` | hash | key → what is said |
//! | `until` | sorted set | those keys by when that ends (ms) |

use std::time::Duration;

use ::redis::{FromRedisValue, cmd};
use async_trait::async_trait;

use super::{Allowance, Ephemeral, EphemeralError, MONTH, Published, Spent};
use crate::kernel::redis::{Call, Limits, RedisAddress, Script, Server, Trouble};

/// Who asks is a request or a timer: a server that is away must hold neither up for long.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(1), response: Duration::from_secs(1), connections: 4 };

/// What one costs, and what may be owed at most (ms) -> how long to wait (ms); 0 = granted.
const SPEND: &str = "
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local owed = tonumber(redis.call('GET', KEYS[1]) or now)
if not owed or owed < now then owed = now end
local whole = owed + tonumber(ARGV[1])
local wait = whole - now - tonumber(ARGV[2])
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', whole), 'PX', string.format('%.0f', whole - now))
return 0";

/// Key, text, time to live (ms).
const PUBLISH: &str = "
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%.0f', now + tonumber(ARGV[3])), ARGV[1])
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < tonumber(ARGV[3]) then redis.call('PEXPIRE', key, ARGV[3]) end
end
return 1";

/// Key.
const WITHDRAW: &str = "
redis.call('HDEL', KEYS[1], ARGV[1])
return redis.call('ZREM', KEYS[2], ARGV[1])";

/// Prefix -> key, text, ... of all that is still said.
const PUBLISHED: &str = "
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))) do
  redis.call('HDEL', KEYS[1], key)
  redis.call('ZREM', KEYS[2], key)
end
local found = {}
for _, key in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if string.sub(key, 1, #ARGV[1]) == ARGV[1] then
    local text = redis.call('HGET', KEYS[1], key)
    if text then found[#found + 1] = { key, text } end
  end
end
return found";

/// What workers share for a while, in Redis, as keys with a TTL.
pub struct RedisEphemeral {
    server: Server,
    prefix: String,
    spend: Script,
    publish: Script,
    withdraw: Script,
    published: Script,
}

impl std::fmt::Debug for RedisEphemeral {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisEphemeral").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl RedisEphemeral {
    /// On this server, below the prefix of the installation's journal. Connects to nothing yet.
    ///
    /// # Errors
    /// The address cannot be used; in plain words, without the address.
    pub fn new(address: &RedisAddress, prefix: &str) -> Result<Self, EphemeralError> {
        Ok(Self {
            server: Server::new(address, LIMITS).map_err(EphemeralError)?,
            prefix: format!("{{{}:ephemeral}}:", prefix.trim_end_matches(':')),
            spend: Script::new(SPEND),
            publish: Script::new(PUBLISH),
            withdraw: Script::new(WITHDRAW),
            published: Script::new(PUBLISHED),
        })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A call of a script about what is said.
    fn about_words<'a>(&self, script: &'a Script) -> Call<'a> {
        let mut call = script.prepare();
        call.key(self.key("said")).key(self.key("until"));
        call
    }

    async fn run<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, EphemeralError> {
        self.server.run(call).await.map_err(error)
    }
}

fn error(trouble: Trouble) -> EphemeralError {
    EphemeralError(trouble.words())
}

#[async_trait]
impl Ephemeral for RedisEphemeral {
    async fn spend(&self, key: &str, allowance: Allowance) -> Result<Spent, EphemeralError> {
        let (every, most) = allowance.millis();
        let mut call = self.spend.prepare();
        call.key(self.key(&format!("allowance:{key}"))).arg(every).arg(most);
        let wait: u64 = self.run(&call).await?;
        Ok(if wait == 0 { Spent::Granted } else { Spent::Wait(Duration::from_millis(wait)) })
    }

    async fn restore(&self, key: &str) -> Result<(), EphemeralError> {
        let key = self.key(&format!("allowance:{key}"));
        self.server.ask::<u64>(cmd("DEL").arg(key)).await.map(drop).map_err(error)
    }

    async fn publish(&self, key: &str, value: &str, ttl: Duration) -> Result<(), EphemeralError> {
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, MONTH);
        let mut call = self.about_words(&self.publish);
        call.arg(key).arg(value).arg(ttl);
        self.run::<u64>(&call).await.map(drop)
    }

    async fn withdraw(&self, key: &str) -> Result<(), EphemeralError> {
        let mut call = self.about_words(&self.withdraw);
        call.arg(key);
        self.run::<u64>(&call).await.map(drop)
    }

    async fn published(&self, prefix: &str) -> Result<Vec<Published>, EphemeralError> {
        let mut call = self.about_words(&self.published);
        call.arg(prefix);
        let found: Vec<(String, String)> = self.run(&call).await?;
        let mut found: Vec<Published> =
            found.into_iter().map(|(key, value)| Published { key, value }).collect();
        found.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(found)
    }
}
