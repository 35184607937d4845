//! Traces: a collector is posted one trace for a mail, whoever made which step of it, and the
//! receiver is told of it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::program::Program;
use crate::support::receiver::Receiver;
use crate::support::until::ensure;
use crate::support::worker::Mode;
use crate::support::{Answer, PATIENCE, Site, Worker, checks, mails, until};

const HOOK: &str = "/hook";
const SECRET: &str = "geheim-of-the-collector";

/// Every span that the collector was given.
fn spans(collector: &Receiver) -> Vec<Value> {
    let requests = collector.deliveries().into_iter().map(|request| {
        assert_eq!(request.path, "/v1/traces");
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("authorization"), Some(format!("Bearer {SECRET}").as_str()));
        request.json()
    });
    let list = |value: &Value| value.as_array().expect("a list").clone();
    requests
        .flat_map(|request| list(&request["resourceSpans"]))
        .flat_map(|resource| {
            let service = &resource["resource"]["attributes"][0];
            assert_eq!(
                (&service["key"], &service["value"]["stringValue"]),
                (&"service.name".into(), &"signal".into())
            );
            list(&resource["scopeSpans"])
        })
        .flat_map(|scope| list(&scope["spans"]))
        .collect()
}

fn attribute<'s>(span: &'s Value, name: &str) -> Option<&'s str> {
    let attributes = span["attributes"].as_array()?;
    let value = &attributes.iter().find(|attribute| attribute["key"] == name)?["value"];
    value["stringValue"].as_str().or(value["intValue"].as_str())
}

/// A worker that copies links and posts traces.
fn traced(site: &Site, r2: &Worker, collector: &Receiver, name: &str) -> Program {
    let mut worker = site.worker(name);
    for (name, value) in r2.environment() {
        worker.set(&name, &value);
    }
    worker.set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url(""));
    worker.set("OTEL_EXPORTER_OTLP_HEADERS", &format!("authorization=Bearer%20{SECRET}"));
    worker.set("OTEL_SERVICE_NAME", "signal");
    worker
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_one_trace_from_the_mailbox_to_the_receiver_over_a_restart() {
    let (site, r2, collector) =
        (Site::start().await, Worker::start(Mode::Copies).await, Receiver::start().await);
    site.receiver.always(HOOK, Answer::Status(503));
    let mut first = traced(&site, &r2, &collector, "first");
    first.start().await;
    let sent = vec![mails::recadrage()];
    site.dovecot.deliver(&sent);
    until("the first attempt", PATIENCE, async || ensure(site.receiver.count() > 0, || "none".to_owned()))
        .await;
    first.stop().await;
    site.receiver.always(HOOK, Answer::Ok);
    let mut second = traced(&site, &r2, &collector, "second");
    second.start().await;
    until("the webhook", PATIENCE, async || checks::all_accepted(&site.receiver, &sent)).await;
    site.until_all_seen(1).await;
    second.stop().await;

    let deliveries = site.receiver.deliveries();
    let email_id = deliveries[0].json()["microsoft_graph_email_id"].as_str().expect("an id").to_owned();
    let spans = spans(&collector);
    let text = |span: &Value, name: &str| span[name].as_str().unwrap_or_default().to_owned();
    let of = |name: &str| spans.iter().filter(|span| span["name"] == name).collect::<Vec<_>>();
    // One trace, and each step once.
    let traces: BTreeSet<String> = spans.iter().map(|span| text(span, "traceId")).collect();
    assert_eq!(traces.len(), 1, "{spans:?}");
    let ids: BTreeSet<String> = spans.iter().map(|span| text(span, "spanId")).collect();
    assert_eq!(ids.len(), spans.len(), "no id is used twice: {spans:?}");
    assert!(spans.iter().all(|span| attribute(span, "email_id") == Some(&email_id)), "{spans:?}");
    let ([fetch], [admit], [offload]) = (&of("fetch")[..], &of("admit")[..], &of("offload")[..]) else {
        panic!("{spans:?}");
    };
    assert_eq!(fetch["parentSpanId"], Value::Null, "it begins there");
    assert_eq!(admit["parentSpanId"], fetch["spanId"]);
    assert_eq!(offload["parentSpanId"], admit["spanId"]);
    assert_eq!(attribute(admit, "decision"), Some("routed"));
    let begins = |span: &Value| text(span, "startTimeUnixNano").parse::<u64>().expect("a time");
    let ends = |span: &Value| text(span, "endTimeUnixNano").parse::<u64>().expect("a time");
    assert!(
        begins(fetch) <= begins(admit) && ends(admit) <= ends(fetch),
        "the fetch ends when it is taken in"
    );

    // An attempt is a span, and the receiver was told which.
    let attempts = of("deliver");
    assert_eq!(attempts.len(), deliveries.len(), "{spans:?}");
    for delivery in &deliveries {
        let told = delivery.header("traceparent").expect("a trace");
        let span = attempts
            .iter()
            .find(|span| told == format!("00-{}-{}-01", text(span, "traceId"), text(span, "spanId")));
        let span = span.unwrap_or_else(|| panic!("{told} is no span of {attempts:?}"));
        assert_eq!(span["parentSpanId"], admit["spanId"]);
        let went_well = delivery.answer == Answer::Ok;
        assert_eq!(span["status"]["code"], if went_well { 1 } else { 2 }, "{span}");
        assert_eq!(attribute(span, "target"), Some("default"));
    }
    // Nobody's name and no subject, as in the log.
    let all = serde_json::to_string(&spans).expect("JSON");
    assert!(!all.contains(&sent[0].mark) && !all.contains("amelie"), "{all}");
    let log = [first.log(), second.log()].concat();
    assert!(!log.contains(SECRET) && !log.contains("traces cannot be exported"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_holds_up_no_mail_and_without_one_nobody_is_told() {
    let (site, r2) = (Site::start().await, Worker::start(Mode::Copies).await);
    let mut collector = Receiver::start().await;
    collector.close().await;
    let mut worker = traced(&site, &r2, &collector, "away");
    worker.start().await;
    let one = mails::mixed(4);
    site.dovecot.deliver(&one);
    until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &one)).await;
    assert!(site.receiver.deliveries().iter().all(|delivery| delivery.header("traceparent").is_some()));
    worker.stop().await;

    let mut plain = site.worker("plain");
    plain.start().await;
    let before = site.receiver.count();
    let other = mails::mixed(4);
    site.dovecot.deliver(&other);
    until("the webhooks", PATIENCE, async || checks::all_accepted(&site.receiver, &other)).await;
    let later = site.receiver.deliveries().split_off(before);
    assert!(later.iter().all(|delivery| delivery.header("traceparent").is_none()), "it is off");
    plain.stop().await;
}
