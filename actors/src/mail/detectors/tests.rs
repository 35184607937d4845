//! The language, through its door: JSON in, a detection or a reason out.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::mail::samples::at;
use crate::mail::{Mail, links, parse, providers};

fn mail(from: &str, subject: &str, body: &str) -> Mail {
    parse::parse(format!("From: {from}\nSubject: {subject}\n\n{body}").as_bytes()).expect("a mail")
}

fn compiled(stored: &Value) -> Detector {
    detector(stored).unwrap_or_else(|flaw| panic!("{flaw:?}")).expect("switched on")
}

fn ask(stored: &Value, mail: &Mail) -> Result<Recognised, Miss> {
    let links = links::of_mail(mail, &providers::defaults()).links;
    let facts = Facts::for_detectors(mail, &links);
    let detector = compiled(stored);
    let now = at("2026-01-26T08:00:00Z");
    let examined = detector.examine(&facts, chrono_tz::Europe::Paris, now);
    assert_eq!(detector.recognise(&facts, chrono_tz::Europe::Paris, now), examined.clone().ok());
    examined
}

fn holds(condition: &Value, mail: &Mail) -> Result<(), String> {
    ask(&json!({"id": "d", "conditions": condition}), mail).map(drop).map_err(|miss| miss.words.english)
}

#[test]
fn each_operator_in_plain_words() {
    let mail = mail(
        "Compta <Compta@Ex.fr>",
        "Relevé n° 7 du MOIS",
        "À payer : https://Portal.example/x et https://www.dropbox.com/s/a",
    );
    for (field, operator, value, missing) in [
        ("subject", "contains", json!("releve"), None),
        ("subject", "contains", json!("RELEVÉ  N°"), None),
        ("subject", "contains", json!("avoir"), Some("the subject does not contain \"avoir\"")),
        ("subject", "contains", json!(["a", "b"]), Some("the subject does not contain \"a\" or \"b\"")),
        ("subject", "equals", json!("Relevé n° 7 du mois"), None),
        ("subject", "equals", json!("relevé"), Some("the subject is not \"releve\"")),
        ("subject", "starts_with", json!("relevé"), None),
        ("subject", "starts_with", json!("du"), Some("the subject does not begin with \"du\"")),
        ("subject", "word", json!("moi"), Some("the subject does not contain the word \"moi\"")),
        ("subject", "word", json!(["moi", "mois"]), None),
        ("subject", "regex", json!(r"n° \d+ du"), None),
        ("subject", "regex", json!("^du"), Some("the subject does not match /^du/")),
        ("body", "contains", json!("a payer"), None),
        ("body", "word", json!("payer"), None),
        ("sender", "equals", json!("compta@ex.fr"), None),
        ("sender", "contains", json!("@b.fr"), Some("the sender does not contain \"@b.fr\"")),
        ("links", "provider", json!("dropbox"), None),
        ("links", "provider", json!("fromsmash"), Some("there is no link of \"fromsmash\"")),
        ("links", "host", json!("portal.example"), None),
        ("links", "host", json!("*.dropbox.com"), None),
        ("links", "host", json!("dropbox.com"), Some("there is no link to the host \"dropbox.com\"")),
        (
            "links",
            "host",
            json!("*.portal.example"),
            Some("there is no link to the host \"*.portal.example\""),
        ),
        ("links", "starts_with", json!("HTTPS://www.dropbox.com/S/"), None),
        (
            "links",
            "contains",
            json!("portal"),
            Some("the address of a delivery link does not contain \"portal\""),
        ),
    ] {
        let condition = json!({"field": field, "operator": operator, "value": value});
        assert_eq!(holds(&condition, &mail).err().as_deref(), missing, "{condition}");
        // Its negation holds exactly when it does not, and never both.
        assert_eq!(holds(&json!({"none": [condition]}), &mail).is_ok(), missing.is_some(), "{condition}");
    }
}

#[test]
fn forms_of_a_text() {
    let mail = mail("a@b.fr", "Relevé  MENSUEL", "x");
    for (form, case_sensitive, value, expected) in [
        ("normalised", false, "RELEVE mensuel", true),
        ("seen", false, "relevé", true),
        ("seen", false, "releve", false),
        ("seen", false, "Relevé MENSUEL", false),
        ("seen", true, "MENSUEL", true),
        ("seen", true, "mensuel", false),
    ] {
        let condition = json!({"field": "subject", "operator": "contains", "form": form,
                               "case_sensitive": case_sensitive, "value": value});
        assert_eq!(holds(&condition, &mail).is_ok(), expected, "{condition}");
    }
}

