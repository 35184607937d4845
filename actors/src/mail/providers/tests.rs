use serde_json::json;

use super::*;
use crate::mail::flaw::Flaw;

fn one(fields: Value) -> Result<Providers, Flaw> {
    let mut provider = json!({"name": "studio", "hosts": ["files.studio.example"], "paths": ["/"]});
    for (name, value) in fields.as_object().expect("fields") {
        provider[name] = value.clone();
    }
    providers(&json!({"providers": [provider]}))
}

#[test]
fn what_an_installation_has_that_configures_none() {
    let known = defaults();
    for (url, expected) in [
        ("https://www.dropbox.com/scl/fo/a/b?rlkey=k", Some("dropbox")),
        ("https://www.dropbox.com/S/Abc", Some("dropbox")),
        ("https://dropbox.com/request/abc", Some("dropbox")),
        ("https://dl.dropboxusercontent.com/s/abc/rush.mov", Some("dropbox")),
        ("https://dl.dropboxusercontent.com/x", None),
        ("https://www.dropbox.com/", None),
        ("https://www.dropbox.com", None),
        ("https://www.dropbox.com/s/", None),
        ("https://www.dropbox.com?s/a", None),
        ("https://www.dropbox.com/help", None),
        ("https://www.dropbox.com/privacy#s/a", None),
        ("https://www.dropbox.com/home?x=/s/a", None),
        ("https://help.dropbox.com/s/a", None),
        ("https://fromsmash.com/AbC12", Some("fromsmash")),
        ("https://studio.fromsmash.com/AbC12", Some("fromsmash")),
        ("https://a.b.fromsmash.com:443/AbC12", Some("fromsmash")),
        ("https://.fromsmash.com/AbC12", None),
        ("https://help.fromsmash.com/AbC12", None),
        ("https://fromsmash.com/fr", None),
        ("https://fromsmash.com/FR/pricing", None),
        ("https://fromsmash.com/frAbc", Some("fromsmash")),
        ("https://fromsmash.com/?utm=1", None),
        ("https://swisstransfer.com/d/1", Some("swisstransfer")),
        ("https://www.swisstransfer.com/fr-fr", None),
        ("https://wetransfer.com/downloads/a/b", None),
        ("https://user@www.dropbox.com/s/a", None),
        ("ftp://www.dropbox.com/s/a", None),
    ] {
        assert_eq!(known.of(url).map(|provider| provider.name.as_str()), expected, "{url}");
    }
}

#[test]
fn another_business_names_its_own() {
    let own = one(json!({
        "hosts": ["we.tl", "*.wetransfer.com"], "paths": ["/t-*", "/downloads/", "/only"], "except_paths": ["/downloads/help"],
        "except_hosts": ["help.wetransfer.com"],
    }))
    .expect("a good document");
    for (url, is_file) in [
        ("https://we.tl/t-AbC", true),
        ("https://we.tl/t-", false),
        ("https://we.tl/x", false),
        ("https://eu.wetransfer.com/downloads/a/b", true),
        ("https://eu.wetransfer.com/only", true),
        ("https://eu.wetransfer.com/only/this", true),
        ("https://eu.wetransfer.com/onlythat", false),
        ("https://eu.wetransfer.com/downloads/help", false),
        ("https://help.wetransfer.com/downloads/a", false),
        ("https://wetransfer.com/downloads/a/b", false),
        ("https://fromsmash.com/AbC12", false),
    ] {
        assert_eq!(own.of(url).is_some(), is_file, "{url}");
    }
}

