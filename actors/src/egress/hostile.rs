//! Hostile addresses, names and answers. Nothing here is ever connected to: the resolver is
//! a list, and the dialer writes down what would have been dialled and refuses.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use reqwest::header::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

/// Ways to write an address that must not be reached, as a target or a link.
const URLS: &[&str] = &[
    // Loopback.
    "https://127.0.0.1/",
    "https://127.0.0.1:443/",
    "https://127.255.255.254/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0X7F.0x0.0x0.0x1/",
    "https://0177.0.0.01/",
    "https://127.0.0.1./",
    "https://127.0.0.1.:8443/",
    "https://１２７.0.0.1/",
    "https://①②⑦.0.0.1/",
    "https://127。0。0。1/",
    "https://127．0．0．1/",
    "https://%31%32%37.0.0.1/",
    "https://12%37.0.0.1/",
    "https:127.0.0.1/",
    "https:/127.0.0.1/",
    "https:\\\\127.0.0.1\\",
    "https:///127.0.0.1/",
    "https://127.0.0.1\\@hook.example.com/",
    "https://hook.example.com@127.0.0.1/",
    "https://hook.example.com:443@127.0.0.1:443/",
    "https://hook.example.com%40@127.0.0.1/",
    "https://user:pass@[::1]/",
    "https://127.0.0.1#@hook.example.com/",
    "https://127.0.0.1?@hook.example.com/",
    "h\tttps://127.0.\n0.1/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[0000::0001]:8443/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[0:0:0:0:0:FFFF:7F00:0001]/",
    "https://[::127.0.0.1]/",
    "https://[::7f00:1]/",
    "https://[::ffff:0:127.0.0.1]/",
    // Carried through a translator or a tunnel.
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b::8.8.8.8]/",
    "https://[64:ff9b:1::10.0.0.1]/",
    "https://[64:ff9b:1:ffff::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a9fe:a9fe::1]/",
    "https://[2001::1]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "https://[::ffff:0:10.0.0.1]/",
    "https://[64:ff9b:1:fffe::169.254.169.254]/",
    "https://[2606:4700::5efe:127.0.0.1]/",
    "https://[2606:4700::200:5efe:10.0.0.1]/",
    "https://[2606:4700::100:5efe:10.0.0.1]/",
    "https://[2a00:1450:4007:80f:300:5efe:192.168.0.1]/",
    "https://[2a00:1450:4007:80f:0:5efe:8.8.8.8]/",
    "https://[fe80::5efe:10.0.0.1]/",
    // Nobody, everybody, this network.
    "https://0.0.0.0/",
    "https://0/",
    "https://0x0/",
    "https://00000/",
    "https://0.1.2.3/",
    "https://[::]/",
    "https://255.255.255.255/",
    "https://4294967295/",
    "https://0xffffffff/",
    // Private.
    "https://10.0.0.1/",
    "https://167772161/",
    "https://012.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.0.1/",
    "https://192.168.1/",
    "https://3232235777/",
    "https://100.64.0.1/",
    "https://100.127.255.255/",
    "https://[fc00::1]/",
    "https://[fdff:ffff::1]/",
    "https://[fec0::1]/",
    "https://[feff::1]/",
    // Link-local and metadata.
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.0.1/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://169.16689662/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[febf::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fd20:ce::254]/",
    "https://100.100.100.200/",
    "https://192.0.0.192/",
    "https://168.63.129.16/",
    // Special purposes.
    "https://192.0.0.8/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://198.19.255.255/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://224.0.0.251/",
    "https://239.255.255.250/",
    "https://240.0.0.1/",
    "https://[100::1]/",
    "https://[2001:2::1]/",
    "https://[2001:10::1]/",
    "https://[2001:20::1]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[5f00::1]/",
    "https://[ff02::1]/",
    "https://[ff0e::1]/",
    "https://[4000::1]/",
    // Names that lead there.
    "https://localhost/",
    "https://LOCALHOST./",
    "https://ｌｏｃａｌｈｏｓｔ/",
    "https://a.b.localhost/",
    "https://hook.example.com@localhost/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://127.0.0.1.nip.example/",
    "https://rebind.example/",
    "https://mixed.example/",
    // Other protocols, and none.
    "http://8.8.8.8/",
    "http://hook.example.com/",
    "HTTP://hook.example.com/",
    "ftp://hook.example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ws://hook.example.com/",
    "data:text/plain,x",
    "javascript:1",
    "//127.0.0.1/",
    "127.0.0.1",
    "https://",
    "https://.",
    "https://1.2.3.4.5/",
    "https://256.0.0.1/",
    "https://0x100000000/",
    "https://[::1",
    "https://[1::2::3]/",
    "https://hook.example.com:99999/",
    "https://hook.example .com/",
];

