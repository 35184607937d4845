//! The mailbox: whether it answers, and what waits in it.

use chrono::{DateTime, Utc};
use render_signal_actors::poller::PollerStatus;
use serde_json::json;

use crate::findings::{Aside, Finding, Phase};
use crate::health::Check;

pub(super) fn judge(status: &PollerStatus, now: DateTime<Utc>) -> Check {
    let ago = |at: DateTime<Utc>| (now - at).num_seconds().max(0);
    let (mailbox, phase) = (status.mailbox.clone(), Phase(status.phase.clone()));
    let reason = Aside(status.reason.clone());
    let mut findings = vec![if status.silent {
        Finding::MailboxSilent { mailbox, phase, reason }
    } else if status.failures > 0 {
        Finding::MailboxUnreachable { mailbox, phase, reason, failures: status.failures }
    } else {
        Finding::MailboxWell { mailbox, phase, reason }
    }];
    findings.push(match status.last_heard {
        Some(at) => Finding::ServerSpoke { seconds: ago(at) },
        None => Finding::ServerNotHeard {},
    });
    match (status.lag_mails, status.oldest_waiting) {
        (0, _) => {}
        (mails, None) => findings.push(Finding::MailsWait { mails }),
        (mails, Some(at)) => findings.push(Finding::MailsWaitSince { mails, seconds: ago(at) }),
    }
    let detail = json!({
        "mailbox": status.mailbox,
        "phase": status.phase,
        "last_heard": status.last_heard,
        "lag_mails": status.lag_mails,
        "oldest_waiting": status.oldest_waiting,
        "failures": status.failures,
    });
    Check::of("mailbox", findings).with(detail)
}
