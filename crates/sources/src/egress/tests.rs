//! The table of addresses and spellings, and what each policy says of them.

use super::*;
use crate::Endpoint;
use crate::endpoint::Host;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// Refused as an endpoint already.
    Malformed,
    /// Refused by every policy.
    Never,
    /// Refused by `Deny` only.
    ByPolicy,
    /// Never refused.
    Public,
}

use Verdict::{ByPolicy, Malformed, Never, Public};

const TABLE: &[(Verdict, &[&str])] = &[
    (
        Never,
        &[
            // Metadata services and link-local addresses, in every spelling of an IPv4 address.
            "169.254.169.254",
            "169.254.170.2",
            "169.254.0.0",
            "169.254.0.1",
            "169.254.255.255",
            "2852039166",
            "0xa9fea9fe",
            "0xA9FEA9FE",
            "025177524776",
            "0xa9.0xfe.0xa9.0xfe",
            "0251.0376.0251.0376",
            "169.254.43518",
            "169.16689662",
            "169.254.169.254.",
            "0xa9.254.169.254",
            "0251.254.0xa9fe",
            "169.0xfea9fe",
            "00251.254.169.254",
            "0x000000a9.254.169.254",
            "168.63.129.16",
            "0xa83f8110",
            "2822734096",
            "100.100.100.200",
            "192.0.0.192",
            // No host at all.
            "0.0.0.0",
            "0",
            "0x0",
            "00",
            "0.0",
            "0.1",
            "0.255.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "4294967295",
            "0xffffffff",
            "037777777777",
            "255.255.65535",
            "[::]",
            "[0:0:0:0:0:0:0:0]",
            "[fe80::1]",
            "[FE80::1]",
            "[febf:ffff::1]",
            "[ff02::1]",
            "[ff0e::1]",
            "[fd00:ec2::254]",
            "[fd00:ec2::23]",
            "[fd00:0ec2:0:0:0:0:0:254]",
            "[fd20:ce::254]",
            "[fd00:42::42]",
            // IPv6 addresses that stand for such an IPv4 one.
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[0:0:0:0:0:ffff:a9fe:a9fe]",
            "[::169.254.169.254]",
            "[::a9fe:a9fe]",
            "[64:ff9b::169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:a9fe:a9fe::]",
            "[2002:a9fe:a9fe::1]",
            "[2001:0:a9fe:a9fe::]",
            "[2001:0:808:808:0:0:5601:5601]",
            "[::ffff:0:169.254.169.254]",
            "[::ffff:0:a9fe:a9fe]",
            "[2001:4860::5efe:a9fe:a9fe]",
            "[2001:4860::200:5efe:a9fe:a9fe]",
            "[::ffff:0.0.0.0]",
            "[::ffff:255.255.255.255]",
            "[::ffff:168.63.129.16]",
            "[64:ff9b::168.63.129.16]",
            "[2002:a83f:8110::]",
            "[64:ff9b::0.0.0.0]",
            "[2002:e000:1::]",
            "[::ffff:224.0.0.1]",
            "[::ffff:100.100.100.200]",
            "[2002::]",
            // A Teredo client of all ones.
            "[2001::1]",
            "[2001:0:a00:1::]",
        ],
    ),
    (
        ByPolicy,
        &[
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "127.255.255.255",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0x7f.0x1",
            "017700000001",
            "0177.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "0x7f.0.0.1",
            "127.0x000001",
            "10.0.0.0",
            "10.0.0.1",
            "10.255.255.255",
            "167772161",
            "0xa.1",
            "012.1",
            "0x0a000001",
            "012.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "0xac100001",
            "192.168.0.1",
            "192.168.255.255",
            "3232235521",
            "0300.0250.0.1",
            "192.168.257",
            "0xc0a80001",
            "100.64.0.1",
            "100.127.255.255",
            "0x64.64.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[fc00::1]",
            "[fdff::1]",
            "[fd12:3456::1]",
            "[fec0::1]",
            "[feff::1]",
            "[100::1]",
            "[2001:db8::1]",
            "[3fff::1]",
            "[5f00::1]",
            "[64:ff9b:1::1]",
            "[2001:2::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:c0a8:1]",
            "[::127.0.0.1]",
            "[::7f00:1]",
            "[::10.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b::10.0.0.1]",
            "[64:ff9b::a00:1]",
            "[2002:7f00:1::]",
            "[2002:a00:1::1]",
            "[2002:c0a8:1::]",
            "[2001:0:808:808::f5ff:fffe]",
            "[::ffff:0:10.0.0.1]",
            "[2001:4860::5efe:10.0.0.1]",
            "[::ffff:100.64.0.1]",
            "[64:ff9b::192.168.1.1]",
            "[2001:1::1]",
        ],
    ),
    (
        Public,
        &[
            "8.8.8.8",
            "1.1.1.1",
            "134744072",
            "0x08080808",
            "010.010.010.010",
            "8.8.8.8.",
            "9.255.255.255",
            "11.0.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "168.63.129.15",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "192.0.1.0",
            "203.0.112.255",
            "[2606:4700:4700::1111]",
            "[2001:4860:4860::8888]",
            "[2001:200::1]",
            "[2003::1]",
            "[2400::1]",
            "[::ffff:8.8.8.8]",
            "[64:ff9b::8.8.8.8]",
            "[2002:808:808::1]",
            "[::8.8.8.8]",
            "[2001:4860::5efe:8.8.8.8]",
        ],
    ),
    (
        Malformed,
        &[
            "",
            ".",
            "..",
            "127.0.0.256",
            "256.1",
            "1.2.3.4.5",
            "0x100000000",
            "4294967296",
            "08.0.0.1",
            "127.0.0.09",
            "0x7g.1",
            "1..2",
            "127.0.0.1..",
            "127.0.0.1 ",
            " 127.0.0.1",
            "127.0.0.1%00",
            "127.0.0.1\0",
            "127.0.0.1\n",
            "[::1",
            "::1",
            "[127.0.0.1]",
            "[::1]]",
            "[[::1]]",
            "[fe80::1%eth0]",
            "[fe80::1%25eth0]",
            "[::ffff:127.1]",
            "[::ffff:0x7f000001]",
            "[1:2:3]",
            "[]",
            "[::g]",
            "localhost\\",
            "127.0.0.1#x",
            "127.0.0.1?x",
            "user@127.0.0.1",
            "127.0.0.1/x",
            "１２７.0.0.1",
            "127。0。0。1",
            "①②⑦.0.0.1",
            "%31%32%37.0.0.1",
            "loc%61lhost",
            "bücher.example",
            "foo.1",
            "foo.0x7f",
            "foo.0x",
            "a b",
            "a\tb",
            "99999999999999999999",
            "-1.0x7f",
            "1.2.3.-4.5",
        ],
    ),
];

