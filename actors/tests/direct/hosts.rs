//! What hosts send, good and bad.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;

use render_signal_actors::r2::LinkStore as _;
use render_signal_actors::r2::direct::Pace;
use render_signal_testkit::file_host::{End, File, FileHost};

use crate::place::{PART, Place, job, job_under};

#[tokio::test]
async fn a_small_file_is_one_request_with_all_its_labels() {
    let place = Place::start().await;
    let name = "attachment; filename=\"x.zip\"; filename*=UTF-8''Lot%2042%20%E2%80%93%20%C3%A9t%C3%A9.zip";
    let file =
        File::honest(100_000).with("Content-Disposition", name).with("Content-Type", "application/zip");
    let copied = place.offload(file.clone()).await.unwrap();
    assert_eq!(copied.original_filename.as_deref(), Some("Lot 42 – été.zip"));
    let key = Place::key(&copied);
    assert!(key.starts_with("fromsmash/") && key.ends_with("/a.bin"), "{key}");
    assert_eq!(place.s3.object(&key), Some(file.bytes()));
    assert_eq!(place.s3.done(), [format!("PutObject {key}")]);
    place.assert_nothing_unfinished();

    // The same link again: neither fetched nor uploaded, and the name is known still.
    let asked = place.host.asked().len();
    let again = place.offload(file).await.unwrap();
    assert_eq!(again, copied);
    assert_eq!(place.host.asked().len(), asked);
}

#[tokio::test]
async fn the_same_link_in_many_mails_is_fetched_once() {
    let place = Place::start().await;
    place.host.serve("/f/a.bin", File::honest(3 * PART));
    let store = place.store();
    let link = place.link("/f/a.bin");
    let ends = futures::future::join_all((0..5).map(|_| store.offload(job(&link, "fromsmash")))).await;
    let first = ends[0].clone().unwrap();
    assert!(ends.iter().all(|end| end.as_ref().is_ok_and(|copied| *copied == first)));
    assert_eq!(place.host.asked().len(), 1);
    assert_eq!(place.s3.completed().len(), 1);
}

#[tokio::test]
async fn dropbox_is_followed_to_where_its_content_is() {
    let place = Place::start().await;
    let port = place.secure.port();
    let folder = File::honest(2 * 1024 * 1024).starting(b"PK\x03\x04").chunked().without_ranges();
    place.secure.serve("/scl/fo/x/y", File::redirect(format!("https://dropbox.com:{port}/z")));
    place.secure.serve("/z", folder.clone());
    let link = format!("https://www.dropbox.com:{port}/scl/fo/x/y?rlkey=k&dl=0");
    let copied = place.store().offload(job(&link, "dropbox")).await.unwrap();
    assert_eq!(place.s3.object(&Place::key(&copied)), Some(folder.bytes()));
    assert_eq!(place.secure.asked()[0].path, "/scl/fo/x/y?dl=1&rlkey=k");
    assert!(Place::key(&copied).starts_with("dropbox/"), "{}", copied.r2_url);

    for (why, file) in [
        ("no ZIP", File::honest(2 * 1024 * 1024).starting(b"Rar!")),
        ("shorter than 1 MiB", File::honest(1024 * 1024 - 1).starting(b"PK\x03\x04")),
        ("shorter than 1 MiB", File::honest(1024 * 1024 - 1).starting(b"PK\x03\x04").chunked()),
    ] {
        place.secure.serve("/scl/fo/x/other", file);
        let link = format!("https://www.dropbox.com:{port}/scl/fo/x/other");
        let refused = place.store().offload(job(&link, "dropbox")).await.unwrap_err().why;
        assert!(refused.contains(why), "{refused}");
    }
}