#[test]
fn files_are_fetched_where_their_provider_says() {
    let known = defaults();
    let allows = |name: &str, url: &str| known.named(name).expect("a provider").reach.allows(url);
    for (name, good) in [
        ("dropbox", "https://www.dropbox.com/s/a"),
        ("dropbox", "https://uc1.dl.dropboxusercontent.com/x"),
        ("fromsmash", "https://studio.fromsmash.com/x"),
        ("swisstransfer", "http://a.b.swisstransfer.com/"),
    ] {
        assert!(allows(name, good), "{good}");
    }
    for bad in [
        "https://www.dropbox.com.evil.example/x",
        "https://evildropbox.com/x",
        "https://evil.example\\@www.dropbox.com/x",
        "https://www.dropbox.com@evil.example/x",
        "https://www.dropbox.com:443@evil.example/x",
        "https://evil.example@www.dropbox.com/x",
        "https://:x@www.dropbox.com/x",
        "https://www.dropbox.com%2f.evil.example/x",
        "https://evil.example/www.dropbox.com",
        "https://evil.example?www.dropbox.com",
        "https://evil.example#www.dropbox.com",
        "https://www.dropbox.com./s/a",
        "https://fromsmash.com/a",
        "https://dropbox.com.127.0.0.1/",
        "https://127.0.0.1/dropbox.com",
        "https://[::1]/dropbox.com",
        "https://www.drоpbox.com/s/a",
        "https://dropbox。com.evil.example/",
        "file://www.dropbox.com/etc/passwd",
        "//www.dropbox.com/x",
        "ftp://www.dropbox.com/x",
        "not a url",
    ] {
        assert!(!allows("dropbox", bad), "{bad}");
    }
}

#[test]
fn a_redirection_leads_where_the_document_says_or_anywhere() {
    let leads = |fields: Value, to: &str| {
        let read = one(fields).expect("a good document");
        read.named("studio").expect("it").reach.may_lead_to(&to.parse().expect("an address"))
    };
    assert!(leads(json!({}), "https://cdn.example/x"));
    assert!(leads(json!({"redirect_to": ["*.cdn.example"]}), "https://a.cdn.example/x"));
    assert!(leads(json!({"redirect_to": []}), "https://files.studio.example/x"));
    assert!(!leads(json!({"redirect_to": []}), "https://a.cdn.example/x"));
    assert!(!leads(json!({"redirect_to": ["*.cdn.example"]}), "https://u@a.cdn.example/x"));
}

#[test]
fn what_is_wrong_is_named() {
    for (fields, field) in [
        (json!({"name": "Studio"}), "providers[0].name"),
        (json!({"name": ""}), "providers[0].name"),
        (json!({"hosts": []}), "providers[0].hosts"),
        (json!({"hosts": "files.studio.example"}), "providers[0].hosts"),
        (json!({"hosts": ["a.example", "127.0.0.1"]}), "providers[0].hosts[1]"),
        (json!({"hosts": ["localhost"]}), "providers[0].hosts[0]"),
        (json!({"hosts": ["*.*.example"]}), "providers[0].hosts[0]"),
        (json!({"hosts": ["https://a.example"]}), "providers[0].hosts[0]"),
        (json!({"hosts": ["a.example:80"]}), "providers[0].hosts[0]"),
        (json!({"hosts": [5]}), "providers[0].hosts[0]"),
        (json!({"fetch_from": ["10.0.0.0x1"]}), "providers[0].fetch_from[0]"),
        (json!({"fetch_from": ["[::1]"]}), "providers[0].fetch_from[0]"),
        (json!({"redirect_to": [""]}), "providers[0].redirect_to[0]"),
        (json!({"paths": []}), "providers[0].paths"),
        (json!({"paths": ["d/"]}), "providers[0].paths[0]"),
        (json!({"except_paths": ["/a?b"]}), "providers[0].except_paths[0]"),
        (json!({"path": ["/d/"]}), "providers[0]"),
    ] {
        assert_eq!(one(fields.clone()).expect_err("a flaw").field, field, "{fields}");
    }
    let twice = |second: Value| {
        let first = json!({"name": "a", "hosts": ["a.example"], "paths": ["/"]});
        providers(&json!({"providers": [first, second]})).expect_err("a flaw").field
    };
    assert_eq!(twice(json!({"name": "a", "hosts": ["b.example"], "paths": ["/"]})), "providers[1].name");
    assert_eq!(
        twice(json!({"name": "b", "hosts": ["b.example", "A.example"], "paths": ["/"]})),
        "providers[1].hosts[1]"
    );
    for none in [json!({}), json!({"providers": null}), json!({"providers": {}})] {
        assert_eq!(providers(&none).expect_err("a flaw").field, "providers");
    }
    assert!(one(json!({"_note": "x", "except_hosts": null})).is_ok());
    assert_eq!(providers(&json!({"providers": [], "_updated_at": "x", "more": 1})), Ok(Providers::default()));
}
