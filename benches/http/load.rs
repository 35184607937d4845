//! Requests, as many as the program answers.

use std::fmt;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::Program;
use crate::support::child::cpu_time;

/// Connections side by side.
const CONNECTIONS: usize = 16;

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    cpu: Duration,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>9.0} {:>6.2} ms {:>6.2} ms {:>10.1} us",
            self.per_second,
            self.p50.as_secs_f64() * 1e3,
            self.p99.as_secs_f64() * 1e3,
            self.cpu.as_secs_f64() * 1e6,
        )
    }
}

/// Asks `count` times in all: each connection for one path after the other, and each begins with
/// another one.
pub(crate) async fn ask(worker: &Program, paths: &[String], headers: &str, count: usize) -> Asked {
    let request = |path| format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n");
    let requests: Vec<String> = paths.iter().map(request).collect();
    let each = count.div_ceil(CONNECTIONS);
    // Once before, so that what is made at the first time is made.
    connection(worker.port(), &requests, 0, 20).await;
    let (begun, cpu) = (Instant::now(), cpu_time(worker.pid()));
    let all = join_all((0..CONNECTIONS).map(|first| connection(worker.port(), &requests, first, each))).await;
    let (took, cpu) = (begun.elapsed(), cpu_time(worker.pid()).saturating_sub(cpu));
    let mut times: Vec<Duration> = all.into_iter().flatten().collect();
    times.sort_unstable();
    let asked = u32::try_from(times.len()).expect("a few");
    Asked {
        per_second: f64::from(asked) / took.as_secs_f64(),
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
        cpu: cpu / asked,
    }
}

/// Asks on one connection; how long each answer took.
async fn connection(port: u16, requests: &[String], first: usize, count: usize) -> Vec<Duration> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let mut buffer = vec![0; 256 * 1024];
    let mut times = Vec::with_capacity(count);
    for request in requests.iter().cycle().skip(first).take(count) {
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut read = 0;
        loop {
            let more = stream.read(&mut buffer[read..]).await.expect("an answer");
            assert!(more > 0, "closed: {}", String::from_utf8_lossy(&buffer[..read]));
            read += more;
            if is_whole(&buffer[..read]) {
                break;
            }
        }
        times.push(begun.elapsed());
    }
    times
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let text = std::str::from_utf8(&answer[..head]).expect("a head");
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.parse::<usize>().ok())
        .expect("a length");
    answer.len() >= head + 4 + length
}
