//! The journal: what its acknowledgements mean, what it has lost, and who shares it.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Check;
use crate::findings::{Finding, durability};
use crate::http::probe::JournalFinding;

/// For so long a loss of commits is remarked on.
const LOSS_IS_NEWS: chrono::Duration = chrono::Duration::hours(1);

pub(super) fn judge(finding: &JournalFinding, now: DateTime<Utc>) -> Check {
    let detail = json!({
        "position": finding.head,
        "durability": finding.durability,
        "differing_workers": finding.others,
        "last_loss": finding.loss.as_ref().map(|loss| {
            json!({"at": loss.at, "known_position": loss.known_head, "found_position": loss.found_head})
        }),
    });
    let mut findings = Vec::new();
    if let Some(loss) = finding.loss.as_ref().filter(|loss| now - loss.at < LOSS_IS_NEWS) {
        findings.push(Finding::CommitsLost {
            seconds: (now - loss.at).num_seconds().max(0),
            known_position: loss.known_head,
            found_position: loss.found_head,
        });
    }
    findings.push(durability(finding.durability));
    findings.extend(finding.others.iter().map(|other| Finding::WorkerDiffers {
        worker: other.worker.clone(),
        settings: other.settings.iter().cloned().collect(),
    }));
    Check::new(findings, detail)
}
