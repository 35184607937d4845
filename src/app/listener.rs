//! The port that is listened on.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use tokio::net::TcpSocket;

use crate::exit::CommandFailure;

/// Connections that may wait to be accepted. More are refused by the system.
const ACCEPT_BACKLOG: u32 = 256;

pub(super) fn bind(address: IpAddr, port: u16) -> Result<TcpListener, CommandFailure> {
    listen(SocketAddr::new(address, port)).map_err(|error| {
        let advice = if error.kind() == io::ErrorKind::AddrInUse {
            "; another program has it: set PORT to a free one"
        } else {
            ""
        };
        CommandFailure::found(format!("{address} port {port} cannot be listened on: {error}{advice}"))
    })
}

/// A listener, the address of which may have been used a moment ago.
///
/// # Errors
/// What the system says.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As the standard library does it: the connections of the process before may still be dying.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(ACCEPT_BACKLOG)?.into_std()
}
