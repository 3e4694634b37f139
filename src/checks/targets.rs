//! Where names should point, and whose addresses they point at instead.

use std::{collections::BTreeSet, fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

use super::reserved::reserved;
use crate::domain::DomainName;

/// One of `checks.expected_targets`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An address, or all addresses of a network.
    Network(IpNet),
    /// What a host name resolves to, or a CNAME to it.
    Host(DomainName),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(Network(network)) = text.parse() {
            return Ok(Self::Network(network));
        }
        match text.parse() {
            Ok(name) => Ok(Self::Host(name)),
            Err(error) => Err(format!("it must be an address, a network or a host name: {error}")),
        }
    }
}

/// A network in CIDR notation, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        let network = text.parse().or_else(|_| address());
        network.map(Self).map_err(|_| "it must be an address or a network, such as 203.0.113.0/24")
    }
}

/// Where names should point, as it stands now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Networks and single addresses.
    networks: Vec<IpNet>,
    /// What the hosts resolve to.
    addresses: BTreeSet<IpAddr>,
    /// The hosts, lower-case.
    hosts: Vec<String>,
    /// Whether there may be other places, which could not be found out.
    perhaps_more: bool,
    /// Whether every public address is right.
    is_anywhere: bool,
}

impl Expected {
    /// The targets, of which the hosts resolve to these addresses.
    pub fn new<'a>(
        targets: impl IntoIterator<Item = &'a Target>,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let mut expected = Self { addresses: addresses.into_iter().collect(), ..Self::default() };
        for target in targets {
            match target {
                Target::Network(network) => expected.networks.push(*network),
                Target::Host(name) => expected.hosts.push(name.as_str().to_owned()),
            }
        }
        expected
    }

    /// The same, though another place could not be found out.
    pub(super) fn and_perhaps_more(self) -> Self {
        Self { perhaps_more: true, ..self }
    }

    /// Whether what is none of these places may be right all the same.
    pub(super) fn has_perhaps_more(&self) -> bool {
        self.perhaps_more
    }

    /// Every public address, and what the targets name themselves.
    pub(super) fn anywhere<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Self {
        Self { hosts: Vec::new(), is_anywhere: true, ..Self::new(targets, []) }
    }

    /// Whether the address is one of those expected.
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address)
            || contains(&self.networks, address)
            || self.is_anywhere && reserved(address).is_none()
    }

    /// Whether the name is one of the hosts expected.
    pub fn has_host(&self, name: &str) -> bool {
        self.hosts.iter().any(|host| host == name)
    }

    /// The places in words, the best for an A record first: an address that somebody named, then those
    /// that hosts resolve to.
    pub fn places(&self) -> Vec<String> {
        let single = |network: &&IpNet| network.prefix_len() == network.max_prefix_len();
        let (singles, networks): (Vec<&IpNet>, Vec<&IpNet>) =
            self.networks.iter().partition(single);
        let named: Vec<IpAddr> = singles.iter().map(|network| network.addr()).collect();
        let resolved = self.addresses.iter().filter(|address| !named.contains(address));
        let mut places: Vec<String> = named.iter().chain(resolved).map(IpAddr::to_string).collect();
        places.extend(self.hosts.iter().cloned());
        places.extend(networks.iter().map(ToString::to_string));
        places
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.places().join(", "))
    }
}

