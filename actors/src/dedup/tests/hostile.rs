//! A wrong or hostile expression over a hostile text does not delay other mails.

use serde_json::json;

use super::*;
use crate::config::documents::FieldProblem;
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
    let disabled: Vec<String> = rules.disabled.iter().map(FieldProblem::in_french).collect();
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

/// Nor do many of them that are not large.
#[test]
fn small_mails_do_not_wait_for_hostile_ones_of_any_size() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    actix_rt::System::with_tokio_rt(runtime).block_on(async {
        let mut policy = policy();
        policy.rules = hostile_rules().rules;
        let scene = scene(policy).await;
        let body = &hostile_body()[..48 * 1_024];
        let hostile = |n| source(n, "camille@ex.com", "Lot", body);
        let sources: Vec<Bytes> = (0..12).map(hostile).chain((12..20).map(mail)).collect();
        let order = Mutex::new(Vec::new());
        let admissions = sources.iter().enumerate().map(|(item, source)| {
            let (scene, order) = (&scene, &order);
            async move {
                scene.admit(item, source).await.unwrap();
                order.lock().unwrap().push(item);
            }
        });
        join_all(admissions).await;
        let order = order.into_inner().unwrap();
        let last = order.iter().rposition(|item| *item >= 12).unwrap();
        let before = order[..last].iter().filter(|item| **item < 12).count();
        assert!(before < 6, "{before} hostile mails before the last small one: {order:?}");
    });
}

#[test]
fn a_hostile_mail_is_not_overtaken_by_those_that_a_target_wants_after_it() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for ordering in [Ordering::Sender, Ordering::Mailbox] {
        actix_rt::System::with_tokio_rt(runtime).block_on(async {
            let mut policy = policy();
            policy.rules = hostile_rules().rules;
            policy.default_target.ordering = ordering;
            policy.allowed_senders.push("marc@ex.com".to_owned());
            let scene = scene(policy).await;
            let by = |n: usize| if n.is_multiple_of(2) { "camille@ex.com" } else { "marc@ex.com" };
            let link = "https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0";
            let light = |n| source(n, by(n), &format!("Lot {n}"), link);
            let sources: Vec<Bytes> =
                [source(0, by(0), "Lot", &hostile_body())].into_iter().chain((1..12).map(light)).collect();
            let admissions = sources.iter().enumerate().map(|(item, source)| scene.admit(item, source));
            for (answer, source) in join_all(admissions).await.into_iter().zip(&sources) {
                assert_eq!(answer, new(id(source)));
            }
            // In the order in which they are claimed.
            let rows = scene.rows(Queue::Deliver).await;
            let items: Vec<usize> = rows
                .into_iter()
                .filter(|row| row.partition == "default")
                .map(|row| serde_json::from_value::<DeliverMeta>(row.meta).unwrap())
                .map(|meta| meta.locations[0].item.parse().unwrap())
                .collect();
            let of = |keep: fn(&usize) -> bool| items.iter().copied().filter(keep).collect::<Vec<usize>>();
            assert_eq!(of(|n| n.is_multiple_of(2)), [0, 2, 4, 6, 8, 10], "{ordering:?} {items:?}");
            assert_eq!(of(|n| !n.is_multiple_of(2)), [1, 3, 5, 7, 9, 11], "{ordering:?} {items:?}");
            match ordering {
                Ordering::Mailbox => assert_eq!(items, (0..12).collect::<Vec<usize>>()),
                // Another sender's mails do not wait for it.
                _ => assert_eq!(items[..6], [1, 3, 5, 7, 9, 11], "{items:?}"),
            }
        });
    }
}
