//! The check of the reference system (its section 8.7): every so many days a token is asked for, and,
//! where somebody is named, a mail sent to see that it arrives. What came of it is in two files,
//! which the PHP side reads and writes as well.
//!
//! | file, below `GMAIL_OAUTH_CHECK_DIR` | holds |
//! |---|---|
//! | `gmail_oauth_last_check.json` | the last check |
//! | `gmail_oauth_check_history.jsonl` | every check, one JSON object a line, the oldest first |
//!
//! The files say when a check was made last, whoever made it: the next one comes when it is due, and not
//! twice.

pub mod files;
mod send;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use serde_json::{Map, json};
use tokio::sync::watch;
use url::Url;

use self::files::{CheckFiles, CheckRecord};
use super::grant::TokenTrouble;
use super::service::TokenService;
use crate::chore::Chore;
use crate::egress::GuardedClient;
use crate::kernel::clock::World;

/// How often it is looked whether a check is due.
const LOOK: Duration = Duration::from_secs(60);
/// And by a worker that makes none, in case that it is the one now.
const LOOK_ON: Duration = Duration::from_secs(5);
/// A check that failed is made again this soon: an alert should not outlive its cause by a week.
const AFTER_FAILURE: TimeDelta = TimeDelta::hours(6);
/// A check may be late by this before that is told.
const LATE: TimeDelta = TimeDelta::days(1);
/// Nothing is said of checks that were never made before the program has run for so long.
const NEVER: TimeDelta = TimeDelta::hours(1);

/// How it is checked.
#[derive(Debug, Clone)]
pub struct GmailCheckSettings {
    /// Folder of the two files.
    pub files: CheckFiles,
    /// Between two checks.
    pub every: TimeDelta,
    /// Who gets a mail; `None` = none is sent.
    pub to: Option<String>,
    /// Who sends it.
    pub from: String,
    /// Gmail's API.
    pub api: Url,
}

/// What is known of the checks.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckReport {
    /// When this process began to look.
    pub since: DateTime<Utc>,
    /// The last check; `None` = none was ever made.
    pub last: Option<CheckRecord>,
    /// Between two checks.
    pub every: TimeDelta,
    /// Why the files cannot be used; `None` = all is well.
    pub trouble: Option<String>,
    /// It is this worker that makes them.
    pub ours: bool,
}

impl CheckReport {
    /// None has been made, and one should have been.
    #[must_use]
    pub fn is_missing(&self, now: DateTime<Utc>) -> bool {
        self.last.is_none() && now - self.since > NEVER
    }

    /// The last one is too long ago.
    #[must_use]
    pub fn is_late(&self, now: DateTime<Utc>) -> bool {
        self.last.as_ref().is_some_and(|last| now - last.at > self.every + LATE && now - self.since > NEVER)
    }
}

/// Whether a check is due, so long after the last one. A clock that was ahead once must not put it off
/// for years.
fn is_due(last: Option<&CheckRecord>, every: TimeDelta, now: DateTime<Utc>) -> bool {
    last.is_none_or(|last| {
        let wait = if last.success { every } else { AFTER_FAILURE.min(every) };
        last.at > now + LATE || now >= last.at + wait
    })
}

/// Whether this worker makes the checks now.
pub type MayCheck = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// Makes the checks.
#[derive(Clone)]
pub struct GmailCheck {
    /// What is checked.
    pub tokens: Arc<TokenService>,
    /// How mails are sent.
    pub http: GuardedClient,
    /// How it is checked.
    pub settings: GmailCheckSettings,
    /// The clock.
    pub world: World,
}

impl GmailCheck {
    /// The chore, and what it tells. `may` says whether this worker is the one.
    #[must_use]
    pub fn chore(self, may: MayCheck) -> (Chore, watch::Receiver<CheckReport>) {
        let first = CheckReport {
            since: self.world.now(),
            last: None,
            every: self.settings.every,
            trouble: None,
            ours: false,
        };
        let (tell, told) = watch::channel(first);
        let tell = Arc::new(tell);
        let chore = Chore::new("oauth_check", move || self.clone().run(Arc::clone(&may), Arc::clone(&tell)));
        (chore, told)
    }

    async fn run(self, may: MayCheck, report: Arc<watch::Sender<CheckReport>>) {
        loop {
            let ours = may().await;
            let (last, trouble) = self.look(ours).await;
            export(last.as_ref());
            report.send_modify(|report| {
                report.ours = ours;
                report.last = last.or_else(|| report.last.take());
                report.trouble = trouble;
            });
            tokio::time::sleep(if ours { LOOK } else { LOOK_ON }).await;
        }
    }

    /// Reads what was checked last, and checks if that is due.
    async fn look(&self, ours: bool) -> (Option<CheckRecord>, Option<String>) {
        let last = match self.settings.files.last().await {
            Ok(last) => last,
            Err(why) => return (None, Some(why)),
        };
        if !ours || !is_due(last.as_ref(), self.settings.every, self.world.now()) {
            return (last, None);
        }
        let _alone = match self.settings.files.alone().await {
            Ok(Some(alone)) => alone,
            // The PHP side is at it.
            Ok(None) => return (last, None),
            Err(why) => return (last, Some(why)),
        };
        let record = self.check(self.settings.to.as_deref()).await;
        let trouble = self.settings.files.write(&record).await.err();
        if let Some(why) = &trouble {
            tracing::warn!(why, "what the check of the tokens found could not be written");
        }
        (Some(record), trouble)
    }

