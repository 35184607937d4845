//! Everything that happens to a mail until its webhook is posted, without the journal and the
//! network between: what the capabilities compute of a stranger's text.

use std::hint::black_box;

use chrono::{DateTime, Utc};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::event::DomainEvent as _;
use render_signal_actors::kernel::journal::Due;
use render_signal_actors::mail::life::MailEvent;
use render_signal_actors::mail::outbox_rows::{Draft, DraftMeta, deliver_rows};
use render_signal_actors::mail::policy::Policy;
use render_signal_actors::mail::providers;
use render_signal_actors::mail::{Link, Mail, Outcome, Verdict, decide, groups, parse};
use render_signal_actors::r2::links::book::{self, Bounds};
use render_signal_actors::r2::normalize::{object_key, time_limit};
use render_signal_actors::r2::outcome::{LinkFate, Obtained, settle_links};
use render_signal_actors::r2::plan::{LONGEST, SourceLink, Unplanned, plan};
use render_signal_actors::r2::{Copied, LINKS_PER_MAIL, NoCopy, address, name};
use render_signal_actors::readmodel::queries::LinkRow;
use render_signal_actors::signing::SigningKeys;

/// Where copies are said to lie.
const BASE: &str = "https://media.example.com/r2";
/// How the list of copies is kept by default.
const LIST: Bounds = Bounds { max_entries: 1_000, max_bytes: 5 << 20 };

/// Reads, decides, and goes on as the capabilities do.
///
/// # Panics
/// When what must hold for every mail does not.
pub fn work(raw: &[u8], policy: &Policy, now: DateTime<Utc>) {
    let Ok(mail) = parse::parse(raw) else { return };
    let verdict = decide::decide(&mail, policy, now);
    let (verdict, _) = groups::claim(verdict, &mail.email_id, &mail.subject, policy, now, None);
    if matches!(verdict.outcome, Outcome::Deliver { .. }) {
        offload(Draft { mail, verdict }, policy, now);
    }
}

/// The draft is kept and read again, its links are copied, its webhooks are made.
fn offload(draft: Draft, policy: &Policy, now: DateTime<Utc>) {
    let kept = serde_json::to_vec(&draft).expect("a draft has a JSON form");
    let draft: Draft = serde_json::from_slice(&kept).expect("what was kept can be read");
    let Draft { mail, verdict } = draft;
    let planned = plan(&verdict.links, LINKS_PER_MAIL);
    assert!(planned.iter().filter(|planned| planned.is_ok()).count() <= LINKS_PER_MAIL);
    let fates = planned.into_iter().map(|planned| fate(planned, &mail.email_id)).collect();
    let (links, facts) = settle_links(&verdict.links, fates);
    assert_eq!(links.len(), verdict.links.len(), "no link is lost");
    assert!(facts.len() <= LINKS_PER_MAIL + 2, "{} facts of one mail", facts.len());
    record(&facts, now);
    deliver(&mail, &verdict, &links, policy, now);
}

fn fate(planned: Result<SourceLink, Unplanned>, email_id: &str) -> LinkFate {
    let source = match planned {
        Ok(source) => source,
        Err(why) => return LinkFate::Untried(why),
    };
    // Each byte of a link is encoded as three, and five bytes of an entity as eighteen.
    assert!(source.url.len() <= 4 * LONGEST + 64, "{} bytes of {:.80}", source.url.len(), source.url);
    let known = providers::defaults();
    if !known.named(&source.provider).is_some_and(|provider| provider.reach.allows(&source.url)) {
        return LinkFate::Tried(Err(NoCopy::lasting("its host is not one of the known file services")));
    }
    black_box(time_limit(&source.url, &source.provider));
    let key = object_key(&source.url, &source.provider);
    let base = BASE.parse().expect("an address");
    let r2_url = format!("{BASE}/{key}");
    match address::check(&r2_url, Some(&base)) {
        Ok(_) => {
            let last = key.rsplit('/').next().unwrap_or_default();
            let original_filename = name::sanitise(last);
            let copy = Copied { source_url: source.url, r2_url, original_filename, expires_at: None };
            LinkFate::Tried(Ok(Obtained { copy, reused_from: Some(email_id.to_owned()) }))
        }
        Err(why) => LinkFate::Tried(Err(NoCopy::lasting(why))),
    }
}

/// As events, and as entries of the list.
fn record(facts: &[MailEvent], now: DateTime<Utc>) {
    let mut copies = Vec::new();
    let world = World::seeded(now, 1);
    for fact in facts {
        let event = fact.to_new(world.ids.next()).expect("an event has a JSON form");
        black_box(event.payload.to_string());
        if let MailEvent::LinkOffloaded(copied) = fact {
            copies.push(LinkRow {
                position: 0,
                event_id: event.id.simple().to_string(),
                email_id: copied.reused_from.clone().unwrap_or_default(),
                source_url: copied.source_url.clone(),
                r2_url: copied.r2_url.clone(),
                provider: copied.provider.clone(),
                original_filename: copied.original_filename.clone(),
                at: now,
                expires_at: None,
            });
        }
    }
    black_box(book::append(Vec::new(), &copies, LIST, None));
}

fn deliver(mail: &Mail, verdict: &Verdict, links: &[Link], policy: &Policy, now: DateTime<Utc>) {
    let meta = DraftMeta {
        email_id: mail.email_id.clone(),
        mail_version: 2,
        locations: Vec::new(),
        released: false,
        told: false,
        stranger: None,
        waiting: None,
        returned: 0,
        cancelled: Vec::new(),
    };
    let keys = SigningKeys::parse("whsec_c2VjcmV0IG9mIHRoZSBmdXp6IHRhcmdldCE=").expect("a secret");
    let (rows, bodies) = deliver_rows(mail, verdict, links, policy, &meta, Due::At(now), now);
    for (row, body) in rows.iter().zip(&bodies) {
        black_box(row.meta.to_string());
        black_box(keys.signature(&row.key, now.timestamp(), &body.bytes));
    }
}
