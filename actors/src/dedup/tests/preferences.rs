//! Preferences, subject groups, skipped and released mails, on the journal in memory.

use std::time::Duration;

use bytes::Bytes;
use chrono::Weekday;
use futures::future::join_all;

use super::{Scene, afternoon, epoch, id, known, mail, new, play, source, wait};
use crate::dedup::release::{ReleaseError, release};
use crate::kernel::journal::{Journal as _, JournalAdmin as _, Queue};
use crate::mail::detectors::OutsideWindow;
use crate::mail::filters::Keywords;
use crate::mail::groups::GroupRule;
use crate::mail::outbox_rows::{self, DeliverMeta};
use crate::mail::policy::{Policy, Priority};
use crate::messages::Source;

const LINK: &str = "https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0";

fn words(written: &[&str]) -> Keywords {
    Keywords::new(&written.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
}

fn recadrage(n: usize) -> Bytes {
    let subject = "=?utf-8?q?M=C3=A9dia_Solution_-_Missions_Recadrage_-_Lot_42?=";
    source(n, "camille@ex.com", subject, &format!("{LINK} facture, rendu 11h51"))
}

fn desabo(n: usize) -> Bytes {
    let body = "Désabonnement, journée, tarifs habituels https://www.dropbox.com/request/abc absent";
    source(n, "camille@ex.com", "Dispo", body)
}

fn grouped(policy: &mut Policy) {
    policy.prefs.subject_groups = Some(GroupRule::default());
}

impl Scene {
    async fn last(&self) -> (String, serde_json::Value) {
        let last = self.log().await.pop().unwrap();
        (last.kind, last.payload)
    }

    async fn release(&self, source: &Bytes) -> Result<(), ReleaseError> {
        release(self.journal.as_ref(), &self.world, &id(source), "cli").await
    }
}

#[test]
fn each_preference_ignores_its_mails_and_says_why() {
    type Change = fn(&mut Policy);
    /// The reason and what exactly.
    type Ignored = (&'static str, Option<&'static str>);
    let cases: [(Change, Bytes, Option<Ignored>); 9] = [
        (
            |policy| policy.prefs.filters.everywhere = words(&["absent", "FACTURE "]),
            recadrage(1),
            Some(("excluded_keyword", Some("FACTURE "))),
        ),
        (|policy| policy.prefs.filters.everywhere = words(&[" ", ""]), recadrage(1), None),
        (
            |policy| {
                policy.prefs.filters.by_detector = [("recadrage".to_owned(), words(&["Facture"]))].into();
            },
            recadrage(1),
            Some(("excluded_keyword", Some("Facture"))),
        ),
        (
            |policy| {
                policy.prefs.filters.by_detector = [("recadrage".to_owned(), words(&["absent"]))].into();
            },
            desabo(1),
            None,
        ),
        (
            |policy| {
                let name = "desabonnement_journee_tarifs".to_owned();
                policy.prefs.filters.by_detector = [(name, words(&["ABSENT"]))].into();
            },
            desabo(1),
            Some(("excluded_keyword", Some("ABSENT"))),
        ),
        (
            |policy| {
                policy.prefs.filters.by_detector = [("recadrage".to_owned(), words(&["lot"]))].into();
            },
            mail(1),
            None,
        ),
        (|policy| policy.prefs.filters.require_attachments = true, mail(1), Some(("no_attachment", None))),
        (
            |policy| policy.prefs.filters.require_attachments = true,
            Bytes::from(format!(
                "Message-ID: <1@ex>\r\nFrom: camille@ex.com\r\nSubject: x\r\n\
                 Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{LINK}\r\n--b\r\n\
                 Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\nx\r\n--b--\r\n"
            )),
            None,
        ),
        (|_| {}, recadrage(1), None),
    ];
    for (change, source, ignored) in cases {
        play(change, |scene| async move {
            assert_eq!(scene.admit(1, &source).await, new(id(&source)));
            let (kind, payload) = scene.last().await;
            match ignored {
                None => assert_eq!(kind, "mail.routed"),
                Some((reason, detail)) => {
                    assert_eq!(kind, "mail.ignored");
                    assert_eq!(payload["reason"], reason);
                    assert_eq!(payload.get("detail").and_then(|detail| detail.as_str()), detail);
                    assert_eq!(scene.counts().await, [0, 0, 0, 0], "it is left unread");
                }
            }
        });
    }
}

#[test]
fn a_priority_is_recorded_and_gives_a_head_start() {
    for (level, head_start) in [(Priority::High, 30), (Priority::Medium, 0), (Priority::Low, 0)] {
        play(
            |policy| {
                policy.prefs.sender_priority = [("camille@ex.com".to_owned(), level)].into();
            },
            |scene| async move {
                scene.admit(1, &mail(1)).await.unwrap();
                let (_, routed) = scene.last().await;
                let named = (level != Priority::Medium).then(|| level.as_str());
                assert_eq!(routed.get("priority").and_then(|named| named.as_str()), named);
                let row = scene.rows(Queue::Deliver).await.remove(0);
                let due = epoch() - chrono::TimeDelta::seconds(head_start);
                assert_eq!(row.due, crate::kernel::journal::Due::At(due));
                let meta: DeliverMeta = serde_json::from_value(row.meta).unwrap();
                assert_eq!(meta.priority, level);
            },
        );
    }
}

#[test]
fn the_second_mail_of_a_group_is_ignored_and_names_the_first() {
    play(grouped, |scene| async move {
        let (first, second) = (mail(7), source(8, "camille@ex.com", "Media solution - LOT 7", LINK));
        scene.admit(1, &first).await.unwrap();
        assert_eq!(scene.kinds().await, ["mail.received", "mail.routed", "group.taken"]);
        assert_eq!(scene.admit(2, &second).await, new(id(&second)));
        let (kind, payload) = scene.last().await;
        assert_eq!((kind.as_str(), &payload["reason"]), ("mail.ignored", &"duplicate_group".into()));
        let detail = payload["detail"].as_str().unwrap();
        assert!(detail.contains(&id(&first)) && detail.contains("2026-01:lot_7"), "{detail}");
        assert_eq!(scene.counts().await, [1, 0, 0, 1], "it is marked, as the reference marks duplicates");
        // The first one again is a duplicate of itself, whatever its group is.
        assert_eq!(scene.admit(3, &first).await, known(id(&first)));
        assert_eq!(scene.last().await.0, "mail.duplicated");
        // Another lot goes.
        scene.admit(4, &mail(9)).await.unwrap();
        assert_eq!(scene.last().await.0, "group.taken");
    });
}

#[test]
fn of_many_mails_of_a_group_at_once_one_is_sent() {
    play(grouped, |scene| async move {
        let mails: Vec<_> = (0..20).map(|n| source(n, "camille@ex.com", "Lot 3", LINK)).collect();
        let answers = join_all(mails.iter().enumerate().map(|(item, mail)| scene.admit(item, mail))).await;
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|known| !known.duplicate)));
        let kinds = scene.kinds().await;
        let count = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
        assert_eq!((count("mail.routed"), count("mail.ignored"), count("group.taken")), (1, 19, 1));
        assert_eq!(scene.counts().await[0], 1);
    });
}

