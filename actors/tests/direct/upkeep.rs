//! What is removed from the bucket, and what stays.

use std::time::Duration;

use render_signal_actors::r2::LinkStore as _;
use render_signal_actors::r2::direct::Swept;
use render_signal_testkit::file_host::File;
use render_signal_testkit::s3::Behaviour;

use crate::place::{PART, Place, job};

#[tokio::test]
async fn expired_copies_are_deleted_and_nothing_else() {
    let mut place = Place::start().await;
    let copied = place.offload(File::honest(1000)).await.unwrap();
    let key = Place::key(&copied);
    place.settings.retention = None;
    place.host.serve("/f/kept.bin", File::honest(1000));
    let kept = place.store().offload(job(&place.link("/f/kept.bin"), "fromsmash")).await.unwrap();
    place.settings.retention = Some(Duration::from_secs(24 * 3600));

    let early = place.store_ahead(chrono::Duration::hours(23));
    assert_eq!(early.sweep().await, Ok(Swept::default()));
    assert!(place.s3.object(&key).is_some());
    let late = place.store_ahead(chrono::Duration::hours(25));
    assert_eq!(late.sweep().await, Ok(Swept { uploads: 0, expired: 1 }));
    assert_eq!(place.s3.object(&key), None);
    assert!(place.s3.object(&Place::key(&kept)).is_some(), "it never expires");
}

#[tokio::test]
async fn a_copy_that_is_about_to_expire_is_made_anew() {
    let place = Place::start().await;
    let made = place.offload(File::honest(1000)).await.unwrap().expires_at.unwrap();
    let link = place.link("/f/a.bin");
    let found =
        place.store_ahead(chrono::Duration::hours(17)).offload(job(&link, "fromsmash")).await.unwrap();
    assert_eq!(place.host.asked().len(), 1);
    let found = found.expires_at.unwrap();
    assert_eq!(found, made, "as old as it is");
    let anew = place.store_ahead(chrono::Duration::hours(19)).offload(job(&link, "fromsmash")).await.unwrap();
    assert_eq!(place.host.asked().len(), 2);
    assert!(anew.expires_at.unwrap() > found + chrono::Duration::hours(12));
}

#[tokio::test]
async fn abandoned_uploads_are_ended_and_living_ones_are_not() {
    let place = Place::start().await;
    place.host.serve("/f/a.bin", File::honest(3 * PART));
    place.s3.behave(Behaviour { hold_parts_from: Some(2), ..Behaviour::default() });
    let store = place.store();
    let link = place.link("/f/a.bin");
    let upload = store.offload(job(&link, "fromsmash"));
    let begun = async {
        while place.s3.unfinished_parts() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        end = upload => panic!("it ended: {end:?}"),
        () = begun => {}
        () = tokio::time::sleep(Duration::from_secs(30)) => panic!("no part was uploaded"),
    }
    assert_eq!(place.store().sweep().await, Ok(Swept::default()));
    assert_eq!(place.s3.unfinished().len(), 1);
    let later = place.store_ahead(chrono::Duration::hours(3));
    assert_eq!(later.sweep().await, Ok(Swept { uploads: 1, expired: 0 }));
    place.assert_nothing_unfinished();
}

#[tokio::test]
async fn one_worker_of_several_does_the_round() {
    let place = Place::start().await;
    place.offload(File::honest(1000)).await.unwrap();
    let marks = |place: &Place| {
        place.s3.done().iter().filter(|done| *done == "PutObject render-signal/upkeep.json").count()
    };
    let (one, two) = (place.store(), place.store());
    let rounds = async {
        // Noted when it is asked for; it counts once it lies there.
        while place.s3.object("render-signal/upkeep.json").is_none_or(|mark| mark.is_empty()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The second looks, sees the mark, and leaves it.
        let second = tokio::time::timeout(Duration::from_millis(300), two.look_after()).await;
        assert!(second.is_err(), "it never ends");
    };
    tokio::select! {
        () = one.look_after() => panic!("it never ends"),
        () = rounds => {}
    }
    assert_eq!(marks(&place), 1);
}
