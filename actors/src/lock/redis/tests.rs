//! Against a real server, started for the test.

use redis::{Client, Connection, cmd};
use render_signal_testkit::Redis;

use super::*;

const TTL: Duration = Duration::from_secs(30);

struct Server(Redis);

impl Server {
    fn start() -> Self {
        Self(Redis::launch(&["--appendonly", "no"]))
    }

    fn lease(&self, name: &str) -> RedisLease {
        RedisLease::new(&self.0.url().as_str().into(), KEY, name, TTL).unwrap()
    }

    fn connection(&self) -> Connection {
        Client::open(self.0.url()).unwrap().get_connection().unwrap()
    }

    fn left(&self) -> i64 {
        cmd("PTTL").arg(KEY).query(&mut self.connection()).unwrap()
    }
}

#[tokio::test]
async fn one_holder_at_a_time() {
    let server = Server::start();
    let (one, two) = (server.lease("one"), server.lease("two"));
    assert_eq!(two.renew(TTL).await, Ok(Renewal::Lost));
    assert_eq!(one.try_acquire(TTL).await, Ok(LeaseAnswer::Granted));
    assert_eq!(one.try_acquire(TTL * 4).await, Ok(LeaseAnswer::Granted), "ours already");
    assert!(server.left() > 31_000, "with a new TTL");
    assert_eq!(two.try_acquire(TTL).await, Ok(LeaseAnswer::HeldBy("one".to_owned())));
    assert_eq!(two.renew(TTL).await, Ok(Renewal::Lost));
    assert_eq!(two.release().await, Ok(()), "not ours: nothing happens");
    assert_eq!(one.renew(TTL).await, Ok(Renewal::Renewed));
    assert!((1..=30_000).contains(&server.left()));
    assert_eq!(one.release().await, Ok(()));
    assert_eq!(two.try_acquire(TTL).await, Ok(LeaseAnswer::Granted));
    assert_eq!(one.renew(TTL).await, Ok(Renewal::Lost));
    assert!(two.warning().is_none());
}

#[tokio::test]
async fn it_runs_out_and_a_server_that_was_emptied_gives_it_to_anybody() {
    let server = Server::start();
    let (one, two) = (server.lease("one"), server.lease("two"));
    let short = Duration::from_millis(50);
    assert_eq!(one.try_acquire(short).await, Ok(LeaseAnswer::Granted));
    while two.try_acquire(TTL).await.unwrap() != LeaseAnswer::Granted {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(one.renew(TTL).await, Ok(Renewal::Lost));
    cmd("FLUSHALL").exec(&mut server.connection()).unwrap();
    assert_eq!(two.renew(TTL).await, Ok(Renewal::Lost));
    assert_eq!(one.try_acquire(TTL).await, Ok(LeaseAnswer::Granted));
}

#[tokio::test]
async fn the_lock_of_the_reference_system_is_respected() {
    let server = Server::start();
    cmd("SET").arg(KEY).arg("pid=42").arg("EX").arg(300).exec(&mut server.connection()).unwrap();
    let one = server.lease("one");
    let held = LeaseAnswer::HeldBy("pid=42 of the previous system".to_owned());
    assert_eq!(one.try_acquire(TTL).await, Ok(held));
    one.release().await.unwrap();
    assert!(server.left() > 31_000, "it is not ours to release");
}

#[tokio::test]
async fn a_server_that_went_away_is_an_error_and_its_return_is_noticed() {
    let server = Server::start();
    let one = server.lease("one");
    assert_eq!(one.try_acquire(TTL).await, Ok(LeaseAnswer::Granted));
    cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec(&mut server.connection()).unwrap();
    let error = one.renew(TTL).await.unwrap_err();
    assert!(error.to_string().starts_with("the lease in Redis could not be renewed: "), "{error}");
    assert_eq!(one.renew(TTL).await, Ok(Renewal::Renewed), "over a new connection");
    let nobody = RedisLease::new(&"redis://user:s3cret@127.0.0.1:1/".into(), KEY, "one", TTL).unwrap();
    let error = nobody.try_acquire(TTL).await.unwrap_err().to_string();
    assert!(!error.contains("s3cret"), "{error}");
    assert!(RedisLease::new(&"no address".into(), KEY, "one", TTL).is_err());
}

#[test]
fn an_installation_with_a_prefix_has_a_key_of_its_own_and_any_other_that_of_the_reference_system() {
    assert_eq!(key_of(DEFAULT_PREFIX), KEY);
    assert_eq!(key_of("rs:shop"), "rs:shop:poller_lock");
}
