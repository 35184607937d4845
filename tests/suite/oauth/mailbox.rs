//! Mails that are fetched by tokens: given, renewed, replaced, withdrawn, given anew.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::{Scene, assert_no_secret, codes};
use crate::support::api::Api;
use crate::support::until::ensure;
use crate::support::{PATIENCE, checks, mails, until};

#[tokio::test(flavor = "multi_thread")]
async fn mails_come_by_access_tokens_which_are_renewed_when_they_end() {
    let mut scene = Scene::start().await;
    // As the program is told; Dovecot believes the provider.
    scene.provider.live_for(2);
    scene.worker.start().await;
    let mut all = mails::mixed(5);
    scene.site.dovecot.deliver(&all);
    until("the first webhooks", PATIENCE, async || checks::all_accepted(&scene.site.receiver, &all)).await;
    let before = scene.provider.asked().len();
    // The tokens end while the session is open, and the session with them.
    scene.provider.expire();
    scene.site.dovecot.kill();
    let later = mails::mixed(5);
    scene.site.dovecot.deliver(&later);
    all.extend(later);
    scene.site.dovecot.restart().await;
    until("the webhooks after", PATIENCE, async || checks::all_accepted(&scene.site.receiver, &all)).await;
    scene.site.until_all_seen(all.len()).await;
    assert!(scene.provider.asked().len() > before, "a token was asked for");
    checks::assert_each_exactly_once(&scene.site.receiver, &all);
    let (status, oauth) = scene.readiness().await;
    assert_eq!((status, oauth["state"].as_str()), (200, Some("ok")), "{oauth}");
    assert!(scene.worker.stop().await.success());
    scene.worker.assert_journal_verifies().await;
    scene.log();
    // No access token is anywhere on the disk.
    let kept = scene.site.folder().join("data/oauth-refresh-token.json");
    assert!(!kept.exists(), "nothing had to be kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_permission_is_told_loses_no_mail_and_ends_with_a_new_token() {
    let mut scene = Scene::start().await;
    scene.provider.live_for(1);
    scene.worker.start().await;
    let mut all = mails::mixed(3);
    scene.site.dovecot.deliver(&all);
    until("the first webhooks", PATIENCE, async || checks::all_accepted(&scene.site.receiver, &all)).await;
    scene.site.until_all_seen(all.len()).await;

    scene.provider.withdraw();
    scene.site.dovecot.kill();
    let meanwhile = mails::mixed(4);
    scene.site.dovecot.deliver(&meanwhile);
    all.extend(meanwhile);
    scene.site.dovecot.restart().await;
    until("/readyz to say so", PATIENCE, async || {
        let (status, oauth) = scene.readiness().await;
        ensure(status == 503 && codes(&oauth).contains(&"oauth_revoked"), || oauth.to_string())
    })
    .await;
    let (_, oauth) = scene.readiness().await;
    assert!(
        oauth["message"].as_str().is_some_and(|said| said.contains("invalid_grant: it is invalid_grant")),
        "{oauth}"
    );
    // Tries to open the mailbox go on; the provider is not asked again by any of them.
    let asked = scene.provider.asked().len();
    let failures = |log: &str| log.matches("the mailbox could not be read").count();
    let seen = failures(&scene.log());
    until("more tries", PATIENCE, async || {
        let now = failures(&scene.log());
        ensure(now > seen + 1, || format!("{now} after {seen}"))
    })
    .await;
    assert_eq!(scene.provider.asked().len(), asked, "a storm");
    // What a person sees, with what to do: the dashboard's list, and doctor in both languages.
    let attention = Api::new(scene.worker.port()).get("/api/v1/attention").await.to_string();
    assert!(attention.contains("oauth_revoked"), "{attention}");
    for (locale, said) in [
        ("fr_FR.UTF-8", "l'autorisation de lire la boîte a été retirée"),
        ("C.UTF-8", "the permission to read the mailbox was withdrawn"),
    ] {
        scene.worker.set("LC_ALL", locale);
        let doctor = scene.worker.run(&["doctor"]).await;
        assert_eq!(doctor.status.code(), Some(5), "{}", doctor.text);
        assert!(
            doctor.text.contains(said) && doctor.text.contains("render-signal oauth authorize"),
            "{}",
            doctor.text
        );
        assert_no_secret(&doctor.text);
    }

    let another = scene.provider.agree();
    assert!(scene.worker.stop().await.success());
    scene.worker.set("IMAP_OAUTH_REFRESH_TOKEN", &another);
    scene.worker.start().await;
    until("every webhook", PATIENCE, async || checks::all_accepted(&scene.site.receiver, &all)).await;
    scene.site.until_all_seen(all.len()).await;
    checks::assert_each_exactly_once(&scene.site.receiver, &all);
    until("/readyz to be well", PATIENCE, async || {
        let (status, oauth) = scene.readiness().await;
        ensure(status == 200 && oauth["state"] != "fail", || oauth.to_string())
    })
    .await;
    assert!(scene.worker.stop().await.success());
    scene.worker.assert_journal_verifies().await;
    scene.log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_delays_mails_and_is_named() {
    let mut scene = Scene::start().await;
    scene.provider.be_away(true);
    let all = mails::mixed(3);
    scene.site.dovecot.deliver(&all);
    scene.worker.launch();
    scene.worker.until_answer("/readyz", |answer| answer.body.contains("oauth_away")).await;
    let (status, oauth) = scene.readiness().await;
    // Another worker would do no better: this one is ready, and says what is wrong.
    assert_eq!((status, oauth["state"].as_str()), (200, Some("warn")), "{oauth}");
    scene.provider.be_away(false);
    until("every webhook", PATIENCE, async || checks::all_accepted(&scene.site.receiver, &all)).await;
    assert!(scene.worker.stop().await.success());
    scene.log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_the_provider_replaces_survives_a_kill_and_yields_to_a_new_one() {
    let mut scene = Scene::start().await;
    scene.provider.rotate();
    scene.provider.live_for(1);
    scene.worker.start().await;
    let mut all = mails::mixed(3);
    scene.site.dovecot.deliver(&all);
    until("the first webhooks", PATIENCE, async || checks::all_accepted(&scene.site.receiver, &all)).await;
    let file = scene.site.folder().join("data/oauth-refresh-token.json");
    let kept = || -> Value {
        serde_json::from_str(&std::fs::read_to_string(&file).expect("a kept token")).expect("JSON")
    };
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let first = kept();

    // The token of the environment counts no more: only what was kept does.
    scene.worker.kill();
    let later = mails::mixed(3);
    scene.site.dovecot.deliver(&later);
    all.extend(later);
    scene.worker.start().await;
    until("the webhooks after the kill", PATIENCE, async || checks::all_accepted(&scene.site.receiver, &all))
        .await;
    assert_ne!(kept()["refresh_token"], first["refresh_token"]);
    assert_eq!(kept()["seed"], first["seed"]);

    // Somebody agrees anew, and what was kept counts no more.
    assert!(scene.worker.stop().await.success());
    scene.provider.withdraw();
    let another = scene.provider.agree();
    let asked = scene.provider.asked().len();
    scene.worker.set("IMAP_OAUTH_REFRESH_TOKEN", &another);
    let last = mails::mixed(3);
    scene.site.dovecot.deliver(&last);
    all.extend(last);
    scene.worker.start().await;
    until("every webhook", PATIENCE, async || checks::all_accepted(&scene.site.receiver, &all)).await;
    assert_eq!(scene.provider.asked()[asked], another, "the environment's wins");
    assert_ne!(kept()["seed"], first["seed"]);
    scene.site.until_all_seen(all.len()).await;
    checks::assert_each_exactly_once(&scene.site.receiver, &all);
    assert!(scene.worker.stop().await.success());
    scene.log();
}