#[tokio::test]
async fn what_is_no_file_is_refused_and_nothing_is_left() {
    let place = Place::start().await;
    let big = 2 * PART + 1;
    let cases = [
        ("404", File::status(404)),
        ("HTML", File::honest(5_000).with("Content-Type", "text/html; charset=utf-8")),
        ("HTML", File::honest(5_000).starting(b"<!DOCTYPE html><title>Sign in")),
        ("empty", File::honest(0)),
        ("R2_MAX_FILE_BYTES", File::honest(64 * 1024 * 1024 + 1)),
        ("R2_MAX_FILE_BYTES", File::honest(0).chunked().ending(End::Endless)),
        ("encoded as gzip", File::honest(5_000).with("Content-Encoding", "gzip")),
        ("more than 8 redirections", File::redirect("/f/7.bin")),
        ("leads nowhere", File::status(302)),
        // Never whole, however often it is asked for.
        ("failed", File::honest(big).ending(End::Short(big - 1))),
        ("failed", File::honest(5_000).ending(End::Reset(100))),
        ("503", File::status(503)),
    ];
    // Every file at once, as some are tried again and again.
    let store = place.store();
    let ends = cases.iter().enumerate().map(|(at, (why, file))| {
        let (path, store) = (format!("/f/{at}.bin"), &store);
        place.host.serve(&path, file.clone());
        let link = place.link(&path);
        async move { (why, store.offload(job(&link, "fromsmash")).await.unwrap_err().why) }
    });
    for (why, refused) in futures::future::join_all(ends).await {
        assert!(refused.contains(why), "{why}: {refused}");
    }
    place.assert_nothing_unfinished();
    assert!(place.s3.keys().is_empty(), "{:?}", place.s3.keys());
}

#[tokio::test]
async fn a_host_that_falls_silent_is_given_up() {
    let mut place = Place::start().await;
    place.settings.limit = Duration::from_secs(2);
    for file in [
        File { delay: Duration::from_secs(600), ..File::honest(10) },
        File::honest(10_000).ending(End::Silence(10)),
        File::honest(3 * PART).ending(End::Silence(PART + 10)),
    ] {
        let refused = place.offload(file).await.unwrap_err();
        assert!(refused.contains("R2_TRANSFER_MAX_SECONDS"), "{refused}");
        place.assert_nothing_unfinished();
    }
}

#[tokio::test]
async fn a_host_that_trickles_is_given_up() {
    let mut place = Place::start().await;
    let slowly = |file: File| file.trickling(1_000, Duration::from_millis(10));
    let long = File::honest(3 * PART);
    let cases = [
        slowly(File::honest(PART - 1)),
        slowly(long.clone()),
        slowly(long.clone().chunked()),
        slowly(long.ending(End::Endless).chunked()),
    ];
    for quick in [Duration::from_millis(20), Duration::from_secs(60)] {
        // Of its hundred kilobytes in a second, the host is to send a megabyte.
        place.settings.pace = Pace { quick, run_up: Duration::from_millis(200), least: 1_000_000 };
        for file in &cases {
            let refused = place.offload(file.clone()).await.unwrap_err();
            assert_eq!(refused, "the host sends too slowly");
        }
    }
    // Also the rest of a file: the parts that came quickly are no credit for ever.
    place.settings.pace = Pace { run_up: Duration::from_secs(1), least: u64::MAX, ..Pace::default() };
    let refused = place.offload(File::honest(3 * PART).trickling(100_000, Duration::from_millis(10))).await;
    assert_eq!(refused.unwrap_err(), "the host sends too slowly");
    place.assert_nothing_unfinished();
    assert!(place.s3.keys().is_empty(), "{:?}", place.s3.keys());

    // Slower than others, but not too slow.
    place.settings.pace =
        Pace { quick: Duration::from_millis(20), run_up: Duration::from_millis(50), least: 1_000 };
    let file = File::honest(PART + 5).trickling(300_000, Duration::from_millis(10));
    let copied = place.offload(file.clone()).await.unwrap();
    assert!(place.s3.object(&Place::key(&copied)).unwrap() == file.bytes());
}