#[test]
fn groups_and_their_reasons() {
    let mail = mail("a@b.fr", "lot 3", "facture");
    let has = |value: &str| json!({"field": "body", "operator": "contains", "value": value});
    for (condition, place, words) in [
        (
            json!({"all": [has("fact"), {"all": [has("x")]}]}),
            "conditions.all[1].all[0]",
            "the text does not contain \"x\"",
        ),
        (
            json!({"any": [has("x"), has("y")]}),
            "conditions.any",
            "the text does not contain \"x\", and the text does not contain \"y\"",
        ),
        (
            json!({"none": [has("x"), {"any": [has("y"), has("facture")]}]}),
            "conditions.none[1]",
            "the text contains \"facture\"",
        ),
        (
            json!({"none": [{"field": "links", "operator": "present"}, {"all": [has("fac"), has("ture")]}]}),
            "conditions.none[1]",
            "the text contains \"fac\", and the text contains \"ture\"",
        ),
        (json!({"any": [has("x")], "explain": "no such thing"}), "conditions.any", "no such thing"),
    ] {
        let miss = ask(&json!({"id": "d", "conditions": condition}), &mail).expect_err("a miss");
        assert_eq!((miss.condition.as_str(), miss.words.english.as_str()), (place, words));
    }
    assert_eq!(holds(&json!({"none": [has("x"), {"none": [has("facture")]}]}), &mail), Ok(()));
}

#[test]
fn an_invoice_detector_takes_texts_out() {
    let stored = json!({
        "id": "facture", "detector": "invoice",
        "conditions": {"field": "subject", "operator": "word", "value": "facture"},
        "urgent": {"field": "subject", "operator": "word", "value": "relance"},
        "extract": {"values": {
            "number": {"field": "subject", "regex": r"n°\s*([A-Z]{2}-\d+)", "required": true},
            "total": {"regex": r"total ttc : ([\d ]+,\d\d)", "form": "normalised"},
            "due": {"regex": r"échéance : (\S+)"},
        }},
        "outside_window": {"urgent": "send"}, "mark_skipped_read": true, "exclude_keywords": ["avoir"],
    });
    let found = ask(&stored, &mail("a@b.fr", "Facture n° FR-17 relance", "Total  TTC : 1 200,50 €"))
        .expect("recognised");
    assert_eq!(found.detection.detector, "invoice");
    assert_eq!(
        found.detection.extracted.into_iter().collect::<Vec<_>>(),
        [("number".to_owned(), "FR-17".to_owned()), ("total".to_owned(), "1 200,50".to_owned())]
    );
    assert!(found.detection.urgent);
    assert_eq!((found.outside_window, found.mark_skipped_read), (OutsideWindow::Send, true));
    let miss = ask(&stored, &mail("a@b.fr", "Facture n° 17", "")).expect_err("no number");
    assert_eq!(
        (&*miss.condition, &*miss.words.english),
        ("extract.values.number", "no \"number\" was found")
    );
}

#[test]
fn a_time_of_ones_own() {
    let stored = json!({
        "id": "livraison",
        "conditions": {"field": "subject", "operator": "present"},
        "extract": {"delivery_time": {"patterns": [
            {"regex": r"(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d) (?<hour>\d\d):(?<minute>\d\d)"},
            {"field": "subject", "regex": r"(?<hour>\d{1,2}) heures", "reject": [{"before": "pas $"}]},
        ]}},
    });
    for (subject, body, expected) in [
        ("x", "2026-02-30 10:00 ou 2026-02-28 10:00", Some("le 28/02/2026 à 10h00")),
        ("pas 9 heures mais 25 heures, donc 8 heures", "x", Some("08h00")),
        ("x", "8 heures", None),
    ] {
        let found = ask(&stored, &mail("a@b.fr", subject, body)).expect("recognised: it is not required");
        assert_eq!(found.detection.delivery_time.as_deref(), expected, "{subject} {body}");
        assert_eq!(found.outside_window, OutsideWindow::Hold);
    }
}

