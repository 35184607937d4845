//! Everybody can send a mail, and write anything into it.

use std::time::Duration;

use serde_json::Value;

use crate::support::site::HOOK;
use crate::support::until::ensure;
use crate::support::worker::{Mode, PUBLIC_BASE_URL};
use crate::support::{Answer, PATIENCE, Program, Site, TestMail, Worker, checks, child, mails, until};

/// A service as a small machine has it: two cores and 512 MiB. What is counted is the memory
/// that a process has asked for; what it has shared with others, or only reserved, is not.
const SMALL: [&str; 5] = ["prlimit", "--data=536870912", "taskset", "-c", "0,1"];
/// In KiB, the same for what is resident.
const SMALL_KIB: u64 = 512 * 1024;

/// Bytes.
const MIB: usize = 1 << 20;

async fn site() -> (Site, Worker, Program) {
    let site = Site::start().await;
    let r2 = Worker::start(Mode::Copies).await;
    let mut worker = site.worker("worker");
    for (name, value) in r2.environment() {
        worker.set(&name, &value);
    }
    (site, r2, worker)
}

/// Mails whose links are made to be slow or many, each of about a mebibyte.
fn hostile() -> Vec<TestMail> {
    let dropbox = "https://www.dropbox.com";
    let many = |piece: &dyn Fn(usize) -> String, bytes: usize| -> String {
        let mut text = String::new();
        for number in 0.. {
            if text.len() >= bytes {
                break;
            }
            text.push_str(&piece(number));
        }
        text
    };
    [
        // Two of them took every thread of the program for good.
        format!("{dropbox}/s/a?{}", many(&|n| format!("k{n}=v&"), MIB)),
        format!("{dropbox}/s/b?{}", many(&|n| format!("q{n}=v&"), MIB)),
        format!("{dropbox}{}/s/c", ":443".repeat(MIB / 4)),
        format!("{dropbox}/s/d?{}", "&amp;amp%3B".repeat(MIB / 11)),
        format!("https://e.example/{}", format!("{dropbox}{}", ")".repeat(120)).repeat(MIB / 143)),
        many(&|n| format!("{dropbox}/s/{n} "), MIB),
        many(&|n| format!("{dropbox}/s/{n}?{} ", "kk=v&".repeat(1_500)), MIB),
        format!(
            "https://a.safelinks.protection.outlook.com/?url=https%3A%2F%2Fwww.dropbox.com%2Fs%2Fe%3F{}",
            many(&|n| format!("k{n}%3Dv%26"), MIB)
        ),
    ]
    .iter()
    .map(|text| mails::linking_to(&format!("{text}\r\nhttps://www.dropbox.com/scl/fi/z/a.zip?rlkey=k&dl=0")))
    .collect()
}

/// Order in which the webhooks of these mails arrived first, by their marks.
fn arrivals(site: &Site) -> Vec<String> {
    let mut marks: Vec<String> = Vec::new();
    for delivery in site.receiver.deliveries() {
        let mark = delivery.mark();
        if !marks.contains(&mark) {
            marks.push(mark);
        }
    }
    marks
}

