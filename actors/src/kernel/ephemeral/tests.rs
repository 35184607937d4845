//! The same promises for both places; Redis is a real server, started for the test.

use chrono::DateTime;
use render_signal_testkit::Redis;

use super::*;
use crate::kernel::clock::World;

/// Long enough that nothing comes back during a test.
const LONG: Duration = Duration::from_secs(600);

async fn allowances_are_spent_and_given_back(place: &dyn Ephemeral, other: &dyn Ephemeral) {
    let allowance = Allowance { burst: 3, every: LONG };
    assert_eq!(place.spend("login", allowance).await, Ok(Spent::Granted));
    assert_eq!(other.spend("login", allowance).await, Ok(Spent::Granted));
    assert_eq!(place.spend("login", allowance).await, Ok(Spent::Granted));
    for place in [place, other] {
        let Ok(Spent::Wait(wait)) = place.spend("login", allowance).await else { panic!("a fourth") };
        assert!(!wait.is_zero() && wait <= LONG, "{wait:?}");
    }
    assert_eq!(place.spend("another", allowance).await, Ok(Spent::Granted), "each key has its own");
    other.restore("login").await.unwrap();
    assert_eq!(place.spend("login", allowance).await, Ok(Spent::Granted));
}

async fn what_is_refused_costs_nothing(place: &dyn Ephemeral) {
    let allowance = Allowance { burst: 1, every: Duration::from_millis(40) };
    assert_eq!(place.spend("short", allowance).await, Ok(Spent::Granted));
    // However often somebody asks meanwhile, it comes back.
    for _ in 0..2_000 {
        if place.spend("short", allowance).await == Ok(Spent::Granted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it never came back");
}

async fn what_is_said_is_listed_until_it_ends(place: &dyn Ephemeral, other: &dyn Ephemeral) {
    let listed = async |prefix: &str| -> Vec<(String, String)> {
        let found = other.published(prefix).await.unwrap();
        found.into_iter().map(|one| (one.key, one.value)).collect()
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    place.publish("status:b", "two", LONG).await.unwrap();
    place.publish("status:a", "one", LONG).await.unwrap();
    place.publish("else:a", "é [%] \u{0}", LONG).await.unwrap();
    assert_eq!(listed("status:").await, [pair("status:a", "one"), pair("status:b", "two")]);
    assert_eq!(listed("else:").await, [pair("else:a", "é [%] \u{0}")]);
    place.publish("status:a", "new", Duration::from_millis(40)).await.unwrap();
    place.withdraw("status:b").await.unwrap();
    place.withdraw("status:c").await.unwrap();
    for _ in 0..2_000 {
        let now = listed("status:").await;
        if now.is_empty() {
            assert_eq!(listed("").await.len(), 1, "the others are still said");
            return;
        }
        assert_eq!(now, [pair("status:a", "new")]);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it is said for ever");
}

#[tokio::test(start_paused = true)]
async fn in_memory() {
    let place = MemoryEphemeral::new(World::seeded(DateTime::UNIX_EPOCH, 1));
    allowances_are_spent_and_given_back(&place, &place).await;
    what_is_refused_costs_nothing(&place).await;
    what_is_said_is_listed_until_it_ends(&place, &place).await;
}

#[tokio::test(start_paused = true)]
async fn keys_of_strangers_do_not_fill_the_memory() {
    let place = MemoryEphemeral::new(World::seeded(DateTime::UNIX_EPOCH, 1));
    let allowance = Allowance { burst: 1, every: Duration::from_secs(1) };
    for stranger in 0..20_000_u32 {
        assert_eq!(place.spend(&stranger.to_string(), allowance).await, Ok(Spent::Granted));
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    let kept = place.held.lock().unwrap().owed.len();
    assert!(kept <= 2 * super::memory::SWEEP, "{kept} are kept, 100 of them mean something");
}

#[tokio::test]
async fn in_redis() {
    let redis = Redis::start_forgetful().await;
    let worker = |prefix: &str| RedisEphemeral::new(&redis.url().as_str().into(), prefix).unwrap();
    let (one, two) = (worker("rs:journal"), worker("rs:journal:"));
    allowances_are_spent_and_given_back(&one, &two).await;
    what_is_refused_costs_nothing(&one).await;
    what_is_said_is_listed_until_it_ends(&one, &two).await;
    assert_eq!(worker("rs:other").published("").await, Ok(Vec::new()), "another installation");

    // Nothing stays for ever, whoever stops asking.
    let client = ::redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = cmd(&mut connection, &["KEYS", "*"]).await;
    assert!(!keys.is_empty());
    for key in keys {
        let left: i64 = cmd(&mut connection, &["PTTL", &key]).await;
        // -2: it has ended since it was listed.
        assert!(left > 0 || left == -2, "{key} never expires: {left}");
    }
}

async fn cmd<T: ::redis::FromRedisValue>(
    connection: &mut ::redis::aio::MultiplexedConnection,
    words: &[&str],
) -> T {
    let mut command = ::redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(connection).await.unwrap()
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_without_its_address() {
    let place = RedisEphemeral::new(&"redis://user:s3cret@127.0.0.1:1/".into(), "rs").unwrap();
    let error = place.spend("a", Allowance { burst: 1, every: LONG }).await.unwrap_err().to_string();
    assert!(error.contains("no connection to Redis") && !error.contains("s3cret"), "{error}");
}
