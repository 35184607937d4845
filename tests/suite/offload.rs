//! Linked files go into R2 directly, whatever happens on the way.
//!
//! The program runs in a mount namespace with a hosts file of its own, in which the file
//! service lies on loopback: nothing in the program knows that it is tested.

use std::fs;

use nix::unistd::geteuid;
use serde_json::Value;

use crate::support::s3::{Behaviour, PUBLIC_BASE_URL};
use crate::support::until::ensure;
use crate::support::{
    End, File, FileHost, PATIENCE, Program, S3Server, Site, TestMail, checks, mails, until,
};

const PART: u64 = 8 * 1024 * 1024;

struct Stage {
    site: Site,
    s3: S3Server,
    host: FileHost,
}

impl Stage {
    async fn start() -> Self {
        let stage = Self {
            site: Site::start().await,
            s3: S3Server::start().await,
            host: FileHost::start("127.0.0.1", None).await,
        };
        fs::write(stage.site.folder().join("hosts"), "127.0.0.1 localhost fromsmash.com\n").expect("a file");
        stage
    }

    /// A worker for which `fromsmash.com` is the file host.
    fn worker(&self, name: &str) -> Program {
        let mut worker = self.site.worker(name);
        for (name, value) in self.s3.environment() {
            worker.set(&name, &value);
        }
        let namespace = if geteuid().is_root() { "-m" } else { "-rm" };
        worker.wrap(&[
            "unshare",
            namespace,
            "sh",
            "-c",
            "mount --bind hosts /etc/hosts && exec \"$0\" \"$@\"",
        ]);
        worker
    }

    fn mail(&self, path: &str) -> TestMail {
        mails::linking_to(&format!("http://fromsmash.com:{}{path}", self.host.port()))
    }

    async fn link(&self, mail: &TestMail) -> Value {
        let mails = std::slice::from_ref(mail);
        until("the webhook", PATIENCE, async || checks::all_accepted(&self.site.receiver, mails)).await;
        let deliveries = self.site.receiver.deliveries();
        let delivery = deliveries.iter().find(|delivery| delivery.mark() == mail.mark).expect("a webhook");
        delivery.json()["delivery_links"][0].clone()
    }

