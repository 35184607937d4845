//! Answers of the server as the port's values, and UID sets. Pure.

use async_imap::imap_proto::{AttributeValue, Response, SectionPath};
use async_imap::imap_proto::{MailboxDatum, MessageSection};
use chrono::{DateTime, Utc};

use super::super::source::{Detail, LONGEST_HEADER, ListScope, LoadPart, LoadRequest, MailboxItem};
use super::bounds::{ANSWER, Ask, BELIEVED};

/// UIDs in one describing or marking command: keeps the line below 8,000 bytes (RFC 7162
/// section 4).
pub(super) const UIDS: usize = 500;
/// Mails of one window of a search, so that an answer stays small.
const WINDOW: u64 = 20_000;
/// Bytes that one fetching command may ask for.
const BATCH_BYTES: u64 = 1024 * 1024;
/// Mails that one fetching command may ask for.
const BATCH_MAILS: usize = 64;
/// Highest UID there can be. Not `*`, which also means the last mail when that is below
/// the start of the range.
const MAX_UID: u32 = u32::MAX;

/// `1,2,3,7` as `1:3,7`, the set of RFC 9051 section 9. Empty when there are none.
pub(super) fn uid_set(uids: &[u64]) -> String {
    let mut sorted = uids.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut set = String::new();
    let mut rest = sorted.into_iter().peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while let Some(next) = rest.next_if(|next| *next == last + 1) {
            last = next;
        }
        if !set.is_empty() {
            set.push(',');
        }
        set.push_str(&first.to_string());
        if last != first {
            set.push(':');
            set.push_str(&last.to_string());
        }
    }
    set
}

/// The searches that cover `scope` in a mailbox of `exists` mails. From the top of the
/// mailbox to its bottom: when a mail is removed meanwhile, those above it move down into
/// a window that is still to come, so none is missed. One by one: a server may claim four
/// thousand million mails.
pub(super) fn searches(scope: &ListScope, exists: u64) -> impl Iterator<Item = String> + use<> {
    let mut keys = format!("UID {}:{MAX_UID}", scope.above.saturating_add(1).min(u64::from(MAX_UID)));
    if scope.unseen {
        keys = format!("OR UNSEEN {keys}");
    }
    if let Some(since) = scope.since {
        // SINCE looks at the date as the server's zone writes it.
        let day = (since - chrono::Duration::days(1)).format("%-d-%b-%Y");
        keys = format!("OR SINCE {day} {keys}");
    }
    let windows = exists.div_ceil(WINDOW).max(1);
    (0..windows).rev().map(move |window| {
        let first = window * WINDOW + 1;
        if windows == 1 {
            format!("UID SEARCH {keys}")
        } else if window + 1 == windows {
            format!("UID SEARCH {first}:* {keys}")
        } else {
            format!("UID SEARCH {first}:{} {keys}", first + WINDOW - 1)
        }
    })
}

/// What one of these searches may be answered: a UID has ten digits.
pub(super) const SEARCHED: Ask = Ask { bytes: WINDOW * 11, literal: 0 };

/// What describing so many mails may be answered.
pub(super) fn describing(mails: u64) -> Ask {
    Ask { bytes: ANSWER * mails.min(BELIEVED), literal: 0 }
}

/// Size, arrival and flags of everything above a UID, in one round trip.
pub(super) fn describe_above(above: u64) -> String {
    let first = above.saturating_add(1).min(u64::from(MAX_UID));
    format!("UID FETCH {first}:{MAX_UID} (UID FLAGS INTERNALDATE RFC822.SIZE)")
}

/// Size, arrival and flags of these.
pub(super) fn describe(uids: &[u64]) -> String {
    format!("UID FETCH {} (UID FLAGS INTERNALDATE RFC822.SIZE)", uid_set(uids))
}

/// One fetching command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FetchBatch {
    pub(super) command: String,
    pub(super) ask: Ask,
    pub(super) mails: Vec<LoadRequest>,
}

/// Cuts what is wanted into commands of bounded size, in order.
pub(super) fn batches(wanted: &[LoadRequest]) -> Vec<FetchBatch> {
    let mut batches = Vec::new();
    let mut mails: Vec<LoadRequest> = Vec::new();
    let mut bytes = 0;
    for mail in wanted {
        let size = match mail.part {
            LoadPart::Full => mail.size,
            LoadPart::Header => 0,
        };
        let fits = mails.last().is_none_or(|last| {
            last.part == mail.part && mails.len() < BATCH_MAILS && bytes + size <= BATCH_BYTES
        });
        if !fits {
            batches.push(batch(std::mem::take(&mut mails)));
            bytes = 0;
        }
        bytes += size;
        mails.push(mail.clone());
    }
    if !mails.is_empty() {
        batches.push(batch(mails));
    }
    batches
}

