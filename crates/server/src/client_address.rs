//! Where a request comes from: the other end of its connection, or what a trusted proxy there
//! says. Nothing that a client can write itself is believed.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use model::Cidr;

use crate::Shared;
use crate::serve::Peer;

/// Each proxy adds, at the end, the address that it was connected from.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where a request comes from; `None` if it came over no connection.
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

impl FromRequestParts<Shared> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<Peer>();
        Ok(Self(peer.map(|Peer(peer)| address(&parts.headers, *peer, &app.trusted_proxies))))
    }
}

/// The address of the client: the last in the chain of `X-Forwarded-For` and `peer` that is not of
/// `trusted`. Where the chain has only trusted ones, or breaks off at something that is no address,
/// it is the farthest of them.
fn address(headers: &HeaderMap, peer: IpAddr, trusted: &[Cidr]) -> IpAddr {
    let is_trusted = |address| trusted.iter().any(|range| range.contains(address));
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut client = peer.to_canonical();
    while is_trusted(client) {
        let Some(before) = hops.next().and_then(parsed) else { break };
        client = before;
    }
    client
}

/// One hop; some proxies add the port.
fn parsed(hop: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok();
    let address = address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUSTED: [&str; 2] = ["127.0.0.0/8", "10.0.0.0/8"];

    fn seen(lines: &[&str], peer: &str) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().expect("a legal header value"));
        }
        let trusted = TRUSTED.map(|range| range.parse().expect("a range"));
        address(&headers, peer.parse().expect("an address"), &trusted).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(seen(&[], "198.51.100.9"), "198.51.100.9");
        assert_eq!(seen(&["203.0.113.1"], "198.51.100.9"), "198.51.100.9");
        assert_eq!(seen(&["127.0.0.1"], "::ffff:198.51.100.9"), "198.51.100.9");
    }

    #[test]
    fn the_last_that_is_no_proxy_is_the_client() {
        assert_eq!(seen(&["203.0.113.1"], "127.0.0.1"), "203.0.113.1");
        assert_eq!(seen(&["203.0.113.1"], "::ffff:127.0.0.1"), "203.0.113.1");
        assert_eq!(seen(&["9.9.9.9, 203.0.113.1,10.1.1.1"], "127.0.0.1"), "203.0.113.1");
        assert_eq!(seen(&["9.9.9.9", "203.0.113.1", "10.1.1.1"], "127.0.0.1"), "203.0.113.1");
        assert_eq!(seen(&["127.0.0.1, 203.0.113.1"], "10.0.0.1"), "203.0.113.1");
        assert_eq!(seen(&["2001:db8::7"], "10.0.0.1"), "2001:db8::7");
    }

    #[test]
    fn ports_and_brackets_do_not_matter() {
        for (hop, expected) in [
            ("203.0.113.1:4711", "203.0.113.1"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("::ffff:203.0.113.1", "203.0.113.1"),
        ] {
            assert_eq!(seen(&[hop], "127.0.0.1"), expected, "{hop}");
        }
    }

    #[test]
    fn what_is_no_address_ends_the_chain() {
        for broken in ["", "unknown", "9.9.9.9, unknown", "9.9.9.9,", "9.9.9.9;", "[9.9.9.9"] {
            assert_eq!(seen(&[broken], "127.0.0.1"), "127.0.0.1", "{broken}");
        }
        assert_eq!(seen(&["9.9.9.9, _hidden, 10.1.1.1"], "127.0.0.1"), "10.1.1.1");
        assert_eq!(seen(&["10.0.0.2, 10.0.0.1"], "127.0.0.1"), "10.0.0.2", "only proxies");
    }
}
