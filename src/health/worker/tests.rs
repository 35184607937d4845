//! Which answers make a worker not ready, and which are only said.

use chrono::{DateTime, Utc};
use render_signal_actors::config::documents::{FieldProblem, Governs, Key};
use render_signal_actors::config::store::StoreHealth;
use render_signal_actors::config::{ConfigStatus, DocumentStatus};
use render_signal_actors::kernel::journal::{Difference, Durability, Loss};
use render_signal_actors::kernel::said::Said;
use render_signal_actors::lock::{LeaseTrouble, LockStatus};
use render_signal_actors::poller::PollerStatus;
use render_signal_actors::r2::R2Status;
use render_signal_actors::retention::Rounds;
use render_signal_actors::webhook::{TargetStatus, WebhookStatus};

use super::*;
use crate::health::eviction::EvictionReport;
use crate::health::probe::JournalAnswer;

fn problem(field: &str, what: &str) -> FieldProblem {
    FieldProblem::new(field, Said::alike(what))
}

/// An actor that does not answer.
fn silent() -> Finding {
    Finding::NoAnswer { why: Said::alike("no answer") }
}

fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn well() -> Answers {
    Answers {
        now: now(),
        draining: false,
        pulse: std::time::Duration::ZERO,
        journal: Ok(JournalAnswer {
            head: 7,
            durability: Durability::OnDisk,
            next_delivery: None,
            loss: None,
            others: Vec::new(),
        }),
        poller: Some(Ok(PollerStatus { phase: "watching".into(), ..PollerStatus::default() })),
        lock: Some(Ok(LockStatus { held: true, ..LockStatus::default() })),
        webhook: Ok(WebhookStatus::default()),
        r2: Ok(R2Status::default()),
        config: Ok(ConfigStatus::default()),
        redis: None,
        retention: None,
        idle: None,
        oauth: None,
    }
}

/// Without an answer from the lease store for 30 s; a holder was seen so many seconds ago.
fn standby(seen: i64, holder: Option<&str>) -> Option<Result<LockStatus, Finding>> {
    let since = now() - chrono::Duration::seconds(30);
    Some(Ok(LockStatus {
        holder: holder.map(str::to_owned),
        seen: Some(now() - chrono::Duration::seconds(seen)),
        trouble: Some(LeaseTrouble { since, why: "connection refused".into() }),
        ..LockStatus::default()
    }))
}

fn state(answers: &Answers, name: &str) -> (bool, Severity, String) {
    let readiness = readiness(answers);
    let check = readiness.checks.iter().find(|check| check.name == name).unwrap();
    (readiness.is_ready(), check.state(), check.said().english)
}

#[test]
fn all_well_is_ready() {
    let readiness = readiness(&well());
    assert_eq!(readiness.status, "ready");
    assert!(readiness.checks.iter().all(|check| check.state() == Severity::Ok));
    assert_eq!(readiness.checks.len(), 7);
}

#[test]
fn mails_that_wait_for_copies_are_said() {
    let status =
        R2Status { put_off: 3, trouble: Some("the Worker answered 503".into()), ..R2Status::default() };
    let (ready, found, message) = state(&Answers { r2: Ok(status), ..well() }, "copies");
    assert_eq!((ready, found), (true, Severity::Warn));
    assert!(message.starts_with("3 mails wait") && message.ends_with("the Worker answered 503"), "{message}");
}

