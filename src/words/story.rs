//! What happened to a mail and to its deliveries: each event as a word and what is said of it, for
//! columns, and as a sentence, for a page.
//!
//! A [`Teller`] has a language and says how exactly it speaks. What it says of a mail's sender and
//! subject is nothing: those are kept elsewhere and are erased ([`crate::words`] holds no content).

mod delivery;
mod mail_steps;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use render_signal_actors::config::history::DecidedUnder;
use render_signal_actors::mail::life::MailEvent;
use render_signal_actors::story::{Decided, DeliveryStep, Step};

use super::recorded::plain;
use super::when::Depth;
use crate::lang::Lang;

/// How something that happened is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoryTone {
    /// Something begins.
    News,
    /// By the way.
    Aside,
    /// All is well.
    Good,
    /// Look at this.
    Warn,
    /// Wrong.
    Bad,
}

/// What is said of something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoryLine {
    /// How it is to be taken.
    pub(crate) tone: StoryTone,
    /// What it was, such as `held`: for the column before the text.
    pub(crate) word: &'static str,
    /// What is said of it. Addresses, names and the words of receivers stand in it as they came:
    /// whoever shows it makes it fit for the place, as `Output::line` and templates do.
    pub(crate) text: String,
    joint: Joint,
}

/// What stands between the word and the text of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    Blank,
    Colon,
}

impl StoryLine {
    /// The word, a colon and why.
    const fn why(tone: StoryTone, word: &'static str, text: String) -> Self {
        Self { tone, word, text, joint: Joint::Colon }
    }

    /// The word and how it goes on.
    const fn on(tone: StoryTone, word: &'static str, text: String) -> Self {
        Self { tone, word, text, joint: Joint::Blank }
    }

    /// All of it, with a capital letter and without a full stop: "Reçu dans INBOX, 18 Ko".
    pub(crate) fn sentence(&self, lang: Lang) -> String {
        let mut letters = self.word.chars();
        let first = letters.next().map(char::to_uppercase).into_iter().flatten();
        let between = match self.joint {
            Joint::Blank => " ",
            Joint::Colon => lang.colon(),
        };
        first.chain(letters).chain(between.chars()).chain(self.text.chars()).collect()
    }
}

/// Who puts events into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Teller {
    /// In which language.
    pub(crate) lang: Lang,
    /// How exactly.
    pub(crate) depth: Depth,
}

/// Characters of the column that holds a [`StoryLine::word`].
pub(crate) const fn column(lang: Lang) -> usize {
    match lang {
        Lang::Fr => 17,
        Lang::En => 12,
    }
}

impl Teller {
    /// For a terminal: instants and places exactly as the journal has them.
    pub(crate) const fn exact(lang: Lang) -> Self {
        Self { lang, depth: Depth::Exact }
    }

    /// A step of a mail's story.
    pub(crate) fn mail_step(self, step: &Step) -> StoryLine {
        self.mail(&step.known, step.at)
    }

    /// A step of a delivery's story. What the receiver answered is not in it.
    pub(crate) fn delivery_step(self, step: &DeliveryStep) -> StoryLine {
        self.delivery(&step.what, step.at)
    }

