//! Subject groups: of several mails about one thing, the first that is routed counts. In the reference
//! system groups were checked and never taken (reference section 5.9, weaknesses W-22 to W-25).
//!
//! A group is taken in the very commit that routes its mail, by a fact in its own stream
//! `group-<YYYY-MM>:<group>`; two workers that decide at the same time meet there, and the
//! journal lets one of them pass.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::policy::Policy;
use super::{IgnoreReason, Outcome, Verdict, identity};
use crate::domain_events;
use crate::kernel::event::{DomainEvent as _, EventError, Recorded, StreamId};
use crate::kernel::journal::Expected;
use crate::kernel::said::{Said, said};

/// How subject groups count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupRule {
    /// `SUBJECT_GROUP_TTL_SECONDS`: how long a group stays taken, at the longest until its
    /// month ends; `None` = until its month ends.
    pub ttl: Option<Duration>,
}

/// Payload of `group.taken`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupTaken {
    /// The group with its month, such as `2026-01:lot_42`.
    pub group: String,
    /// The mail that took it.
    pub email_id: String,
}

domain_events! {
    /// What happens to a subject group.
    pub enum GroupEvent {
        Taken(GroupTaken) = "group.taken", schema 1, in "group", "A mail of a subject group was routed; later ones of the group are ignored.", {
            group: "with its month", email_id: "the mail" };
    }
}

/// The group with the month of `now` in `zone`: `YYYY-MM:<group>`.
#[must_use]
pub fn scoped(group: &str, zone: Tz, now: DateTime<Utc>) -> String {
    format!("{}:{group}", now.with_timezone(&zone).format("%Y-%m"))
}

/// Category of the streams of subject groups.
pub const CATEGORY: &str = "group";

/// The stream of a group with its month.
#[must_use]
pub fn group_stream(scoped: &str) -> StreamId {
    StreamId::new(CATEGORY, scoped)
}

/// Who has a group, as far as is known. The default is: nobody ever had it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupOwner {
    version: u64,
    holder: Option<(String, DateTime<Utc>)>,
}

/// What a mail finds when it wants its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It takes it, if the stream is still as expected.
    Free(Expected),
    /// It has it already.
    Own,
    /// This other mail has it.
    Taken(String),
}

impl GroupOwner {
    /// From the events of the group's stream.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn of(events: &[Recorded]) -> Result<Self, EventError> {
        let mut standing = Self::default();
        for event in events {
            let GroupEvent::Taken(taken) = GroupEvent::from_recorded(event)?;
            standing = Self { version: event.version, holder: Some((taken.email_id, event.at)) };
        }
        Ok(standing)
    }

    /// After `email_id` took a group that was free.
    #[must_use]
    pub fn taken_by(email_id: &str, at: DateTime<Utc>) -> Self {
        Self { version: 1, holder: Some((email_id.to_owned(), at)) }
    }

    /// What `email_id` finds at `now`.
    #[must_use]
    pub fn claim(&self, email_id: &str, rule: GroupRule, now: DateTime<Utc>) -> Claim {
        let expired = |since: DateTime<Utc>| {
            rule.ttl.is_some_and(|ttl| (now - since).to_std().is_ok_and(|passed| passed >= ttl))
        };
        match &self.holder {
            Some((holder, _)) if holder == email_id => Claim::Own,
            Some((holder, since)) if !expired(*since) => Claim::Taken(holder.clone()),
            _ if self.version == 0 => Claim::Free(Expected::NoStream),
            _ => Claim::Free(Expected::Exact(self.version)),
        }
    }
}

/// What routing a mail writes into the stream of its group.
#[derive(Debug, Clone, PartialEq)]
pub struct Taking {
    /// Where to.
    pub stream: StreamId,
    /// What the stream is believed to be.
    pub expected: Expected,
    /// The fact.
    pub event: GroupEvent,
}

/// What is known about one group: its stream, and who has it.
pub type KnownGroup = (StreamId, GroupOwner);

