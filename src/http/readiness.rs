//! What the findings mean: ready or not, and each part in plain words.
//!
//! Not ready (503) is what another instance, a restart or a human can mend by looking at
//! *this* worker: it is stopping, its journal or one of its actors does not answer, or
//! its mailbox has gone silent; and a document that cannot be used and has no good version
//! before it, because what it governs stands still until it is mended. A receiver that is down,
//! a document that is wrong while an older one is in force, or a lease that another worker holds is said, and is no reason to take the worker out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use render_signal_actors::config::documents::{Governs, Key};
use render_signal_actors::kernel::journal::Durability;
use render_signal_actors::messages::{ConfigStatus, LockStatus, PollerStatus, R2Status, WebhookStatus};
use render_signal_actors::retention::Rounds;
use serde::Serialize;
use serde_json::{Value, json};

use super::probe::{Findings, Idle, JournalFinding, Pulse};
use crate::eviction::Found;
use crate::journal::in_words;

/// A delivery that has been due for longer than this without being sent is remarked on.
const LATE_SECONDS: i64 = 60;
/// For so long a loss of commits is remarked on.
const LOSS_IS_NEWS: chrono::Duration = chrono::Duration::hours(1);

/// Rounds come every hour; two that were missed are worth a look.
const RETENTION_IS_LATE: chrono::Duration = chrono::Duration::minutes(150);

/// Of a refused document whose switch is off.
const OFF_IS_OBEYED: &str = "its switch says off, which is obeyed";

/// How one part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warn,
    /// Not ready because of it.
    Fail,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Check {
    /// How it is.
    pub(crate) state: State,
    /// In plain words.
    pub(crate) message: String,
    /// The numbers behind it.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(crate) detail: Value,
}

/// The whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Readiness {
    /// `ready` or `not_ready`.
    pub(crate) status: &'static str,
    /// By name.
    pub(crate) checks: BTreeMap<&'static str, Check>,
}

impl Readiness {
    /// What anybody may know of it: no names, no numbers.
    pub(crate) fn states(&self) -> Value {
        let checks: BTreeMap<_, _> =
            self.checks.iter().map(|(name, check)| (name, json!({"state": check.state}))).collect();
        json!({"status": self.status, "checks": checks})
    }

    /// Whether new work may come here.
    pub(crate) fn is_ready(&self) -> bool {
        self.checks.values().all(|check| check.state != State::Fail)
    }
}

/// Puts the findings together.
pub(crate) fn readiness(findings: &Findings) -> Readiness {
    let mut checks = BTreeMap::new();
    checks.insert("process", process(findings));
    checks.insert("journal", journal(&findings.journal, findings.now));
    let (poller, lock) = (findings.poller.as_ref(), findings.lock.as_ref());
    checks.insert("mailbox", of_poller(poller, findings.idle, |status| mailbox(status, findings.now)));
    checks.insert("lease", of_poller(lock, None, |status| lease(status, findings.now)));
    checks.insert("config", answered(&findings.config, config));
    if let Some(found) = &findings.redis {
        checks.insert("redis", redis(found));
    }
    if let Some(rounds) = &findings.retention {
        checks.insert("retention", retention(rounds, findings.now));
    }
    checks.insert("copies", answered(&findings.r2, copies));
    checks.insert("deliveries", answered(&findings.webhook, |status| deliveries(status, findings)));
    let mut readiness = Readiness { status: "ready", checks };
    if !readiness.is_ready() {
        readiness.status = "not_ready";
    }
    readiness
}

fn check(state: State, message: impl Into<String>, detail: Value) -> Check {
    Check { state, message: message.into(), detail }
}

fn answered<T>(answer: &Result<T, String>, judge: impl FnOnce(&T) -> Check) -> Check {
    match answer {
        Ok(status) => judge(status),
        Err(error) => check(State::Fail, error.clone(), Value::Null),
    }
}

/// What only a worker that may poll has.
fn of_poller<T>(
    answer: Option<&Result<T, String>>,
    idle: Option<Idle>,
    judge: impl FnOnce(&T) -> Check,
) -> Check {
    match (answer, idle) {
        (Some(answer), _) => answered(answer, judge),
        (None, Some(Idle::SwitchedOff)) => {
            check(State::Ok, "background tasks are switched off: this worker does not poll", Value::Null)
        }
        // Nobody said that it is meant.
        (None, Some(Idle::NoMailbox)) => check(
            State::Warn,
            "there is no mailbox, so nothing is polled: EMAIL_ADDRESS, EMAIL_PASSWORD and IMAP_SERVER are not set",
            Value::Null,
        ),
        (None, None) => check(State::Ok, "this worker does not poll", Value::Null),
    }
}