#[test]
fn what_is_wrong_is_named() {
    let good = json!({"field": "body", "operator": "contains", "value": "x"});
    let with = |changes: Value| {
        let mut stored = json!({"id": "d", "conditions": good});
        for (name, value) in changes.as_object().expect("an object") {
            stored[name] = value.clone();
        }
        stored
    };
    let condition = |condition: Value| with(json!({"conditions": condition}));
    let time = |pattern: Value| with(json!({"extract": {"delivery_time": {"patterns": [pattern]}}}));
    let value = |named: Value| with(json!({"extract": {"values": {"n": named}}}));
    let mut deep = good.clone();
    for _ in 0..9 {
        deep = json!({ "all": [deep] });
    }
    for (stored, field, message) in [
        (json!(5), "", "un objet JSON"),
        (json!({"conditions": good}), ".id", "id est requis"),
        (with(json!({"id": "été"})), ".id", "lettres ASCII"),
        (with(json!({"condition": 1})), ".condition", "champ inconnu"),
        (with(json!({"enabled": "no"})), ".enabled", "booléen attendu"),
        (with(json!({"name": 1})), ".name", "un texte est attendu"),
        (json!({"id": "d"}), ".conditions", "conditions est requis"),
        (
            with(json!({"outside_window": "never"})),
            ".outside_window",
            "outside_window invalide (hold|skip|send)",
        ),
        (with(json!({"mark_skipped_read": "yes"})), ".mark_skipped_read", "booléen attendu"),
        (with(json!({"exclude_keywords": ["a", " "]})), ".exclude_keywords[1]", "un texte non vide"),
        (with(json!({"outside_window": {"urgent": 1}})), ".outside_window.urgent", "urgent invalide"),
        (with(json!({"outside_window": {"else": "send"}})), ".outside_window.else", "champ inconnu"),
        (condition(json!({"all": []})), ".conditions.all", "au moins une condition"),
        (condition(json!({"all": [good, 1]})), ".conditions.all[1]", "un objet JSON"),
        (condition(json!({"all": [good], "any": [good]})), ".conditions.any", "champ inconnu"),
        (condition(deep), ".conditions.all[0]", ""),
        (condition(json!({"all": vec![good.clone(); 101]})), ".conditions.all", "au plus 100"),
        (condition(json!({"operator": "contains", "value": "x"})), ".conditions.field", "field est requis"),
        (condition(json!({"field": "to", "operator": "present"})), ".conditions.field", "field invalide"),
        (condition(json!({"field": "body", "operator": "is"})), ".conditions.operator", "operator invalide"),
        (
            condition(json!({"field": "body", "operator": "host", "value": "a"})),
            ".conditions.operator",
            "cet op",
        ),
        (
            condition(json!({"field": "body", "operator": "contains"})),
            ".conditions.value",
            "value est requis",
        ),
        (
            condition(json!({"field": "body", "operator": "contains", "value": ["a", " "]})),
            ".conditions.value[1]",
            "un texte non vide",
        ),
        (
            condition(json!({"field": "body", "operator": "present", "value": "x"})),
            ".conditions.value",
            "present n'a pas",
        ),
        (
            condition(json!({"field": "links", "operator": "host", "value": "https://a.fr/"})),
            ".conditions.value",
            "un nom d'hôte",
        ),
        (
            condition(json!({"field": "links", "operator": "present", "form": "normalised"})),
            ".conditions.form",
            "une adresse",
        ),
        (
            condition(json!({"field": "body", "operator": "word", "value": "x", "case_sensitive": true})),
            ".conditions.case_sensitive",
            "la forme normalised",
        ),
        (
            condition(json!({"field": "body", "operator": "regex", "value": "média"})),
            ".conditions.value",
            "« é » n'existe pas",
        ),
        (
            condition(json!({"field": "body", "operator": "regex", "value": ["a", "("]})),
            ".conditions.value[1]",
            "Expression régulière invalide",
        ),
        (
            condition(json!({"field": "body", "operator": "regex", "value": "a{1000}{1000}"})),
            ".conditions.value",
            "Expression régulière trop longue",
        ),
        (with(json!({"urgent": {"field": "body"}})), ".urgent.operator", "operator est requis"),
        (
            with(json!({"extract": {"delivery_time": {}}})),
            ".extract.delivery_time.patterns",
            "au moins un motif",
        ),
        (
            time(json!({"regex": r"(\d+)"})),
            ".extract.delivery_time.patterns[0].regex",
            "les groupes (?<hour>…)",
        ),
        (
            time(json!({"regex": r"(?<hour>\d\d)/(?<day>\d\d)"})),
            ".extract.delivery_time.patterns[0].regex",
            "les groupes (?<hour>…)",
        ),
        (
            time(json!({"regex": r"pour\s+(?<hour>\d\d)h"})),
            ".extract.delivery_time.patterns[0].regex",
            "répétition sans fin",
        ),
        (
            time(json!({"regex": r"(?<hour>\d\d)h", "reject": [{"unless_before": "x"}]})),
            ".extract.delivery_time.patterns[0].reject[0]",
            "match, before ou after",
        ),
        (value(json!({"regex": "x"})), ".extract.values.n.regex", "exactement un groupe"),
        (value(json!({"regex": "(x)(y)"})), ".extract.values.n.regex", "exactement un groupe"),
        (value(json!({"regex": "(x)", "field": "links"})), ".extract.values.n.field", "field invalide"),
    ] {
        let flaw = detector(&stored).expect_err("a flaw");
        let exact = !message.is_empty();
        assert!(
            if exact { flaw.field == field } else { flaw.field.starts_with(field) },
            "{stored}: {flaw:?}"
        );
        assert!(flaw.message.french.starts_with(message), "{stored}: {flaw:?}");
    }
    let hundred = json!({"all": vec![good.clone(); 100]});
    let flaw = detector(&condition(json!({"all": [hundred, hundred]}))).expect_err("too many");
    assert!(flaw.message.french.starts_with("au plus 200 conditions"), "{flaw:?}");
    assert_eq!(
        detector(&json!({"id": "d", "enabled": false, "conditions": 1})).map(|on| on.is_none()),
        Ok(true)
    );
    let noted = with(json!({"_note": "why", "enabled": null, "urgent": null}));
    assert!(matches!(detector(&noted), Ok(Some(_))));
}

