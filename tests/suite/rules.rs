//! `rules test`: what a changed document would change, before it is saved.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::place::Place;
use crate::support::receiver::Receiver;
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, TestMail, checks, mails, until};

impl Place {
    fn write(&self, below: &str, document: &Value) {
        fs::create_dir_all(self.path(below).parent().expect("a folder")).expect("a folder");
        fs::write(self.path(below), document.to_string()).expect("a document");
    }

    fn mail(&self, name: &str, mail: &TestMail) {
        fs::create_dir_all(self.path("mails")).expect("a folder");
        fs::write(self.path("mails").join(name), &mail.raw).expect("a mail");
    }

    /// The JSON lines of a run that ended well.
    fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let ran = self.run_now(&[arguments, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The last of them.
    fn summary(&self, arguments: &[&str]) -> Value {
        self.lines(arguments).pop().expect("a summary")
    }
}

/// A rule for everything from Média Solution.
fn rules() -> Value {
    json!({"rules": [{
        "id": "studio", "name": "Studio",
        "conditions": [{"field": "sender", "operator": "contains", "value": "media-solution.fr"}],
        "actions": {"webhook_url": "https://hook.example.com/a-capability", "stop_processing": true},
    }]})
}

/// Everything below a folder, with its content; the log of the server aside.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push((path.clone(), fs::read(&path).expect("a file"))),
            }
        }
    }
    found.sort_unstable();
    found
}

#[test]
fn a_rule_is_tried_on_a_folder_of_mails() {
    let place = Place::new("http://127.0.0.1:9/another-capability");
    let (mine, other) = (mails::recadrage(), mails::linking_to("https://fromsmash.com/abc"));
    place.mail("1.eml", &mine);
    place.mail("2.eml", &other);
    place.mail("3.eml", &mine);
    fs::write(place.path("mails/4.eml"), b"\0\0").expect("no mail");
    place.write("new/routing_rules.json", &rules());
    let before = snapshot(place.folder.path());

    let ran = place.run_now(&["rules", "test", "--mails", "mails", "--file", "new/routing_rules.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for said in [
        &mine.mark,
        "amelie.durand@media-solution.fr",
        "mails/1.eml",
        "~ targets: default → studio",
        "routing_rules differs in 1 place from what is in force",
        "2 mails tested (1 further copy left out), 1 would change",
        "1 mail was not tested: it would be put in quarantine",
    ] {
        assert!(ran.out.contains(said), "{said:?} is missing: {ran:?}");
    }
    assert!(!ran.out.contains(&other.mark), "a mail that does not change is printed: {ran:?}");
    assert!(!ran.out.contains("capability"), "an address is not masked: {ran:?}");

    let all = place.run_now(&["rules", "test", "--mails", "mails", "--config", "new", "--all"]);
    assert!(all.out.contains(&other.mark) && all.out.contains("no change: deliver → default"), "{all:?}");
    assert!(all.out.contains("4.eml was not tested"), "{all:?}");
    assert_eq!(snapshot(place.folder.path()), before, "something was written");

    // Once it is in force, it changes nothing.
    place.write("debug/routing_rules.json", &rules());
    let same = place.run_now(&["rules", "test", "--mails", "mails", "--config", "new", "--fail-on-change"]);
    assert_eq!(same.code, 0, "{same:?}");
    assert!(same.out.contains("routing_rules is as it is in force already"), "{same:?}");
    assert!(same.out.contains("none would change"), "{same:?}");
}

#[test]
fn the_moment_decides_about_windows_and_scripts_get_json() {
    let place = Place::new("http://127.0.0.1:9/");
    let mail = mails::linking_to("https://fromsmash.com/abc");
    place.mail("1.eml", &mail);
    let window = json!({"webhook_time_start": "09h00", "webhook_time_end": "18h00"});
    place.write("window.json", &window);
    let test = ["rules", "test", "--mails", "mails", "--file", "window.json", "--key", "webhook_config"];
    let at = |moment: &str| place.lines(&[&test[..], &["--at", moment]].concat());

    let by_night = at("2026-11-22T22:30:00Z");
    let [changed, summary] = &by_night[..] else { panic!("{by_night:?}") };
    assert_eq!((&changed["type"], &changed["place"]), (&json!("mail"), &json!("mails/1.eml")));
    assert_eq!(
        (&changed["before"]["decision"], &changed["after"]["decision"]),
        (&json!("deliver"), &json!("hold"))
    );
    assert_eq!(changed["after"]["hold_until"], json!("2026-11-23T09:00:00Z"));
    let decision = json!({"field": "decision", "before": "deliver", "after": "hold"});
    assert_eq!(changed["changes"][0], decision);
    assert_eq!((&summary["tested"], &summary["changed"]), (&json!(1), &json!(1)));
    assert_eq!(summary["documents"], json!([{"key": "webhook_config", "differences": 2}]));

    let by_day = at("2026-11-22T10:30:00Z");
    let fields: Vec<&Value> =
        by_day[0]["changes"].as_array().expect("changes").iter().map(|c| &c["field"]).collect();
    assert_eq!(
        fields,
        ["payload for default: webhooks_time_end", "payload for default: webhooks_time_start"]
    );

    let failing = [&test[..], &["--at", "2026-11-22T22:30:00Z", "--fail-on-change"]].concat();
    let ran = place.run_now(&failing);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("~ hold_until: – → 2026-11-23 09:00"), "{ran:?}");
}

