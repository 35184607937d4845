use chrono::DateTime;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::kernel::event::StreamId;

/// Keeps every `n`; refuses 13.
struct Numbers {
    name: &'static str,
    version: u32,
}

impl Projection for Numbers {
    fn name(&self) -> &'static str {
        self.name
    }
    fn version(&self) -> u32 {
        self.version
    }
    fn tables(&self) -> &'static [&'static str] {
        if self.name == "one" { &["one"] } else { &["two"] }
    }
    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        db.execute_batch(&format!("CREATE TABLE {} (n INTEGER NOT NULL CHECK (n <> 13))", self.name))
    }
    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        let n = event.payload["n"].as_i64().unwrap();
        assert_ne!(n, 17, "seventeen");
        db.execute(&format!("INSERT INTO {} VALUES (?1)", self.name), [n]).map(drop)
    }
}

fn both(version: u32) -> Vec<Box<dyn Projection>> {
    vec![Box::new(Numbers { name: "one", version: 1 }), Box::new(Numbers { name: "two", version })]
}

fn event(n: i64) -> Recorded {
    Recorded {
        position: 1,
        id: Uuid::nil(),
        stream: StreamId::new("test", "1"),
        version: 1,
        kind: "number.seen".to_owned(),
        schema: 1,
        at: DateTime::UNIX_EPOCH,
        cause: None,
        payload: json!({ "n": n }),
    }
}

fn count(db: &Connection, table: &str) -> i64 {
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn only_a_changed_version_is_rebuilt() {
    let db = Connection::open_in_memory().unwrap();
    assert_eq!(prepare(&db, &both(1)).unwrap(), ["one", "two"]);
    feed(&db, &both(1), &event(1)).unwrap();
    advance(&db, "one", 5).unwrap();
    advance(&db, "two", 5).unwrap();
    advance(&db, "two", 4).unwrap();
    assert_eq!(prepare(&db, &both(1)).unwrap(), Vec::<&str>::new());
    assert_eq!((count(&db, "one"), count(&db, "two")), (1, 1));
    assert_eq!(checkpoint(&db, "two").unwrap(), 5, "never moved back");

    assert_eq!(prepare(&db, &both(2)).unwrap(), ["two"]);
    assert_eq!((count(&db, "one"), count(&db, "two")), (1, 0));
    assert_eq!((checkpoint(&db, "one").unwrap(), checkpoint(&db, "two").unwrap()), (5, 0));
}

#[test]
fn a_projection_that_comes_back_is_rebuilt() {
    let db = Connection::open_in_memory().unwrap();
    prepare(&db, &both(1)).unwrap();
    feed(&db, &both(1), &event(1)).unwrap();
    let only_one: Vec<Box<dyn Projection>> = vec![Box::new(Numbers { name: "one", version: 1 })];
    assert_eq!(prepare(&db, &only_one).unwrap(), Vec::<&str>::new());
    assert_eq!(prepare(&db, &both(1)).unwrap(), ["two"], "it missed events meanwhile");
    assert_eq!((count(&db, "one"), count(&db, "two")), (1, 0));
}

#[test]
fn an_event_that_cannot_be_taken_in_is_passed_over() {
    let db = Connection::open_in_memory().unwrap();
    prepare(&db, &both(1)).unwrap();
    for n in [12, 13, 17, 18] {
        feed(&db, &both(1), &event(n)).unwrap();
    }
    assert_eq!((count(&db, "one"), count(&db, "two")), (2, 2));
}

#[test]
fn a_failing_database_is_not_passed_over() {
    let db = Connection::open_in_memory().unwrap();
    prepare(&db, &both(1)).unwrap();
    db.execute_batch("PRAGMA query_only = ON").unwrap();
    assert!(feed(&db, &both(1), &event(1)).is_err());
}

#[test]
fn the_hash_tells_contents_not_histories_apart() {
    let hash = |numbers: &[i64]| {
        let db = Connection::open_in_memory().unwrap();
        prepare(&db, &both(1)).unwrap();
        for n in numbers {
            feed(&db, &both(1), &event(*n)).unwrap();
        }
        content_hash(&db, both(1)[0].as_ref()).unwrap()
    };
    assert_eq!(hash(&[1, 2, 3]), hash(&[3, 1, 2]));
    assert_ne!(hash(&[1, 2, 3]), hash(&[1, 2]));
    assert_ne!(hash(&[1, 2, 3]), hash(&[1, 2, 4]));
    assert_ne!(hash(&[1, 1]), hash(&[1]));
    assert_eq!(hash(&[]).len(), 64);
}

#[test]
fn an_event_is_read_once_and_only_when_somebody_asks() {
    thread_local! { static READ: std::cell::Cell<u32> = const { std::cell::Cell::new(0) }; }
    fn read(event: &Recorded) -> i64 {
        READ.with(|times| times.set(times.get() + 1));
        event.payload["n"].as_i64().unwrap()
    }
    let recorded = event(5);
    let fed = FedEvent::new(&recorded);
    assert_eq!((fed.position, READ.get()), (1, 0));
    assert_eq!((fed.read_as(read), fed.read_as(read), READ.get()), (Some(&5), Some(&5), 1));
    assert_eq!(fed.read_as(|event| event.kind.clone()), None, "the first type stays");
}
