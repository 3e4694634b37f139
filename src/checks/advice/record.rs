use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use crate::{
    checks::words::{NewRecord, Target, Value, in_english},
    status::ExpectedTarget,
};

/// What a name's record should point at, if that is known.
pub(super) struct RecordTarget<'a>(pub(super) Option<&'a ExpectedTarget>);

impl<'a> RecordTarget<'a> {
    /// The best of the expected targets: IPv4, which all visitors have, before IPv6 and an address before
    /// a network.
    pub(super) fn best_of(expected: &'a [ExpectedTarget]) -> Self {
        Self(expected.iter().min_by_key(|target| match target {
            ExpectedTarget::Address(IpAddr::V4(_)) => 0,
            ExpectedTarget::Network(IpNet::V4(_)) => 1,
            ExpectedTarget::Address(IpAddr::V6(_)) => 2,
            ExpectedTarget::Network(IpNet::V6(_)) => 3,
            ExpectedTarget::Host(_) => 4,
        }))
    }

    pub(super) fn said(&self) -> Value<Target> {
        match self.0 {
            Some(ExpectedTarget::Network(network)) => {
                Value::Words(Target::AnyAddressIn { network: network.to_string() })
            }
            Some(target) => Value::Plain(target.to_string()),
            None => Value::Words(Target::OurAddress),
        }
    }

    /// A record that points there.
    pub(super) fn new_record(&self) -> NewRecord {
        match self.0 {
            Some(ExpectedTarget::Host(host)) => NewRecord::Cname { host: host.to_string() },
            _ => NewRecord::Address { kind: self.kind(), target: self.said() },
        }
    }

    /// The type of the record.
    pub(super) fn kind(&self) -> &'static str {
        match self.0 {
            Some(ExpectedTarget::Address(IpAddr::V6(_)))
            | Some(ExpectedTarget::Network(IpNet::V6(_))) => "AAAA",
            Some(ExpectedTarget::Host(_)) => "CNAME",
            _ => "A",
        }
    }
}

impl fmt::Display for RecordTarget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&in_english(&self.said()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_target_is_one_that_all_visitors_reach() {
        let best = |expected: &[&str]| {
            let expected: Vec<ExpectedTarget> =
                expected.iter().map(|target| target.parse().unwrap()).collect();
            let target = RecordTarget::best_of(&expected);
            format!("{} {target}", target.kind())
        };
        assert_eq!(best(&["2001:db8::1", "203.0.113.10", "203.0.113.11"]), "A 203.0.113.10");
        assert_eq!(best(&["2001:db8::1", "edge.example"]), "AAAA 2001:db8::1");
        assert_eq!(best(&["2001:db8::1", "203.0.113.0/24"]), "A an address in 203.0.113.0/24");
        assert_eq!(best(&["2001:db8::/32"]), "AAAA an address in 2001:db8::/32");
        assert_eq!(best(&["edge.example"]), "CNAME edge.example");
        assert_eq!(best(&[]), "A the network's address");
    }
}
