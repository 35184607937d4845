//! What happened to a delivery.

use chrono::{DateTime, Utc};
use render_signal_actors::story::DeliveryWhat;

use super::{StoryLine, StoryTone, Teller};
use crate::lang::Lang;
use crate::words::reasons;
use crate::words::recorded::plain;

impl Teller {
    /// What happened to a delivery at this instant. What the receiver answered is not in it.
    pub(crate) fn delivery(self, what: &DeliveryWhat, at: DateTime<Utc>) -> StoryLine {
        let pick = |french, english| self.lang.pick(french, english);
        match what {
            DeliveryWhat::Attempted { attempt, url, error, took_ms, .. } => {
                let tone = if error.is_some() { StoryTone::Warn } else { StoryTone::Aside };
                let came_to = match error {
                    Some(error) => plain(self.lang, error),
                    None => pick("accepté", "taken").into(),
                };
                let (number, to) = (pick("nº", "number"), pick("vers", "to"));
                let text =
                    format!("{number} {attempt} {to} {url}, {took_ms} ms{}{came_to}", self.lang.colon());
                StoryLine::on(tone, pick("essai", self.brief("attempted", "attempt")), text)
            }
            DeliveryWhat::Delivered { status } => {
                StoryLine::why(StoryTone::Good, pick("livré", "delivered"), format!("HTTP {status}"))
            }
            DeliveryWhat::Deferred { until, why, detail } => StoryLine::on(
                StoryTone::Aside,
                pick("attend", "waits"),
                self.deferred((*until, at), why, detail.as_deref()),
            ),
            DeliveryWhat::DeadLettered { why } => StoryLine::why(
                StoryTone::Bad,
                pick("abandonné", "given up"),
                plain(self.lang, why).into_owned(),
            ),
            DeliveryWhat::Requeued { by, again: true } => {
                let word = pick("envoyé à nouveau", self.brief("once more", "sent once more"));
                StoryLine::on(StoryTone::Aside, word, self.by(by))
            }
            DeliveryWhat::Requeued { by, again: false } => {
                StoryLine::on(StoryTone::Aside, pick("remis en file", "sent again"), self.by(by))
            }
            DeliveryWhat::Cancelled { by } => StoryLine::on(
                StoryTone::Aside,
                pick("annulé", "cancelled"),
                format!("{} {by}", pick("par", "by")),
            ),
        }
    }

    /// Until when it waits, as seen from when it was put off, and what for.
    fn deferred(
        self,
        (until, at): (DateTime<Utc>, DateTime<Utc>),
        why: &str,
        detail: Option<&str>,
    ) -> String {
        let detail = detail
            .map_or_else(String::new, |detail| format!("{}{}", self.lang.colon(), plain(self.lang, detail)));
        let until = self.depth.until(self.lang, until, at);
        match (self.lang, why) {
            (Lang::En, _) if self.is_terse() => format!("{until} ({why}{detail})"),
            // It is due as soon as somebody enables the target; the instant says nothing.
            (_, "target_disabled") => self
                .lang
                .pick("que la destination soit réactivée", "until the target is switched on again")
                .to_owned(),
            _ => format!("{until} ({}{detail})", reasons::deferred(self.lang, why)),
        }
    }
}
