//! A wire with faults: a TCP proxy between the program and a server.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How the wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    /// Passes everything on, each piece after this pause.
    Passes(Duration),
    /// Swallows everything, in both directions, without a sign: a path that dropped.
    /// New connections open (the handshake is the proxy's) and stay silent.
    Swallows,
}

/// What a connection looks at: the wire, and the commands given so far.
#[derive(Debug, Clone, Copy)]
struct State {
    wire: Wire,
    /// Counts the times the wire went bad: a connection that lived through one never
    /// recovers, as packets that were lost on it do not come back.
    outages: u64,
    cuts: u64,
    resets: u64,
}

/// The proxy. Dropping it closes every connection.
#[derive(Debug)]
pub struct ChaosProxy {
    port: u16,
    state: watch::Sender<State>,
    opened: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl ChaosProxy {
    /// A wire on a free port to the loopback port `target`.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let port = listener.local_addr().expect("the address of a bound listener").port();
        let (state, watched) =
            watch::channel(State { wire: Wire::Passes(Duration::ZERO), outages: 0, cuts: 0, resets: 0 });
        let (opened, closed): (Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
        let server = tokio::spawn(serve(listener, target, watched, Arc::clone(&opened), Arc::clone(&closed)));
        Self { port, state, opened, closed, server }
    }

    /// Where to connect.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How many connections were opened so far.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// How many of them are open.
    pub fn live(&self) -> usize {
        self.opened() - self.closed.load(Ordering::Relaxed)
    }

    /// Closes every connection in an orderly way. New ones work.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Resets every connection. New ones work.
    pub fn reset(&self) {
        self.state.send_modify(|state| state.resets += 1);
    }

    /// From now on nothing passes, and nobody is told.
    pub fn stall(&self) {
        self.state.send_modify(|state| {
            state.wire = Wire::Swallows;
            state.outages += 1;
        });
    }

    /// From now on each piece of data is late.
    pub fn delay(&self, pause: Duration) {
        self.state.send_modify(|state| state.wire = Wire::Passes(pause));
    }

    /// New connections work again, at full speed.
    pub fn heal(&self) {
        self.delay(Duration::ZERO);
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    listener: TcpListener,
    target: u16,
    state: watch::Receiver<State>,
    opened: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    opened.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(connection(client, target, state.clone()));
                }
            }
            Some(_) = connections.join_next() => {
                closed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

async fn connection(mut client: TcpStream, target: u16, mut state: watch::Receiver<State>) -> io::Result<()> {
    let born = *state.borrow_and_update();
    client.set_nodelay(true)?;
    if born.wire == Wire::Swallows {
        return until_closed(&client, born, &mut state).await;
    }
    let mut server = TcpStream::connect(("127.0.0.1", target)).await?;
    server.set_nodelay(true)?;
    // Borrowed halves: dropping an owned one would say goodbye before a reset.
    let (client_read, client_write) = client.split();
    let (server_read, server_write) = server.split();
    // When one direction ends, the connection ends: the protocols behind this proxy are
    // request and answer, nobody half-closes.
    tokio::select! {
        ended = forward(client_read, server_write, born, state.clone()) => ended,
        ended = forward(server_read, client_write, born, state.clone()) => ended,
    }
}

async fn until_closed(client: &TcpStream, born: State, state: &mut watch::Receiver<State>) -> io::Result<()> {
    loop {
        if state.changed().await.is_err() || state.borrow().cuts != born.cuts {
            return Ok(());
        }
        if state.borrow().resets != born.resets {
            return client.set_zero_linger();
        }
    }
}

async fn forward(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    born: State,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let now = *state.borrow_and_update();
        if now.resets != born.resets {
            from.as_ref().set_zero_linger()?;
            to.as_ref().set_zero_linger()?;
            return Ok(());
        }
        if now.cuts != born.cuts {
            return Ok(());
        }
        if now.outages != born.outages {
            // Neither read nor closed: the peers' data piles up in the kernel.
            if state.changed().await.is_err() {
                return Ok(());
            }
            continue;
        }
        tokio::select! {
            changed = state.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
            }
            read = from.read(&mut piece) => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                // The wire may have gone bad while the piece was on its way.
                let now = *state.borrow();
                if now.outages != born.outages {
                    continue;
                }
                if let Wire::Passes(pause) = now.wire {
                    tokio::time::sleep(pause).await;
                }
                to.write_all(&piece[..length]).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    async fn echo() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        port
    }

    /// When an answer is taken for lost; on a busy machine one of a millisecond takes a while.
    const LATEST: Duration = Duration::from_secs(2);

    async fn exchange(stream: &mut TcpStream) -> io::Result<u8> {
        stream.write_all(b"x").await?;
        match tokio::time::timeout(LATEST, stream.read_u8()).await {
            Ok(answered) => answered,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn connect(proxy: &ChaosProxy) -> TcpStream {
        TcpStream::connect(("127.0.0.1", proxy.port())).await.expect("the proxy listens")
    }

    #[tokio::test]
    async fn passes_delays_cuts_and_resets() {
        let proxy = ChaosProxy::start(echo().await).await;
        let mut stream = connect(&proxy).await;
        assert_eq!(exchange(&mut stream).await.expect("an echo"), b'x');
        proxy.delay(Duration::from_millis(60));
        let started = Instant::now();
        exchange(&mut stream).await.expect("a late echo");
        assert!(started.elapsed() >= Duration::from_millis(120));
        proxy.heal();
        exchange(&mut stream).await.expect("an echo");

        proxy.cut();
        assert_eq!(stream.read_u8().await.expect_err("an end").kind(), io::ErrorKind::UnexpectedEof);
        let mut stream = connect(&proxy).await;
        exchange(&mut stream).await.expect("an echo");
        proxy.reset();
        assert_eq!(stream.read_u8().await.expect_err("a reset").kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(proxy.opened(), 2);
    }

    #[tokio::test]
    async fn a_stalled_connection_stays_dead_and_new_ones_live_after_healing() {
        let proxy = ChaosProxy::start(echo().await).await;
        let mut old = connect(&proxy).await;
        exchange(&mut old).await.expect("an echo");
        proxy.stall();
        assert_eq!(exchange(&mut old).await.expect_err("silence").kind(), io::ErrorKind::TimedOut);
        let mut during = connect(&proxy).await;
        assert_eq!(exchange(&mut during).await.expect_err("silence").kind(), io::ErrorKind::TimedOut);
        proxy.heal();
        exchange(&mut connect(&proxy).await).await.expect("an echo");
        assert_eq!(exchange(&mut old).await.expect_err("silence").kind(), io::ErrorKind::TimedOut);
        assert_eq!(exchange(&mut during).await.expect_err("silence").kind(), io::ErrorKind::TimedOut);
    }
}
