//! Rules and detectors in plain sentences. Pure.

use render_signal_actors::config::documents::coerce::is_on;
use render_signal_actors::mail::rules::mask_url;
use serde_json::Value;

use super::line::Sentence;
use super::rule::shown;
use crate::lang::Lang;

/// Characters of an expression that are shown in a sentence.
const MAX_EXPRESSION_CHARS: usize = 60;
/// Values of one condition that are named.
const MAX_VALUES: usize = 6;
/// Groups within groups that are put into words.
const MAX_DEPTH: usize = 4;

/// When a rule applies: `si le sujet contient « lot »`.
pub(super) fn rule_when(rule: &Value, lang: Lang) -> Sentence {
    let conditions = rule.get("conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if conditions.is_empty() {
        return Sentence::of(lang.pick("Aucune condition.", "No condition."));
    }
    let mut line = Sentence::of(lang.pick("Si ", "If "));
    for (place, condition) in conditions.iter().enumerate() {
        line = if place > 0 { line.and(lang.pick(" et ", " and ")) } else { line };
        line = line.then(test(condition, true, lang));
    }
    line
}

/// What a rule does: `envoyer à https://hook.example.com/***, et à la destination par défaut`.
pub(super) fn rule_then(rule: &Value, default: &str, lang: Lang) -> Sentence {
    let actions = rule.get("actions");
    let url = actions.and_then(|actions| actions.get("webhook_url")).map(shown).unwrap_or_default();
    let stop = is_on(actions.and_then(|actions| actions.get("stop_processing")), false);
    let line = Sentence::of(lang.pick("envoyer à ", "send to ")).with(&mask_url(&url));
    let line = match (stop, !url.is_empty() && url == default) {
        (true, _) => line.and(lang.pick(", et nulle part ailleurs", ", and nowhere else")),
        (_, true) => line.and(lang.pick(
            ", qui est aussi la destination par défaut : un seul envoi",
            ", which is the default target, too: one delivery",
        )),
        _ if default.is_empty() => line,
        _ => line.and(lang.pick(", et à la destination par défaut", ", and to the default target")),
    };
    let word = |name: &str| {
        actions
            .and_then(|actions| actions.get(name))
            .and_then(Value::as_str)
            .map(|word| word.trim().to_lowercase())
    };
    let line = match word("priority").as_deref() {
        Some("high") => line.and(lang.pick(", priorité haute", ", high priority")),
        _ => line,
    };
    match word("body").as_deref() {
        Some("text") => line.and(lang.pick(", le texte sans HTML", ", the plain text only")),
        Some("none") => line.and(lang.pick(", sans le texte du mail", ", without the text of the mail")),
        _ => line,
    }
}

/// What a detector recognises.
pub(super) fn detector_when(detector: &Value, lang: Lang) -> Sentence {
    match detector.get("conditions") {
        Some(conditions) => Sentence::of(lang.pick("Si ", "If ")).then(condition(conditions, lang, 0)),
        None => Sentence::of(lang.pick("Aucune condition.", "No condition.")),
    }
}

/// What follows from it: the word in the webhook, urgency, what becomes of it at night.
pub(super) fn detector_then(detector: &Value, id: &str, lang: Lang) -> Sentence {
    let word = detector.get("detector").and_then(Value::as_str).unwrap_or(id);
    let line = Sentence::of(lang.pick("type ", "kind ")).quoted(lang, word);
    let outside = |case: &str| match detector.get("outside_window") {
        Some(Value::Object(cases)) => cases.get(case).and_then(Value::as_str).unwrap_or("hold"),
        Some(both) => both.as_str().unwrap_or("hold"),
        None => "hold",
    };
    let does = |what: &str| match what {
        "send" => lang.pick("part tout de suite", "goes out at once"),
        "skip" => lang.pick("n'est pas envoyé", "is not sent"),
        _ => lang.pick("attend", "waits"),
    };
    let (urgent, otherwise) = (outside("urgent"), outside("otherwise"));
    let line = line.and(
        lang.pick(" ; hors de la fenêtre d'envoi, le mail ", "; outside of the delivery window, the mail "),
    );
    let line = line.and(does(otherwise));
    let line = if urgent == otherwise {
        line
    } else {
        line.and(lang.pick(", et s'il est urgent il ", ", and if it is urgent it ")).and(does(urgent))
    };
    let words = detector.get("exclude_keywords").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if words.is_empty() {
        return line;
    }
    let words: Vec<String> = words.iter().map(shown).collect();
    line.and(lang.pick(" ; ignoré s'il contient ", "; ignored if it contains "))
        .list(lang, &words, MAX_VALUES)
}

fn condition(stored: &Value, lang: Lang, depth: usize) -> Sentence {
    for (name, french, english) in
        [("all", " et ", " and "), ("any", " ou ", " or "), ("none", " ni ", " nor ")]
    {
        let Some(parts) = stored.get(name).and_then(Value::as_array) else { continue };
        if depth >= MAX_DEPTH {
            return Sentence::of("…");
        }
        let nested = depth > 0 && parts.len() > 1 && name != "none";
        let mut line = if nested { Sentence::of("(") } else { Sentence::default() };
        if name == "none" {
            line = line.and(lang.pick("il n'est pas vrai que ", "it is not so that "));
        }
        for (place, part) in parts.iter().enumerate() {
            let between =
                if name == "none" { lang.pick(" ou que ", " or that ") } else { lang.pick(french, english) };
            line = if place > 0 { line.and(between) } else { line };
            line = line.then(condition(part, lang, depth + 1));
        }
        return if nested { line.and(")") } else { line };
    }
    test(stored, false, lang)
}