    fn assert_copied(&self, link: &Value, file: &File) {
        let r2_url = link["r2_url"].as_str().unwrap_or_else(|| panic!("no copy: {link}"));
        let key = r2_url.strip_prefix(PUBLIC_BASE_URL).expect("below the base").trim_start_matches('/');
        assert!(self.s3.object(key).expect("an object") == file.bytes(), "other bytes at {key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_copied_and_what_is_none_keeps_its_link() {
    let stage = Stage::start().await;
    let good = File::honest(PART + 5).with("Content-Disposition", "attachment; filename=\"Lot 7.zip\"");
    stage.host.serve("/good.zip", good.clone());
    stage.host.serve("/page", File::honest(100).with("Content-Type", "text/html"));
    let mut worker = stage.worker("worker");
    worker.start().await;
    let (copied, kept) = (stage.mail("/good.zip"), stage.mail("/page"));
    stage.site.dovecot.deliver(&[copied.clone(), kept.clone()]);

    let link = stage.link(&copied).await;
    assert_eq!(link["original_filename"], "Lot 7.zip");
    stage.assert_copied(&link, &good);
    let link = stage.link(&kept).await;
    assert!(link["r2_url"].is_null(), "{link}");
    assert_eq!(link["direct_url"], link["raw_url"]);

    let doctor = worker.run(&["doctor"]).await;
    assert!(doctor.text.contains("the token opens it"), "{}", doctor.text);
    assert!(doctor.text.contains("old events go to data/archive"), "{}", doctor.text);
    worker.set("JOURNAL_ARCHIVE_BUCKET", "archiv");
    let doctor = worker.run(&["doctor"]).await;
    assert!(doctor.text.contains("archiv: R2 does not have it"), "{}", doctor.text);
    fs::create_dir(stage.s3.folder().join("archiv")).expect("a bucket");
    let doctor = worker.run(&["doctor"]).await;
    assert!(doctor.text.contains("archiv: there, and the token opens it"), "{}", doctor.text);
    worker.stop().await;
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_in_the_middle_of_an_upload_leaves_nothing_unfinished() {
    let stage = Stage::start().await;
    let resumable = File::honest(4 * PART + 123);
    let whole_only = File::honest(3 * PART + 45).chunked().without_ranges();
    stage.host.serve("/resumable.bin", resumable.clone());
    stage.host.serve("/whole.bin", whole_only.clone());
    stage.s3.behave(Behaviour { hold_parts_from: Some(2), ..Behaviour::default() });
    let mut worker = stage.worker("worker");
    worker.start().await;
    let mails = [stage.mail("/resumable.bin"), stage.mail("/whole.bin")];
    stage.site.dovecot.deliver(&mails);
    // A second part that is still on its way could arrive after the kill.
    until("one part of each file, and the next one that is not answered", PATIENCE, async || {
        let (parts, held) = (stage.s3.unfinished_parts(), stage.s3.held(2));
        ensure(parts == 2 && held == 2, || format!("{parts} parts, {held} held"))
    })
    .await;
    worker.kill();
    assert_eq!(stage.s3.unfinished().len(), 2, "the kill was in the middle");

    stage.s3.behave(Behaviour::default());
    worker.start().await;
    stage.assert_copied(&stage.link(&mails[0]).await, &resumable);
    stage.assert_copied(&stage.link(&mails[1]).await, &whole_only);
    assert_eq!(stage.s3.unfinished(), Vec::<String>::new());
    let left: Vec<_> =
        stage.s3.keys().into_iter().filter(|key| key.starts_with("render-signal/uploads/")).collect();
    assert_eq!(left, Vec::<String>::new());
    let ranges: Vec<_> = stage.host.asked().into_iter().filter_map(|asked| asked.range).collect();
    assert_eq!(ranges, [format!("bytes={PART}-")], "what was there was not fetched again");
    checks::assert_each_exactly_once(&stage.site.receiver, &mails);
    worker.stop().await;
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_does_not_wait_for_the_slow_files_of_others() {
    let stage = Stage::start().await;
    let (slow, quick) = (File::honest(2 * PART).ending(End::Held(PART + 100)), File::honest(10_000));
    let paths = ["/1.bin", "/2.bin", "/3.bin", "/4.bin", "/5.bin"];
    for path in paths {
        stage.host.serve(path, slow.clone());
    }
    stage.host.serve("/quick.zip", quick.clone());
    let mut worker = stage.worker("worker");
    worker.start().await;
    let waiting = paths.map(|path| stage.mail(path));
    stage.site.dovecot.deliver(&waiting);
    until("a part of four files, the fifth one asked for", PATIENCE, async || {
        let (parts, asked) = (stage.s3.unfinished_parts(), stage.host.asked().len());
        ensure(parts == 4 && asked == 5, || format!("{parts} parts, {asked} files asked for"))
    })
    .await;
    let mail = stage.mail("/quick.zip");
    stage.site.dovecot.deliver(std::slice::from_ref(&mail));
    stage.assert_copied(&stage.link(&mail).await, &quick);
    assert_eq!(stage.site.receiver.deliveries().len(), 1, "the others are under way still");
    for path in paths {
        stage.host.let_go(path);
    }
    for mail in &waiting {
        stage.assert_copied(&stage.link(mail).await, &slow);
    }
    assert_eq!(stage.s3.unfinished(), Vec::<String>::new());
    worker.stop().await;
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_to_no_network_that_is_open_to_targets() {
    let stage = Stage::start().await;
    let inside = FileHost::start("127.0.0.9", None).await;
    inside.serve("/internal/admin.json", File::honest(100));
    let inner = format!("http://127.0.0.9:{}/internal/admin.json", inside.port());
    stage.host.serve("/open", File::redirect(inner));
    let mut worker = stage.worker("worker");
    worker.start().await;
    let mail = stage.mail("/open");
    stage.site.dovecot.deliver(std::slice::from_ref(&mail));
    let link = stage.link(&mail).await;
    assert!(link["r2_url"].is_null(), "{link}");
    assert!(inside.asked().is_empty(), "{:?}", inside.asked());
    let theirs: Vec<_> = stage.s3.keys().into_iter().filter(|key| key.starts_with("fromsmash/")).collect();
    assert_eq!(theirs, Vec::<String>::new());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_the_credentials_are_an_error_that_names_the_rest() {
    let site = Site::start().await;
    let mut worker = site.worker("worker");
    worker.set("R2_ACCOUNT_ID", "abc");
    worker.set("R2_BUCKET_NAME", "b");
    worker.launch();
    let status = worker.until_end().await;
    assert_eq!(status.code(), Some(3));
    for name in ["R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "R2_PUBLIC_BASE_URL"] {
        assert!(worker.log().contains(name), "{name}: {}", worker.log());
    }
}
