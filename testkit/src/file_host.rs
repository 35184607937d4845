//! A file service that misbehaves on command.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Length of the pattern that files are made of: a prime, so that no two parts are equal.
const PATTERN: usize = 65_521;

/// The bytes of every file of this host, from `offset` on.
pub fn content(start: &[u8], offset: u64, length: usize) -> Vec<u8> {
    let at = |position: u64| match start.get(usize::try_from(position).unwrap_or(usize::MAX)) {
        Some(byte) => *byte,
        None => pattern(usize::try_from(position % PATTERN as u64).expect("small")),
    };
    (offset..offset + length as u64).map(at).collect()
}

fn pattern(position: usize) -> u8 {
    (position.wrapping_mul(2_654_435_761) >> 13) as u8
}

/// What happens to a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It comes whole.
    Whole,
    /// The connection is reset at this byte of the file, the first time; then it is whole.
    ResetOnce(u64),
    /// The connection is reset at this byte of the file, every time.
    Reset(u64),
    /// The connection is closed properly at this byte of the file.
    Short(u64),
    /// Nothing comes from this byte of the file on.
    Silence(u64),
    /// Nothing comes from this byte of the file on, until [`FileHost::let_go`]; then the rest.
    Held(u64),
    /// It never ends.
    Endless,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct File {
    /// Status of an answer that is not a part.
    pub status: u16,
    /// Further header lines.
    pub headers: Vec<(&'static str, String)>,
    /// Bytes of the whole file.
    pub length: u64,
    /// Its first bytes; the others are a pattern.
    pub start: Vec<u8>,
    /// `Content-Length` is given.
    pub announced: bool,
    /// `Range` is understood.
    pub ranges: bool,
    /// What happens to the body.
    pub end: End,
    /// Wait before the answer.
    pub delay: Duration,
    /// So many bytes of the body at once, and the pause after them; `None` = as fast as it goes.
    pub trickle: Option<(usize, Duration)>,
}

impl File {
    /// A file of `length` bytes from an honest host that gives parts, too.
    pub fn honest(length: u64) -> Self {
        Self {
            status: 200,
            headers: vec![("ETag", "\"v1\"".to_owned())],
            length,
            start: Vec::new(),
            announced: true,
            ranges: true,
            end: End::Whole,
            delay: Duration::ZERO,
            trickle: None,
        }
    }

    /// With another header line.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
        self.headers.push((name, value.into()));
        self
    }

    /// Beginning with these bytes.
    pub fn starting(mut self, start: &[u8]) -> Self {
        self.start = start.to_vec();
        self
    }

    /// With another end.
    pub fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// Slowly.
    pub fn trickling(mut self, bytes: usize, pause: Duration) -> Self {
        self.trickle = Some((bytes, pause));
        self
    }

    /// Without a length.
    pub fn chunked(mut self) -> Self {
        self.announced = false;
        self
    }

    /// Only as a whole.
    pub fn without_ranges(mut self) -> Self {
        self.ranges = false;
        self
    }

    /// Nothing but a status.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), ..Self::honest(0) }
    }

    /// A redirection.
    pub fn redirect(to: impl Into<String>) -> Self {
        Self::status(302).with("Location", to)
    }

    /// All its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        content(&self.start, 0, usize::try_from(self.length).expect("a small file"))
    }
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Path with query.
    pub path: String,
    /// `Range`.
    pub range: Option<String>,
    /// `If-Range`.
    pub if_range: Option<String>,
}

#[derive(Debug, Default)]
struct Shared {
    files: HashMap<String, File>,
    asked: Vec<Asked>,
    /// By path: whether what is held of it goes on.
    let_go: HashMap<String, watch::Sender<bool>>,
}

impl Shared {
    fn gate(&mut self, path: &str) -> &watch::Sender<bool> {
        self.let_go.entry(path.to_owned()).or_insert_with(|| watch::Sender::new(false))
    }
}

/// The host. Dropping it closes it.
#[derive(Debug)]
pub struct FileHost {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    server: JoinHandle<()>,
}

impl FileHost {
    /// Starts one at a free port of a loopback address, with TLS if given.
    pub async fn start(address: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((address, 0)).await.expect("a free loopback port");
        let port = listener.local_addr().expect("the address of a bound listener").port();
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let state = Arc::clone(&shared);
        // Prepared once: making bytes must not be what limits a measurement.
        let block: Bytes = (0..PATTERN * 16).map(|at| pattern(at % PATTERN)).collect::<Vec<u8>>().into();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, block, tls) = (Arc::clone(&state), block.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => drop(connection(stream, &state, &block).await),
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                drop(connection(stream, &state, &block).await);
                            }
                        }
                    }
                });
            }
        });
        Self { port, shared, server }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, `path` answers so. Query strings are not looked at.
    pub fn serve(&self, path: &str, file: File) {
        self.shared.lock().unwrap().files.insert(path.to_owned(), file);
    }

    /// What is held of `path` ([`End::Held`]) goes on, now and in later answers.
    pub fn let_go(&self, path: &str) {
        self.shared.lock().unwrap().gate(path).send_replace(true);
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.lock().unwrap().asked.clone()
    }
}

