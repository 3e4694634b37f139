//! Why a name's DNS is broken, as its owner is told.

use std::net::IpAddr;

use crate::{
    checks::{
        chain::{MAX_CNAMES, path_of_loop},
        words::{List, Reason, Says},
    },
    status::{BrokenBy, Chain, CnameFault, DnsResult, DnsVerdict, ResolverAnswer},
};

/// The fault in CNAMEs, and where they lead before it.
pub(super) fn of_chain(chain: &Chain, name: &str) -> Reason {
    let last = chain.cnames.last().map_or(name, String::as_str);
    let (target, count) = (last.to_owned(), chain.cnames.len());
    let zone = chain.zone.as_ref().map_or(last, |zone| &zone.name).to_owned();
    let reason = match chain.fault {
        CnameFault::Loop => return Reason::CnameLoop { path: path_of_loop(chain, name) },
        CnameFault::TooLong if count < MAX_CNAMES => return Reason::CnameChain { count },
        CnameFault::TooLong => return Reason::CnameChainOrMore { count },
        CnameFault::NoSuchName if last.parse::<IpAddr>().is_ok() => Reason::IsAnAddress { target },
        CnameFault::NoSuchName => Reason::IsMissing { target },
        CnameFault::NoAddress => Reason::IsWithoutAddress { target },
        CnameFault::Failure => Reason::ZoneFails { zone },
        CnameFault::Signatures => Reason::ZoneSignatures { zone },
    };
    match &chain.cnames[..] {
        [_, .., last] if chain.cnames.first() != Some(last) => {
            Reason::LeadsOn { target: last.clone(), reason: Box::new(reason) }
        }
        _ => reason,
    }
}

pub(super) fn of_broken(dns: &DnsResult, name: &str) -> Reason {
    match dns.broken_by {
        Some(BrokenBy::Signatures) => Reason::SignaturesWrong,
        Some(BrokenBy::OneName) => {
            let zone = dns.zone.as_ref().map_or(name, |zone| &zone.name);
            Reason::ServersFailHere { zone: zone.to_owned() }
        }
        Some(BrokenBy::LongChain) => {
            let counting = dns.answers.iter().filter(|one| one.counts());
            let longest = counting.map(|one| one.cnames.len()).max();
            Reason::LongForSome { count: longest.unwrap_or_default() }
        }
        Some(BrokenBy::Disagreement) => {
            let mut servers = dns.name_servers.iter().filter(|one| one.counts()).peekable();
            if servers.peek().is_some() && servers.clone().all(|one| one.verdict.is_good()) {
                let resolvers = dns.answers.iter().filter(|one| one.counts());
                let old = resolvers.filter(|one| !one.verdict.is_good());
                Reason::OldAnswers { answers: List::of(old.map(says)) }
            } else {
                Reason::ServersDisagree { answers: List::of(servers.map(says)) }
            }
        }
        Some(BrokenBy::Failure) | None => Reason::ServersFail,
    }
}

fn says(one: &ResolverAnswer) -> Says {
    let server = one.resolver.clone();
    match one.verdict {
        _ if !one.addresses.is_empty() => Says::Records { server, answer: one.describe() },
        DnsVerdict::NoSuchName => Says::NoName { server },
        DnsVerdict::NoAddress => Says::NoAddress { server },
        _ => Says::Failure { server },
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;
    use crate::{
        checks::{chain::describe, words::in_english},
        status::{CaaWhy, Zone},
    };

    #[test]
    fn the_customer_is_told_the_same_as_the_operator() {
        let zone = Zone { name: "zone.example".to_owned(), provider: None };
        for fault in CnameFault::VARIANTS {
            for (count, zone) in [(1, None), (1, Some(zone.clone())), (MAX_CNAMES, None)] {
                let cnames = (0..count).map(|n| format!("c{n}.example")).collect();
                let chain = Chain { fault: *fault, cnames, zone };
                let told = in_english(&of_chain(&chain, "shop.example"));
                let described = describe(&chain, "shop.example");
                assert!(told.ends_with(&described), "{told}");
                assert_eq!(told == described, count == 1 || !told.starts_with("it leads on"));
            }
        }
        for (why, reason) in [
            (CaaWhy::NotExact, Reason::CaaNotExact),
            (CaaWhy::Malformed("x".to_owned()), Reason::CaaMalformed { parameter: "x".to_owned() }),
            (CaaWhy::OneAccount, Reason::CaaOneAccount),
            (CaaWhy::OtherMethod, Reason::CaaOtherMethod { method: CaaWhy::METHOD }),
        ] {
            assert_eq!(why.to_string(), in_english(&reason));
        }
    }

    #[test]
    fn servers_that_disagree_are_named_with_their_answers() {
        let answer = |server: &str, verdict, address: Option<&str>| ResolverAnswer {
            verdict,
            addresses: address.iter().map(|one| one.parse().unwrap()).collect(),
            ..ResolverAnswer::of(server)
        };
        let right = || answer("ns1", DnsVerdict::Ok, Some("203.0.113.10"));
        let elsewhere = |server| answer(server, DnsVerdict::Elsewhere, Some("198.51.100.7"));
        let mut dns = DnsResult {
            verdict: DnsVerdict::Broken,
            seen: 0,
            of: 2,
            addresses: Vec::new(),
            host: None,
            aaaa_elsewhere: Vec::new(),
            strays: Vec::new(),
            broken_by: Some(BrokenBy::Disagreement),
            chain: None,
            synthesized_from: None,
            zone: None,
            error: None,
            answers: vec![elsewhere("1.1.1.1"), right()],
            name_servers: vec![
                right(),
                elsewhere("ns2"),
                answer("ns3", DnsVerdict::NoSuchName, None),
                answer("ns4", DnsVerdict::NoAddress, None),
                answer("ns5", DnsVerdict::Broken, None),
                answer("ns6", DnsVerdict::Unknown, None),
            ],
            history: Default::default(),
        };
        assert_eq!(
            in_english(&of_broken(&dns, "shop.example")),
            "its name servers do not agree: ns1 says 203.0.113.10, ns2 says 198.51.100.7, ns3 says that \
             the name does not exist, ns4 says that the name has no address, ns5 fails"
        );
        // They are right, and a resolver has an old answer from others.
        dns.name_servers = vec![right()];
        let told = in_english(&of_broken(&dns, "shop.example"));
        let begin =
            "its name servers are right, but 1.1.1.1 says 198.51.100.7, for longer than caches";
        assert!(told.starts_with(begin), "{told}");
    }
}
