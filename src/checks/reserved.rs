//! Addresses that visitors cannot reach: those that IANA's registries of special-purpose addresses
//! (<https://www.iana.org/assignments/iana-ipv4-special-registry/> and that for IPv6, as of 2025-08) do
//! not mark as globally reachable, multicast, and the ranges that
//! <https://www.iana.org/assignments/ipv6-address-space/> reserves.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

/// Each range with its purpose.
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

/// Exceptions within those ranges, which are reachable.
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

/// IPv4 addresses embedded in IPv6 ones for translation (RFC 6052).
const TRANSLATED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// The purpose of an address that visitors cannot reach.
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
    fn every_range_is_a_valid_network() {
        for text in RESERVED.iter().map(|(text, _)| text).chain(REACHABLE) {
            let network: IpNet = text.parse().unwrap();
            assert_eq!(network, network.trunc(), "{text}");
        }
    }

    #[test]
    fn reserved_addresses_have_their_purpose() {
        let of = |text: &str| reserved(text.parse().unwrap()).unwrap_or_default();
        // The first and the last address of each range.
        for (first, last, purpose) in [
            ("0.0.0.0", "0.255.255.255", "an address for \"this network\" alone"),
            ("10.0.0.0", "10.255.255.255", "a private address"),
            ("100.64.0.0", "100.127.255.255", "a provider's inner address"),
            ("127.0.0.0", "127.255.255.255", "a machine's address for itself"),
            ("169.254.0.0", "169.254.255.255", "a link-local address"),
            ("172.16.0.0", "172.31.255.255", "a private address"),
            ("192.0.0.0", "192.0.0.255", "an address for protocols"),
            ("192.0.2.0", "192.0.2.255", "an address for documentation"),
            ("192.88.99.0", "192.88.99.255", "an address of 6to4, which is no more"),
            ("192.168.0.0", "192.168.255.255", "a private address"),
            ("198.18.0.0", "198.19.255.255", "an address for benchmarks"),
            ("198.51.100.0", "198.51.100.255", "an address for documentation"),
            ("203.0.113.0", "203.0.113.255", "an address for documentation"),
            ("224.0.0.0", "239.255.255.255", "an address for multicast"),
            ("240.0.0.0", "255.255.255.255", "a reserved address"),
            ("::", "::", "no address"),
            ("::1", "::1", "a machine's address for itself"),
            ("::2", "::10.0.0.1", "a reserved address"),
            ("64:ff9b:1::", "64:ff9b:1:ffff::", "an address for translation within a network"),
            ("100::", "100::ffff:0:0:1", "an address for discarding"),
            ("100:0:0:1::", "100::1:ffff:0:0:1", "an address for dummies"),
            ("100:0:0:2::", "1fff::", "a reserved address"),
            ("2001::", "2001:1ff::", "an address for protocols"),
            ("2001:db8::", "2001:db8:ffff::", "an address for documentation"),
            ("2002::", "2002:ffff::", "an address of 6to4, which is no more"),
            ("3fff::", "3fff:fff:ffff::", "an address for documentation"),
            ("4000::", "5eff::", "a reserved address"),
            ("5f00::", "5f00:ffff::", "an address for segment routing"),
            ("5f01::", "fbff::", "a reserved address"),
            ("fc00::", "fdff:ffff::", "a private address"),
            ("fe00::", "fe7f::", "a reserved address"),
            ("fe80::", "febf:ffff::", "a link-local address"),
            ("fec0::", "feff:ffff::", "a private address"),
            ("ff00::", "ffff::", "an address for multicast"),
            ("::ffff:10.0.0.1", "::ffff:10.255.255.255", "a private address"),
            ("::ffff:1.1.1.1", "::ffff:9.9.9.9", "an IPv4 address in place of one of IPv6"),
            ("64:ff9b::10.0.0.1", "64:ff9b::10.255.255.255", "a private address"),
        ] {
            assert_eq!((of(first), of(last)), (purpose, purpose), "{first} {last}");
        }
    }

    #[test]
    fn public_addresses_are_not_reserved() {
        for public in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.0.9",
            "192.0.0.10",
            "192.0.1.0",
            "192.88.98.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "64:ff9b::1.1.1.1",
            "2000::",
            "2001:1::1",
            "2001:1::2",
            "2001:1::3",
            "2001:3::1",
            "2001:4:112::1",
            "2001:20::1",
            "2001:30::1",
            "2001:200::",
            "2001:4860::8888",
            "2606:4700::1",
            "3ffe:ffff::",
            "3fff:1000::",
        ] {
            assert_eq!(reserved(public.parse().unwrap()), None, "{public}");
        }
    }
}
