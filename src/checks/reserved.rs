//! Addresses that no visitor reaches: what IANA's registries of special-purpose addresses
//! (<https://www.iana.org/assignments/iana-ipv4-special-registry/> and its like for IPv6, as of
//! 2025-08) do not call globally reachable, multicast, and what <https://www.iana.org/assignments/ipv6-address-space/>
//! keeps for later.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

/// Each with what it is for.
const RESERVED: &[(&str, &str)] = &[
    ("0.0.0.0/8", "an address for \"this network\" alone"),
    ("10.0.0.0/8", "a private address"),
    ("100.64.0.0/10", "a provider's inner address"),
    ("127.0.0.0/8", "a machine's address for itself"),
    ("169.254.0.0/16", "a link-local address"),
    ("172.16.0.0/12", "a private address"),
    ("192.0.0.0/24", "an address for protocols"),
    ("192.0.2.0/24", "an address for documentation"),
    ("192.88.99.0/24", "an address of 6to4, which is no more"),
    ("192.168.0.0/16", "a private address"),
    ("198.18.0.0/15", "an address for benchmarks"),
    ("198.51.100.0/24", "an address for documentation"),
    ("203.0.113.0/24", "an address for documentation"),
    ("224.0.0.0/4", "an address for multicast"),
    ("240.0.0.0/4", "a reserved address"),
    ("::/128", "no address"),
    ("::1/128", "a machine's address for itself"),
    ("64:ff9b:1::/48", "an address for translation within a network"),
    ("100::/64", "an address for discarding"),
    ("100:0:0:1::/64", "an address for dummies"),
    ("2001::/23", "an address for protocols"),
    ("2001:db8::/32", "an address for documentation"),
    ("2002::/16", "an address of 6to4, which is no more"),
    ("3fff::/20", "an address for documentation"),
    ("5f00::/16", "an address for segment routing"),
    ("fc00::/7", "a private address"),
    ("fe80::/10", "a link-local address"),
    ("fec0::/10", "a private address"),
    ("ff00::/8", "an address for multicast"),
    ("::/3", "a reserved address"),
    ("4000::/2", "a reserved address"),
    ("8000::/1", "a reserved address"),
];

/// Within those, what is reachable all the same.
const REACHABLE: &[&str] = &[
    "192.0.0.9/32",
    "192.0.0.10/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:20::/28",
    "2001:30::/28",
];

/// An IPv4 address within one of IPv6, by which IPv4 networks are reached (RFC 6052).
const TRANSLATED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// What an address is for that visitors cannot reach.
pub(super) fn reserved(address: IpAddr) -> Option<&'static str> {
    let IpAddr::V6(six) = address else { return special(address) };
    if let Some(four) = six.to_ipv4_mapped() {
        return special(four.into()).or(Some("an IPv4 address in place of one of IPv6"));
    }
    if TRANSLATED.contains(&six) {
        let [.., a, b, c, d] = six.octets();
        return special(IpAddr::from([a, b, c, d]));
    }
    special(address)
}

fn special(address: IpAddr) -> Option<&'static str> {
    let is_in = |text: &str| text.parse().is_ok_and(|net: IpNet| net.contains(&address));
    if REACHABLE.iter().any(|text| is_in(text)) {
        return None;
    }
    RESERVED.iter().find(|(text, _)| is_in(text)).map(|(_, purpose)| *purpose)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_is_one() {
        for text in RESERVED.iter().map(|(text, _)| text).chain(REACHABLE) {
            let network: IpNet = text.parse().unwrap();
            assert_eq!(network, network.trunc(), "{text}");
        }
    }

    #[test]
    fn reserved_addresses_are_known_with_their_purpose() {
        let of = |text: &str| reserved(text.parse().unwrap());
        assert_eq!(of("172.18.0.3"), Some("a private address"));
        assert_eq!(of("0.0.0.0"), Some("an address for \"this network\" alone"));
        assert_eq!(of("::ffff:10.0.0.1"), Some("a private address"));
        assert_eq!(of("fd00::1"), Some("a private address"));
        assert_eq!(of("255.255.255.255"), Some("a reserved address"));
        assert_eq!(of("::10.0.0.1"), Some("a reserved address"));
        assert_eq!(of("4000::1"), Some("a reserved address"));
        assert_eq!(of("2001::1"), Some("an address for protocols"));
        assert_eq!(of("64:ff9b::10.0.0.1"), Some("a private address"));
        assert_eq!(of("64:ff9b::1.1.1.1"), None);
        assert_eq!(of("::ffff:1.1.1.1"), Some("an IPv4 address in place of one of IPv6"));
        for public in ["1.1.1.1", "192.0.0.9", "2606:4700::1", "2001:4860::8888", "172.32.0.1"] {
            assert_eq!(of(public), None, "{public}");
        }
    }
}
