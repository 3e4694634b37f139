//! What a name's record should say.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

/// Where a name should point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Address(IpAddr),
    /// Any address of it.
    Network(IpNet),
    Host(String),
    /// That is not known.
    Unknown,
}

impl Place {
    /// The best of the expected places: what everybody reaches, and rather an address than a network.
    pub(super) fn of(expected: &[String]) -> Self {
        let places = expected.iter().map(|place| Self::parse(place));
        places.min_by_key(Self::rank).unwrap_or(Self::Unknown)
    }

    pub(super) fn parse(text: &str) -> Self {
        if let Ok(address) = text.parse() {
            return Self::Address(address);
        }
        text.parse().map_or_else(|_| Self::Host(text.to_owned()), Self::Network)
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Address(IpAddr::V4(_)) => 0,
            Self::Network(IpNet::V4(_)) => 1,
            Self::Address(IpAddr::V6(_)) => 2,
            Self::Network(IpNet::V6(_)) => 3,
            Self::Host(_) => 4,
            Self::Unknown => 5,
        }
    }

    /// The kind of record that leads there.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Address(IpAddr::V6(_)) | Self::Network(IpNet::V6(_)) => "AAAA",
            Self::Host(_) => "CNAME",
            _ => "A",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Network(network) => write!(f, "an address in {network}"),
            Self::Host(host) => f.write_str(host),
            Self::Unknown => f.write_str("the network's address"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_place_is_one_that_everybody_reaches() {
        let best = |expected: &[&str]| {
            let expected: Vec<String> = expected.iter().map(|&place| place.to_owned()).collect();
            let place = Place::of(&expected);
            format!("{} {place}", place.kind())
        };
        assert_eq!(best(&["2001:db8::1", "203.0.113.10", "203.0.113.11"]), "A 203.0.113.10");
        assert_eq!(best(&["2001:db8::1", "edge.example"]), "AAAA 2001:db8::1");
        assert_eq!(best(&["2001:db8::1", "203.0.113.0/24"]), "A an address in 203.0.113.0/24");
        assert_eq!(best(&["2001:db8::/32"]), "AAAA an address in 2001:db8::/32");
        assert_eq!(best(&["edge.example"]), "CNAME edge.example");
        assert_eq!(best(&[]), "A the network's address");
    }
}
