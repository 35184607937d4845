use super::*;

fn clock(lang: Lang) -> PageClock {
    PageClock { now: at("2026-11-12T13:02:07Z"), zone: chrono_tz::Europe::Paris, lang }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn mail(stage: &str) -> MailRow {
    MailRow {
        position: 1,
        email_id: "a".to_owned(),
        size: 1,
        received_at: at("2026-11-12T13:00:00Z"),
        arrived_at: None,
        stage: stage.to_owned(),
        reason: None,
        detail: None,
        hold_until: None,
        detector: None,
        delivery_time: None,
        urgent: false,
        links: 1,
        deliveries_total: 0,
        delivered: 0,
        dead_lettered: 0,
        cancelled: 0,
        updated_at: at("2026-11-12T13:00:00Z"),
    }
}

fn delivery(state: &str, error: Option<&str>) -> DeliveryRow {
    DeliveryRow {
        email_id: "a".to_owned(),
        target: "default".to_owned(),
        state: state.to_owned(),
        attempts: 1,
        last_status: None,
        last_error: error.map(str::to_owned),
        next_at: Some(at("2026-11-12T13:10:00Z")),
        routed_at: at("2026-11-12T13:00:00Z"),
        first_attempt_at: None,
        last_attempt_at: None,
        ended_at: Some(at("2026-11-12T13:00:00.300Z")),
        url: None,
    }
}

fn said(mail: &MailRow, deliveries: &[DeliveryRow]) -> [String; 2] {
    [Lang::Fr, Lang::En].map(|lang| {
        let became = became(clock(lang), mail, deliveries);
        format!("{}: {}", became.badge.text, became.said).replace('\u{a0}', " ")
    })
}

#[test]
fn every_fate_is_told_in_both_languages() {
    let routed = MailRow { deliveries_total: 2, delivered: 2, ..mail("routed") };
    let two = [delivery("delivered", None), delivery("delivered", None)];
    assert_eq!(
        said(&routed, &two),
        ["Livré: à 2 destinations sur 2 en 300 ms", "Delivered: to 2 of 2 targets in 300 ms"]
    );
    let held = MailRow {
        reason: Some("outside_window".to_owned()),
        hold_until: Some(at("2026-11-13T07:00:00Z")),
        ..mail("held")
    };
    assert_eq!(
        said(&held, &[]),
        [
            "En attente: hors fenêtre, part demain à 08:00",
            "Waiting: outside the window, goes out tomorrow at 08:00"
        ]
    );
    let ignored = MailRow { reason: Some("no_links".to_owned()), ..mail("ignored") };
    assert_eq!(said(&ignored, &[]), ["Ignoré: aucun lien", "Ignored: no link"]);
    let keyword = MailRow {
        reason: Some("excluded_keyword".to_owned()),
        detail: Some("facture".to_owned()),
        ..mail("ignored")
    };
    assert_eq!(said(&keyword, &[]), ["Ignoré: mot exclu : facture", "Ignored: excluded keyword: facture"]);
    let failed = MailRow { deliveries_total: 2, delivered: 1, dead_lettered: 1, ..mail("routed") };
    let dead = [delivery("delivered", None), delivery("dead_lettered", Some("HTTP 503"))];
    assert_eq!(
        said(&failed, &dead),
        ["Abandonné: 1 destination sur 2 : HTTP 503", "Given up: 1 of 2 targets: HTTP 503"]
    );
    let open = MailRow { deliveries_total: 1, ..mail("routed") };
    assert_eq!(
        said(&open, &[delivery("retrying", Some("HTTP 503"))]),
        ["Nouvel essai: HTTP 503, à 14:10", "Another try: HTTP 503, at 14:10"]
    );
    assert_eq!(
        said(&open, &[delivery("held_window", None)]),
        ["En attente: hors fenêtre, part à 14:10", "Waiting: outside the window, goes out at 14:10"]
    );
    assert_eq!(said(&open, &[delivery("waiting", None)])[0], "En route: envoi en cours");
    let unreadable = MailRow { reason: Some("the parser failed on it".to_owned()), ..mail("quarantined") };
    assert_eq!(said(&unreadable, &[])[0], "Quarantaine: sa lecture a échoué");
    let cancelled = MailRow { deliveries_total: 1, cancelled: 1, ..mail("routed") };
    assert_eq!(said(&cancelled, &[delivery("cancelled", None)])[0], "Annulé: rien n'est parti");
}

#[test]
fn what_is_sent_once_more_is_told_of_a_mail_that_was_delivered() {
    let mail = MailRow { deliveries_total: 1, delivered: 1, ..mail("routed") };
    assert_eq!(said(&mail, &[delivery("waiting", None)])[0], "Livré: renvoi en cours");
    assert_eq!(
        said(&mail, &[delivery("dead_lettered", Some("HTTP 500"))])[1],
        "Delivered: sending it again was given up: HTTP 500"
    );
}
