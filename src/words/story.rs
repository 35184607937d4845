//! What happened to a mail and to its deliveries: each event as a word and what is said of it, for
//! columns, and as a sentence, for a page.
//!
//! A [`Teller`] has a language and says how exactly it speaks. What it says of a mail's sender and
//! subject is nothing: those are kept elsewhere and are erased ([`crate::words`] holds no content).

mod delivery;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use render_signal_actors::config::history::DecidedUnder;
use render_signal_actors::mail::life::{
    DeliveryEnd, LinkOffloaded, Location, MailEvent, MailHeld, MailIgnored, MailReceived, MailRouted,
};
use render_signal_actors::mail::{HoldReason, IgnoreReason};
use render_signal_actors::story::{Decided, DeliveryStep, Step};

use super::reasons;
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

    fn received(self, mail: &MailReceived) -> String {
        match self.depth {
            Depth::Exact => self.place(&mail.location),
            Depth::Local(_) => format!("{}, {}", self.place(&mail.location), size(self.lang, mail.size)),
        }
    }

    fn ignored(self, ignored: &MailIgnored) -> StoryLine {
        let word = self.lang.pick("ignoré", "ignored");
        if let Some(by) = &ignored.by {
            return StoryLine::on(StoryTone::Aside, word, self.by(by));
        }
        let reason = self.ignored_by(ignored.reason);
        let detail = ignored
            .detail
            .as_ref()
            .map_or_else(String::new, |detail| format!("{}{}", self.lang.colon(), plain(self.lang, detail)));
        StoryLine::why(StoryTone::Aside, word, format!("{reason}{detail}"))
    }

    fn held(self, held: &MailHeld, at: DateTime<Utc>) -> String {
        let reason = self.held_by(held.reason);
        let Some(until) = held.until else {
            let changed = self
                .lang
                .pick(", jusqu'à un changement de configuration", ", until the configuration changes");
            return format!("{reason}{}", if self.is_terse() { "" } else { changed });
        };
        let until = self.depth.until(self.lang, until, at);
        match self.depth {
            Depth::Exact => {
                format!("{reason}, {until} {}", self.lang.pick("au plus tard", "at the latest"))
            }
            Depth::Local(_) => format!("{reason} {until}"),
        }
    }

    fn routed(self, routed: &MailRouted) -> String {
        let targets: Vec<&str> = routed.deliveries.iter().map(|one| one.target.as_str()).collect();
        let links = self.links(u64::try_from(routed.links.len()).unwrap_or(u64::MAX));
        format!("{} {}, {links}", self.lang.pick("à", "to"), targets.join(", "))
    }

    fn offloaded(self, link: &LinkOffloaded) -> StoryLine {
        let LinkOffloaded { raw_url, r2_url, reused_from, .. } = link;
        match self.lang {
            Lang::Fr => {
                let word = if reused_from.is_some() { "déjà copié" } else { "copié" };
                StoryLine::why(StoryTone::Good, word, format!("{raw_url} se trouve à {r2_url}"))
            }
            Lang::En => {
                let copied = if reused_from.is_some() { "copied before" } else { "copied" };
                StoryLine::why(
                    StoryTone::Good,
                    self.brief("offloaded", copied),
                    format!("{raw_url} lies at {r2_url}"),
                )
            }
        }
    }

    fn settled(self, target: &str, end: DeliveryEnd) -> StoryLine {
        let tone = StoryTone::Good;
        let ended = match (self.is_terse(), end) {
            (true, DeliveryEnd::DeadLettered) => "dead lettered",
            _ => reasons::ended(self.lang, end),
        };
        match self.lang {
            Lang::Fr => StoryLine::on(tone, "terminé", format!("pour {target} : {ended}")),
            Lang::En if self.is_terse() => StoryLine::why(tone, "settled", format!("{target}: {ended}")),
            Lang::En => StoryLine::on(tone, "settled", format!("for {target}: {ended}")),
        }
    }

    /// Where a mail lies.
    fn place(self, location: &Location) -> String {
        let Location { mailbox, validity, item } = location;
        let to = self.lang.pick("dans", "in");
        match self.depth {
            Depth::Exact => format!("{to} {mailbox} ({validity}, {item})"),
            Depth::Local(_) if location.is_pushed() => self.lang.pick("par HTTP", "by HTTP").to_owned(),
            Depth::Local(_) => format!("{to} {}", folder(mailbox)),
        }
    }

    /// Who wanted it.
    fn by(self, by: &str) -> String {
        match self.lang {
            Lang::Fr => format!("à la demande de {by}"),
            Lang::En => format!("{} {by}", self.brief("wanted by", "by")),
        }
    }

    fn links(self, count: u64) -> String {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.lang.count(count, ["lien", "liens"], ["link", "links"])
    }

    /// Why nothing is sent: the code's own words where the journal's are wanted.
    fn ignored_by(self, reason: IgnoreReason) -> String {
        if self.is_terse() {
            reason.as_str().replace('_', " ")
        } else {
            reasons::ignored(self.lang, reason).to_owned()
        }
    }

    /// Why a mail waits: the same.
    fn held_by(self, reason: HoldReason) -> String {
        if self.is_terse() {
            reason.as_str().replace('_', " ")
        } else {
            reasons::held(self.lang, reason).to_owned()
        }
    }

    /// English at a terminal has the journal's own words, which scripts look for.
    fn is_terse(self) -> bool {
        self.lang == Lang::En && self.depth == Depth::Exact
    }

    /// The journal's word, or the one that makes a sentence.
    fn brief(self, journal: &'static str, sentence: &'static str) -> &'static str {
        if self.is_terse() { journal } else { sentence }
    }
}

/// The folder of a mailbox: `INBOX` of `imap.example.fr/me@example.fr/INBOX`. A folder may have
/// parts of its own.
fn folder(mailbox: &str) -> &str {
    match mailbox.splitn(3, '/').collect::<Vec<_>>().as_slice() {
        [host, user, folder] if !host.is_empty() && user.contains('@') => folder,
        _ => mailbox.rsplit('/').find(|part| !part.is_empty()).unwrap_or(mailbox),
    }
}

/// A size as it is said: `18 Ko`.
fn size(lang: Lang, bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    match bytes {
        0..KIB => {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            lang.count(bytes, ["octet", "octets"], ["byte", "bytes"])
        }
        KIB..MIB => format!("{} {}", (bytes + KIB / 2) / KIB, lang.pick("Ko", "KB")),
        _ => {
            let tenths = (bytes.saturating_mul(10) / MIB).max(10);
            let point = lang.pick(",", ".");
            format!("{}{point}{} {}", tenths / 10, tenths % 10, lang.pick("Mo", "MB"))
        }
    }
}
