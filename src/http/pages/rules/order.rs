//! What is done to the list of rules or of detectors: moved, copied, switched, deleted, tried so.

use actix_web::HttpResponse;
use render_signal_actors::config::documents::Key;

use super::desk::Desk;
use super::list::{Act, Acted, List};
use super::one_service::joined;
use super::send::spoken;
use super::words::Words;
use crate::http::pages::documents::SaveOutcome;
use crate::http::pages::form::FormData;
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::Confirm;
use crate::http::pages::visit::{PageVisit, see};
use crate::http::problem::{HttpProblem, ProblemKind};

/// How many days of mails a new order is tried on.
const TRIAL_DAYS: u32 = 7;

/// What is to be done, of `verb id`. An order has an id on each line.
fn act_of(text: &str) -> Option<(bool, Act)> {
    let (verb, rest) = text.split_once(' ')?;
    let id = || rest.to_owned();
    let (trying, verb) = verb.strip_prefix("try-").map_or((false, verb), |verb| (true, verb));
    let act = match verb {
        "up" => Act::Up(id()),
        "down" => Act::Down(id()),
        "switch" => Act::Switch(id()),
        "duplicate" => Act::Duplicate(id()),
        "delete" => Act::Delete(id()),
        "order" => Act::Order(rest.lines().map(str::to_owned).collect()),
        _ => return None,
    };
    Some((trying, act))
}

/// A question before what is stored is deleted, so that what is built in counts again.
pub(super) fn reset(w: &Words, key: Key, button: &str) -> Confirm {
    Confirm {
        id: format!("reset-{key}"),
        button: button.to_owned(),
        class: "quiet",
        title: w.reset_title.to_owned(),
        text: w.reset_text.to_owned(),
        action: "/regles/liste".to_owned(),
        fields: vec![("reset".to_owned(), key.to_string())],
        yes: w.reset_yes.to_owned(),
        no: w.cancel.to_owned(),
    }
}

/// POST `/regles/liste`.
pub(super) async fn act(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    if let Some(key) =
        Key::named(form.text("reset")).filter(|key| [Key::Detectors, Key::Providers].contains(key))
    {
        visit.state.services.configuration.remove(key, &visit.caller.by()).await?;
        tracing::info!(%key, "document removed on a page");
        let home = if key == Key::Providers { "/regles/services" } else { "/regles#detectors" };
        return Ok(visit.back(home, &Notice::good(w.reset_done)));
    }
    let unknown = || {
        HttpProblem::new(ProblemKind::InvalidBody, "the form does not say what is to be done to which list")
    };
    let list = List::named(form.text("list")).ok_or_else(unknown)?;
    let (trying, act) = act_of(form.get("do").unwrap_or_default()).ok_or_else(unknown)?;
    let home = match list {
        List::Rules => "/regles#rules",
        List::Detectors => "/regles#detectors",
    };
    let desk = Desk::open(&visit, list.key()).await?;
    let Some(acted) = list.act(&desk.document, &act, visit.lang.pick("copie", "copy")) else {
        return Ok(visit.back(home, &Notice::bad(w.changed_meanwhile)));
    };
    let edit = desk.replace(acted.document.clone());
    if trying {
        return Ok(match desk.try_out(&visit, &edit, &desk.seen, TRIAL_DAYS, "/regles").await? {
            Ok(id) => see(&format!("/regles/essais/{id}")).finish(),
            Err(problems) => visit.back(home, &Notice::bad(joined(&problems.0))),
        });
    }
    let seen = desk.seen.clone();
    Ok(match Desk::save(&visit, edit, &seen).await? {
        SaveOutcome::Saved(saved) => visit.back(home, &spoken(saved.notice, &said(&visit, &act, &acted))),
        SaveOutcome::Refused(problems) => visit.back(home, &Notice::bad(joined(&problems.0))),
        // Between the look and the act.
        SaveOutcome::Conflict(_) => visit.back(home, &Notice::bad(w.changed_meanwhile)),
    })
}

fn said(visit: &PageVisit, act: &Act, acted: &Acted) -> String {
    let (w, lang) = (Words::of(visit.lang), visit.lang);
    // A name may be as long as a document.
    let name: String = acted.name.chars().take(80).collect();
    match act {
        Act::Up(_) | Act::Down(_) => w.moved(lang, &name, acted.place, acted.of),
        Act::Order(_) => w.ordered(lang),
        Act::Switch(_) => w.switched(lang, &name, acted.on),
        Act::Duplicate(_) => w.duplicated(lang, &name),
        Act::Delete(_) => w.deleted(lang, &name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_says_what_and_to_which() {
        assert_eq!(act_of("up a b"), Some((false, Act::Up("a b".into()))));
        assert_eq!(act_of("try-switch x"), Some((true, Act::Switch("x".into()))));
        assert_eq!(act_of("order a\nb c"), Some((false, Act::Order(vec!["a".into(), "b c".into()]))));
        assert_eq!(act_of("up"), None);
        assert_eq!(act_of("burn x"), None);
    }
}
