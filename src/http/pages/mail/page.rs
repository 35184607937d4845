//! The page of a mail.

use actix_web::web::Data;
use askama::Template;
use render_signal_actors::story::{Mark, MarkState, Story};

use super::actions::{MailAction, confirm, path, sentence as capital};
use super::decision::{self, DecisionView, Now};
use super::links::{self, LinkShown};
use super::sending::{self, WebhookView};
use super::timeline::{self, TimelineEntry};
use super::words::Words;
use crate::http::HttpState;
use crate::http::pages::clock::PageClock;
use crate::http::pages::frame::{Frame, in_query};
use crate::http::pages::mails::{Became, became, erased, is_open, is_unreadable};
use crate::http::pages::parts::{Badge, Confirm, UntrustedText, When};
use crate::http::problem::HttpProblem;
use crate::words::recorded::plain;

/// A place where the mail lies.
pub(super) struct MailLocation {
    mailbox: UntrustedText,
    state: &'static str,
    copy: Option<Confirm>,
}

/// An event as it is recorded.
pub(super) struct Raw {
    at: When,
    position: u64,
    kind: String,
    payload: UntrustedText,
}

/// What the rules of today would make of the mail.
pub(super) enum TodayView {
    /// It can be asked for.
    Offer(String),
    /// It was.
    Known(Now),
    /// It cannot be said.
    Gone(UntrustedText),
}

#[derive(Template)]
#[template(path = "mail/page.html")]
pub(super) struct MailDetailPage {
    frame: Frame,
    w: &'static Words,
    live: String,
    subject: Option<UntrustedText>,
    nameless: String,
    sender: Option<UntrustedText>,
    received: When,
    received_full: String,
    arrived: Option<String>,
    size: String,
    id: String,
    urgent: bool,
    content_gone: Option<UntrustedText>,
    /// The same for the head, unless what became of it says so.
    gone: Option<UntrustedText>,
    /// Why nothing was decided.
    undecided: UntrustedText,
    badge: Badge,
    said: UntrustedText,
    actions: Vec<Confirm>,
    source: Option<String>,
    texts: Option<String>,
    places: Vec<MailLocation>,
    entries: Vec<TimelineEntry>,
    decision: Option<DecisionView>,
    today: TodayView,
    sent: Vec<WebhookView>,
    links: Vec<LinkShown>,
    raw: Vec<Raw>,
    newer: Option<String>,
    older: Option<String>,
}

/// The title of the page: the subject, where one can be shown.
pub(super) fn title(clock: PageClock, story: &Story, kept: std::time::Duration) -> String {
    match story.subject.as_deref().map(str::trim) {
        Some(subject) if !subject.is_empty() => UntrustedText(subject.to_owned()).visible(),
        _ => nameless(clock, story, kept),
    }
}

fn nameless(clock: PageClock, story: &Story, kept: std::time::Duration) -> String {
    let w = Words::of(clock.lang);
    match &story.subject {
        Some(_) => w.no_subject.to_owned(),
        None if is_unreadable(clock, &story.mail, kept) => w.unreadable.to_owned(),
        None => erased(clock, kept),
    }
}

