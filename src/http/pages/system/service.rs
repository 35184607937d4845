//! Deploy, and start again.

use actix_web::HttpResponse;
use render_signal_actors::deploy::{DeployError, Deployed};

use super::HOME;
use super::words::Words;
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::Confirm;
use crate::http::pages::visit::PageVisit;

/// What can be done with the service.
pub(super) struct ServiceView {
    /// The question before a deployment; `None` = nobody has said how.
    pub(super) deploy: Option<Confirm>,
    /// The question before a restart.
    pub(super) restart: Confirm,
}

/// What can be done.
pub(super) fn view(visit: &PageVisit) -> ServiceView {
    let w = Words::of(visit.lang);
    let ask = |id: &str, button: &str, title: &str, text: &str, action: &str, class| Confirm {
        id: id.to_owned(),
        button: button.to_owned(),
        class,
        title: title.to_owned(),
        text: text.to_owned(),
        action: action.to_owned(),
        fields: Vec::new(),
        yes: button.to_owned(),
        no: w.cancel.to_owned(),
    };
    let deploys = visit.state.reference.deployer.is_configured();
    ServiceView {
        deploy: deploys
            .then(|| ask("deployer", w.deploy, w.deploy_ask, w.deploy_text, "/systeme/deployer", "")),
        restart: ask("redemarrer", w.restart, w.restart_ask, w.restart_text, "/systeme/redemarrer", "danger"),
    }
}

/// POST `/systeme/deployer`.
pub(super) async fn deploy(visit: PageVisit) -> HttpResponse {
    let (lang, w) = (visit.lang, Words::of(visit.lang));
    tracing::warn!(by = visit.caller.by(), "a deployment was asked for over HTTP");
    let notice = match visit.state.reference.deployer.deploy().await {
        Ok(Deployed::Hook) => Notice::good(w.deployed_hook),
        Ok(Deployed::Api { id, status }) => Notice::good(Words::deployed(lang, id.as_deref(), &status)),
        Err(error) => {
            tracing::warn!(%error, "no deployment was begun");
            Notice::bad(match error {
                DeployError::NotConfigured => w.deploy_off.to_owned(),
                DeployError::ForeignHook => w.deploy_foreign.to_owned(),
                DeployError::Hook(why) | DeployError::Api(why) => Words::not_deployed(lang, &why),
            })
        }
    };
    visit.back(HOME, &notice)
}

/// POST `/systeme/redemarrer`.
pub(super) async fn restart(visit: PageVisit) -> HttpResponse {
    tracing::warn!(by = visit.caller.by(), "a restart was asked for over HTTP");
    visit.state.reference.restart.ask();
    visit.back(HOME, &Notice::care(Words::of(visit.lang).restarted))
}