#[test]
fn switched_off_groups_decide_nothing() {
    play(
        |_| {},
        |scene| async move {
            for n in 1..=3 {
                scene.admit(n, &source(n, "camille@ex.com", "Lot 3", LINK)).await.unwrap();
            }
            assert_eq!(scene.counts().await, [3, 0, 0, 0]);
            // What was sent while it was off does not count when it is on.
            scene.set(grouped).await;
            scene.admit(4, &source(4, "camille@ex.com", "Lot 3", LINK)).await.unwrap();
            assert_eq!(scene.counts().await, [4, 0, 0, 0]);
            scene.admit(5, &source(5, "camille@ex.com", "Lot 3", LINK)).await.unwrap();
            assert_eq!(scene.last().await.0, "mail.ignored");
        },
    );
}

#[test]
fn a_group_is_free_again_after_its_time_and_in_another_month() {
    let month = 6 * 86_400;
    for (ttl, pause, routed) in [
        (None, 3_600, false),
        (Some(3_600), 3_590, false),
        (Some(3_600), 3_601, true),
        // The 26th of January, and the 1st of February.
        (None, month, true),
        (Some(90 * 86_400), month, true),
    ] {
        play(
            |policy| policy.prefs.subject_groups = Some(GroupRule { ttl: ttl.map(Duration::from_secs) }),
            |scene| async move {
                scene.admit(1, &source(1, "camille@ex.com", "Lot 3", LINK)).await.unwrap();
                wait(pause).await;
                scene.admit(2, &source(2, "camille@ex.com", "Lot 3", LINK)).await.unwrap();
                assert_eq!(scene.last().await.0 == "group.taken", routed, "{ttl:?} after {pause} s");
                // Whoever took it last has it.
                scene.admit(3, &source(3, "camille@ex.com", "Lot 3", LINK)).await.unwrap();
                assert_eq!(scene.last().await.0, "mail.ignored");
            },
        );
    }
}