#[tokio::test(flavor = "multi_thread")]
async fn by_mail_nobody_stops_a_small_machine() {
    let (site, r2, mut worker) = site().await;
    worker.wrap(&SMALL);
    let (before, between) = (hostile(), hostile());
    let ordinary = mails::mixed(2);
    site.dovecot.deliver(&before);
    site.dovecot.deliver(&ordinary[..1]);
    site.dovecot.deliver(&between);
    site.dovecot.deliver(&ordinary[1..]);
    worker.start().await;

    let all = [before, between, ordinary.clone()].concat();
    // Liveness: the bound is for a busy machine, and an unoptimised build.
    until("every webhook", PATIENCE * 5, async || checks::all_accepted(&site.receiver, &all)).await;
    site.until_all_seen(all.len()).await;
    assert_eq!(worker.get("/livez").await.status, 200);
    checks::assert_each_exactly_once(&site.receiver, &all);

    // The first ordinary mail waited at most for the hostile ones before it, and for those
    // that were read at the same time.
    let arrivals = arrivals(&site);
    let place = arrivals.iter().position(|mark| *mark == ordinary[0].mark).expect("it arrived");
    assert!(place <= 8 + 4, "{place} of {}", arrivals.len());
    // No link above 8 KiB was asked for, and of no mail more than 50.
    let asked = r2.requests();
    assert!(asked.iter().all(|asked| asked["source_url"].as_str().is_some_and(|url| url.len() < 30_000)));
    assert!(asked.len() <= 4 * 50 + ordinary.len(), "{} requests", asked.len());
    let peak = child::peak_rss_kib(worker.pid());
    assert!(peak > 0 && peak < SMALL_KIB, "{peak} KiB");

    let status = worker.stop().await;
    assert!(status.success(), "{status}");
    worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_mail_what_waits_for_slow_servers_does_not_fill_a_small_machine() {
    let (site, r2, mut worker) = site().await;
    worker.wrap(&SMALL);
    r2.hang_at("/never");
    site.receiver.always(HOOK, Answer::Slow(Duration::from_secs(1)));
    let swelling = |part: &str, count: usize| -> Vec<TestMail> {
        let link = |n: usize| format!("https://www.dropbox.com/scl/fo/{part}{n}/h?rlkey=k&dl=0");
        (0..count).map(|n| mails::swelling(&link(n))).collect()
    };
    // The drafts of those that wait are together as large as the machine.
    let (never, sent) = (swelling("never", 36), swelling("sent", 5));
    let ordinary = mails::mixed(1);
    for mails in [&never[..18], &ordinary, &sent, &never[18..]] {
        site.dovecot.deliver(mails);
    }
    worker.start().await;

    let transfers = never.len() + sent.len() + ordinary.len();
    until("every transfer to begin, and what can be sent", PATIENCE * 5, async || {
        let (begun, arrived) = (r2.requests().len(), site.receiver.count());
        assert!(worker.is_alive(), "{}", worker.tail());
        let all = begun == transfers && arrived == sent.len() + ordinary.len();
        ensure(all, || format!("{begun} transfers, {arrived} webhooks"))
    })
    .await;
    let once = |mail: &TestMail| (mail.mark.clone(), 1);
    assert_eq!(site.receiver.accepted(), sent.iter().chain(&ordinary).map(once).collect());
    assert_eq!(worker.get("/livez").await.status, 200);
    let peak = child::peak_rss_kib(worker.pid());
    assert!(peak > 0 && peak < SMALL_KIB, "{peak} KiB");

    // What it had comes due at once, and its successor does not claim all of it at once.
    worker.kill();
    worker.start().await;
    let later = mails::mixed(1);
    site.dovecot.deliver(&later);
    until("a transfer that was cut off to begin again, and an ordinary mail", PATIENCE, async || {
        assert!(worker.is_alive(), "{}", worker.tail());
        // One that was answered as the worker was killed may come a second time.
        let (begun, mails) = (r2.requests().len(), site.receiver.accepted().len());
        let all = begun > transfers + later.len() && mails == sent.len() + ordinary.len() + later.len();
        ensure(all, || format!("{begun} transfers, webhooks of {mails} mails"))
    })
    .await;
    let peak = child::peak_rss_kib(worker.pid());
    assert!(peak > 0 && peak < SMALL_KIB / 2, "{peak} KiB");
    let status = worker.stop().await;
    assert!(status.success(), "{status}");
}

/// The events of one kind in the journal.
async fn events(worker: &Program, kind: &str) -> Vec<Value> {
    let tail = worker.run(&["events", "tail", "-n", "10000", "--json"]).await.text;
    let events = tail.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["kind"] == kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn by_mail_nobody_starts_more_than_fifty_transfers() {
    let (site, r2, mut worker) = site().await;
    worker.start().await;
    let link = |n: usize| format!("https://www.dropbox.com/scl/fi/{n}/a.zip?rlkey=k&dl=0");
    let many: Vec<String> = (0..2_000).map(link).collect();
    let mail = mails::linking_to(&many.join("\r\n"));
    deliver(&site, &mail).await;
    assert_eq!(r2.requests().len(), 50);
    let kept = events(&worker, "links.kept").await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0]["payload"]["count"], 1_950);
    assert_eq!(events(&worker, "link.offloaded").await.len(), 50);
    assert!(events(&worker, "link.kept").await.is_empty());
    assert_eq!(worker.log().matches("were not tried").count(), 1, "one line for all of them");
    let webhook = webhook(&site, &mail);
    let links = webhook["delivery_links"].as_array().expect("links");
    assert_eq!(links.len(), 2_000, "the receiver gets every link");
    assert_eq!(links.iter().filter(|link| link["r2_url"].is_string()).count(), 50);
    worker.stop().await;

    worker.set("R2_MAX_LINKS_PER_MAIL", "3");
    worker.start().await;
    let fewer: Vec<String> = (5_000..5_010).map(link).collect();
    deliver(&site, &mails::linking_to(&fewer.join("\r\n"))).await;
    assert_eq!(r2.requests().len(), 53);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_mail_a_link_without_end_is_no_link_to_copy() {
    let (site, r2, mut worker) = site().await;
    worker.start().await;
    let long = mails::linking_to(&format!("https://www.dropbox.com/s/a?{}", "k=v&".repeat(3_000)));
    deliver(&site, &long).await;
    let kept = events(&worker, "links.kept").await;
    let why = kept[0]["payload"]["why"].as_str().unwrap_or_default();
    assert!(kept.len() == 1 && why.contains("8192 bytes"), "{kept:?}");
    assert!(r2.requests().is_empty());
    assert!(webhook(&site, &long)["delivery_links"][0]["r2_url"].is_null());
}

/// What a terminal would obey, and what turns the direction of writing.
const HIDDEN: [char; 8] =
    ['\u{1b}', '\u{7}', '\u{9b}', '\u{9d}', '\u{202e}', '\u{2066}', '\u{200f}', '\u{61c}'];

#[tokio::test(flavor = "multi_thread")]
async fn by_mail_and_by_the_worker_no_name_leaves_its_folder_or_steers_a_terminal() {
    let (site, r2, mut worker) = site().await;
    r2.name_files("../../etc/cron.d/\u{202e}gpj.exe\u{9b}2J");
    worker.start().await;
    let mut mail = mails::linking_to("https://www.dropbox.com/scl/fi/a/a.zip?rlkey=k&dl=0");
    let words = "\u{9b}2J\u{202e}lot\u{2066}\u{1b}]0;x\u{7} ";
    let raw = String::from_utf8(mail.raw.clone()).expect("a mail in UTF-8");
    mail.raw = raw.replacen("Subject: ", &format!("Subject: {words}"), 1).into_bytes();
    deliver(&site, &mail).await;
    let mut reply = mails::linking_to("https://www.dropbox.com/scl/fi/a/a.zip?rlkey=k&dl=0");
    let raw = String::from_utf8(reply.raw.clone()).expect("a mail in UTF-8");
    reply.raw = raw.replacen("Subject: ", &format!("Subject: Re: {words}"), 1).into_bytes();
    site.dovecot.deliver(std::slice::from_ref(&reply));
    until("the reply to be ignored", PATIENCE, async || {
        ensure(!events(&worker, "mail.ignored").await.is_empty(), || "not yet".to_owned())
    })
    .await;

    let link = webhook(&site, &mail)["delivery_links"][0].clone();
    assert_eq!(link["original_filename"], "gpj.exe2J");
    assert!(link["r2_url"].as_str().is_some_and(|url| url.starts_with(PUBLIC_BASE_URL)), "{link}");
    let path = site.folder().join("hostile.eml");
    std::fs::write(&path, &mail.raw).expect("written");
    let path = path.display().to_string();
    for command in [
        &["events", "tail", "-n", "1000"][..],
        &["events", "tail", "-n", "1000", "--json"],
        &["mails", "list"],
        &["mails", "list", "--json"],
        &["deliveries", "list", "--state", "delivered"],
        &["links", "list"],
        &["explain", &path],
        &["explain", "--json", &path],
    ] {
        let shown = worker.run(command).await;
        assert!(shown.status.success(), "{command:?}: {}", shown.text);
        assert!(!shown.text.contains(HIDDEN), "{command:?}: {:?}", shown.text);
        let has_the_subject = matches!(command[0], "mails" | "deliveries" | "explain");
        assert_eq!(shown.text.contains("\\u202e"), has_the_subject, "{command:?}: {:?}", shown.text);
    }
    let until_listed = async || {
        let list = std::fs::read_to_string(site.folder().join("deployment/data/webhook_links.json"));
        let list = list.map_err(|error| error.to_string())?;
        ensure(list.contains("\"gpj.exe2J\"") && !list.contains(HIDDEN), || list)
    };
    until("the list of copies", PATIENCE, until_listed).await;
    assert!(!worker.log().contains(HIDDEN), "{:?}", worker.tail());
}

async fn deliver(site: &Site, mail: &TestMail) {
    site.dovecot.deliver(std::slice::from_ref(mail));
    until("the webhook", PATIENCE + Duration::from_secs(60), async || {
        checks::all_accepted(&site.receiver, std::slice::from_ref(mail))
    })
    .await;
}

fn webhook(site: &Site, mail: &TestMail) -> Value {
    let deliveries = site.receiver.deliveries();
    deliveries.iter().find(|delivery| delivery.mark() == mail.mark).expect("a webhook").json()
}