/// Lets the mail `email_id` with this subject take its group, if it is to be routed: the
/// verdict stands and the group is taken with it, or another mail has it and the mail is
/// ignored.
///
/// `known` is what a journal that refused the group said about it; without that, the group
/// is believed to be free.
#[must_use]
pub fn claim(
    verdict: Verdict,
    email_id: &str,
    subject: &str,
    policy: &Policy,
    now: DateTime<Utc>,
    known: Option<&KnownGroup>,
) -> (Verdict, Option<Taking>) {
    let Some(rule) = policy.prefs.subject_groups else { return (verdict, None) };
    if !matches!(verdict.outcome, Outcome::Deliver { .. }) {
        return (verdict, None);
    }
    let group = scoped(&identity::subject_group(subject), policy.zone, now);
    let stream = group_stream(&group);
    let unknown = GroupOwner::default();
    let standing = known.filter(|(of, _)| *of == stream).map_or(&unknown, |(_, standing)| standing);
    match standing.claim(email_id, rule, now) {
        Claim::Own => (verdict, None),
        Claim::Free(expected) => {
            let event = GroupEvent::Taken(GroupTaken { group, email_id: email_id.to_owned() });
            (verdict, Some(Taking { stream, expected, event }))
        }
        Claim::Taken(holder) => {
            let detail = Some(first_of(&holder, &group).english);
            let outcome = Outcome::Ignore { reason: IgnoreReason::DuplicateGroup, detail };
            (Verdict { outcome, ..verdict }, None)
        }
    }
}

/// Which mail has the group that this one wants; `None` where it is free or its own, as far as is
/// known.
pub(super) fn taken(
    email_id: &str,
    subject: &str,
    policy: &Policy,
    now: DateTime<Utc>,
    known: Option<&KnownGroup>,
) -> Option<Said> {
    let rule = policy.prefs.subject_groups?;
    let group = scoped(&identity::subject_group(subject), policy.zone, now);
    let (_, standing) = known.filter(|(of, _)| *of == group_stream(&group))?;
    match standing.claim(email_id, rule, now) {
        Claim::Taken(holder) => Some(first_of(&holder, &group)),
        Claim::Free(_) | Claim::Own => None,
    }
}

fn first_of(holder: &str, group: &str) -> Said {
    said!(
        "le mail {holder} est le premier du groupe {group}",
        "mail {holder} is the first of the group {group}"
    )
}

/// The same for a mail that was released: it goes, whoever has its group, and takes it when
/// it is free.
#[must_use]
pub fn claim_released(
    verdict: Verdict,
    email_id: &str,
    subject: &str,
    policy: &Policy,
    now: DateTime<Utc>,
    known: Option<&KnownGroup>,
) -> (Verdict, Option<Taking>) {
    let (_, taking) = claim(verdict.clone(), email_id, subject, policy, now, known);
    (verdict, taking)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;
    use crate::mail::samples::at;

    fn taken(version: u64, by: &str, when: &str) -> Recorded {
        let event =
            GroupEvent::Taken(GroupTaken { group: "2026-01:lot_42".to_owned(), email_id: by.to_owned() });
        let new = event.to_new(Uuid::nil()).expect("an event");
        Recorded {
            position: version,
            id: new.id,
            stream: group_stream("2026-01:lot_42"),
            version,
            kind: new.kind.to_owned(),
            schema: new.schema,
            at: at(when),
            cause: None,
            payload: new.payload,
        }
    }

    #[test]
    fn a_group_is_taken_once_and_for_its_time() {
        let eternal = GroupRule::default();
        let hour = GroupRule { ttl: Some(Duration::from_secs(3600)) };
        let now = at("2026-01-26T10:00:00Z");
        assert_eq!(GroupOwner::default().claim("a", hour, now), Claim::Free(Expected::NoStream));
        let standing = GroupOwner::of(&[taken(1, "a", "2026-01-26T09:00:01Z")]).expect("readable");
        for (who, rule, now, expected) in [
            ("b", eternal, now, Claim::Taken("a".to_owned())),
            ("b", hour, now, Claim::Taken("a".to_owned())),
            ("b", hour, now + TimeDelta::seconds(1), Claim::Free(Expected::Exact(1))),
            ("b", eternal, now + TimeDelta::days(900), Claim::Taken("a".to_owned())),
            ("a", hour, now + TimeDelta::days(1), Claim::Own),
            // The clock of another worker may be ahead.
            ("b", hour, at("2026-01-26T08:00:00Z"), Claim::Taken("a".to_owned())),
        ] {
            assert_eq!(standing.claim(who, rule, now), expected, "{who} at {now}");
        }
        let again = [taken(1, "a", "2026-01-26T09:00:01Z"), taken(2, "b", "2026-01-26T10:00:01Z")];
        let standing = GroupOwner::of(&again).expect("readable");
        assert_eq!(standing.claim("a", hour, at("2026-01-26T10:30:00Z")), Claim::Taken("b".to_owned()));
    }
}