/// One test: `le sujet contient « lot » ou « colis »`.
fn test(stored: &Value, of_rule: bool, lang: Lang) -> Sentence {
    let text = |name: &str| stored.get(name).map(shown).unwrap_or_default().trim().to_lowercase();
    let values: Vec<String> = match stored.get("value") {
        Some(Value::Array(list)) => list.iter().map(shown).collect(),
        Some(one) => vec![shown(one)],
        None => Vec::new(),
    };
    let operator = text("operator");
    let subject = match (text("field").as_str(), operator.as_str()) {
        ("links", "present") => {
            return Sentence::of(lang.pick("il y a un lien de livraison", "there is a delivery link"));
        }
        ("sender", _) => lang.pick("l'expéditeur", "the sender"),
        ("subject", _) => lang.pick("le sujet", "the subject"),
        ("body", _) if of_rule => lang.pick("le texte entier", "the whole text"),
        ("body", _) => lang.pick("le texte", "the text"),
        ("links", "provider" | "host") => lang.pick("un lien", "a link"),
        ("links", _) => lang.pick("l'adresse d'un lien", "the address of a link"),
        _ => "?",
    };
    let verb = match operator.as_str() {
        "present" => return Sentence::of(subject).and(lang.pick(" n'est pas vide", " is not empty")),
        "contains" => lang.pick(" contient ", " contains "),
        "equals" => lang.pick(" est exactement ", " is exactly "),
        "starts_with" => lang.pick(" commence par ", " begins with "),
        "word" => lang.pick(" contient le mot ", " contains the word "),
        "regex" => lang.pick(" correspond à ", " matches "),
        "provider" => lang.pick(" mène au service ", " leads to the service "),
        "host" => lang.pick(" mène à ", " leads to "),
        _ => " ? ",
    };
    let mut line = Sentence::of(subject).and(verb);
    for (place, value) in values.iter().take(MAX_VALUES).enumerate() {
        line = if place > 0 { line.and(lang.pick(" ou ", " or ")) } else { line };
        line = line.quoted(lang, &short(value));
    }
    match values.len().saturating_sub(MAX_VALUES) {
        0 => line,
        more => line.and(lang.pick(" ou ", " or ")).and(lang.count(
            more,
            ["autre valeur", "autres valeurs"],
            ["more value", "more values"],
        )),
    }
}

/// The beginning of a long text.
fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_EXPRESSION_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use render_signal_actors::mail::detectors::DEFAULT_DOCUMENT;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_is_a_sentence() {
        let rule = json!({
            "conditions": [{"field": "subject", "operator": "contains", "value": "lot"},
                           {"field": "sender", "operator": "regex", "value": "^compta@"}],
            "actions": {"webhook_url": "https://hook.example.com/secret", "stop_processing": true}
        });
        assert_eq!(
            rule_when(&rule, Lang::Fr).text(),
            "Si le sujet contient «\u{a0}lot\u{a0}» et l'expéditeur correspond à «\u{a0}^compta@\u{a0}»"
        );
        assert_eq!(
            rule_when(&rule, Lang::En).text(),
            "If the subject contains “lot” and the sender matches “^compta@”"
        );
        let then = rule_then(&rule, "https://d.example/x", Lang::En).text();
        assert_eq!(then, "send to https://hook.example.com/***, and nowhere else");
        assert_eq!(
            rule_then(
                &json!({"actions": {"webhook_url": "https://d.example/x"}}),
                "https://d.example/x",
                Lang::En
            )
            .text(),
            "send to https://d.example/***, which is the default target, too: one delivery"
        );
    }

    #[test]
    fn a_detector_is_a_sentence_however_deep_its_groups_are() {
        let document: Value = serde_json::from_str(DEFAULT_DOCUMENT).unwrap();
        let recadrage = detector_when(&document["detectors"][0], Lang::Fr).text();
        assert!(
            recadrage
                .starts_with("Si le sujet n'est pas vide et le texte n'est pas vide et (le sujet contient")
        );
        assert!(recadrage.contains("il y a un lien de livraison ou"), "{recadrage}");
        let desabo = detector_when(&document["detectors"][1], Lang::En).text();
        assert!(
            desabo.contains("it is not so that the text contains “annulation” or “facturation”"),
            "{desabo}"
        );
        let then = detector_then(&document["detectors"][1], "desabo", Lang::En).text();
        assert!(then.contains("the mail goes out at once, and if it is urgent it waits"), "{then}");
        let mut deep = json!({"field": "body", "operator": "contains", "value": "x"});
        for _ in 0..9 {
            deep = json!({"all": [deep, {"field": "body", "operator": "present"}]});
        }
        assert!(detector_when(&json!({"conditions": deep}), Lang::Fr).text().contains('…'));
    }

    #[test]
    fn what_is_no_rule_is_a_sentence_all_the_same() {
        for odd in [json!(1), json!({}), json!({"conditions": [1, {"field": []}], "actions": 5})] {
            assert!(!rule_when(&odd, Lang::Fr).text().is_empty());
            assert!(!rule_then(&odd, "", Lang::Fr).text().is_empty());
            assert!(!detector_when(&odd, Lang::Fr).text().is_empty());
            assert!(!detector_then(&odd, "x", Lang::Fr).text().is_empty());
        }
    }
}
