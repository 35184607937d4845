use serde_json::json;

use super::*;
use crate::mail::providers::{self, defaults};

fn urls(found: FoundLinks) -> Vec<String> {
    found.links.into_iter().map(|link| link.raw_url).collect()
}

fn plain(text: &str) -> Vec<String> {
    urls(find(text, "", &defaults()))
}

fn page(html: &str) -> Vec<String> {
    urls(find("", html, &defaults()))
}

/// Where an address in a plain text ends: the text, and the addresses, a blank between two.
#[test]
fn addresses_end_where_a_person_sees_their_end() {
    for (text, expected) in [
        // The punctuation of the sentence.
        ("(voir https://fromsmash.com/abc).", "https://fromsmash.com/abc"),
        ("https://fromsmash.com/a_(b)", "https://fromsmash.com/a_(b)"),
        ("« https://fromsmash.com/abc»", "https://fromsmash.com/abc"),
        ("«https://fromsmash.com/abc»puis", "https://fromsmash.com/abc"),
        ("https://fromsmash.com/abc?!'", "https://fromsmash.com/abc"),
        ("'https://fromsmash.com/abc'puis", "https://fromsmash.com/abc"),
        ("(https://fromsmash.com/abc)puis", "https://fromsmash.com/abc"),
        ("https://fromsmash.com/abc&nbsp;", "https://fromsmash.com/abc"),
        ("https://fromsmash.com/abc-", "https://fromsmash.com/abc-"),
        (
            "（https://fromsmash.com/a），https://fromsmash.com/b。",
            "https://fromsmash.com/a https://fromsmash.com/b",
        ),
        ("https://fromsmash.com/abc_", "https://fromsmash.com/abc_"),
        // Brackets of their own.
        ("<https://fromsmash.com/abc>", "https://fromsmash.com/abc"),
        ("<https://fromsmash.com/\nabc>puis", "https://fromsmash.com/abc"),
        ("<https://fromsmash.com/ \r\n  abc>", "https://fromsmash.com/abc"),
        ("<URL:https://fromsmash.com/\nabc>", "https://fromsmash.com/abc"),
        ("> voir <https://fromsmash.com/\n> abc>", "https://fromsmash.com/abc"),
        (
            "<https://www.dropbox.com/s/x/Rush final v2.mov?dl=0>",
            "https://www.dropbox.com/s/x/Rush%20final%20v2.mov?dl=0",
        ),
        ("<https://fromsmash.com/abc voir>", "https://fromsmash.com/abc"),
        ("<https://fromsmash.com/abc\n\nfin>", "https://fromsmash.com/abc"),
        ("<https://fromsmash.com/abc puis 3 < 4", "https://fromsmash.com/abc"),
        ("Lien<https://fromsmash.com/abc>", "https://fromsmash.com/abc"),
        // Emphasis.
        ("*https://fromsmash.com/abc*", "https://fromsmash.com/abc"),
        ("*Fichiers : https://fromsmash.com/abc*.", "https://fromsmash.com/abc"),
        ("**https://fromsmash.com/abc**", "https://fromsmash.com/abc"),
        ("_https://fromsmash.com/abc_", "https://fromsmash.com/abc"),
        ("_https://fromsmash.com/abc__", "https://fromsmash.com/abc_"),
        ("__https://fromsmash.com/abc__,", "https://fromsmash.com/abc"),
        ("_voir https://fromsmash.com/abc_", "https://fromsmash.com/abc"),
        ("_voir_ https://fromsmash.com/abc_", "https://fromsmash.com/abc_"),
        ("*_https://fromsmash.com/abc_*", "https://fromsmash.com/abc"),
        ("~~https://fromsmash.com/abc~~", "https://fromsmash.com/abc"),
        ("`https://fromsmash.com/abc`", "https://fromsmash.com/abc"),
        // Markdown.
        ("[x](https://www.swisstransfer.com/d/1)", "https://www.swisstransfer.com/d/1"),
        ("[Lot](https://fromsmash.com/abc)puis", "https://fromsmash.com/abc"),
        ("[Lot](https://fromsmash.com/abc \"titre\")", "https://fromsmash.com/abc"),
        ("[Lot](<https://fromsmash.com/abc>)", "https://fromsmash.com/abc"),
        ("[https://fromsmash.com/abc](https://fromsmash.com/abc)", "https://fromsmash.com/abc"),
        ("[1]: https://fromsmash.com/abc", "https://fromsmash.com/abc"),
        ("https://fromsmash.com/a\\_b\\\nfin", "https://fromsmash.com/a_b"),
        ("![Logo](https://www.dropbox.com/s/x/logo.png?raw=1)", ""),
        (
            "|Lot|https://fromsmash.com/a|https://fromsmash.com/b|",
            "https://fromsmash.com/a https://fromsmash.com/b",
        ),
        // Several.
        (
            "https://fromsmash.com/a,https://fromsmash.com/b",
            "https://fromsmash.com/a https://fromsmash.com/b",
        ),
        (
            "https://fromsmash.com/a;https://fromsmash.com/b;",
            "https://fromsmash.com/a https://fromsmash.com/b",
        ),
        ("https://fromsmash.com/ahttps://fromsmash.com/b", "https://fromsmash.com/a https://fromsmash.com/b"),
        (
            "https://fromsmash.com/a/https://fromsmash.com/b",
            "https://fromsmash.com/a/ https://fromsmash.com/b",
        ),
        (
            "https://fromsmash.com/a)(https://fromsmash.com/b",
            "https://fromsmash.com/a https://fromsmash.com/b",
        ),
        (
            "https://fromsmash.com/a&lt;br&gt;https://fromsmash.com/b",
            "https://fromsmash.com/a<br https://fromsmash.com/b",
        ),
        ("https://https://fromsmash.com/a", "https://fromsmash.com/a"),
        (
            "https://fromsmash.com/a+https://fromsmash.com/b",
            "https://fromsmash.com/a https://fromsmash.com/b",
        ),
        (
            "https://fromsmash.com/a?k=1&https://fromsmash.com/b",
            "https://fromsmash.com/a?k=1 https://fromsmash.com/b",
        ),
        ("Lot 42;https://fromsmash.com/a;11h51", "https://fromsmash.com/a"),
        ("Lot 42,https://fromsmash.com/a,11h51,fin", "https://fromsmash.com/a"),
        (
            "l1=https://fromsmash.com/a;l2=https://fromsmash.com/b",
            "https://fromsmash.com/a https://fromsmash.com/b",
        ),
        (
            "https://www.dropbox.com/s/a/b?rlkey=k&amp;amp;dl=0;fin",
            "https://www.dropbox.com/s/a/b?rlkey=k&amp;dl=0",
        ),
        (
            "https://www.dropbox.com/s/a/Rush,final.mov?dl=0",
            "https://www.dropbox.com/s/a/Rush,final.mov?dl=0",
        ),
        ("https://e.example/r?u=https://fromsmash.com/a", "https://fromsmash.com/a"),
        (
            "https://www.dropbox.com/s/a?u=https://fromsmash.com/a",
            "https://www.dropbox.com/s/a?u=https://fromsmash.com/a",
        ),
        // Cut, with the whole beside it or without.
        ("https://fromsmash.com/abc…", "https://fromsmash.com/abc"),
        ("https://fromsmash.com/abc... <https://fromsmash.com/abcdef>", "https://fromsmash.com/abcdef"),
        ("https://www.dropbox.com/scl/fo/…/AAdef?rlkey=k", ""),
        ("https://fromsmash.com/abc[...] https://fromsmash.com/abcdef", "https://fromsmash.com/abcdef"),
        // What nobody sees.
        ("https://fromsmash.com/ab\u{200b}c", "https://fromsmash.com/abc"),
        ("https://from\u{ad}smash.com/abc\u{feff}", "https://fromsmash.com/abc"),
        ("https://fromsmash.com/ab&#8203;c&shy;", "https://fromsmash.com/abc"),
    ] {
        assert_eq!(plain(text).join(" "), expected, "{text}");
    }
}

