//! The page of a mail.

use actix_web::web::Data;
use askama::Template;
use render_signal_actors::story::{Mark, MarkState, Story};

use super::actions::{Deed, confirm, path, sentence as capital};
use super::decision::{self, Decision, Now};
use super::links::{self, LinkShown};
use super::sending::{self, Sent};
use super::timeline::{self, Entry};
use super::words::Words;
use crate::http::HttpState;
use crate::http::pages::clock::Clock;
use crate::http::pages::frame::{Frame, in_query};
use crate::http::pages::mails::{Became, became, erased, is_open, is_unreadable};
use crate::http::pages::parts::{Badge, Confirm, Shown, When};
use crate::http::problem::Problem;
use crate::words::recorded::plain;

/// A place where the mail lies.
pub(super) struct Place {
    mailbox: Shown,
    state: &'static str,
    copy: Option<Confirm>,
}

/// An event as it is recorded.
pub(super) struct Raw {
    at: When,
    position: u64,
    kind: String,
    payload: Shown,
}

/// What the rules of now would do.
pub(super) enum Today {
    /// It can be asked for.
    Offer(String),
    /// It was.
    Known(Now),
    /// It cannot be said.
    Gone(Shown),
}

/// The page.
#[derive(Template)]
#[template(path = "mail/page.html")]
pub(super) struct Page {
    frame: Frame,
    w: &'static Words,
    live: String,
    subject: Option<Shown>,
    nameless: String,
    sender: Option<Shown>,
    received: When,
    received_full: String,
    arrived: Option<String>,
    size: String,
    id: String,
    urgent: bool,
    content_gone: Option<Shown>,
    /// The same for the head, unless what became of it says so.
    gone: Option<Shown>,
    /// Why nothing was decided.
    undecided: Shown,
    badge: Badge,
    said: Shown,
    deeds: Vec<Confirm>,
    source: Option<String>,
    texts: Option<String>,
    places: Vec<Place>,
    entries: Vec<Entry>,
    decision: Option<Decision>,
    today: Today,
    sent: Vec<Sent>,
    links: Vec<LinkShown>,
    raw: Vec<Raw>,
    newer: Option<String>,
    older: Option<String>,
}

/// The title of the page: the subject, where one can be shown.
pub(super) fn title(clock: Clock, story: &Story, kept: std::time::Duration) -> String {
    match story.subject.as_deref().map(str::trim) {
        Some(subject) if !subject.is_empty() => Shown(subject.to_owned()).visible(),
        _ => nameless(clock, story, kept),
    }
}

fn nameless(clock: Clock, story: &Story, kept: std::time::Duration) -> String {
    let w = Words::of(clock.lang);
    match &story.subject {
        Some(_) => w.no_subject.to_owned(),
        None if is_unreadable(clock, &story.mail, kept) => w.unreadable.to_owned(),
        None => erased(clock, kept),
    }
}

