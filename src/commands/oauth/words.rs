//! What is said at the terminal and in the browser, in both languages.

use render_signal_actors::kernel::said::Said;
use render_signal_actors::oauth::TokenTrouble;
use render_signal_actors::oauth::authorize::ConsentFailure;
use render_signal_actors::oauth::authorize::listener::ConsentPages;
use render_signal_actors::said;

use crate::lang::Lang;

/// Why there is no consent, and what to do.
pub(super) fn failure(failure: &ConsentFailure) -> Said {
    match failure {
        ConsentFailure::NoWay => said!(
            "ce fournisseur n'a pas ce moyen pour une boîte\u{a0}: essayez --flow browser, ou définissez \
             IMAP_OAUTH_AUTHORIZE_URL ou IMAP_OAUTH_DEVICE_URL",
            "this provider has no such way for a mailbox: try --flow browser, or set IMAP_OAUTH_AUTHORIZE_URL or \
             IMAP_OAUTH_DEVICE_URL"
        ),
        ConsentFailure::Declined(why) => {
            said!("ce n'est pas accepté\u{a0}: {why}", "it was declined: {why}")
        }
        ConsentFailure::TooLate => said!(
            "personne n'a accepté à temps\u{a0}: recommencez (--minutes laisse plus de temps)",
            "nobody agreed in time: begin again (--minutes leaves more time)"
        ),
        ConsentFailure::NoRefreshToken => said!(
            "le fournisseur n'a pas donné de jeton de renouvellement\u{a0}: retirez l'accès de ce programme dans votre compte, \
             puis recommencez",
            "the provider gave no refresh token: withdraw this program's access in your account, then begin again"
        ),
        ConsentFailure::Foreign => said!(
            "la réponse n'est pas celle qui était attendue\u{a0}: recommencez",
            "the answer is not the one that was waited for: begin again"
        ),
        ConsentFailure::Listen(why) => said!(
            "aucun port de cette machine ne peut être écouté\u{a0}: {why}",
            "no port of this machine can be listened on: {why}"
        ),
        ConsentFailure::Provider(TokenTrouble::Away { why, .. }) => {
            said!("le fournisseur ne répond pas\u{a0}: {why}", "the provider does not answer: {why}")
        }
        ConsentFailure::Provider(TokenTrouble::Revoked(why) | TokenTrouble::Settings(why)) => said!(
            "le fournisseur refuse ({why})\u{a0}: vérifiez IMAP_OAUTH_CLIENT_ID, IMAP_OAUTH_CLIENT_SECRET et \
             IMAP_OAUTH_TENANT, et que l'application est du bon type (docs/OAUTH.md)",
            "the provider refuses ({why}): check IMAP_OAUTH_CLIENT_ID, IMAP_OAUTH_CLIENT_SECRET and \
             IMAP_OAUTH_TENANT, and that the application is of the right kind (docs/OAUTH.md)"
        ),
    }
}

/// That it is waited.
pub(super) fn waiting(minutes: u64, lang: Lang) -> String {
    let count = usize::try_from(minutes).unwrap_or(usize::MAX);
    let time = lang.count(count, ["minute", "minutes"], ["minute", "minutes"]);
    lang.say("En attente de votre accord, au plus", "Waiting for you to agree, at most", &time)
}

/// What the browser shows in the end.
pub(super) fn pages(lang: Lang) -> ConsentPages {
    let page = |title: &str, text: &str| {
        format!(
            "<!doctype html><html lang=\"{}\"><meta charset=\"utf-8\"><title>render-signal</title><h1>{title}</h1><p>{text}</p></html>",
            lang.pick("fr", "en")
        )
    };
    ConsentPages {
        agreed: page(
            lang.pick("C'est accepté", "It is agreed"),
            lang.pick(
                "Fermez cette page\u{a0}: la suite est dans le terminal.",
                "Close this page: what follows is in the terminal.",
            ),
        ),
        failed: page(
            lang.pick("Ce n'est pas accepté", "It was declined"),
            lang.pick("Le terminal dit pourquoi.", "The terminal says why."),
        ),
    }
}