#[test]
fn look_alikes_are_no_links() {
    for text in [
        "https://www.dropbox.com.evil.example/s/x",
        "https://www.dropbox.com@evil.example/s/x",
        "https://www.dropbox.com\\@evil.example/s/x",
        "https://www.dropbox.com&#46;evil.example/s/x",
        "https://www.dropbox.com&#9;.evil.example/s/x",
        "https://evil.example/www.dropbox.com/s/x",
        "https://xn--dropbox-x.com/s/a",
        "https://www.dropbox.com:80x/s/a",
        "ftp://dropbox.com/s/a",
        "https://fromsmash.com.",
        "https://www.dropbox.com/help",
    ] {
        assert_eq!(plain(text), Vec::<String>::new(), "{text}");
        assert_eq!(
            page(&format!("<a href=\"{}\">x</a>", text.replace("\\@", "@"))),
            Vec::<String>::new(),
            "{text}"
        );
    }
}

const LINK: &str = "https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0";

#[test]
fn a_page_is_read_as_a_browser_reads_it() {
    for html in [
        "<a href=\"https://www.dropbox.com/scl/fo/a/b?rlkey=k&amp;dl=0\">x</a>",
        "<A HREF='https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0'>x</A>",
        "<a class=y href=https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0>x</a>",
        "<a href=\" https://www.dropbox.com/scl/fo/\r\n\t a/b?rlkey=k&dl=0\n\">x</a>".trim_start(),
        "<a href=\"https:&#x2F;&#x2F;www.dropbox.com&#x2F;scl/fo/a/b?rlkey&#x3D;k&amp;dl&#61;0\">x</a>",
        "<a href=\"https&colon;&sol;&sol;www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0\">x</a>",
        "<a href=\"https&#58//www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0\">x</a>",
        "<a href=\"//www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0\">x</a>",
        "<a href=\"https:\\\\www.dropbox.com\\scl\\fo\\a\\b?rlkey=k&dl=0\">x</a>",
        "<a href=\"https:/www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0\">x</a>",
        "<base href=\"https://www.dropbox.com/scl/\"><a href=\"fo/a/b?rlkey=k&amp;dl=0\">x</a>",
        "<base href=\"https://www.dropbox.com/x\"><a href=\"/scl/fo/a/b?rlkey=k&amp;dl=0\">x</a>",
        "<head><title>x</title><base href=\"https://www.dropbox.com\"><body><a href=\"scl/fo/a/b?rlkey=k&dl=0\">x",
        "<map><area href=\"https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0\"></map>",
        "<p>https://www.dropbox.com/scl/fo/<wbr>a/<b>b</b>?rlkey=k&amp;dl=0</p>",
        "<p>https://www.dropbox.com/scl/fo/a/b?rlkey=k&amp;dl=0<br>suite</p>",
        "<td>https://www.dropbox.com/scl/fo/a/b?rlkey=k&amp;dl=0</td><td>suite</td>",
        "<a href=\"https://ct.example/x\">https://www.dropbox.com/scl/fo/a/b?rlkey=k&amp;dl=0</a>suite",
        "<a href=\"https://www.dropbox.com/scl/fo/a/b?rlkey=k&amp;dl=0\">https://www.dropbox.com/scl/fo/a…</a>",
        "<a href=\"https://www.dropbox.com/scl/fo/a/b?rlkey=k&amp;dl=0\">https://www.dropbox.com/sc...</a>",
        "<a href=\"https://www.dropbox.com/scl/fo/a/b?rlkey=k&amp;dl=0\">https://www.dropbox.com/scl/fo/a/b</a>",
        "<a title=\"a > b\" href=\"https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0\">x</a>",
        "<a href=\"https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0>x</a>",
        "<a href=\"https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0>x</a><p class=\"y\">z</p>",
        "<a href=\"https://www.drop&shy;box.com/scl/fo/a/\u{200b}b?rlkey=k&dl=0\">x</a>",
        "<blockquote><a href=\"https://g.example/?u=https%3A%2F%2Fwww.dropbox.com%2Fscl%2Ffo%2Fa%2Fb%3Frlkey%3Dk%26dl%3D0\">x",
    ] {
        let expected = if html.contains("\t a") { LINK.replace("fo/a", "fo/%20a") } else { LINK.to_owned() };
        assert_eq!(page(html), [expected], "{html}");
    }
    assert_eq!(
        page(
            "<a href=\"https://www.dropbox.com/s/x/Rush final.mov\">https://www.dropbox.com/s/x/Rush final.mov</a>"
        ),
        ["https://www.dropbox.com/s/x/Rush%20final.mov"]
    );
}