impl Page {
    /// Of a story.
    ///
    /// # Errors
    /// The journal does not answer.
    pub(super) async fn of(
        frame: Frame,
        state: &Data<HttpState>,
        story: Story,
        today: bool,
    ) -> Result<Self, Problem> {
        let clock = frame.clock;
        let (lang, w) = (clock.lang, Words::of(clock.lang));
        let kept = state.services.policy.load().retention;
        let rows: Vec<_> = story.deliveries.iter().map(|delivery| delivery.row.clone()).collect();
        let Became { badge, said } = became(clock, &story.mail, &rows);
        let id = story.mail.email_id.clone();
        let here = path(&id);
        let today = match (&story.content_gone, today) {
            (Some(gone), _) => Today::Gone(Shown(plain(lang, gone).into_owned())),
            (None, false) => Today::Offer(format!("{here}?aujourdhui=1#today")),
            (None, true) => match decision::now(clock, state, &id).await {
                Ok(now) => Today::Known(now),
                Err(refused) => Today::Gone(Shown(lang.one(refused.said()))),
            },
        };
        let gone = story.content_gone.as_deref().map(|gone| plain(lang, gone).into_owned());
        let neighbour = |id: &Option<String>| id.as_ref().map(|id| path(id));
        let subject = story.subject.clone().filter(|subject| !subject.trim().is_empty());
        Ok(Self {
            w,
            nameless: nameless(clock, &story, kept),
            subject: subject.map(Shown),
            sender: story.sender.clone().filter(|sender| !sender.is_empty()).map(Shown),
            received: When::ago(clock, story.mail.received_at),
            received_full: clock.full(story.mail.received_at),
            arrived: story
                .mail
                .arrived_at
                .filter(|at| (story.mail.received_at - *at).num_seconds().abs() >= 60)
                .map(|at| clock.full(at)),
            size: clock.bytes(story.mail.size),
            urgent: story.mail.urgent,
            gone: gone
                .clone()
                .filter(|_| story.mail.stage != "quarantined")
                .map(|gone| Shown(capital(&gone))),
            undecided: Shown(match &gone {
                Some(gone) => capital(gone),
                None => w.no_decision.to_owned(),
            }),
            content_gone: gone.map(Shown),
            badge,
            said: Shown(said),
            deeds: deeds(clock, &story),
            source: (story.mail.stage == "quarantined")
                .then(|| format!("/api/v1/mails/{}/source", in_query(&id))),
            texts: story.content_gone.is_none().then(|| format!("{here}/texte")),
            places: places(clock, &story),
            entries: timeline::entries(clock, &story),
            decision: decision::decision(clock, state, &story).await,
            today,
            sent: sending::sent(clock, state, &story).await?,
            links: links::of(clock, &story),
            raw: raw(clock, &story),
            newer: neighbour(&story.neighbours.newer),
            older: neighbour(&story.neighbours.older),
            live: here,
            id,
            frame,
        })
    }
}

/// What can be done about it as a whole.
fn deeds(clock: Clock, story: &Story) -> Vec<Confirm> {
    let (lang, w, mail) = (clock.lang, Words::of(clock.lang), &story.mail);
    let id = &mail.email_id;
    let waits = mail.reason.as_deref() != Some("released");
    let mut deeds = Vec::new();
    let can_go = match mail.stage.as_str() {
        "held" => waits,
        "skipped" | "ignored" => story.content_gone.is_none(),
        "set_aside" => true,
        _ => false,
    };
    if can_go {
        deeds.push(confirm(lang, Deed::Release, id, None, ("release".to_owned(), w.release_ask.to_owned())));
    }
    if matches!(mail.stage.as_str(), "held" | "skipped" | "quarantined" | "set_aside") {
        deeds.push(confirm(lang, Deed::Ignore, id, None, ("ignore".to_owned(), w.ignore_ask.to_owned())));
    }
    let ended = |delivery: &&render_signal_actors::story::DeliveryStory| {
        delivery.row.state == "dead_lettered" || (delivery.body_kept && !is_open(&delivery.row))
    };
    let count = story.deliveries.iter().filter(ended).count();
    if count > 0 {
        let title = Words::resend_all_ask(lang, count);
        let all = confirm(lang, Deed::Resend, id, None, ("resend".to_owned(), title));
        let button = Words::resend_all(lang, count);
        let class = if mail.dead_lettered > 0 { "primary" } else { "" };
        deeds.push(Confirm { yes: button.clone(), button, class, ..all });
    }
    deeds
}

fn places(clock: Clock, story: &Story) -> Vec<Place> {
    let (lang, w, id) = (clock.lang, Words::of(clock.lang), &story.mail.email_id);
    let place = |(number, mark): (usize, &Mark)| Place {
        mailbox: Shown(mark.location.mailbox.clone()),
        state: match mark.state {
            MarkState::Unwanted => w.mark_unwanted,
            MarkState::Due => w.mark_due,
            MarkState::Marked => w.marked,
        },
        copy: mark.copy_id.as_deref().map(|copy| {
            let title = w.release_ask.to_owned();
            confirm(lang, Deed::ReleaseCopy, id, Some(copy), (format!("copy-{number}"), title))
        }),
    };
    story.marks.iter().enumerate().map(place).collect()
}

fn raw(clock: Clock, story: &Story) -> Vec<Raw> {
    let event = |step: &render_signal_actors::story::Step| Raw {
        at: When::seconds(clock, step.at),
        position: step.position,
        kind: step.event.clone(),
        payload: Shown(serde_json::to_string_pretty(&step.payload).unwrap_or_default()),
    };
    story.steps.iter().map(event).collect()
}
