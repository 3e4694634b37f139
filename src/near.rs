//! Hosts of this machine and its own network, to which a connection may do without TLS.

use std::net::IpAddr;

/// Whether an address is on this machine or in a private network.
pub(crate) fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// Whether the host of a URL is near: such an address, or a name that only this network knows.
pub(crate) fn is_near_host(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse() {
        Ok(address) => is_near(address),
        Err(_) => !host.contains('.') || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_this_machine_and_private_networks() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("192.168.1.1", true),
            ("::1", true),
            ("::ffff:10.0.0.1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("203.0.113.1", false),
            ("100.64.0.1", false),
            ("::ffff:203.0.113.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_near(address.parse().unwrap()), expected, "{address}");
            assert_eq!(is_near_host(address), expected, "{address}");
        }
        for (host, expected) in [
            ("wordpress", true),
            ("shop.localhost", true),
            ("[fd00::1]", true),
            ("[2001:db8::1]", false),
            ("shop.example", false),
            ("127.0.0.1.example", false),
        ] {
            assert_eq!(is_near_host(host), expected, "{host}");
        }
    }
}
