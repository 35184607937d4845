//! What is said, in both languages.

use chrono::{DateTime, Utc};
use render_signal_actors::mail::Link;
use render_signal_actors::mail::life::{
    LinkKept, LinksDeferred, LinksKept, MailCleared, MailDuplicated, MailQuarantined, MailReleased,
    MailResumed, MailSetAside, MailSettled, MailSkipped, MailSuspected, RoutedDelivery,
};
use render_signal_actors::mail::policy::{Priority, Share};
use render_signal_actors::story::DeliveryWhat;

use super::mail_steps::{folder, size};
use super::*;
use render_signal_actors::mail::life::{
    DeliveryEnd, LinkOffloaded, Location, MailHeld, MailIgnored, MailReceived, MailRouted,
};
use render_signal_actors::mail::{HoldReason, IgnoreReason};

const AT: &str = "2026-01-26T06:30:00Z";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn place(mailbox: &str) -> Location {
    Location { mailbox: mailbox.to_owned(), validity: 7, item: "12".to_owned() }
}

fn inbox() -> Location {
    place("imap.example.fr/me@example.fr/INBOX")
}

fn received(location: Location, size: u64) -> MailEvent {
    MailEvent::Received(MailReceived {
        email_id: "a".to_owned(),
        location,
        sender: String::new(),
        subject: String::new(),
        size,
        arrived_at: None,
        subject_group: String::new(),
        flaws: Vec::new(),
        content: None,
        other_content_of: None,
        copy_of: None,
        authentication: None,
    })
}

fn held(reason: HoldReason, until: Option<&str>) -> MailEvent {
    MailEvent::Held(MailHeld { reason, until: until.map(at), configuration: None })
}

fn ignored(reason: IgnoreReason, detail: Option<&str>, by: Option<&str>) -> MailEvent {
    let (detail, by) = (detail.map(str::to_owned), by.map(str::to_owned));
    MailEvent::Ignored(MailIgnored { reason, detail, configuration: None, by })
}

fn routed() -> MailEvent {
    let target =
        |target: &str| RoutedDelivery { target: target.to_owned(), rule: None, share: Share::default() };
    let link = Link {
        provider: "dropbox".into(),
        raw_url: "https://l".into(),
        direct_url: None,
        original_filename: None,
        r2_url: None,
    };
    MailEvent::Routed(MailRouted {
        detection: None,
        links: vec![link],
        deliveries: vec![target("default"), target("équipe")],
        offload: false,
        priority: Priority::default(),
        text: None,
        configuration: None,
    })
}

fn copied(reused_from: Option<&str>) -> MailEvent {
    MailEvent::LinkOffloaded(LinkOffloaded {
        raw_url: "https://l".into(),
        source_url: "https://l".into(),
        r2_url: "https://r2".into(),
        provider: "dropbox".into(),
        original_filename: None,
        expires_at: None,
        reused_from: reused_from.map(str::to_owned),
    })
}

fn deferred(count: u64) -> MailEvent {
    MailEvent::LinksDeferred(LinksDeferred {
        count,
        why: "no answer in time".into(),
        until: at("2026-01-26T07:00:00Z"),
    })
}