#[test]
fn a_retention_that_is_late_or_in_trouble_is_said() {
    let ago = |minutes| Some(now() - chrono::Duration::minutes(minutes));
    let cases: [(Rounds, Severity, &str); 5] = [
        (Rounds { since: ago(0), ..Rounds::default() }, Severity::Ok, "not dropped yet"),
        (Rounds { since: ago(151), ..Rounds::default() }, Severity::Warn, "not dropped yet"),
        (Rounds { since: ago(900), finished_at: ago(61), ..Rounds::default() }, Severity::Ok, "61 min ago"),
        (
            Rounds { since: ago(900), finished_at: ago(151), ..Rounds::default() },
            Severity::Warn,
            "151 min ago",
        ),
        (
            Rounds {
                since: ago(900),
                finished_at: ago(61),
                trouble: vec!["disk full".into()],
                ..Rounds::default()
            },
            Severity::Warn,
            "disk full",
        ),
    ];
    for (rounds, wanted, words) in cases {
        let (ready, found, message) = state(&Answers { retention: Some(rounds), ..well() }, "retention");
        assert_eq!((ready, found), (true, wanted), "{message}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn what_takes_the_worker_out() {
    type Harm = fn(&mut Answers);
    let cases: [(&str, Harm); 8] = [
        ("config", |f| {
            let document = DocumentStatus {
                key: "webhook_config".into(),
                state: "invalid".into(),
                problems: vec![problem("webhook_time_start", "Invalid time format.")],
                withholds: Some(Governs::Sending),
                ..DocumentStatus::default()
            };
            f.config = Ok(ConfigStatus { documents: vec![document], ..ConfigStatus::default() });
        }),
        ("process", |f| f.draining = true),
        ("process", |f| f.pulse = Pulse::LIMIT),
        ("journal", |f| f.journal = Err(silent())),
        ("mailbox", |f| {
            f.poller = Some(Ok(PollerStatus { silent: true, ..PollerStatus::default() }));
        }),
        ("lease", |f| f.lock = Some(Err(silent()))),
        ("config", |f| f.config = Err(silent())),
        ("deliveries", |f| f.webhook = Err(silent())),
    ];
    for (name, harm) in cases {
        let mut answers = well();
        harm(&mut answers);
        let (ready, state, _) = state(&answers, name);
        assert_eq!((ready, state), (false, Severity::Fail), "{name}");
        assert_eq!(readiness(&answers).status, "not_ready");
    }
}

#[test]
fn what_is_only_said() {
    type Harm = fn(&mut Answers);
    let cases: [(&str, Harm, &str); 19] = [
        (
            "config",
            |f| {
                f.config = Ok(ConfigStatus {
                    remarks: vec![Said::alike("nobody is told")],
                    ..ConfigStatus::default()
                });
            },
            "nobody is told",
        ),
        (
            "deliveries",
            |f| {
                let target = TargetStatus {
                    id: "default".into(),
                    breaker: "open".into(),
                    failures: 5,
                    ..TargetStatus::default()
                };
                f.webhook = Ok(WebhookStatus { targets: vec![target], ..WebhookStatus::default() });
            },
            "default fails (5 in a row)",
        ),
        (
            "deliveries",
            |f| {
                if let Ok(journal) = &mut f.journal {
                    journal.next_delivery = Some(f.now - chrono::Duration::seconds(90));
                }
            },
            "90 s late",
        ),
        (
            "config",
            |f| {
                let document = DocumentStatus {
                    key: "webhook_config".into(),
                    state: "invalid".into(),
                    problems: vec![problem("webhook_url", "it must start with https://")],
                    ..DocumentStatus::default()
                };
                f.config =
                    Ok(ConfigStatus { version: 2, documents: vec![document], ..ConfigStatus::default() });
            },
            "webhook_config: webhook_url",
        ),
        (
            "config",
            |f| {
                let document = DocumentStatus {
                    key: "webhook_config".into(),
                    running: 2,
                    remarks: vec![Said::alike("b keeps the version before: webhook_url")],
                    ..DocumentStatus::default()
                };
                f.config =
                    Ok(ConfigStatus { workers: 3, documents: vec![document], ..ConfigStatus::default() });
            },
            "b keeps the version before: webhook_url; 2 of 3 workers",
        ),
        (
            "config",
            |f| {
                let store = StoreHealth {
                    store: "redis",
                    authority: true,
                    since: None,
                    trouble: Some("connection refused".into()),
                    pending: vec![Key::WebhookConfig],
                    conflicts: Vec::new(),
                };
                f.config = Ok(ConfigStatus { stores: vec![store], ..ConfigStatus::default() });
            },
            "connection refused; redis must still be given webhook_config",
        ),
        (
            "lease",
            |f| f.lock = standby(20, Some("one")),
            "standby: one polled 20 s ago; the lease cannot be taken",
        ),
        (
            "lease",
            |f| f.lock = standby(45, None),
            "nobody is known to poll, a holder was last seen 45 s ago; the lease cannot be taken since \
             11:59:30 UTC: connection refused",
        ),
        (
            "lease",
            |f| {
                f.lock = standby(20, None);
                if let Some(Ok(status)) = &mut f.lock {
                    status.held = true;
                }
            },
            "this worker polls; the lease cannot be confirmed since 11:59:30 UTC",
        ),
        (
            "lease",
            |f| {
                f.lock = Some(Ok(LockStatus {
                    warning: Some(Said::alike("file lock: one container only")),
                    ..LockStatus::default()
                }));
            },
            "one container only",
        ),
        (
            "journal",
            |f| {
                if let Ok(journal) = &mut f.journal {
                    journal.durability = Durability::Memory;
                }
            },
            "in memory only",
        ),
        (
            "journal",
            |f| {
                if let Ok(journal) = &mut f.journal {
                    journal.durability = Durability::UntilRestart;
                }
            },
            "its restart loses them",
        ),
        (
            "journal",
            |f| {
                if let Ok(journal) = &mut f.journal {
                    journal.durability = Durability::UntilDeploy;
                }
            },
            "the next deploy wipes it",
        ),
        (
            "journal",
            |f| {
                if let Ok(journal) = &mut f.journal {
                    journal.durability = Durability::UpToTwoSeconds;
                }
            },
            "within two seconds",
        ),
        (
            "journal",
            |f| {
                if let Ok(journal) = &mut f.journal {
                    journal.durability = Durability::Unknown;
                }
            },
            "does not tell",
        ),
        (
            "journal",
            |f| {
                if let Ok(journal) = &mut f.journal {
                    journal.loss = Some(Loss {
                        number: 1,
                        at: now() - chrono::Duration::seconds(9),
                        known_log: "a".into(),
                        known_head: 12,
                        found_log: "b".into(),
                        found_head: 3,
                    });
                }
            },
            "lost acknowledged commits 9 s ago: it was at position 12, it came back at 3",
        ),
        (
            "journal",
            |f| {
                if let Ok(journal) = &mut f.journal {
                    journal.others =
                        vec![Difference { worker: "two/7".into(), settings: vec!["WEBHOOK_URL".into()] }];
                }
            },
            "is on the disk; two/7 has another WEBHOOK_URL",
        ),
        (
            "redis",
            |f| {
                f.redis = Some(EvictionReport {
                    remarks: vec![Finding::RedisDeletesLease {
                        server: "REDIS_URL",
                        policy: "volatile-ttl".into(),
                    }],
                    unknown: Vec::new(),
                })
            },
            "it may delete the polling lease",
        ),
        (
            "mailbox",
            |f| {
                f.poller = Some(Ok(PollerStatus {
                    failures: 2,
                    reason: Some("connection refused".into()),
                    ..PollerStatus::default()
                }));
            },
            "connection refused",
        ),
    ];
    for (name, harm, word) in cases {
        let mut answers = well();
        harm(&mut answers);
        let (ready, state, message) = state(&answers, name);
        assert_eq!((ready, state), (true, Severity::Warn), "{name}");
        assert!(message.contains(word), "{name}: {message}");
    }
}

#[test]
fn strangers_are_told_states_and_nothing_else() {
    let mut answers = well();
    answers.lock = standby(20, Some("one"));
    answers.journal = Err(silent());
    let states = readiness(&answers).states();
    assert_eq!(
        states,
        json!({"status": "not_ready", "checks": {
            "process": {"state": "ok"}, "journal": {"state": "fail"}, "mailbox": {"state": "ok"},
            "lease": {"state": "warn"}, "config": {"state": "ok"}, "copies": {"state": "ok"},
            "deliveries": {"state": "ok"},
        }})
    );
}

#[test]
fn the_lag_of_the_mailbox_is_told() {
    let mut answers = well();
    answers.poller = Some(Ok(PollerStatus {
        phase: "fetching".into(),
        lag_mails: 3,
        oldest_waiting: Some(now() - chrono::Duration::seconds(42)),
        last_heard: Some(now() - chrono::Duration::seconds(2)),
        ..PollerStatus::default()
    }));
    let (_, _, message) = state(&answers, "mailbox");
    assert!(message.contains("spoke 2 s ago"), "{message}");
    assert!(message.contains("3 mails wait in the mailbox, the oldest for 42 s"), "{message}");
}

#[test]
fn a_redis_server_is_well_unless_it_says_otherwise() {
    let mut answers = well();
    for unknown in [vec![], vec!["REDIS_URL: no answer".to_owned()]] {
        answers.redis = Some(EvictionReport { remarks: Vec::new(), unknown });
        assert_eq!(state(&answers, "redis").1, Severity::Ok);
    }
}

#[test]
fn without_background_tasks_the_worker_is_ready() {
    let mut answers = well();
    (answers.poller, answers.lock) = (None, None);
    answers.idle = Some(Idle::NoMailbox);
    let (ready, verdict, message) = state(&answers, "mailbox");
    assert_eq!((ready, verdict), (true, Severity::Warn));
    assert!(message.contains("nothing is polled"), "{message}");
    answers.idle = Some(Idle::SwitchedOff);
    for part in ["mailbox", "lease"] {
        let (ready, state, message) = state(&answers, part);
        assert_eq!((ready, state), (true, Severity::Ok), "{part}");
        assert!(message.contains("this worker does not poll"), "{part}: {message}");
    }
}

#[test]
fn a_check_is_told_with_its_code_and_its_values() {
    let mut answers = well();
    answers.lock = standby(20, Some("one"));
    let told = serde_json::to_value(readiness(&answers)).unwrap();
    let lease = &told["checks"]["lease"];
    assert_eq!((&lease["state"], &lease["code"]), (&json!("warn"), &json!("lease_not_taken")));
    assert_eq!(
        lease["findings"][0],
        json!({"code": "standby_since", "state": "ok", "values": {"holder": "one", "seconds": 20}})
    );
    assert_eq!(lease["findings"][1]["values"]["why"], "connection refused");
    assert_eq!(told["checks"]["process"]["code"], "running");
    assert_eq!(told["checks"]["process"]["said"], json!({"fr": "en marche", "en": "running"}));
    let found = readiness(&answers);
    let lease = found.checks.iter().find(|check| check.name == "lease").unwrap();
    let french = lease.said().french;
    assert!(french.starts_with("en réserve\u{a0}: one relevait il y a 20 s\u{a0}; le bail"), "{french}");
}

#[test]
fn the_mailbox_is_unpolled_when_this_worker_is_settled_and_nobody_says_that_it_polls() {
    use crate::health::attention::is_unpolled;
    use crate::health::probe::Idle;

    let standing_by = || Answers { lock: Some(Ok(LockStatus::default())), ..well() };
    let long_ago = now() - chrono::Duration::seconds(16);
    assert!(is_unpolled(&standing_by(), Some(false), long_ago));
    assert!(!is_unpolled(&standing_by(), Some(false), now() - chrono::Duration::seconds(15)), "it may yet");
    assert!(!is_unpolled(&standing_by(), Some(true), long_ago), "another does");
    assert!(!is_unpolled(&standing_by(), None, long_ago), "another may");
    assert!(!is_unpolled(&well(), Some(false), long_ago), "this one does");
    let idle = Answers { idle: Some(Idle::SwitchedOff), ..standing_by() };
    assert!(!is_unpolled(&idle, Some(false), long_ago), "as it was chosen");
}

#[test]
fn access_tokens_are_told_by_what_helps_and_only_a_person_takes_the_worker_out() {
    use render_signal_actors::oauth::check::CheckReport;
    use render_signal_actors::oauth::check::files::CheckRecord;
    use render_signal_actors::oauth::grant::ServerRefusal;
    use render_signal_actors::oauth::{OAuthReport, ProviderName, TokenTrouble};

    use crate::health::probe::OauthAnswer;

    let said = || ServerRefusal { status: 400, error: "invalid_grant".into(), description: "gone".into() };
    let report = |until: Option<i64>, trouble: Option<TokenTrouble>| OAuthReport {
        provider: ProviderName::Google,
        until: until.map(|minutes| now() + chrono::Duration::minutes(minutes)),
        trouble,
        unkept: None,
    };
    let away = TokenTrouble::Away { why: "no answer in time".into(), again_at: None };
    let last = |hours: i64, success: bool| CheckReport {
        since: now() - chrono::Duration::days(30),
        last: Some(CheckRecord {
            at: now() - chrono::Duration::hours(hours),
            success,
            message: "Token refused: HTTP 400 invalid_grant".into(),
            details: serde_json::Map::new(),
        }),
        every: chrono::Duration::days(7),
        trouble: None,
        ours: true,
    };
    let never = CheckReport { last: None, ..last(0, true) };
    let well = || report(Some(50), None);
    let unkept = OAuthReport { unkept: Some("disk full".into()), ..well() };
    let cases = [
        (
            report(None, None),
            Some(last(1, true)),
            true,
            Severity::Ok,
            "no access token was asked of Google yet",
        ),
        (well(), Some(last(1, true)), true, Severity::Ok, "counts for 50 min more; the last check"),
        (report(Some(3), Some(away)), None, true, Severity::Warn, "at the moment: no answer in time"),
        (
            report(None, Some(TokenTrouble::Revoked(said()))),
            None,
            false,
            Severity::Fail,
            "(invalid_grant: gone)",
        ),
        (report(None, Some(TokenTrouble::Settings(said()))), None, false, Severity::Fail, "OAuth2 settings"),
        (unkept, None, true, Severity::Warn, "could not be kept: disk full"),
        (well(), Some(last(1, false)), true, Severity::Warn, "failed: Token refused"),
        (well(), Some(last(9 * 24, true)), true, Severity::Warn, "one every 7 days"),
        (well(), Some(never), true, Severity::Warn, "never checked"),
    ];
    for (tokens, check, ready, wanted, words) in cases {
        let answer = OauthAnswer { tokens: Some(tokens), check };
        let (is_ready, found, message) = state(&Answers { oauth: Some(answer), ..self::well() }, "oauth");
        assert_eq!((is_ready, found), (ready, wanted), "{message}");
        assert!(message.contains(words), "{message}");
    }
}
