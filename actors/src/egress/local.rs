//! Faults of this machine: it cannot try, and nobody else is to blame.
//!
//! The errors of the operating system are asked for wherever they lie in the chain of causes.
//! Some of them may as well come from elsewhere; in doubt it is the receiver's fault, or a
//! delivery would wait for ever.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use nix::errno::Errno;
use tokio::net::TcpSocket;

/// An address that is nobody's (RFC 5737): the way there is the way to everybody.
const SOMEWHERE_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The same (RFC 3849).
const SOMEWHERE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
/// Discard (RFC 863); nothing is sent to it.
const PORT: u16 = 9;

/// What an error tells about this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MachineFault {
    /// Too many open files, in the process or the system; no memory, no buffers.
    Ours,
    /// No local port is left, or there is no local address to come from: then often the
    /// receiver has an IPv6 address and this machine has not.
    PerhapsNoPort,
    /// There is no route: to there, or to anywhere.
    PerhapsNoNetwork,
}

/// Whether a connection could not be made through a fault of this machine.
pub(super) fn is_ours(error: &(dyn Error + 'static)) -> bool {
    match fault(error) {
        Some(MachineFault::Ours) => true,
        Some(MachineFault::PerhapsNoPort) => no_port() || no_network(),
        Some(MachineFault::PerhapsNoNetwork) => no_network(),
        None => false,
    }
}

/// Whether a name could not be looked up through a fault of this machine. A resolver that gets
/// no socket says only that it does not know the name.
pub(super) fn hinders_lookups(error: &(dyn Error + 'static)) -> bool {
    fault(error) == Some(MachineFault::Ours) || no_socket()
}

fn fault(error: &(dyn Error + 'static)) -> Option<MachineFault> {
    let mut next = Some(error);
    while let Some(error) = next {
        let code = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
        if let Some(fault) = code.and_then(|code| of_code(Errno::from_raw(code))) {
            return Some(fault);
        }
        next = error.source();
    }
    None
}

/// EHOSTUNREACH is not among them: a router, or a neighbour that is switched off, causes it.
const fn of_code(code: Errno) -> Option<MachineFault> {
    match code {
        Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS => Some(MachineFault::Ours),
        Errno::EADDRNOTAVAIL => Some(MachineFault::PerhapsNoPort),
        Errno::ENETUNREACH | Errno::ENETDOWN => Some(MachineFault::PerhapsNoNetwork),
        _ => None,
    }
}

fn no_socket() -> bool {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).is_err_and(|error| fault(&error) == Some(MachineFault::Ours))
}

/// Whether no local port is free. Nobody can connect to a socket that does not listen.
fn no_port() -> bool {
    let here = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    TcpSocket::new_v4().and_then(|socket| socket.bind(here)).is_err()
}

/// Whether this machine has no route to anywhere. A datagram socket that is connected looks the
/// route up and sends nothing.
fn no_network() -> bool {
    let route = |here: SocketAddr, there: SocketAddr| {
        UdpSocket::bind(here).and_then(|socket| socket.connect(there)).is_ok()
    };
    let v4 = route((Ipv4Addr::UNSPECIFIED, 0).into(), (SOMEWHERE_V4, PORT).into());
    !v4 && !route((Ipv6Addr::UNSPECIFIED, 0).into(), (SOMEWHERE_V6, PORT).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn a_fault_is_found_under_what_is_wrapped_around_it() {
        for (code, wanted) in [
            (Errno::EMFILE, Some(MachineFault::Ours)),
            (Errno::ENFILE, Some(MachineFault::Ours)),
            (Errno::ENOMEM, Some(MachineFault::Ours)),
            (Errno::ENOBUFS, Some(MachineFault::Ours)),
            (Errno::EADDRNOTAVAIL, Some(MachineFault::PerhapsNoPort)),
            (Errno::ENETUNREACH, Some(MachineFault::PerhapsNoNetwork)),
            (Errno::ENETDOWN, Some(MachineFault::PerhapsNoNetwork)),
            (Errno::EHOSTUNREACH, None),
            (Errno::ECONNREFUSED, None),
            (Errno::ECONNRESET, None),
            (Errno::ETIMEDOUT, None),
            (Errno::EPIPE, None),
        ] {
            let inner = || io::Error::from_raw_os_error(code as i32);
            assert_eq!(fault(&inner()), wanted, "{code}");
            assert_eq!(fault(&Outer(inner())), wanted, "{code}");
            assert_eq!(fault(&Outer(io::Error::other(Outer(inner())))), wanted, "{code}");
        }
        assert_eq!(fault(&Outer(io::Error::other("too many open files, says the server"))), None);
    }

    #[test]
    fn where_ports_and_sockets_are_to_be_had_a_missing_address_is_not_ours() {
        assert!(!no_port() && !no_socket());
        let no_address = io::Error::from(Errno::EADDRNOTAVAIL);
        assert_eq!(is_ours(&no_address), no_network());
        assert!(is_ours(&io::Error::from(Errno::EMFILE)));
        assert!(!is_ours(&io::Error::from(Errno::EHOSTUNREACH)));
    }
}
