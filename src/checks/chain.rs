//! Finds the fault in a chain of CNAMEs without an address at its end. A resolver only reports that it
//! failed, not at which CNAME.

use std::net::IpAddr;

use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::{
    names::text, query::ServFailCause, reply::Reply, resolver::Resolver, resolvers::Resolvers,
    votes::LONG_CHAIN, zones::find_zone,
};
use crate::status::{Chain, CnameFault, DnsResult, DnsVerdict, Zone};

/// The longest chain that is followed.
pub(super) const MAX_CNAMES: usize = 16;
/// The most CNAMEs of a loop that are shown.
const SHOWN: usize = 6;

/// The fault in the CNAMEs of a name without a right address, if they have one. One resolver whose
/// answer counts is asked for each of them.
pub(super) async fn find_fault(
    host: &Name,
    dns: &DnsResult,
    resolvers: &Resolvers,
) -> Option<Chain> {
    let counting = || dns.answers.iter().filter(|one| one.counts());
    // Of a long chain that only some resolvers follow to its end, no answer may have the verdict.
    let answer = counting().find(|one| one.verdict == dns.verdict).or_else(|| counting().next())?;
    let resolver = resolvers.with_label(&answer.resolver)?;
    // The CNAMEs of an answer are final: single queries may return others (RFC 6672 and RFC 6761).
    let shown = |fault| (!answer.cnames.is_empty()).then(|| (fault, answer.cnames.clone(), None));
    let is_of_all = |(fault, ..): &Found| matches!(fault, CnameFault::Loop | CnameFault::TooLong);
    let (fault, cnames, end) = match dns.verdict {
        DnsVerdict::NoSuchName => shown(CnameFault::NoSuchName),
        DnsVerdict::NoAddress => match shown(CnameFault::NoAddress) {
            Some(shown) => follow(host, resolver).await.filter(is_of_all).or(Some(shown)),
            None => None,
        },
        _ => follow(host, resolver).await,
    }?;
    let zone = match (fault, end) {
        (CnameFault::Failure | CnameFault::Signatures, Some(end)) => {
            find_zone(&end, resolvers).await
        }
        _ => None,
    };
    Some(Chain { fault, cnames, zone: zone.map(Zone::from) })
}

/// The last target of a name's CNAMEs, as far as it can be found.
pub(super) async fn end(name: &Name, resolvers: &Resolvers) -> Name {
    let mut at = name.clone();
    for _ in 0..MAX_CNAMES {
        let Reply::Records { records, .. } = resolvers.records(&at, RecordType::CNAME).await else {
            break;
        };
        match target(&records, &at) {
            Some(target) => at = target,
            None => break,
        }
    }
    at
}

fn target(records: &[Record], of: &Name) -> Option<Name> {
    records.iter().find_map(|record| match &record.data {
        RData::CNAME(target) if record.name == *of => Some(target.0.clone()),
        _ => None,
    })
}

/// The fault, the target of each CNAME, and the last name that was queried, if any was.
type Found = (CnameFault, Vec<String>, Option<Name>);

/// Queries each CNAME. None where they have no fault.
async fn follow(host: &Name, resolver: &Resolver) -> Option<Found> {
    let mut seen = vec![host.clone()];
    let mut at = host.clone();
    while seen.len() <= MAX_CNAMES {
        let fault = match resolver.ask(&at, RecordType::CNAME).await {
            Reply::Records { records, .. } => match target(&records, &at) {
                Some(target) => {
                    let is_loop = seen.contains(&target);
                    seen.push(target.clone());
                    at = target;
                    if !is_loop {
                        continue;
                    }
                    Some(CnameFault::Loop)
                }
                None => match resolver.ask(&at, RecordType::A).await {
                    Reply::Records { records, .. } if records.is_empty() => {
                        Some(CnameFault::NoAddress)
                    }
                    Reply::Records { .. } => {
                        (seen.len() > LONG_CHAIN).then_some(CnameFault::TooLong)
                    }
                    reply => fault_of(&reply),
                },
            },
            reply => fault_of(&reply),
        };
        let fault = fault.filter(|_| seen.len() > 1)?;
        return Some((fault, names(&seen), Some(at)));
    }
    Some((CnameFault::TooLong, names(&seen), Some(at)))
}

fn fault_of(reply: &Reply) -> Option<CnameFault> {
    match reply {
        Reply::NoSuchName { .. } => Some(CnameFault::NoSuchName),
        Reply::Broken { cause: Some(ServFailCause::Signatures), .. } => {
            Some(CnameFault::Signatures)
        }
        Reply::Broken { .. } => Some(CnameFault::Failure),
        Reply::Records { .. } | Reply::Failed(_) | Reply::Unreadable | Reply::Silent(_) => None,
    }
}

pub(super) fn describe(chain: &Chain, name: &str) -> String {
    let last = chain.cnames.last().map_or(name, String::as_str);
    let zone = chain.zone.as_ref().map_or(last, |zone| &zone.name);
    match chain.fault {
        CnameFault::Loop => format!("its CNAMEs form a loop, {}", path_of_loop(chain, name)),
        CnameFault::TooLong => {
            let or_more = if chain.cnames.len() < MAX_CNAMES { "" } else { " or more" };
            let length = chain.cnames.len();
            format!("its chain of {length}{or_more} CNAMEs is longer than resolvers follow")
        }
        CnameFault::NoSuchName if last.parse::<IpAddr>().is_ok() => {
            format!("{last} is an address, and the target of a CNAME must be a name")
        }
        CnameFault::NoSuchName => format!("{last} does not exist"),
        CnameFault::NoAddress => format!("{last} has no address"),
        CnameFault::Failure => {
            format!("the name servers of {zone} fail (SERVFAIL)")
        }
        CnameFault::Signatures => format!("the DNSSEC signatures of {zone} are wrong"),
    }
}

/// `a.example → b.example → a.example`
pub(super) fn path_of_loop(chain: &Chain, name: &str) -> String {
    let path = chain.cnames.iter().take(SHOWN).map(String::as_str);
    let more = (chain.cnames.len() > SHOWN).then_some("…");
    let path: Vec<&str> = std::iter::once(name).chain(path).chain(more).collect();
    path.join(" → ")
}

fn names(seen: &[Name]) -> Vec<String> {
    seen.iter().skip(1).map(text).collect()
}