fn egress(private: Private) -> Egress {
    Egress { private, own: Vec::new() }
}

fn verdict(host: &str) -> Verdict {
    let Ok(endpoint) = format!("http://{host}:9000").parse::<Endpoint>() else { return Malformed };
    let Host::Ip(address) = endpoint.host() else { panic!("{host} is a name") };
    let passes = |private| egress(private).check(*address, 9000).is_ok();
    match (passes(Private::Allow), passes(Private::Deny)) {
        (false, false) => Never,
        (true, false) => ByPolicy,
        (true, true) => Public,
        (false, true) => panic!("{host} is refused by the laxer policy"),
    }
}

#[test]
fn every_address_meets_its_verdict() {
    let wrong: Vec<_> = TABLE
        .iter()
        .flat_map(|(expected, hosts)| {
            hosts.iter().map(move |host| (host, *expected, verdict(host)))
        })
        .filter(|(_, expected, found)| expected != found)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(TABLE.iter().map(|(_, hosts)| hosts.len()).sum::<usize>() >= 200);
}

#[test]
fn ranges_open_exactly_what_they_name() {
    let ranges = ["10.1.0.0/16", "fd12::/16", "127.0.0.1", "0.0.0.0/0"];
    let parsed: Vec<Cidr> = ranges[..3].iter().map(|r| r.parse().expect("a range")).collect();
    let some = egress(Private::Cidrs(parsed));
    let all = ranges.iter().map(|r| r.parse().expect("a range")).collect();
    let all = egress(Private::Cidrs(all));
    for (address, by_some) in [
        ("10.1.2.3", true),
        ("10.2.0.0", false),
        ("127.0.0.1", true),
        ("127.0.0.2", false),
        ("fd12::9", true),
        ("fd13::9", false),
        ("::1", false),
        ("::ffff:10.1.0.1", true),
        ("64:ff9b::10.1.0.1", true),
        ("64:ff9b::10.2.0.1", false),
        ("8.8.8.8", true),
        ("169.254.169.254", false),
    ] {
        let address: IpAddr = address.parse().expect("an address");
        assert_eq!(some.check(address, 1).is_ok(), by_some, "{address}");
    }
    // No range opens what is never allowed.
    assert!(all.check([169, 254, 169, 254].into(), 80).is_err());
    assert!(all.check([192, 168, 0, 1].into(), 80).is_ok());
}

#[test]
fn our_own_address_is_refused_on_its_port_only() {
    let own = vec!["127.0.0.1:8300".parse().expect("an address")];
    let egress = Egress { private: Private::Allow, own };
    assert!(egress.check([127, 0, 0, 1].into(), 8300).is_err());
    assert!(egress.check("::ffff:127.0.0.1".parse().expect("an address"), 8300).is_err());
    assert!(egress.check([127, 0, 0, 1].into(), 8301).is_ok());
    assert!(egress.check([127, 0, 0, 2].into(), 8300).is_ok());
    let own = vec!["0.0.0.0:8300".parse().expect("an address")];
    let everywhere = Egress { private: Private::Allow, own };
    assert!(everywhere.check([127, 0, 0, 1].into(), 8300).is_err());
    assert!(everywhere.check([127, 9, 9, 9].into(), 8300).is_err());
    assert!(everywhere.check("::1".parse().expect("an address"), 8300).is_err());
    assert!(everywhere.check([127, 0, 0, 1].into(), 9000).is_ok());
    assert!(everywhere.check([8, 8, 8, 8].into(), 8300).is_ok());
}

#[test]
fn a_refusal_names_address_and_setting() {
    let deny = egress(Private::Deny);
    let private = deny.check([10, 0, 0, 1].into(), 80).expect_err("refused");
    assert_eq!(
        private.of_host("minio.local").to_string(),
        "the address 10.0.0.1 of minio.local is a private address: sources may connect there only \
         if the server's operator allows it in sources.private_networks"
    );
    let never = deny.check([169, 254, 169, 254].into(), 80).expect_err("refused").to_string();
    assert!(never.starts_with("the address 169.254.169.254 is a link-local"), "{never}");
    assert!(never.contains("whatever sources.private_networks says"), "{never}");
}