#[test]
fn a_held_mail_takes_its_group_when_it_is_routed() {
    play(
        |policy| {
            grouped(policy);
            policy.sending_enabled = false;
        },
        |scene| async move {
            let mails: Vec<_> = (0..3).map(|n| source(n, "camille@ex.com", "Lot 3", LINK)).collect();
            for (item, mail) in mails.iter().enumerate() {
                scene.admit(item, mail).await.unwrap();
            }
            assert_eq!(scene.counts().await, [0, 0, 3, 0]);
            assert!(!scene.kinds().await.contains(&"group.taken".to_owned()));
            scene.set(|policy| policy.sending_enabled = true).await;
            wait(5).await;
            let kinds = scene.kinds().await;
            let count = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
            assert_eq!((count("mail.routed"), count("mail.ignored"), count("group.taken")), (1, 2, 1));
            assert_eq!(scene.counts().await, [1, 0, 0, 2]);
        },
    );
}

#[test]
fn outside_the_window_the_detector_decides() {
    for (outside, kind, counts) in [
        (OutsideWindow::Hold, "mail.held", [0, 0, 1, 0]),
        (OutsideWindow::Skip, "mail.skipped", [0, 0, 0, 1]),
        (OutsideWindow::Send, "mail.routed", [1, 0, 0, 0]),
    ] {
        play(
            |policy| {
                policy.window = Some(afternoon());
                for detector in &mut policy.detectors {
                    detector.outside_window = [outside; 2];
                }
            },
            |scene| async move {
                scene.admit(1, &recadrage(1)).await.unwrap();
                assert_eq!(scene.last().await.0, kind);
                assert_eq!(scene.counts().await, counts);
                // Of the built-in detectors, only a recadrage is marked when it is skipped.
                let other = desabo(2);
                scene.admit(2, &other).await.unwrap();
                assert_eq!(scene.last().await.0, kind);
                assert_eq!(scene.counts().await[3], counts[3]);
                // A mail of no detector waits.
                scene.admit(3, &mail(3)).await.unwrap();
                assert_eq!(scene.last().await.0, "mail.held");
            },
        );
    }
}

#[test]
fn a_skipped_mail_stays_and_goes_when_it_is_released() {
    play(
        |policy| {
            policy.window = Some(afternoon());
            for detector in &mut policy.detectors {
                detector.outside_window = [OutsideWindow::Skip; 2];
            }
        },
        |scene| async move {
            let skipped = recadrage(1);
            scene.admit(1, &skipped).await.unwrap();
            let (_, payload) = scene.last().await;
            assert_eq!(
                (&payload["reason"], &payload["detector"]),
                (&"outside_window".into(), &"recadrage".into())
            );
            // The window opens: nothing happens by itself.
            wait(6 * 3_600).await;
            assert_eq!(scene.last().await.0, "mail.skipped");
            scene.release(&skipped).await.unwrap();
            wait(2).await;
            assert_eq!(
                scene.kinds().await,
                ["mail.received", "mail.skipped", "mail.released", "mail.routed"]
            );
            assert_eq!(scene.counts().await[0], 1);
            let key = outbox_rows::delivery_body_key(&id(&skipped), "default");
            let body = scene.journal.body(&key).await.unwrap().unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(
                (&body["detector"], &body["webhooks_time_start"]),
                (&"recadrage".into(), &"maintenant".into())
            );
            assert!(matches!(scene.release(&skipped).await, Err(ReleaseError::Routed(_))));
        },
    );
}

