use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;
use crate::mail::providers;

fn unwrapped(url: &str) -> Option<String> {
    follow(url, &providers::defaults(), &mut Budget::default()).map(|(url, _)| url.into_owned())
}

#[test]
fn what_filters_and_counters_put_around_a_link_is_undone() {
    for url in [
        "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fwww.dropbox.com%2Fscl%2Ffo%2Fx%3Frlkey%3Dk%26dl%3D0&data=05%7C01",
        "https://urldefense.com/v3/__https://www.dropbox.com/scl/fo/x?rlkey=k&dl=0__;!!abc$",
        "https://urldefense.us/v3/__https:/www.dropbox.com/scl/fo/x?rlkey=k&dl=0__;!!abc!x-y$",
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__www.dropbox.com_scl_fo_x-3Frlkey-3Dk-26dl-3D0&d=x",
        "https://urldefense.proofpoint.com/v1/url?u=https://www.dropbox.com/scl/fo/x%3Frlkey%3Dk%26dl%3D0&k=abc%3D",
        "https://www.google.com/url?sa=D&q=https://www.dropbox.com/scl/fo/x?rlkey%3Dk%26dl%3D0&usg=1",
        "https://www.google.com/url?q=https%3A%2F%2Furldefense.com%2Fv3%2F__https%3A%2Fwww.dropbox.com%2Fscl%2Ffo%2Fx%3Frlkey%3Dk%26dl%3D0__%3B!!abc%24",
        "https://eu-west-1.protection.sophos.com?d=dropbox.com&u=aHR0cHM6Ly93d3cuZHJvcGJveC5jb20vc2NsL2ZvL3g_cmxrZXk9ayZkbD0w&i=1",
        "https://eu-west-1.protection.sophos.com?d=dropbox.com&u=aHR0cHM6Ly93d3cuZHJvcGJveC5jb20vc2NsL2ZvL3g%2FcmxrZXk9ayZkbD0w&i=1",
        "https://abc.r.us-east-1.awstrack.me/L0/https:%2F%2Fwww.dropbox.com%2Fscl%2Ffo%2Fx%3Frlkey=k%26dl=0/1/0102-000000/sig=1",
        "https://r.search.yahoo.com/_ylt=A/RV=2/RU=https%3a%2f%2fwww.dropbox.com%2fscl%2ffo%2fx%3frlkey%3dk%26dl%3d0/RK=2/RS=x",
        "https://url.avanan.click/v2/r01/___https://www.dropbox.com/scl/fo/x?rlkey=k&dl=0___.YXAzOm_-",
        "https://avanan.url-protection.com/v1/url?o=https%3A//www.dropbox.com/scl/fo/x%3Frlkey%3Dk%26dl%3D0&g=1",
        "https://linkscan.io/scan/ux/aHR0cHM6Ly93d3cuZHJvcGJveC5jb20vc2NsL2ZvL3g_cmxrZXk9ayZkbD0w/ABC?c=1",
        "https://out.example/?https://www.dropbox.com/scl/fo/x?rlkey=k&dl=0",
        "https://out.example/#https%3A%2F%2Fwww.dropbox.com%2Fscl%2Ffo%2Fx%3Frlkey%3Dk%26dl%3D0",
        "https://login.example/go?to=%2Fthen%3Furl%3Dhttps%253A%252F%252Fwww.dropbox.com%252Fscl%252Ffo%252Fx%253Frlkey%253Dk%2526dl%253D0",
        "https://secure-web.cisco.com/1a-b_c/https%3A%2F%2Fwww.dropbox.com%2Fscl%2Ffo%2Fx%3Frlkey%3Dk%26dl%3D0",
        "https://out.example/v2/___https://gate.example/a1/https%3A%2F%2Fwww.dropbox.com%2Fscl%2Ffo%2Fx%3Frlkey%3Dk%26dl%3D0/end___.YXAz",
        "https://out.example/?u=https://gate.example/a1/https%3A%2F%2Fwww.dropbox.com%2Fscl%2Ffo%2Fx%3Frlkey%3Dk%26dl%3D0/end&x=1",
        "https://www.dropbox.com/login?cont=https%3A%2F%2Fwww.dropbox.com%2Fscl%2Ffo%2Fx%3Frlkey%3Dk%26dl%3D0",
    ] {
        assert_eq!(unwrapped(url).as_deref(), Some("https://www.dropbox.com/scl/fo/x?rlkey=k&dl=0"), "{url}");
    }
}

#[test]
fn what_only_looks_like_a_provider_is_none() {
    for url in [
        "https://x.safelinks.protection.outlook.com/?url=https%3A%2F%2Fevil.example%2Fdropbox.com%2Fs%2Fa",
        "https://x.example/?url=https%3A%2F%2Fwww.dropbox.com.evil.example%2Fs%2Fa",
        "https://x.example/?url=https%3A%2F%2Fwww.dropbox.com%40evil.example%2Fs%2Fa",
        "https://x.example/?url=https%3A%2F%2Fwww.dropbox.com%2540evil.example%2Fs%2Fa",
        "https://x.example/?url=xhttps%3A%2F%2Fwww.dropbox.com%2Fs%2Fa",
        "https://x.example/?d=www.dropbox.com%2Fs%2Fa",
        "https://x.example/?url=https%3A%2F%2Fwww.dropbox.com%2Fhelp",
        "https://x.example/?url=aHR0cHM6Ly93d3cuZHJvcGJveC5jb20uZXZpbC5leGFtcGxlL3MvYQ",
        "https://x.example/?url=ftp%3A%2F%2Fwww.dropbox.com%2Fs%2Fa",
        "https://urldefense.com/v3/nothing",
        "https://x.safelinks.protection.outlook.com/?data=1",
    ] {
        assert_eq!(unwrapped(url), None, "{url}");
    }
}

