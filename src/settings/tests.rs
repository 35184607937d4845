use std::collections::HashMap;
use std::path::Path;

use chrono_tz::Tz;
use render_signal_actors::kernel::journal::Durability;
use render_signal_actors::poller::imap::ImapSecurity;
use secrecy::ExposeSecret as _;

use super::variables::{OFF, VariableKind};
use super::*;

/// The required variables, a mailbox, and these.
fn env(more: &[(&str, &str)]) -> HashMap<String, String> {
    let required = [
        ("FLASK_SECRET_KEY", "s3cret-key"),
        ("TRIGGER_PAGE_PASSWORD", "s3cret-password"),
        ("EMAIL_ADDRESS", "me@example.fr"),
        ("EMAIL_PASSWORD", "s3cret-mail"),
        ("IMAP_SERVER", "imap.example.fr"),
        ("PROCESS_API_TOKEN", "s3cret-token"),
        ("WEBHOOK_URL", "https://hook.example.com/s3cret-path"),
    ];
    required.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn read(more: &[(&str, &str)]) -> Result<Settings, Vec<SettingError>> {
    let env = env(more);
    Settings::from_env(|name| env.get(name).cloned())
}

fn good(more: &[(&str, &str)]) -> Settings {
    read(more).unwrap_or_else(|errors| panic!("{more:?}: {}", describe_errors(&errors)))
}

/// Its warnings, in words.
fn warnings(settings: &Settings) -> Vec<String> {
    settings.warnings.iter().map(|warning| warning.said().english).collect()
}

fn imap(settings: &Settings) -> &ImapSettings {
    match &settings.mail {
        Some(MailSourceSettings::Imap(imap, _)) => imap,
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults_are_those_of_the_reference() {
    let settings = good(&[]);
    let defaults = EnvDefaults {
        webhook_url: "https://hook.example.com/s3cret-path".to_owned(),
        ..EnvDefaults::default()
    };
    assert_eq!(settings.defaults, defaults);
    let imap = imap(&settings);
    assert_eq!((imap.port, imap.security), (993, ImapSecurity::Tls));
    assert_eq!((settings.port, settings.bind.to_string().as_str()), (8000, "0.0.0.0"));
    assert_eq!(settings.lock_ttl.as_secs(), 30);
    assert_eq!(settings.lock_file, Path::new("/tmp/render_signal_server_email_poller.lock"));
    assert_eq!(settings.storage.journal.file(), Some(Path::new("data/render-signal.db")));
    assert_eq!(settings.storage.magic_links_file, Path::new("debug/magic_links.json"));
    assert!(settings.signing_keys.is_none() && settings.r2.is_none() && warnings(&settings).is_empty());
}

#[test]
fn everything_that_is_missing_or_malformed_is_listed_at_once() {
    let errors = Settings::from_env(|name| match name {
        "IMAP_PORT" => Some("many".to_owned()),
        "EMAIL_ADDRESS" => Some("me@example.fr".to_owned()),
        "EMAIL_PASSWORD" => Some("  ".to_owned()),
        "EGRESS_ALLOW_CIDRS" => Some("10.0.0.0/8, nonsense".to_owned()),
        "JOURNAL_URL" => Some("postgres://u:s3cret@h/db".to_owned()),
        _ => None,
    })
    .unwrap_err();
    let names: Vec<&str> = errors.iter().map(|error| error.name).collect();
    assert_eq!(
        names,
        [
            "FLASK_SECRET_KEY",
            "TRIGGER_PAGE_PASSWORD",
            "EMAIL_PASSWORD",
            "IMAP_SERVER",
            "IMAP_PORT",
            "PROCESS_API_TOKEN",
            "WEBHOOK_URL",
            "EGRESS_ALLOW_CIDRS",
            "JOURNAL_URL",
        ]
    );
    let text = describe_errors(&errors);
    assert_eq!(text.lines().count(), 1 + errors.len());
    assert!(text.contains("IMAP_PORT: \"many\" is not a whole number; for example IMAP_PORT=993"));
    assert!(text.contains("\"postgres\" is not supported") && !text.contains("s3cret"), "{text}");
}

#[test]
fn each_malformed_value_is_one_error() {
    let short = format!("whsec_{}", "A".repeat(20));
    let bad = [
        ("MAIL_SOURCE", "pop3"),
        ("MAIL_SOURCE", "maildir:"),
        ("TRIGGER_PAGE_PASSWORD", "scrypt:32768:8:1$c2FsdA$00ff"),
        ("TRIGGER_PAGE_PASSWORD", "=19=19456,t=2,p=1"),
        ("MAGIC_LINK_TTL_SECONDS", "-1"),
        ("PUBLIC_BASE_URL", "signal.example.fr"),
        ("PUBLIC_BASE_URL", "ftp://signal.example.fr"),
        ("PUBLIC_BASE_URL", "https://u:s3cret@signal.example.fr"),
        ("PUBLIC_BASE_URL", "https://signal.example.fr/?a=b"),
        ("IMAP_PORT", "0"),
        ("IMAP_PORT", "99.5"),
        ("IMAP_SECURITY", "ssl"),
        ("IMAP_SECURITY", "plain"),
        ("IMAP_AUTH", "xoauth2"),
        ("IMAP_OAUTH_PROVIDER", "yahoo"),
        ("IMAP_OAUTH_DEVICE_URL", "http://login.example.fr/devicecode"),
        ("GMAIL_OAUTH_CHECK_INTERVAL_DAYS", "-1"),
        ("GMAIL_API_URL", "gmail"),
        ("POLLING_TIMEZONE", "Europe/Pari"),
        ("CONFIG_STORE_MODE", "file_first"),
        ("WEBHOOK_DELIVERY_MODE", "xml"),
        ("POLLING_ACTIVE_START_HOUR", "24"),
        ("POLLING_ACTIVE_END_HOUR", "-1"),
        ("EMAIL_POLLING_INTERVAL_SECONDS", "0"),
        ("POLLING_INACTIVE_CHECK_INTERVAL_SECONDS", "x"),
        ("POLLER_LOCK_TTL_SECONDS", "1"),
        ("WEBHOOK_URL", "http://hook.example.com/x"),
        ("WEBHOOK_URL", "https://127.0.0.1/x"),
        ("WEBHOOK_URL", "hook.example.com"),
        ("WEBHOOK_SECRET", "not base64!"),
        ("WEBHOOK_SECRET", short.as_str()),
        ("WEBHOOKS_TIME_START", "9h"),
        ("WEBHOOK_TIME_END", "25:00"),
        ("EGRESS_ALLOW_CIDRS", "10.0.0.0/33"),
        ("R2_FETCH_ENDPOINT", "http://worker.example/x"),
        ("R2_MODE", "both"),
        ("R2_MAX_FILE_BYTES", "83886080001"),
        ("R2_TRANSFER_MAX_SECONDS", "1"),
        ("R2_RETENTION_HOURS", "-1"),
        ("R2_MAX_LINKS_PER_MAIL", "0"),
        ("EXTERNAL_CONFIG_BASE_URL", "http://config.example"),
        ("EXTERNAL_CONFIG_BASE_URL", "https://10.0.0.1"),
        ("EXTERNAL_CONFIG_BASE_URL", "config.example"),
        ("JOURNAL_URL", "data/x.db"),
        ("JOURNAL_URL", "sqlite:"),
        ("JOURNAL_URL", "redis:"),
        ("JOURNAL_URL", "rediss://:6379"),
        ("REDIS_URL", "redis:"),
        ("REDIS_URL", "http://cache.example:6379"),
        ("REDIS_URL", "cache.example:6379"),
        ("MAIL_RETENTION_DAYS", "0"),
        ("PORT", "65536"),
        ("BIND", "everywhere"),
        ("LOG_FORMAT", "xml"),
        ("MAKE_SCENARIO_ID_RECADRAGE", "one"),
        ("R2_LINKS_MAX_ENTRIES", "1e3"),
    ];
    for (name, value) in bad {
        let errors = read(&[(name, value)]).unwrap_err();
        assert_eq!(errors.len(), 1, "{name}={value}: {}", describe_errors(&errors));
        assert!(VARIABLES.iter().any(|variable| {
            variable.name == errors[0].name && (name == variable.name || variable.aliases.contains(&name))
        }));
        assert!(!errors[0].example.is_empty());
    }
    let equal = read(&[("WEBHOOKS_TIME_START", "9h00"), ("WEBHOOKS_TIME_END", "09:00")]).unwrap_err();
    assert_eq!(equal[0].name, "WEBHOOKS_TIME_END");
}

/// Every switch of the table, and whether it is on when it is not set.
fn switches() -> impl Iterator<Item = (&'static Variable, &'static [&'static str], bool)> {
    VARIABLES.iter().filter_map(|variable| match (variable.kind, variable.need) {
        (VariableKind::Switch(on) | VariableKind::Protection(on), Need::Default(default)) => {
            Some((variable, on, on.contains(&default)))
        }
        _ => None,
    })
}

#[test]
fn a_switch_takes_its_words_and_refuses_every_other() {
    assert!(switches().count() >= 10);
    for (variable, on, _) in switches() {
        for word in on.iter().chain(OFF) {
            for word in [(*word).to_owned(), format!(" {} ", word.to_uppercase())] {
                assert!(read(&[(variable.name, &word)]).is_ok(), "{}={word}", variable.name);
            }
        }
        for word in ["enabled", "disabled", "oui", "non", "vrai", "2", "-1", "true;", "t", "\"true", "truee"]
        {
            let errors = read(&[(variable.name, word)]).unwrap_err();
            assert_eq!(errors.len(), 1, "{}={word}", variable.name);
            assert_eq!(errors[0].name, variable.name);
            assert!(errors[0].problem.contains("off (0|false|no|n|off)"), "{}", errors[0].problem);
        }
        // What the reference system takes for off and a person for on.
        if !on.contains(&"y") {
            assert_eq!(read(&[(variable.name, "y")]).unwrap_err().len(), 1, "{}", variable.name);
        }
    }
    for (value, verify, sending) in
        [("1", true, true), (" Yes ", true, true), ("ON", true, true), ("0", false, false), ("", true, false)]
    {
        let defaults = good(&[("WEBHOOK_SSL_VERIFY", value), ("WEBHOOK_SENDING_ENABLED", value)]).defaults;
        assert_eq!((defaults.ssl_verify, defaults.sending_enabled), (verify, sending), "{value:?}");
    }
    let flags =
        good(&[("DISABLE_EMAIL_ID_DEDUP", "true"), ("ALLOW_CUSTOM_WEBHOOK_WITHOUT_LINKS", "on")]).defaults;
    assert!(flags.disable_email_id_dedup && flags.allow_without_links);
}

#[test]
fn what_protects_is_not_switched_off_by_nothing() {
    let settings = good(&[("WEBHOOK_SSL_VERIFY", " "), ("IMAP_USE_SSL", "")]);
    assert!(settings.defaults.ssl_verify);
    assert_eq!(imap(&settings).security, ImapSecurity::Tls);
    let said = ["IMAP_USE_SSL", "WEBHOOK_SSL_VERIFY"];
    assert_eq!(
        warnings(&settings),
        said.map(|name| format!("{name} is set to nothing, which counts as unset"))
    );
    let held = good(&[("WEBHOOK_SENDING_ENABLED", "")]);
    assert_eq!(warnings(&held), ["WEBHOOK_SENDING_ENABLED is set to nothing, which means off"]);
}

#[test]
fn quotation_marks_are_told_as_such_for_every_variable() {
    for variable in VARIABLES {
        for name in std::iter::once(&variable.name).chain(variable.aliases) {
            for quoted in [format!("\"{}\"", variable.example), format!(" '{}' ", variable.example)] {
                // A password may look like that; and what has no effect does no harm.
                let harmless = (variable.kind == VariableKind::Secret
                    && !["WEBHOOK_SECRET", "INGRESS_HMAC_SECRET"].contains(&variable.name))
                    || variable.need == Need::NoEffect;
                let mut env = env(&[]);
                if *name != variable.name {
                    env.remove(variable.name);
                }
                env.insert((*name).to_owned(), quoted.clone());
                let said: Vec<String> = match Settings::from_env(|name| env.get(name).cloned()) {
                    Ok(settings) => {
                        assert!(harmless, "{name}={quoted} is taken");
                        warnings(&settings)
                    }
                    // One that is taken needs others beside it.
                    Err(_) if harmless => continue,
                    Err(errors) => errors.iter().map(ToString::to_string).collect(),
                };
                let told = said.iter().filter(|said| said.contains("in quotation marks"));
                let told: Vec<&String> = told.filter(|said| said.starts_with(name)).collect();
                assert_eq!(told.len(), 1, "{name}={quoted}: {said:?}");
            }
        }
    }
    let list = [("SENDER_OF_INTEREST_FOR_POLLING", "a@b.fr, \"c@d.fr\"")];
    assert_eq!(read(&list).unwrap_err()[0].name, "SENDER_OF_INTEREST_FOR_POLLING");
    let secret = [("REDIS_URL", "\"redis://:s3cret@h\"")];
    let text = describe_errors(&read(&secret).unwrap_err());
    assert!(text.contains("in quotation marks") && !text.contains("s3cret"), "{text}");
}

#[test]
fn a_time_zone_that_is_none_is_refused_with_the_nearest() {
    for (written, near) in
        [("Paris", "; Europe/Paris is the nearest"), ("over there somewhere", "time zone;")]
    {
        let errors = read(&[("POLLING_TIMEZONE", written)]).unwrap_err();
        assert_eq!(errors.iter().map(|error| error.name).collect::<Vec<_>>(), ["POLLING_TIMEZONE"]);
        assert!(errors[0].to_string().contains(near), "{}", errors[0]);
    }
}

/// What the program of July 2026 has to have, and nothing else.
const JULY: [(&str, &str); 4] = [
    ("FLASK_SECRET_KEY", "k"),
    ("TRIGGER_PAGE_PASSWORD", "p"),
    ("PROCESS_API_TOKEN", "t"),
    ("WEBHOOK_URL", "https://hook.example.com/x"),
];

fn july(more: &[(&str, &str)]) -> Result<Settings, Vec<SettingError>> {
    let set: HashMap<&str, &str> = JULY.iter().chain(more).copied().collect();
    Settings::from_env(|name| set.get(name).map(|value| (*value).to_owned()))
}

#[test]
fn an_installation_without_a_mailbox_starts_and_that_is_said() {
    for (more, why) in [
        (&[][..], "IMAP_SERVER are not set"),
        (&[("EMAIL_ADDRESS", ""), ("IMAP_PORT", "993")], "IMAP_SERVER are not set"),
        (&[("MAIL_SOURCE", "None"), ("EMAIL_ADDRESS", "me@example.fr")], "MAIL_SOURCE says so"),
    ] {
        let settings = july(more).unwrap_or_else(|errors| panic!("{}", describe_errors(&errors)));
        assert!(settings.mail.is_none() && settings.defaults.background_tasks);
        assert!(warnings(&settings).iter().any(|said| said.contains(why)), "{:?}", warnings(&settings));
    }
    let names = |more: &[(&str, &str)]| -> Vec<&str> {
        july(more).unwrap_err().iter().map(|error| error.name).collect()
    };
    assert_eq!(names(&[("EMAIL_ADDRESS", "me@example.fr")]), ["EMAIL_PASSWORD", "IMAP_SERVER"]);
    assert_eq!(names(&[("MAIL_SOURCE", "imap")]), ["EMAIL_ADDRESS", "EMAIL_PASSWORD", "IMAP_SERVER"]);
    assert_eq!(names(&[("IMAP_PORT", "many")]), ["IMAP_PORT"]);
}

#[test]
fn a_mailbox_that_tokens_open_needs_no_password_and_with_a_known_provider_no_server() {
    let tokens = [
        ("IMAP_AUTH", "oauth2"),
        ("EMAIL_ADDRESS", "me@example.fr"),
        ("IMAP_OAUTH_CLIENT_ID", "id"),
        ("IMAP_OAUTH_REFRESH_TOKEN", "s3cret-refresh"),
    ];
    let with = |more: &[(&'static str, &'static str)]| july(&[&tokens[..], more].concat());
    let good = |more: &[(&'static str, &'static str)]| {
        with(more).unwrap_or_else(|errors| panic!("{more:?}: {}", describe_errors(&errors)))
    };
    for (more, host, token_url) in [
        (&[("IMAP_OAUTH_PROVIDER", "google")][..], "imap.gmail.com", "https://oauth2.googleapis.com/token"),
        (&[("EMAIL_ADDRESS", "me@gmail.com")], "imap.gmail.com", "https://oauth2.googleapis.com/token"),
        (
            &[("IMAP_SERVER", "outlook.office365.com"), ("IMAP_OAUTH_TENANT", "example.fr")],
            "outlook.office365.com",
            "https://login.microsoftonline.com/example.fr/oauth2/v2.0/token",
        ),
        (
            &[
                ("IMAP_OAUTH_PROVIDER", "other"),
                ("IMAP_SERVER", "imap.example.fr"),
                ("IMAP_OAUTH_TOKEN_URL", "https://login.example.fr/token"),
            ],
            "imap.example.fr",
            "https://login.example.fr/token",
        ),
    ] {
        let settings = good(more);
        let oauth = settings.oauth.as_ref().expect("tokens");
        assert!(
            matches!(&settings.mail, Some(MailSourceSettings::Imap(_, MailboxLogin::OAuth2))),
            "{more:?}"
        );
        assert_eq!(
            (imap(&settings).host.as_str(), oauth.provider.token_url.as_str()),
            (host, token_url),
            "{more:?}"
        );
        assert!(!format!("{settings:?}").contains("s3cret-refresh"));
        assert!(oauth.client.secret.is_none(), "a public client");
    }
    let names = |more: &[(&'static str, &'static str)]| -> Vec<&str> {
        with(more).unwrap_err().iter().map(|error| error.name).collect()
    };
    assert_eq!(names(&[]), ["IMAP_SERVER", "IMAP_OAUTH_PROVIDER"], "nobody says whose mailbox it is");
    assert_eq!(names(&[("IMAP_OAUTH_PROVIDER", "other"), ("IMAP_SERVER", "x.fr")]), ["IMAP_OAUTH_TOKEN_URL"]);
    assert_eq!(
        names(&[("IMAP_OAUTH_PROVIDER", "microsoft"), ("IMAP_OAUTH_TENANT", "a/b")]),
        ["IMAP_OAUTH_TENANT"]
    );
    let http = [("IMAP_OAUTH_PROVIDER", "google"), ("IMAP_OAUTH_TOKEN_URL", "http://login.example.fr/token")];
    assert_eq!(names(&http), ["IMAP_OAUTH_TOKEN_URL"]);
    let missing = july(&[("IMAP_AUTH", "oauth2"), ("EMAIL_ADDRESS", "me@gmail.com")]).unwrap_err();
    let missing: Vec<&str> = missing.iter().map(|error| error.name).collect();
    assert_eq!(missing, ["IMAP_OAUTH_CLIENT_ID", "IMAP_OAUTH_REFRESH_TOKEN"]);
}

#[test]
fn the_names_of_the_php_side_count_where_ours_are_not_set_and_half_of_them_is_told() {
    let php = [("GMAIL_CLIENT_ID", "id"), ("GMAIL_CLIENT_SECRET", "s"), ("GMAIL_REFRESH_TOKEN", "r")];
    let settings = july(&php).unwrap_or_else(|errors| panic!("{}", describe_errors(&errors)));
    let oauth = settings.oauth.as_ref().expect("tokens to check");
    assert!(settings.mail.is_none(), "they open no mailbox by themselves");
    assert_eq!((oauth.client.id.as_str(), oauth.refresh_token.expose_secret()), ("id", "r"));
    assert_eq!(oauth.check.as_ref().map(|check| check.every.num_days()), Some(7));
    let half = july(&php[..1]).unwrap_or_else(|errors| panic!("{}", describe_errors(&errors)));
    assert!(half.oauth.is_none());
    assert!(warnings(&half).iter().any(|said| said.contains("belong together")), "{:?}", warnings(&half));
}

#[test]
fn the_senders_of_july_count_where_those_of_january_are_not_set() {
    let list = |more| july(more).unwrap_or_else(|errors| panic!("{}", describe_errors(&errors)));
    assert_eq!(list(&[("GMAIL_SENDER_ALLOWLIST", "A@b.fr,c@d.fr")]).defaults.senders, ["a@b.fr", "c@d.fr"]);
    let both = list(&[("GMAIL_SENDER_ALLOWLIST", "a@b.fr"), ("SENDER_OF_INTEREST_FOR_POLLING", "x@y.fr")]);
    assert_eq!(both.defaults.senders, ["x@y.fr"]);
    assert!(
        warnings(&both).iter().any(|said| said.contains("name different senders")),
        "{:?}",
        warnings(&both)
    );
}

#[test]
fn what_has_no_effect_is_named_with_what_has() {
    for (name, word) in [
        ("IMAP_SSL", "IMAP_SECURITY"),
        ("REDIS_LOCK_TTL_SECONDS", "POLLER_LOCK_TTL_SECONDS"),
        ("R2_ALLOWED_DOMAINS", "file services"),
        ("WEBHOOK_FALLBACK_ON_415", "WEBHOOK_DELIVERY_MODE"),
        ("RESTART_CMD", "no command is run"),
        ("GMAIL_INGRESS_IP_CHECK_ENABLED", "INGRESS_HMAC_SECRET"),
        ("EMAIL_ID_INFLIGHT_LOCK_PREFIX", "admitted once"),
    ] {
        let said = warnings(&good(&[(name, "x")]));
        let expected = format!("{name} is set but has no effect");
        assert!(said.iter().any(|said| said.starts_with(&expected) && said.contains(word)), "{said:?}");
    }
}

#[test]
fn scenarios_are_switched_with_a_key_or_a_whole_control_webhook() {
    let url = ("MAKE_WEBHOOK_CONTROL_URL", "https://hook.eu2.make.com/control");
    let key = ("MAKE_WEBHOOK_API_KEY", "a key");
    for (more, configured, warned) in [
        (&[][..], false, false),
        (&[("MAKECOM_API_KEY", "mk")], true, false),
        (&[url, key], true, false),
        (&[url], false, true),
        (&[key], false, true),
    ] {
        let settings = good(more);
        assert_eq!(settings.outside.make.is_configured(), configured, "{more:?}");
        let said = warnings(&settings);
        assert_eq!(said.iter().any(|said| said.contains("MAKE_WEBHOOK_API_KEY")), warned, "{said:?}");
    }
    let settings = good(&[("MAKECOM_API_KEY", "mk"), ("MAKE_SCENARIO_ID_RECADRAGE", "0")]);
    let scenarios = &settings.outside.make.scenarios;
    assert!(scenarios.len() == 1 && scenarios[0].name == "autorepondeur", "{scenarios:?}");
}

#[test]
fn the_poller_is_on_unless_it_is_switched_off_and_that_is_said() {
    for (more, on) in [
        (&[][..], true),
        (&[("ENABLE_BACKGROUND_TASKS", "true")], true),
        (&[("ENABLE_BACKGROUND_TASKS", "false")], false),
        (&[("DISABLE_BACKGROUND_TASKS", "1")], false),
        (&[("DISABLE_BACKGROUND_TASKS", "off")], true),
        (&[("ENABLE_BACKGROUND_TASKS", "true"), ("DISABLE_BACKGROUND_TASKS", "yes")], false),
    ] {
        let settings = good(more);
        assert_eq!(settings.defaults.background_tasks, on, "{more:?}");
        assert_eq!(warnings(&settings).is_empty(), on, "{more:?}");
    }
}

#[test]
fn protection_of_the_mailbox() {
    use ImapSecurity::{Plain, StartTls, Tls};
    let remote = "imap.example.fr";
    for (host, more, expected) in [
        (remote, &[][..], Tls),
        (remote, &[("IMAP_PORT", "143")], StartTls),
        (remote, &[("IMAP_PORT", "143"), ("IMAP_USE_SSL", "true")], Tls),
        (remote, &[("IMAP_USE_SSL", "false")], StartTls),
        (remote, &[("IMAP_USE_SSL", "no"), ("IMAP_SECURITY", "TLS")], Tls),
        ("127.0.0.1", &[("IMAP_USE_SSL", "false")], Plain),
        ("localhost", &[("IMAP_USE_SSL", "0"), ("IMAP_PORT", "10143")], Plain),
        ("::1", &[("IMAP_SECURITY", "plain")], Plain),
        ("127.0.0.1", &[("IMAP_SECURITY", "starttls")], StartTls),
        ("127.0.0.1", &[], Tls),
    ] {
        let mut more = more.to_vec();
        more.push(("IMAP_SERVER", host));
        assert_eq!(imap(&good(&more)).security, expected, "{more:?}");
    }
}

#[test]
fn a_maildir_needs_no_imap() {
    let env: HashMap<String, String> = env(&[("MAIL_SOURCE", "maildir:/var/mail/me")])
        .into_iter()
        .filter(|(name, _)| !name.starts_with("EMAIL_") && name != "IMAP_SERVER")
        .collect();
    let settings = Settings::from_env(|name| env.get(name).cloned()).unwrap();
    assert!(
        matches!(settings.mail, Some(MailSourceSettings::Maildir(path)) if path == Path::new("/var/mail/me"))
    );
}

#[test]
fn aliases_stand_in_for_unset_and_blank_names() {
    // The password has to be set, under either name.
    let settings = good(&[
        ("TRIGGER_PAGE_PASSWORD", " "),
        ("DASHBOARD_PASSWORD", "other"),
        ("DASHBOARD_USER", "me"),
        ("RENDER_EXTERNAL_URL", "https://x.onrender.com/"),
        ("MAGIC_LINK_TTL_SECONDS", "5"),
        ("WEBHOOKS_TIME_START", ""),
        ("WEBHOOK_TIME_START", " 9h00 "),
        ("WEBHOOKS_TIME_END", "18:00"),
        ("WEBHOOK_TIME_END", "19:00"),
    ]);
    assert_eq!(settings.defaults.time_start, "9h00");
    assert_eq!(settings.defaults.time_end, "18:00");
    let access = settings.access;
    assert_eq!((access.user.as_str(), access.password.expose_secret()), ("me", "other"));
    assert_eq!(access.base_url.map(String::from).as_deref(), Some("https://x.onrender.com/"));
    assert!(access.tls, "cookies are for TLS alone there");
    assert_eq!(access.link_life.num_seconds(), 60, "as long as the reference system has them live at least");
    let plain = good(&[]).access;
    assert_eq!((plain.user.as_str(), plain.base_url, plain.tls), ("admin", None, false));
}

#[test]
fn schedule_senders_and_zone() {
    let settings = good(&[
        ("SENDER_OF_INTEREST_FOR_POLLING", " A@B.fr,, c@d.org "),
        ("POLLING_TIMEZONE", "utc"),
        ("POLLING_ACTIVE_DAYS", "6, x, 0,7"),
        ("POLLING_ACTIVE_START_HOUR", " 07 "),
        ("POLLING_ACTIVE_END_HOUR", "1_9"),
        ("EMAIL_POLLING_INTERVAL_SECONDS", "5"),
        ("POLLING_INACTIVE_CHECK_INTERVAL_SECONDS", ""),
    ]);
    let defaults = &settings.defaults;
    assert_eq!(defaults.senders, ["a@b.fr", "c@d.org"]);
    assert_eq!(defaults.zone, Tz::UTC);
    assert_eq!(defaults.active_days, [0, 6]);
    assert_eq!((defaults.active_start_hour, defaults.active_end_hour), (7, 19));
    assert_eq!((defaults.interval.as_secs(), defaults.inactive_interval.as_secs()), (5, 600));
    assert_eq!(warnings(&settings).len(), 1, "{:?}", warnings(&settings));
    let unknown = good(&[("POLLING_ACTIVE_DAYS", "9")]);
    assert_eq!(warnings(&unknown).len(), 1);
    assert_eq!(unknown.defaults.active_days, [0, 1, 2, 3, 4]);
}

#[test]
fn targets_in_named_networks_may_be_plain() {
    let settings =
        good(&[("WEBHOOK_URL", "http://127.0.0.1:9000/x"), ("EGRESS_ALLOW_CIDRS", "127.0.0.0/8,::1/128")]);
    assert_eq!(settings.defaults.egress_allow.len(), 2);
}

#[test]
fn signing_and_offload() {
    let key = format!("whsec_{}", "A".repeat(32));
    for (secrets, signed) in [
        (key.clone(), true),
        (format!("{key} {key}"), true),
        (format!("{key},{key}"), true),
        (" ".to_owned(), false),
    ] {
        assert_eq!(good(&[("WEBHOOK_SECRET", &secrets)]).signing_keys.is_some(), signed);
    }
    assert_eq!(read(&[("WEBHOOK_SECRET", &format!("{key},{key},{key}"))]).unwrap_err().len(), 1);

    let endpoint = ("R2_FETCH_ENDPOINT", "https://worker.example");
    let on = [("R2_FETCH_ENABLED", "on"), endpoint, ("R2_FETCH_TOKEN", "t"), ("R2_BUCKET_NAME", "b")];
    let settings = good(&on);
    assert!(settings.defaults.offload);
    assert!(matches!(settings.r2, Some(R2Settings::Worker(worker)) if worker.bucket == "b"));
    for incomplete in [&on[..1], &on[..2]] {
        let settings = good(incomplete);
        assert!(!settings.defaults.offload && !warnings(&settings).is_empty(), "{incomplete:?}");
    }
    assert!(!good(&on[1..]).defaults.offload);
    let env = env(&on);
    assert!(defaults_from_env(|name| env.get(name).cloned()).unwrap().offload);
}

#[test]
fn direct_access_to_r2_needs_all_of_it() {
    let all = [
        ("R2_ACCOUNT_ID", "0123abc"),
        ("R2_ACCESS_KEY_ID", "id"),
        ("R2_SECRET_ACCESS_KEY", "s3cret"),
        ("R2_BUCKET_NAME", "b"),
        ("R2_PUBLIC_BASE_URL", "https://media.example.fr"),
    ];
    let settings = good(&all);
    assert!(settings.defaults.offload && warnings(&settings).is_empty());
    let Some(R2Settings::Direct(direct)) = settings.r2 else { panic!("not direct") };
    assert_eq!(direct.account.endpoint.as_str(), "https://0123abc.r2.cloudflarestorage.com/");
    assert_eq!(direct.retention, Some(Duration::from_secs(86_400)));
    assert_eq!((direct.max_bytes, direct.limit.as_secs()), (10 * 1024 * 1024 * 1024, 1_800));
    assert!(direct.max_bytes <= render_signal_actors::r2::direct::MAX_FILE_BYTES);

    // Of the bucket alone the Worker is told, too.
    assert!(good(&all[3..]).r2.is_none());
    for missing in 0..all.len() {
        let rest: Vec<_> =
            all.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, set)| *set).collect();
        let errors = read(&rest).unwrap_err();
        assert_eq!(errors.iter().map(|error| error.name).collect::<Vec<_>>(), [all[missing].0]);
    }
    let errors = read(&[("R2_SECRET_ACCESS_KEY", "s3cret")]).unwrap_err();
    assert_eq!(errors.len(), 4);
    assert!(!describe_errors(&errors).contains("s3cret"));
    assert_eq!(read(&[("R2_MODE", "direct")]).unwrap_err().len(), 5);
    let with = |more: &[(&'static str, &'static str)]| [&all[..], more].concat();
    assert_eq!(read(&with(&[("R2_ENDPOINT_URL", "http://r2.example")])).unwrap_err().len(), 1);
    // R2's page shows the bucket in the path.
    for path in ["/b", "/b/", "/", ""] {
        let endpoint: &'static str = format!("https://0123abc.eu.r2.cloudflarestorage.com{path}").leak();
        let Some(R2Settings::Direct(direct)) = good(&with(&[("R2_ENDPOINT_URL", endpoint)])).r2 else {
            panic!("not direct")
        };
        assert_eq!(direct.account.endpoint.as_str(), "https://0123abc.eu.r2.cloudflarestorage.com/");
    }
    let errors = read(&with(&[("R2_ENDPOINT_URL", "https://r2.example/other")])).unwrap_err();
    assert!(describe_errors(&errors).contains("neither R2_BUCKET_NAME nor JOURNAL_ARCHIVE_BUCKET"));
    assert_eq!(good(&with(&[("R2_RETRY_SECONDS", "0")])).r2_patience, Duration::ZERO);
    let kept = good(&with(&[("R2_RETENTION_HOURS", "0"), ("R2_ENDPOINT_URL", "https://a.eu.r2.example")]));
    assert!(matches!(kept.r2, Some(R2Settings::Direct(direct)) if direct.retention.is_none()));

    let worker = [
        ("R2_FETCH_ENABLED", "on"),
        ("R2_FETCH_ENDPOINT", "https://worker.example"),
        ("R2_FETCH_TOKEN", "t"),
    ];
    let both = good(&with(&worker));
    assert!(matches!(both.r2, Some(R2Settings::Direct(_))) && warnings(&both).len() == 1);
    let chosen = good(&[&with(&worker)[..], &[("R2_MODE", "worker")]].concat());
    assert!(matches!(chosen.r2, Some(R2Settings::Worker(_))) && warnings(&chosen).is_empty());
}

#[test]
fn archived_events_go_into_a_bucket_of_their_own_or_a_folder_that_stays() {
    let account =
        [("R2_ACCOUNT_ID", "0123abc"), ("R2_ACCESS_KEY_ID", "id"), ("R2_SECRET_ACCESS_KEY", "s3cret")];
    let bucket = [("JOURNAL_ARCHIVE_BUCKET", "old")];
    let with =
        |more: &[&[(&'static str, &'static str)]]| [&[&account[..], &bucket[..]], more].concat().concat();
    let settings = good(&with(&[]));
    assert!(settings.archive_bucket.as_ref().is_some_and(|archive| archive.bucket == "old"));
    assert!(settings.r2.is_none() && warnings(&settings).is_empty(), "the account is there for the archive");
    let public = [("R2_BUCKET_NAME", "old"), ("R2_PUBLIC_BASE_URL", "https://media.example.fr")];
    let errors = read(&with(&[&public])).unwrap_err();
    assert_eq!(errors.iter().map(|error| error.name).collect::<Vec<_>>(), ["JOURNAL_ARCHIVE_BUCKET"]);
    assert!(errors[0].problem.contains("private"), "{}", errors[0].problem);
    assert_eq!(read(&bucket).unwrap_err().len(), 3);
    // Who copies files besides.
    let copies = [("R2_BUCKET_NAME", "b"), ("R2_PUBLIC_BASE_URL", "https://media.example.fr")];
    assert!(matches!(good(&with(&[&copies])).r2, Some(R2Settings::Direct(_))));
    let worker = [
        ("R2_FETCH_ENABLED", "on"),
        ("R2_FETCH_ENDPOINT", "https://worker.example"),
        ("R2_FETCH_TOKEN", "t"),
    ];
    assert!(matches!(good(&with(&[&copies, &worker])).r2, Some(R2Settings::Worker(_))));
    let chosen = good(&with(&[&copies, &worker, &[("R2_MODE", "direct")]]));
    assert!(matches!(chosen.r2, Some(R2Settings::Direct(_))));

    // `/no-such-folder` lies on the root file system, which Render wipes.
    let wiped = [("RENDER", "true"), ("JOURNAL_ARCHIVE_DIR", "/no-such-folder/archive")];
    let redis = [("REDIS_URL", "redis://h"), ("ALLOW_EPHEMERAL_JOURNAL", "1")];
    let why = good(&[&wiped[..], &redis].concat()).no_archive();
    assert!(matches!(why, Some(Finding::ArchiveEphemeral { .. })), "the journal would outlive it");
    assert_eq!(good(&[&wiped[..], &redis[1..]].concat()).no_archive(), None, "no more is lost than accepted");
    assert!(good(&wiped).no_archive().is_some());
    assert_eq!(good(&wiped[1..]).no_archive(), None);
    let both = good(&with(&[&wiped]));
    assert!(both.no_archive().is_none() && warnings(&both).len() == 1, "{:?}", warnings(&both));
}

#[test]
fn places() {
    let settings = good(&[
        ("DATA_DIR", "/d"),
        ("CONFIG_DIR", "/c"),
        ("ALLOW_EPHEMERAL_JOURNAL", "1"),
        ("RENDER", "true"),
        ("MAIL_RETENTION_DAYS", "2"),
        ("WORKER_NAME", "w"),
    ]);
    let storage = &settings.storage;
    assert_eq!(storage.journal.file(), Some(Path::new("/d/render-signal.db")));
    assert_eq!(storage.magic_links_file, Path::new("/c/magic_links.json"));
    assert!(storage.allow_ephemeral_journal && storage.render && storage.refusal().is_none());
    // `/d` would lie on the root file system, which Render wipes.
    assert_eq!(storage.durability(Durability::OnDisk), Durability::UntilDeploy, "accepted, and not hidden");
    assert_eq!(good(&[("DATA_DIR", "/d")]).storage.durability(Durability::OnDisk), Durability::OnDisk);
    let mounted = good(&[("RENDER", "true"), ("DATA_DIR", "/proc/self")]);
    assert_eq!(mounted.storage.durability(Durability::OnDisk), Durability::OnDisk);
    let server = good(&[("RENDER", "true"), ("REDIS_URL", "redis://h")]);
    assert_eq!(server.storage.durability(Durability::UntilRestart), Durability::UntilRestart);
    assert_eq!(settings.defaults.retention.as_secs(), 2 * 86_400);
    for (url, path) in [("sqlite:x.db", "x.db"), ("sqlite:/x.db", "/x.db"), ("sqlite:///x.db", "/x.db")] {
        let storage = Storage::from_env(|name| (name == "JOURNAL_URL").then(|| url.to_owned())).unwrap();
        assert_eq!(storage.journal.file(), Some(Path::new(path)), "{url}");
    }
    let url = "rediss://user:s3cret@db.example:6380/2";
    let shared = Storage::from_env(|name| match name {
        "JOURNAL_URL" => Some(url.to_owned()),
        "RENDER" => Some("true".to_owned()),
        "DATA_DIR" => Some("/no-such-folder".to_owned()),
        _ => None,
    })
    .unwrap();
    assert!(shared.journal.file().is_none() && shared.refusal().is_none(), "a deploy does not wipe a server");
    assert_eq!(shared.journal.to_string(), "rediss://db.example:6380/2");
    assert!(!format!("{shared:?}").contains("s3cret"));
    assert!(shared.lease_server().is_some(), "whoever shares a journal shares the lease");
    let with = |journal: Option<&str>| {
        let redis = "redis://:s3cret@cache.example/1";
        Storage::from_env(|name| match name {
            "REDIS_URL" => Some(redis.to_owned()),
            "JOURNAL_URL" => journal.map(str::to_owned),
            _ => None,
        })
        .unwrap()
    };
    assert_eq!(with(None).journal.to_string(), "redis://cache.example/1");
    assert!(!format!("{:?}", with(None)).contains("s3cret"));
    assert_eq!(with(Some("sqlite:x.db")).journal.file(), Some(Path::new("x.db")), "JOURNAL_URL overrides");
    assert_eq!(with(Some(url)).journal.to_string(), "rediss://db.example:6380/2");
    let prefixed = |prefix: &str| {
        let prefix = prefix.to_owned();
        Storage::from_env(move |name| match name {
            "REDIS_URL" => Some("redis://cache.example/1".to_owned()),
            "JOURNAL_REDIS_PREFIX" => Some(prefix.clone()),
            _ => None,
        })
    };
    for (prefix, place) in [
        ("", "redis://cache.example/1"),
        ("rs:journal:", "redis://cache.example/1"),
        ("rs:shop:", "redis://cache.example/1 (rs:shop)"),
    ] {
        assert_eq!(prefixed(prefix).unwrap().journal.to_string(), place);
    }
    for wrong in ["::", "a{b}", "a b", &"x".repeat(101)] {
        assert_eq!(prefixed(wrong).unwrap_err()[0].name, "JOURNAL_REDIS_PREFIX", "{wrong}");
    }
    for journal in [None, Some("sqlite:x.db"), Some(url)] {
        let lease = with(journal).lease_server().map(|server| server.url.expose_secret().to_owned());
        assert_eq!(lease.as_deref(), Some("redis://:s3cret@cache.example/1"));
    }
    assert!(settings.storage.lease_server().is_none());
    let ca = ("REDIS_CA_FILE", "/ca.pem");
    for (address, warnings) in [
        (("REDIS_URL", "rediss://h"), 0),
        (("JOURNAL_URL", "rediss://h"), 0),
        (("REDIS_URL", "redis://h"), 1),
        (("JOURNAL_URL", "sqlite:x.db"), 1),
    ] {
        let settings = good(&[ca, address]);
        let said = self::warnings(&settings);
        assert_eq!(said.len(), warnings, "{address:?}: {said:?}");
        let ca_file = settings.storage.lease_server().and_then(|server| server.ca_file.clone());
        assert_eq!(ca_file.is_some(), address.1.starts_with("redis"), "{address:?}");
    }
    let wiped = Storage::from_env(|name| match name {
        "RENDER" => Some("true".to_owned()),
        "DATA_DIR" => Some("/no-such-folder".to_owned()),
        _ => None,
    });
    assert!(wiped.unwrap().refusal().is_some());
    let explicit = [("BG_POLLER_LOCK_FILE", "/l"), ("MAGIC_LINK_TOKENS_FILE", "/m")];
    let settings = good(&explicit);
    assert_eq!(
        (settings.lock_file.as_path(), settings.storage.magic_links_file.as_path()),
        (Path::new("/l"), Path::new("/m"))
    );
}

#[test]
fn a_host_of_documents_needs_its_address_and_its_token() {
    let both = [
        ("EXTERNAL_CONFIG_BASE_URL", "https://config.example"),
        ("CONFIG_API_TOKEN", "s3cret-s3cret-s3cret-s3cret"),
    ];
    let settings = good(&both);
    assert_eq!(settings.storage.php.as_ref().unwrap().host(), "config.example");
    assert!(warnings(&settings).is_empty(), "{:?}", warnings(&settings));
    assert!(settings.config_api_serve_token.is_none(), "what is sent to the host opens nothing here");
    for (one, warning) in [(both[0], "the host is not used"), (both[1], "CONFIG_API_SERVE_TOKEN")] {
        let settings = good(&[one]);
        assert!(settings.storage.php.is_none() && settings.config_api_serve_token.is_none());
        assert!(warnings(&settings).iter().any(|said| said.contains(warning)), "{one:?}");
    }
    let split = [both[0], ("CONFIG_API_TOKEN", "s3cret-s3cret-s3cret\ns3cret")];
    assert_eq!(read(&split).unwrap_err().len(), 1);
    let local =
        [("EXTERNAL_CONFIG_BASE_URL", "http://10.0.0.1"), both[1], ("EGRESS_ALLOW_CIDRS", "10.0.0.0/8")];
    assert!(good(&local).storage.php.is_some());
}

#[test]
fn tokens_that_could_be_guessed_or_open_two_things_are_refused() {
    let (short, published) = ("s3cret-of-23-characters", "changeme-config-api-token");
    for name in ["CONFIG_API_TOKEN", "CONFIG_API_SERVE_TOKEN", "METRICS_TOKEN"] {
        for (token, why) in [(short, "has 23 characters, 24 at least"), (published, "published examples")] {
            let errors = read(&[(name, token)]).unwrap_err();
            assert_eq!((errors.len(), errors[0].name), (1, name));
            let shown = errors[0].to_string();
            assert!(
                shown.contains(why) && shown.contains("openssl rand") && !shown.contains(token),
                "{shown}"
            );
        }
        for other in ["CONFIG_API_TOKEN", "CONFIG_API_SERVE_TOKEN", "METRICS_TOKEN"] {
            let same = "s3cret-of-24-characters-";
            let refused = read(&[(name, same), (other, same)]).is_err();
            assert_eq!(refused, name != other, "{name} {other}");
        }
    }
    let own = good(&[
        ("CONFIG_API_SERVE_TOKEN", "s3cret-serve-0123456789-a"),
        ("METRICS_TOKEN", "s3cret-metrics-0123456789"),
    ]);
    assert_eq!(own.config_api_serve_token.unwrap().expose_secret(), "s3cret-serve-0123456789-a");
    assert_eq!(own.metrics_token.unwrap().expose_secret(), "s3cret-metrics-0123456789");
}

#[test]
fn secrets_do_not_show() {
    let key = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXM=";
    let settings = good(&[
        ("WEBHOOK_SECRET", key),
        ("R2_FETCH_ENABLED", "1"),
        ("R2_FETCH_ENDPOINT", "https://worker.example"),
        ("R2_FETCH_TOKEN", "s3cret-r2"),
        ("EXTERNAL_CONFIG_BASE_URL", "https://config.example"),
        ("CONFIG_API_TOKEN", "s3cret-config-0123456789"),
        ("CONFIG_API_SERVE_TOKEN", "s3cret-serve-0123456789-a"),
        ("METRICS_TOKEN", "s3cret-metrics-0123456789"),
        ("R2_ACCOUNT_ID", "a"),
        ("R2_ACCESS_KEY_ID", "id"),
        ("R2_SECRET_ACCESS_KEY", "s3cret-r2-key"),
        ("R2_BUCKET_NAME", "b"),
        ("R2_PUBLIC_BASE_URL", "https://media.example"),
    ]);
    let shown = format!("{settings:?}");
    assert!(!shown.contains("s3cret") && !shown.contains(key), "{shown}");
}

#[test]
fn the_table_is_complete_and_shown() {
    let text = describe_variables();
    let mut names: Vec<&str> = VARIABLES
        .iter()
        .flat_map(|variable| std::iter::once(variable.name).chain(variable.aliases.iter().copied()))
        .collect();
    assert!(names.iter().all(|name| text.contains(name)));
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "a name stands for one variable");
    for variable in VARIABLES {
        // A default that its own reading refuses would be an error at every start.
        if let Need::Default(default) = variable.need
            && !default.is_empty()
        {
            assert!(read(&[(variable.name, default)]).is_ok(), "{}", variable.name);
        }
        // A blank value counts as unset, except for switches, where it is off.
        if matches!(variable.need, Need::Default(_) | Need::NoEffect) {
            let blank = read(&[(variable.name, " ")]);
            assert!(blank.is_ok(), "{}: {blank:?}", variable.name);
        }
        assert!(!variable.kind.describe().is_empty() && !variable.example.is_empty());
    }
}

#[test]
fn the_order_of_stores() {
    for (value, order) in [
        ("redis_first", StoreOrder::RedisFirst),
        (" PHP_first ", StoreOrder::PhpFirst),
        ("", StoreOrder::RedisFirst),
    ] {
        let settings = good(&[("CONFIG_STORE_MODE", value)]);
        assert_eq!(settings.storage.store_order, order, "{value:?}");
        assert!(warnings(&settings).is_empty(), "{value:?}");
    }
}

#[test]
fn authorities_of_ones_own_are_read_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["hook.example".to_owned()]).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let own = write("own.pem", &made.cert.pem());
    assert_eq!(good(&[("WEBHOOK_CA_FILE", &own)]).webhook_authorities.len(), 1);
    assert!(good(&[("WEBHOOK_CA_FILE", " ")]).webhook_authorities.is_empty());
    for bad in [
        write("empty.pem", ""),
        write("key.pem", &made.signing_key.serialize_pem()),
        write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        "/nonexistent.pem".to_owned(),
    ] {
        let errors = read(&[("WEBHOOK_CA_FILE", &bad)]).unwrap_err();
        assert_eq!(errors.iter().map(|error| error.name).collect::<Vec<_>>(), ["WEBHOOK_CA_FILE"]);
        assert!(errors[0].problem.contains(&bad), "{}", errors[0].problem);
    }
}

