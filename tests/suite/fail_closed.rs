//! A document that is there and cannot be used is not absent: what it governs stands still, in
//! every store, at a first start and later, until it is mended.

use std::fs;

use serde_json::{Value, json};

use crate::support::php::{Php, TOKEN};
use crate::support::until::ensure;
use crate::support::{PATIENCE, Program, Redis, Site, TestMail, checks, mails, until};

/// Where the documents are.
enum Place {
    Files,
    Redis(Redis),
    Php(Php),
}

impl Place {
    /// Another program writes a text there, sound or not.
    async fn put(&self, site: &Site, key: &str, text: &str) {
        match self {
            Self::Files => fs::write(site.folder().join(format!("debug/{key}.json")), text).unwrap(),
            Self::Redis(redis) => {
                let set = format!("SET r:ss:config:{key} '{text}'");
                let answer = redis.command(&set).await.unwrap();
                assert!(answer.starts_with("+OK"), "{answer}");
            }
            Self::Php(php) => {
                fs::create_dir_all(php.storage()).unwrap();
                fs::write(php.storage().join(format!("{key}.json")), text).unwrap();
            }
        }
    }

    /// Another program, or a careless person, deletes a document.
    fn delete(&self, site: &Site, key: &str) {
        let path = match self {
            Self::Files => site.folder().join(format!("debug/{key}.json")),
            Self::Php(php) => php.storage().join(format!("{key}.json")),
            Self::Redis(_) => unreachable!("Redis tells a removal from a loss"),
        };
        fs::remove_file(path).unwrap();
    }

    fn configure(&self, worker: &mut Program) {
        match self {
            Self::Files => {}
            Self::Redis(redis) => worker.set("REDIS_URL", &redis.url()),
            Self::Php(php) => {
                worker.set("EXTERNAL_CONFIG_BASE_URL", &format!("http://127.0.0.1:{}", php.port()));
                worker.set("CONFIG_API_TOKEN", TOKEN);
            }
        }
    }
}

struct Scene {
    site: Site,
    place: Place,
    worker: Program,
}

impl Scene {
    async fn new(place: Place) -> Self {
        let site = Site::start().await;
        let mut worker = site.worker("worker");
        place.configure(&mut worker);
        worker.set("JOURNAL_URL", "sqlite:data/render-signal.db");
        Self { site, place, worker }
    }

    async fn put(&self, key: &str, document: &Value) {
        self.place.put(&self.site, key, &document.to_string()).await;
    }

    /// `/readyz` answers with this status and says all of this.
    async fn until_said(&mut self, status: u16, said: &[&str]) {
        let wanted = |body: &str| said.iter().all(|said| body.contains(said));
        self.worker.until_answer("/readyz", |answer| answer.status == status && wanted(&answer.body)).await;
    }

    /// The reason for which the only mail in this state is there.
    async fn until_held(&self, mail: &TestMail, reason: &str) {
        until(&format!("{} to wait: {reason}", mail.mark), PATIENCE, async || {
            let list = self.worker.run(&["mails", "list", "--state", "held", "--json"]).await;
            let rows: Value =
                serde_json::from_str(&list.text).map_err(|error| format!("{error}: {}", list.text))?;
            let of_mail = |row: &&Value| row["subject"].as_str().is_some_and(|s| s.contains(&mail.mark));
            let found = rows.as_array().and_then(|rows| rows.iter().find(of_mail).cloned());
            ensure(found.is_some_and(|row| row["reason"] == json!(reason)), || rows.to_string())
        })
        .await;
    }

