//! The R2 Worker (reference section 5.13), as far as the program can see it: no file is
//! fetched, the answer is scripted.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::http::{Reader, Request, answer};

/// Where the copies lie.
pub const PUBLIC_BASE_URL: &str = "https://media.example.net";
/// What the Worker wants to see in `X-R2-FETCH-TOKEN`.
pub const TOKEN: &str = "worker-token";

/// How the Worker behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Copies at once.
    Copies,
    /// Copies after a while.
    Slow(Duration),
    /// 502: the source could not be fetched.
    Fails,
}

#[derive(Debug)]
struct Shared {
    mode: Mutex<Mode>,
    /// What every file is called.
    name: Mutex<String>,
    requests: Mutex<Vec<Value>>,
    /// Links with this in them are never answered.
    silent: Mutex<Option<String>>,
}

/// The Worker. Dropping it closes it.
#[derive(Debug)]
pub struct Worker {
    port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Worker {
    /// Starts one on a free port.
    pub async fn start(mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let port = listener.local_addr().expect("the address of a bound listener").port();
        let shared = Arc::new(Shared {
            mode: Mutex::new(mode),
            name: Mutex::new("Lot 42 – été.zip".to_owned()),
            requests: Mutex::default(),
            silent: Mutex::default(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { port, shared, server }
    }

    /// The variables that make the program use this Worker.
    pub fn environment(&self) -> [(String, String); 5] {
        [
            ("R2_FETCH_ENABLED", "true".to_owned()),
            ("R2_FETCH_ENDPOINT", format!("http://127.0.0.1:{}/", self.port)),
            ("R2_FETCH_TOKEN", TOKEN.to_owned()),
            ("R2_BUCKET_NAME", "livraisons".to_owned()),
            ("R2_PUBLIC_BASE_URL", PUBLIC_BASE_URL.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// From now on.
    pub fn behave(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    /// What every file is called from now on.
    pub fn name_files(&self, name: &str) {
        *self.shared.name.lock().unwrap() = name.to_owned();
    }

    /// From now on no link with this in it gets an answer.
    pub fn hang_at(&self, part: &str) {
        *self.shared.silent.lock().unwrap() = Some(part.to_owned());
    }

    /// Every well-formed request so far.
    pub fn requests(&self) -> Vec<Value> {
        self.shared.requests.lock().unwrap().clone()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move { connection(stream, &shared).await });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.split();
    let mut reader = Reader::new(read);
    while let Some(request) = reader.request().await? {
        let (status, body) = respond(&request, shared).await;
        write.write_all(&answer(status, "application/json", "", &body.to_string())).await?;
    }
    Ok(())
}

async fn respond(request: &Request, shared: &Shared) -> (u16, Value) {
    let failure = |status, error: &str| (status, json!({ "success": false, "error": error }));
    if request.method != "POST" {
        return failure(405, "Method not allowed");
    }
    if request.header("x-r2-fetch-token") != Some(TOKEN) {
        return failure(401, "Unauthorized");
    }
    let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let (Some(source), Some(key)) = (asked["source_url"].as_str(), asked["object_key"].as_str()) else {
        return failure(400, "Missing source_url or object_key");
    };
    let is_silent = shared.silent.lock().unwrap().as_deref().is_some_and(|part| source.contains(part));
    let done = json!({
        "success": true,
        "r2_url": format!("{PUBLIC_BASE_URL}/{key}"),
        "object_key": key,
        "original_filename": *shared.name.lock().unwrap(),
    });
    shared.requests.lock().unwrap().push(asked);
    if is_silent {
        std::future::pending::<()>().await;
    }
    let mode = *shared.mode.lock().unwrap();
    match mode {
        Mode::Copies => (200, done),
        Mode::Slow(pause) => {
            tokio::time::sleep(pause).await;
            (200, done)
        }
        Mode::Fails => failure(502, "Source fetch failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http;

    #[tokio::test]
    async fn keeps_the_protocol_of_the_reference() {
        let worker = Worker::start(Mode::Copies).await;
        let ask = async |token: &str, body: &str| {
            let request = http::request("POST", "/", &format!("X-R2-FETCH-TOKEN: {token}\r\n"), body);
            http::exchange(worker.port, &request).await.expect("an answer")
        };
        let good =
            r#"{"source_url":"https://www.dropbox.com/scl/fo/a?dl=1","object_key":"dropbox/a/b/file"}"#;
        let answered = ask(TOKEN, good).await.body;
        assert!(answered.contains("https://media.example.net/dropbox/a/b/file"), "{answered}");
        assert_eq!(ask("wrong", good).await.status, 401);
        assert_eq!(ask(TOKEN, "{}").await.status, 400);
        worker.behave(Mode::Fails);
        assert_eq!(ask(TOKEN, good).await.status, 502);
        assert_eq!(worker.requests().len(), 2);
    }
}
