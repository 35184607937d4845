//! The first words of a connection: the greeting, STARTTLS, and what the server offers before a login.
//! Before TLS anybody on the wire can answer, so a line is read byte by byte, is short, and is
//! understood by its first words; the parser is not involved.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::source::SourceError;
use super::wire::explain_io;
use crate::kernel::heard::Secrets;

/// The longest line, in bytes; a greeting may tell capabilities.
const LINE: usize = 8 * 1024;
/// Lines before the tagged answer, which are not looked at.
const LINES: usize = 16;
/// The tag of STARTTLS.
const TAG: &str = "S1";
/// The tag of CAPABILITY.
const OFFERS: &str = "S2";

/// Reads the greeting: the server speaks first.
pub(super) async fn greeting<S: AsyncRead + Unpin>(
    stream: &mut S,
    secrets: &Secrets,
) -> Result<(), SourceError> {
    let line = line(stream, "before its greeting").await?;
    let (star, rest) = split(&line);
    let (status, text) = split(rest);
    match (star, status) {
        (b"*", status) if status.eq_ignore_ascii_case(b"OK") => Ok(()),
        (b"*", status) if status.eq_ignore_ascii_case(b"BYE") => {
            Err(SourceError::Unreachable(format!("the server turned us away: {}", secrets.said(text))))
        }
        _ => Err(SourceError::Protocol("the server's greeting is not one of IMAP before a login".to_owned())),
    }
}

/// Asks for TLS. Afterwards the next byte on `stream` is the first of TLS.
///
/// # Errors
/// [`SourceError::Settings`] when the server declines: nothing secret is sent without TLS.
pub(super) async fn starttls(
    stream: &mut TcpStream,
    server: &str,
    secrets: &Secrets,
) -> Result<(), SourceError> {
    let command = format!("{TAG} STARTTLS\r\n");
    stream.write_all(command.as_bytes()).await.map_err(|error| explain_io(&error))?;
    for _ in 0..LINES {
        let line = line(stream, "when it was asked for STARTTLS").await?;
        let (tag, rest) = split(&line);
        if tag != TAG.as_bytes() {
            continue;
        }
        let (status, text) = split(rest);
        if !status.eq_ignore_ascii_case(b"OK") {
            return Err(SourceError::Settings(format!(
                "{server} does not do STARTTLS ({}), and the password is not sent without it",
                secrets.said(text)
            )));
        }
        return nothing_behind(stream, server);
    }
    Err(SourceError::Protocol(format!("{server} does not answer STARTTLS and talks of other things")))
}

/// What the server offers to somebody who has not logged in.
pub(super) async fn capabilities<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
) -> Result<Vec<String>, SourceError> {
    let command = format!("{OFFERS} CAPABILITY\r\n");
    let asked = async {
        stream.write_all(command.as_bytes()).await?;
        stream.flush().await
    };
    asked.await.map_err(|error: std::io::Error| explain_io(&error))?;
    let mut offers = Vec::new();
    for _ in 0..LINES {
        let line = line(stream, "when it was asked what it offers").await?;
        let (tag, rest) = split(&line);
        let (word, rest) = split(rest);
        if tag == OFFERS.as_bytes() && word.eq_ignore_ascii_case(b"OK") {
            return Ok(offers);
        }
        if tag == OFFERS.as_bytes() {
            break;
        }
        if tag == b"*" && word.eq_ignore_ascii_case(b"CAPABILITY") {
            let words = String::from_utf8_lossy(rest);
            offers = words.split_ascii_whitespace().map(str::to_owned).collect();
        }
    }
    Err(SourceError::Protocol("the server does not tell what it offers".to_owned()))
}

/// What comes in plain behind the answer would be taken for the server's once TLS protects it
/// (CVE-2011-0411 and its relatives).
fn nothing_behind(stream: &TcpStream, server: &str) -> Result<(), SourceError> {
    match stream.try_read(&mut [0]) {
        Ok(1..) => Err(SourceError::Protocol(format!(
            "{server} sent something unprotected behind its answer to STARTTLS: somebody may be in between"
        ))),
        Ok(0) => Err(SourceError::Unreachable(format!("{server} closed the connection after STARTTLS"))),
        // There is nothing, or TLS will tell.
        Err(_) => Ok(()),
    }
}

/// One line without its end.
async fn line<S: AsyncRead + Unpin>(stream: &mut S, when: &str) -> Result<Vec<u8>, SourceError> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await {
            Ok(b'\n') => {
                line.pop_if(|last| *last == b'\r');
                return Ok(line);
            }
            Ok(byte) => line.push(byte),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(SourceError::Unreachable(format!("the server hung up {when}")));
            }
            Err(error) => return Err(explain_io(&error)),
        }
        if line.len() > LINE {
            return Err(SourceError::Protocol(format!("the server sent a line without an end {when}")));
        }
    }
}

/// The first word and what is behind its space.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    (word, rest.get(1..).unwrap_or_default())
}
