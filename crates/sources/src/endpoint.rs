//! An endpoint: scheme, host and port of a service, and nothing else.
//!
//! A host that a resolver might take for an address (`0x7f.1`, `2130706433`, `127.1`, `127.0.0.1.`)
//! is read here as the address it means, so that what is checked is what is connected to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Characters of a host name, and of one label of it (RFC 1035).
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// `http://host`, `https://host:port`, ...
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    https: bool,
    host: Host,
    port: u16,
}

/// The host of an endpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name to be resolved: lower case, no trailing dot, nothing that could be an address.
    Name(String),
}

/// Why a text is not an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an endpoint {0}")]
pub struct EndpointError(&'static str);

impl Endpoint {
    /// An https endpoint at its default port.
    pub(crate) fn https(host: &str) -> Result<Self, EndpointError> {
        Ok(Self { https: true, host: host.parse()?, port: 443 })
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    pub(crate) fn scheme(&self) -> http::uri::Scheme {
        if self.https { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP }
    }

    /// The host, and the port unless it is the scheme's own: what goes into the `Host` header.
    pub(crate) fn authority(&self) -> String {
        let default = if self.https { 443 } else { 80 };
        match self.port {
            port if port == default => self.host.to_string(),
            port => format!("{}:{port}", self.host),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(EndpointError("must not contain spaces or control characters"));
        }
        let (scheme, rest) =
            text.split_once("://").ok_or(EndpointError("must start with http:// or https://"))?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(EndpointError("must start with http:// or https://")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(EndpointError("must not contain a user name or password"));
        }
        if rest.contains(['/', '?', '#', '\\']) {
            return Err(EndpointError("must not have a path, a query or a fragment"));
        }
        let (host, port) = split_port(rest)?;
        let port = match port {
            None if https => 443,
            None => 80,
            Some(port) => parse_port(port)?,
        };
        Ok(Self { https, host: host.parse()?, port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), EndpointError> {
    let behind_brackets = text.rfind(']').map_or(0, |at| at + 1);
    match text[behind_brackets..].split_once(':') {
        None if text[behind_brackets..].is_empty() || behind_brackets == 0 => Ok((text, None)),
        Some((between, port)) if behind_brackets == 0 || between.is_empty() => {
            Ok((&text[..text.len() - port.len() - 1], Some(port)))
        }
        _ => Err(EndpointError("has a malformed host")),
    }
}

fn parse_port(text: &str) -> Result<u16, EndpointError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = if digits { text.parse().unwrap_or(0) } else { 0 };
    if port == 0 { Err(EndpointError("needs a port from 1 to 65535")) } else { Ok(port) }
}

impl FromStr for Host {
    type Err = EndpointError;

    /// A host as it stands in a URI: an IPv6 address in brackets.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Some(inner) = text.strip_prefix('[') {
            let address = inner.strip_suffix(']').and_then(|text| text.parse::<Ipv6Addr>().ok());
            return address
                .map(|address| Self::Ip(address.into()))
                .ok_or(EndpointError("has a malformed IPv6 address"));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if !is_name(name) {
            return Err(EndpointError(
                "has a malformed host (write an international name in ASCII)",
            ));
        }
        if ends_in_number(name) {
            return ipv4(name)
                .map(|address| Self::Ip(address.into()))
                .ok_or(EndpointError("has a malformed IPv4 address"));
        }
        Ok(Self::Name(name.to_ascii_lowercase()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(address)) => address.fmt(f),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    text.len() <= NAME_BYTES_MAX && text.split('.').all(label)
}

/// Whether resolvers may take the name for an IPv4 address: its last label is a number.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit()) || number(last).is_some()
}

/// One to four numbers, each decimal, octal (`0...`) or hexadecimal (`0x...`); the last fills all
/// the bytes that are left.
fn ipv4(name: &str) -> Option<Ipv4Addr> {
    let numbers = name.split('.').map(number).collect::<Option<Vec<u64>>>()?;
    let (last, first) = numbers.split_last()?;
    if first.len() > 3 || first.iter().any(|number| *number > 255) {
        return None;
    }
    let bits = 32 - 8 * first.len() as u32;
    if *last >= 1 << bits {
        return None;
    }
    let high = first.iter().fold(0, |high, number| high << 8 | number);
    u32::try_from(high << bits | last).ok().map(Ipv4Addr::from)
}

fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None if text.is_empty() => return None,
        None => (text, 10),
    };
    if digits.is_empty() {
        return Some(0);
    }
    let known = digits.chars().all(|digit| digit.is_digit(radix));
    if known { u64::from_str_radix(digits, radix).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Option<String> {
        text.parse::<Endpoint>().ok().map(|endpoint| endpoint.host().to_string())
    }

    #[test]
    fn an_endpoint_is_scheme_host_and_port() {
        for (text, expected, port) in [
            ("http://minio", "http://minio", 80),
            ("HTTPS://MinIO.Example.com:9000/", "https://minio.example.com:9000", 9000),
            ("https://minio.example.com.:443", "https://minio.example.com", 443),
            ("http://10.0.0.1:9000", "http://10.0.0.1:9000", 9000),
            ("http://[::1]:9000", "http://[::1]:9000", 9000),
            ("https://[fd00::1]", "https://[fd00::1]", 443),
            ("http://my_minio-1:65535", "http://my_minio-1:65535", 65535),
        ] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!((endpoint.to_string().as_str(), endpoint.port()), (expected, port));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "minio:9000",
            "ftp://minio",
            "//minio",
            "http:/minio",
            "http://",
            "http:///",
            "http://:80",
            "http://user@minio",
            "http://user:pw@minio",
            "http://minio/path",
            "http://minio//",
            "http://minio?x",
            "http://minio#x",
            "http://minio:",
            "http://minio:0",
            "http://minio:65536",
            "http://minio:+80",
            "http://minio:80:80",
            "http://[::1",
            "http://::1",
            "http://[::1]x:80",
            "http://[fe80::1%25eth0]",
            "http://[127.0.0.1]",
            "http://mi nio",
            "http://minio\r\nx: y",
            "http://minio\0",
            "http://minio\\@evil",
            "http://%31%32%37.0.0.1",
            "http://münchen.de",
            "http://１２７.0.0.1",
            "http://a..b",
            "http://.a",
            "http://minio..",
            "http://169.254.169.254\u{3002}",
            "http://x[::1]:80",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text:?}");
        }
        assert!(format!("http://{}", "a".repeat(64)).parse::<Endpoint>().is_err());
        assert!(format!("http://{}", "a.".repeat(200)).parse::<Endpoint>().is_err());
    }

    #[test]
    fn every_spelling_of_an_ipv4_address_is_that_address() {
        for text in [
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0X7F.0.0.0x1",
            "017700000001",
            "0177.0.0.01",
            "127.0.0.1.",
            "127.0x1",
            "00000177.1",
            "0x0000007f.1",
        ] {
            assert_eq!(host(&format!("http://{text}:80")).as_deref(), Some("127.0.0.1"), "{text}");
        }
        assert_eq!(host("http://0").as_deref(), Some("0.0.0.0"));
        assert_eq!(host("http://0x").as_deref(), Some("0.0.0.0"));
        assert_eq!(host("http://4294967295").as_deref(), Some("255.255.255.255"));
        for text in [
            "256.0.0.1",
            "127.0.0.256",
            "1.2.3.4.5",
            "127.0.0.08",
            "4294967296",
            "127.0.0.0x100",
            "a.1",
            "0x100000000",
            "99999999999999999999999",
            "1.2.65536",
        ] {
            assert_eq!(host(&format!("http://{text}")), None, "{text}");
        }
        assert_eq!(host("http://0x7f.example").as_deref(), Some("0x7f.example"));
    }
}
