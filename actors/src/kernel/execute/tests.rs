use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::*;
use crate::kernel::clock::World;
use crate::kernel::event::{NewEvent, StreamId};
use crate::kernel::journal::StreamWrite;
use crate::kernel::journal::memory::MemoryJournal;
use crate::readmodel;

#[derive(Debug, PartialEq, Eq)]
enum No {
    Refused,
    Busy,
    Append,
}

fn unwritten(error: Unwritten) -> No {
    match error {
        Unwritten::Busy => No::Busy,
        Unwritten::Append(_) => No::Append,
    }
}

/// A journal, a world, and how often it was decided.
struct Scene {
    journal: MemoryJournal,
    world: World,
    rounds: AtomicU32,
}

impl Scene {
    fn new() -> Self {
        let world = World::real();
        let journal = MemoryJournal::new(world.clone(), readmodel::all());
        Self { journal, world, rounds: AtomicU32::new(0) }
    }

    fn round(&self) -> u32 {
        self.rounds.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn commit(&self, version: u64) -> Commit {
        let payload = json!({ "fence": 1, "worker": "w", "reason": "stop" });
        let event = NewEvent { id: self.world.ids.next(), kind: "lease.released", schema: 1, payload };
        Commit {
            at: self.world.now(),
            writes: vec![StreamWrite::after(version, StreamId::new("lease", "execute"), vec![event])],
            ..Commit::default()
        }
    }

    async fn version(&self) -> u64 {
        let events = self.journal.read_stream(&StreamId::new("lease", "execute"), 0).await.unwrap();
        events.last().map_or(0, |event| event.version)
    }
}

#[tokio::test]
async fn it_is_decided_again_when_somebody_wrote_in_between() {
    let scene = Scene::new();
    let decide = async || {
        let (round, read) = (scene.round(), scene.version().await);
        if round == 1 {
            scene.journal.append(scene.commit(read)).await.unwrap();
        }
        Ok(Decision { commit: Some(scene.commit(read)), answer: read })
    };
    let done = execute(&scene.journal, || Box::pin(decide()), unwritten).await;
    assert_eq!(done, Ok(1), "the answer is that of the second look");
    assert_eq!((scene.round(), scene.version().await), (3, 2));
}

#[tokio::test]
async fn nothing_is_written_for_what_is_so_already_or_is_refused() {
    let scene = Scene::new();
    for expected in [Ok(7), Err(No::Refused)] {
        let decide = async || {
            scene.round();
            match expected {
                Ok(answer) => Ok(Decision::already(answer)),
                Err(_) => Err(No::Refused),
            }
        };
        assert_eq!(execute(&scene.journal, || Box::pin(decide()), unwritten).await, expected);
    }
    assert_eq!((scene.round(), scene.version().await), (3, 0), "neither is asked twice");
}

#[tokio::test]
async fn it_ends_when_others_never_stop_and_when_the_journal_says_no() {
    let scene = Scene::new();
    let wrong = async || {
        scene.round();
        Ok(Decision::write(scene.commit(5)))
    };
    assert_eq!(execute(&scene.journal, || Box::pin(wrong()), unwritten).await, Err(No::Busy));
    assert_eq!((scene.round(), scene.version().await), (ATTEMPTS + 1, 0));
    scene.journal.close().await;
    assert_eq!(execute(&scene.journal, || Box::pin(wrong()), unwritten).await, Err(No::Append));
}
