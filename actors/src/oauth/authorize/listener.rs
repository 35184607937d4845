//! The port of this machine that a browser comes back to (RFC 8252 section 7.3): loopback only, one answer,
//! and nothing that is sent there is believed but its first line.

use std::net::Ipv4Addr;
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::ConsentFailure;
use super::browser::ConsentQuestion;

/// A browser's request line, with what a provider brings back in it, in bytes.
const LONGEST_REQUEST: usize = 16 * 1024;
/// A browser has so long to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pages for whoever sits at the browser.
#[derive(Debug, Clone)]
pub struct ConsentPages {
    /// When all went well.
    pub agreed: String,
    /// When it did not.
    pub failed: String,
}

/// A listener on a loopback port.
#[derive(Debug)]
pub struct ConsentListener {
    listener: TcpListener,
    port: u16,
}

impl ConsentListener {
    /// Listens. 0 = any free port.
    ///
    /// # Errors
    /// [`ConsentFailure::Listen`].
    pub async fn bind(port: u16) -> Result<Self, ConsentFailure> {
        let failed = |error: std::io::Error| ConsentFailure::Listen(error.to_string());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, port })
    }

    /// Where the browser is sent back to. An address, not a name: `localhost` may be something else.
    #[must_use]
    pub fn redirect(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Waits for the browser that brings the answer to this question; other requests get nothing.
    ///
    /// # Errors
    /// Nobody came in time, or the person said no. The answer to another question is passed over: any page
    /// could send a browser here.
    pub async fn wait(
        self,
        question: &ConsentQuestion,
        pages: &ConsentPages,
        patience: Duration,
    ) -> Result<SecretString, ConsentFailure> {
        let waiting = async {
            loop {
                let Ok((mut stream, _)) = self.listener.accept().await else { continue };
                let Ok(Some(target)) = timeout(PATIENCE, target(&mut stream)).await else { continue };
                let answer = question.code(&target);
                let (status, page) = match &answer {
                    Ok(Some(_)) => ("200 OK", pages.agreed.as_str()),
                    Err(ConsentFailure::Declined(_)) => ("200 OK", pages.failed.as_str()),
                    _ => ("404 Not Found", ""),
                };
                // Whether the browser shows it changes nothing.
                drop(timeout(PATIENCE, respond(&mut stream, status, page)).await);
                match answer {
                    Ok(Some(code)) => return Ok(code),
                    Err(failure @ ConsentFailure::Declined(_)) => return Err(failure),
                    _ => {}
                }
            }
        };
        timeout(patience, waiting).await.unwrap_or(Err(ConsentFailure::TooLate))
    }
}

/// The target of a GET; `None` = it is no such request.
async fn target(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if head.len() > LONGEST_REQUEST || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    (method == "GET").then(|| target.to_owned())
}

async fn respond(stream: &mut TcpStream, status: &str, page: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\n\r\n",
        page.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(page.as_bytes()).await?;
    stream.shutdown().await
}
