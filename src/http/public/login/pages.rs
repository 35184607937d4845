//! The pages of the login, as text. Whatever is not ours is escaped.

use render_signal_actors::kernel::said::Said;

use crate::http::problem::Kind;
use crate::lang::Lang;

/// The form, with what went wrong, if anything did.
pub(super) fn form(lang: Lang, said: Option<&Said>, user: &str, next: &str) -> String {
    let alert = said.map_or_else(String::new, |said| alert(lang.said(said)));
    let fields = format!(
        "<form method=\"post\" action=\"/login\">\
         <p><label for=\"username\">{user_label}</label>\
         <input id=\"username\" name=\"username\" value=\"{user}\" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" required></p>\
         <p><label for=\"password\">{password_label}</label>\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" required></p>\
         {next}<p><button>{enter}</button></p></form>",
        user_label = lang.pick("Utilisateur", "User"),
        password_label = lang.pick("Mot de passe", "Password"),
        user = escape(user),
        next = hidden_next(next),
        enter = lang.pick("Se connecter", "Sign in"),
    );
    let link = format!(
        "<details><summary>{title}</summary><form method=\"post\" action=\"/login\">\
         <p><label for=\"magic_token\">{label}</label>\
         <input id=\"magic_token\" name=\"magic_token\" autocomplete=\"off\" spellcheck=\"false\" required></p>\
         {next}<p><button>{enter}</button></p></form></details>",
        title = lang.pick("J'ai un lien de connexion", "I have a sign-in link"),
        label = lang.pick("Fin du lien, après /login/magic/", "The end of the link, after /login/magic/"),
        next = hidden_next(next),
        enter = lang.pick("Se connecter", "Sign in"),
    );
    page(lang, lang.pick("Connexion", "Sign in"), &format!("{alert}{fields}{link}"))
}

/// One button that uses a sign-in link. It is sent to where the page came from, so that the
/// link's own text is not on it.
pub(super) fn button(lang: Lang) -> String {
    let body = format!(
        "<p>{text}</p><form method=\"post\"><p><button autofocus>{enter}</button></p></form>",
        text = lang.pick(
            "Ce lien ouvre une session. Il n'est utilisé que si vous appuyez sur le bouton.",
            "This link opens a session. It is used only when you press the button.",
        ),
        enter = lang.pick("Se connecter", "Sign in"),
    );
    page(lang, lang.pick("Lien de connexion", "Sign-in link"), &body)
}

/// One button that ends the session.
pub(super) fn leave(lang: Lang) -> String {
    let body = format!(
        "<form method=\"post\" action=\"/logout\"><p><button>{end}</button></p></form><p><a href=\"/\">{back}</a></p>",
        end = lang.pick("Se déconnecter", "Sign out"),
        back = lang.pick("Revenir", "Back"),
    );
    page(lang, lang.pick("Déconnexion", "Sign out"), &body)
}

/// What there is for somebody who has signed in.
pub(super) fn home(lang: Lang, user: &str) -> String {
    let links = [
        ("/readyz", lang.pick("État du service", "State of the service")),
        ("/api/docs/", lang.pick("L'API, à essayer", "The API, to try it")),
        ("/api/v1/events", lang.pick("Ce qui s'est passé", "What has happened")),
        ("/metrics", lang.pick("Mesures", "Metrics")),
    ];
    let list: String = links
        .iter()
        .map(|(href, text)| format!("<li><a href=\"{href}\">{}</a></li>", escape(text)))
        .collect();
    let body = format!(
        "<p>{signed} <strong>{user}</strong>.</p><ul>{list}</ul>\
         <form method=\"post\" action=\"/logout\"><p><button>{end}</button></p></form>",
        signed = lang.pick("Connecté :", "Signed in:"),
        user = escape(user),
        end = lang.pick("Se déconnecter", "Sign out"),
    );
    page(lang, NAME, &body)
}

