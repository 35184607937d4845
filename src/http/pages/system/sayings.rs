//! The texts of `/systeme` that have numbers or names in them.

use super::words::Words;
use crate::http::pages::clock::PageClock;
use crate::lang::Lang;

impl Words {
    /// What a part of the page could not be made of.
    pub(super) fn unknown(lang: Lang, why: &str) -> String {
        lang.say("Ne peut pas être lu pour l'instant", "Cannot be read at the moment", why)
    }

    /// How many events behind the most advanced worker.
    pub(super) fn behind(clock: PageClock, position: u64, head: u64) -> String {
        let at = clock.number(position);
        let behind = usize::try_from(head.saturating_sub(position)).unwrap_or(usize::MAX);
        if behind == 0 {
            return match clock.lang {
                Lang::Fr => format!("{at}, à jour"),
                Lang::En => format!("{at}, up to date"),
            };
        }
        let count = clock.lang.count(behind, ["événement", "événements"], ["event", "events"]);
        match clock.lang {
            Lang::Fr => format!("{at}, {count} de retard"),
            Lang::En => format!("{at}, {count} behind"),
        }
    }

    /// Mails that wait in a mailbox.
    pub(super) fn waiting_mails(lang: Lang, mails: u64) -> String {
        let mails = usize::try_from(mails).unwrap_or(usize::MAX);
        match mails {
            0 => lang.pick("rien n'y attend", "nothing waits there").to_owned(),
            _ => lang.count(
                mails,
                ["mail y attend", "mails y attendent"],
                ["mail waits there", "mails wait there"],
            ),
        }
    }

    /// Documents that another worker runs in another version.
    pub(super) fn other_documents(lang: Lang, names: &str) -> String {
        lang.say("d'autres versions que ce processus", "other versions than this worker", names)
    }

    /// How many workers run a document.
    pub(super) fn running(lang: Lang, running: usize, alive: usize) -> String {
        match lang {
            Lang::Fr => format!("{running} processus sur {alive}"),
            Lang::En => format!("{running} of {alive} workers"),
        }
    }

    /// What an import has done.
    pub(super) fn imported(lang: Lang, documents: usize) -> String {
        let count = lang.count(
            documents,
            ["document a été importé", "documents ont été importés"],
            ["document was imported", "documents were imported"],
        );
        count + "."
    }

    /// The documents that an import would change.
    pub(super) fn would_change(lang: Lang, documents: usize) -> String {
        lang.count(
            documents,
            ["document changerait", "documents changeraient"],
            ["document would change", "documents would change"],
        )
    }

    /// A list that was written anew.
    pub(super) fn rebuilt(lang: Lang, entries: usize) -> String {
        let count = lang.count(entries, ["entrée", "entrées"], ["entry", "entries"]);
        match lang {
            Lang::Fr => format!("La liste a été réécrite\u{a0}: {count}."),
            Lang::En => format!("The list was written anew: {count}."),
        }
    }

    /// A deployment that Render's API has begun.
    pub(super) fn deployed(lang: Lang, id: Option<&str>, status: &str) -> String {
        let id = id.map(|id| format!(" {id}")).unwrap_or_default();
        match lang {
            Lang::Fr => format!("Déploiement{id} lancé chez Render ({status})."),
            Lang::En => format!("Deployment{id} begun at Render ({status})."),
        }
    }

    /// Render did not take a deployment.
    pub(super) fn not_deployed(lang: Lang, why: &str) -> String {
        lang.say("Render n'a pas pris la demande", "Render did not take it", why)
    }

    /// Commits that the server of the journal has lost.
    pub(super) fn lost(clock: PageClock, known: u64, found: u64) -> String {
        let (known, found) = (clock.number(known), clock.number(found));
        match clock.lang {
            Lang::Fr => format!(
                "le serveur a perdu des écritures confirmées\u{a0}: il en était à {known}, il est revenu à {found}"
            ),
            Lang::En => {
                format!("the server lost acknowledged commits: it was at {known}, it came back at {found}")
            }
        }
    }

    /// Sign-in links, which are only counted.
    pub(super) fn links(lang: Lang, count: usize) -> String {
        lang.count(count, ["lien", "liens"], ["link", "links"])
    }

    /// How many workers there were before.
    pub(super) fn earlier(lang: Lang, count: usize) -> String {
        lang.count(count, ["processus d'avant", "processus d'avant"], ["earlier worker", "earlier workers"])
    }
}
