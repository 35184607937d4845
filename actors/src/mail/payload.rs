//! The body of a webhook. Its fields and their order are those of the reference system, for which
//! receivers were written (reference section 5.14).

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Detection, Link, Mail, Planned, RuleRef, pushed};

/// Characters of `bodyPreview`.
const PREVIEW: usize = 200;
static NOTHING: BTreeMap<String, String> = BTreeMap::new();

/// The webhook, fields in the order of the reference.
#[derive(Debug, Serialize)]
struct Payload<'a> {
    microsoft_graph_email_id: &'a str,
    subject: &'a str,
    #[serde(rename = "receivedDateTime")]
    received: &'a str,
    sender_address: &'a str,
    #[serde(rename = "bodyPreview")]
    preview: &'a str,
    email_content: &'a str,
    /// Of pushed mails only, at this place as in the reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhooks_time_start: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhooks_time_end: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detector: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_time: Option<&'a str>,
    sender_email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    routing_rule: Option<&'a RuleRef>,
    #[serde(skip_serializing_if = "<[Link]>::is_empty")]
    delivery_links: &'a [Link],
    /// Not in the reference: only detectors that take texts out make it appear.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extracted: &'a BTreeMap<String, String>,
}

/// The JSON text of the webhook, fields in the order of the reference. Deterministic:
/// the same input gives the same bytes.
#[must_use]
pub fn body(mail: &Mail, detection: Option<&Detection>, links: &[Link], planned: &Planned) -> Vec<u8> {
    let content = mail.shared(planned.share);
    let preview =
        content.char_indices().nth(PREVIEW).and_then(|(end, _)| content.get(..end)).unwrap_or(&content);
    let payload = Payload {
        microsoft_graph_email_id: &mail.email_id,
        subject: &mail.subject,
        received: &mail.date,
        sender_address: &mail.from,
        preview,
        email_content: &content,
        source: mail.pushed.then_some(pushed::SOURCE),
        webhooks_time_start: planned.time_start.as_deref(),
        webhooks_time_end: planned.time_end.as_deref(),
        detector: detection.map(|found| found.detector.as_str()),
        delivery_time: detection.and_then(|found| found.delivery_time.as_deref()),
        sender_email: &mail.sender,
        routing_rule: planned.rule.as_ref(),
        delivery_links: links,
        extracted: detection.map_or(&NOTHING, |found| &found.extracted),
    };
    // Strings and lists of strings always have a JSON form.
    serde_json::to_vec(&payload).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::policy::Share;

    #[test]
    fn a_target_is_given_as_much_of_the_text_as_it_is_to_have() {
        let mail = |content: &str| {
            let head = "Message-ID: <a@x>\nFrom: b@ex.com\nSubject: s\nDate: d\nMIME-Version: 1.0\n";
            super::super::parse::parse(format!("{head}{content}").as_bytes()).expect("a mail")
        };
        let both = mail(
            "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nplain\n\
             --b\nContent-Type: text/html\n\n<p>rich</p>\n--b--\n",
        );
        let rich = mail("Content-Type: text/html\n\n<p>only &amp; rich</p>");
        for (mail, share, expected) in [
            (&both, Share::All, "plain\n<p>rich</p>"),
            (&both, Share::Text, "plain"),
            (&both, Share::None, ""),
            (&rich, Share::Text, "only & rich"),
        ] {
            let planned = Planned {
                target: "default".to_owned(),
                rule: None,
                time_start: None,
                time_end: None,
                in_window: false,
                share,
            };
            let body: serde_json::Value =
                serde_json::from_slice(&body(mail, None, &[], &planned)).expect("JSON");
            assert_eq!(body["email_content"].as_str().map(str::trim), Some(expected), "{share:?}");
            assert_eq!(body["bodyPreview"].as_str().map(str::trim), Some(expected), "{share:?}");
            assert_eq!((&body["subject"], &body["sender_email"]), (&"s".into(), &"b@ex.com".into()));
        }
    }

    #[test]
    fn fields_come_in_the_order_of_the_reference() {
        let mail = super::super::parse::parse(
            format!("Message-ID: <a@x>\nFrom: Bob <b@ex.com>\nSubject: s\nDate: d\n\n{}", "é".repeat(300))
                .as_bytes(),
        )
        .expect("a mail");
        let detection = Detection {
            detector: "recadrage".to_owned(),
            delivery_time: Some("11h51".to_owned()),
            urgent: false,
            extracted: BTreeMap::new(),
        };
        let links = [Link {
            provider: "dropbox".to_owned(),
            raw_url: "https://www.dropbox.com/s/a".to_owned(),
            direct_url: Some("https://www.dropbox.com/s/a".to_owned()),
            r2_url: Some("https://r2.example/a".to_owned()),
            original_filename: Some("a.zip".to_owned()),
        }];
        let planned = Planned {
            target: "r1".to_owned(),
            rule: Some(RuleRef { id: "r1".to_owned(), name: "R".to_owned(), priority: "high".to_owned() }),
            time_start: Some("maintenant".to_owned()),
            time_end: Some("19h00".to_owned()),
            in_window: true,
            share: Share::All,
        };
        let body = body(&mail, Some(&detection), &links, &planned);
        let expected = format!(
            "{{\"microsoft_graph_email_id\":\"{}\",\"subject\":\"s\",\"receivedDateTime\":\"d\",\
             \"sender_address\":\"Bob <b@ex.com>\",\"bodyPreview\":\"{}\",\"email_content\":\"{}\\n\",\
             \"webhooks_time_start\":\"maintenant\",\"webhooks_time_end\":\"19h00\",\"detector\":\"recadrage\",\
             \"delivery_time\":\"11h51\",\"sender_email\":\"b@ex.com\",\
             \"routing_rule\":{{\"id\":\"r1\",\"name\":\"R\",\"priority\":\"high\"}},\
             \"delivery_links\":[{{\"provider\":\"dropbox\",\"raw_url\":\"https://www.dropbox.com/s/a\",\
             \"direct_url\":\"https://www.dropbox.com/s/a\",\"r2_url\":\"https://r2.example/a\",\
             \"original_filename\":\"a.zip\"}}]}}",
            mail.email_id,
            "é".repeat(200),
            "é".repeat(300),
        );
        assert_eq!(String::from_utf8(body).expect("text"), expected);
        let extracted = BTreeMap::from([("n".to_owned(), "17".to_owned())]);
        let body = super::body(&mail, Some(&Detection { extracted, ..detection }), &[], &planned);
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["extracted"], serde_json::json!({"n": "17"}));
    }
}
