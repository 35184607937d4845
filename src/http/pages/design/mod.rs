//! `/design`: every component together, for those who work on the pages. Builds for development
//! have it, the program that people run does not.

use actix_web::HttpResponse;
use actix_web::web::to;
use askama::Template;

use super::frame::{Frame, Section};
use super::parts::{Badge, Choice, Confirm, Empty, Field, Input, Mood, Shown, When};
use super::visit::Visit;
use crate::http::problem::Problem;
use crate::http::routes::{Route, Who};

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    if cfg!(debug_assertions) { vec![Route::get("/design", Who::Session, || to(show))] } else { Vec::new() }
}

/// The page.
#[derive(Template)]
#[template(path = "design/page.html")]
struct Page {
    frame: Frame,
    badges: Vec<Badge>,
    empty: Empty,
    confirm: Confirm,
    fields: Vec<Field>,
    hostile: Shown,
    when: [When; 3],
}

async fn show(visit: Visit) -> Result<HttpResponse, Problem> {
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
    let line = |name: &str, kind, value: &str| Field::new(name, name, Input::Line(kind), value);
    let hour = clock.now - chrono::TimeDelta::hours(1);
    let page = Page {
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
            Field::new("lines", "lines", Input::Lines(3), "a\nb"),
            Field::new("tick", "tick", Input::Tick, "on").hint("hint"),
            Field::new("boxes", "boxes", Input::Boxes(choices()), "lundi\nmercredi"),
            Field::new("radios", "radios", Input::Radios(choices()), "mardi"),
            Field::new("select", "select", Input::Select(choices()), "mardi"),
        ],
        hostile: Shown("<script>alert(1)</script> \u{202e}gpj.exe\u{0} & \"x\"".to_owned()),
        when: [When::short(clock, hour), When::seconds(clock, hour), When::ago(clock, hour)],
    };
    visit.show(&page)
}