/// Why something is not granted, and what to do.
pub(super) fn refusal(lang: Lang, kind: Kind, retry_after: Option<u64>) -> String {
    let [title, text] = match kind {
        Kind::NotFound | Kind::Gone => [
            lang.pick("Introuvable", "Not found"),
            lang.pick(
                "Il n'y a rien, ou plus rien, à cette adresse. Vérifiez-la, ou revenez à l'accueil.",
                "There is nothing, or nothing any more, at this address. Check it, or go back to the start.",
            ),
        ],
        Kind::Unauthenticated | Kind::Forbidden => [
            lang.pick("Accès refusé", "Not allowed"),
            lang.pick(
                "Cette page n'est pas ouverte ainsi. Connectez-vous, puis réessayez.",
                "This page is not open in this way. Sign in, then try again.",
            ),
        ],
        Kind::CrossOrigin => [
            lang.pick("Demande venue d'un autre site", "Sent by another site"),
            lang.pick(
                "Un autre site a envoyé cette demande : rien n'a été fait. Ouvrez la page ici, et recommencez.",
                "Another site sent this request: nothing was done. Open the page here, and do it again.",
            ),
        ],
        Kind::TooManyRequests => [
            lang.pick("Trop de demandes", "Too many requests"),
            lang.pick("Attendez un moment, puis réessayez.", "Wait a moment, then try again."),
        ],
        Kind::Unavailable | Kind::BadGateway | Kind::Timeout => [
            lang.pick("Indisponible pour le moment", "Not available now"),
            lang.pick(
                "Le service n'atteint pas ce dont il a besoin pour répondre. Réessayez ; si cela dure, \
                 regardez l'état du service, /readyz, et ses journaux.",
                "The service does not reach what it needs to answer. Try again; if this goes on, look at \
                 the state of the service, /readyz, and at its logs.",
            ),
        ],
        Kind::Internal => [
            lang.pick("Défaut du programme", "A fault of the program"),
            lang.pick(
                "Le programme a rencontré un défaut, décrit dans ses journaux. Réessayez ; si cela revient, \
                 signalez-le à la personne qui l'exploite.",
                "The program met a fault, which its logs describe. Try again; if it comes back, tell the \
                 person who runs it.",
            ),
        ],
        _ => [
            lang.pick("Demande refusée", "Refused"),
            lang.pick(
                "Cette demande ne peut pas être traitée telle quelle : rien n'a été fait. Revenez à la page \
                 précédente, et recommencez.",
                "This request cannot be handled as it is: nothing was done. Go back to the page before, and \
                 do it again.",
            ),
        ],
    };
    let soon = retry_after.map_or_else(String::new, |seconds| {
        format!(
            "<p>{}</p>",
            lang.pick("Réessayez dans N s.", "Try again in N s.").replace('N', &seconds.to_string())
        )
    });
    let body = format!(
        "{alert}{soon}<p>{code} {status} (<code>{slug}</code>)</p><p><a href=\"/\">{back}</a></p>",
        alert = alert(text),
        code = lang.pick("Code :", "Code:"),
        status = kind.status().as_u16(),
        slug = kind.slug(),
        back = lang.pick("Revenir à l'accueil", "Back to the start"),
    );
    page(lang, title, &body)
}

/// The program's name, which is the title of its first page, too.
const NAME: &str = "render-signal";

fn page(lang: Lang, title: &str, body: &str) -> String {
    let tab = if title == NAME { NAME.to_owned() } else { format!("{} · {NAME}", escape(title)) };
    format!(
        "<!doctype html><html lang=\"{code}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{tab}</title>\
         <link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/login.css\"></head><body><main><h1>{title}</h1>{body}</main></body></html>",
        code = lang.pick("fr", "en"),
        title = escape(title),
    )
}

fn alert(text: &str) -> String {
    format!("<p role=\"alert\">{}</p>", escape(text))
}

fn hidden_next(next: &str) -> String {
    if next.is_empty() {
        return String::new();
    }
    format!("<input type=\"hidden\" name=\"next\" value=\"{}\">", escape(next))
}

/// Text within a page, an attribute included.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_writes_is_text_and_nothing_else() {
        let hostile = "\"><script>alert('x')</script>&";
        let said = Said { french: hostile.to_owned(), english: hostile.to_owned() };
        for lang in [Lang::Fr, Lang::En] {
            for page in [form(lang, Some(&said), hostile, hostile), home(lang, hostile)] {
                assert!(!page.contains("<script"), "{page}");
                assert!(
                    page.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;"),
                    "{page}"
                );
            }
        }
    }

    #[test]
    fn the_name_of_the_program_is_in_each_title_once() {
        for lang in [Lang::Fr, Lang::En] {
            assert!(home(lang, "a").contains("<title>render-signal</title>"));
            assert!(leave(lang).contains(" · render-signal</title>"));
        }
    }

    #[test]
    fn no_page_has_a_style_or_a_script_of_its_own() {
        for lang in [Lang::Fr, Lang::En] {
            let refusals = Kind::ALL.iter().map(|kind| refusal(lang, *kind, Some(5)));
            let pages = [form(lang, None, "a", "/x"), button(lang), leave(lang), home(lang, "a")];
            for page in pages.into_iter().chain(refusals) {
                for forbidden in ["<script", "<style", " style=", " onclick=", "javascript:", "http:"] {
                    assert!(!page.contains(forbidden), "{forbidden} in {page}");
                }
                assert!(page.contains("lang=\"") && page.matches("<h1>").count() == 1, "{page}");
            }
        }
    }
}
