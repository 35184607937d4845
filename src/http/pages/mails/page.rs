//! The page: search, filters with counts, and the rows.

use std::time::Duration;

use askama::Template;
use render_signal_actors::readmodel::queries::{Fate, FateCount, MailRow, Matches};
use render_signal_actors::search::{ListedMail, MailPage};

use super::became::{became, reason};
use super::bulk::{BulkAction, MAX_AT_ONCE};
use super::list_query::{CANCELLED, InvalidFilter, MailListQuery, SENDING};
use super::words::Words;
use crate::http::pages::clock::PageClock;
use crate::http::pages::frame::{Frame, in_query};
use crate::http::pages::parts::{Badge, Choice, Confirm, Empty, FormField, Input, UntrustedText, When};
use crate::http::problem::HttpProblem;
use crate::lang::Lang;

/// What the list shows, read from the journal.
pub(super) struct MailListData {
    /// The rows.
    pub(super) page: MailPage,
    /// How many there are of each fate; empty = not counted, since a text is looked for.
    pub(super) counts: Vec<FateCount>,
    /// How many have come since the first row.
    pub(super) news: Matches,
    /// How many match; `None` = not asked.
    pub(super) matches: Option<Matches>,
    /// What can be done about all of them, how many that is, and the position of the newest.
    pub(super) action: Option<(BulkAction, Matches, u64)>,
    /// Ids of targets.
    pub(super) targets: Vec<String>,
    /// How long subjects are kept.
    pub(super) kept: Duration,
}

/// A filter that one click chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FilterChip {
    pub(super) href: String,
    pub(super) text: String,
    pub(super) count: Option<String>,
    pub(super) here: bool,
}

pub(super) struct MailEntry {
    position: u64,
    href: String,
    heading: MailTitle,
    sender: Option<UntrustedText>,
    when: When,
    facts: Vec<UntrustedText>,
    urgent: bool,
    badge: Badge,
    said: UntrustedText,
}

/// What a mail is called.
enum MailTitle {
    /// By its subject.
    Subject(UntrustedText),
    /// It has none that can be shown, and why.
    None(String),
}

#[derive(Template)]
#[template(path = "mails/page.html")]
pub(super) struct MailListPage {
    frame: Frame,
    w: &'static Words,
    text: String,
    carried: Vec<(String, String)>,
    fields: Vec<FormField>,
    span: Option<String>,
    opened: bool,
    narrows: bool,
    clear: String,
    chips: Vec<FilterChip>,
    reasons: Vec<FilterChip>,
    count: String,
    action: Option<Confirm>,
    news: Option<FilterChip>,
    live: Option<String>,
    rows: Vec<MailEntry>,
    empty: Empty,
    incomplete: bool,
    newer: Option<String>,
    older: Option<String>,
    older_text: &'static str,
    short: bool,
}

impl MailListPage {
    /// Of what was found.
    ///
    /// # Errors
    /// The state that is asked for is unknown.
    pub(super) fn of(frame: Frame, query: &MailListQuery, found: MailListData) -> Result<Self, HttpProblem> {
        let (clock, lang, w) = (frame.clock, frame.lang, Words::of(frame.lang));
        let fate = query.fate()?;
        let text = query.text.trim().to_owned();
        let live = (!found.page.mails.is_empty())
            .then(|| query.live(found.page.mails.iter().map(|listed| listed.mail.position)));
        let news = (found.news.count > 0).then(|| FilterChip {
            href: query.href(),
            text: Words::news(lang, found.news),
            count: None,
            here: false,
        });
        let (newer, older) = (found.page.newer, found.page.older);
        let on_first_page = query.cursor.is_empty();
        let [title, said] = match on_first_page {
            true => Words::nothing(lang, &text, fate, query.narrows()),
            false => [w.gone.to_owned(), String::new()],
        };
        let short = older.is_some() && found.page.mails.is_empty();
        Ok(Self {
            w,
            carried: ["state", "reason"].iter().filter_map(|name| carried(query, name)).collect(),
            fields: fields(clock, query, &found.targets),
            span: query.span().map(|(since, until)| Words::span(clock, since, until)),
            opened: query.wrong().is_some()
                || !(query.since.is_empty() && query.until.is_empty() && query.target.is_empty()),
            narrows: query.narrows(),
            clear: MailListQuery {
                state: query.state.clone(),
                reason: query.reason.clone(),
                ..MailListQuery::default()
            }
            .href(),
            chips: chips(clock, query, fate, &found.counts),
            reasons: reasons(clock, query, fate, &found.counts),
            count: found.matches.map_or(String::new(), |matches| Words::count(clock, matches)),
            action: found
                .action
                .map(|(action, matches, newest)| confirm(clock, w, query, (action, matches, newest))),
            news,
            live,
            incomplete: !found.page.complete,
            newer: newer.map(|position| query.page(&format!("n{position}"))),
            older: older.map(|position| query.page(&format!("o{position}"))),
            older_text: if short { w.go_on } else { w.older },
            short,
            empty: Empty { title, text: said },
            rows: found.page.mails.into_iter().map(|listed| row(clock, listed, found.kept)).collect(),
            text,
            frame,
        })
    }
}

