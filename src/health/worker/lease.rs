//! Who polls.

use chrono::{DateTime, Utc};
use render_signal_actors::lock::LockStatus;
use serde_json::json;

use crate::findings::{DayTime, Finding};
use crate::health::Check;

pub(super) fn judge(status: &LockStatus, now: DateTime<Utc>) -> Check {
    let ago = |at: DateTime<Utc>| (now - at).num_seconds().max(0);
    let mut findings = vec![match (status.held, &status.holder, status.seen, &status.trouble) {
        (true, ..) => Finding::ThisWorkerPolls {},
        (false, Some(holder), Some(seen), Some(_)) => {
            Finding::StandbySince { holder: holder.clone(), seconds: ago(seen) }
        }
        (false, Some(holder), ..) => Finding::Standby { holder: holder.clone() },
        (false, None, Some(seen), _) => Finding::NobodyPolls { seconds: ago(seen) },
        (false, None, None, _) => Finding::NobodyPollsYet {},
    }];
    if let Some(trouble) = &status.trouble {
        let (since, why) = (DayTime(trouble.since), trouble.why.clone());
        findings.push(match status.held {
            true => Finding::LeaseUnconfirmed { since, why },
            false => Finding::LeaseNotTaken { since, why },
        });
    }
    findings.extend(status.warning.clone().map(|warning| Finding::LeaseWarning { warning }));
    let detail = json!({
        "held": status.held,
        "fence": status.fence,
        "since": status.since,
        "holder": status.holder,
        "seen": status.seen,
        "trouble": status.trouble,
    });
    Check::of("lease", findings).with(detail)
}
