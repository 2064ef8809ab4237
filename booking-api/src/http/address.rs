//! Who is at the other end, as far as addresses tell.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use poem::http::{HeaderName, header};
use poem::{Addr, Request};

/// The header in which a proxy says for whom it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, as most of them write.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Proxies whose word is taken for where a request comes from. Nobody's, unless said otherwise.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    /// Where they are. Everybody there can claim any address.
    pub networks: Vec<IpNet>,
    /// Where they say it. They must write this header themselves: whatever a client sent in it has
    /// to be gone, or to the left of what they add.
    pub header: ForwardedHeader,
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// How many proxies may follow one another.
const MAX_HOPS: usize = 16;

impl TrustedProxies {
    /// Where a request comes from: the address closest to us that is no proxy's. `None` where it did
    /// not come from the network.
    pub(crate) fn client(&self, request: &Request) -> Option<IpAddr> {
        let Addr::SocketAddr(peer) = request.remote_addr().0 else { return None };
        let mut client = peer.ip().to_canonical();
        for hop in self.hops(request).iter().rev().take(MAX_HOPS) {
            if !self.networks.iter().any(|network| network.contains(&client)) {
                break;
            }
            // Who hides behind a proxy is that proxy.
            let Some(next) = hop else { break };
            client = *next;
        }
        Some(client)
    }

    /// What the header says, closest to us last; `None` for what is not an address.
    fn hops(&self, request: &Request) -> Vec<Option<IpAddr>> {
        if self.networks.is_empty() {
            return Vec::new();
        }
        let name = match self.header {
            ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => header::FORWARDED,
        };
        let lines = request.headers().get_all(name).iter();
        let elements = lines.flat_map(|line| line.to_str().unwrap_or("?").split(','));
        let address = |element: &str| match self.header {
            ForwardedHeader::XForwardedFor => address(element),
            ForwardedHeader::Forwarded => forwarded_for(element),
        };
        elements.map(|element| address(element.trim())).collect()
    }
}

/// RFC 7239, section 4: `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    address(node.trim().trim_matches('"'))
}

/// With or without a port, and with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(ip, _)| ip);
    let parsed = IpAddr::from_str(bare.unwrap_or(text)).ok();
    let with_port = || std::net::SocketAddr::from_str(text).ok().map(|address| address.ip());
    parsed.or_else(with_port).map(|address| address.to_canonical())
}

/// Whose limits count for an address: of IPv6, a subscriber has a /64 at least.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}
