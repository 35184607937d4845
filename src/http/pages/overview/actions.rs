//! What is done from the overview.

use actix_web::HttpResponse;
use render_signal_actors::readmodel::queries::DeliverySelection;
use render_signal_actors::webhook::bulk::{self, Action};
use render_signal_actors::webhook::target::enable_target;

use super::words::Words;
use crate::http::pages::form::FormData;
use crate::http::pages::notice::Notice;
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::http::sweep::{NoSweep, sweep_now};
use crate::http::v1::page::unavailable;

/// Sends the dead letters of a target again.
pub(super) async fn resend(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let target = Some(form.text("target")).filter(|target| !target.is_empty()).map(str::to_owned);
    let target = target.ok_or_else(|| HttpProblem::parameter("target", "names no target"))?;
    let selection = DeliverySelection {
        states: vec!["dead_lettered".to_owned()],
        target: Some(target),
        ..DeliverySelection::default()
    };
    let state = &visit.state;
    let done =
        bulk::act(state.journal.as_ref(), &state.world, Action::Retry, &selection, &visit.caller.by()).await;
    let done = done.map_err(unavailable)?;
    let left = done.matches.count.saturating_sub(done.done + done.refused.len() as u64);
    let text = w.resent(done.done, done.refused.len(), left, visit.lang);
    let notice = if left > 0 || !done.refused.is_empty() { Notice::care(text) } else { Notice::good(text) };
    Ok(visit.back("/", &notice))
}

/// Lets a target take webhooks again that said it is gone.
pub(super) async fn enable(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let state = &visit.state;
    let target = form.text("target");
    if target.is_empty() {
        return Err(HttpProblem::parameter("target", "names no target"));
    }
    let changed = enable_target(state.journal.as_ref(), &state.world, target, &visit.caller.by())
        .await
        .map_err(unavailable)?;
    Ok(visit.back("/", &Notice::good(if changed { w.enabled } else { w.enabled_before })))
}

/// Has the mailbox checked now.
pub(super) async fn check(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let lang = visit.lang;
    let notice = match sweep_now(&visit.state, &visit.caller.by()).await {
        Ok(()) => Notice::good(w.check_asked),
        Err(NoSweep::NoMailbox) => Notice::bad(w.no_mailbox),
        Err(NoSweep::NoTarget) => Notice::bad(lang.pick(
            "Il n'y a pas d'adresse où envoyer\u{a0}: définissez-la dans les réglages (webhook_url) ou WEBHOOK_URL.",
            "There is no address to send to: set it in the settings (webhook_url) or WEBHOOK_URL.",
        )),
        Err(NoSweep::Withheld(why)) => Notice::bad(lang.say(
            "Rien n'est relevé tant que la configuration est refusée",
            "Nothing is polled while the configuration is refused",
            lang.said(&why),
        )),
        Err(NoSweep::NobodyPolls) => Notice::bad(lang.pick(
            "Aucun processus ne relève la boîte pour l'instant\u{a0}: réessayez dans quelques secondes, ou vérifiez \
             ENABLE_BACKGROUND_TASKS et le bail (page Système).",
            "No worker polls at the moment: try again in some seconds, or check ENABLE_BACKGROUND_TASKS and the \
             lease (page System).",
        )),
        Err(NoSweep::Journal(error)) => return Err(unavailable(error)),
    };
    Ok(visit.back("/", &notice))
}