fn carried(query: &MailListQuery, name: &str) -> Option<(String, String)> {
    query.pairs().into_iter().find(|(found, _)| found == name)
}

fn fields(clock: PageClock, query: &MailListQuery, targets: &[String]) -> Vec<FormField> {
    let (w, wrong) = (Words::of(clock.lang), query.wrong());
    let [since, until] = query.days(clock.zone);
    let day = |name: &str, label: &str, value: &str, mine: &[InvalidFilter]| {
        let error = wrong.filter(|wrong| mine.contains(wrong)).map_or("", |wrong| w.wrong(wrong));
        FormField::new(name, label, Input::Line("date"), value).error(error)
    };
    let mut fields = vec![
        day("since", w.since, &since, &[InvalidFilter::Since]),
        day("until", w.until, &until, &[InvalidFilter::Until, InvalidFilter::Order]),
    ];
    let known = targets.contains(&query.target);
    if targets.len() > 1 || !(known || query.target.is_empty()) {
        let any = Choice { value: String::new(), text: w.any_target.to_owned() };
        let asked = Some(&query.target).filter(|id| !known && !id.is_empty());
        let ids = targets.iter().chain(asked);
        let choices = ids.map(|id| Choice { value: id.clone(), text: UntrustedText(id.clone()).visible() });
        let input = Input::Select(std::iter::once(any).chain(choices).collect());
        fields.push(FormField::new("target", w.target, input, query.target.as_str()));
    }
    fields
}

fn chips(
    clock: PageClock,
    query: &MailListQuery,
    here: Option<Fate>,
    counts: &[FateCount],
) -> Vec<FilterChip> {
    let sum = |fate: Option<Fate>| {
        let of = counts.iter().filter(|count| fate.is_none_or(|fate| count.fate == fate));
        let sum: u64 = of.map(|count| count.n).sum();
        (query.text.trim().is_empty()).then(|| clock.number(sum))
    };
    let chip = |state: &str, text: &str, fate: Option<Fate>| FilterChip {
        href: query.with_state(state).href(),
        text: text.to_owned(),
        count: sum(fate),
        here: fate == here,
    };
    let order = [Fate::Delivered, Fate::Waiting, Fate::Failed, Fate::Ignored, Fate::Unreadable];
    let all = chip("", Words::of(clock.lang).all, None);
    let fates = order.into_iter().map(|fate| chip(fate.as_str(), Words::fate(fate, clock.lang), Some(fate)));
    std::iter::once(all).chain(fates).collect()
}