    /// Checks now, whether it is due or not; writes nothing.
    pub async fn check(&self, to: Option<&str>) -> CheckRecord {
        let at = self.world.now();
        let grant = match self.tokens.try_now().await {
            Ok(grant) => grant,
            Err(trouble) => return refused(at, &trouble),
        };
        if let Some(to) = to {
            return send::test_mail(&self.http, &self.settings, &grant.access, to).await.recorded(at);
        }
        let mut details = Map::new();
        details.insert("http_status".to_owned(), json!(200));
        details.insert("token_type".to_owned(), json!(grant.kind));
        details.insert("expires_in".to_owned(), json!(grant.life.as_secs()));
        if let Some(scope) = &grant.scope {
            details.insert("scope".to_owned(), json!(scope));
        }
        CheckRecord { at, success: true, message: "Access token obtained".to_owned(), details }
    }

    /// Writes what a check found.
    ///
    /// # Errors
    /// The files cannot be written; in plain words.
    pub async fn record(&self, record: &CheckRecord) -> Result<(), String> {
        self.settings.files.write(record).await
    }
}

/// A check that got no token, in the words of the PHP side.
fn refused(at: DateTime<Utc>, trouble: &TokenTrouble) -> CheckRecord {
    let (message, details) = match trouble {
        TokenTrouble::Revoked(said) | TokenTrouble::Settings(said) => {
            let mut details = Map::new();
            details.insert("http_status".to_owned(), json!(said.status));
            for (name, value) in [("error", &said.error), ("error_description", &said.description)] {
                if !value.is_empty() {
                    details.insert(name.to_owned(), json!(value));
                }
            }
            (format!("Token refused: HTTP {} {}", said.status, said.error).trim_end().to_owned(), details)
        }
        TokenTrouble::Away { why, .. } => (format!("Token endpoint unreachable: {why}"), Map::new()),
    };
    CheckRecord { at, success: false, message, details }
}

/// Gauges: `render_signal_oauth_check_last_run_timestamp_seconds` (Unix time, 0 = never),
/// `render_signal_oauth_check_success` (0 or 1).
fn export(last: Option<&CheckRecord>) {
    // Seconds since 1970 fit without loss.
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "far below 2^53")]
    let at = last.map_or(0, |last| last.at.timestamp()) as f64;
    metrics::gauge!("render_signal_oauth_check_last_run_timestamp_seconds").set(at);
    let success = last.is_some_and(|last| last.success);
    metrics::gauge!("render_signal_oauth_check_success").set(f64::from(u8::from(success)));
}

#[cfg(test)]
mod tests {
    use super::super::grant::ServerRefusal;
    use super::*;

    fn record(at: DateTime<Utc>, success: bool) -> CheckRecord {
        CheckRecord { at, success, message: String::new(), details: Map::new() }
    }

    #[test]
    fn a_check_is_due_after_its_interval_sooner_after_a_failure_and_never_put_off_by_a_clock() {
        let now: DateTime<Utc> = "2026-11-30T12:00:00Z".parse().unwrap();
        let every = TimeDelta::days(7);
        assert!(is_due(None, every, now));
        for (hours, success, wanted) in [
            (1, true, false),
            (7 * 24 - 1, true, false),
            (7 * 24, true, true),
            (5, false, false),
            (6, false, true),
            (-2, true, false),
            (-48, true, true),
        ] {
            let last = record(now - TimeDelta::hours(hours), success);
            assert_eq!(is_due(Some(&last), every, now), wanted, "{hours} {success}");
        }
    }

    #[test]
    fn what_is_missing_or_late_is_told_once_the_program_has_had_its_chance() {
        let now: DateTime<Utc> = "2026-11-30T12:00:00Z".parse().unwrap();
        let report = |since: i64, last: Option<i64>| CheckReport {
            since: now - TimeDelta::minutes(since),
            last: last.map(|days| record(now - TimeDelta::days(days), true)),
            every: TimeDelta::days(7),
            trouble: None,
            ours: true,
        };
        for (since, last, missing, late) in [
            (59, None, false, false),
            (61, None, true, false),
            (61, Some(8), false, false),
            (61, Some(9), false, true),
            (59, Some(9), false, false),
        ] {
            let report = report(since, last);
            assert_eq!((report.is_missing(now), report.is_late(now)), (missing, late), "{report:?}");
        }
    }

    #[test]
    fn refusals_are_told_as_the_php_side_tells_them() {
        let at = DateTime::UNIX_EPOCH;
        let said =
            ServerRefusal { status: 400, error: "invalid_grant".to_owned(), description: "gone".to_owned() };
        let record = refused(at, &TokenTrouble::Revoked(said));
        assert_eq!(
            record.answer(),
            json!({
                "success": false,
                "message": "Token refused: HTTP 400 invalid_grant",
                "details": {"http_status": 400, "error": "invalid_grant", "error_description": "gone"},
            })
        );
        let away = TokenTrouble::Away { why: "no answer in time".to_owned(), again_at: None };
        assert_eq!(refused(at, &away).message, "Token endpoint unreachable: no answer in time");
    }
}
