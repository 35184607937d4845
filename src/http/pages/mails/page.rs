//! The page: search, filters with counts, and the rows.

use std::time::Duration;

use askama::Template;
use render_signal_actors::readmodel::queries::{Fate, FateCount, MailRow, Matches};
use render_signal_actors::search::{ListedMail, MailPage};

use super::became::{became, reason};
use super::bulk::{AT_ONCE, Deed};
use super::wanted::{CANCELLED, SENDING, Wanted, Wrong};
use super::words::Words;
use crate::http::pages::clock::Clock;
use crate::http::pages::frame::{Frame, in_query};
use crate::http::pages::parts::{Badge, Choice, Confirm, Empty, Field, Input, Shown, When};
use crate::http::problem::Problem;
use crate::lang::Lang;

/// What was found out for the page.
pub(super) struct Found {
    /// The rows.
    pub(super) page: MailPage,
    /// How many there are of each fate; empty = not counted, since a text is looked for.
    pub(super) counts: Vec<FateCount>,
    /// How many have come since the first row.
    pub(super) news: Matches,
    /// How many match; `None` = not asked.
    pub(super) matches: Option<Matches>,
    /// What can be done about all of them, how many that is, and the position of the newest.
    pub(super) deed: Option<(Deed, Matches, u64)>,
    /// Ids of targets.
    pub(super) targets: Vec<String>,
    /// How long subjects are kept.
    pub(super) kept: Duration,
}

/// A filter that one touch chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chip {
    pub(super) href: String,
    pub(super) text: String,
    pub(super) count: Option<String>,
    pub(super) here: bool,
}

/// A mail.
pub(super) struct Row {
    position: u64,
    href: String,
    heading: Heading,
    sender: Option<Shown>,
    when: When,
    facts: Vec<Shown>,
    urgent: bool,
    badge: Badge,
    said: Shown,
}

/// What a mail is called.
enum Heading {
    /// By its subject.
    Subject(Shown),
    /// It has none that can be shown, and why.
    None(String),
}

/// The page.
#[derive(Template)]
#[template(path = "mails/page.html")]
pub(super) struct Page {
    frame: Frame,
    w: &'static Words,
    text: String,
    carried: Vec<(String, String)>,
    fields: Vec<Field>,
    span: Option<String>,
    opened: bool,
    narrows: bool,
    clear: String,
    chips: Vec<Chip>,
    reasons: Vec<Chip>,
    count: String,
    deed: Option<Confirm>,
    news: Option<Chip>,
    live: Option<String>,
    rows: Vec<Row>,
    empty: Empty,
    incomplete: bool,
    newer: Option<String>,
    older: Option<String>,
    older_text: &'static str,
    short: bool,
}

impl Page {
    /// Of what was found.
    ///
    /// # Errors
    /// The state that is asked for is unknown.
    pub(super) fn of(frame: Frame, wanted: &Wanted, found: Found) -> Result<Self, Problem> {
        let (clock, lang, w) = (frame.clock, frame.lang, Words::of(frame.lang));
        let fate = wanted.fate()?;
        let text = wanted.text.trim().to_owned();
        let live = (!found.page.mails.is_empty())
            .then(|| wanted.live(found.page.mails.iter().map(|listed| listed.mail.position)));
        let news = (found.news.count > 0).then(|| Chip {
            href: wanted.href(),
            text: Words::news(lang, found.news),
            count: None,
            here: false,
        });
        let (newer, older) = (found.page.newer, found.page.older);
        let on_first_page = wanted.cursor.is_empty();
        let [title, said] = match on_first_page {
            true => Words::nothing(lang, &text, fate, wanted.narrows()),
            false => [w.gone.to_owned(), String::new()],
        };
        let short = older.is_some() && found.page.mails.is_empty();
        Ok(Self {
            w,
            carried: ["state", "reason"].iter().filter_map(|name| carried(wanted, name)).collect(),
            fields: fields(clock, wanted, &found.targets),
            span: wanted.span().map(|(since, until)| Words::span(clock, since, until)),
            opened: wanted.wrong().is_some()
                || !(wanted.since.is_empty() && wanted.until.is_empty() && wanted.target.is_empty()),
            narrows: wanted.narrows(),
            clear: Wanted { state: wanted.state.clone(), reason: wanted.reason.clone(), ..Wanted::default() }
                .href(),
            chips: chips(clock, wanted, fate, &found.counts),
            reasons: reasons(clock, wanted, fate, &found.counts),
            count: found.matches.map_or(String::new(), |matches| Words::count(clock, matches)),
            deed: found
                .deed
                .map(|(deed, matches, newest)| confirm(clock, w, wanted, (deed, matches, newest))),
            news,
            live,
            incomplete: !found.page.complete,
            newer: newer.map(|position| wanted.page(&format!("n{position}"))),
            older: older.map(|position| wanted.page(&format!("o{position}"))),
            older_text: if short { w.go_on } else { w.older },
            short,
            empty: Empty { title, text: said },
            rows: found.page.mails.into_iter().map(|listed| row(clock, listed, found.kept)).collect(),
            text,
            frame,
        })
    }
}

fn carried(wanted: &Wanted, name: &str) -> Option<(String, String)> {
    wanted.pairs().into_iter().find(|(found, _)| found == name)
}

