//! Scenarios at Make.com: what is wanted of them, what Make said, and to have them run or stop.

use actix_web::HttpResponse;
use render_signal_actors::make::state::{BY_SETTINGS, Scenarios};
use render_signal_actors::make::{self, Switched};

use super::HOME;
use super::words::Words;
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::{Confirm, UntrustedText};
use crate::http::pages::visit::PageVisit;
use crate::http::sweep::is_polled;
use crate::lang::Lang;

/// What is known of the scenarios.
pub(super) struct MakeView {
    /// What is wanted, by whom, and whether Make has it so.
    pub(super) stands: String,
    /// Each scenario: its name and number, and what Make said of it last.
    pub(super) scenarios: Vec<(UntrustedText, UntrustedText)>,
    /// Has them run.
    pub(super) start: Confirm,
    /// Has them stop.
    pub(super) stop: Confirm,
}

/// What is known of them; `None` = none are switched here.
pub(super) async fn view(visit: &PageVisit) -> Option<MakeView> {
    let access = &visit.state.reference.make;
    if !access.configured {
        return None;
    }
    let w = Words::of(visit.lang);
    let (stands, state) = match make::read(visit.state.journal.as_ref()).await {
        Ok(loaded) => (Words::scenarios_stand(visit.lang, &loaded.state), loaded.state),
        Err(error) => {
            tracing::warn!(%error, "the scenarios at Make are not shown");
            (w.scenarios_unknown.to_owned(), Scenarios::default())
        }
    };
    let said = |name: &str| {
        let answers =
            state.answered.as_ref().map(|answered| answered.scenarios.as_slice()).unwrap_or_default();
        answers.iter().find(|answer| answer.name == name).map(|answer| match &answer.why {
            _ if answer.ok => w.scenario_agreed.to_owned(),
            Some(why) => why.clone(),
            None => w.scenario_refused.to_owned(),
        })
    };
    let scenarios = access.parts.scenarios.iter().map(|scenario| {
        let said = said(&scenario.name).unwrap_or_else(|| w.scenario_not_asked.to_owned());
        (UntrustedText(format!("{} ({})", scenario.name, scenario.id)), UntrustedText(said))
    });
    let confirm = |id: &str, button: &str, title: &str, action: &str| Confirm {
        id: id.to_owned(),
        button: button.to_owned(),
        class: "",
        title: title.to_owned(),
        text: w.scenarios_text.to_owned(),
        action: action.to_owned(),
        fields: Vec::new(),
        yes: button.to_owned(),
        no: w.cancel.to_owned(),
    };
    Some(MakeView {
        stands,
        scenarios: scenarios.collect(),
        start: confirm("demarrer-make", w.scenarios_start, w.scenarios_start_ask, "/systeme/make/demarrer"),
        stop: confirm("arreter-make", w.scenarios_stop, w.scenarios_stop_ask, "/systeme/make/arreter"),
    })
}

/// POST `/systeme/make/demarrer`.
pub(super) async fn start(visit: PageVisit) -> HttpResponse {
    switch(&visit, true).await
}

/// POST `/systeme/make/arreter`.
pub(super) async fn stop(visit: PageVisit) -> HttpResponse {
    switch(&visit, false).await
}

async fn switch(visit: &PageVisit, running: bool) -> HttpResponse {
    let (state, w) = (&visit.state, Words::of(visit.lang));
    if !state.reference.make.configured {
        return visit.back(HOME, &Notice::bad(w.scenarios_off));
    }
    if !is_polled(state).await {
        return visit.back(HOME, &Notice::bad(w.scenarios_nobody));
    }
    let switched = make::switch(state.journal.as_ref(), &state.world, running, &visit.caller.by()).await;
    let notice = match switched {
        Ok(Switched::Answered(answers)) => match answers.iter().find(|answer| !answer.ok) {
            None => Notice::good(if running { w.scenarios_started } else { w.scenarios_stopped }),
            Some(refused) => {
                let why = refused.why.as_deref().unwrap_or(w.scenario_refused);
                Notice::bad(Words::scenario_refusal(visit.lang, &refused.name, why))
            }
        },
        Ok(Switched::Waits) => Notice::care(w.scenarios_wait),
        Err(error) => {
            tracing::warn!(%error, "the scenarios at Make were not switched");
            Notice::bad(w.scenarios_not_recorded)
        }
    };
    visit.back(HOME, &notice)
}

impl Words {
    /// What is wanted of the scenarios, and whether Make has it so.
    fn scenarios_stand(lang: Lang, state: &Scenarios) -> String {
        let Some(wanted) = &state.wanted else {
            return Self::of(lang).scenarios_left_alone.to_owned();
        };
        let by_settings = wanted.by == BY_SETTINGS;
        let (french, english) = match wanted.why.as_deref() {
            Some("vacation") => ("les vacances", "the vacation"),
            Some("disabled") => ("la relève est coupée", "polling is switched off"),
            Some("sending_disabled") => ("l'envoi est coupé", "sending is switched off"),
            _ => ("les réglages", "the settings"),
        };
        let agreed = state.confirmed;
        match lang {
            Lang::Fr => {
                let what = if wanted.running { "en marche" } else { "à l'arrêt" };
                let by = if by_settings {
                    format!("d'après les réglages ({french})")
                } else {
                    format!("demandé par {}", wanted.by)
                };
                let made = if agreed {
                    "Make est d'accord"
                } else {
                    "Make n'a pas encore tout confirmé, le programme réessaie"
                };
                format!("Voulus {what}, {by}\u{a0}; {made}.")
            }
            Lang::En => {
                let what = if wanted.running { "running" } else { "stopped" };
                let by = if by_settings {
                    format!("by the settings ({english})")
                } else {
                    format!("asked for by {}", wanted.by)
                };
                let made = if agreed {
                    "Make has it so"
                } else {
                    "Make has not confirmed all of it yet, the program tries again"
                };
                format!("Wanted {what}, {by}; {made}.")
            }
        }
    }

    /// Make did not take a switch.
    fn scenario_refusal(lang: Lang, name: &str, why: &str) -> String {
        match lang {
            Lang::Fr => {
                format!("Make n'a pas changé le scénario {name}\u{a0}: {why}. Le programme réessaie.")
            }
            Lang::En => format!("Make did not change the scenario {name}: {why}. The program tries again."),
        }
    }
}