    async fn until_sent(&self, all: &[TestMail]) {
        until("the webhooks", PATIENCE, async || checks::all_accepted(&self.site.receiver, all)).await;
        assert_eq!(self.site.receiver.count(), all.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_files() {
    stands_still_until_mended(Scene::new(Place::Files).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_redis() {
    stands_still_until_mended(Scene::new(Place::Redis(Redis::start().await)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_php_host() {
    stands_still_until_mended(Scene::new(Place::Php(Php::start().await)).await).await;
}

async fn stands_still_until_mended(mut scene: Scene) {
    let all = mails::mixed(3);
    scene.site.dovecot.deliver(&all[..1]);
    // The first start, with nothing before: who is accepted, and where to, is not known.
    let somebody = json!({"sender_of_interest_for_polling": ["x@y.fr"], "vacation_start": "soon"});
    scene.put("polling_config", &somebody).await;
    let off = json!({"webhook_time_start": "25h00", "webhook_sending_enabled": true});
    scene.put("webhook_config", &off).await;
    scene.worker.launch();
    scene
        .until_said(
            503,
            &[
                "no mail is fetched",
                "polling_config: vacation_start",
                "webhook_config: webhook_time",
                "configuration_refused",
            ],
        )
        .await;
    scene.worker.until_log("there is no good one before it").await;
    assert_eq!(scene.site.dovecot.seen().await.unseen, 1, "nobody touches it");
    let shown = scene.worker.run(&["config", "show"]).await.text;
    assert!(shown.contains("there is no good one before it: no webhook is sent"), "{shown}");
    let doctor = scene.worker.run(&["doctor"]).await.text;
    assert!(doctor.contains("no mail is fetched until it is mended"), "{doctor}");

    // Mails are fetched once that is mended, and wait for the other document.
    scene.put("polling_config", &json!({"enable_polling": true})).await;
    scene.until_held(&all[0], "configuration_refused").await;
    scene.until_said(503, &["no webhook is sent", "webhook_config: webhook_time"]).await;
    assert_eq!(scene.site.receiver.count(), 0);

    // A switch can be set, and is obeyed, in spite of what is wrong beside it.
    let set = ["config", "set", "webhook_config", "webhook_sending_enabled=false"];
    let done = scene.worker.run(&set).await;
    assert!(done.status.success() && done.text.contains("still refused"), "{}", done.text);
    scene.until_said(503, &["its switch says off, which is obeyed"]).await;
    let worse = scene.worker.run(&["config", "set", "webhook_config", "webhook_time_start=26h00"]).await;
    assert_eq!(worse.status.code(), Some(1), "{}", worse.text);

    scene.put("webhook_config", &json!({"webhook_time_start": ""})).await;
    scene.until_said(200, &[]).await;
    scene.until_sent(&all[..1]).await;

    // Later there is a good one before it: that stays in force, but for the switch.
    let off = json!({"webhook_time_start": "25h00", "webhook_sending_enabled": "off"});
    scene.put("webhook_config", &off).await;
    scene.until_said(200, &["its switch says off, which is obeyed"]).await;
    scene.site.dovecot.deliver(&all[1..2]);
    scene.until_held(&all[1], "sending_disabled").await;
    // The same after a start: the journal knows the good one.
    scene.worker.stop().await;
    scene.worker.launch();
    scene.until_said(200, &["its switch says off, which is obeyed"]).await;
    assert_eq!(scene.site.receiver.count(), 1);
    scene.put("webhook_config", &json!({"webhook_time_start": ""})).await;
    scene.until_sent(&all[..2]).await;

    // A document that appears broken stops what it governs, whatever the document.
    scene.put("routing_rules", &json!({"rules": "none"})).await;
    scene.until_said(503, &["routing_rules: rules must be a list"]).await;
    scene.site.dovecot.deliver(&all[2..]);
    scene.until_held(&all[2], "configuration_refused").await;
    scene.put("routing_rules", &json!({"rules": []})).await;
    scene.until_sent(&all).await;
    scene.site.until_all_seen(3).await;
    scene.worker.stop().await;
    scene.worker.assert_journal_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_written_file_at_a_first_start_sends_nothing_until_it_is_whole() {
    let mut scene = Scene::new(Place::Files).await;
    let mail = mails::mixed(1);
    scene.site.dovecot.deliver(&mail);
    scene.place.put(&scene.site, "webhook_config", r#"{"webhook_sending_en"#).await;
    scene.worker.launch();
    scene.until_held(&mail[0], "configuration_refused").await;
    scene.until_said(503, &["webhook_config: document: it is no JSON (line 1, column"]).await;
    let set = ["config", "set", "webhook_config", "webhook_sending_enabled=false"];
    let refused = scene.worker.run(&set).await;
    assert_eq!(refused.status.code(), Some(1), "there is nothing to set it in: {}", refused.text);
    scene.put("webhook_config", &json!({"webhook_sending_enabled": true})).await;
    scene.until_sent(&mail).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn polling_that_is_switched_off_stays_off_beside_a_bad_address() {
    let mut scene = Scene::new(Place::Files).await;
    let mail = mails::mixed(1);
    scene.site.dovecot.deliver(&mail);
    let off = json!({"enable_polling": false, "sender_of_interest_for_polling": ["no address"]});
    scene.put("polling_config", &off).await;
    scene.worker.launch();
    scene.until_said(503, &["polling_config: sender_of_interest_for_polling", "its switch says off"]).await;
    // Mended but for the switch.
    scene.put("polling_config", &json!({"enable_polling": false})).await;
    scene.until_said(200, &["inactive", "disabled"]).await;
    assert_eq!(scene.site.dovecot.seen().await.unseen, 1);
    scene.put("polling_config", &json!({"enable_polling": true})).await;
    scene.until_sent(&mail).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vanishes_from_its_folder_stays_in_force() {
    vanishes(Scene::new(Place::Files).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vanishes_from_a_php_host_stays_in_force() {
    let scene = Scene::new(Place::Php(Php::start().await)).await;
    // What lies behind the host is older, and does not take its place.
    scene.site.configure("webhook_config", &json!({"webhook_sending_enabled": true}));
    vanishes(scene).await;
}

async fn vanishes(mut scene: Scene) {
    const SAID: &str = "webhook_config: it is not stored any more";
    let all = mails::mixed(2);
    scene.put("webhook_config", &json!({"webhook_sending_enabled": false, "_note": 1})).await;
    scene.worker.start().await;
    scene.site.dovecot.deliver(&all[..1]);
    scene.until_held(&all[0], "sending_disabled").await;
    let recorded = || async { scene.worker.run(&["config", "history", "webhook_config"]).await.text };
    until("the history", PATIENCE, async || {
        ensure(recorded().await.contains("startup"), || "none".to_owned())
    })
    .await;
    scene.place.delete(&scene.site, "webhook_config");
    scene.until_said(200, &[SAID]).await;
    // The journal knows it in force, whoever starts next.
    scene.worker.stop().await;
    scene.worker.start().await;
    scene.until_said(200, &[SAID]).await;
    let shown = scene.worker.run(&["config", "show"]).await.text;
    assert!(shown.contains("webhook_config     missing"), "{shown}");
    scene.site.dovecot.deliver(&all[1..]);
    scene.until_held(&all[1], "sending_disabled").await;
    // A change of one field is a change of what is in force.
    let set = scene.worker.run(&["config", "set", "webhook_config", "_note=2"]).await;
    assert!(set.status.success(), "{}", set.text);
    let kept = scene.worker.run(&["config", "show", "webhook_config", "--reveal"]).await.text;
    assert!(kept.contains("\"webhook_sending_enabled\": false"), "{kept}");
    scene.worker.until_answer("/readyz", |answer| !answer.body.contains(SAID)).await;
    scene.place.delete(&scene.site, "webhook_config");
    scene.until_said(200, &[SAID]).await;
    assert_eq!(scene.site.receiver.count(), 0);

    let removed = scene.worker.run(&["config", "remove", "webhook_config"]).await;
    assert!(removed.status.success(), "{}", removed.text);
    scene.until_sent(&all).await;
    scene.worker.until_answer("/readyz", |answer| !answer.body.contains(SAID)).await;
    let again = scene.worker.run(&["config", "remove", "webhook_config"]).await;
    assert_eq!(again.status.code(), Some(1), "{}", again.text);
    // It can be had back.
    let restored = scene.worker.run(&["config", "restore", "webhook_config", "1"]).await;
    assert!(restored.status.success(), "{}", restored.text);
    scene.worker.stop().await;
    scene.worker.assert_journal_verifies().await;
}