#[test]
fn a_broken_change_is_refused_and_names_its_field() {
    let place = Place::new("http://127.0.0.1:9/");
    place.mail("1.eml", &mails::recadrage());
    let mut broken = rules();
    broken["rules"][0]["conditions"][0]["operator"] = json!("sounds_like");
    place.write("routing_rules.json", &broken);
    place.write("webhook_config.json", &json!({"webhook_time_start": "25h00"}));
    place.write("list.json", &json!([1]));
    fs::write(place.path("detectors.json"), "{\"detectors\":").expect("a file");
    fs::create_dir(place.path("empty")).expect("a folder");
    fs::create_dir_all(place.path("mails/folder.eml")).expect("a folder");
    place.write("good/processing_prefs.json", &json!({"exclude_keywords": ["x"]}));

    let mails = ["rules", "test", "--mails", "mails"];
    for (arguments, code, named) in [
        (&["--file", "routing_rules.json"][..], 1, "rules[0].conditions[0]"),
        (&["--file", "webhook_config.json"], 1, "webhook_time_start"),
        (&["--file", "list.json", "--key", "detectors"], 1, "detectors is refused"),
        (&["--file", "detectors.json"], 1, "detectors.json is no JSON"),
        (&["--file", "nowhere.json", "--key", "detectors"], 1, "nowhere.json cannot be read"),
        (&["--config", "empty"], 1, "there is no document in empty"),
        (&["--file", "list.json"], 2, "--key"),
        (&["--file", "list.json", "--key", "nonsense"], 2, "nonsense"),
        (&[], 2, "--file"),
    ] {
        let ran = place.run_now(&[&mails[..], arguments].concat());
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        assert!(ran.complaints.contains(named), "{arguments:?}: {named:?} is missing: {ran:?}");
        assert_eq!(ran.out, "", "{arguments:?}");
    }
    for (which, code, named) in [
        (&["--since", "yesterday"][..], 2, "--since"),
        (&["--since", "2026-11-01"], 4, "there is no journal"),
        (&["--mails", "empty"], 1, "there is no mail in empty"),
        (&["--mails", "nowhere"], 1, "nowhere"),
    ] {
        let ran = place.run_now(&[&["rules", "test", "--config", "good"], which].concat());
        assert_eq!(ran.code, code, "{which:?}: {ran:?}");
        assert!(ran.complaints.contains(named), "{which:?}: {named:?} is missing: {ran:?}");
    }
    assert!(!place.path("data").exists(), "trying has created something");
}