#[tokio::test]
async fn a_redirection_into_the_network_is_refused_without_any_contact() {
    let place = Place::start().await;
    // In a network that the operator has opened for targets, the bucket and the services' names.
    let inside = TcpListener::bind("127.0.0.3:0").unwrap();
    inside.set_nonblocking(true).unwrap();
    let port = inside.local_addr().unwrap().port();
    for (name, address) in [
        ("rebound.example", "127.0.0.3"),
        ("localhost", "127.0.0.3"),
        ("corp.dropbox.com", "127.0.0.3"),
        ("uc1.dl.dropboxusercontent.com", "127.0.0.3"),
        ("metadata.example", "169.254.169.254"),
    ] {
        place.names.known.lock().unwrap().insert(name.to_owned(), address.parse().unwrap());
    }
    for target in [
        format!("http://127.0.0.3:{port}/"),
        // The bucket and the host of the link itself, by their addresses.
        format!("{}livraisons/x", place.s3.url()),
        format!("http://127.0.0.2:{}/f/b.bin", place.host.port()),
        format!("http://localhost:{port}/"),
        format!("http://rebound.example:{port}/"),
        // Others publish what their names resolve to.
        format!("http://corp.dropbox.com:{port}/"),
        format!("https://uc1.dl.dropboxusercontent.com:{port}/"),
        format!("https://127.0.0.3:{port}/"),
        format!("http://2130706435:{port}/"),
        format!("http://0x7f000003:{port}/"),
        format!("http://0177.0.0.3:{port}/"),
        format!("http://[::ffff:127.0.0.3]:{port}/"),
        format!("https://rebound.example:{port}/"),
        format!("//rebound.example:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://metadata.example/".to_owned(),
        "http://[fd00:ec2::254]/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "ftp://fromsmash.com/".to_owned(),
    ] {
        let refused = place.offload(File::redirect(target.clone())).await.unwrap_err();
        assert!(refused.contains("leads where it must not"), "{target}: {refused}");
    }
    assert_eq!(inside.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn what_lies_inside_is_never_published() {
    let place = Place::start().await;
    let secret = FileHost::start("127.0.0.9", None).await;
    secret.serve("/internal/admin.json", File::honest(100));
    let inside = format!("http://127.0.0.9:{}/internal/admin.json", secret.port());
    // An open redirection at an allowed host, and one more behind it.
    for (path, target) in [("/f/one", inside), ("/f/two", "/f/one".to_owned())] {
        place.host.serve(path, File::redirect(target));
        let refused = place.store().offload(job(&place.link(path), "fromsmash")).await.unwrap_err().why;
        assert!(refused.contains("leads where it must not"), "{refused}");
    }
    // The name of a service is the operator's to resolve, at each hop.
    place.host.serve("/f/file.bin", File::honest(100));
    let moved = format!("http://www.fromsmash.com:{}/f/file.bin", place.host.port());
    place.offload(File::redirect(moved)).await.unwrap();
    assert!(secret.asked().is_empty(), "{:?}", secret.asked());
    assert_eq!(place.s3.keys().len(), 1, "{:?}", place.s3.keys());
}

#[tokio::test]
async fn only_links_to_known_services_are_fetched() {
    let place = Place::start().await;
    for link in ["https://files.example/a.zip", "https://fromsmash.com.example/a", "not a link"] {
        let refused = place.store().offload(job(link, "fromsmash")).await.unwrap_err().why;
        assert!(refused.contains("its host is not one"), "{link}: {refused}");
    }
    assert!(place.names.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_document_opens_no_network() {
    let place = Place::start().await;
    place.host.serve("/f/a.bin", File::honest(100));
    let document = json!({"providers": [{
        "name": "studio", "hosts": ["files.studio.example"], "paths": ["/"],
        "fetch_from": ["files.studio.example", "*.studio.example"], "redirect_to": ["*.studio.example"],
    }]});
    for host in ["files.studio.example", "a.studio.example"] {
        let link = format!("http://{host}:{}/f/a.bin", place.host.port());
        let refused = place.store().offload(job_under(&document, &link, "studio")).await.unwrap_err().why;
        assert!(refused.contains("leads where it must not"), "{link}: {refused}");
    }
    assert!(place.host.asked().is_empty(), "{:?}", place.host.asked());
}

#[tokio::test]
async fn a_file_is_redirected_only_where_its_provider_says() {
    let place = Place::start().await;
    let (port, secure) = (place.host.port(), place.secure.port());
    place.host.serve("/f/good.bin", File::honest(100));
    place.host.serve("/f/here.bin", File::redirect(format!("http://www.fromsmash.com:{port}/f/good.bin")));
    place.secure.serve("/x", File::honest(100));
    place.host.serve("/f/away.bin", File::redirect(format!("https://www.dropbox.com:{secure}/x")));
    let document = json!({"providers": [{
        "name": "fromsmash", "hosts": ["fromsmash.com"], "paths": ["/"], "redirect_to": ["*.fromsmash.com"],
    }]});
    let store = place.store();
    let offload = |path: &str| store.offload(job_under(&document, &place.link(path), "fromsmash"));
    offload("/f/here.bin").await.unwrap();
    let refused = offload("/f/away.bin").await.unwrap_err().why;
    assert!(refused.contains("redirected to www.dropbox.com"), "{refused}");
    assert!(place.secure.asked().is_empty(), "{:?}", place.secure.asked());
}
