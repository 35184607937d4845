use render_signal_actors::config::documents::Key;
use serde_json::json;

use super::names::{document, path};
use super::*;
use crate::http::pages::clock::PageClock;
use crate::lang::Lang;

fn clock(lang: Lang) -> PageClock {
    PageClock { now: "2026-11-30T10:00:00Z".parse().unwrap(), zone: chrono_tz::Europe::Paris, lang }
}

#[test]
fn a_path_is_said_part_by_part() {
    for (written, french, english) in [
        ("active_days", "Jours de relève", "Days of checks"),
        (
            "rules[a.b].actions.webhook_url",
            "Règles « a.b » › Actions › Adresse du webhook",
            "Rules “a.b” › Actions › Webhook address",
        ),
        ("rules (order)", "Règles, ordre", "Rules, order"),
        ("nobody_knows", "nobody_knows", "nobody_knows"),
    ] {
        assert_eq!((path(Lang::Fr, written), path(Lang::En, written)), (french.into(), english.into()));
    }
}

#[test]
fn values_are_said_as_people_say_them() {
    for (name, value, french, english) in [
        ("active_days", json!([0, 6]), "lundi, dimanche", "Monday, Sunday"),
        ("absence_pause_days", json!(["friday"]), "vendredi", "Friday"),
        ("vacation_start", json!("2026-12-24"), "24\u{a0}déc.\u{a0}2026", "24\u{a0}Dec\u{a0}2026"),
        ("webhook_sending_enabled", json!(false), "non", "no"),
        ("rules[x].actions.body", json!("none"), "aucun", "none of it"),
        ("rate_limit_per_hour", json!(0), "sans limite", "no limit"),
        ("retry_delay_sec", json!(2), "2\u{a0}s", "2\u{a0}s"),
        ("exclude_keywords", json!([]), "aucun", "none"),
        ("rules[x]", json!({"name": "<b>"}), "Nom\u{a0}: <b>", "Name: <b>"),
    ] {
        assert_eq!(in_words(clock(Lang::Fr), name, &value), french);
        assert_eq!(in_words(clock(Lang::En), name, &value), english);
    }
}

/// Every known field has words, or a history would show its bare name.
#[test]
fn every_field_of_every_document_has_words() {
    for (key, names) in render_signal_actors::config::documents::known::top_level() {
        for name in names {
            assert_ne!(field(Lang::Fr, name), name, "{key}");
        }
    }
}

#[test]
fn whoever_changed_something_is_named() {
    assert_eq!(who(Lang::Fr, "session:camille"), "camille");
    assert_eq!(who(Lang::En, "token:PROCESS_API_TOKEN"), "the token PROCESS_API_TOKEN");
    assert_eq!(who(Lang::Fr, "external"), "un autre programme");
    for key in Key::ALL {
        assert!(!document(Lang::Fr, key).is_empty() && !document(Lang::En, key).is_empty());
    }
}
