//! The demo's configuration documents: JSON files that it writes, and rewrites while it
//! runs.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::samples::{INVOICES, SENDERS};

/// The delivery window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DemoWindow {
    /// Open now, for ten hours.
    Open,
    /// It opens in two hours.
    Closed,
}

/// The folder of the documents.
#[derive(Debug, Clone)]
pub(crate) struct DemoDocuments {
    folder: PathBuf,
    zone: Tz,
}

impl DemoDocuments {
    /// In `folder`, which is created.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn create(folder: PathBuf, zone: Tz) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, zone })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes all of them; `receiver` is the receiver's base address.
    ///
    /// # Errors
    /// When one cannot be written.
    pub(crate) fn write_all(&self, receiver: &str, now: DateTime<Utc>) -> io::Result<()> {
        self.write("polling_config", &polling(&SENDERS))?;
        self.write("processing_prefs", &json!({"rate_limit_per_hour": 0, "retry_delay_sec": 1}))?;
        self.write("routing_rules", &rules(receiver))?;
        self.set_window(DemoWindow::Open, now)
    }

    /// Accepts every sender from now on.
    ///
    /// # Errors
    /// When the document cannot be written.
    pub(crate) fn accept_everyone(&self) -> io::Result<()> {
        self.write("polling_config", &polling(&[]))
    }

    /// Opens or closes the delivery window, as an operator would who edits the file.
    ///
    /// # Errors
    /// When the document cannot be written.
    pub(crate) fn set_window(&self, window: DemoWindow, now: DateTime<Utc>) -> io::Result<()> {
        self.write("webhook_config", &webhook(window, now, self.zone))
    }

    /// At one instant, so that nobody reads half a document.
    fn write(&self, key: &str, document: &Value) -> io::Result<()> {
        let aside = self.folder.join(format!("{key}.json.tmp"));
        std::fs::write(&aside, format!("{document:#}\n"))?;
        std::fs::rename(aside, self.folder.join(format!("{key}.json")))
    }
}

/// Polls at every hour of every day.
fn polling(senders: &[&str]) -> Value {
    json!({
        "enable_polling": true,
        "active_days": [0, 1, 2, 3, 4, 5, 6],
        "active_start_hour": 0,
        "active_end_hour": 24,
        "sender_of_interest_for_polling": senders,
    })
}

fn webhook(window: DemoWindow, now: DateTime<Utc>, zone: Tz) -> Value {
    let (from, to) = match window {
        DemoWindow::Open => (-1, 10),
        DemoWindow::Closed => (2, 3),
    };
    let clock = |hours: i64| (now + Duration::hours(hours)).with_timezone(&zone).format("%Hh%M").to_string();
    json!({"webhook_time_start": clock(from), "webhook_time_end": clock(to)})
}

/// Invoices go to a target of their own, and only there.
fn rules(receiver: &str) -> Value {
    json!({"rules": [{
        "id": INVOICES,
        "name": "Pièces comptables",
        "conditions": [
            {"field": "subject", "operator": "contains", "value": "comptables", "case_sensitive": false},
            {"field": "sender", "operator": "regex", "value": "^compta@", "case_sensitive": false},
        ],
        "actions": {"webhook_url": format!("{receiver}/hooks/invoices"), "priority": "normal", "stop_processing": true},
    }]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_open_or_closed_at_any_time_of_the_day() {
        for hour in 0..24 {
            let now: DateTime<Utc> = format!("2026-11-22T{hour:02}:17:00Z").parse().unwrap();
            let local = now.with_timezone(&chrono_tz::Europe::Paris).format("%Hh%M").to_string();
            for window in [DemoWindow::Open, DemoWindow::Closed] {
                let document = webhook(window, now, chrono_tz::Europe::Paris);
                let start = document["webhook_time_start"].as_str().unwrap();
                let end = document["webhook_time_end"].as_str().unwrap();
                let inside = if start <= end {
                    start <= local.as_str() && local.as_str() < end
                } else {
                    start <= local.as_str() || local.as_str() < end
                };
                assert_eq!(inside, window == DemoWindow::Open, "{window:?} at {local}: {start}–{end}");
            }
        }
    }
}
