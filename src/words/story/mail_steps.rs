//! What became of a mail, step by step, in words.

use chrono::{DateTime, Utc};
use render_signal_actors::mail::life::{
    DeliveryEnd, LinkOffloaded, Location, MailHeld, MailIgnored, MailReceived, MailRouted,
};
use render_signal_actors::mail::{HoldReason, IgnoreReason};

use super::super::reasons;
use super::super::recorded::plain;
use super::super::when::Depth;
use super::{StoryLine, StoryTone, Teller};
use crate::lang::Lang;

/// The folder of a mailbox: `INBOX` of `imap.example.fr/me@example.fr/INBOX`. A folder may have
/// parts of its own.
pub(super) fn folder(mailbox: &str) -> &str {
    match mailbox.splitn(3, '/').collect::<Vec<_>>().as_slice() {
        [host, user, folder] if !host.is_empty() && user.contains('@') => folder,
        _ => mailbox.rsplit('/').find(|part| !part.is_empty()).unwrap_or(mailbox),
    }
}

/// A size as it is said: `18 Ko`.
pub(super) fn size(lang: Lang, bytes: u64) -> String {
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

impl Teller {
    pub(super) fn received(self, mail: &MailReceived) -> String {
        match self.depth {
            Depth::Exact => self.place(&mail.location),
            Depth::Local(_) => format!("{}, {}", self.place(&mail.location), size(self.lang, mail.size)),
        }
    }

    pub(super) fn ignored(self, ignored: &MailIgnored) -> StoryLine {
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

    pub(super) fn held(self, held: &MailHeld, at: DateTime<Utc>) -> String {
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

    pub(super) fn routed(self, routed: &MailRouted) -> String {
        let targets: Vec<&str> = routed.deliveries.iter().map(|one| one.target.as_str()).collect();
        let links = self.links(u64::try_from(routed.links.len()).unwrap_or(u64::MAX));
        format!("{} {}, {links}", self.lang.pick("à", "to"), targets.join(", "))
    }

    pub(super) fn offloaded(self, link: &LinkOffloaded) -> StoryLine {
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

    pub(super) fn settled(self, target: &str, end: DeliveryEnd) -> StoryLine {
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
    pub(super) fn place(self, location: &Location) -> String {
        let Location { mailbox, validity, item } = location;
        let to = self.lang.pick("dans", "in");
        match self.depth {
            Depth::Exact => format!("{to} {mailbox} ({validity}, {item})"),
            Depth::Local(_) if location.is_pushed() => self.lang.pick("par HTTP", "by HTTP").to_owned(),
            Depth::Local(_) => format!("{to} {}", folder(mailbox)),
        }
    }

    /// Who wanted it.
    pub(super) fn by(self, by: &str) -> String {
        match self.lang {
            Lang::Fr => format!("à la demande de {by}"),
            Lang::En => format!("{} {by}", self.brief("wanted by", "by")),
        }
    }

    pub(super) fn links(self, count: u64) -> String {
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
    pub(super) fn held_by(self, reason: HoldReason) -> String {
        if self.is_terse() {
            reason.as_str().replace('_', " ")
        } else {
            reasons::held(self.lang, reason).to_owned()
        }
    }

    /// English at a terminal has the journal's own words, which scripts look for.
    pub(super) fn is_terse(self) -> bool {
        self.lang == Lang::En && self.depth == Depth::Exact
    }

    /// The journal's word, or the one that makes a sentence.
    pub(super) fn brief(self, journal: &'static str, sentence: &'static str) -> &'static str {
        if self.is_terse() { journal } else { sentence }
    }
}
