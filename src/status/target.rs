use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::domain::DomainName;

/// Where a name may point; one of `checks.expected_targets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ExpectedTarget {
    Address(IpAddr),
    /// Any address of the network.
    Network(IpNet),
    /// A CNAME to the host, or any address that it resolves to.
    Host(DomainName),
}

impl ExpectedTarget {
    /// Whether the address is this target. The addresses of a host are not known here.
    pub fn has_address(&self, address: IpAddr) -> bool {
        match self {
            Self::Address(one) => *one == address,
            Self::Network(network) => network.contains(&address),
            Self::Host(_) => false,
        }
    }
}

impl FromStr for ExpectedTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        if let Ok(network) = text.parse::<IpNet>() {
            let is_single = network.prefix_len() == network.max_prefix_len();
            return Ok(if is_single {
                Self::Address(network.addr())
            } else {
                Self::Network(network)
            });
        }
        match text.parse() {
            Ok(name) => Ok(Self::Host(name)),
            Err(error) => Err(format!("it must be an address, a network or a host name: {error}")),
        }
    }
}

impl TryFrom<String> for ExpectedTarget {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ExpectedTarget> for String {
    fn from(target: ExpectedTarget) -> Self {
        target.to_string()
    }
}

impl fmt::Display for ExpectedTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Network(network) => network.fmt(f),
            Self::Host(name) => name.fmt(f),
        }
    }
}
