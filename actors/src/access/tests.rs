//! Over a journal in memory and a document in a file, as two workers share them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::links::{Denied, LinkStatus, MagicLinks};
use super::sessions::{Session, Sessions, SignInMethod};
use super::state::{link_name, link_stream};
use super::token::{LinkRefusal, Signer};
use super::*;
use crate::config::documents::Key;
use crate::config::edit::Editor;
use crate::config::policy::EnvDefaults;
use crate::config::store::file::FileStore;
use crate::kernel::journal::memory::MemoryJournal;
use crate::readmodel;
use crate::readmodel::queries::access::actions;

const SECRET: &str = "test-secret-key";

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap()
}

/// What two workers share.
struct Shared {
    folder: tempfile::TempDir,
    journal: Arc<dyn Journal>,
    world: World,
}

impl Shared {
    fn new() -> Self {
        Self::at(start())
    }

    fn at(now: DateTime<Utc>) -> Self {
        let world = World::seeded(now, 1);
        let journal = Arc::new(MemoryJournal::new(world.clone(), readmodel::all()));
        Self { folder: tempfile::tempdir().unwrap(), journal, world }
    }

    fn sessions(&self, credential: &str) -> Arc<Sessions> {
        Arc::new(Sessions::new(Arc::clone(&self.journal), self.world.clone(), credential))
    }

    fn links(&self) -> MagicLinks {
        let editor = Editor {
            store: Arc::new(FileStore::new(self.folder.path(), None)),
            env: Arc::new(EnvDefaults::default()),
            journal: Some(Arc::clone(&self.journal)),
            world: self.world.clone(),
        };
        let signer = Signer::new(SECRET.into());
        let (journal, sessions) = (Arc::clone(&self.journal), self.sessions("one"));
        MagicLinks::new(editor, journal, sessions, signer, "admin", TimeDelta::seconds(900))
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("magic_links.json")
    }

    fn put(&self, document: &Value) {
        std::fs::write(self.path(), document.to_string()).unwrap();
    }

    fn document(&self) -> Value {
        std::fs::read_to_string(self.path()).map_or(json!({}), |text| serde_json::from_str(&text).unwrap())
    }

    async fn kinds(&self) -> Vec<String> {
        let log = self.journal.read_log(0, 1_000).await.unwrap();
        let kinds = log.iter().map(|event| event.kind.clone());
        kinds.filter(|kind| !kind.starts_with("config.")).collect()
    }

    async fn opened(&self, sessions: &Sessions) -> (SecretString, Session) {
        let _ = self;
        sessions.open("admin", SignInMethod::Password, &Visitor::default()).await.unwrap()
    }
}

async fn finds(sessions: &Sessions, cookie: &SecretString) -> bool {
    let found = sessions.find(cookie.expose_secret(), &Visitor::default()).await.unwrap();
    found.is_some()
}

// ── sessions ────────────────────────────────────────────────────────────────────────────

#[tokio::test(start_paused = true)]
async fn a_session_that_one_worker_opens_is_known_to_the_other_and_nothing_else_is() {
    let shared = Shared::new();
    let (one, two) = (shared.sessions("one"), shared.sessions("one"));
    let from = Visitor::new(Some([192, 0, 2, 7].into()), "Browser\u{1b}[2J 1");
    let (cookie, session) = one.open("admin", SignInMethod::Password, &from).await.unwrap();
    assert_eq!(two.find(cookie.expose_secret(), &from).await.unwrap(), Some(session.clone()));
    let row = &two.list(None, 10).await.unwrap()[0];
    assert_eq!((row.id.as_str(), row.address.as_str()), (session.id.as_str(), "192.0.2.7"));
    assert_eq!(row.agent, "Browser[2J 1", "nothing steers a terminal");
    for other in ["", "x", &session.id, &"A".repeat(43), &format!("{}=", cookie.expose_secret()), "é"] {
        assert_eq!(two.find(other, &from).await, Ok(None), "{other}");
    }
    let journal = shared.journal.read_log(0, 10).await.unwrap();
    let journal = serde_json::to_string(&journal).unwrap();
    assert!(!journal.contains(cookie.expose_secret()), "the journal opens nothing");
    assert_eq!(cookie.expose_secret().len(), 43);
}

#[tokio::test(start_paused = true)]
async fn a_new_one_never_has_the_id_of_another() {
    let shared = Shared::new();
    let sessions = shared.sessions("one");
    let ((first, one), (second, two)) = (shared.opened(&sessions).await, shared.opened(&sessions).await);
    assert_ne!(first.expose_secret(), second.expose_secret());
    assert_ne!(one.id, two.id);
}

