//! What is said of documents, whichever page edits them.

use crate::http::pages::words::words;
use crate::lang::Lang;

words! {
    Words;
    nothing_new: "Rien à enregistrer : c'était déjà ainsi.", "Nothing to save: it was so already.";
    what: "Réglage", "Setting";
    hidden: "(la partie masquée diffère)", "(the masked part differs)";
    not_set: "non défini", "not set";
    conflict: "Quelqu'un d'autre a enregistré entre-temps", "Somebody else has saved meanwhile";
    both_sides: "Les deux versions", "Both versions";
    theirs: "Enregistré par l'autre", "Saved by the other";
    mine: "Votre saisie", "What you entered";
    stored: "Enregistré", "Stored";
    in_force: "En vigueur", "In force";
    in_force_other: "Ce qui est en vigueur est encore autre chose", "What is in force is something else again";
    last_change: "Dernier changement :", "Last change:";
    take_mine: "Enregistrer ma saisie", "Save what I entered";
    keep_theirs: "Laisser la version de l'autre", "Leave the other version";
    other_fields: "Les autres réglages restent comme ils sont enregistrés. Rien n'est perdu : chaque version reste dans l'historique.",
        "All other settings stay as they are stored. Nothing is lost: every version stays in the history.";
    history: "Historique", "History";
    history_lead: "Chaque changement est une version : qui, quand, quoi. Une version peut être rétablie ; cela en fait une nouvelle.",
        "Every change is a version: who, when, what. A version can be restored; that makes a new one.";
    documents: "Documents", "Documents";
    never: "Jamais changé", "Never changed";
    versions: "Versions, la plus récente d'abord", "Versions, the newest first";
    version: "version", "version";
    to_settings: "Modifier", "Edit";
    all_histories: "Tous les historiques", "All histories";
    no_history: "Pas encore d'historique", "No history yet";
    no_history_text: "Le premier changement y paraîtra.", "The first change will appear here.";
    older: "Plus anciennes", "Older ones";
    removed: "Document supprimé", "Document removed";
    whole: "Document entier", "The whole document";
    lost: "Jamais en vigueur", "Never in force";
    newest: "Actuelle", "Current";
    gone: "Copie effacée", "Copy erased";
    before: "Avant", "Before";
    after: "Après", "After";
    then: "Dans cette version", "In this version";
    now: "Maintenant", "Now";
    since: "Ce qui a changé depuis", "What has changed since";
    changed_by_it: "Ce que cette version a changé", "What this version changed";
    stored_now: "Ce qui est enregistré maintenant", "What is stored now";
    compare_with: "Comparer avec", "Compare with";
    compare: "Comparer", "Compare";
    no_difference: "Aucune différence.", "No difference.";
    back_to_history: "Historique", "History";
    way_back: "Rétablir cette version", "Restore this version";
    would_change: "Voici ce qui changerait :", "This is what would change:";
    restored_to: "Rétabli", "Restored";
    restore: "Rétablir", "Restore";
    cancel: "Annuler", "Cancel";
    is_stored: "C'est exactement ce qui est enregistré maintenant.", "This is exactly what is stored now.";
    not_restored: "La version n'a pas été rétablie, elle n'est plus valable :", "The version was not restored, it is not valid any more:";
    removed_text: "Par cette version, le document a été supprimé : il n'y a rien à rétablir.", "By this version the document was removed: there is nothing to restore.";
    not_kept: "Le contenu de cette version n'est plus gardé : elle ne peut pas être rétablie.", "The content of this version is kept no longer: it cannot be restored.";
    changed_meanwhile: "Quelqu'un d'autre a enregistré entre-temps : rien n'a été changé. Voici ce que rétablir changerait maintenant.",
        "Somebody else has saved meanwhile: nothing was changed. This is what restoring would change now.";
    decide: "Décider", "Decide";
    last_good: "la dernière version valable reste en vigueur", "the last good version stays in force";
    off_obeyed: "l'interrupteur qu'il contient est sur arrêt, et cela compte", "the switch in it says off, and that counts";
    authority: "En vigueur", "In force";
    pending_side: "L'autre version", "The other version";
    pending_by: "L'autre version :", "The other version:";
    pending_unknown: "Le contenu de l'autre version n'est pas encore dans l'historique ; rechargez la page dans un instant.",
        "The content of the other version is not in the history yet; reload the page in a moment.";
    keep_authority: "Garder ce qui est en vigueur", "Keep what is in force";
    keep_pending: "Prendre l'autre version", "Take the other version";
    other_side_stays: "La version qui n'est pas prise reste dans l'historique et peut être rétablie.",
        "The version that is not taken stays in the history and can be restored.";
    decided: "C'est décidé ; l'autre version reste dans l'historique.", "It is decided; the other version stays in the history.";
    decided_already: "Il n'y a plus rien à décider : une seule version est enregistrée.", "There is nothing to decide any more: one version is stored.";
}

impl Words {
    pub(super) fn conflict_said(&self, lang: Lang, name: &str) -> String {
        match lang {
            Lang::Fr => format!(
                "« {name} » a été changé pendant que vous remplissiez le formulaire. Rien n'a été écrasé : choisissez."
            ),
            Lang::En => format!(
                "“{name}” was changed while you were filling in the form. Nothing was overwritten: choose."
            ),
        }
    }