/// Answers of a name server that must not be followed, not even beside good ones.
const ANSWERS: &[&str] = &[
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.0",
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.192",
    "192.0.0.255",
    "192.0.2.0",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.0",
    "203.0.113.255",
    "224.0.0.0",
    "239.255.255.255",
    "240.0.0.0",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::",
    "2002:808:808::1",
    "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:a9fe:a9fe",
    "2a00:1450:4007:80f:0:5efe:808:808",
    "2a00:1450:4007:80f:300:5efe:808:808",
    "fe80::5efe:a00:1",
    "3fff::1",
    "3fff:fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff:ffff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
];

/// Answers on the public internet, next to what is refused.
const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700::1",
    "2a00:1450::1",
    "2a00:1450::5eff:808:808",
    "2a00:1450::400:5efe:808:808",
    "2a00:1450::5efe:0:808:808",
    "::ffff:8.8.8.8",
];

/// Writes down what would have been dialled, and refuses all but the loopback.
#[derive(Default)]
struct Recorder(Mutex<Vec<IpAddr>>);

impl DialCheck for Recorder {
    fn dial(&self, _: &str, addresses: &[IpAddr]) -> std::io::Result<()> {
        self.0.lock().unwrap().extend(addresses);
        if addresses.iter().all(IpAddr::is_loopback) {
            Ok(())
        } else {
            Err(std::io::Error::other("recorded"))
        }
    }
}

/// A name server whose answers change: each is given once, the last one for ever.
#[derive(Default)]
struct ScriptedAnswers {
    script: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Resolver for ScriptedAnswers {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut script = self.script.lock().unwrap();
        let answers = script.get_mut(host).ok_or_else(|| std::io::Error::other("no such name"))?;
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Ok(answer.unwrap_or_default())
    }
}

/// A client of which nothing leaves the process but for the loopback.
struct Lab {
    policy: EgressPolicy,
    options: ClientOptions,
    client: GuardedClient,
    recorder: Arc<Recorder>,
    names: Arc<ScriptedAnswers>,
}

impl Lab {
    fn new(allow: &[&str], names: &[(&str, &[&[&str]])]) -> Self {
        Self::with(EgressPolicy::new(allow.iter().map(|net| net.parse().unwrap()).collect()), names)
    }

    fn with(policy: EgressPolicy, names: &[(&str, &[&[&str]])]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        let script = names
            .iter()
            .map(|(name, answers)| ((*name).to_owned(), answers.iter().map(parse).collect()))
            .collect();
        let (recorder, names) = (
            Arc::new(Recorder::default()),
            Arc::new(ScriptedAnswers { script: Mutex::new(script), asked: AtomicUsize::new(0) }),
        );
        let options =
            ClientOptions { resolver: names.clone(), dialer: recorder.clone(), ..ClientOptions::default() };
        let client = GuardedClient::new(&policy, options.clone()).unwrap();
        Self { policy, options, client, recorder, names }
    }

    async fn get(&self, url: &str) -> Result<Answer, SendError> {
        let url = Url::parse(url).map_err(|error| SendError::Refused(error.to_string()))?;
        self.client.get(&url, HeaderMap::new(), LONG, 100).await
    }

    /// What was dialled since the last call.
    fn dialled(&self) -> Vec<IpAddr> {
        std::mem::take(&mut self.recorder.0.lock().unwrap())
    }
}

/// Where the names of [`URLS`] lead.
const NAMES: &[(&str, &[&[&str]])] = &[
    ("localhost", &[&["127.0.0.1", "::1"]]),
    ("localhost.", &[&["127.0.0.1"]]),
    ("a.b.localhost", &[&["::1"]]),
    ("metadata.google.internal", &[&["169.254.169.254"]]),
    ("127.0.0.1.nip.example", &[&["127.0.0.1"]]),
    ("rebind.example", &[&["10.0.0.1"]]),
    ("mixed.example", &[&["8.8.8.8", "10.0.0.1"]]),
    ("hook.example.com", &[&["8.8.8.8"]]),
];

