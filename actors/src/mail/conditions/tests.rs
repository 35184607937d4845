//! Predicates of routing rules, against a plain statement of what they mean.

use proptest::prelude::*;

use super::*;
use crate::mail::{Mail, parse};

fn mail(sender: &str, subject: &str) -> Mail {
    let mut mail = parse::parse(b"From: a@b.fr\n\n").expect("a mail");
    mail.sender = sender.to_owned();
    mail.subject = subject.to_owned();
    mail
}

/// Letters whose cases, accents or forms make comparisons differ, and characters that nobody sees.
fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "A",
        "é",
        "É",
        "e\u{301}",
        "ß",
        "ẞ",
        "İ",
        "i",
        "ı",
        "Σ",
        "σ",
        "ς",
        "ﬁ",
        "Ⅷ",
        "\u{ad}",
        "\u{200b}",
        " ",
        "  ",
        "\n",
        "> ",
        "On 3 May 2026 at 9:00, x wrote:\n",
        ".",
        "1",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// What a rule's condition means: the text as it is written, or both in lower case.
fn means(operator: Operator, value: &str, case_sensitive: bool, text: &str) -> bool {
    let (value, text) = match case_sensitive {
        true => (value.to_owned(), text.to_owned()),
        false => (value.to_lowercase(), text.to_lowercase()),
    };
    match operator {
        Operator::Contains => text.contains(&value),
        Operator::Equals => text == value,
        other => panic!("not tested: {other:?}"),
    }
}

proptest! {
    #[test]
    fn a_predicate_as_written_compares_texts_as_they_are(
        texts in (text(), text(), text()),
        value in text(),
        equals in any::<bool>(),
        whole in any::<bool>(),
        case_sensitive in any::<bool>(),
    ) {
        let (sender, subject, body) = texts;
        let mail = mail(&sender, &subject);
        let facts = Facts::for_rules(&mail, &body);
        let operator = if equals { Operator::Equals } else { Operator::Contains };
        for (field, text) in
            [(MailField::Sender, &sender), (MailField::Subject, &subject), (MailField::Body, &body)]
        {
            // A value that is the text in another case shows more than one that is not in it.
            let value = if whole { text.to_uppercase() } else { value.clone() };
            let predicate = Predicate::as_written(field, operator, &value, case_sensitive).expect("usable");
            prop_assert_eq!(predicate.holds(&facts), means(operator, &value, case_sensitive, text));
        }
    }

    #[test]
    fn an_expression_as_written_sees_every_character(body in text(), value in text(), case_sensitive in any::<bool>()) {
        let mail = mail("", "");
        let facts = Facts::for_rules(&mail, &body);
        let written = regex::escape(&value);
        let predicate =
            Predicate::as_written(MailField::Body, Operator::Regex, &written, case_sensitive).expect("usable");
        let plain = regex::RegexBuilder::new(&written).case_insensitive(!case_sensitive).build().expect("usable");
        prop_assert_eq!(predicate.holds(&facts), plain.is_match(&body));
    }
}

#[test]
fn rules_see_what_detectors_do_not() {
    let mut mail = mail("a@b.fr", "Lo\u{200b}t 42");
    mail.text = "Oui.\n> un lot\n".to_owned();
    let holds = |field, value: &str, facts: &Facts<'_>| {
        Predicate::as_written(field, Operator::Contains, value, false).expect("usable").holds(facts)
    };
    let (rules, detectors) = (Facts::for_rules(&mail, &mail.text), Facts::for_detectors(&mail, &[]));
    assert!(holds(MailField::Subject, "lo\u{200b}t", &rules) && !holds(MailField::Subject, "lot", &rules));
    assert!(holds(MailField::Subject, "lot", &detectors));
    assert!(holds(MailField::Body, "un lot", &rules) && !holds(MailField::Body, "un lot", &detectors));
}