#[test]
fn proofpoint_puts_characters_back() {
    assert_eq!(
        unwrapped("https://urldefense.com/v3/__https:/fromsmash.com/a*b**Ac__;I8OpKw!!x$").as_deref(),
        Some("https://fromsmash.com/a#bé+c")
    );
}

#[test]
fn the_work_is_bounded() {
    let providers = providers::defaults();
    let mut budget = Budget::default();
    let nested = |depth: usize| format!("{}https://fromsmash.com/a", "https://x.example/".repeat(depth));
    assert!(follow(&nested(3), &providers, &mut budget).is_some());
    assert!(follow(&nested(5_000), &providers, &mut budget).is_none(), "longer than is looked into");
    let many = "https://x.example/?u=https%3A%2F%2Fx.example%2F".repeat(50);
    let mut rounds = 0;
    while !budget.is_exhausted() && rounds < 100_000 {
        assert!(follow(&many, &providers, &mut budget).is_none());
        rounds += 1;
    }
    assert!(budget.is_exhausted(), "{budget:?}");
    assert!(
        follow("https://x.example/?u=https%3A%2F%2Ffromsmash.com%2Fa", &providers, &mut budget).is_none()
    );
    assert!(
        follow("https://fromsmash.com/a", &providers, &mut budget).is_some(),
        "a link alone costs nothing"
    );
}

/// As `encodeURIComponent`.
const COMPONENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'!').remove(b'~');

fn percent_encoded(url: &str, rounds: usize) -> String {
    (0..rounds).fold(url.to_owned(), |url, _| utf8_percent_encode(&url, COMPONENT).to_string())
}

fn base64_encoded(url: &str, url_safe: bool) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    if url_safe {
        URL_SAFE_NO_PAD.encode(url)
    } else {
        utf8_percent_encode(&STANDARD.encode(url), COMPONENT).to_string()
    }
}

/// One layer around an address.
fn layer(url: &str, kind: usize) -> String {
    match kind {
        0 => format!("https://gate.example/check?id=1&url={}&token=aa%2Bb", percent_encoded(url, 1)),
        1 => format!("https://gate.example/a1/{}/end", percent_encoded(url, 1)),
        2 => format!("https://gate.example/?u={}&i=5", base64_encoded(url, true)),
        3 => format!("https://gate.example/?i=5&u={}", base64_encoded(url, false)),
        4 => format!("https://gate.example/scan/{}/x", base64_encoded(url, true)),
        5 => format!("https://gate.example/#{}", percent_encoded(url, 1)),
        6 => format!("https://gate.example/v2/___{url}___.YXAzOm"),
        7 => format!("https://gate.example/go?to={}&x", percent_encoded(url, 2)),
        8 => format!("https://gate.example/v3/__{url}__;!!Ab!c-d$"),
        _ => format!("https://gate.example/r?{url}"),
    }
}

fn link() -> impl Strategy<Value = String> {
    let path = "[A-Za-z0-9]{1,12}(/[A-Za-z0-9%-]{0}[A-Za-z0-9-]{1,12}){0,2}(\\?rlkey=[a-z0-9]{1,8}&dl=0)?";
    let start = prop::sample::select(vec![
        "https://www.dropbox.com/s/",
        "https://dropbox.com/scl/fo/",
        "https://dl.dropboxusercontent.com/s/",
        "https://fromsmash.com/Zz",
        "http://studio.fromsmash.com/Zz",
        "https://www.swisstransfer.com/d/",
    ]);
    (start, path).prop_map(|(start, path)| format!("{start}{path}"))
}

proptest! {
    #[test]
    fn what_is_wrapped_is_found(link in link(), layers in prop::collection::vec(0..10_usize, 0..4)) {
        let wrapped = layers.iter().fold(link.clone(), |url, kind| layer(&url, *kind));
        prop_assert_eq!(unwrapped(&wrapped), Some(link), "{}", wrapped);
    }

    #[test]
    fn what_is_wrapped_and_no_link_is_not(
        host in prop::sample::select(vec!["www.dropbox.com.evil.example", "www.dropbox.com@evil.example", "xfromsmash.com", "dropbox.co", "wetransfer.com"]),
        path in "[a-z0-9]{1,8}",
        layers in prop::collection::vec(0..10_usize, 0..4),
    ) {
        let url = format!("https://{host}/s/{path}");
        let wrapped = layers.iter().fold(url, |url, kind| layer(&url, *kind));
        prop_assert_eq!(unwrapped(&wrapped), None, "{}", wrapped);
    }

    #[test]
    fn nothing_panics(text in "[hH]ttps?(://|%3A%2F%2F)[a-z./%_=&?#;A-Fé0-9-]{0,60}((https?(://|%3A|%253A//|-3A__)|aHR0c|___|%68%74%74%70)[a-zA-Zé0-9%/._-]{0,20}){0,4}") {
        if let Some(found) = unwrapped(&text) {
            prop_assert!(providers::defaults().of(&found).is_some());
        }
    }
}