/// Who only answers is not well: parts may still say what they knew while nothing moves.
fn process(findings: &Findings) -> Check {
    let (beat, detail) = (findings.pulse.as_secs(), json!({"version": env!("CARGO_PKG_VERSION")}));
    if findings.pulse >= Pulse::LIMIT {
        check(State::Fail, format!("nothing moves: the actors' thread has not beaten for {beat} s"), detail)
    } else if findings.draining {
        check(State::Fail, "stopping: no new work is taken", Value::Null)
    } else {
        check(State::Ok, "running", detail)
    }
}

fn journal(finding: &Result<JournalFinding, String>, now: DateTime<Utc>) -> Check {
    answered(finding, |finding| {
        let message = in_words(finding.durability);
        let state = if finding.durability == Durability::OnDisk { State::Ok } else { State::Warn };
        let detail = json!({
            "position": finding.head,
            "durability": finding.durability,
            "differing_workers": finding.others,
            "last_loss": finding.loss.as_ref().map(|loss| {
                json!({"at": loss.at, "known_position": loss.known_head, "found_position": loss.found_head})
            }),
        });
        let (state, message) = match &finding.others[..] {
            [] => (state, message.to_owned()),
            others => (State::Warn, format!("{message}; {}", others.join("; "))),
        };
        let recent = finding.loss.as_ref().filter(|loss| now - loss.at < LOSS_IS_NEWS);
        let Some(loss) = recent else { return check(state, message, detail) };
        let ago = (now - loss.at).num_seconds().max(0);
        let lost = format!(
            "the server lost acknowledged commits {ago} s ago: it was at position {}, it came back at {}; {message}",
            loss.known_head, loss.found_head
        );
        check(State::Warn, lost, detail)
    })
}

fn mailbox(status: &PollerStatus, now: DateTime<Utc>) -> Check {
    let heard = status.last_heard.map_or_else(
        || "the server has not spoken yet".to_owned(),
        |at| format!("the server spoke {} s ago", (now - at).num_seconds().max(0)),
    );
    let lag = match (status.lag_mails, status.oldest_waiting) {
        (0, _) => String::new(),
        (n, None) => format!("; {n} mails wait in the mailbox"),
        (n, Some(at)) => {
            format!("; {n} mails wait in the mailbox, the oldest for {} s", (now - at).num_seconds().max(0))
        }
    };
    let reason = status.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    let (state, verdict) = if status.silent {
        (State::Fail, "the mailbox has gone silent")
    } else if status.failures > 0 {
        (State::Warn, "the mailbox cannot be reached at the moment")
    } else {
        (State::Ok, "the mailbox is well")
    };
    check(
        state,
        format!("{verdict}: {}{reason}; {heard}{lag}", status.phase),
        json!({
            "mailbox": status.mailbox,
            "phase": status.phase,
            "last_heard": status.last_heard,
            "lag_mails": status.lag_mails,
            "oldest_waiting": status.oldest_waiting,
            "failures": status.failures,
        }),
    )
}

fn lease(status: &LockStatus, now: DateTime<Utc>) -> Check {
    let ago = |at: DateTime<Utc>| format!("{} s ago", (now - at).num_seconds().max(0));
    let mut message = match (status.held, &status.holder, status.seen, &status.trouble) {
        (true, ..) => "this worker polls".to_owned(),
        (false, Some(holder), Some(seen), Some(_)) => format!("standby: {holder} polled {}", ago(seen)),
        (false, Some(holder), ..) => format!("standby: {holder} polls"),
        (false, None, Some(seen), _) => {
            format!("standby: nobody is known to poll, a holder was last seen {}", ago(seen))
        }
        (false, None, None, _) => "standby: nobody is known to poll yet".to_owned(),
    };
    if let Some(trouble) = &status.trouble {
        let what = if status.held { "confirmed" } else { "taken" };
        let since = trouble.since.format("%H:%M:%S");
        message.push_str(&format!("; the lease cannot be {what} since {since} UTC: {}", trouble.why));
    }
    if let Some(warning) = &status.warning {
        message.push_str(&format!("; {warning}"));
    }
    let well = status.trouble.is_none() && status.warning.is_none();
    check(
        if well { State::Ok } else { State::Warn },
        message,
        json!({
            "held": status.held,
            "fence": status.fence,
            "since": status.since,
            "holder": status.holder,
            "seen": status.seen,
            "trouble": status.trouble,
        }),
    )
}

