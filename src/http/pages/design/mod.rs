//! `/design`: every component together, for those who work on the pages. Builds for development
//! have it, the program that people run does not.

use actix_web::HttpResponse;
use actix_web::web::to;
use askama::Template;

use super::frame::{Frame, Section};
use super::parts::{Badge, Choice, Confirm, Empty, FormField, Input, Mood, UntrustedText, When};
use super::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::http::routes::{Route, RouteAccess};

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    if cfg!(debug_assertions) {
        vec![Route::get("/design", RouteAccess::Session, || to(show))]
    } else {
        Vec::new()
    }
}

#[derive(Template)]
#[template(path = "design/page.html")]
struct DesignPage {
    frame: Frame,
    badges: Vec<Badge>,
    empty: Empty,
    confirm: Confirm,
    fields: Vec<FormField>,
    hostile: UntrustedText,
    when: [When; 3],
}

async fn show(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let clock = visit.clock;
    let lang = visit.lang;
    let states = [
        (Mood::Good, lang.pick("Livré", "Delivered")),
        (Mood::Wait, lang.pick("En attente", "Waiting")),
        (Mood::Care, lang.pick("À voir", "Worth a look")),
        (Mood::Bad, lang.pick("Abandonné", "Given up")),
        (Mood::None, lang.pick("Ignoré", "Ignored")),
    ];
    let choices = || {
        ["lundi", "mardi", "mercredi"]
            .map(|day| Choice { value: day.to_owned(), text: day.to_owned() })
            .to_vec()
    };
    let line = |name: &str, kind, value: &str| FormField::new(name, name, Input::Line(kind), value);
    let hour = clock.now - chrono::TimeDelta::hours(1);
    let page = DesignPage {
        frame: visit.frame(Section::None, "Design").await,
        badges: states.map(|(mood, text)| Badge::new(mood, text)).to_vec(),
        empty: Empty {
            title: lang.pick("Aucun mail", "No mail").to_owned(),
            text: lang.pick("Les mails qui arrivent sont ici.", "Mails that arrive are here.").to_owned(),
        },
        confirm: Confirm {
            id: "confirm".to_owned(),
            button: lang.pick("Renvoyer 3", "Send 3 again").to_owned(),
            class: "danger",
            title: lang.pick("Renvoyer 3 webhooks ?", "Send 3 webhooks again?").to_owned(),
            text: lang.pick("Ils partent dans l'ordre.", "They go out in order.").to_owned(),
            action: "/preferences".to_owned(),
            fields: vec![("next".to_owned(), "/design".to_owned())],
            yes: lang.pick("Renvoyer", "Send again").to_owned(),
            no: lang.pick("Annuler", "Cancel").to_owned(),
        },
        fields: vec![
            line("text", "text", "camille@exemple.fr").hint("hint"),
            line("time", "text", "25:00").error("error"),
            FormField::new("lines", "lines", Input::Lines(3), "a\nb"),
            FormField::new("tick", "tick", Input::Tick, "on").hint("hint"),
            FormField::new("boxes", "boxes", Input::Boxes(choices()), "lundi\nmercredi"),
            FormField::new("radios", "radios", Input::Radios(choices()), "mardi"),
            FormField::new("select", "select", Input::Select(choices()), "mardi"),
        ],
        hostile: UntrustedText("<script>alert(1)</script> \u{202e}gpj.exe\u{0} & \"x\"".to_owned()),
        when: [When::short(clock, hour), When::seconds(clock, hour), When::ago(clock, hour)],
    };
    visit.show(&page)
}
