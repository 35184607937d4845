use serde_json::json;

use super::groups::{SettingsGroup, changed};
use super::inputs::{self, InputKind};
use super::*;
use crate::http::pages::clock::PageClock;
use crate::lang::Lang;
use render_signal_actors::config::policy::EnvDefaults;

fn form(text: &str) -> FormData {
    FormData::read(text.as_bytes())
}

fn clock(lang: Lang, now: &str) -> PageClock {
    PageClock { now: now.parse().unwrap(), zone: chrono_tz::Europe::Paris, lang }
}

#[test]
fn only_what_somebody_changed_is_written() {
    let sent = form(
        "was-enable_polling=on&enable_polling=on&was-active_days=0%0A1&active_days=0&active_days=1\
         &was-active_start_hour=&active_start_hour=8&was-active_end_hour=23&active_end_hour=",
    );
    let expected = [("active_start_hour".to_owned(), Some(json!(8))), ("active_end_hour".to_owned(), None)];
    assert_eq!(changed(SettingsGroup::Checks, &sent), expected);
    let unticked = form("was-enable_polling=on&was-active_days=0&active_days=0");
    assert_eq!(
        changed(SettingsGroup::Checks, &unticked),
        [("enable_polling".to_owned(), Some(json!(false)))]
    );
}

#[test]
fn two_bounds_are_written_together() {
    let sent = form(
        "was-vacation_start=2026-12-01&vacation_start=2026-12-01&was-vacation_end=2026-12-02&vacation_end=2026-12-09",
    );
    let expected = [
        ("vacation_start".to_owned(), Some(json!("2026-12-01"))),
        ("vacation_end".to_owned(), Some(json!("2026-12-09"))),
    ];
    assert_eq!(changed(SettingsGroup::Vacation, &sent), expected);
    let window = form(
        "was-webhook_sending_enabled=on&webhook_sending_enabled=on&webhook_time_start=09:30&webhook_time_end=18:00",
    );
    let expected = [
        ("webhook_time_start".to_owned(), Some(json!("9h30"))),
        ("webhook_time_end".to_owned(), Some(json!("18h00"))),
    ];
    assert_eq!(changed(SettingsGroup::Sending, &window), expected);
}

#[test]
fn values_come_back_as_they_were_shown() {
    for (kind, stored, shown) in [
        (InputKind::Switch, json!("yes"), "on"),
        (InputKind::Switch, json!(false), ""),
        (InputKind::Days, json!([0, 4]), "0\n4"),
        (InputKind::Weekdays, json!(["Monday"]), "monday"),
        (InputKind::Hour(24), json!(24), "24"),
        (InputKind::Time, json!("9h05"), "09:05"),
        (InputKind::Time, json!("soon"), "soon"),
        (InputKind::Date, json!("20261224"), "2026-12-24"),
        (InputKind::Number(0, 10), json!(3), "3"),
        (InputKind::Words, json!(["a", " b "]), "a\nb"),
    ] {
        assert_eq!(inputs::shown(kind, &stored), shown, "{stored}");
    }
    assert_eq!(inputs::wanted(InputKind::Number(0, 10), "x"), Some(json!("x")), "for the document to refuse");
    assert_eq!(inputs::wanted(InputKind::Words, " a \n\n b "), Some(json!(["a", "b"])));
    assert_eq!(inputs::wanted(InputKind::Date, ""), None);
}

#[test]
fn what_is_wrong_is_said_at_its_field_in_both_languages() {
    for (group, sent, field) in [
        (SettingsGroup::Checks, "enable_polling=on", "active_days"),
        (SettingsGroup::Checks, "active_days=0&active_end_hour=25", "active_end_hour"),
        (SettingsGroup::Vacation, "vacation_start=2026-12-24", "vacation_end"),
        (SettingsGroup::Vacation, "vacation_start=2026-12-24&vacation_end=2026-12-01", "vacation_end"),
        (SettingsGroup::Vacation, "vacation_start=24/12&vacation_end=2026-12-31", "vacation_start"),
        (SettingsGroup::Absence, "absence_pause_enabled=on", "absence_pause_days"),
        (SettingsGroup::Sending, "webhook_time_start=09:00", "webhook_time_end"),
        (SettingsGroup::Sending, "webhook_time_start=09:00&webhook_time_end=9h00", "webhook_time_end"),
        (SettingsGroup::Limits, "retry_count=11", "retry_count"),
        (SettingsGroup::Mails, "sender_authentication=require", "trusted_authserv_ids"),
        (SettingsGroup::Target, "webhook_body=most", "webhook_body"),
    ] {
        let (french, english) =
            (checks::wrong(Lang::Fr, group, &form(sent)), checks::wrong(Lang::En, group, &form(sent)));
        assert!(!french.at(field).is_empty() && french.at(field) != english.at(field), "{sent}: {french:?}");
    }
    let good = checks::wrong(Lang::Fr, SettingsGroup::Vacation, &form("vacation_start=&vacation_end="));
    assert_eq!(good, Problems::default());
}

#[test]
fn the_effect_is_said_in_words() {
    let env = EnvDefaults::default();
    let said = |group: SettingsGroup, document: serde_json::Value, now: &str, lang: Lang| {
        let policy = effect::policy_with(group.key(), &document, &env).unwrap();
        effect::of(group, &policy, clock(lang, now)).unwrap().text()
    };
    // A Monday, at noon and at midnight.
    let (noon, night) = ("2026-11-30T11:00:00Z", "2026-11-30T23:30:00Z");
    assert_eq!(
        said(SettingsGroup::Checks, json!({}), noon, Lang::Fr),
        "La boîte est relevée du lundi au vendredi, de 9\u{a0}h à 23\u{a0}h."
    );
    assert_eq!(
        said(SettingsGroup::Checks, json!({}), night, Lang::En),
        "The mailbox is checked Monday to Friday, from 9:00 to 23:00. Opens next: today at 9:00."
    );
    let away = json!({"vacation_start": "2026-11-30", "vacation_end": "2026-12-06"});
    let told = said(SettingsGroup::Vacation, away, noon, Lang::Fr);
    assert!(told.contains("Vacances du 30\u{a0}nov.\u{a0}2026 au 6\u{a0}déc.\u{a0}2026 inclus"), "{told}");
    assert!(told.ends_with("Prochaine ouverture : lundi 7\u{a0}déc.\u{a0}2026 à 9\u{a0}h."), "{told}");
    let window = json!({"webhook_time_start": "9h30", "webhook_time_end": "18h00", "absence_pause_enabled": true,
        "absence_pause_days": ["tuesday", "wednesday"]});
    let told = said(SettingsGroup::Sending, window, "2026-11-30T18:00:00Z", Lang::Fr);
    assert_eq!(
        told,
        "Les webhooks partent de 9\u{a0}h\u{a0}30 à 18\u{a0}h. Absence globale\u{a0}: rien ne part les mardi et mercredi. \
         Prochain envoi possible\u{a0}: jeudi à 9\u{a0}h\u{a0}30."
    );
    assert_eq!(
        said(SettingsGroup::Sending, json!({"webhook_sending_enabled": false}), noon, Lang::En),
        "Sending is off: mails are taken, and wait."
    );
}

#[test]
fn every_form_has_a_place_and_every_field_words() {
    for group in SettingsGroup::ALL {
        assert!(group.place().starts_with("/reglages#"));
        for (name, _) in group.fields() {
            assert_ne!(documents::field(Lang::Fr, name), *name);
        }
    }
}
