//! Commands speak the language of whoever runs them; what programs read does not change with it.

use serde_json::{Value, json};

use crate::support::place::{NOWHERE, Place};
use crate::support::receiver::{Answer, Receiver};
use crate::support::until::ensure;
use crate::support::{PATIENCE, mails, until};

const FRENCH: &str = "fr_FR.UTF-8";
const ENGLISH: &str = "C.UTF-8";

/// English that frames what commands show. None of it is in what the mails and documents of
/// these tests say.
const FRAMES: [&str; 50] = [
    " listed",
    "there is",
    "there are",
    "perhaps",
    "nothing",
    "attempts",
    "attempted",
    "until ",
    "wanted by",
    "under ",
    " taken",
    "given up",
    "the last one",
    "delivered",
    "received",
    "routed",
    "settled",
    "ignored",
    "released",
    "queued",
    "cancelled",
    "takes deliveries",
    "from ",
    " to ",
    "events",
    "streams",
    " rows",
    "sound",
    "entries",
    "by format",
    "by provider",
    "beside",
    "holds",
    "copied",
    "was not",
    "cannot be",
    "differs",
    "tested",
    "would",
    "no change",
    "targets",
    "subject ",
    "sender ",
    "accepted",
    "pass ",
    "stop ",
    "match",
    "no reply",
    "the text",
    "switched",
];

impl Place {
    /// The same command in French and in English, everything it said.
    async fn in_both(&mut self, arguments: &[&str]) -> [String; 2] {
        let mut said = Vec::new();
        for locale in [FRENCH, ENGLISH] {
            self.speak(locale);
            let ran = self.run(arguments).await;
            said.push(format!("{}{}", ran.out, ran.complaints));
        }
        said.try_into().expect("two")
    }

    fn speak(&mut self, locale: &str) {
        self.environment.retain(|(name, _)| name != "LC_ALL");
        self.set("LC_ALL", locale);
    }

    /// What the French and the English say, and that the French is nothing but French, but for the
    /// `quoted`: what a receiver, a mail or a path says.
    async fn check(
        &mut self,
        arguments: &[&str],
        french: &[&str],
        english: &[&str],
        quoted: &[&str],
    ) -> String {
        let mut wrong = String::new();
        let [said_fr, said_en] = self.in_both(arguments).await;
        for (said, wanted) in [(&said_fr, french), (&said_en, english)] {
            for one in wanted {
                if !said.contains(one) {
                    wrong.push_str(&format!("{arguments:?}: {one:?} is missing in\n{said}\n"));
                }
            }
        }
        let own = quoted.iter().fold(said_fr.clone(), |said, quote| said.replace(quote, ""));
        for frame in FRAMES {
            if own.contains(frame) {
                wrong.push_str(&format!("{arguments:?}: {frame:?} is English:\n{said_fr}\n"));
            }
        }
        wrong
    }

    /// What programs read is the same in both.
    async fn check_json(&mut self, arguments: &[&str]) {
        let [french, english] = self.in_both(arguments).await;
        assert_eq!(french, english, "{arguments:?}");
        assert!(!english.is_empty(), "{arguments:?}");
    }
}