fn fields(clock: Clock, wanted: &Wanted, targets: &[String]) -> Vec<Field> {
    let (w, wrong) = (Words::of(clock.lang), wanted.wrong());
    let [since, until] = wanted.days(clock.zone);
    let day = |name: &str, label: &str, value: &str, mine: &[Wrong]| {
        let error = wrong.filter(|wrong| mine.contains(wrong)).map_or("", |wrong| w.wrong(wrong));
        Field::new(name, label, Input::Line("date"), value).error(error)
    };
    let mut fields = vec![
        day("since", w.since, &since, &[Wrong::Since]),
        day("until", w.until, &until, &[Wrong::Until, Wrong::Order]),
    ];
    let known = targets.contains(&wanted.target);
    if targets.len() > 1 || !(known || wanted.target.is_empty()) {
        let any = Choice { value: String::new(), text: w.any_target.to_owned() };
        let asked = Some(&wanted.target).filter(|id| !known && !id.is_empty());
        let ids = targets.iter().chain(asked);
        let choices = ids.map(|id| Choice { value: id.clone(), text: Shown(id.clone()).visible() });
        let input = Input::Select(std::iter::once(any).chain(choices).collect());
        fields.push(Field::new("target", w.target, input, wanted.target.as_str()));
    }
    fields
}

fn chips(clock: Clock, wanted: &Wanted, here: Option<Fate>, counts: &[FateCount]) -> Vec<Chip> {
    let sum = |fate: Option<Fate>| {
        let of = counts.iter().filter(|count| fate.is_none_or(|fate| count.fate == fate));
        let sum: u64 = of.map(|count| count.n).sum();
        (wanted.text.trim().is_empty()).then(|| clock.number(sum))
    };
    let chip = |state: &str, text: &str, fate: Option<Fate>| Chip {
        href: wanted.with_state(state).href(),
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
fn reasons(clock: Clock, wanted: &Wanted, fate: Option<Fate>, counts: &[FateCount]) -> Vec<Chip> {
    let Some(fate @ (Fate::Waiting | Fate::Ignored)) = fate else { return Vec::new() };
    let mine: Vec<&FateCount> = counts.iter().filter(|count| count.fate == fate).collect();
    let mut codes: Vec<(&str, Option<u64>)> =
        mine.iter().map(|count| (count.reason.as_deref().unwrap_or(none_of(fate)), Some(count.n))).collect();
    // What is chosen can be left again, whatever has become of its mails.
    if !wanted.reason.is_empty() && !codes.iter().any(|(code, _)| *code == wanted.reason) {
        codes.push((&wanted.reason, wanted.text.trim().is_empty().then_some(0)));
    }
    if codes.len() < 2 && wanted.reason.is_empty() {
        return Vec::new();
    }
    let all = Chip {
        href: wanted.with_reason("").href(),
        text: Words::of(clock.lang).any_reason.to_owned(),
        count: None,
        here: wanted.reason.is_empty(),
    };
    let chip = |(code, n): (&str, Option<u64>)| Chip {
        href: wanted.with_reason(code).href(),
        text: named(clock.lang, code),
        count: n.map(|n| clock.number(n)),
        here: wanted.reason == code,
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
    clock: Clock,
    w: &Words,
    wanted: &Wanted,
    (deed, matches, newest): (Deed, Matches, u64),
) -> Confirm {
    let [button, title, text] = Words::deed(clock, deed, matches, AT_ONCE);
    let mut fields = wanted.pairs();
    fields.push(("do".to_owned(), deed.word().to_owned()));
    fields.push(("up_to".to_owned(), newest.to_string()));
    Confirm {
        id: "all".to_owned(),
        yes: button.clone(),
        button,
        class: if deed == Deed::Ignore { "danger" } else { "" },
        title,
        text,
        action: "/mails".to_owned(),
        fields,
        no: w.no.to_owned(),
    }
}

fn row(clock: Clock, listed: ListedMail, kept: Duration) -> Row {
    let (lang, w) = (clock.lang, Words::of(clock.lang));
    let ListedMail { mail, sender, subject, deliveries } = listed;
    let became = became(clock, &mail, &deliveries);
    let heading = match subject {
        Some(subject) if subject.trim().is_empty() => Heading::None(w.no_subject.to_owned()),
        Some(subject) => Heading::Subject(Shown(subject)),
        None if is_unreadable(clock, &mail, kept) => Heading::None(w.unreadable.to_owned()),
        None => Heading::None(erased(clock, kept)),
    };
    let links = (mail.links > 0).then(|| Words::links(lang, mail.links));
    let time = mail.delivery_time.map(|time| format!("{} {time}", lang.pick("livraison", "delivery")));
    Row {
        position: mail.position,
        href: format!("/mails/{}", in_query(&mail.email_id)),
        heading,
        sender: sender.filter(|sender| !sender.is_empty()).map(Shown),
        when: When::short(clock, mail.received_at),
        facts: [mail.detector, time, links].into_iter().flatten().map(Shown).collect(),
        urgent: mail.urgent,
        badge: became.badge,
        said: Shown(became.said),
    }
}

/// Whether a mail without a heading never had one that could be read: none is erased so soon.
pub(in crate::http::pages) fn is_unreadable(clock: Clock, mail: &MailRow, kept: Duration) -> bool {
    let age = (clock.now - mail.received_at).to_std().unwrap_or_default();
    mail.stage == "quarantined" || age < kept
}

/// `objet effacé après 7 jours`.
pub(in crate::http::pages) fn erased(clock: Clock, kept: Duration) -> String {
    let days = usize::try_from(kept.as_secs() / 86_400).unwrap_or(usize::MAX);
    let days = clock.lang.count(days, ["jour", "jours"], ["day", "days"]);
    clock.lang.either(format!("objet effacé après {days}"), format!("subject erased after {days}"))
}