#[test]
fn a_proxy_that_is_not_used_is_said_without_its_address() {
    let settings =
        good(&[("https_proxy", "http://user:s3cret@proxy.example:3128"), ("ALL_PROXY", "socks5://p")]);
    let said = warnings(&settings).join("\n");
    assert_eq!(warnings(&settings).len(), 2, "{said}");
    assert!(said.contains("HTTPS_PROXY is set but has no effect") && said.contains("ALL_PROXY"), "{said}");
    assert!(!said.contains("s3cret") && !said.contains("proxy.example"), "{said}");
}

#[test]
fn traces_are_off_until_a_collector_is_named() {
    assert!(good(&[]).traces.is_none());
    assert!(good(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " "), ("OTEL_SERVICE_NAME", "signal")]).traces.is_none());
    let traced = |endpoint| {
        let more = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret"),
        ];
        good(&more).traces.expect("a collector")
    };
    for endpoint in ["http://10.0.0.7:4318", "http://10.0.0.7:4318/"] {
        let traces = traced(endpoint);
        assert_eq!(traces.url.as_str(), "http://10.0.0.7:4318/v1/traces");
        assert_eq!(traces.service, "render-signal");
        assert!(!format!("{traces:?}").contains("s3cret"));
    }
    assert_eq!(traced("https://otlp.example.fr/one").url.as_str(), "https://otlp.example.fr/one/v1/traces");
    for (name, value) in
        [("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"), ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret")]
    {
        let errors = read(&[(name, value)]).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].name, name);
        assert!(!describe_errors(&errors).contains("s3cret"));
    }
}
