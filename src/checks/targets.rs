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

#[cfg(test)]
mod tests {
    use super::*;

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
