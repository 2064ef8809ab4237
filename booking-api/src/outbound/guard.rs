//! Which addresses may be connected to. Whoever can make this server send requests could otherwise
//! reach what only this server can: its own network, the machine itself, its cloud's metadata
//! (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Admits public addresses, and those of the networks that it was told of.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    allowed: Vec<IpNet>,
    others: Others,
}

/// What becomes of addresses that are in no allowed network.
#[derive(Debug, Clone, Copy)]
enum Others {
    IfPublic,
    #[cfg(feature = "calendars")]
    Refused,
}

/// The URL leads to where nothing is sent from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("leads to no public address")]
pub(crate) struct NotPublic;

impl Guard {
    pub(crate) fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed, others: Others::IfPublic }
    }

    /// Admits the allowed networks alone: for what everybody on the way could read.
    #[cfg(feature = "calendars")]
    pub(crate) fn within_allowed(&self) -> Self {
        Self { allowed: self.allowed.clone(), others: Others::Refused }
    }

    /// Whether not a single network is allowed by name.
    #[cfg(feature = "calendars")]
    pub(crate) fn allows_none(&self) -> bool {
        self.allowed.is_empty()
    }

    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        let address = without_wrapping(address);
        let within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
        let is_welcome = match self.others {
            Others::IfPublic => is_public(address) || within(&self.allowed),
            #[cfg(feature = "calendars")]
            Others::Refused => within(&self.allowed),
        };
        is_welcome && !within(&NEVER)
    }

    /// Looks at hosts that are addresses, for which no resolver is asked. The URL's parser has
    /// made plain addresses of all other notations, such as `0x7f.1`.
    pub(crate) fn check(&self, url: &Url) -> Result<(), NotPublic> {
        let address: IpAddr = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(NotPublic),
        };
        if self.admits(address) { Ok(()) } else { Err(NotPublic) }
    }
}

/// The client asks this and nothing else where a host is, each time it connects: what was looked
/// at is what is connected to.
impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted: Vec<SocketAddr> =
                found.filter(|address| guard.admits(address.ip())).collect();
            if admitted.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

/// The IPv4 address that packets to an IPv6 one end up at, where it is a wrapping in use: mapped
/// (`::ffff:0:0/96`), or behind NAT64 (`64:ff9b::/96`, RFC 6052).
fn without_wrapping(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address.to_canonical() else { return address.to_canonical() };
    match v6.octets() {
        [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => {
            Ipv4Addr::new(a, b, c, d).into()
        }
        _ => v6.into(),
    }
}

/// Reachable from everywhere (IANA's registries of special-purpose addresses).
fn is_public(address: IpAddr) -> bool {
    let is_special = SPECIAL.iter().any(|network| network.contains(&address));
    !is_special && (address.is_ipv4() || GLOBAL_UNICAST.contains(&address))
}

const fn v4(address: [u8; 4], length: u8) -> IpNet {
    let [a, b, c, d] = address;
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length))
}

const fn v6(head: [u16; 3], length: u8) -> IpNet {
    let [a, b, c] = head;
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length))
}

/// No allowance opens these: no receiver is there, and much else may be.
const NEVER: [IpNet; 16] = [
    // "This network"; 0.0.0.0 and `::` reach the machine itself.
    v4([0, 0, 0, 0], 8),
    v6([0, 0, 0], 128),
    // Metadata and identities of clouds: most of them, AWS's containers and pods, Azure, Alibaba,
    // Oracle, and AWS and Google over IPv6.
    v4([169, 254, 169, 254], 32),
    v4([169, 254, 170, 2], 32),
    v4([169, 254, 170, 23], 32),
    v4([168, 63, 129, 16], 32),
    v4([100, 100, 100, 200], 32),
    v4([192, 0, 0, 192], 32),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23), 128)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128)),
    // Multicast, reserved and broadcast.
    v4([224, 0, 0, 0], 3),
    v6([0xff00, 0, 0], 8),
    // Teredo and 6to4, which wrap an IPv4 address and are no longer in use, and the NAT64 of one
    // network, of which only that network knows where in it the IPv4 address is.
    v6([0x2001, 0, 0], 32),
    v6([0x2002, 0, 0], 16),
    v6([0x64, 0xff9b, 1], 48),
];

/// Where public IPv6 addresses are.
const GLOBAL_UNICAST: IpNet = v6([0x2000, 0, 0], 3);