fn config(status: &ConfigStatus) -> Check {
    let mut remarks: Vec<String> = status
        .documents
        .iter()
        .flat_map(|document| {
            let off = document.switched_off.then(|| OFF_IS_OBEYED.to_owned());
            let problems = document.problems.iter().map(ToString::to_string);
            let said = problems.chain(document.remarks.iter().map(ToString::to_string)).chain(off);
            said.map(move |said| format!("{}: {said}", document.key))
        })
        .chain(status.remarks.iter().map(ToString::to_string))
        .collect();
    for store in &status.stores {
        if let Some(trouble) = &store.trouble {
            remarks.push(format!("{} does not answer: {trouble}", store.store));
        }
        let keys = |keys: &[Key]| keys.iter().map(|key| key.as_str()).collect::<Vec<_>>().join(", ");
        if !store.pending.is_empty() {
            remarks.push(format!("{} must still be given {}", store.store, keys(&store.pending)));
        }
        if !store.conflicts.is_empty() {
            remarks.push(format!("two changes wait for a decision: {}", keys(&store.conflicts)));
        }
    }
    let stops = status.documents.iter().filter_map(|document| document.withholds);
    let stops: BTreeSet<String> = stops.map(|stops| stops.said().english).collect();
    let running = status.documents.iter().map(|document| document.running).min().unwrap_or_default();
    let workers = match status.workers {
        0 => String::new(),
        all => format!("{running} of {all} workers run the stored documents"),
    };
    let detail = json!({
        "version": status.version,
        "workers": status.workers,
        "documents": status.documents,
        "stores": status.stores,
    });
    if remarks.is_empty() {
        let message = [String::from("every document is valid or absent"), workers];
        let message: Vec<String> = message.into_iter().filter(|part| !part.is_empty()).collect();
        check(State::Ok, message.join("; "), detail)
    } else {
        remarks.extend(Some(workers).filter(|workers| !workers.is_empty()));
        if !stops.is_empty() {
            let stops: Vec<String> = stops.into_iter().collect();
            let what = format!(
                "{} until this is mended, since there is no good version before it",
                stops.join(", ")
            );
            return check(State::Fail, format!("{what}: {}", remarks.join("; ")), detail);
        }
        check(State::Warn, remarks.join("; "), detail)
    }
}

fn redis(found: &Found) -> Check {
    let detail = json!({"remarks": found.remarks, "unknown": found.unknown});
    if !found.remarks.is_empty() {
        return check(State::Warn, found.remarks.join("; "), detail);
    }
    if found.unknown.is_empty() {
        return check(State::Ok, "nothing of ours is deleted when the memory of the server is full", detail);
    }
    // That a server does not answer is said where it matters: by the lease and the documents.
    let message =
        format!("it is not known yet what happens when its memory is full: {}", found.unknown.join("; "));
    check(State::Ok, message, detail)
}

fn copies(status: &R2Status) -> Check {
    let detail = json!(status);
    match &status.trouble {
        Some(why) => check(
            State::Warn,
            format!("{} mails wait for copies of their links (R2_RETRY_SECONDS): {why}", status.put_off),
            detail,
        ),
        None => check(State::Ok, "no mail waits for a copy that cannot be made", detail),
    }
}

fn retention(rounds: &Rounds, now: DateTime<Utc>) -> Check {
    let since = rounds.finished_at.or(rounds.since);
    let late = since.is_some_and(|since| now - since > RETENTION_IS_LATE);
    let mut message = match rounds.finished_at {
        Some(at) => {
            let minutes = (now - at).num_minutes().max(0);
            format!("what is kept no longer was dropped {minutes} min ago")
        }
        None => "what is kept no longer was not dropped yet since the start".to_owned(),
    };
    for trouble in &rounds.trouble {
        message.push_str(&format!("; {trouble}"));
    }
    let well = !late && rounds.trouble.is_empty();
    check(if well { State::Ok } else { State::Warn }, message, json!({"finished_at": rounds.finished_at}))
}

