//! A port of this machine for a server that is about to be started.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

use crate::Fallible;

/// Bound and never listening: nobody else is given the port, and the server may listen there.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    _bound: TcpSocket,
}

impl Port {
    pub(crate) fn free() -> Fallible<Self> {
        let bound = TcpSocket::new_v4()?;
        // Sockets that do not listen share a port only if all of them say so.
        bound.set_reuseaddr(true)?;
        bound.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { address: bound.local_addr()?, _bound: bound })
    }
}
