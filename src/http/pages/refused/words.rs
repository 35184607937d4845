//! Why something is not granted, and what to do.

use crate::http::pages::words::words;

words! {
    Words;
    not_found: "Introuvable", "Not found";
    not_found_text: "Il n'y a rien, ou plus rien, à cette adresse. Vérifiez-la, ou revenez à l'accueil.",
        "There is nothing, or nothing any more, at this address. Check it, or go back to the start.";
    forbidden: "Accès refusé", "Not allowed";
    forbidden_text: "Cette page n'est pas ouverte ainsi. Connectez-vous, puis réessayez.",
        "This page is not open in this way. Sign in, then try again.";
    foreign: "Demande venue d'un autre site", "Sent by another site";
    foreign_text: "Un autre site a envoyé cette demande\u{a0}: rien n'a été fait. Ouvrez la page ici, et recommencez.",
        "Another site sent this request: nothing was done. Open the page here, and do it again.";
    too_many: "Trop de demandes", "Too many requests";
    too_many_text: "Attendez un moment, puis réessayez.", "Wait a moment, then try again.";
    away: "Indisponible pour le moment", "Not available now";
    away_text: "Le programme démarre, ou n'atteint pas son journal. Rien de nouveau n'est pris\u{a0}: les mails restent dans la boîte. Réessayez\u{a0}; si cela dure, l'état du service, /readyz, et ses journaux disent pourquoi.",
        "The program is starting, or does not reach its journal. Nothing new is taken in: mails stay in the mailbox. Try again; if this goes on, the state of the service, /readyz, and its logs say why.";
    fault: "Défaut du programme", "A fault of the program";
    fault_text: "Le programme a rencontré un défaut, décrit dans ses journaux. Réessayez\u{a0}; si cela revient, signalez-le à la personne qui l'exploite.",
        "The program met a fault, which its logs describe. Try again; if it comes back, tell the person who runs it.";
    refused: "Demande refusée", "Refused";
    refused_text: "Cette demande ne peut pas être traitée telle quelle\u{a0}: rien n'a été fait. Revenez à la page précédente, et recommencez.",
        "This request cannot be handled as it is: nothing was done. Go back to the page before, and do it again.";
    code: "Code\u{a0}:", "Code:";
    back: "Revenir à l'accueil", "Back to the start";
    again: "Réessayer", "Try again";
    expired: "Session terminée", "Your session has ended";
    expired_text: "Ce que vous avez saisi n'est pas perdu\u{a0}: il est dans cette page. Reconnectez-vous dans un autre onglet, revenez ici, et envoyez-le.",
        "What you typed is not lost: this page has it. Sign in again in another tab, come back here, and send it.";
    sign_in: "1. Se reconnecter (nouvel onglet)", "1. Sign in again (new tab)";
    send_again: "2. Envoyer ce que j'avais saisi", "2. Send what I had typed";
    too_long: "Ce que vous aviez envoyé est trop long pour être gardé. Revenez à la page précédente\u{a0}: votre navigateur l'a peut-être encore.",
        "What you had sent is too long to be kept. Go back to the page before: your browser may still have it.";
}

impl Words {
    /// When to try again.
    pub(super) fn soon(&self, seconds: u64, lang: crate::lang::Lang) -> String {
        lang.pick("Réessayez dans N s.", "Try again in N s.").replace('N', &seconds.to_string())
    }
}