#[test]
fn whatever_was_decided_a_released_mail_goes() {
    type Change = fn(&mut Policy);
    let cases: [(Change, Bytes); 6] = [
        (|policy| policy.window = Some(afternoon()), mail(1)),
        (|policy| policy.prefs.filters.everywhere = words(&["lot"]), mail(1)),
        (|policy| policy.prefs.filters.require_attachments = true, mail(1)),
        (|_| {}, source(1, "camille@ex.com", "Re: Lot", LINK)),
        (|_| {}, source(1, "camille@ex.com", "Lot", "no link")),
        (|policy| policy.absence_days = vec![Weekday::Mon], mail(1)),
    ];
    for (change, source) in cases {
        play(change, |scene| async move {
            scene.admit(1, &source).await.unwrap();
            assert_eq!(scene.counts().await[0], 0);
            scene.release(&source).await.unwrap();
            wait(2).await;
            assert_eq!(scene.last().await.0, "mail.routed");
            let counts = scene.counts().await;
            assert_eq!((counts[0], counts[2]), (1, 0));
        });
    }
}

#[test]
fn a_released_mail_passes_by_its_group_and_takes_it_when_it_is_free() {
    play(
        |policy| {
            grouped(policy);
            policy.prefs.filters.everywhere = words(&["wait"]);
        },
        |scene| async move {
            let mails: Vec<_> =
                (0..2).map(|n| source(n, "camille@ex.com", "Lot 3", &format!("wait {LINK}"))).collect();
            for (item, mail) in mails.iter().enumerate() {
                scene.admit(item, mail).await.unwrap();
                scene.release(mail).await.unwrap();
                wait(2).await;
            }
            let kinds = scene.kinds().await;
            let count = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
            assert_eq!((count("mail.routed"), count("group.taken")), (2, 1));
        },
    );
}

#[test]
fn what_cannot_be_released_says_why_and_stays() {
    play(
        |policy| policy.prefs.filters.everywhere = words(&["lot"]),
        |scene| async move {
            let (large, ignored) = (source(1, "camille@ex.com", "x", LINK), mail(2));
            let nothing = Bytes::from_static(b"bonjour");
            for (item, source) in [&ignored, &nothing].into_iter().enumerate() {
                scene.admit(item, source).await.unwrap();
            }
            let header = Source::HeaderOnly { header: large.clone(), size: 1 << 30 };
            scene.hand_over(2, header).await.unwrap();
            let before = scene.kinds().await;
            assert!(matches!(scene.release(&mail(3)).await, Err(ReleaseError::Unknown(_))));
            assert!(matches!(scene.release(&large).await, Err(ReleaseError::ContentGone(_))));
            let quarantined = crate::mail::identity::source_id(&nothing);
            let refused = release(scene.journal.as_ref(), &scene.world, &quarantined, "cli").await;
            assert!(matches!(refused, Err(ReleaseError::Unreadable(_))));
            // After MAIL_RETENTION_DAYS its content is gone.
            scene.journal.purge(epoch() + chrono::TimeDelta::days(8)).await.unwrap();
            assert!(matches!(scene.release(&ignored).await, Err(ReleaseError::ContentGone(_))));
            assert_eq!(scene.kinds().await, before);
        },
    );
}

#[test]
fn whatever_holds_a_mail_lets_it_go_when_it_is_changed() {
    type Change = fn(&mut Policy);
    let cases: [(&str, Change, Change); 5] = [
        ("absence", |policy| policy.absence_days = vec![Weekday::Mon], |policy| policy.absence_days.clear()),
        (
            "absence",
            |policy| policy.absence_days = vec![Weekday::Mon],
            |policy| policy.absence_days = vec![Weekday::Tue],
        ),
        ("outside_window", |policy| policy.window = Some(afternoon()), |policy| policy.window = None),
        (
            "outside_window",
            |policy| policy.window = Some(afternoon()),
            |policy| policy.window.as_mut().unwrap().start = chrono::NaiveTime::from_hms_opt(8, 30, 0),
        ),
        (
            "outside_window",
            |policy| policy.window = Some(afternoon()),
            |policy| {
                for detector in &mut policy.detectors {
                    detector.outside_window = [OutsideWindow::Send; 2];
                }
            },
        ),
    ];
    for (reason, hold, let_go) in cases {
        play(hold, |scene| async move {
            scene.admit(1, &recadrage(1)).await.unwrap();
            let (kind, payload) = scene.last().await;
            assert_eq!((kind.as_str(), &payload["reason"]), ("mail.held", &reason.into()));
            scene.set(let_go).await;
            wait(1).await;
            assert_eq!(scene.last().await.0, "mail.routed", "{reason}");
        });
    }
}