fn batch(mails: Vec<LoadRequest>) -> FetchBatch {
    let uids: Vec<u64> = mails.iter().map(|mail| mail.uid).collect();
    // What the server said of a mail's size may be wrong, so what it may send is limited by what
    // we accept, and one byte more tells that a mail is longer.
    let limit = mails.iter().map(|mail| mail.limit).max().unwrap_or_default();
    let (part, literal) = match mails.first().map(|mail| mail.part) {
        Some(LoadPart::Header) => ("HEADER", LONGEST_HEADER as u64),
        Some(LoadPart::Full) | None => ("", limit.saturating_add(1)),
    };
    let command = format!("UID FETCH {} (UID BODY.PEEK[{part}]<0.{literal}>)", uid_set(&uids));
    let bytes = (literal.saturating_add(ANSWER)).saturating_mul(mails.len() as u64);
    FetchBatch { command, ask: Ask { bytes, literal }, mails }
}

/// The mails of a `SEARCH` answer.
pub(super) fn found(response: &Response<'_>) -> impl Iterator<Item = MailboxItem> {
    let uids = match response {
        Response::MailboxData(MailboxDatum::Search(uids)) => uids.as_slice(),
        _ => &[],
    };
    uids.iter().map(|uid| MailboxItem { item: uid.to_string(), uid: u64::from(*uid), detail: None })
}

/// A mail's description, when this is one. A notice that flags changed has no UID or no
/// size and is none.
pub(super) fn described(response: &Response<'_>) -> Option<MailboxItem> {
    let Response::Fetch(_, attributes) = response else {
        return None;
    };
    let mut uid = None;
    let mut size = None;
    let mut arrived_at = None;
    let mut seen = false;
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(value) => uid = Some(u64::from(*value)),
            AttributeValue::Rfc822Size(value) => size = Some(u64::from(*value)),
            AttributeValue::InternalDate(value) => arrived_at = internal_date(value),
            AttributeValue::Flags(flags) => {
                seen = flags.iter().any(|flag| flag.eq_ignore_ascii_case("\\Seen"));
            }
            _ => {}
        }
    }
    let (uid, size) = (uid?, size?);
    Some(MailboxItem { item: uid.to_string(), uid, detail: Some(Detail { size, arrived_at, seen }) })
}

/// The UID and the content of a body or header answer. `None` content = the server said NIL.
pub(super) fn content<'r>(response: &'r Response<'_>) -> Option<(u64, Option<&'r [u8]>)> {
    let Response::Fetch(_, attributes) = response else {
        return None;
    };
    let uid = attributes.iter().find_map(|attribute| match attribute {
        AttributeValue::Uid(uid) => Some(u64::from(*uid)),
        _ => None,
    })?;
    let data = attributes.iter().find_map(|attribute| match attribute {
        AttributeValue::BodySection {
            section: None | Some(SectionPath::Full(MessageSection::Header)),
            data,
            ..
        } => Some(data.as_deref()),
        _ => None,
    })?;
    Some((uid, data))
}