/// Why, of what waits or is ignored; nothing where there is one reason only.
fn reasons(
    clock: PageClock,
    query: &MailListQuery,
    fate: Option<Fate>,
    counts: &[FateCount],
) -> Vec<FilterChip> {
    let Some(fate @ (Fate::Waiting | Fate::Ignored)) = fate else { return Vec::new() };
    let mine: Vec<&FateCount> = counts.iter().filter(|count| count.fate == fate).collect();
    let mut codes: Vec<(&str, Option<u64>)> =
        mine.iter().map(|count| (count.reason.as_deref().unwrap_or(none_of(fate)), Some(count.n))).collect();
    // What is chosen can be left again, whatever has become of its mails.
    if !query.reason.is_empty() && !codes.iter().any(|(code, _)| *code == query.reason) {
        codes.push((&query.reason, query.text.trim().is_empty().then_some(0)));
    }
    if codes.len() < 2 && query.reason.is_empty() {
        return Vec::new();
    }
    let all = FilterChip {
        href: query.with_reason("").href(),
        text: Words::of(clock.lang).any_reason.to_owned(),
        count: None,
        here: query.reason.is_empty(),
    };
    let chip = |(code, n): (&str, Option<u64>)| FilterChip {
        href: query.with_reason(code).href(),
        text: named(clock.lang, code),
        count: n.map(|n| clock.number(n)),
        here: query.reason == code,
    };
    std::iter::once(all).chain(codes.into_iter().map(chip)).collect()
}

/// What mails of a fate are called that have no reason.
const fn none_of(fate: Fate) -> &'static str {
    match fate {
        Fate::Ignored => CANCELLED,
        _ => SENDING,
    }
}

fn named(lang: Lang, code: &str) -> String {
    match code {
        SENDING => lang.pick("envoi en cours", "being sent").to_owned(),
        CANCELLED => lang.pick("webhooks annulés", "webhooks cancelled").to_owned(),
        other => reason(lang, other),
    }
}

fn confirm(
    clock: PageClock,
    w: &Words,
    query: &MailListQuery,
    (action, matches, newest): (BulkAction, Matches, u64),
) -> Confirm {
    let [button, title, text] = Words::action(clock, action, matches, MAX_AT_ONCE);
    let mut fields = query.pairs();
    fields.push(("do".to_owned(), action.word().to_owned()));
    fields.push(("up_to".to_owned(), newest.to_string()));
    Confirm {
        id: "all".to_owned(),
        yes: button.clone(),
        button,
        class: if action == BulkAction::Ignore { "danger" } else { "" },
        title,
        text,
        action: "/mails".to_owned(),
        fields,
        no: w.no.to_owned(),
    }
}

fn row(clock: PageClock, listed: ListedMail, kept: Duration) -> MailEntry {
    let (lang, w) = (clock.lang, Words::of(clock.lang));
    let ListedMail { mail, sender, subject, deliveries } = listed;
    let became = became(clock, &mail, &deliveries);
    let heading = match subject {
        Some(subject) if subject.trim().is_empty() => MailTitle::None(w.no_subject.to_owned()),
        Some(subject) => MailTitle::Subject(UntrustedText(subject)),
        None if is_unreadable(clock, &mail, kept) => MailTitle::None(w.unreadable.to_owned()),
        None => MailTitle::None(erased(clock, kept)),
    };
    let links = (mail.links > 0).then(|| Words::links(lang, mail.links));
    let time = mail.delivery_time.map(|time| format!("{} {time}", lang.pick("livraison", "delivery")));
    MailEntry {
        position: mail.position,
        href: format!("/mails/{}", in_query(&mail.email_id)),
        heading,
        sender: sender.filter(|sender| !sender.is_empty()).map(UntrustedText),
        when: When::short(clock, mail.received_at),
        facts: [mail.detector, time, links].into_iter().flatten().map(UntrustedText).collect(),
        urgent: mail.urgent,
        badge: became.badge,
        said: UntrustedText(became.said),
    }
}

/// Whether a mail without a heading never had one that could be read: none is erased so soon.
pub(in crate::http::pages) fn is_unreadable(clock: PageClock, mail: &MailRow, kept: Duration) -> bool {
    let age = (clock.now - mail.received_at).to_std().unwrap_or_default();
    mail.stage == "quarantined" || age < kept
}

/// `objet effacé après 7 jours`.
pub(in crate::http::pages) fn erased(clock: PageClock, kept: Duration) -> String {
    let days = usize::try_from(kept.as_secs() / 86_400).unwrap_or(usize::MAX);
    let days = clock.lang.count(days, ["jour", "jours"], ["day", "days"]);
    clock.lang.either(format!("objet effacé après {days}"), format!("subject erased after {days}"))
}