/// A place where one mail was delivered, one given up and one ignored; and the ids of the three.
async fn with_a_history(receiver: &Receiver) -> (Place, [String; 3]) {
    let mut place = Place::new(&receiver.url("/hook"));
    place.speak(ENGLISH);
    let prefs = json!({
        "rate_limit_per_hour": 0, "retry_count": 1, "retry_delay_sec": 0, "exclude_keywords": ["brouillon"],
    });
    place.put("processing_prefs", &prefs.to_string());
    place.put("webhook_config", r#"{"allow_without_links": true}"#);
    let [good, bad, unwanted] = [(), (), ()].map(|()| mails::linking_to("https://fromsmash.com/abc"));
    let mut unwanted = unwanted;
    unwanted.raw.extend_from_slice(b"brouillon\r\n");
    receiver.for_mail(&bad.mark, Answer::Status(500));
    let mut worker = place.worker("worker");
    worker.start().await;
    for mail in [&good, &bad, &unwanted] {
        place.deliver(mail);
    }
    let ids = until("the three ends", PATIENCE, async || {
        let deliveries = place.json(&["deliveries", "list", "--json"]).await;
        let dead = place.json(&["deliveries", "list", "--state", "dead", "--json"]).await;
        let delivered = place.json(&["deliveries", "list", "--state", "delivered", "--json"]).await;
        let ignored = place.json(&["mails", "list", "--state", "ignored", "--json"]).await;
        let id = |list: &Value| list[0]["email_id"].as_str().map(str::to_owned);
        let all = [id(&delivered), id(&dead), id(&ignored)];
        ensure(all.iter().all(Option::is_some), || deliveries.to_string())?;
        Ok::<_, String>(all.map(|id| id.expect("an id")))
    })
    .await;
    assert!(worker.stop().await.success());
    (place, ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_a_history_speak_the_users_language() {
    let receiver = Receiver::start().await;
    let (mut place, [good, bad, unwanted]) = with_a_history(&receiver).await;
    let (good_id, bad_id) = (format!("{good}/default"), format!("{bad}/default"));
    let place = &mut place;

    let mut wrong = String::new();
    let quoted: [&str; 0] = [];
    for (arguments, french, english) in [
        (
            &["mails", "list"][..],
            &["ignoré  ", "il contient un mot exclu\u{a0}; brouillon", "1 affiché\n"][..],
            &["ignored  ", "excluded keyword; brouillon", "1 listed\n"][..],
        ),
        (
            &["mails", "list", "-n", "1"],
            &["1 affiché, et peut-être d'autres (--limit)"],
            &["1 listed, and perhaps more (--limit)"],
        ),
        (&["mails", "list", "--state", "held"], &["il n'y en a aucun\n"], &["there are none\n"]),
        (
            &["mails", "show", &good],
            &[
                "reçu  ",
                " dans ",
                "selon processing_prefs",
                "à envoyer  ",
                "à default, 1 lien",
                "terminé  ",
                "pour default\u{a0}: livré",
            ],
            &[
                "received  ",
                " in ",
                "under processing_prefs",
                "routed  ",
                "to default, 1 link",
                "settled  ",
                "default: delivered",
            ],
        ),
        (
            &["mails", "show", "nobody"],
            &["il n'y a pas de mail nobody\u{a0};"],
            &["there is no mail nobody;"],
        ),
        (
            &["mails", "release", &good],
            &["non libéré", "est déjà décidé\u{a0}; `deliveries list`"],
            &["not released", "was routed already; `deliveries list`"],
        ),
        (
            &["mails", "ignore", &unwanted, "nobody"],
            &["non ignoré", "est déjà ignoré", "il n'y a pas de mail nobody"],
            &["not ignored", "is ignored already", "there is no mail nobody"],
        ),
        (
            &["deliveries", "list"],
            &[
                "abandonné  ",
                "2 essais ont échoué, le dernier avec\u{a0}: HTTP 500",
                "essais\u{a0}: 2",
                "1 affiché",
            ],
            &["dead  ", "2 attempts failed, the last one with: HTTP 500", "attempts: 2", "1 listed"],
        ),
        (&["deliveries", "list", "--state", "held"], &["rien n'attend"], &["nothing waits"]),
        (
            &["deliveries", "show", &bad_id],
            &["essai  ", "nº 2 vers ", " ms\u{a0}: HTTP 500", "attend  ", "(nouvel essai)", "abandonné  "],
            &["attempted  ", "number 2 to ", " ms: HTTP 500", "waits  ", "(retry)", "given up  "],
        ),
        (
            &["deliveries", "show", "nobody"],
            &["aucun essai de nobody n'est connu\u{a0};"],
            &["no attempt of nobody is known;"],
        ),
        (
            &["deliveries", "retry", &good_id],
            &["non remis en file", "n'a aucun webhook non livré vers la destination «\u{a0}default\u{a0}»"],
            &["not queued  ", "no undelivered webhook of mail"],
        ),
        (
            &["deliveries", "cancel", &good_id],
            &["non annulé", "a déjà été livré ou annulé"],
            &["not cancelled", "was delivered or cancelled already"],
        ),
        (
            &["deliveries", "again", &bad_id],
            &["non envoyé à nouveau", "est abandonné\u{a0}; `deliveries retry`"],
            &["not queued  ", "is a dead letter; `deliveries retry`"],
        ),
        (
            &["deliveries", "enable", "default"],
            &["default reçoit déjà des webhooks"],
            &["default takes deliveries already"],
        ),
        (
            &["events", "verify"],
            &[" événements dans ", " flux, 1 ligne dans l'outbox\u{a0}: le journal est intact"],
            &[" events in ", " streams, 1 row in the outbox: the journal is sound"],
        ),
        (
            &["events", "show", "nothing-1"],
            &["il n'y a pas de flux nothing-1\u{a0};"],
            &["there is no stream nothing-1;"],
        ),
        (&["links", "list"], &["rien n'a encore été copié"], &["nothing was copied yet"]),
    ] {
        let quoted = [
            quoted.as_slice(),
            &[
                "nothing-1",
                "`deliveries list`",
                "`mails list`",
                "`deliveries retry`",
                "render-signal events tail",
            ],
        ]
        .concat();
        wrong.push_str(&place.check(arguments, french, english, &quoted).await);
    }
    assert!(wrong.is_empty(), "{wrong}");
    for arguments in [
        &["mails", "list", "--json"][..],
        &["mails", "show", &good, "--json"],
        &["deliveries", "list", "--json"],
        &["deliveries", "show", &bad_id, "--json"],
        &["events", "tail", "--json"],
        &["events", "verify", "--json"],
        &["links", "list", "--json"],
    ] {
        place.check_json(arguments).await;
    }

    // What changes something is said in each language once.
    for (locale, file, told) in [
        (FRENCH, "copie.jsonl", " a été copié dans copie.jsonl\u{a0}: "),
        (ENGLISH, "copy.jsonl", " was copied to copy.jsonl: "),
    ] {
        place.speak(locale);
        let copied = place.run(&["events", "export", file]).await;
        assert!(copied.code == 0 && copied.out.contains(told), "{copied:?}");
        let twice = place.run(&["events", "export", file]).await;
        let why = if locale == FRENCH { "ne peut pas être créé" } else { "cannot be created" };
        assert!(twice.code == 1 && twice.complaints.contains(why), "{twice:?}");
        let full = place.run(&["events", "import", file]).await;
        let why = if locale == FRENCH { "le journal n'est pas vide" } else { "the journal is not empty" };
        assert!(full.code == 1 && full.complaints.contains(why), "{full:?}");
    }
    place.speak(FRENCH);
    let cancelled = place.run(&["deliveries", "cancel", &bad_id]).await;
    assert_eq!(cancelled.out, format!("annulé      {bad_id}\n"), "{cancelled:?}");
    let none = place.run(&["deliveries", "retry", "--all-dead"]).await;
    assert_eq!(none.out, "aucun webhook n'est abandonné\n", "{none:?}");
    let released = place.run(&["mails", "release", &unwanted]).await;
    assert_eq!(released.out, format!("libéré      {unwanted}\n"), "{released:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_without_a_history_is_answered_in_the_users_language() {
    let mut place = Place::new("http://127.0.0.1:9/a-capability");
    let mail = mails::linking_to("https://fromsmash.com/abc");
    std::fs::create_dir_all(place.path("courriels")).expect("a folder");
    std::fs::write(place.path("courriels/1.eml"), &mail.raw).expect("a mail");
    std::fs::write(place.path("courriels/2.eml"), b"\0\0").expect("no mail");
    std::fs::create_dir_all(place.path("vide")).expect("a folder");
    let window = json!({"webhook_time_start": "09h00", "webhook_time_end": "18h00"});
    std::fs::write(place.path("fenêtre.json"), window.to_string()).expect("a document");
    std::fs::write(place.path("liste.json"), r#"[{"source_url": "a", "r2_url": "b"}]"#).expect("a list");
    let test = ["rules", "test", "--file", "fenêtre.json", "--key", "webhook_config", "--mails"];
    let by_night = [&test[..], &["courriels", "--at", "2026-11-22T22:30:00Z", "--all"]].concat();
    let explain = ["explain", "courriels/1.eml"];
    let mut wrong = String::new();
    let place = &mut place;
    for (arguments, french, english) in [
        (
            &by_night[..],
            &[
                "~ décision\u{a0}: envoyer → retenir",
                "~ raison\u{a0}: – → hors de la fenêtre d'envoi",
                "~ retenu jusqu'au\u{a0}: – → 2026-11-23 09:00",
                "courriels/2.eml n'a pas été essayé\u{a0}: il serait mis en quarantaine\u{a0}: il est vide",
                "webhook_config diffère en 2 endroits de ce qui est en vigueur",
                "1 mail essayé, 1 changerait",
                "1 mail n'a pas été essayé\u{a0}: il serait mis en quarantaine",
            ][..],
            &[
                "~ decision: deliver → hold",
                "~ reason: – → outside window",
                "~ hold_until: – → 2026-11-23 09:00",
                "courriels/2.eml was not tested: it would be put in quarantine: it is empty",
                "webhook_config differs in 2 places from what is in force",
                "1 mail tested, 1 would change",
                "1 mail was not tested: it would be put in quarantine",
            ][..],
        ),
        (
            &[&test[..], &["vide"]].concat(),
            &["il n'y a aucun mail dans vide\u{a0}: ni fichiers *.eml"],
            &["there is no mail in vide: neither *.eml"],
        ),
        (
            &["rules", "test", "--config", "vide", "--mails", "courriels"],
            &["il n'y a aucun document dans vide"],
            &["there is no document in vide"],
        ),
        (
            &["rules", "test", "--file", "liste.json", "--mails", "courriels"],
            &["quel document est liste.json\u{a0}?"],
            &["which document is liste.json?"],
        ),
        (
            &explain,
            &[
                "sujet  ",
                "passe     lisible ",
                "les champs d'en-tête d'un mail ont été trouvés",
                "tout expéditeur est accepté\u{a0}; celui-ci est «\u{a0}",
                "rien ne dit qu'un programme a répondu",
                "le sujet n'a aucun préfixe de réponse",
                "1 lien de livraison",
                "non       recadrage ",
                "l'envoi est activé et ce n'est pas un jour d'absence globale",
                "aucune fenêtre d'envoi n'est configurée",
                "elle reçoit un webhook aussi",
                "envoyer → default",
            ],
            &[
                "subject  ",
                "pass      readable ",
                "the header fields of a mail were found",
                "every sender is accepted; this is from \"",
                "nothing says that a program answered",
                "the subject has no reply prefix",
                "1 delivery links",
                "no match  recadrage ",
                "sending is switched on and this is no day of absence",
                "no delivery window is configured",
                "it receives a webhook, too",
                "deliver → default",
            ],
        ),
        (
            &["links", "stats", "--file", "liste.json"],
            &[
                "liste.json\u{a0}: 1 entrée\n",
                "par format\u{a0}: ",
                "par fournisseur\u{a0}: ",
                "archives à côté\u{a0}: 0",
            ],
            &["liste.json: 1 entry\n", "by format:   r2 ", "by provider: ", "archives beside it: 0"],
        ),
        (&["mails", "release", "nobody"], &["il n'y a pas de journal "], &["there is no journal "]),
    ] {
        wrong.push_str(&place.check(arguments, french, english, &[]).await);
    }
    assert!(wrong.is_empty(), "{wrong}");
    place.check_json(&[&by_night[..], &["--json"]].concat()).await;
    place.check_json(&["explain", "--json", "--at", "2026-11-22T19:30:00Z", "courriels/1.eml"]).await;
    place.check_json(&["links", "stats", "--file", "liste.json", "--json"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_machine_says_is_said_in_the_users_language_too() {
    let mut place = Place::new(NOWHERE);
    place.speak(ENGLISH);
    place.put("processing_prefs", r#"{"retry_count": 1, "retry_delay_sec": 0}"#);
    let mut worker = place.worker("worker");
    worker.start().await;
    place.deliver(&mails::linking_to("https://fromsmash.com/abc"));
    let id = until("the webhook to be given up", PATIENCE, async || {
        let dead = place.json(&["deliveries", "list", "--state", "dead", "--json"]).await;
        dead[0]["email_id"].as_str().map(str::to_owned).ok_or_else(|| dead.to_string())
    })
    .await;
    assert!(worker.stop().await.success());
    let delivery = format!("{id}/default");
    let mut wrong = String::new();
    for arguments in [&["deliveries", "show", &delivery][..], &["deliveries", "list", "--state", "dead"]] {
        wrong.push_str(&place.check(arguments, &["connexion refusée"], &["Connection refused"], &[]).await);
    }
    std::fs::write(place.path("data/render-signal.db"), "no journal at all".repeat(400))
        .expect("a damaged file");
    let damaged = ["mails", "list"];
    let french =
        ["ne peut pas être utilisé\u{a0}: ", "Il n'a pas été touché\u{a0}; rétablissez une sauvegarde"];
    wrong.push_str(&place.check(&damaged, &french, &["cannot be used: "], &["file is not a database"]).await);
    assert!(wrong.is_empty(), "{wrong}");
}
