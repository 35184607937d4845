//! Uploads in parts: their sizes, and how they go on after an interruption.

use std::time::Duration;

use render_signal_actors::r2::{Copied, LinkStore as _};
use render_signal_testkit::file_host::{End, File};
use render_signal_testkit::s3::Behaviour;
use tokio::task::JoinHandle;

use crate::place::{PART, Place, job, until};

#[tokio::test]
async fn all_parts_but_the_last_have_the_same_size() {
    for (length, want) in [
        (PART - 1, vec![]),
        (PART, vec![PART]),
        (PART + 1, vec![PART, 1]),
        (3 * PART, vec![PART; 3]),
        (3 * PART + 12_345, vec![PART, PART, PART, 12_345]),
    ] {
        for file in [File::honest(length), File::honest(length).chunked().without_ranges()] {
            let place = Place::start().await;
            let copied = place.offload(file.clone()).await.unwrap();
            assert_eq!(place.s3.completed().concat(), want, "{length}");
            assert!(place.s3.object(&Place::key(&copied)).unwrap() == file.bytes(), "{length}: other bytes");
            assert!(place.s3.parts_at_once() <= 2, "{}", place.s3.parts_at_once());
            place.assert_nothing_unfinished();
        }
    }
}

#[tokio::test]
async fn a_reset_connection_is_gone_on_with() {
    let place = Place::start().await;
    let file = File::honest(3 * PART + 5).ending(End::ResetOnce(2 * PART + 100));
    let copied = place.offload(file.clone()).await.unwrap();
    assert!(place.s3.object(&Place::key(&copied)).unwrap() == file.bytes());
    let asked = place.host.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].range, Some(format!("bytes={}-", 2 * PART)));
    assert_eq!(asked[1].if_range.as_deref(), Some("\"v1\""));
    assert_eq!(place.s3.completed(), [vec![PART, PART, PART, 5]]);
    place.assert_nothing_unfinished();
}

#[tokio::test]
async fn without_ranges_a_broken_transfer_begins_anew() {
    let place = Place::start().await;
    let file = File::honest(2 * PART + 5).without_ranges().ending(End::ResetOnce(PART + 100));
    let copied = place.offload(file.clone()).await.unwrap();
    assert!(place.s3.object(&Place::key(&copied)).unwrap() == file.bytes());
    assert_eq!(place.s3.completed(), [vec![PART, PART, 5]]);
    place.assert_nothing_unfinished();
}

/// A worker that is cut off in the middle, with `parts` parts in the bucket. The next one has
/// come to the server and will never be there: otherwise it could arrive after the cut.
async fn cut_off(place: &Place, file: File, parts: i32) {
    place.host.serve("/f/a.bin", file);
    place.s3.behave(Behaviour { hold_parts_from: Some(parts + 1), ..Behaviour::default() });
    let store = place.store();
    let under_way = store.offload(job(&place.link("/f/a.bin"), "fromsmash"));
    let reached = async {
        while place.s3.held(parts + 1) == 0 || place.s3.unfinished_parts() < usize::try_from(parts).unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        end = under_way => panic!("it ended: {end:?}"),
        () = reached => {}
        () = tokio::time::sleep(Duration::from_secs(30)) => panic!("no part was uploaded"),
    }
    place.s3.behave(Behaviour::default());
    assert_eq!(place.s3.unfinished().len(), 1);
}

#[tokio::test]
async fn another_worker_goes_on_from_the_last_finished_part() {
    let place = Place::start().await;
    let name = "attachment; filename=\"rapport.pdf\"";
    let file = File::honest(4 * PART + 7).with("Content-Disposition", name);
    cut_off(&place, file.clone(), 3).await;
    let copied = place.offload(file.clone()).await.unwrap();
    assert_eq!(copied.original_filename.as_deref(), Some("rapport.pdf"));
    assert!(place.s3.object(&Place::key(&copied)).unwrap() == file.bytes());
    assert_eq!(place.host.asked()[1].range, Some(format!("bytes={}-", 3 * PART)));
    assert_eq!(place.s3.completed(), [vec![PART, PART, PART, PART, 7]]);
    place.assert_nothing_unfinished();
}

#[tokio::test]
async fn a_source_that_has_changed_is_copied_anew() {
    let place = Place::start().await;
    cut_off(&place, File::honest(4 * PART + 7), 2).await;
    let changed = File::honest(3 * PART + 9).with("ETag", "\"v2\"").starting(b"another file");
    let copied = place.offload(changed.clone()).await.unwrap();
    assert!(place.s3.object(&Place::key(&copied)).unwrap() == changed.bytes());
    assert_eq!(place.s3.completed(), [vec![PART, PART, PART, 9]]);
    assert!(place.s3.done().iter().any(|done| done.starts_with("AbortMultipartUpload")));
    place.assert_nothing_unfinished();
}

#[tokio::test]
async fn a_source_that_is_gone_leaves_nothing_unfinished() {
    let place = Place::start().await;
    cut_off(&place, File::honest(4 * PART + 7), 2).await;
    let refused = place.offload(File::status(404)).await.unwrap_err();
    assert!(refused.contains("404"), "{refused}");
    place.assert_nothing_unfinished();
}