#[test]
fn the_default_document_is_usable_whole() {
    let document: Value = serde_json::from_str(DEFAULT_DOCUMENT).expect("JSON");
    let stored = document["detectors"].as_array().expect("a list");
    let compiled: Vec<Detector> = stored.iter().map(compiled).collect();
    let described = |detectors: &[Detector]| format!("{detectors:?}");
    assert_eq!(described(&compiled), described(&defaults()));
    let named: Vec<_> = compiled.iter().map(|detector| (&*detector.id, &*detector.value)).collect();
    assert_eq!(named, [("recadrage", "recadrage"), ("desabo", "desabonnement_journee_tarifs")]);
    let outside =
        |urgent| compiled.iter().map(|detector| detector.outside_window(urgent)).collect::<Vec<_>>();
    assert_eq!(outside(true), [OutsideWindow::Hold, OutsideWindow::Hold]);
    assert_eq!(outside(false), [OutsideWindow::Hold, OutsideWindow::Send]);
    for pattern in compiled.iter().flat_map(Detector::patterns) {
        assert!(pattern.reach() >= 100_000, "{pattern:?} reads only {} bytes", pattern.reach());
    }
}

/// The examples of the documentation are detectors, and do what it says.
#[test]
fn the_documented_examples_work() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/DETECTORS.md"));
    let examples: Vec<Value> = page
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| serde_json::from_str(rest.split("```").next()?).ok())
        .filter(|example: &Value| example.get("id").is_some())
        .collect();
    assert_eq!(examples.len(), 2);
    let described = |detector: &Detector| format!("{:?}", (&detector.conditions, detector.outside_window));
    assert_eq!(described(&compiled(&examples[0])), described(&defaults()[1]));
    let invoice = mail("Compta <compta@acme.example>", "Facture n° FR-17, relance", "Total TTC : 1 200,50 €");
    let found = ask(&examples[1], &invoice).expect("recognised").detection;
    assert_eq!(found.detector, "invoice");
    assert_eq!(json!(found.extracted), json!({"invoice_number": "FR-17", "total": "1 200,50"}));
}