fn withholds_sending(config: &Result<ConfigStatus, String>) -> bool {
    let withholds = |status: &ConfigStatus| {
        status.documents.iter().any(|document| document.withholds == Some(Governs::Sending))
    };
    config.as_ref().is_ok_and(withholds)
}

fn deliveries(status: &WebhookStatus, findings: &Findings) -> Check {
    let mut remarks = Vec::new();
    if status.paused {
        remarks.push(match withholds_sending(&findings.config) {
            true => "a configuration document cannot be used, so nothing is sent".to_owned(),
            false => "sending is switched off".to_owned(),
        });
    }
    for target in &status.targets {
        match target.breaker.as_str() {
            "open" | "half_open" => {
                remarks
                    .push(format!("{} fails ({} in a row), its deliveries wait", target.id, target.failures));
            }
            "disabled" => {
                remarks.push(format!("{} said that it is gone (410), its deliveries wait", target.id));
            }
            _ => {}
        }
    }
    let next = findings.journal.as_ref().ok().and_then(|journal| journal.next_delivery);
    let late = next.map(|due| (findings.now - due).num_seconds()).filter(|late| *late > LATE_SECONDS);
    if let Some(late) = late {
        remarks.push(format!("the oldest due delivery is {late} s late"));
    }
    let detail = json!({"in_flight": status.in_flight, "next_due": next, "targets": status.targets});
    if remarks.is_empty() {
        check(State::Ok, format!("{} under way", status.in_flight), detail)
    } else {
        check(State::Warn, remarks.join("; "), detail)
    }
}

#[cfg(test)]
mod tests {
    use render_signal_actors::config::documents::Problem;
    use render_signal_actors::config::store::StoreHealth;
    use render_signal_actors::kernel::journal::Loss;
    use render_signal_actors::kernel::said::Said;
    use render_signal_actors::messages::{DocumentStatus, LeaseTrouble, TargetStatus};

    use super::*;

    fn problem(field: &str, what: &str) -> Problem {
        Problem::new(field, Said::alike(what))
    }

