//! The texts of `/mails`.

use chrono::{DateTime, Utc};
use render_signal_actors::readmodel::queries::{Fate, Matches};

use super::bulk::BulkAction;
use super::list_query::InvalidFilter;
use crate::http::pages::clock::PageClock;
use crate::http::pages::words::words;
use crate::lang::Lang;

words! {
    Words;
    title: "Mails", "Mails";
    search: "Chercher dans les sujets et les expéditeurs", "Search subjects and senders";
    search_short: "Objet ou expéditeur", "Subject or sender";
    find: "Chercher", "Search";
    more: "Dates et destination", "Dates and target";
    clear: "Tout effacer", "Clear all";
    since: "Du", "From";
    until: "Au", "To";
    target: "Destination", "Target";
    any_target: "Toutes", "Any";
    fates: "Ce qu'ils sont devenus", "What became of them";
    reasons: "Pourquoi", "Why";
    all: "Tous", "All";
    any_reason: "Toutes les raisons", "Any reason";
    list: "Mails, du plus récent au plus ancien", "Mails, newest first";
    pages: "Pages", "Pages";
    newer: "Plus récents", "Newer";
    older: "Plus anciens", "Older";
    go_on: "Continuer la recherche", "Go on searching";
    unreadable: "mail illisible", "unreadable mail";
    no_subject: "sans objet", "no subject";
    urgent: "urgent", "urgent";
    incomplete: "La recherche n'a pas encore lu tous les mails\u{a0}: il peut en manquer pour quelques instants.",
        "The search has not read every mail yet: some may be missing for a moment.";
    short_page: "Rien de plus sur cette page, mais la recherche n'est pas finie.",
        "Nothing more on this page, but the search is not over.";
    gone: "Il n'y a plus de mails par ici.", "There are no more mails this way.";
    not_a_day: "n'est pas une date\u{a0}; attendu\u{a0}: AAAA-MM-JJ", "is not a date; expected: YYYY-MM-DD";
    not_in_order: "est avant le début", "is before the beginning";
    no: "Annuler", "Cancel";
    nothing_done: "Il n'y avait rien à faire\u{a0}: tout a déjà changé.", "There was nothing to do: all of it has changed already.";
}