#[tokio::test]
async fn no_hostile_url_is_ever_dialled() {
    assert!(URLS.len() >= 60);
    let lab = Lab::new(&[], NAMES);
    for url in URLS {
        let got = lab.get(url).await;
        // A name that does not exist, or cannot, goes nowhere either.
        assert!(
            matches!(got, Err(SendError::Refused(_) | SendError::RefusedNow(_) | SendError::Connect(_))),
            "{url}: {got:?}"
        );
        if let Ok(parsed) = Url::parse(url) {
            let reached = reach(&lab.policy, &lab.options, &parsed, LONG).await;
            assert!(
                matches!(
                    reached,
                    Err(SendError::Refused(_) | SendError::RefusedNow(_) | SendError::Connect(_))
                ),
                "{url}: {reached:?}"
            );
        }
        assert_eq!(lab.dialled(), [] as [IpAddr; 0], "{url}");
        // Nor may it be configured as a target, as far as the text can tell.
        let is_a_name = Url::parse(url).is_ok_and(|url| matches!(url.host(), Some(Host::Domain(_))));
        assert!(is_a_name || check_target(url, &[]).is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_redirect_is_checked_like_any_address() {
    let lab = Lab::new(&[], NAMES);
    let origin = Url::parse("https://hook.example.com/a/b").unwrap();
    let relative =
        ["//127.0.0.1/", "\\\\127.0.0.1\\x", "/\\169.254.169.254/", "https:\\\\[::1]/", "///10.0.0.1/"];
    for location in URLS.iter().chain(&relative) {
        let Ok(next) = origin.join(location) else { continue };
        if next.host_str() == origin.host_str() && next.scheme() == "https" {
            // It leads back to where it came from: a path, not an address.
            continue;
        }
        let answer = lab.client.get(&next, HeaderMap::new(), LONG, 100).await;
        assert!(
            matches!(answer, Err(SendError::Refused(_) | SendError::RefusedNow(_) | SendError::Connect(_))),
            "{location}: {answer:?}"
        );
        assert_eq!(lab.dialled(), [] as [IpAddr; 0], "{location}");
    }
}

#[tokio::test]
async fn no_hostile_answer_is_ever_dialled() {
    assert!(ANSWERS.len() >= 60);
    for answer in ANSWERS {
        for answers in
            [&[*answer][..], &["8.8.8.8", answer], &[answer, "8.8.8.8"], &["2606:4700::1", "8.8.8.8", answer]]
        {
            let lab = Lab::new(&[], &[("files.example", &[answers])]);
            let url = Url::parse("https://files.example/").unwrap();
            for by_reach in [false, true] {
                let got = if by_reach {
                    reach(&lab.policy, &lab.options, &url, LONG).await.map(drop)
                } else {
                    lab.get(url.as_str()).await.map(drop)
                };
                // An IPv6 address that must not be followed is left out beside good IPv4 ones.
                let is_v6 = answer.parse::<IpAddr>().unwrap().to_canonical().is_ipv6();
                if is_v6 && answers.contains(&"8.8.8.8") {
                    assert_eq!(got, Err(SendError::Connect("recorded".to_owned())), "{answers:?}");
                    assert_eq!(lab.dialled(), [IpAddr::from([8, 8, 8, 8])], "{answers:?}");
                } else {
                    assert!(matches!(got, Err(SendError::RefusedNow(_))), "{answers:?}: {got:?}");
                    assert_eq!(lab.dialled(), [] as [IpAddr; 0], "{answers:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn public_answers_are_dialled_as_they_were_given() {
    for answer in PUBLIC {
        let lab = Lab::new(&[], &[("files.example", &[&[answer, "8.8.4.4"]])]);
        let error = lab.get("https://files.example/").await.unwrap_err();
        assert_eq!(error, SendError::Connect("recorded".to_owned()), "{answer}");
        assert_eq!(lab.dialled(), [answer.parse::<IpAddr>().unwrap(), [8, 8, 4, 4].into()]);
        assert_eq!(lab.names.asked.load(Ordering::SeqCst), 1, "resolved once");
        let literal = match answer.parse().unwrap() {
            IpAddr::V4(address) => format!("https://{address}/"),
            IpAddr::V6(address) => format!("https://[{address}]/"),
        };
        assert_eq!(lab.get(&literal).await.unwrap_err(), SendError::Connect("recorded".to_owned()));
        assert_eq!(lab.dialled().len(), 1, "{literal}");
    }
}

#[tokio::test]
async fn a_name_that_changes_its_answer_is_judged_anew_for_each_connection() {
    let lab = Lab::new(
        &[],
        &[("files.example", &[&["8.8.8.8"], &["127.0.0.1"], &["8.8.4.4", "10.0.0.1"], &["9.9.9.9"]])],
    );
    let mut seen = Vec::new();
    for _ in 0..4 {
        let refused = matches!(
            lab.get("https://files.example/").await,
            Err(SendError::Refused(_) | SendError::RefusedNow(_))
        );
        seen.push((refused, lab.dialled()));
    }
    let public = |octets: [u8; 4]| (false, vec![IpAddr::from(octets)]);
    assert_eq!(seen, [public([8, 8, 8, 8]), (true, vec![]), (true, vec![]), public([9, 9, 9, 9])]);
}

#[tokio::test]
async fn a_connection_goes_to_the_address_that_was_checked() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        for _ in 0..2 {
            let _ = stream.read(&mut buffer).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    });
    // Good while it is looked at, bad from then on.
    let lab = Lab::new(&["127.0.0.0/8"], &[("files.example", &[&["127.0.0.1"], &["169.254.169.254"]])]);
    let url = format!("http://files.example:{port}/");
    for _ in 0..2 {
        // The second request uses the connection of the first: nobody is asked again.
        assert_eq!(lab.get(&url).await.unwrap().status, 200);
    }
    assert_eq!(lab.names.asked.load(Ordering::SeqCst), 1);
    server.await.unwrap();
    let mut after = lab.get(&url).await;
    if matches!(after, Err(SendError::Transport(_))) {
        // The closing of the old connection was not noticed yet.
        after = lab.get(&url).await;
    }
    assert!(matches!(after, Err(SendError::Refused(_) | SendError::RefusedNow(_))), "{after:?}");
    assert_eq!(lab.dialled(), [IpAddr::from([127, 0, 0, 1])]);
}

#[tokio::test]
async fn an_allowed_network_opens_itself_and_nothing_else() {
    let allow = ["10.1.0.0/16", "fd00:1::/32"];
    for (answers, open) in [
        (&["10.1.2.3"][..], true),
        (&["fd00:1::5"], true),
        (&["::ffff:10.1.2.3"], true),
        (&["10.1.2.3", "8.8.8.8"], true),
        (&["10.2.0.1"], false),
        (&["10.1.2.3", "10.2.0.1"], false),
        (&["10.1.2.3", "169.254.169.254"], false),
        (&["fd00:2::5"], false),
        // An allowed address inside another one is another one.
        (&["64:ff9b::a01:203"], false),
        (&["2002:a01:203::1"], false),
        (&["::a01:203"], false),
    ] {
        let lab = Lab::new(&allow, &[("inside.example", &[answers])]);
        let refused = matches!(
            lab.get("https://inside.example/").await,
            Err(SendError::Refused(_) | SendError::RefusedNow(_))
        );
        assert_eq!(!refused, open, "{answers:?}");
        assert_eq!(lab.dialled().len(), if open { answers.len() } else { 0 }, "{answers:?}");
    }
    // Plain http goes to the allowed networks only.
    let lab = Lab::new(&allow, &[("inside.example", &[&["10.1.2.3", "8.8.8.8"]])]);
    assert!(matches!(
        lab.get("http://inside.example/").await,
        Err(SendError::Refused(_) | SendError::RefusedNow(_))
    ));
    assert_eq!(lab.dialled(), [] as [IpAddr; 0]);
}

#[tokio::test]
async fn networks_for_certain_names_are_dialled_for_those_only() {
    let inside: &[&str] = &["10.1.2.3"];
    for (name, open) in [
        ("files.example", true),
        ("www.files.example", true),
        ("WWW.FILES.EXAMPLE", true),
        ("files.example.", false),
        ("corp.files.example", false),
        ("www.www.files.example", false),
        ("notfiles.example", false),
        ("files.example.attacker.example", false),
        ("attacker.example", false),
        ("localhost", false),
    ] {
        for scheme in ["https", "http"] {
            let policy = EgressPolicy::new(vec!["10.0.0.0/8".parse().unwrap()]);
            let policy = policy.only_towards(&["files.example"]);
            // Its next answers lie outside of the allowed network, wherever it was asked from.
            let key = name.to_lowercase();
            let lab = Lab::with(policy, &[(&key, &[inside, &["192.168.0.1"]])]);
            let url = format!("{scheme}://{name}/a");
            let got = lab.get(&url).await;
            let reached = reach(&lab.policy, &lab.options, &url.parse().unwrap(), LONG).await;
            if open {
                assert_eq!(got.unwrap_err(), SendError::Connect("recorded".to_owned()), "{url}");
                assert_eq!(lab.dialled(), [IpAddr::from([10, 1, 2, 3])], "{url}");
            } else {
                assert!(
                    matches!(got, Err(SendError::Refused(_) | SendError::RefusedNow(_))),
                    "{url}: {got:?}"
                );
                assert_eq!(lab.dialled(), [] as [IpAddr; 0], "{url}");
            }
            assert!(
                matches!(reached, Err(SendError::Refused(_) | SendError::RefusedNow(_))),
                "{url}: {reached:?}"
            );
        }
    }
    // And no address is, however it is spelled.
    let policy = EgressPolicy::new(vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
    let lab = Lab::with(policy.only_towards(&["files.example"]), NAMES);
    for url in URLS {
        let got = lab.get(url).await;
        assert!(
            matches!(got, Err(SendError::Refused(_) | SendError::RefusedNow(_) | SendError::Connect(_))),
            "{url}: {got:?}"
        );
        assert_eq!(lab.dialled(), [] as [IpAddr; 0], "{url}");
    }
}