#[test]
fn a_file_that_cannot_be_read_does_not_end_the_run() {
    let place = Place::new("http://127.0.0.1:9/");
    place.mail("2.eml", &mails::recadrage());
    // Larger than any mail, and without a byte on the disk.
    let large = fs::File::create(place.path("mails/1.eml")).expect("a file");
    large.set_len(300 << 20).expect("a long file");
    place.write("routing_rules.json", &rules());
    let ran = place.run_now(&["rules", "test", "--mails", "mails", "--file", "routing_rules.json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.complaints.contains("mails/1.eml cannot be read"), "{ran:?}");
    assert!(ran.out.contains("1 mail tested, 1 would change"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_tried_on_the_mails_of_the_journal() {
    let receiver = Receiver::start().await;
    let place = Place::new(&receiver.url("/hook"));
    place.write(
        "debug/processing_prefs.json",
        &json!({"rate_limit_per_hour": 0, "exclude_keywords": ["DESABONNER  pour"]}),
    );
    let senders = json!({"sender_of_interest_for_polling": [
        "amelie.durand@media-solution.fr", "no-reply@fromsmash.com", "info@swisstransfer.com",
        "service@example.fr",
    ]});
    place.write("debug/polling_config.json", &senders);
    let mut worker = Program::new(place.folder.path(), "worker", place.environment.clone());
    let deliver = |mail: &TestMail| {
        let name = format!("{}.example", mail.mark);
        fs::write(place.path("Maildir/tmp").join(&name), &mail.raw).expect("a mail");
        fs::rename(place.path("Maildir/tmp").join(&name), place.path("Maildir/new").join(&name))
            .expect("a mail");
    };
    // One with plain text and HTML, one plain, one in HTML; one that is not wanted, and one
    // that no list names.
    let mut good: Vec<TestMail> = mails::mixed(4);
    let stranger = mails::linking_to("https://fromsmash.com/abc");
    good.iter().chain([&stranger]).for_each(deliver);
    let unwanted = good.pop().expect("a mail");
    worker.start().await;
    until("the webhooks", PATIENCE, async || checks::all_accepted(&receiver, &good)).await;
    until("those that are ignored", PATIENCE, async || {
        let list = worker.run(&["mails", "list", "--state", "ignored"]).await;
        let both = [&stranger, &unwanted].iter().all(|mail| list.text.contains(&mail.mark));
        ensure(both, || list.text)
    })
    .await;

    place.write("routing_rules.json", &rules());
    let test = ["rules", "test", "--since", "2020-01-01", "--file", "routing_rules.json"];
    // Beside the running server, and without it.
    for running in [true, false] {
        if !running {
            assert!(worker.stop().await.success());
        }
        let lines = place.lines(&test);
        let [changed, summary] = &lines[..] else { panic!("{lines:?}") };
        assert!(changed["subject"].as_str().expect("a subject").contains(&good[0].mark), "{changed}");
        let targets = json!([{"field": "targets", "before": ["default"], "after": ["studio"]}]);
        assert_eq!(changed["changes"], targets);
        assert_eq!(changed["before"]["delivery_time"], json!("11h51"), "its text was read again: {changed}");
        assert_eq!(changed["recorded"], Value::Null);
        assert_eq!((&summary["tested"], &summary["changed"]), (&json!(5), &json!(1)), "{summary}");
        assert_eq!(summary["decided_otherwise"], json!(0), "{summary}");
        assert_eq!(summary["untested"], json!({}));
    }
    place.write("prefs.json", &json!({"rate_limit_per_hour": 0}));
    let wanted = place.lines(&[
        "rules",
        "test",
        "--since",
        "2020-01-01",
        "--file",
        "prefs.json",
        "--key",
        "processing_prefs",
    ]);
    let [changed, _] = &wanted[..] else { panic!("{wanted:?}") };
    assert!(changed["subject"].as_str().expect("a subject").contains(&unwanted.mark), "{changed}");
    let decision = json!({"field": "decision", "before": "ignore", "after": "deliver"});
    assert_eq!(changed["changes"][0], decision);
    let later = place.summary(&["rules", "test", "--since", "2999-01-01", "--file", "routing_rules.json"]);
    assert_eq!((&later["tested"], &later["untested"]), (&json!(0), &json!({})));

    // History is another matter than the documents: they would decide otherwise now.
    place.write("debug/webhook_config.json", &json!({"webhook_sending_enabled": false}));
    let ran = place.run_now(&[&test[..], &["--all"]].concat());
    assert!(
        ran.out.contains(
            "the journal recorded: deliver → default; the documents in force say now: hold (sending disabled)"
        ),
        "{ran:?}"
    );
    let at = [&test[..], &["--at", "2026-11-22T10:30:00Z"]].concat();
    assert_eq!(place.summary(&at)["decided_otherwise"], json!(0), "another moment is no history");
    assert!(ran.out.contains("3 mails were decided otherwise at the time"), "{ran:?}");
    worker.assert_journal_verifies().await;
}