impl Words {
    /// What a fate is called in a list.
    pub(super) const fn fate(fate: Fate, lang: Lang) -> &'static str {
        match fate {
            Fate::Delivered => lang.pick("Livrés", "Delivered"),
            Fate::Waiting => lang.pick("En attente", "Waiting"),
            Fate::Ignored => lang.pick("Ignorés", "Ignored"),
            Fate::Failed => lang.pick("En échec", "Failed"),
            Fate::Unreadable => lang.pick("Quarantaine", "Quarantine"),
        }
    }

    /// How many there are.
    pub(super) fn count(clock: PageClock, matches: Matches) -> String {
        let n = clock.number(matches.count);
        let many = matches.count > 1 || (matches.count == 0 && clock.lang == Lang::En);
        let mails = if many { "mails" } else { "mail" };
        let more = if matches.capped { clock.lang.pick("plus de ", "more than ") } else { "" };
        format!("{more}{n}\u{a0}{mails}")
    }

    /// From when to when.
    pub(super) fn span(clock: PageClock, since: DateTime<Utc>, until: DateTime<Utc>) -> String {
        let (since, until) = (clock.short(since), clock.short(until));
        clock.lang.either(
            format!("Reçus entre {since} et {until}"),
            format!("Received between {since} and {until}"),
        )
    }

    /// How many have come since.
    pub(super) fn news(lang: Lang, matches: Matches) -> String {
        let n = usize::try_from(matches.count).unwrap_or(usize::MAX);
        let said = lang.count(n, ["nouveau mail", "nouveaux mails"], ["new mail", "new mails"]);
        if matches.capped { format!("{} {said}", lang.pick("plus de", "more than")) } else { said }
    }

    /// How many links.
    pub(super) fn links(lang: Lang, count: u64) -> String {
        let n = usize::try_from(count).unwrap_or(usize::MAX);
        lang.count(n, ["lien", "liens"], ["link", "links"])
    }

    /// What is wrong with a day.
    pub(super) const fn wrong(&self, wrong: InvalidFilter) -> &'static str {
        match wrong {
            InvalidFilter::Since | InvalidFilter::Until => self.not_a_day,
            InvalidFilter::Order => self.not_in_order,
        }
    }

    /// Why nothing is there: what that means, and what to do.
    pub(super) fn nothing(lang: Lang, text: &str, fate: Option<Fate>, narrows: bool) -> [String; 2] {
        if !text.is_empty() {
            return [
                lang.either(format!("Aucun mail ne contient « {text} »"), format!("No mail has “{text}”")),
                lang.pick(
                    "La recherche regarde l'objet et l'expéditeur\u{a0}; un bout de mot suffit, les accents ne comptent pas.",
                    "The search looks at subject and sender; a part of a word is enough, accents do not matter.",
                )
                .to_owned(),
            ];
        }
        if narrows {
            return [
                lang.pick("Aucun mail ne correspond", "No mail matches").to_owned(),
                lang.pick(
                    "Élargissez les dates ou changez de destination.",
                    "Widen the dates or choose another target.",
                )
                .to_owned(),
            ];
        }
        let [title, text] = match fate {
            None => [
                lang.pick("Aucun mail pour l'instant", "No mail yet"),
                lang.pick(
                    "Dès qu'un mail arrive dans la boîte surveillée, il est ici avec ce qu'il devient.",
                    "As soon as a mail arrives in the watched mailbox, it is here with what becomes of it.",
                ),
            ],
            Some(Fate::Delivered) => [
                lang.pick("Rien n'a encore été livré", "Nothing was delivered yet"),
                lang.pick(
                    "Un mail est livré quand toutes ses destinations ont accepté.",
                    "A mail is delivered when all its targets have taken it.",
                ),
            ],
            Some(Fate::Waiting) => [
                lang.pick("Rien n'attend", "Nothing waits"),
                lang.pick("Tout ce qui devait partir est parti.", "All that was to be sent was sent."),
            ],
            Some(Fate::Ignored) => [
                lang.pick("Aucun mail n'a été ignoré", "No mail was ignored"),
                lang.pick(
                    "Les mails pour lesquels rien n'est envoyé sont ici, avec la raison.",
                    "Mails for which nothing is sent are here, with the reason.",
                ),
            ],
            Some(Fate::Failed) => [
                lang.pick("Aucun échec", "No failure"),
                lang.pick(
                    "Aucun webhook n'a été abandonné\u{a0}: rien à renvoyer.",
                    "No webhook was given up: nothing to send again.",
                ),
            ],
            Some(Fate::Unreadable) => [
                lang.pick("La quarantaine est vide", "The quarantine is empty"),
                lang.pick("Tous les mails ont pu être lus.", "Every mail could be read."),
            ],
        };
        [title.to_owned(), text.to_owned()]
    }

    /// The button of an action, the question, and what will happen.
    pub(super) fn action(
        clock: PageClock,
        action: BulkAction,
        matches: Matches,
        at_once: usize,
    ) -> [String; 3] {
        let lang = clock.lang;
        let mails = Self::count(clock, matches);
        let [button, text] = match action {
            BulkAction::Retry => [
                lang.pick("Renvoyer", "Send again"),
                lang.pick(
                    "Ce qui a été abandonné repart avec les mêmes octets et le même identifiant.",
                    "What was given up goes out again with the same bytes and the same id.",
                ),
            ],
            BulkAction::Release => [
                lang.pick("Libérer", "Release"),
                lang.pick(
                    "Départ immédiat, quoi que disent les règles et la fenêtre.",
                    "They go out at once, whatever the rules and the window say.",
                ),
            ],
            BulkAction::Ignore => {
                [lang.pick("Ignorer", "Ignore"), lang.pick("Rien ne sera envoyé.", "Nothing will be sent.")]
            }
        };
        let limit = if matches.capped || matches.count > at_once as u64 {
            lang.either(
                format!(" Les {at_once} plus récents d'abord."),
                format!(" The newest {at_once} first."),
            )
        } else {
            String::new()
        };
        let question = lang.pick("\u{a0}?", "?");
        [format!("{button} {mails}"), format!("{button} {mails}{question}"), format!("{text}{limit}")]
    }

    /// What came of an action.
    pub(super) fn done(clock: PageClock, action: BulkAction, done: u64) -> String {
        let lang = clock.lang;
        let mails = Self::count(clock, Matches { count: done, capped: false });
        let word = match (action, done > 1) {
            (BulkAction::Retry, _) => lang.pick("remis en route", "sent again"),
            (BulkAction::Release, false) => lang.pick("libéré", "released"),
            (BulkAction::Release, true) => lang.pick("libérés", "released"),
            (BulkAction::Ignore, false) => lang.pick("ignoré", "ignored"),
            (BulkAction::Ignore, true) => lang.pick("ignorés", "ignored"),
        };
        format!("{mails} {word}.")
    }

    /// How many it could not be done about, and why the first of them not.
    pub(super) fn refused(clock: PageClock, count: u64, why: &str) -> String {
        let n = clock.number(count);
        let refused = if count > 1 { "refusés" } else { "refusé" };
        clock.lang.either(format!(" {n} {refused}\u{a0}: {why}"), format!(" {n} refused: {why}"))
    }

    /// There are more.
    pub(super) const fn more_left(lang: Lang) -> &'static str {
        lang.pick(
            " Il en reste\u{a0}: recommencez pour la suite.",
            " There are more: do it again for the rest.",
        )
    }
}