    /// What happened to a mail at this instant.
    pub(crate) fn mail(self, event: &MailEvent, at: DateTime<Utc>) -> StoryLine {
        let pick = |french, english| self.lang.pick(french, english);
        let by = |word, by: &str| StoryLine::on(StoryTone::Good, word, self.by(by));
        match event {
            MailEvent::Received(mail) => {
                StoryLine::on(StoryTone::News, pick("reçu", "received"), self.received(mail))
            }
            MailEvent::Duplicated(copy) => {
                let text = match (self.lang, self.depth) {
                    (Lang::En, Depth::Exact) => format!("a further copy {}", self.place(&copy.location)),
                    _ => self.place(&copy.location),
                };
                StoryLine::on(
                    StoryTone::Aside,
                    pick("autre exemplaire", self.brief("duplicated", "further copy")),
                    text,
                )
            }
            MailEvent::Ignored(ignored) => self.ignored(ignored),
            MailEvent::Skipped(skipped) => {
                let (why, detector) = (self.held_by(skipped.reason), &skipped.detector);
                let text = match self.lang {
                    Lang::Fr => format!("{why}, comme le veut le détecteur {detector}"),
                    Lang::En => format!("{why}, as the detector {detector} wants it"),
                };
                StoryLine::why(StoryTone::Warn, pick("laissé de côté", "skipped"), text)
            }
            MailEvent::Released(released) => by(pick("libéré", "released"), &released.by),
            MailEvent::Quarantined(mail) => {
                let why = plain(self.lang, &mail.why).into_owned();
                StoryLine::why(StoryTone::Bad, pick("en quarantaine", "quarantined"), why)
            }
            MailEvent::Held(held) => {
                StoryLine::why(StoryTone::Warn, pick("mis en attente", "held"), self.held(held, at))
            }
            MailEvent::Routed(routed) => {
                StoryLine::on(StoryTone::Good, pick("à envoyer", "routed"), self.routed(routed))
            }
            MailEvent::LinkOffloaded(link) => self.offloaded(link),
            MailEvent::LinkKept(link) => {
                let text = format!("{}{}{}", link.raw_url, self.lang.colon(), plain(self.lang, &link.why));
                StoryLine::why(
                    StoryTone::Warn,
                    pick("lien gardé", self.brief("kept", "source link kept")),
                    text,
                )
            }
            MailEvent::LinksKept(links) => {
                let why = plain(self.lang, &links.why);
                let text = format!("{}{}{why}", self.links(links.count), self.lang.colon());
                StoryLine::why(
                    StoryTone::Warn,
                    pick("liens gardés", self.brief("kept", "source links kept")),
                    text,
                )
            }
            MailEvent::LinksDeferred(links) => {
                let (count, why) = (self.links(links.count), plain(self.lang, &links.why));
                let latest = self.depth.at(self.lang, links.until, at);
                let one = links.count < 2;
                let text = match self.lang {
                    Lang::Fr if one => format!(
                        "{count} ne peut pas être copié pour l'instant ({why}) ; il est envoyé {latest} au plus tard"
                    ),
                    Lang::Fr => format!(
                        "{count} ne peuvent pas être copiés pour l'instant ({why}) ; ils sont envoyés {latest} au plus tard"
                    ),
                    Lang::En => {
                        format!("{count} cannot be copied now ({why}); they are sent {latest} at the latest")
                    }
                };
                StoryLine::why(
                    StoryTone::Warn,
                    pick("copie reportée", self.brief("deferred", "copies put off")),
                    text,
                )
            }
            MailEvent::Suspected(_) => StoryLine::why(
                StoryTone::Warn,
                pick("suspect", "suspected"),
                pick(
                    "lu à part, car un worker s'est arrêté pendant qu'il avait ce mail",
                    "read alone, since a worker ended while it had this mail",
                )
                .to_owned(),
            ),
            MailEvent::Cleared(_) => StoryLine::why(
                StoryTone::Good,
                pick("hors de cause", "cleared"),
                pick("il a été lu à part, et le worker vit", "it was read alone, and the worker lives")
                    .to_owned(),
            ),
            MailEvent::SetAside(aside) => {
                let why = plain(self.lang, &aside.why).into_owned();
                StoryLine::why(StoryTone::Bad, pick("mis de côté", "set aside"), why)
            }
            MailEvent::Resumed(resumed) => by(pick("repris", "resumed"), &resumed.by),
            MailEvent::Settled(settled) => self.settled(&settled.target, settled.end),
        }
    }

    /// The documents that a decision was made under, in one line.
    pub(crate) fn under(self, decided: &Decided) -> String {
        match decided {
            Decided::Unknown(unknown) => self.lang.pick("documents inconnus", unknown).to_owned(),
            Decided::Documents(documents) => self.documents(documents),
        }
    }

    /// The documents that decide, in one line.
    pub(crate) fn documents(self, documents: &[DecidedUnder]) -> String {
        if documents.is_empty() {
            return self
                .lang
                .pick(
                    "l'environnement et les valeurs par défaut : aucun document n'était en vigueur",
                    "the environment and the built-in defaults: no document was in force",
                )
                .to_owned();
        }
        documents.iter().map(|decided| self.document(decided)).collect::<Vec<_>>().join(", ")
    }

    /// One document, and how to see it.
    fn document(self, decided: &DecidedUnder) -> String {
        match decided.version {
            Some(version) => format!("{} version {version}", decided.document),
            None => {
                let unknown = self.lang.pick("(absent de l'historique)", "(not in the history)");
                format!("{} {} {unknown}", decided.document, decided.hash)
            }
        }
    }
}