/// Each event with its sentences and its column in English.
fn mail() -> Vec<(MailEvent, &'static str, &'static str, &'static str)> {
    let (queue, by) = (|| "hold".to_owned(), || "cli".to_owned());
    vec![
        (
            received(inbox(), 18_500),
            "Reçu dans INBOX, 18 Ko",
            "Received in INBOX, 18 KB",
            "received|in imap.example.fr/me@example.fr/INBOX (7, 12)",
        ),
        (
            MailEvent::Duplicated(MailDuplicated { location: place("gmail_push") }),
            "Autre exemplaire par HTTP",
            "Further copy by HTTP",
            "duplicated|a further copy in gmail_push (7, 12)",
        ),
        (
            ignored(IgnoreReason::ExcludedKeyword, Some("facture"), None),
            "Ignoré : il contient un mot exclu : facture",
            "Ignored: it contains an excluded keyword: facture",
            "ignored|excluded keyword: facture",
        ),
        (
            ignored(IgnoreReason::Operator, None, Some("cli")),
            "Ignoré à la demande de cli",
            "Ignored by cli",
            "ignored|wanted by cli",
        ),
        (
            MailEvent::Skipped(MailSkipped {
                reason: HoldReason::OutsideWindow,
                detector: "recadrage".into(),
                seen: true,
                configuration: None,
            }),
            "Laissé de côté : hors de la fenêtre d'envoi, comme le veut le détecteur recadrage",
            "Skipped: outside the delivery window, as the detector recadrage wants it",
            "skipped|outside window, as the detector recadrage wants it",
        ),
        (
            MailEvent::Released(MailReleased { by: by() }),
            "Libéré à la demande de cli",
            "Released by cli",
            "released|wanted by cli",
        ),
        (
            MailEvent::Quarantined(MailQuarantined {
                email_id: "a".into(),
                location: inbox(),
                why: "the parser failed on it".into(),
                size: 1,
                body_key: "b".into(),
            }),
            "En quarantaine : sa lecture a échoué",
            "Quarantined: the parser failed on it",
            "quarantined|the parser failed on it",
        ),
        (
            held(HoldReason::OutsideWindow, Some("2026-01-26T07:00:00Z")),
            "Mis en attente : hors de la fenêtre d'envoi jusqu'à 08:00",
            "Held: outside the delivery window until 08:00",
            "held|outside window, until 2026-01-26T07:00:00Z at the latest",
        ),
        (
            held(HoldReason::SendingDisabled, None),
            "Mis en attente : l'envoi est désactivé, jusqu'à un changement de configuration",
            "Held: sending is switched off, until the configuration changes",
            "held|sending disabled",
        ),
        (
            routed(),
            "À envoyer à default, équipe, 1 lien",
            "Routed to default, équipe, 1 link",
            "routed|to default, équipe, 1 link",
        ),
        (
            copied(None),
            "Copié : https://l se trouve à https://r2",
            "Copied: https://l lies at https://r2",
            "offloaded|https://l lies at https://r2",
        ),
        (
            copied(Some("b")),
            "Déjà copié : https://l se trouve à https://r2",
            "Copied before: https://l lies at https://r2",
            "offloaded|https://l lies at https://r2",
        ),
        (
            MailEvent::LinkKept(LinkKept {
                raw_url: "https://l".into(),
                why: "no connection: refused".into(),
            }),
            "Lien gardé : https://l : pas de connexion : refused",
            "Source link kept: https://l: no connection: refused",
            "kept|https://l: no connection: refused",
        ),
        (
            MailEvent::LinksKept(LinksKept { count: 2, why: "the offload is switched off".into() }),
            "Liens gardés : 2 liens : la copie des fichiers est désactivée",
            "Source links kept: 2 links: the offload is switched off",
            "kept|2 links: the offload is switched off",
        ),
        (
            deferred(1),
            "Copie reportée : 1 lien ne peut pas être copié pour l'instant (pas de réponse à temps) ; il est envoyé à 08:00 au plus tard",
            "Copies put off: 1 link cannot be copied now (no answer in time); they are sent at 08:00 at the latest",
            "deferred|1 link cannot be copied now (no answer in time); they are sent at 2026-01-26T07:00:00Z at the latest",
        ),
        (
            deferred(2),
            "Copie reportée : 2 liens ne peuvent pas être copiés pour l'instant (pas de réponse à temps) ; ils sont envoyés à 08:00 au plus tard",
            "Copies put off: 2 links cannot be copied now (no answer in time); they are sent at 08:00 at the latest",
            "deferred|2 links cannot be copied now (no answer in time); they are sent at 2026-01-26T07:00:00Z at the latest",
        ),
        (
            MailEvent::Suspected(MailSuspected { queue: queue(), claims: 2 }),
            "Suspect : lu à part, car un worker s'est arrêté pendant qu'il avait ce mail",
            "Suspected: read alone, since a worker ended while it had this mail",
            "suspected|read alone, since a worker ended while it had this mail",
        ),
        (
            MailEvent::Cleared(MailCleared { queue: queue() }),
            "Hors de cause : il a été lu à part, et le worker vit",
            "Cleared: it was read alone, and the worker lives",
            "cleared|it was read alone, and the worker lives",
        ),
        (
            MailEvent::SetAside(MailSetAside { queue: queue(), why: "as it is".into() }),
            "Mis de côté : as it is",
            "Set aside: as it is",
            "set aside|as it is",
        ),
        (
            MailEvent::Resumed(MailResumed { queue: queue(), by: by() }),
            "Repris à la demande de cli",
            "Resumed by cli",
            "resumed|wanted by cli",
        ),
        (
            MailEvent::Settled(MailSettled { target: "default".into(), end: DeliveryEnd::DeadLettered }),
            "Terminé pour default : abandonné",
            "Settled for default: given up",
            "settled|default: dead lettered",
        ),
    ]
}

