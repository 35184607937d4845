//! The recorded answers of the reference's receiver.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::{assert_no_warning, list, post, prepared, script};
use crate::support::php::Php;

const GOLDEN: &str = include_str!("../../golden/php_receiver.json");
const DEVIATIONS: &str = include_str!("../../golden/php_receiver_deviations.json");
/// The two cases that were recorded with recipients of automatic mails.
const WITH_RECIPIENTS: [&str; 2] = ["php_receiver-025", "php_receiver-026"];

fn cases(area: &str) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(GOLDEN).expect("golden file");
    cases
        .into_iter()
        .filter(|case| case["area"].as_str().is_some_and(|name| name.starts_with(area)))
        .collect()
}

/// What is right where the reference was wrong, by case.
fn deviations() -> BTreeMap<String, Value> {
    let list: Vec<Value> = serde_json::from_str(DEVIATIONS).expect("golden file");
    let by_case = |deviation: Value| {
        assert!(deviation["weakness"].is_string() && deviation["why"].is_string(), "{deviation}");
        (deviation["id"].as_str().expect("an id").to_owned(), deviation["right"].clone())
    };
    list.into_iter().map(by_case).collect()
}

fn assert_right(case: &Value, found: &Value, deviations: &mut BTreeMap<String, Value>) {
    let id = case["id"].as_str().expect("an id");
    let right = match deviations.remove(id) {
        Some(right) => {
            assert_ne!(right, case["output"], "{id} does not deviate");
            right
        }
        None => case["output"].clone(),
    };
    assert_eq!(found, &right, "{case}");
}

/// What the classes say to each input of their areas.
const PURE: &str = r#"
    require 'deployment/src/autoload.php';
    $say = static fn (array $case) => match ($case['area']) {
        'php_links_dropbox' => RenderSignal\Links\LinkFinder::dropbox($case['input']['content']),
        'php_links_fromsmash' => RenderSignal\Links\LinkFinder::fromSmash($case['input']['content']),
        'php_links_swisstransfer' => RenderSignal\Links\LinkFinder::swissTransfer($case['input']['content']),
        'php_sender' => RenderSignal\Receiver\SenderAddress::of($case['input']['sender_address']),
        'php_authorized' => (new RenderSignal\Receiver\AuthorizedSenders(['camille@agence.example']))->isAuthorized($case['input']['email']),
        'r2_normalize' => RenderSignal\Links\SourceUrl::normalise($case['input']['url'], $case['input']['provider']),
    };
    echo json_encode(array_map($say, json_decode($argv[1], true)));
"#;

fn pure(cases: &[Value]) -> Vec<Value> {
    let done = script(&Php::prepare(), PURE, &[&json!(cases).to_string()]);
    assert!(done.status.success(), "{done:?}");
    serde_json::from_slice(&done.stdout).expect("JSON")
}

#[test]
fn links_and_senders_are_found_as_recorded() {
    let cases: Vec<Value> =
        ["php_links_", "php_sender", "php_authorized"].into_iter().flat_map(self::cases).collect();
    assert_eq!(cases.len(), 32);
    let mut deviations = deviations();
    deviations.retain(|id, _| !id.starts_with("php_receiver"));
    for (case, found) in cases.iter().zip(pure(&cases)) {
        assert_right(case, &found, &mut deviations);
    }
    assert_eq!(deviations.len(), 0, "a deviation names no case: {deviations:?}");
}

/// One copy has one form, whichever side records it.
#[test]
fn a_source_has_the_form_that_the_program_gives_it() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../golden/r2.json")).expect("golden file");
    let right: Vec<Value> =
        serde_json::from_str(include_str!("../../golden/r2_deviations.json")).expect("golden file");
    let mut right: BTreeMap<String, Value> = right
        .into_iter()
        .map(|one| (one["id"].as_str().expect("an id").to_owned(), one["right"].clone()))
        .collect();
    let mut cases: Vec<Value> = cases.into_iter().filter(|case| case["area"] == "r2_normalize").collect();
    assert_eq!(cases.len(), 14);
    for (raw, form) in [
        ("https://www.dropbox.com/s/100%2525.zip", "https://www.dropbox.com/s/100%2525.zip?dl=1"),
        ("https%253A%252F%252Fwww.dropbox.com%252Fs%252Fa%252520b", "https://www.dropbox.com/s/a%20b?dl=1"),
        ("https://www.dropbox.com/s/a?x=10&x=9&X=1e1", "https://www.dropbox.com/s/a?dl=1&x=10&X=1e1&x=9"),
        ("https:///s/a", "https:///s/a"),
    ] {
        let input = json!({"url": raw, "provider": "dropbox"});
        cases.push(json!({"id": raw, "area": "r2_normalize", "input": input, "output": form}));
        let ours = render_signal_actors::r2::normalize::normalize(raw, "dropbox");
        assert_eq!(ours, form);
    }
    for (case, found) in cases.iter().zip(pure(&cases)) {
        assert_right(case, &found, &mut right);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_answered_as_recorded() {
    let mut deviations = deviations();
    deviations.retain(|id, _| id.starts_with("php_receiver"));
    let cases = cases("php_receiver");
    assert_eq!(cases.len(), 26);
    for with_recipients in [false, true] {
        let mut php = prepared();
        if with_recipients {
            php.set("RECADRAGE_TO", "studio@agence.example");
            php.set("AUTOREPONDEUR_TO", "planning@agence.example");
        }
        php.launch().await;
        for case in &cases {
            let id = case["id"].as_str().expect("an id");
            if WITH_RECIPIENTS.contains(&id) != with_recipients {
                continue;
            }
            fs::write(list(&php), case["input"]["links_file_before"].to_string()).expect("a list");
            let body = match &case["input"]["body"] {
                Value::String(raw) => raw.clone(),
                json => json.to_string(),
            };
            let answer = post(&php, id, &body).await;
            let text = fs::read_to_string(list(&php)).expect("a list");
            let mut links: Value = serde_json::from_str(&text).expect("a list");
            for entry in links.as_array_mut().expect("a list") {
                for name in ["timestamp", "created_at"] {
                    if let Some(time) = entry.get_mut(name) {
                        assert!(time.as_str().is_some_and(|time| time.contains('T')), "{entry}");
                        entry[name] = json!("<ISO8601 UTC>");
                    }
                }
            }
            let json: Value = serde_json::from_str(&answer.body).expect("JSON");
            let found = json!({"status": answer.status, "json": json, "links_file_after": links});
            assert_right(case, &found, &mut deviations);
        }
        assert_no_warning(&php);
    }
    assert_eq!(deviations.len(), 0, "a deviation names no case: {deviations:?}");
}
