use std::{collections::BTreeSet, fmt, net::IpAddr};

use ipnet::IpNet;

use super::reserved::reserved;
use crate::status::ExpectedTarget;

/// Where names should point, with the addresses that hosts resolve to now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    configured: Vec<ExpectedTarget>,
    /// The addresses of the configured hosts.
    resolved: BTreeSet<IpAddr>,
    /// Whether a host could not be resolved, so that other addresses may be right too.
    is_incomplete: bool,
    /// Whether every public address is right.
    is_anywhere: bool,
}

impl Expected {
    /// The targets, whose hosts resolve to these addresses.
    pub fn new<'a>(
        targets: impl IntoIterator<Item = &'a ExpectedTarget>,
        resolved: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        Self {
            configured: targets.into_iter().cloned().collect(),
            resolved: resolved.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The same, although a host could not be resolved.
    pub(super) fn incomplete(self) -> Self {
        Self { is_incomplete: true, ..self }
    }

    /// Whether an address that is none of these may be right too.
    pub(super) fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    /// Every public address, and the configured ones.
    pub(super) fn anywhere(mut configured: Vec<ExpectedTarget>) -> Self {
        configured.retain(|target| !matches!(target, ExpectedTarget::Host(_)));
        Self { configured, is_anywhere: true, ..Self::default() }
    }

    pub fn has_address(&self, address: IpAddr) -> bool {
        self.resolved.contains(&address)
            || self.configured.iter().any(|target| target.has_address(address))
            || self.is_anywhere && reserved(address).is_none()
    }

    pub fn has_host(&self, name: &str) -> bool {
        let is_it =
            |target: &_| matches!(target, ExpectedTarget::Host(host) if host.as_str() == name);
        self.configured.iter().any(is_it)
    }

    /// The configured addresses, then the resolved ones, the hosts and the networks.
    pub fn targets(&self) -> Vec<ExpectedTarget> {
        let resolved = self.resolved.iter().map(|address| ExpectedTarget::Address(*address));
        let resolved = resolved.filter(|target| !self.configured.contains(target));
        let mut targets: Vec<ExpectedTarget> =
            self.configured.iter().cloned().chain(resolved).collect();
        targets.sort_by_key(|target| match target {
            ExpectedTarget::Address(_) => 0,
            ExpectedTarget::Host(_) => 1,
            ExpectedTarget::Network(_) => 2,
        });
        targets
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets: Vec<String> = self.targets().iter().map(ToString::to_string).collect();
        f.write_str(&targets.join(", "))
    }
}

pub(super) fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_addresses_networks_or_hosts() {
        let targets: Vec<ExpectedTarget> =
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
        assert!("not a name".parse::<ExpectedTarget>().is_err());
        let single: ExpectedTarget = "192.0.2.1/32".parse().unwrap();
        assert_eq!(single, ExpectedTarget::Address("192.0.2.1".parse().unwrap()));
    }
}