fn internal_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_str(text.trim(), "%d-%b-%Y %H:%M:%S %z").ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Response<'_> {
        Response::parse(line.as_bytes()).unwrap().1
    }

    #[test]
    fn uid_sets_name_each_uid_once_in_ranges() {
        for (uids, set) in [
            (vec![], ""),
            (vec![7], "7"),
            (vec![3, 1, 2, 7, 2], "1:3,7"),
            (vec![1, 3, 5], "1,3,5"),
            (vec![10, 11, 13, 14, 15], "10:11,13:15"),
        ] {
            assert_eq!(uid_set(&uids), set);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_uid_set_means_what_it_was_made_from(uids in proptest::collection::btree_set(1_u64..3_000, 1..600)) {
            let list: Vec<u64> = uids.iter().copied().collect();
            let mut back = std::collections::BTreeSet::new();
            for part in uid_set(&list).split(',') {
                let (first, last) = part.split_once(':').unwrap_or((part, part));
                back.extend(first.parse::<u64>().unwrap()..=last.parse().unwrap());
            }
            proptest::prop_assert_eq!(back, uids);
        }
    }

    #[test]
    fn searches_cover_the_scope_and_go_from_top_to_bottom() {
        let scope = ListScope { above: 41, unseen: true, since: None };
        let searches = |scope, exists| searches(scope, exists).collect::<Vec<_>>();
        assert_eq!(searches(&scope, 0), ["UID SEARCH OR UNSEEN UID 42:4294967295"]);
        let since = Some("2026-03-05T01:00:00Z".parse().unwrap());
        let scope = ListScope { above: 0, unseen: true, since };
        assert_eq!(
            searches(&scope, 40_001),
            [
                "UID SEARCH 40001:* OR SINCE 4-Mar-2026 OR UNSEEN UID 1:4294967295",
                "UID SEARCH 20001:40000 OR SINCE 4-Mar-2026 OR UNSEEN UID 1:4294967295",
                "UID SEARCH 1:20000 OR SINCE 4-Mar-2026 OR UNSEEN UID 1:4294967295",
            ]
        );
    }

    fn mail(uid: u64, size: u64, part: LoadPart) -> LoadRequest {
        LoadRequest { item: uid.to_string(), uid, size, limit: 1_000_000, part }
    }

    #[test]
    fn batches_keep_to_their_budget_and_lose_nothing() {
        let mut wanted: Vec<LoadRequest> = (1..=70).map(|uid| mail(uid, 10, LoadPart::Full)).collect();
        wanted.push(mail(71, 900_000, LoadPart::Full));
        wanted.push(mail(72, 200_000, LoadPart::Full));
        wanted.push(mail(73, 90_000_000, LoadPart::Header));
        wanted.push(mail(74, 5_000_000, LoadPart::Full));
        let batches = batches(&wanted);
        let commands: Vec<&str> = batches.iter().map(|batch| batch.command.as_str()).collect();
        assert_eq!(
            commands,
            [
                "UID FETCH 1:64 (UID BODY.PEEK[]<0.1000001>)",
                "UID FETCH 65:71 (UID BODY.PEEK[]<0.1000001>)",
                "UID FETCH 72 (UID BODY.PEEK[]<0.1000001>)",
                "UID FETCH 73 (UID BODY.PEEK[HEADER]<0.262144>)",
                "UID FETCH 74 (UID BODY.PEEK[]<0.1000001>)",
            ]
        );
        assert_eq!(batches[2].ask, Ask { bytes: 1_000_001 + ANSWER, literal: 1_000_001 });
        assert_eq!(batches[3].ask.literal, 262_144);
        let all: Vec<LoadRequest> = batches.into_iter().flat_map(|batch| batch.mails).collect();
        assert_eq!(all, wanted);
    }

    #[test]
    fn a_description_is_read_and_a_notice_is_not_one() {
        let line = "* 3 FETCH (UID 9 FLAGS (\\Answered \\Seen) INTERNALDATE \" 3-Feb-2026 10:00:00 +0100\" RFC822.SIZE 120)\r\n";
        let response = parse(line);
        let mail = described(&response).unwrap();
        assert_eq!(mail.item, "9");
        let arrived_at = Some("2026-02-03T09:00:00Z".parse().unwrap());
        assert_eq!(mail.detail, Some(Detail { size: 120, arrived_at, seen: true }));
        assert_eq!(described(&parse("* 3 FETCH (FLAGS (\\Seen))\r\n")), None);
        assert_eq!(described(&parse("* 3 EXISTS\r\n")), None);
    }

    #[test]
    fn content_tells_empty_from_missing() {
        let line = "* 3 FETCH (UID 9 BODY[] {3}\r\nabc)\r\n";
        assert_eq!(content(&parse(line)), Some((9, Some(&b"abc"[..]))));
        let line = "* 3 FETCH (UID 9 BODY[HEADER]<0> {2}\r\n\r\n)\r\n";
        assert_eq!(content(&parse(line)), Some((9, Some(&b"\r\n"[..]))));
        assert_eq!(content(&parse("* 3 FETCH (UID 9 BODY[] \"\")\r\n")), Some((9, Some(&b""[..]))));
        assert_eq!(content(&parse("* 3 FETCH (UID 9 BODY[] NIL)\r\n")), Some((9, None)));
        assert_eq!(content(&parse("* 3 FETCH (UID 9 FLAGS ())\r\n")), None);
    }
}