/// Whether one of the networks has the address.
pub(super) fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Hosts that people often come from, by the addresses or CNAMEs that they give their customers.
/// It only helps to name what was found.
const KNOWN_HOSTS: &[(&str, &[&str], &[&str])] = &[
    // https://www.cloudflare.com/ips/
    (
        "Cloudflare",
        &[
            "103.21.244.0/22",
            "103.22.200.0/22",
            "103.31.4.0/22",
            "104.16.0.0/13",
            "104.24.0.0/14",
            "108.162.192.0/18",
            "131.0.72.0/22",
            "141.101.64.0/18",
            "162.158.0.0/15",
            "172.64.0.0/13",
            "173.245.48.0/20",
            "188.114.96.0/20",
            "190.93.240.0/20",
            "197.234.240.0/22",
            "198.41.128.0/17",
            "2400:cb00::/32",
            "2606:4700::/32",
            "2803:f800::/32",
            "2405:b500::/32",
            "2405:8100::/32",
            "2a06:98c0::/29",
            "2c0f:f248::/32",
        ],
        &["cdn.cloudflare.net"],
    ),
    // https://support.squarespace.com/hc/en-us/articles/360002101888
    ("Squarespace", &["198.185.159.144/31", "198.49.23.144/31"], &["squarespace.com"]),
    // https://help.shopify.com/en/manual/domains/add-a-domain/connecting-domains
    ("Shopify", &["23.227.38.0/24"], &["myshopify.com"]),
    // https://support.wix.com/en/article/connecting-a-domain-to-wix-using-the-pointing-method
    ("Wix", &["185.230.63.0/24"], &["wixdns.net"]),
    // https://docs.github.com/en/pages/configuring-a-custom-domain-for-your-github-pages-site
    ("GitHub Pages", &["185.199.108.0/22", "2606:50c0:8000::/46"], &["github.io"]),
    // https://wordpress.com/support/domains/connect-existing-domain/
    ("WordPress.com", &["192.0.78.0/24"], &["wordpress.com"]),
    // The parking pages of registrars, as whois shows them.
    ("a parking page of Sedo", &["91.195.240.0/23", "64.190.62.0/23"], &["sedoparking.com"]),
    ("a parking page of GoDaddy", &["34.102.136.180/32", "184.168.131.241/32"], &[]),
    (
        "a parking page of Namecheap",
        &["192.64.119.0/24", "198.54.117.192/26"],
        &["parkingpage.namecheap.com"],
    ),
    ("a parking page of Bodis", &["199.59.240.0/22"], &["bodis.com"]),
    ("a parking page of ParkingCrew", &["185.53.176.0/22"], &["parkingcrew.net"]),
    // Addresses that no visitor reaches: RFC 1918, RFC 6598, RFC 1122, RFC 4193.
    (
        "a private address, which visitors cannot reach",
        &[
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "0.0.0.0/8",
            "169.254.0.0/16",
            "::1/128",
            "fc00::/7",
            "fe80::/10",
        ],
        &[],
    ),
];

/// The well-known host that all these addresses, or one of the CNAMEs, belong to.
pub(super) fn known_host(addresses: &[IpAddr], cnames: &[String]) -> Option<&'static str> {
    let is_at = |address: &IpAddr, networks: &[&str]| {
        networks.iter().filter_map(|text| text.parse().ok()).any(|net: IpNet| net.contains(address))
    };
    let is_below = |name: &String, hosts: &[&str]| {
        hosts.iter().any(|host| {
            name.strip_suffix(host).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    };
    let host = KNOWN_HOSTS.iter().find(|(_, networks, hosts)| {
        cnames.iter().any(|name| is_below(name, hosts))
            || !addresses.is_empty() && addresses.iter().all(|address| is_at(address, networks))
    });
    host.map(|(name, _, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_network_is_one() {
        for text in KNOWN_HOSTS.iter().flat_map(|(_, networks, _)| *networks) {
            let network: IpNet = text.parse().unwrap();
            assert_eq!(network, network.trunc(), "{text}");
        }
    }

    #[test]
    fn hosts_are_known_by_address_or_cname() {
        let host = |address: &str, cname: &str| {
            let cnames: Vec<String> = Some(cname.to_owned()).into_iter().collect();
            known_host(&[address.parse().unwrap()], &cnames)
        };
        assert_eq!(host("198.185.159.145", ""), Some("Squarespace"));
        assert_eq!(host("203.0.113.9", "shops.myshopify.com"), Some("Shopify"));
        assert_eq!(host("203.0.113.9", "notmyshopify.com"), None);
        assert_eq!(host("2606:4700::6810:1", ""), Some("Cloudflare"));
        assert_eq!(known_host(&[], &[]), None);
    }

    #[test]
    fn targets_are_addresses_networks_or_hosts() {
        let targets: Vec<Target> =
            ["203.0.113.10", "2001:db8::/32", "198.51.100.0/24", "Edge.closte.example"]
                .map(|text| text.parse().unwrap())
                .into();
        let expected = Expected::new(&targets, ["192.0.2.1".parse().unwrap()]);
        let is_expected = |address: &str| expected.has_address(address.parse().unwrap());
        assert!(is_expected("203.0.113.10") && is_expected("198.51.100.200"));
        assert!(is_expected("2001:db8::7") && is_expected("192.0.2.1"));
        assert!(!is_expected("203.0.113.11") && !is_expected("2001:db9::1"));
        assert!(expected.has_host("edge.closte.example"));
        assert_eq!(
            expected.to_string(),
            "203.0.113.10, 192.0.2.1, edge.closte.example, 2001:db8::/32, 198.51.100.0/24"
        );
        assert!("not a name".parse::<Target>().is_err());
    }
}
