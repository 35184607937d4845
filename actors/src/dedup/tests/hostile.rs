//! A wrong or hostile expression over a hostile text does not delay other mails.

use serde_json::json;

use super::*;
use crate::config::documents::routing::RoutingRules;
use crate::config::policy::EnvDefaults;

/// 1 MiB of letters that make an engine keep track of a thousand places at once.
fn hostile_body() -> String {
    let mut text = "https://www.dropbox.com/scl/fo/a/0?rlkey=k&dl=0\r\n".to_owned();
    let mut chance = 12_345_u64;
    while text.len() < 1 << 20 {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.push(if chance >> 60 & 1 == 1 { 'a' } else { 'b' });
    }
    text
}

fn hostile_rules() -> RoutingRules {
    let rule = |pattern: &str| {
        json!({"conditions": [{"field": "body", "operator": "regex", "value": pattern}],
               "actions": {"webhook_url": "https://r.example/1"}})
    };
    let mut rules = vec![rule("(?=x)"), rule("(a+)+!$"), rule("a{1000}{1000}"), rule("[ab]*a[ab]{5000}c")];
    // The most that is accepted, several times over.
    rules.extend(['c', 'd'].into_iter().map(|letter| rule(&format!("[ab]*a[ab]{{1000}}{letter}"))));
    RoutingRules::parse(&json!({ "rules": rules }), &EnvDefaults::default()).unwrap()
}

#[test]
fn a_hostile_mail_is_overtaken_by_all_others() {
    let rules = hostile_rules();
    let disabled: Vec<String> = rules.disabled.iter().map(ToString::to_string).collect();
    assert_eq!(disabled.len(), 3, "{disabled:?}");
    assert!(disabled[0].starts_with("rules[0].conditions[0].value: Expression régulière invalide."));
    assert!(disabled[1].starts_with("rules[2].conditions[0].value: Expression régulière trop longue."));
    assert!(disabled[2].starts_with("rules[3].conditions[0].value: Expression régulière trop longue."));
    assert_eq!(rules.rules.len(), 3);

    // In real time: a computation does not pass in virtual time.
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    actix_rt::System::with_tokio_rt(runtime).block_on(async {
        let mut policy = policy();
        policy.rules = rules.rules;
        let scene = scene(policy).await;
        let body = hostile_body();
        // More hostile mails than there are cores, before all others.
        let hostile = |n| source(n, "camille@ex.com", "Lot", &body);
        let sources: Vec<Bytes> = (0..3).map(hostile).chain((3..20).map(mail)).collect();
        let order = Mutex::new(Vec::new());
        let admissions = sources.iter().enumerate().map(|(item, source)| {
            let (scene, order) = (&scene, &order);
            async move {
                let answer = scene.admit(item, source).await;
                order.lock().unwrap().push(item);
                assert_eq!(answer, new(id(source)));
            }
        });
        join_all(admissions).await;
        let order = order.into_inner().unwrap();
        let mut last = order[17..].to_vec();
        last.sort_unstable();
        assert_eq!(last, [0, 1, 2], "{order:?}");
        let kinds = scene.kinds().await;
        assert_eq!(kinds.iter().filter(|kind| *kind == "mail.routed").count(), 20);
    });
}
