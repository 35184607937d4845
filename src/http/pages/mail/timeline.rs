//! What happened to a mail and to its deliveries, told in the order of time.

use chrono::{DateTime, TimeDelta, Utc};
use render_signal_actors::mail::life::MailEvent;
use render_signal_actors::story::{DeliveryStep, DeliveryWhat, Story};

use super::words::Words;
use crate::http::pages::clock::PageClock;
use crate::http::pages::parts::{UntrustedText, When};
use crate::lang::Lang;
use crate::words::recorded::plain;
use crate::words::story::{StoryTone, Teller};
use crate::words::when::Depth;

/// A shorter time between two entries is not mentioned.
const MIN_GAP: TimeDelta = TimeDelta::seconds(60);

/// Something that happened.
pub(super) struct TimelineEntry {
    /// The class that makes its mark: `good`, `wait`, `care`, `bad` or nothing.
    pub(super) mood: &'static str,
    /// The day, where it is another one than before.
    pub(super) day: Option<String>,
    /// The time of day.
    pub(super) at: When,
    /// Which target it is about, where there are several.
    pub(super) target: Option<UntrustedText>,
    /// In a sentence.
    pub(super) text: UntrustedText,
    /// The beginning of what the receiver answered.
    pub(super) answer: Option<UntrustedText>,
    /// How long nothing happened after it.
    pub(super) gap: Option<String>,
}

/// Something that happened, before it is put in order.
struct TimelineEvent {
    at: DateTime<Utc>,
    mood: &'static str,
    target: Option<String>,
    text: String,
    answer: Option<String>,
}

/// All of it, oldest first.
pub(super) fn entries(clock: PageClock, story: &Story) -> Vec<TimelineEntry> {
    let teller = Teller { lang: clock.lang, depth: Depth::Local(clock.zone) };
    let many = story.deliveries.len() > 1;
    let of_mail = story.steps.iter().filter(|step| !is_told_by_deliveries(&step.known)).map(|step| {
        let told = teller.mail_step(step);
        let (mood, text) = (mood_of_mail(&step.known, told.tone), told.sentence(clock.lang));
        TimelineEvent { at: step.at, mood, target: None, text, answer: None }
    });
    let of_deliveries = story.deliveries.iter().flat_map(|delivery| {
        let target = many.then(|| delivery.row.target.clone());
        delivery_entries(clock, teller, target.as_ref(), &delivery.steps)
    });
    let mut told: Vec<TimelineEvent> = of_mail.chain(of_deliveries).collect();
    // Stable: what was committed together stays in its order.
    told.sort_by_key(|told| told.at);
    let next: Vec<Option<DateTime<Utc>>> =
        told.iter().skip(1).map(|told| Some(told.at)).chain(std::iter::once(None)).collect();
    let mut before = None;
    let entry = |(told, next): (TimelineEvent, Option<DateTime<Utc>>)| {
        let day = clock.date(told.at);
        // That of the first is said above.
        let is_new = before.replace(day.clone()).is_some_and(|before| before != day);
        let waited = next.map(|next| next - told.at).filter(|waited| *waited >= MIN_GAP);
        TimelineEntry {
            mood: told.mood,
            day: is_new.then_some(day),
            at: When::seconds(clock, told.at),
            target: told.target.map(UntrustedText),
            text: UntrustedText(told.text),
            answer: told.answer.filter(|answer| !answer.trim().is_empty()).map(UntrustedText),
            gap: waited.map(|waited| Words::gap(clock.lang, &clock.length(waited))),
        }
    };
    told.into_iter().zip(next).map(entry).collect()
}

/// How a delivery ended stands in its own story.
const fn is_told_by_deliveries(event: &MailEvent) -> bool {
    matches!(event, MailEvent::Settled(_))
}

fn delivery_entries(
    clock: PageClock,
    teller: Teller,
    target: Option<&String>,
    steps: &[DeliveryStep],
) -> Vec<TimelineEvent> {
    let mut told = Vec::with_capacity(steps.len());
    let mut went_well = None;
    for step in steps {
        let (mood, text, answer) = match &step.what {
            // Its end follows, and says all of it.
            DeliveryWhat::Attempted { attempt, error: None, took_ms, .. } => {
                went_well = Some((*attempt, *took_ms));
                continue;
            }
            DeliveryWhat::Attempted { attempt, error: Some(error), took_ms, answer, .. } => {
                ("care", attempt_text(clock, *attempt, *took_ms, error), answer.clone())
            }
            DeliveryWhat::Delivered { status } => {
                let text = match went_well.take() {
                    Some((attempt, took)) => {
                        Words::delivered(clock.lang, attempt, &clock.milliseconds(took), *status)
                    }
                    None => teller.delivery_step(step).sentence(clock.lang),
                };
                ("good", text, None)
            }
            _ => {
                let said = teller.delivery_step(step);
                (mood_of_delivery(&step.what), said.sentence(clock.lang), None)
            }
        };
        told.push(TimelineEvent { at: step.at, mood, target: target.cloned(), text, answer });
    }
    told
}

fn attempt_text(clock: PageClock, attempt: u32, took: u64, error: &str) -> String {
    Words::attempt(clock.lang, attempt, &clock.milliseconds(took), &plain(clock.lang, error))
}

fn mood_of_mail(event: &MailEvent, tone: StoryTone) -> &'static str {
    match (event, tone) {
        (MailEvent::Held(_) | MailEvent::LinksDeferred(_), _) => "wait",
        // Decided, and not yet done.
        (MailEvent::Routed(_) | MailEvent::Released(_) | MailEvent::Resumed(_), _) => "",
        (_, StoryTone::Good) => "good",
        (_, StoryTone::Warn) => "care",
        (_, StoryTone::Bad) => "bad",
        (_, StoryTone::News | StoryTone::Aside) => "",
    }
}

const fn mood_of_delivery(what: &DeliveryWhat) -> &'static str {
    match what {
        DeliveryWhat::Deferred { .. } => "wait",
        DeliveryWhat::DeadLettered { .. } => "bad",
        DeliveryWhat::Attempted { .. } => "care",
        DeliveryWhat::Delivered { .. } => "good",
        DeliveryWhat::Requeued { .. } | DeliveryWhat::Cancelled { .. } => "",
    }
}

/// What a state of a delivery is called.
pub(super) fn state(lang: Lang, stored: &str) -> (crate::http::pages::parts::Mood, String) {
    use crate::http::pages::parts::Mood;
    let (mood, word) = match stored {
        "delivered" => (Mood::Good, lang.pick("Livré", "Delivered")),
        "waiting" => (Mood::Wait, lang.pick("En route", "On its way")),
        "retrying" => (Mood::Care, lang.pick("Nouvel essai", "Another try")),
        "held_rate" => (Mood::Wait, lang.pick("Limite horaire", "Hourly limit")),
        "held_window" => (Mood::Wait, lang.pick("Hors fenêtre", "Outside the window")),
        "dead_lettered" => (Mood::Bad, lang.pick("Abandonné", "Given up")),
        "cancelled" => (Mood::None, lang.pick("Annulé", "Cancelled")),
        other => return (Mood::None, other.replace('_', " ")),
    };
    (mood, word.to_owned())
}
