//! Scenarios at Make.com: how they are, and to have them run or stop.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use render_signal_actors::make::{self, ScenarioAnswer, ScenarioParts, Switched};
use serde_json::{Map, Value, json};

use super::answer::{CompatRefusal, CompatResult, JsonFields, plain, success};
use crate::http::HttpState;
use crate::http::access::Caller;
use crate::http::sweep::is_polled;

/// Patience with Make where somebody looks.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// What is known of Make.com.
#[derive(Clone)]
pub(crate) struct MakeAccess {
    /// `MAKE_API_HOST`.
    pub(crate) host: String,
    /// The scenarios, and how they are switched.
    pub(crate) parts: ScenarioParts,
    /// There is a key, or a control webhook.
    pub(crate) configured: bool,
}

/// How one scenario stands at Make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScenarioStanding {
    /// Its name here.
    pub(crate) name: String,
    /// Its number at Make.
    pub(crate) id: u64,
    /// Whether it runs, as Make says now; why that is not known.
    pub(crate) running: Result<Option<bool>, String>,
}

impl MakeAccess {
    /// How every scenario stands now, as Make says.
    pub(crate) async fn standings(&self) -> Vec<ScenarioStanding> {
        let asked = self.parts.scenarios.iter().map(|scenario| async move {
            let said = tokio::time::timeout(LOOK_TIMEOUT, self.parts.api.is_running(scenario)).await;
            let running = said.unwrap_or_else(|_| Err("no answer in time".to_owned()));
            ScenarioStanding { name: scenario.name.clone(), id: scenario.id, running }
        });
        futures::future::join_all(asked).await
    }
}

/// GET `/api/make/status_all`: the configuration, and how Make has each scenario where it can be asked.
pub(super) async fn status(state: Data<HttpState>) -> CompatResult {
    let access = &state.reference.make;
    let mut scenarios = Map::new();
    if access.configured {
        for standing in access.standings().await {
            let id = standing.id;
            let told = match standing.running {
                Ok(running) => json!({ "scenario_id": id, "running": running }),
                Err(why) => json!({ "scenario_id": id, "error": why }),
            };
            scenarios.insert(standing.name, told);
        }
    } else {
        for scenario in &access.parts.scenarios {
            scenarios.insert(scenario.name.clone(), json!({ "scenario_id": scenario.id }));
        }
    }
    Ok(success(json!({ "scenarios": scenarios, "host": access.host })))
}

/// POST `/api/make/toggle_all`: the worker that polls has Make start or stop every scenario, and
/// `success` says whether Make did.
pub(super) async fn toggle(state: Data<HttpState>, caller: Caller, fields: JsonFields) -> CompatResult {
    let access = &state.reference.make;
    if !access.configured {
        return Err(CompatRefusal::bad("Clé API Make manquante (MAKECOM_API_KEY)."));
    }
    let Some(enable) = fields.get("enable").and_then(Value::as_bool) else {
        return Err(CompatRefusal::bad("enable manquant (true ou false)"));
    };
    if !is_polled(&state).await {
        let message = "Aucun processus ne relève la boîte pour l'instant, donc aucun ne peut appeler Make : réessayez \
                       dans quelques secondes, ou vérifiez ENABLE_BACKGROUND_TASKS et le verrou.";
        return Err(CompatRefusal::new(StatusCode::CONFLICT, message));
    }
    let switched = make::switch(state.journal.as_ref(), &state.world, enable, &caller.by()).await;
    let switched =
        switched.map_err(|error| CompatRefusal::not_now("Erreur interne lors de l'appel Make.", &error))?;
    match switched {
        Switched::Answered(answers) => Ok(plain(&json!({
            "success": answers.iter().all(|answer| answer.ok),
            "enable": enable,
            "results": results(access, &answers, enable),
        }))),
        Switched::Waits => Ok(HttpResponse::Accepted().json(json!({
            "success": false,
            "enable": enable,
            "results": {},
            "message": "La demande est enregistrée : Make sera appelé par le processus qui relève la boîte, dès que \
                        possible.",
        }))),
    }
}

/// What Make said, in the reference's shape: a status of -1 is no answer.
fn results(access: &MakeAccess, answers: &[ScenarioAnswer], enable: bool) -> Map<String, Value> {
    let mut results = Map::new();
    for (answer, scenario) in answers.iter().zip(&access.parts.scenarios) {
        let status = answer.status.map_or(-1, i32::from);
        let url = access.parts.api.shown_address(scenario, enable);
        let (id, ok) = (answer.id, answer.ok);
        let told = match &answer.why {
            None => json!({ "scenario_id": id, "ok": ok, "status": status, "url": url }),
            Some(why) => json!({ "scenario_id": id, "ok": ok, "status": status, "url": url, "error": why }),
        };
        results.insert(answer.name.clone(), told);
    }
    results
}