/// What is not public although it looks so.
const SPECIAL: [IpNet; 15] = [
    // Private.
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    // Shared by the customers of a provider (CGNAT).
    v4([100, 64, 0, 0], 10),
    // Loopback.
    v4([127, 0, 0, 0], 8),
    // Link-local.
    v4([169, 254, 0, 0], 16),
    // Protocol assignments.
    v4([192, 0, 0, 0], 24),
    v6([0x2001, 0, 0], 23),
    // Documentation.
    v4([192, 0, 2, 0], 24),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v6([0x2001, 0xdb8, 0], 32),
    v6([0x3fff, 0, 0], 20),
    // Relays of 6to4, no longer in use.
    v4([192, 88, 99, 0], 24),
    // Benchmarks.
    v4([198, 18, 0, 0], 15),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allowed: &[&str]) -> Guard {
        Guard::new(allowed.iter().map(|network| network.parse().unwrap()).collect())
    }

    fn passes(guard: &Guard, host: &str) -> bool {
        let url = Url::parse(&format!("http://{host}/")).expect(host);
        guard.check(&url).is_ok()
    }

    const PUBLIC: [&str; 9] = [
        "1.1.1.1",
        "11.0.0.1",
        "172.32.0.1",
        "100.128.0.1",
        "192.0.1.1",
        "168.63.129.15",
        "[2606:4700::1111]",
        "[::ffff:1.1.1.1]",
        "[64:ff9b::101:101]",
    ];

    /// One name per way in which somebody might write an address that is not for them.
    const PRIVATE: [&str; 41] = [
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "%31%32%37.0.0.1",
        "127.255.255.254",
        "10.0.0.1",
        "10.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "0xc0a80101",
        "100.64.0.1",
        "100.127.255.255",
        "169.254.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "198.18.0.1",
        "198.19.255.255",
        "192.88.99.1",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:a00:1]",
        "[::127.0.0.1]",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::10.0.0.1]",
        "[fc00::1]",
        "[fd12:3456::1]",
        "[fe80::1]",
        "[fec0::1]",
        "[2001:db8::1]",
        "[3fff::1]",
    ];

    const NOWHERE: [&str; 21] = [
        "0.0.0.0",
        "0",
        "0x0",
        "0.1.2.3",
        "[::]",
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::a9fe:a9fe]",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "[fd00:ec2::254]",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "[ff02::1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
    ];

    #[test]
    fn only_public_addresses_pass() {
        let closed = guard(&[]);
        for host in PUBLIC {
            assert!(passes(&closed, host), "{host}");
        }
        for host in PRIVATE.into_iter().chain(NOWHERE) {
            assert!(!passes(&closed, host), "{host}");
        }
    }

    #[test]
    fn an_allowance_opens_its_network_and_some_addresses_stay_closed() {
        let open = guard(&["0.0.0.0/0", "::/0"]);
        for host in PUBLIC.into_iter().chain(PRIVATE) {
            assert!(passes(&open, host), "{host}");
        }
        for host in NOWHERE {
            assert!(!passes(&open, host), "{host}");
        }
        let some = guard(&["10.1.0.0/16"]);
        assert!(passes(&some, "10.1.2.3") && passes(&some, "[::ffff:10.1.2.3]"));
        assert!(!passes(&some, "10.2.0.1") && !passes(&some, "127.0.0.1"));
    }

    #[cfg(feature = "calendars")]
    #[test]
    fn within_what_is_allowed_nothing_else_passes() {
        let inside = guard(&["10.1.0.0/16", "0.0.0.0/8"]).within_allowed();
        assert!(passes(&inside, "10.1.2.3") && passes(&inside, "[::ffff:10.1.2.3]"));
        for host in PUBLIC.into_iter().chain(PRIVATE).chain(NOWHERE) {
            assert!(!passes(&inside, host), "{host}");
        }
    }

    #[tokio::test]
    async fn names_are_looked_at_after_they_are_resolved() {
        let resolve = async |guard: Guard, name: &str| {
            let found = guard.resolve(name.parse().unwrap()).await;
            found.map(Iterator::count).map_err(|error| error.to_string())
        };
        let refused = resolve(guard(&[]), "localhost").await;
        assert_eq!(refused, Err(NotPublic.to_string()));
        let loopback = guard(&["127.0.0.0/8", "::1/128"]);
        assert!(resolve(loopback, "localhost").await.is_ok_and(|count| count > 0));
    }
}