impl Drop for FileHost {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What a reset needs of a connection.
trait Wire: AsyncRead + AsyncWrite + Unpin {
    fn reset_on_drop(&self);
}

impl Wire for TcpStream {
    fn reset_on_drop(&self) {
        self.set_zero_linger().expect("an open socket");
    }
}

impl Wire for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset_on_drop(&self) {
        self.get_ref().0.reset_on_drop();
    }
}

async fn connection(mut stream: impl Wire, shared: &Mutex<Shared>, block: &Bytes) -> std::io::Result<()> {
    let Some(asked) = read_request(&mut stream).await? else { return Ok(()) };
    let (file, mut gate) = {
        let mut shared = shared.lock().unwrap();
        let path = asked.path.split('?').next().unwrap_or_default().to_owned();
        shared.asked.push(asked.clone());
        let file = shared.files.get(&path).cloned().unwrap_or_else(|| File::status(404));
        if let (End::ResetOnce(_), Some(kept)) = (file.end, shared.files.get_mut(&path)) {
            kept.end = End::Whole;
        }
        (file, shared.gate(&path).subscribe())
    };
    if !file.delay.is_zero() {
        tokio::time::sleep(file.delay).await;
    }
    let tag = file.headers.iter().find(|(name, _)| *name == "ETag").map(|(_, value)| value.as_str());
    let from = asked.range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    let from: Option<u64> = from.and_then(|from| from.parse().ok());
    let from = from.filter(|_| file.ranges && asked.if_range.as_deref() == tag);
    let offset = from.unwrap_or(0);
    let mut head = match from {
        Some(from) => {
            format!("HTTP/1.1 206 x\r\nContent-Range: bytes {from}-{}/{}\r\n", file.length - 1, file.length)
        }
        None => format!("HTTP/1.1 {} x\r\n", file.status),
    };
    for (name, value) in &file.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if file.announced {
        head.push_str(&format!("Content-Length: {}\r\n", file.length - offset));
    }
    // Without a length, the body ends with the connection.
    head.push_str("Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let (end, is_reset, is_silent) = match file.end {
        End::Whole => (file.length, false, false),
        End::ResetOnce(end) | End::Reset(end) => (end, true, false),
        End::Short(end) | End::Held(end) => (end, false, false),
        End::Silence(end) => (end, false, true),
        End::Endless => (u64::MAX, false, false),
    };
    write_body(&mut stream, &file, offset, end, block).await?;
    stream.flush().await?;
    if let End::Held(end) = file.end {
        if gate.wait_for(|open| *open).await.is_err() {
            return Ok(());
        }
        write_body(&mut stream, &file, offset.max(end), file.length, block).await?;
        stream.flush().await?;
    }
    if is_silent {
        std::future::pending::<()>().await;
    }
    if is_reset {
        // What was sent must arrive before the reset does.
        let mut nothing = [0; 1];
        drop(tokio::time::timeout(Duration::from_millis(200), stream.read(&mut nothing)).await);
        stream.reset_on_drop();
        return Ok(());
    }
    stream.shutdown().await
}

async fn write_body(
    stream: &mut (impl AsyncWrite + Unpin),
    file: &File,
    offset: u64,
    end: u64,
    block: &Bytes,
) -> std::io::Result<()> {
    let start = file.start.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
    let start = &start[..start.len().min(usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX))];
    slowly(stream, start, file.trickle).await?;
    let mut position = offset + start.len() as u64;
    while position < end {
        let phase = usize::try_from(position % PATTERN as u64).expect("small");
        let left = usize::try_from(end - position).unwrap_or(usize::MAX);
        let piece = &block[phase..];
        let piece = &piece[..piece.len().min(left)];
        slowly(stream, piece, file.trickle).await?;
        position += piece.len() as u64;
    }
    Ok(())
}

async fn slowly(
    stream: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    trickle: Option<(usize, Duration)>,
) -> std::io::Result<()> {
    let Some((at_once, pause)) = trickle else { return stream.write_all(bytes).await };
    for drop in bytes.chunks(at_once) {
        stream.write_all(drop).await?;
        stream.flush().await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<Asked>> {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while !text.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            n => text.extend_from_slice(&buffer[..n]),
        }
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    let header = |wanted: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    Ok(Some(Asked { path, range: header("range"), if_range: header("if-range") }))
}