#[tokio::test]
async fn what_was_begun_for_another_mail_is_left_to_the_clean_up() {
    let place = Place::start().await;
    let worker = at_work(&place, File::honest(4 * PART + 7)).await;
    worker.abort();
    assert!(worker.await.unwrap_err().is_cancelled());
    let refused = place.offload(File::status(404)).await.unwrap_err();
    assert!(refused.contains("404"), "{refused}");
    // It may be at work on it still.
    assert_eq!(place.s3.unfinished().len(), 1);
    place.store_ahead(chrono::Duration::hours(3)).sweep().await.unwrap();
    place.assert_nothing_unfinished();
}

/// A worker that has uploaded a part of `/f/a.bin` and waits for the rest, which its host holds back.
#[tokio::test]
async fn who_is_away_for_a_while_is_told_from_who_refuses() {
    let place = Place::start().await;
    for (status, passing) in [(404, false), (403, false), (410, false), (503, true), (500, true), (429, true)]
    {
        place.host.serve("/f/a.bin", File::status(status));
        let failure = place.store().offload(job(&place.link("/f/a.bin"), "fromsmash")).await.unwrap_err();
        assert_eq!(failure.passing, passing, "{status}: {failure:?}");
    }
}

async fn at_work(place: &Place, file: File) -> JoinHandle<Result<Copied, String>> {
    place.host.serve("/f/a.bin", file.ending(End::Held(PART + 100)));
    let (store, mut job) = (place.store(), job(&place.link("/f/a.bin"), "fromsmash"));
    job.email_id = "of-another-mail".to_owned();
    let worker = tokio::spawn(async move { store.offload(job).await.map_err(|failure| failure.why) });
    until("a part", || place.s3.unfinished_parts() == 1).await;
    worker
}

#[tokio::test]
async fn the_failure_of_one_worker_does_not_end_the_upload_of_another() {
    let file = File::honest(3 * PART + 5);
    for bad in [File::status(404), File::status(503), file.clone().ending(End::Reset(PART + 10))] {
        let place = Place::start().await;
        let worker = at_work(&place, file.clone()).await;
        place.offload(bad).await.unwrap_err();
        assert!(!place.s3.done().iter().any(|done| done.starts_with("Abort")), "{:?}", place.s3.done());
        place.host.let_go("/f/a.bin");
        let copied = worker.await.unwrap().unwrap();
        assert!(place.s3.object(&Place::key(&copied)).unwrap() == file.bytes());
        place.assert_nothing_unfinished();
    }
}

#[tokio::test]
async fn who_began_an_upload_leaves_it_to_who_went_on_with_it() {
    let place = Place::start().await;
    let file = File::honest(3 * PART + 5);
    let first = at_work(&place, file.clone()).await;
    // The second goes on behind the part that is there, and is held up, too.
    place.host.serve("/f/a.bin", file.clone().ending(End::Held(PART + 200)));
    let (store, job) = (place.store(), job(&place.link("/f/a.bin"), "fromsmash"));
    let second = tokio::spawn(async move { store.offload(job).await.map_err(|failure| failure.why) });
    until("the second goes on", || place.host.asked().len() == 2).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let refused = place.offload(File::status(404)).await.unwrap_err();
    assert!(refused.contains("404"), "{refused}");
    place.host.let_go("/f/a.bin");
    second.await.unwrap().unwrap();
    assert_eq!(place.s3.completed(), [vec![PART, PART, PART, 5]]);
    place.assert_nothing_unfinished();
}

#[tokio::test]
async fn who_is_overtaken_by_one_that_fails_tries_again() {
    let place = Place::start().await;
    let worker = at_work(&place, File::honest(3 * PART + 5)).await;
    // To another worker the host gives another file, and never all of it.
    let other = File::honest(3 * PART + 9).with("ETag", "\"v2\"");
    place.offload(other.clone().ending(End::Reset(PART + 100))).await.unwrap_err();
    assert_eq!(place.s3.unfinished(), Vec::<String>::new(), "the first one's upload is gone");
    place.host.serve("/f/a.bin", other.clone());
    place.host.let_go("/f/a.bin");
    let copied = worker.await.unwrap().unwrap();
    assert!(place.s3.object(&Place::key(&copied)).unwrap() == other.bytes());
    place.assert_nothing_unfinished();
}

#[tokio::test]
async fn an_upload_that_is_too_old_is_not_gone_on_with() {
    let place = Place::start().await;
    let file = File::honest(2 * PART + 7);
    cut_off(&place, file.clone(), 1).await;
    let later = chrono::Duration::hours(3);
    place.store_ahead(later).offload(job(&place.link("/f/a.bin"), "fromsmash")).await.unwrap();
    assert_eq!(place.host.asked()[1].range, None);
    assert_eq!(place.s3.completed(), [vec![PART, PART, 7]]);
    place.assert_nothing_unfinished();
}

#[tokio::test]
async fn a_bucket_that_refuses_leaves_nothing_unfinished() {
    let place = Place::start().await;
    place.s3.behave(Behaviour { refuse_parts_from: Some(2), ..Behaviour::default() });
    let refused = place.offload(File::honest(3 * PART)).await.unwrap_err();
    assert!(refused.contains("AccessDenied") && !refused.contains("secret"), "{refused}");
    place.assert_nothing_unfinished();
}

#[tokio::test]
async fn access_is_checked_without_changing_anything() {
    let mut place = Place::start().await;
    assert_eq!(place.store().check().await, Ok(()));
    place.settings.account.secret_access_key = "another".to_owned().into();
    let refused = place.store().check().await.unwrap_err();
    assert!(refused.contains("403") && !refused.contains("another"), "{refused}");
    place.settings.bucket = "nowhere".to_owned();
    assert!(place.store().check().await.is_err());
    assert!(place.s3.done().is_empty());
}