    fn now() -> DateTime<Utc> {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn well() -> Findings {
        Findings {
            now: now(),
            draining: false,
            pulse: std::time::Duration::ZERO,
            journal: Ok(JournalFinding {
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
        }
    }

    /// Without an answer from the lease store for 30 s; a holder was seen so many seconds ago.
    fn standby(seen: i64, holder: Option<&str>) -> Option<Result<LockStatus, String>> {
        let since = now() - chrono::Duration::seconds(30);
        Some(Ok(LockStatus {
            holder: holder.map(str::to_owned),
            seen: Some(now() - chrono::Duration::seconds(seen)),
            trouble: Some(LeaseTrouble { since, why: "connection refused".into() }),
            ..LockStatus::default()
        }))
    }

    fn state(findings: &Findings, name: &str) -> (bool, State, String) {
        let readiness = readiness(findings);
        let check = readiness.checks.get(name).unwrap();
        (readiness.is_ready(), check.state, check.message.clone())
    }

    #[test]
    fn all_well_is_ready() {
        let readiness = readiness(&well());
        assert_eq!(readiness.status, "ready");
        assert!(readiness.checks.values().all(|check| check.state == State::Ok));
        assert_eq!(readiness.checks.len(), 7);
    }

    #[test]
    fn mails_that_wait_for_copies_are_said() {
        let status =
            R2Status { put_off: 3, trouble: Some("the Worker answered 503".into()), ..R2Status::default() };
        let (ready, found, message) = state(&Findings { r2: Ok(status), ..well() }, "copies");
        assert_eq!((ready, found), (true, State::Warn));
        assert!(
            message.starts_with("3 mails wait") && message.ends_with("the Worker answered 503"),
            "{message}"
        );
    }

    #[test]
    fn a_retention_that_is_late_or_in_trouble_is_said() {
        let ago = |minutes| Some(now() - chrono::Duration::minutes(minutes));
        let cases: [(Rounds, State, &str); 5] = [
            (Rounds { since: ago(0), ..Rounds::default() }, State::Ok, "not dropped yet"),
            (Rounds { since: ago(151), ..Rounds::default() }, State::Warn, "not dropped yet"),
            (Rounds { since: ago(900), finished_at: ago(61), ..Rounds::default() }, State::Ok, "61 min ago"),
            (
                Rounds { since: ago(900), finished_at: ago(151), ..Rounds::default() },
                State::Warn,
                "151 min ago",
            ),
            (
                Rounds {
                    since: ago(900),
                    finished_at: ago(61),
                    trouble: vec!["disk full".into()],
                    ..Rounds::default()
                },
                State::Warn,
                "disk full",
            ),
        ];
        for (rounds, wanted, words) in cases {
            let (ready, found, message) = state(&Findings { retention: Some(rounds), ..well() }, "retention");
            assert_eq!((ready, found), (true, wanted), "{message}");
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn what_takes_the_worker_out() {
        type Harm = fn(&mut Findings);
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
            ("journal", |f| f.journal = Err("no answer".into())),
            ("mailbox", |f| {
                f.poller = Some(Ok(PollerStatus { silent: true, ..PollerStatus::default() }));
            }),
            ("lease", |f| f.lock = Some(Err("gone".into()))),
            ("config", |f| f.config = Err("gone".into())),
            ("deliveries", |f| f.webhook = Err("gone".into())),
        ];
        for (name, harm) in cases {
            let mut findings = well();
            harm(&mut findings);
            let (ready, state, _) = state(&findings, name);
            assert_eq!((ready, state), (false, State::Fail), "{name}");
            assert_eq!(readiness(&findings).status, "not_ready");
        }
    }

    #[test]
    fn what_is_only_said() {
        type Harm = fn(&mut Findings);
        let cases: [(&str, Harm, &str); 18] = [
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
                        warning: Some("file lock: one container only".into()),
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
                        journal.others = vec!["two/7 has another WEBHOOK_URL than this worker".into()];
                    }
                },
                "is on the disk; two/7 has another WEBHOOK_URL",
            ),
            (
                "redis",
                |f| f.redis = Some(Found { remarks: vec!["it deletes".into()], unknown: Vec::new() }),
                "it deletes",
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
            let mut findings = well();
            harm(&mut findings);
            let (ready, state, message) = state(&findings, name);
            assert_eq!((ready, state), (true, State::Warn), "{name}");
            assert!(message.contains(word), "{name}: {message}");
        }
    }

    #[test]
    fn strangers_are_told_states_and_nothing_else() {
        let mut findings = well();
        findings.lock = standby(20, Some("one"));
        findings.journal = Err("no answer".into());
        let states = readiness(&findings).states();
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
        let mut findings = well();
        findings.poller = Some(Ok(PollerStatus {
            phase: "fetching".into(),
            lag_mails: 3,
            oldest_waiting: Some(now() - chrono::Duration::seconds(42)),
            last_heard: Some(now() - chrono::Duration::seconds(2)),
            ..PollerStatus::default()
        }));
        let (_, _, message) = state(&findings, "mailbox");
        assert!(message.contains("spoke 2 s ago"), "{message}");
        assert!(message.contains("3 mails wait in the mailbox, the oldest for 42 s"), "{message}");
    }

    #[test]
    fn a_redis_server_is_well_unless_it_says_otherwise() {
        let mut findings = well();
        for unknown in [vec![], vec!["REDIS_URL: no answer".to_owned()]] {
            findings.redis = Some(Found { remarks: Vec::new(), unknown });
            assert_eq!(state(&findings, "redis").1, State::Ok);
        }
    }

    #[test]
    fn without_background_tasks_the_worker_is_ready() {
        let mut findings = well();
        (findings.poller, findings.lock) = (None, None);
        findings.idle = Some(Idle::NoMailbox);
        let (ready, verdict, message) = state(&findings, "mailbox");
        assert_eq!((ready, verdict), (true, State::Warn));
        assert!(message.contains("nothing is polled"), "{message}");
        findings.idle = Some(Idle::SwitchedOff);
        for part in ["mailbox", "lease"] {
            let (ready, state, message) = state(&findings, part);
            assert_eq!((ready, state), (true, State::Ok), "{part}");
            assert!(message.contains("this worker does not poll"), "{part}: {message}");
        }
    }
}