    pub(super) fn degraded(&self, lang: Lang, store: &str, why: &str) -> String {
        match lang {
            Lang::Fr => format!(
                "Le stockage principal n'a pas répondu ({why}) : c'est gardé dans {store} et lui sera transmis."
            ),
            Lang::En => {
                format!("The main store did not answer ({why}): it is kept in {store} and will be handed on.")
            }
        }
    }

    pub(super) fn still_wrong(&self, lang: Lang, wrong: &str) -> String {
        match lang {
            Lang::Fr => format!("Cela n'agira pas avant que soit corrigé aussi : {wrong}."),
            Lang::En => format!("It does not act until this is mended, too: {wrong}."),
        }
    }

    pub(super) fn history_of(&self, lang: Lang, name: &str) -> String {
        lang.say("Historique", "History", name)
    }

    pub(super) fn version_of(&self, lang: Lang, number: u64, name: &str) -> String {
        match lang {
            Lang::Fr => format!("{name}, version {number}"),
            Lang::En => format!("{name}, version {number}"),
        }
    }

    pub(super) fn between(&self, lang: Lang, low: u64, high: u64) -> String {
        match lang {
            Lang::Fr => format!("De la version {low} à la version {high}"),
            Lang::En => format!("From version {low} to version {high}"),
        }
    }

    pub(super) fn numbered(&self, lang: Lang, number: u64, at: &str) -> String {
        match lang {
            Lang::Fr => format!("Version {number}, {at}"),
            Lang::En => format!("Version {number}, {at}"),
        }
    }

    pub(super) fn restored(&self, lang: Lang, number: u64, name: &str) -> String {
        match lang {
            Lang::Fr => format!("La version {number} de « {name} » est rétablie."),
            Lang::En => format!("Version {number} of “{name}” is restored."),
        }
    }

    pub(super) fn restore_it(&self, lang: Lang, number: u64, name: &str) -> String {
        match lang {
            Lang::Fr => format!("Rétablir la version {number} de « {name} » ?"),
            Lang::En => format!("Restore version {number} of “{name}”?"),
        }
    }

    pub(super) fn restore_text(&self, lang: Lang, changes: usize) -> String {
        let count = lang.count(
            changes,
            ["réglage change", "réglages changent"],
            ["setting changes", "settings change"],
        );
        match lang {
            Lang::Fr => format!("{count}. Ce qui est enregistré maintenant reste dans l'historique."),
            Lang::En => format!("{count}. What is stored now stays in the history."),
        }
    }

    pub(super) fn two_versions(&self, lang: Lang, name: &str) -> String {
        match lang {
            Lang::Fr => format!(
                "« {name} » a été changé dans deux stockages qui ne se voyaient pas : il faut choisir."
            ),
            Lang::En => format!(
                "“{name}” was changed in two stores that could not see each other: somebody has to choose."
            ),
        }
    }

    pub(super) fn two_versions_of(&self, lang: Lang, name: &str) -> String {
        lang.say("Deux versions", "Two versions", name)
    }

    pub(super) fn two_stores(&self, lang: Lang, name: &str, store: &str) -> String {
        match lang {
            Lang::Fr => format!(
                "Pendant que {store} ne répondait pas, « {name} » a été changé ailleurs, et dans {store} aussi. La version de {store} est en vigueur ; l'autre attend votre décision."
            ),
            Lang::En => format!(
                "While {store} did not answer, “{name}” was changed elsewhere, and in {store}, too. The version of {store} is in force; the other one waits for your decision."
            ),
        }
    }

    pub(super) fn store_trouble(&self, lang: Lang, store: &str, authority: bool, trouble: &str) -> String {
        match (lang, authority) {
            (Lang::Fr, true) => format!(
                "Le stockage principal ({store}) ne répond pas : {trouble}. Un changement est gardé ailleurs et lui sera transmis."
            ),
            (Lang::Fr, false) => format!("Le stockage de réserve ({store}) ne répond pas : {trouble}."),
            (Lang::En, true) => format!(
                "The main store ({store}) does not answer: {trouble}. A change is kept elsewhere and handed on."
            ),
            (Lang::En, false) => format!("The store behind it ({store}) does not answer: {trouble}."),
        }
    }

    pub(super) fn pending(&self, lang: Lang, store: &str, names: &str) -> String {
        match lang {
            Lang::Fr => format!("Attend d'être écrit dans {store} : {names}."),
            Lang::En => format!("Waits to be written to {store}: {names}."),
        }
    }

    pub(super) fn worker_keeps(&self, lang: Lang, worker: &str, why: &str) -> String {
        match lang {
            Lang::Fr => format!("Le processus {worker} garde la version d'avant : {why}."),
            Lang::En => format!("Worker {worker} keeps the version before: {why}."),
        }
    }

    pub(super) fn refused(&self, lang: Lang, name: &str, wrong: &str, meaning: &str) -> String {
        match lang {
            Lang::Fr => format!("« {name} » est refusé ({wrong}) : {meaning}."),
            Lang::En => format!("“{name}” is refused ({wrong}): {meaning}."),
        }
    }

    pub(super) fn unreadable(&self, lang: Lang, name: &str, wrong: &str) -> String {
        match lang {
            Lang::Fr => format!(
                "« {name} » ne peut pas être lu maintenant ({wrong}) : rien ne peut y être enregistré."
            ),
            Lang::En => format!("“{name}” cannot be read now ({wrong}): nothing can be saved in it."),
        }
    }

    pub(super) fn about(&self, lang: Lang, name: &str, said: &str) -> String {
        match lang {
            Lang::Fr => format!("« {name} » : {said}"),
            Lang::En => format!("“{name}”: {said}"),
        }
    }
}
