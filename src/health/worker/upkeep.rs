//! What goes on beside the mails: copies of files, what is dropped in time, and what the Redis
//! servers do with what is ours.

use chrono::{DateTime, Utc};
use render_signal_actors::r2::R2Status;
use render_signal_actors::retention::Rounds;
use serde_json::json;

use crate::findings::Finding;
use crate::health::Check;
use crate::health::eviction::EvictionReport;

/// Rounds come every hour; two that were missed are worth a look.
const RETENTION_IS_LATE: chrono::Duration = chrono::Duration::minutes(150);

pub(super) fn redis(found: &EvictionReport) -> Check {
    let remarks: Vec<_> = found.remarks.iter().map(Finding::said).collect();
    let detail = json!({"remarks": remarks, "unknown": found.unknown});
    let findings = match (&found.remarks[..], &found.unknown[..]) {
        ([], []) => vec![Finding::RedisKeeps {}],
        // That a server does not answer is said where it matters: by the lease and the documents.
        ([], unknown) => vec![Finding::RedisNotKnown { servers: unknown.iter().cloned().collect() }],
        (remarks, _) => remarks.to_vec(),
    };
    Check::of("redis", findings).with(detail)
}

pub(super) fn copies(status: &R2Status) -> Check {
    let finding = match &status.trouble {
        Some(why) => Finding::MailsWaitForCopies { mails: status.put_off, why: why.clone() },
        None => Finding::CopiesFlow {},
    };
    Check::new("copies", finding).with(json!(status))
}

pub(super) fn retention(rounds: &Rounds, now: DateTime<Utc>) -> Check {
    let since = rounds.finished_at.or(rounds.since);
    let late = since.is_some_and(|since| now - since > RETENTION_IS_LATE);
    let minutes = rounds.finished_at.map(|at| (now - at).num_minutes().max(0));
    let mut findings = vec![match (minutes, late) {
        (Some(minutes), false) => Finding::Dropped { minutes },
        (Some(minutes), true) => Finding::DroppedLate { minutes },
        (None, false) => Finding::NotDroppedYet {},
        (None, true) => Finding::NotDroppedForLong {},
    }];
    findings.extend(rounds.trouble.iter().map(|why| Finding::RetentionTrouble { why: why.clone() }));
    Check::of("retention", findings).with(json!({"finished_at": rounds.finished_at}))
}
