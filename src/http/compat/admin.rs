//! What a person does from the dashboard: check the mailbox, restart, deploy.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use render_signal_actors::deploy::{DeployError, Deployed};
use serde_json::json;

use super::answer::{CompatRefusal, CompatResult, success};
use crate::http::HttpState;
use crate::http::access::Caller;
use crate::http::sweep::{NoSweep, sweep_now};

/// POST `/api/check_emails_and_download`: whoever polls sweeps the mailbox at once, also while
/// polling is switched off and during a vacation. Where nobody would, that is said.
pub(super) async fn check_now(state: Data<HttpState>, caller: Caller) -> CompatResult {
    let incomplete = |what: &str| {
        let message = format!("Config serveur email incomplète ({what}).");
        CompatRefusal::new(StatusCode::SERVICE_UNAVAILABLE, message).with(&json!({ "status": "error" }))
    };
    match sweep_now(&state, &caller.by()).await {
        Ok(()) => {}
        Err(NoSweep::NoMailbox) => return Err(incomplete("email/IMAP")),
        Err(NoSweep::NoTarget) => return Err(incomplete("webhook URL")),
        Err(NoSweep::Withheld(why)) => {
            let message =
                "Aucun courriel n'est relevé tant que la configuration est refusée : corrigez-la d'abord.";
            return Err(undone(message).with(&json!({ "reason": why.english })));
        }
        Err(NoSweep::NobodyPolls) => {
            let message = "Aucun processus ne relève la boîte pour l'instant : réessayez dans quelques secondes, \
                           ou vérifiez ENABLE_BACKGROUND_TASKS et le verrou.";
            return Err(undone(message));
        }
        Err(NoSweep::Journal(error)) => {
            return Err(CompatRefusal::not_now(
                "La vérification n'a pas pu être demandée : réessayez.",
                &error,
            ));
        }
    }
    Ok(HttpResponse::Accepted().json(json!({
        "status": "success",
        "message": "Vérification en arrière-plan lancée.",
    })))
}

/// 409, in the shape of this address.
fn undone(message: &str) -> CompatRefusal {
    CompatRefusal::new(StatusCode::CONFLICT, message).with(&json!({ "status": "error" }))
}

/// POST `/api/restart_server`: stops in order; whoever watches the program starts it again.
pub(super) async fn restart(state: Data<HttpState>, caller: Caller) -> CompatResult {
    tracing::warn!(by = caller.by(), "a restart was asked for over HTTP");
    state.reference.restart.ask();
    Ok(success(json!({
        "message": "Redémarrage planifié. L'application sera indisponible quelques secondes.",
    })))
}

/// POST `/api/deploy_application`: by the deploy hook or by the API of Render; no command is run.
pub(super) async fn deploy(state: Data<HttpState>, caller: Caller) -> CompatResult {
    tracing::warn!(by = caller.by(), "a deployment was asked for over HTTP");
    match state.reference.deployer.deploy().await {
        Ok(Deployed::Hook) => Ok(success(json!({
            "message": "Déploiement Render déclenché via Deploy Hook. Consultez le dashboard Render.",
        }))),
        Ok(Deployed::Api { id, status }) => Ok(success(json!({
            "message": "Déploiement Render lancé (voir dashboard Render).",
            "deploy_id": id,
            "status": status,
        }))),
        Err(error) => Err(refused(&error)),
    }
}

fn refused(error: &DeployError) -> CompatRefusal {
    tracing::warn!(%error, "no deployment was begun");
    match error {
        DeployError::ForeignHook => {
            CompatRefusal::bad("RENDER_DEPLOY_HOOK_URL invalide (préfixe inattendu).")
        }
        DeployError::Api(why) => {
            CompatRefusal::new(StatusCode::BAD_GATEWAY, format!("Render API error: {why}"))
        }
        DeployError::Hook(why) => {
            CompatRefusal::new(StatusCode::BAD_GATEWAY, format!("Render Deploy Hook error: {why}"))
        }
        DeployError::NotConfigured => CompatRefusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Aucun déploiement n'est configuré : renseignez RENDER_DEPLOY_HOOK_URL, ou RENDER_API_KEY et \
             RENDER_SERVICE_ID.",
        ),
    }
}