fn delivery() -> Vec<(DeliveryWhat, &'static str, &'static str, &'static str)> {
    let attempted = |error: Option<&str>| DeliveryWhat::Attempted {
        attempt: 2,
        url: "https://a.example/***".into(),
        status: None,
        error: error.map(str::to_owned),
        took_ms: 30,
        answer: None,
    };
    let waits = |why: &str, detail: Option<&str>| DeliveryWhat::Deferred {
        until: at("2026-01-27T07:00:00Z"),
        why: why.to_owned(),
        detail: detail.map(str::to_owned),
    };
    let by = || "cli".to_owned();
    vec![
        (
            attempted(None),
            "Essai nº 2 vers https://a.example/***, 30 ms : accepté",
            "Attempt number 2 to https://a.example/***, 30 ms: taken",
            "attempted|number 2 to https://a.example/***, 30 ms: taken",
        ),
        (
            attempted(Some("HTTP 304: redirects are not followed")),
            "Essai nº 2 vers https://a.example/***, 30 ms : HTTP 304 : les redirections ne sont pas suivies",
            "Attempt number 2 to https://a.example/***, 30 ms: HTTP 304: redirects are not followed",
            "attempted|number 2 to https://a.example/***, 30 ms: HTTP 304: redirects are not followed",
        ),
        (
            DeliveryWhat::Delivered { status: 204 },
            "Livré : HTTP 204",
            "Delivered: HTTP 204",
            "delivered|HTTP 204",
        ),
        (
            waits("retry", None),
            "Attend jusqu'au 27 janvier à 08:00 (nouvel essai)",
            "Waits until 27 January at 08:00 (another try)",
            "waits|until 2026-01-27T07:00:00Z (retry)",
        ),
        (
            waits("local_fault", Some("no network")),
            "Attend jusqu'au 27 janvier à 08:00 (cette machine n'a pas pu essayer : no network)",
            "Waits until 27 January at 08:00 (this machine could not try: no network)",
            "waits|until 2026-01-27T07:00:00Z (local_fault: no network)",
        ),
        (
            waits("target_disabled", None),
            "Attend que la destination soit réactivée",
            "Waits until the target is switched on again",
            "waits|until 2026-01-27T07:00:00Z (target_disabled)",
        ),
        (
            DeliveryWhat::DeadLettered { why: "3 attempts failed, the last one with: HTTP 500".into() },
            "Abandonné : 3 essais ont échoué, le dernier avec : HTTP 500",
            "Given up: 3 attempts failed, the last one with: HTTP 500",
            "given up|3 attempts failed, the last one with: HTTP 500",
        ),
        (
            DeliveryWhat::Requeued { by: by(), again: false },
            "Remis en file à la demande de cli",
            "Sent again by cli",
            "sent again|wanted by cli",
        ),
        (
            DeliveryWhat::Requeued { by: by(), again: true },
            "Envoyé à nouveau à la demande de cli",
            "Sent once more by cli",
            "once more|wanted by cli",
        ),
        (DeliveryWhat::Cancelled { by: by() }, "Annulé par cli", "Cancelled by cli", "cancelled|by cli"),
    ]
}

fn check(tell: impl Fn(Teller) -> StoryLine, french: &str, english: &str, column: &str) {
    let depth = Depth::Local(chrono_tz::Europe::Paris);
    for (lang, sentence) in [(Lang::Fr, french), (Lang::En, english)] {
        assert_eq!(tell(Teller { lang, depth }).sentence(lang), sentence);
    }
    let told = tell(Teller::exact(Lang::En));
    assert_eq!(format!("{}|{}", told.word, told.text), column);
    for lang in [Lang::Fr, Lang::En] {
        let word = tell(Teller::exact(lang)).word;
        assert!(word.chars().count() <= super::column(lang), "{word} fits");
    }
}

#[test]
fn every_event_of_a_mail_is_a_sentence_in_both_languages() {
    for (event, french, english, column) in mail() {
        check(|teller| teller.mail(&event, at(AT)), french, english, column);
    }
}

#[test]
fn every_event_of_a_delivery_is_a_sentence_in_both_languages() {
    for (what, french, english, column) in delivery() {
        check(|teller| teller.delivery(&what, at(AT)), french, english, column);
    }
}

#[test]
fn folders_and_sizes_are_said_as_people_do() {
    for (mailbox, said) in [
        ("imap.example.fr/me@example.fr/INBOX", "INBOX"),
        ("imap.example.fr/me@example.fr/Clients/Lot 42", "Clients/Lot 42"),
        ("/var/mail/me", "me"),
        ("maildir", "maildir"),
    ] {
        assert_eq!(folder(mailbox), said);
    }
    for (bytes, french, english) in [
        (0, "0 octet", "0 bytes"),
        (1023, "1023 octets", "1023 bytes"),
        (1024, "1 Ko", "1 KB"),
        (18_500, "18 Ko", "18 KB"),
        (1024 * 1024, "1,0 Mo", "1.0 MB"),
        (26_214_400, "25,0 Mo", "25.0 MB"),
    ] {
        assert_eq!((size(Lang::Fr, bytes), size(Lang::En, bytes)), (french.to_owned(), english.to_owned()));
    }
}