#[test]
fn what_is_no_link_of_a_page_triggers_nothing() {
    for html in [
        "<img src=\"https://www.dropbox.com/s/x/signature.png?raw=1\">",
        "<td background=\"https://www.dropbox.com/s/x/fond.png\">x</td>",
        "<style>td {background:url(https://www.dropbox.com/s/x/fond.jpg)}</style>",
        "<p style=\"background:url(https://www.dropbox.com/s/x/fond.jpg)\">x</p>",
        "<!-- https://www.dropbox.com/s/x -->",
        "<!--[if mso]><a href=\"https://www.dropbox.com/s/x\">x</a><![endif]-->",
        "<script>\"https://www.dropbox.com/s/x\"</script>",
        "<title>https://www.dropbox.com/s/x</title>",
        "<link href=\"https://www.dropbox.com/s/x/style.css\">",
        "<a name=\"https://www.dropbox.com/s/x\">x</a>",
        "<a href=\"mailto:a@b.fr?body=https://www.dropbox.com/s/x\">x</a>",
        "<a href=\"s/x\">x</a>",
        "<a href=\"https://www.dropbox.com/\">Dropbox</a><a href=\"https://www.dropbox.com/help\">Aide</a>",
        "<a href=\"https://fromsmash.com\">Smash</a> <a href=\"https://fromsmash.com/privacy\">x</a>",
        "<a href=\"https://ct.example/x\">https://www.dropbox.com/scl/fo/a…</a>",
        "<a href=\"https://www.dropbox.com/s/x",
    ] {
        assert_eq!(page(html), Vec::<String>::new(), "{html}");
    }
}