/// JSON made of the words of the language, right and wrong.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "all",
        "any",
        "none",
        "field",
        "operator",
        "value",
        "form",
        "case_sensitive",
        "explain",
        "regex",
        "body",
        "subject",
        "links",
        "sender",
        "contains",
        "word",
        "host",
        "present",
        "seen",
        "normalised",
        "patterns",
        "reject",
        "before",
        "delivery_time",
        "values",
        "hold",
        "send",
        "urgent",
        "d",
        "(a+)+$",
        r"(?<hour>\d{1,2})h(?<minute>\d\d)?",
        "(",
        "é",
        "a{1000}{1000}",
        "*.ex.fr",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

/// A condition that is often sound.
fn any_condition() -> impl Strategy<Value = Value> {
    let field = prop::sample::select(vec!["sender", "subject", "body", "links"]);
    let operator = prop::sample::select(vec!["contains", "equals", "starts_with", "word", "regex"]);
    let text = prop::sample::select(vec!["a", "é", "lot", "journée", "9h", ".", "a*", "https", "(", " x"]);
    let test = (field, operator, prop::collection::vec(text, 1..3), any::<bool>()).prop_map(
        |(field, operator, value, seen)| {
            let form = if seen || field == "links" { "seen" } else { "normalised" };
            json!({"field": field, "operator": operator, "value": value, "form": form})
        },
    );
    test.prop_recursive(3, 16, 4, |inner| {
        (prop::sample::select(vec!["all", "any", "none"]), prop::collection::vec(inner, 1..4))
            .prop_map(|(name, parts)| json!({ name: parts }))
    })
}

proptest! {
    #[test]
    fn any_stored_detector_is_read_or_its_flaw_is_named(
        conditions in prop_oneof![any_json(), any_condition()],
        urgent in any_json(),
        extract in any_json(),
        outside in any_json(),
    ) {
        let stored = json!({"id": "d", "conditions": conditions, "urgent": urgent, "extract": extract,
                            "outside_window": outside});
        if let Err(flaw) = detector(&stored) {
            prop_assert!(flaw.field.starts_with('.'), "{flaw:?}");
            prop_assert!(!flaw.message.french.is_empty() && !flaw.message.english.is_empty());
        }
        drop(detector(&conditions));
    }

    /// The quick answer and the explained one are the same answer.
    #[test]
    fn what_holds_needs_no_excuse(
        condition in any_condition(),
        subject in "[aé9h lotLOT.]{0,12}",
        body in "[aé9h journée.https:/]{0,40}",
    ) {
        if let Ok(Some(detector)) = detector(&json!({"id": "d", "conditions": condition})) {
            let mail = mail("a@b.fr", &subject, &body);
            let links = links::of_mail(&mail, &providers::defaults()).links;
            let facts = Facts::for_detectors(&mail, &links);
            let held = detector.conditions.holds(&facts);
            let miss = detector.conditions.why_not(&facts, "conditions");
            prop_assert_eq!(held, miss.is_none());
            prop_assert_eq!(held, detector.conditions.why(&facts).is_some());
            if let Some(miss) = miss {
                prop_assert!(!miss.words.english.is_empty() && !miss.words.french.is_empty() && miss.condition.starts_with("conditions"));
            }
        }
    }
}

#[test]
fn the_search_for_a_time_has_an_end() {
    let stored = json!({"id": "d", "conditions": {"field": "body", "operator": "present"},
        "extract": {"delivery_time": {"patterns": [{"regex": r"\b(?<hour>\d{1,2})h(?<minute>\d{2})\b"}]}}});
    let time =
        |body: &str| ask(&stored, &mail("a@b.fr", "x", body)).expect("recognised").detection.delivery_time;
    let found = Some("11h51".to_owned());
    for (impossible, expected) in [(0, &found), (999, &found), (1_000, &None)] {
        assert_eq!(&time(&format!("{} 11h51", "25h99 ".repeat(impossible))), expected, "{impossible}");
    }
    for (letters, expected) in [((128 << 10) - 10, &found), (128 << 10, &None)] {
        assert_eq!(&time(&format!("{} 11h51", "é".repeat(letters))), expected, "{letters}");
    }
}
