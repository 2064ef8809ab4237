//! A port of this machine that stays ours while nobody listens there.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Bound and never listening: connecting is refused, nobody else is given the port, and whoever asks
/// for it by its number may listen, again and again.
pub(crate) struct Port {
    _bound: TcpSocket,
    address: SocketAddr,
}

impl Port {
    pub(crate) fn free() -> Self {
        let bound = bind(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = bound.local_addr().expect("an address");
        Self { _bound: bound, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn listen(&self) -> TcpListener {
        bind(self.address).listen(1_024).expect("nobody else listens")
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    // Sockets that do not listen share a port only if all of them say so.
    socket.set_reuseaddr(true).expect("an option of sockets");
    socket.bind(address).expect("a port of ours");
    socket
}
