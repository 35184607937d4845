//! The journal: what its acknowledgements mean, what it has lost, and who shares it.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::findings::{Finding, durability};
use crate::health::Check;
use crate::health::probe::JournalAnswer;

/// For so long a loss of commits is remarked on.
const LOSS_IS_NEWS: chrono::Duration = chrono::Duration::hours(1);

pub(super) fn judge(answer: &JournalAnswer, now: DateTime<Utc>) -> Check {
    let detail = json!({
        "position": answer.head,
        "durability": answer.durability,
        "differing_workers": answer.others,
        "last_loss": answer.loss.as_ref().map(|loss| {
            json!({"at": loss.at, "known_position": loss.known_head, "found_position": loss.found_head})
        }),
    });
    let mut findings = Vec::new();
    if let Some(loss) = answer.loss.as_ref().filter(|loss| now - loss.at < LOSS_IS_NEWS) {
        findings.push(Finding::CommitsLost {
            seconds: (now - loss.at).num_seconds().max(0),
            known_position: loss.known_head,
            found_position: loss.found_head,
        });
    }
    findings.push(durability(answer.durability));
    findings.extend(answer.others.iter().map(|other| Finding::WorkerDiffers {
        worker: other.worker.clone(),
        settings: other.settings.iter().cloned().collect(),
    }));
    Check::of("journal", findings).with(detail)
}