#[tokio::test(start_paused = true)]
async fn what_is_ended_on_one_worker_is_over_on_the_other_within_a_second() {
    let shared = Shared::new();
    let (one, two) = (shared.sessions("one"), shared.sessions("one"));
    let (cookie, session) = shared.opened(&one).await;
    assert!(finds(&one, &cookie).await && finds(&two, &cookie).await);
    assert_eq!(one.end(&session.id, "logout", "session:admin").await, Ok(true));
    assert!(!finds(&one, &cookie).await, "where it was ended, at once");
    assert!(finds(&two, &cookie).await, "what was found is believed for a moment");
    tokio::time::advance(Duration::from_millis(999)).await;
    assert!(!finds(&two, &cookie).await);
    assert_eq!(two.end(&session.id, "logout", "session:admin").await, Ok(true), "as often as one likes");
    assert_eq!(two.end("nobody", "logout", "session:admin").await, Ok(false));
    assert_eq!(shared.kinds().await, ["session.opened", "session.ended"]);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_not_used_and_after_thirty_days_in_any_case() {
    let shared = Shared::new();
    let sessions = shared.sessions("one");
    let (cookie, session) = shared.opened(&sessions).await;
    tokio::time::advance(Duration::from_secs(8 * 3_600 - 1)).await;
    assert!(finds(&sessions, &cookie).await);
    tokio::time::advance(Duration::from_secs(8 * 3_600 - 1)).await;
    assert!(finds(&sessions, &cookie).await, "it was used in between");
    // Used every hour, it is noted each time; its end comes all the same.
    for _ in 0..30 * 24 {
        tokio::time::advance(Duration::from_secs(3_600)).await;
        if !finds(&sessions, &cookie).await {
            break;
        }
    }
    let alive = shared.world.now() - session.opened_at;
    assert!(alive >= TimeDelta::days(30) && alive < TimeDelta::days(30) + TimeDelta::hours(2), "{alive}");
    assert!(sessions.list(None, 10).await.unwrap().is_empty());

    let (idle, _) = shared.opened(&sessions).await;
    tokio::time::advance(Duration::from_secs(8 * 3_600)).await;
    assert!(!finds(&sessions, &idle).await);
}

#[tokio::test(start_paused = true)]
async fn its_use_is_noted_once_in_a_quarter_of_an_hour() {
    let shared = Shared::new();
    let (one, two) = (shared.sessions("one"), shared.sessions("one"));
    let (cookie, _) = shared.opened(&one).await;
    for _ in 0..60 {
        assert!(finds(&one, &cookie).await && finds(&two, &cookie).await);
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    let noted = shared.kinds().await.iter().filter(|kind| *kind == "session.used").count();
    assert_eq!(noted, 3, "in an hour, by both workers together");
}

#[tokio::test(start_paused = true)]
async fn who_only_looks_whether_it_is_open_does_not_keep_it_open() {
    let shared = Shared::new();
    let sessions = shared.sessions("one");
    let (cookie, session) = shared.opened(&sessions).await;
    let is_open = async || sessions.is_open(cookie.expose_secret()).await;
    for _ in 0..31 {
        assert_eq!(is_open().await, Ok(true));
        tokio::time::advance(Duration::from_secs(15 * 60)).await;
    }
    assert_eq!(is_open().await, Ok(true));
    tokio::time::advance(Duration::from_secs(15 * 60)).await;
    assert_eq!(is_open().await, Ok(false), "eight hours later");
    assert_eq!(shared.kinds().await, ["session.opened"]);
    assert_eq!(sessions.is_open(&session.id).await, Ok(false));
}

/// Whoever compares otherwise tells by the time how much of a guess was right.
#[test]
fn what_opens_something_is_compared_in_constant_time() {
    assert!(include_str!("keyed.rs").contains("one.ct_eq(other).into()"));
    for (name, source) in
        [("token.rs", include_str!("token.rs")), ("password.rs", include_str!("password.rs"))]
    {
        let code = source.split("#[cfg(test)]").next().unwrap();
        assert!(code.contains("same(") && !code.contains("signature =="), "{name}");
        assert!(!code.contains("expose_secret() ==") && !code.contains("digest =="), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_password_ends_all_that_the_one_before_has_opened() {
    let shared = Shared::new();
    let (before, after) = (shared.sessions("one"), shared.sessions("two"));
    let (old, _) = shared.opened(&before).await;
    let (new, _) = shared.opened(&after).await;
    assert!(!finds(&after, &old).await && !finds(&before, &new).await);
    assert_eq!(after.list(None, 10).await.unwrap().len(), 1);
    assert_eq!(after.end_those_of_another_password().await, Ok(1));
    assert_eq!(after.end_those_of_another_password().await, Ok(0));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(!finds(&before, &old).await && finds(&after, &new).await);
}

#[tokio::test(start_paused = true)]
async fn everywhere_is_everywhere() {
    let shared = Shared::new();
    let (one, two) = (shared.sessions("one"), shared.sessions("one"));
    let mut cookies = Vec::new();
    for _ in 0..250 {
        cookies.push(shared.opened(&one).await);
    }
    let (mine, session) = cookies.pop().unwrap();
    assert!(finds(&two, &mine).await && finds(&two, &cookies[0].0).await);
    assert_eq!(two.end_all("everywhere", "session:admin", Some(&session.id)).await, Ok(249));
    for (cookie, _) in &cookies {
        assert!(!finds(&two, cookie).await);
    }
    assert!(finds(&two, &mine).await);
    assert_eq!(two.end_all("everywhere", "session:admin", None).await, Ok(1));
    assert!(!finds(&two, &mine).await);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_does_not_answer_lets_nobody_in_and_says_so() {
    let shared = Shared::new();
    let sessions = shared.sessions("one");
    let (cookie, _) = shared.opened(&sessions).await;
    shared.journal.close().await;
    let found = sessions.find(cookie.expose_secret(), &Visitor::default()).await;
    assert!(matches!(found, Err(AccessError::Journal(_))), "{found:?}");
    let opened = sessions.open("admin", SignInMethod::Password, &Visitor::default()).await;
    assert!(matches!(opened, Err(AccessError::Journal(_))), "{opened:?}");
}

// ── sign-in links ───────────────────────────────────────────────────────────────────────

fn golden() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/access.json");
    let text = std::fs::read_to_string(path).unwrap();
    let Value::Object(mut file) = serde_json::from_str(&text).unwrap() else { panic!("an object") };
    let Some(Value::Array(cases)) = file.remove("cases") else { panic!("cases") };
    cases
}

#[tokio::test(start_paused = true)]
async fn links_are_consumed_as_the_reference_system_consumes_them() {
    let mut seen = 0;
    for case in golden().iter().filter(|case| case["area"] == "magic_link_consume") {
        let (input, output) = (&case["input"], &case["output"]);
        assert_eq!(input["secret"], SECRET);
        let now = DateTime::parse_from_rfc3339(input["now_utc"].as_str().unwrap()).unwrap();
        let shared = Shared::at(now.to_utc());
        shared.put(&input["state_before"]);
        let token = input["token"].as_str().unwrap();
        let (ok, message) = match shared.links().consume(token, &Visitor::default()).await {
            Ok((_, session)) => (true, session.user),
            Err(Denied::Refused(refusal)) => (false, refusal.said().french),
            Err(error) => panic!("{}: {error:?}", case["id"]),
        };
        let after = shared.document();
        assert_eq!(json!({"ok": ok, "message": message, "state_after": after}), *output, "{}", case["id"]);
        seen += 1;
    }
    assert!(seen >= 7, "{seen}");
}

#[tokio::test]
async fn tokens_are_signed_as_the_reference_system_signs_them() {
    for case in golden().iter().filter(|case| case["area"] == "magic_link_signature") {
        let field = |name: &str| case["input"][name].as_str().unwrap();
        let signer = Signer::new(field("secret").into());
        let signed = |signature: &str| {
            let text = format!("{}.{}.{signature}", field("token_id"), field("expires"));
            signer.read(&text, start())
        };
        assert!(signed(case["output"].as_str().unwrap()).is_ok(), "{}", case["id"]);
        assert_eq!(signed(&"0".repeat(64)), Err(LinkRefusal::Signature));
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_opens_one_session_and_says_the_rest_in_the_document() {
    let shared = Shared::new();
    let (one, two) = (shared.links(), shared.links());
    let link = one.create(false, "session:admin").await.unwrap();
    let text = link.token.expose_secret();
    let (id, _) = text.split_once('.').unwrap();
    assert_eq!(link.name, link_name(id));
    assert_eq!(link.expires_at, Some(start() + TimeDelta::seconds(900)));
    let entry =
        json!({"consumed": false, "consumed_at": null, "expires_at": 1767226500.0, "single_use": true});
    assert_eq!(shared.document()[id], entry, "the reference system knows it");

    for _ in 0..3 {
        assert_eq!(two.look(text).await, Ok(()), "to look at it uses nothing up");
    }
    let (cookie, session) = two.consume(text, &Visitor::default()).await.unwrap();
    assert_eq!(session.method, "magic_link");
    assert!(finds(&shared.sessions("one"), &cookie).await);
    assert_eq!(shared.document()[id]["consumed"], json!(true));
    for links in [&one, &two] {
        assert_eq!(links.look(text).await, Err(Denied::Refused(LinkRefusal::Used)));
        let again = links.consume(text, &Visitor::default()).await.unwrap_err();
        assert_eq!(again, Denied::Refused(LinkRefusal::Used));
    }
    let kinds = shared.kinds().await;
    assert_eq!(kinds, ["magic_link.created", "magic_link.consumed", "session.opened"]);
    let log = serde_json::to_string(&shared.journal.read_log(0, 100).await.unwrap()).unwrap();
    assert!(!log.contains(id) && !log.contains(cookie.expose_secret()), "the journal opens nothing");
}

#[tokio::test]
async fn of_many_who_use_a_link_at_the_same_instant_one_is_let_in() {
    let shared = Shared::new();
    let link = shared.links().create(false, "cli").await.unwrap();
    let text = link.token.expose_secret();
    let tries = (0..8).map(|_| {
        let links = shared.links();
        async move { links.consume(text, &Visitor::default()).await }
    });
    let outcomes = futures::future::join_all(tries).await;
    let let_in = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(let_in, 1, "{outcomes:?}");
    for outcome in outcomes {
        assert!(matches!(outcome, Ok(_) | Err(Denied::Refused(LinkRefusal::Used))), "{outcome:?}");
    }
    let opened = shared.kinds().await.iter().filter(|kind| *kind == "session.opened").count();
    assert_eq!(opened, 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_journal_knows_counts_when_the_document_is_put_back() {
    let shared = Shared::new();
    let links = shared.links();
    let link = links.create(false, "cli").await.unwrap();
    let (before, text) = (shared.document(), link.token.expose_secret());
    links.consume(text, &Visitor::default()).await.unwrap();
    shared.put(&before);
    let again = links.consume(text, &Visitor::default()).await.unwrap_err();
    assert_eq!(again, Denied::Refused(LinkRefusal::Used));
    assert_eq!(links.tidy().await, Ok(1));
    let (id, _) = text.split_once('.').unwrap();
    assert_eq!(shared.document()[id]["consumed"], json!(true), "the reference system refuses it, too");
    assert_eq!(links.tidy().await, Ok(0));
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(links.tidy().await, Ok(1));
    assert_eq!(shared.document(), json!({}));
}

#[tokio::test(start_paused = true)]
async fn what_the_reference_system_has_consumed_or_dropped_opens_nothing() {
    let shared = Shared::new();
    let links = shared.links();
    let link = links.create(false, "cli").await.unwrap();
    let text = link.token.expose_secret();
    let (id, _) = text.split_once('.').unwrap();
    let mut document = shared.document();
    document[id]["consumed"] = json!(true);
    shared.put(&document);
    let refused = |refusal| Denied::Refused(refusal);
    assert_eq!(links.consume(text, &Visitor::default()).await.unwrap_err(), refused(LinkRefusal::Used));
    shared.put(&json!({}));
    assert_eq!(links.consume(text, &Visitor::default()).await.unwrap_err(), refused(LinkRefusal::Unknown));
    assert_eq!(links.look(text).await, Err(refused(LinkRefusal::Unknown)));
    shared.put(&json!([]));
    let failed = links.consume(text, &Visitor::default()).await.unwrap_err();
    assert!(matches!(failed, Denied::Failed(AccessError::Document(_))), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_revoked_link_opens_nothing_and_is_in_no_document() {
    let shared = Shared::new();
    let (one, two) = (shared.links(), shared.links());
    let mine = one.create(true, "session:admin").await.unwrap();
    // Made by the reference system, and never used here.
    let mut document = shared.document();
    document["theirs"] =
        json!({"expires_at": null, "consumed": false, "consumed_at": null, "single_use": false});
    shared.put(&document);
    let (cookie, _) = two.consume(mine.token.expose_secret(), &Visitor::default()).await.unwrap();
    two.consume(mine.token.expose_secret(), &Visitor::default()).await.unwrap();
    let sessions = shared.sessions("one");
    let (other, _) = shared.opened(&sessions).await;
    let listed = two.list().await.unwrap();
    let line = |name: &str| listed.iter().find(|link| link.name == name).unwrap();
    let (ours, theirs) = (line(&mine.name), line(&link_name("theirs")));
    assert_eq!((ours.standing, ours.uses, ours.single_use), (LinkStatus::Open, 2, false));
    assert_eq!((theirs.standing, theirs.created_by.as_str()), (LinkStatus::Open, "external"));
    for (name, opened) in [(mine.name.clone(), 2), (link_name("theirs"), 0)] {
        assert_eq!(two.revoke(&name, "session:admin").await, Ok(Some(opened)));
        assert_eq!(two.revoke(&name, "session:admin").await, Ok(Some(0)), "as often as one likes");
    }
    assert_eq!(two.revoke("0123", "session:admin").await, Ok(None));
    assert!(!finds(&sessions, &cookie).await, "whoever came by the link is out");
    assert!(finds(&sessions, &other).await, "and nobody else");
    assert_eq!(shared.document(), json!({}));
    let refused = one.consume(mine.token.expose_secret(), &Visitor::default()).await.unwrap_err();
    assert_eq!(refused, Denied::Refused(LinkRefusal::Unknown));
    // Put back from a copy, it opens nothing all the same.
    shared.put(&document);
    let refused = one.consume(mine.token.expose_secret(), &Visitor::default()).await.unwrap_err();
    assert_eq!(refused, Denied::Refused(LinkRefusal::Unknown));
    assert_eq!(one.tidy().await, Ok(2));
    assert_eq!(shared.document(), json!({}));
    assert!(one.list().await.unwrap().iter().all(|link| link.standing == LinkStatus::Revoked));
}

#[tokio::test(start_paused = true)]
async fn an_expired_link_leaves_the_document_when_somebody_tries_it() {
    let shared = Shared::new();
    let links = shared.links();
    let link = links.create(false, "cli").await.unwrap();
    tokio::time::advance(Duration::from_secs(901)).await;
    assert_eq!(links.look(link.token.expose_secret()).await, Err(Denied::Refused(LinkRefusal::Expired)));
    assert_ne!(shared.document(), json!({}), "to look changes nothing");
    let refused = links.consume(link.token.expose_secret(), &Visitor::default()).await.unwrap_err();
    assert_eq!(refused, Denied::Refused(LinkRefusal::Expired));
    assert_eq!(shared.document(), json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_cannot_be_stored_is_none() {
    let shared = Shared::new();
    std::fs::create_dir(shared.path()).unwrap();
    let links = shared.links();
    let failed = links.create(false, "cli").await.unwrap_err();
    assert!(matches!(failed, AccessError::Document(_)), "{failed:?}");
    std::fs::remove_dir(shared.path()).unwrap();
    assert!(links.list().await.unwrap().iter().all(|link| link.standing == LinkStatus::Revoked));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_was_archived_after_its_use_opens_nothing_again() {
    use crate::kernel::journal::Trim;
    let shared = Shared::new();
    let links = shared.links();
    let link = links.create(false, "cli").await.unwrap();
    let (before, text) = (shared.document(), link.token.expose_secret());
    links.consume(text, &Visitor::default()).await.unwrap();
    // Something stays behind it, as it does in a log that goes on.
    links.create(false, "cli").await.unwrap();
    let trim = vec![Trim { stream: link_stream(&link.name), version: 2 }];
    shared.journal.append(Commit { at: shared.world.now(), trim, ..Commit::default() }).await.unwrap();
    shared.put(&before);
    let refused = links.consume(text, &Visitor::default()).await.unwrap_err();
    assert_eq!(refused, Denied::Refused(LinkRefusal::Unknown));
}

#[tokio::test(start_paused = true)]
async fn who_did_what_is_listed_the_newest_first() {
    let shared = Shared::new();
    let (links, sessions) = (shared.links(), shared.sessions("one"));
    let (_, session) = shared.opened(&sessions).await;
    let link = links.create(true, "session:admin").await.unwrap();
    links.revoke(&link.name, "cli").await.unwrap();
    sessions.end(&session.id, "revoked", "session:admin").await.unwrap();
    let read = |actor: Option<&'static str>, before| {
        let views = shared.journal.views();
        async move { views.read(move |db| actions(db, actor, before, 10)).await.unwrap() }
    };
    let lines: Vec<(String, String)> =
        read(None, None).await.into_iter().map(|row| (row.actor, row.kind)).collect();
    let pair = |actor: &str, kind: &str| (actor.to_owned(), kind.to_owned());
    assert_eq!(
        lines,
        [
            pair("session:admin", "session.ended"),
            pair("cli", "magic_link.revoked"),
            pair("session:admin", "magic_link.created"),
            pair("session:admin", "session.opened"),
        ],
        "and what follows from it in the document is nobody's doing of its own"
    );
    assert_eq!(read(Some("cli"), None).await.len(), 1);
    let newest = read(None, None).await[0].position;
    assert_eq!(read(None, Some(newest)).await.len(), 3);
    assert_eq!(Key::MagicLinkTokens.as_str(), "magic_link_tokens");
}
