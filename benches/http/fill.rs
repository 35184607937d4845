//! A journal that has been written for years.

use std::path::Path;

use chrono::TimeDelta;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::event::DomainEvent as _;
use render_signal_actors::kernel::journal::sqlite::{SqliteJournal, SqliteOptions};
use render_signal_actors::kernel::journal::{Commit, Expected, Journal as _, StreamWrite};
use render_signal_actors::mail::IgnoreReason;
use render_signal_actors::mail::heading::Heading;
use render_signal_actors::mail::life::{Location, MailEvent, MailIgnored, MailReceived, mail_stream};
use render_signal_actors::readmodel;

/// Mails of one commit.
const AT_ONCE: usize = 500;

const SENDERS: [&str; 4] =
    ["camille@exemple.fr", "atelier.photo@exemple.fr", "noreply@service.example", "jean.dupré@exemple.fr"];
const SUBJECTS: [&str; 4] = [
    "Média Solution – Missions Recadrage – Lot",
    "Re: tarifs de juin, lot",
    "Désabonnement du lot",
    "Facture n°",
];

/// Writes one; the id of one of its mails.
pub(crate) async fn journal(folder: &Path, mails: usize) -> String {
    std::fs::create_dir_all(folder).expect("a folder");
    let world = World::real();
    let file = folder.join("render-signal.db");
    let journal = SqliteJournal::open(&file, world.clone(), readmodel::all(), SqliteOptions::default());
    let journal = journal.expect("a new journal");
    let all: Vec<usize> = (0..mails).collect();
    for some in all.chunks(AT_ONCE) {
        let at = world.now();
        let mut commit = Commit { at, ..Commit::default() };
        for &number in some {
            let id = format!("{number:032x}");
            let heading = Heading {
                sender: SENDERS[number % SENDERS.len()].to_owned(),
                subject: format!("{} {number}", SUBJECTS[number % SUBJECTS.len()]),
            };
            commit.bodies.push(heading.body(&id, at + TimeDelta::days(7)));
            let events = [received(&id, number), ignored()];
            let events =
                events.iter().map(|event| event.to_new(world.ids.next()).expect("an event")).collect();
            commit.writes.push(StreamWrite {
                stream: mail_stream(&id),
                expected: Expected::NoStream,
                events,
            });
        }
        journal.append(commit).await.expect("a commit");
    }
    journal.close().await;
    format!("{:032x}", mails / 2)
}

fn received(id: &str, number: usize) -> MailEvent {
    MailEvent::Received(MailReceived {
        email_id: id.to_owned(),
        location: Location { mailbox: "INBOX".to_owned(), validity: 1, item: number.to_string() },
        sender: String::new(),
        subject: String::new(),
        size: 4_096,
        arrived_at: None,
        subject_group: String::new(),
        flaws: Vec::new(),
        content: None,
        other_content_of: None,
        copy_of: None,
        authentication: None,
    })
}

fn ignored() -> MailEvent {
    MailEvent::Ignored(MailIgnored {
        reason: IgnoreReason::NoLinks,
        detail: None,
        by: None,
        configuration: None,
    })
}