#[test]
fn the_plain_part_of_a_page_says_nothing_else() {
    let both = |text: &str, html: &str| urls(find(text, html, &defaults()));
    let picture = "<img src=\"https://www.dropbox.com/s/x/logo2.png?raw=1\">";
    assert_eq!(both("[https://www.dropbox.com/s/x/logo2.png?raw=1]", picture), Vec::<String>::new());
    let linked = format!("{picture}<a href=\"https://www.dropbox.com/s/x/logo2.png?raw=1\">x</a>");
    assert_eq!(both("", &linked).len(), 1);
    let whole = "<a href=\"https://www.dropbox.com/s/x/Rush final.mov\">x</a>";
    for half in [
        "https://www.dropbox.com/s/x/Rush final.mov",
        "https://www.dropbox.com/s/x/\nRush",
        "https://www.dropbox.com/s/x/Ru...",
    ] {
        assert_eq!(both(half, whole), ["https://www.dropbox.com/s/x/Rush%20final.mov"], "{half}");
    }
    // Two that merely begin alike are two.
    let html = "<a href=\"https://fromsmash.com/abc?key=1\">x</a>";
    assert_eq!(
        both("https://fromsmash.com/abc", html),
        ["https://fromsmash.com/abc", "https://fromsmash.com/abc?key=1"]
    );
}

#[test]
fn who_hides_where_a_link_leads_is_named() {
    let doubt = |text: &str| find(text, "", &defaults()).doubt().map(|doubt| doubt.english);
    for (text, host) in [
        ("https://protect-eu.mimecast.com/s/AbCdEfGhIj?domain=dropbox.com", "protect-eu.mimecast.com"),
        ("https://unknown.example/s/AbCd?domain=dropbox.com", "unknown.example"),
        ("https://unknown.example/s/?u=www.dropbox.com%2Fs%2Fa", "unknown.example"),
        ("https://u1.ct.sendgrid.net/ls/click?upn=u001.AbCdEf-2BgHiJkL", "u1.ct.sendgrid.net"),
        ("https://click.studio.example/?qs=0123456789abcdef", "click.studio.example"),
        ("https://bit.ly/3AbC", "bit.ly"),
    ] {
        assert_eq!(
            doubt(text).as_deref(),
            Some(format!("{host} hides where its link leads").as_str()),
            "{text}"
        );
    }
    for text in
        ["https://www.studio.example/contact", "https://www.dropbox.com/help", "https://bit.ly/", "rien"]
    {
        assert_eq!(doubt(text), None, "{text}");
    }
    let two = doubt("https://bit.ly/a https://t.co/b https://bit.ly/c").expect("a doubt");
    assert_eq!(two, "bit.ly, t.co hide where their links lead");
}