impl MailDetailPage {
    /// Of a story.
    ///
    /// # Errors
    /// The journal does not answer.
    pub(super) async fn of(
        frame: Frame,
        state: &Data<HttpState>,
        story: Story,
        today: bool,
    ) -> Result<Self, HttpProblem> {
        let clock = frame.clock;
        let (lang, w) = (clock.lang, Words::of(clock.lang));
        let kept = state.services.policy.load().retention;
        let rows: Vec<_> = story.deliveries.iter().map(|delivery| delivery.row.clone()).collect();
        let Became { badge, said } = became(clock, &story.mail, &rows);
        let id = story.mail.email_id.clone();
        let here = path(&id);
        let today = match (&story.content_gone, today) {
            (Some(gone), _) => TodayView::Gone(UntrustedText(plain(lang, gone).into_owned())),
            (None, false) => TodayView::Offer(format!("{here}?aujourdhui=1#today")),
            (None, true) => match decision::now(clock, state, &id).await {
                Ok(now) => TodayView::Known(now),
                Err(refused) => TodayView::Gone(UntrustedText(lang.one(refused.said()))),
            },
        };
        let gone = story.content_gone.as_deref().map(|gone| plain(lang, gone).into_owned());
        let neighbour = |id: &Option<String>| id.as_ref().map(|id| path(id));
        let subject = story.subject.clone().filter(|subject| !subject.trim().is_empty());
        Ok(Self {
            w,
            nameless: nameless(clock, &story, kept),
            subject: subject.map(UntrustedText),
            sender: story.sender.clone().filter(|sender| !sender.is_empty()).map(UntrustedText),
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
                .map(|gone| UntrustedText(capital(&gone))),
            undecided: UntrustedText(match &gone {
                Some(gone) => capital(gone),
                None => w.no_decision.to_owned(),
            }),
            content_gone: gone.map(UntrustedText),
            badge,
            said: UntrustedText(said),
            actions: actions(clock, &story),
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
fn actions(clock: PageClock, story: &Story) -> Vec<Confirm> {
    let (lang, w, mail) = (clock.lang, Words::of(clock.lang), &story.mail);
    let id = &mail.email_id;
    let waits = mail.reason.as_deref() != Some("released");
    let mut actions = Vec::new();
    let can_go = match mail.stage.as_str() {
        "held" => waits,
        "skipped" | "ignored" => story.content_gone.is_none(),
        "set_aside" => true,
        _ => false,
    };
    if can_go {
        actions.push(confirm(
            lang,
            MailAction::Release,
            id,
            None,
            ("release".to_owned(), w.release_ask.to_owned()),
        ));
    }
    if matches!(mail.stage.as_str(), "held" | "skipped" | "quarantined" | "set_aside") {
        actions.push(confirm(
            lang,
            MailAction::Ignore,
            id,
            None,
            ("ignore".to_owned(), w.ignore_ask.to_owned()),
        ));
    }
    let ended = |delivery: &&render_signal_actors::story::DeliveryStory| {
        delivery.row.state == "dead_lettered" || (delivery.body_kept && !is_open(&delivery.row))
    };
    let count = story.deliveries.iter().filter(ended).count();
    if count > 0 {
        let title = Words::resend_all_ask(lang, count);
        let all = confirm(lang, MailAction::Resend, id, None, ("resend".to_owned(), title));
        let button = Words::resend_all(lang, count);
        let class = if mail.dead_lettered > 0 { "primary" } else { "" };
        actions.push(Confirm { yes: button.clone(), button, class, ..all });
    }
    actions
}

fn places(clock: PageClock, story: &Story) -> Vec<MailLocation> {
    let (lang, w, id) = (clock.lang, Words::of(clock.lang), &story.mail.email_id);
    let place = |(number, mark): (usize, &Mark)| MailLocation {
        mailbox: UntrustedText(mark.location.mailbox.clone()),
        state: match mark.state {
            MarkState::Unwanted => w.mark_unwanted,
            MarkState::Due => w.mark_due,
            MarkState::Marked => w.marked,
        },
        copy: mark.copy_id.as_deref().map(|copy| {
            let title = w.release_ask.to_owned();
            confirm(lang, MailAction::ReleaseCopy, id, Some(copy), (format!("copy-{number}"), title))
        }),
    };
    story.marks.iter().enumerate().map(place).collect()
}

fn raw(clock: PageClock, story: &Story) -> Vec<Raw> {
    let event = |step: &render_signal_actors::story::Step| Raw {
        at: When::seconds(clock, step.at),
        position: step.position,
        kind: step.event.clone(),
        payload: UntrustedText(serde_json::to_string_pretty(&step.payload).unwrap_or_default()),
    };
    story.steps.iter().map(event).collect()
}
