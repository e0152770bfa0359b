//! Where connections may go: the guard against sources that point back at our own network.
//!
//! Link-local and cloud-metadata addresses, addresses that are no host, and our own listen
//! addresses are refused whatever is configured. Private and other special ranges go by policy.
//! An IPv6 address that carries an IPv4 one is checked for both.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use model::Cidr;

/// The rules.
#[derive(Clone, Debug)]
pub struct Egress {
    /// Policy for private addresses.
    pub private: Private,
    /// The addresses this server listens on.
    pub own: Vec<SocketAddr>,
}

/// What the operator says about private addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Private {
    /// All of them may be reached.
    Allow,
    /// None of them.
    Deny,
    /// Those in one of these ranges.
    Cidrs(Vec<Cidr>),
}

/// An address that may not be connected to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The address.
    pub address: IpAddr,
    /// The host name it belongs to, if the address was not named itself.
    pub host: Option<String>,
    why: Why,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Why {
    Own,
    Never(&'static str),
    Private(&'static str),
}

/// Ranges that are refused whatever is configured.
const NEVER: &[(&str, &str)] = &[
    ("0.0.0.0/8", "an unspecified address"),
    ("169.254.0.0/16", "a link-local or cloud-metadata address"),
    ("168.63.129.16/32", "a cloud-metadata address"),
    ("100.100.100.200/32", "a cloud-metadata address"),
    ("192.0.0.192/32", "a cloud-metadata address"),
    ("224.0.0.0/4", "a multicast address"),
    ("240.0.0.0/4", "a reserved or broadcast address"),
    ("::/128", "an unspecified address"),
    ("fe80::/10", "a link-local address"),
    ("ff00::/8", "a multicast address"),
    ("fd00:ec2::/32", "a cloud-metadata address"),
    ("fd20:ce::254/128", "a cloud-metadata address"),
    ("fd00:42::42/128", "a cloud-metadata address"),
];

/// Ranges that go by policy: not reachable from the internet at large.
const PRIVATE: &[(&str, &str)] = &[
    ("10.0.0.0/8", "a private address"),
    ("172.16.0.0/12", "a private address"),
    ("192.168.0.0/16", "a private address"),
    ("127.0.0.0/8", "a loopback address"),
    ("100.64.0.0/10", "a private address (carrier-grade NAT)"),
    ("192.0.0.0/24", "a special-purpose address"),
    ("192.0.2.0/24", "a special-purpose address"),
    ("192.88.99.0/24", "a special-purpose address"),
    ("198.18.0.0/15", "a special-purpose address"),
    ("198.51.100.0/24", "a special-purpose address"),
    ("203.0.113.0/24", "a special-purpose address"),
    ("::1/128", "a loopback address"),
    ("fc00::/7", "a private address"),
    ("fec0::/10", "a private address"),
    ("64:ff9b:1::/48", "a special-purpose address"),
    ("100::/64", "a special-purpose address"),
    ("2001::/23", "a special-purpose address"),
    ("2001:db8::/32", "a special-purpose address"),
    ("3fff::/20", "a special-purpose address"),
    ("5f00::/16", "a special-purpose address"),
];

impl Egress {
    /// Whether a connection to `address` and `port` is allowed.
    pub fn check(&self, address: IpAddr, port: u16) -> Result<(), Refused> {
        let refused = |why| Refused { address, host: None, why };
        for meant in meanings(address) {
            if self.is_own(meant, port) {
                return Err(refused(Why::Own));
            }
            if let Some(what) = find(NEVER, meant) {
                return Err(refused(Why::Never(what)));
            }
            if let Some(what) = find(PRIVATE, meant) {
                let allowed = match &self.private {
                    Private::Allow => true,
                    Private::Deny => false,
                    Private::Cidrs(ranges) => ranges.iter().any(|range| range.contains(meant)),
                };
                if !allowed {
                    return Err(refused(Why::Private(what)));
                }
            }
        }
        Ok(())
    }

    /// A listener on the unspecified address owns its port on every address of this machine.
    fn is_own(&self, address: IpAddr, port: u16) -> bool {
        self.own.iter().filter(|own| own.port() == port).any(|own| {
            own.ip().to_canonical() == address
                || own.ip().is_unspecified() && (address.is_loopback() || is_local(address))
        })
    }
}

/// Only an address of this machine can be bound. Nothing is sent.
fn is_local(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// The address itself and every IPv4 address that it stands for. One that merely spells an IPv4
/// address (`::ffff:0:0/96`) is that address and nothing else.
fn meanings(address: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(v6) = address else { return vec![address] };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return vec![v4.into()];
    }
    let mut all = vec![address];
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 =
        |high: u16, low: u16| IpAddr::from(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match [a, b, c, d, e, f] {
        // IPv4-compatible, but for `::` and `::1`.
        [0, 0, 0, 0, 0, 0] if g != 0 || h > 1 => all.push(v4(g, h)),
        // IPv4-translated (SIIT) and NAT64.
        [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] => all.push(v4(g, h)),
        // 6to4.
        [0x2002, high, low, ..] => all.push(v4(high, low)),
        // Teredo: its server, and its client with every bit flipped.
        [0x2001, 0, high, low, ..] => all.extend([v4(high, low), v4(!g, !h)]),
        // ISATAP.
        [.., 0 | 0x200, 0x5efe] => all.push(v4(g, h)),
        _ => {}
    }
    all
}

fn find(table: &[(&str, &'static str)], address: IpAddr) -> Option<&'static str> {
    table
        .iter()
        .find(|(range, _)| range.parse().is_ok_and(|range: Cidr| range.contains(address)))
        .map(|(_, what)| *what)
}

impl Refused {
    pub(crate) fn of_host(self, host: &str) -> Self {
        Self { host: Some(host.to_owned()), ..self }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the address {}", self.address)?;
        if let Some(host) = &self.host {
            write!(f, " of {host}")?;
        }
        match self.why {
            Why::Own => write!(f, " is this server's own: a source cannot be the server itself"),
            Why::Never(what) => write!(
                f,
                " is {what}: sources never connect there, whatever sources.private_networks says"
            ),
            Why::Private(what) => write!(
                f,
                " is {what}: sources may connect there only if the server's operator allows it in \
                 sources.private_networks"
            ),
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests;