#[test]
fn links_are_those_of_the_providers_that_are_configured() {
    let document = json!({"providers": [{"name": "wetransfer", "hosts": ["we.tl"], "paths": ["/t-*"]}]});
    let own = providers::providers(&document).expect("a good document");
    let found = find("https://fromsmash.com/a https://g.example/?u=https%3A%2F%2Fwe.tl%2Ft-AbC", "", &own);
    assert_eq!(found.links.iter().map(|link| link.provider.as_str()).collect::<Vec<_>>(), ["wetransfer"]);
    assert_eq!(urls(found), ["https://we.tl/t-AbC"]);
}

#[test]
fn hosts_are_named_exactly() {
    for (text, expected) in [
        ("https://Portal.example/x?y and http://a.fr:80, https://b.fr.", "portal.example a.fr b.fr"),
        ("<a href='https://c.fr'>https://user@evil.example</a>", "c.fr"),
        ("https://d.fr\\@evil.example ftp://e.fr https://", "d.fr"),
    ] {
        assert_eq!(hosts(text).join(" "), expected, "{text}");
    }
    assert!(hosts(&format!("https://{}", "a".repeat(500))).is_empty());
}

#[test]
fn dropbox_pictures_are_no_deliveries() {
    for (name, preview) in [
        ("ms.png", true),
        ("MS-logo.png", true),
        ("msg_final.png", false),
        ("avatar1.webp", true),
        ("lot42.png", false),
        ("logo.zip", false),
    ] {
        let text = format!("https://www.dropbox.com/scl/fi/x/{name}?rlkey=k&amp;raw=1");
        assert_eq!(plain(&text).is_empty(), preview, "{name}");
    }
}

/// What is quadratic takes far longer at this size.
#[test]
fn the_work_is_linear_in_the_text() {
    let clock = || nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock");
    for piece in [
        "https://www.dropbox.com)))))))))))))))))))))))))))))x",
        "https://e.example/",
        "https://e.example/?u=https%3A%2F%2F",
        "https://",
        "<https://e.example/ ",
        "<https://e.example/",
        "_https://fromsmash.com/a_",
        "![x](https://fromsmash.com/a",
        "https://fromsmash.com/a...",
        "(https://e.example/",
        "<a href=x><base href=https://e.example/y>",
        "<a href=https://click.example/aaaaaaaaaaaaa>https://fromsmash.com/a…",
        "https%3A%2F%2F",
        "aHR0cHM6Ly9",
        "&#58;&amp",
        "https://fromsmash.com/a,",
        "https://fromsmash.com/a=",
        ",",
        "_",
        "\\_",
    ] {
        let middle = "a".repeat(1 << 17);
        for start in [
            "",
            "https://e.example/?u=",
            "https://fromsmash.com/",
            &format!("https://fromsmash.com/{middle}?"),
        ] {
            let text = format!("{start}{}.", piece.repeat((1 << 18) / piece.len()));
            let before = clock();
            find(&text, &text, &defaults());
            let took = clock() - before;
            assert!(took.tv_sec() < 5, "{took:?} for {start:.30}{piece}");
        }
    }
}

#[test]
fn of_links_without_end_so_many_are_taken_and_the_others_counted() {
    let link = |n: usize| format!("https://www.dropbox.com/s/{n}");
    let text: String = (0..gather::LINKS + 500).map(|n| format!("{} ", link(n))).collect();
    let page: String = (0..gather::LINKS + 500).map(|n| format!("<a href=\"{}\">x</a>", link(n))).collect();
    for (plain, html, left_out) in [(&*text, "", 500), ("", &*page, 500), (&*text, &*page, 1_000)] {
        let found = find(plain, html, &providers::defaults());
        assert_eq!((found.links.len(), found.left_out), (gather::LINKS, left_out));
        assert_eq!(found.links.last().map(|last| last.raw_url.clone()), Some(link(gather::LINKS - 1)));
    }
    assert_eq!(find(&link(1), "", &providers::defaults()).left_out, 0);
}
