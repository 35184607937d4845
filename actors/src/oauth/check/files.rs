//! The two files of the checks: what was found last, and all that was found. The PHP side reads and
//! writes the same, under the same locks (`flock`).

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::kernel::files::{self, PRIVATE};
use crate::oauth::kept::on_disk;

/// The last check.
pub const LAST: &str = "gmail_oauth_last_check.json";
/// Every check.
pub const HISTORY: &str = "gmail_oauth_check_history.jsonl";
/// Held by whoever makes a check.
const LOCK: &str = "gmail_oauth_check.lock";
/// A longer file is none of ours, in bytes.
const LONGEST: u64 = 256 * 1024;

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckRecord {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// A token was given, and the mail sent, if one was to be.
    pub success: bool,
    /// The same in words.
    pub message: String,
    /// What the servers said, without secrets.
    pub details: Map<String, Value>,
}

impl CheckRecord {
    /// As the reference system answers a check.
    #[must_use]
    pub fn answer(&self) -> Value {
        json!({"success": self.success, "message": self.message, "details": self.details})
    }

    /// As it stands in the files.
    #[must_use]
    pub fn written(&self) -> Value {
        json!({
            "last_run_ts": self.at.timestamp(),
            "last_run": self.at.format("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
            "success": self.success,
            "message": self.message,
            "details": self.details,
        })
    }

    /// What a file says; whoever wrote it may have left out all but the time.
    fn read(text: &[u8]) -> Option<Self> {
        let said: Value = serde_json::from_slice(text).ok()?;
        let seconds = match said.get("last_run_ts")? {
            // PHP's `microtime(true)` has a fraction.
            Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
            Value::String(text) => text.parse().ok().or_else(|| Some(date(text)?.timestamp())),
            _ => None,
        };
        Some(Self {
            at: DateTime::from_timestamp(seconds?, 0)?,
            success: said.get("success").and_then(Value::as_bool).unwrap_or(false),
            message: said.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
            details: said.get("details").and_then(Value::as_object).cloned().unwrap_or_default(),
        })
    }
}

fn date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|date| date.to_utc())
}

/// The seconds of a time with a fraction.
fn whole(seconds: f64) -> Option<i64> {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "within the bounds just checked"
    )]
    let number = (0.0..1e11).contains(&seconds).then_some(seconds as i64);
    number
}

/// The folder of the two files.
#[derive(Debug, Clone)]
pub struct CheckFiles {
    folder: PathBuf,
}

impl CheckFiles {
    /// In this folder, which need not be there yet.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The last check; `None` = none was made.
    ///
    /// # Errors
    /// The file cannot be read, or says no time.
    pub async fn last(&self) -> Result<Option<CheckRecord>, String> {
        let path = self.folder.join(LAST);
        let shown = path.display().to_string();
        match on_disk(path, |path| files::read_plain(&path, LONGEST)).await {
            Ok(text) => match CheckRecord::read(&text) {
                Some(record) => Ok(Some(record)),
                None => Err(format!("{shown} says no last_run_ts: remove it, and a check is made")),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{shown}: {error}")),
        }
    }

    /// The right to make a check, given back when it is dropped; `None` = somebody makes one.
    ///
    /// # Errors
    /// The folder cannot be written; in plain words.
    pub async fn alone(&self) -> Result<Option<File>, String> {
        let locked = on_disk(self.folder.clone(), |folder| {
            files::make_folder(&folder, PRIVATE)?;
            let file = files::open_lock(&folder.join(LOCK))?;
            match file.try_lock() {
                Ok(()) => Ok(Some(file)),
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(error)) => Err(error),
            }
        });
        locked.await.map_err(|error| format!("{}: {error}", self.folder.display()))
    }

    /// Writes a check into both.
    ///
    /// # Errors
    /// They cannot be written; in plain words.
    pub async fn write(&self, record: &CheckRecord) -> Result<(), String> {
        let value = record.written();
        let written = on_disk(self.folder.clone(), move |folder| {
            files::make_folder(&folder, PRIVATE)?;
            append(&folder.join(HISTORY), &format!("{value}\n"))?;
            let last = folder.join(LAST);
            files::replace(&last, format!("{value}\n").as_bytes(), mode_of(&last))
        });
        written.await.map_err(|error| format!("{}: {error}", self.folder.display()))
    }
}

/// A file that is there stays as open as it is: the PHP side may run as somebody else.
fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).map_or(PRIVATE, |found| found.permissions().mode() & 0o666)
}

/// One line at the end, while nobody else writes there. Half a line of a crash stays a line of its own.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = files::open_lock(&files::resolve(path)?)?;
    file.lock()?;
    let end = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if end > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let between = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{between}{line}").as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at: i64, success: bool) -> CheckRecord {
        let mut details = Map::new();
        details.insert("http_status".to_owned(), json!(if success { 200 } else { 400 }));
        CheckRecord {
            at: DateTime::from_timestamp(at, 0).unwrap(),
            success,
            message: "m".to_owned(),
            details,
        }
    }

    #[tokio::test]
    async fn the_last_is_replaced_and_the_history_only_grows() {
        let folder = tempfile::tempdir().unwrap();
        let files = CheckFiles::new(folder.path().join("data"));
        assert_eq!(files.last().await, Ok(None));
        for (at, success) in [(1_000, true), (2_000, false)] {
            files.write(&record(at, success)).await.unwrap();
            assert_eq!(files.last().await, Ok(Some(record(at, success))));
        }
        let history = std::fs::read_to_string(folder.path().join("data").join(HISTORY)).unwrap();
        let lines: Vec<Value> = history.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, [record(1_000, true).written(), record(2_000, false).written()]);
        for name in [LAST, HISTORY] {
            let path = folder.path().join("data").join(name);
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&path), 0o600);
            // What the operator has opened stays open.
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o664)).unwrap();
            files.write(&record(3_000, true)).await.unwrap();
            assert_eq!(mode(&path), 0o664);
        }
    }

    #[tokio::test]
    async fn half_a_line_stays_one_and_of_two_who_check_one_does() {
        let folder = tempfile::tempdir().unwrap();
        let files = CheckFiles::new(folder.path().to_owned());
        let history = folder.path().join(HISTORY);
        std::fs::write(&history, "{\"last_run").unwrap();
        files.write(&record(1_000, true)).await.unwrap();
        let text = std::fs::read_to_string(&history).unwrap();
        assert_eq!(text, format!("{{\"last_run\n{}\n", record(1_000, true).written()));
        let ours = files.alone().await.unwrap();
        assert!(ours.is_some());
        assert!(files.alone().await.unwrap().is_none());
        drop(ours);
        assert!(files.alone().await.unwrap().is_some());
    }

    #[test]
    fn what_others_have_written_is_read_as_far_as_it_is_understood() {
        for (text, wanted) in [
            (
                r#"{"last_run_ts":1764500000,"success":true,"message":"ok","details":{}}"#,
                Some((1_764_500_000, true)),
            ),
            (r#"{"last_run_ts":1764500000.75}"#, Some((1_764_500_000, false))),
            (r#"{"last_run_ts":"1764500000","success":true,"details":[]}"#, Some((1_764_500_000, true))),
            (r#"{"last_run_ts":"2025-11-30T10:53:20+00:00"}"#, Some((1_764_500_000, false))),
            (r#"{"last_run_ts":1e300}"#, None),
            (r#"{"last_run_ts":null}"#, None),
            ("{}", None),
            ("", None),
        ] {
            let read = CheckRecord::read(text.as_bytes()).map(|read| (read.at.timestamp(), read.success));
            assert_eq!(read, wanted, "{text}");
        }
    }
}
