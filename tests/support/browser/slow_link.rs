//! A slow mobile link in front of the program, as packets have it: 150 ms there and back and
//! 1.6 Mbit/s, the "slow 4G" of the usual measuring programs.
//!
//! What the browser slows by itself waits 562 ms before the answer to every request, also where
//! the second one goes over a connection that is open already, which no network does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

/// There and back.
const ROUND_TRIP: Duration = Duration::from_millis(150);
/// Round trips before the first request of a connection: its own handshake and that of TLS 1.3,
/// which the platform in front of the program ends.
const HANDSHAKES: u32 = 2;
/// The question for the address of a host, before the first connection.
const NAME: u32 = 1;
const DOWN_BYTES_PER_SECOND: f64 = 200_000.0;
const UP_BYTES_PER_SECOND: f64 = 93_750.0;
/// What a packet carries.
const PACKET: usize = 1_400;

/// The link. Dropping it cuts it.
pub(crate) struct SlowLink {
    port: u16,
    task: AbortHandle,
}

impl SlowLink {
    /// A link to the program that listens on this loopback port.
    pub(crate) async fn to(program: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let task = tokio::spawn(async move {
            let (down, up) = (Pipe::new(DOWN_BYTES_PER_SECOND), Pipe::new(UP_BYTES_PER_SECOND));
            let mut connections = JoinSet::new();
            let mut trips = NAME + HANDSHAKES;
            while let Ok((browser, _)) = listener.accept().await {
                let (down, up) = (down.clone(), up.clone());
                let opened = Instant::now() + ROUND_TRIP * trips;
                trips = HANDSHAKES;
                connections.spawn(async move {
                    sleep_until(opened).await;
                    let Ok(program) = TcpStream::connect(("127.0.0.1", program)).await else { return };
                    let (from_browser, to_browser) = browser.into_split();
                    let (from_program, to_program) = program.into_split();
                    tokio::join!(up.carry(from_browser, to_program), down.carry(from_program, to_browser));
                });
            }
        });
        Self { port, task: task.abort_handle() }
    }

    /// Scheme, host and port of this end.
    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for SlowLink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One direction, which all connections share.
#[derive(Clone)]
struct Pipe {
    bytes_per_second: f64,
    /// When what was sent before is through.
    free: Arc<Mutex<Instant>>,
}

impl Pipe {
    fn new(bytes_per_second: f64) -> Self {
        Self { bytes_per_second, free: Arc::new(Mutex::new(Instant::now())) }
    }

    /// When so many bytes that come now are at the other end.
    fn arrival(&self, bytes: usize) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = f64::from(u32::try_from(bytes).expect("a packet"));
        *free = (*free).max(Instant::now()) + Duration::from_secs_f64(bytes / self.bytes_per_second);
        *free + ROUND_TRIP / 2
    }

    /// Carries what one end says to the other, until it says no more.
    async fn carry(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let (sender, mut receiver) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
        let read = async move {
            let mut packet = vec![0; PACKET];
            while let Ok(bytes @ 1..) = from.read(&mut packet).await {
                let arrival = self.arrival(bytes);
                if sender.send((arrival, packet[..bytes].to_vec())).is_err() {
                    return;
                }
            }
            // The end of what is said takes its time, too.
            sleep(ROUND_TRIP / 2).await;
        };
        let write = async move {
            while let Some((arrival, packet)) = receiver.recv().await {
                sleep_until(arrival).await;
                if to.write_all(&packet).await.is_err() {
                    return;
                }
            }
            drop(to.shutdown().await);
        };
        tokio::join!(read, write);
    }
}
