//! Where CNAMEs lead that lead nowhere. A resolver only says that it failed, not at which of them.

use std::net::IpAddr;

use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::{
    dns::Resolver,
    reply::{Reply, text},
    resolvers::Resolvers,
    weigh::LONG_CHAIN,
    zones::find_zone,
};
use crate::status::{Chain, CnameFault, DnsResult, DnsVerdict};

/// No chain is followed further,
const MOST: usize = 16;
/// and no more of a circle is told.
const SHOWN: usize = 6;

/// Why a name without a right address has none, where its CNAMEs are why. One resolver is asked for
/// each of them: one whose answer counts.
pub(super) async fn find_fault(
    host: &Name,
    dns: &DnsResult,
    resolvers: &Resolvers,
) -> Option<Chain> {
    let counting = || dns.answers.iter().filter(|one| one.counts());
    // Some may follow a long chain to its end, and the others not call it broken.
    let answer = counting().find(|one| one.verdict == dns.verdict).or_else(|| counting().next())?;
    let resolver = resolvers.all.iter().find(|one| one.label() == answer.resolver)?;
    // What an answer shows of them is so: each asked for by itself may have another (RFC 6672 and 6761).
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
    Some(Chain { fault, cnames, zone: zone.map(|zone| zone.seen()) })
}

/// Where the CNAMEs of a name lead at last, as far as that can be seen.
pub(super) async fn end(name: &Name, resolvers: &Resolvers) -> Name {
    let mut at = name.clone();
    for _ in 0..MOST {
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

/// Why they lead nowhere, where each leads, and the last of the names, where that was asked for.
type Found = (CnameFault, Vec<String>, Option<Name>);

/// Asks for each of them. None where they are not why.
async fn follow(host: &Name, resolver: &Resolver) -> Option<Found> {
    let mut seen = vec![host.clone()];
    let mut at = host.clone();
    while seen.len() <= MOST {
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
                None => at_the_end(&at, seen.len() - 1, resolver).await,
            },
            Reply::NoSuchName { .. } => Some(CnameFault::NoSuchName),
            Reply::Broken { dnssec: Some(true), .. } => Some(CnameFault::Signatures),
            Reply::Broken { .. } => Some(CnameFault::Failure),
            Reply::Failed(_) | Reply::Unreadable | Reply::Silent(_) => None,
        };
        return (seen.len() > 1)
            .then_some(())
            .and(fault)
            .map(|fault| (fault, names(&seen), Some(at)));
    }
    Some((CnameFault::TooLong, names(&seen), Some(at)))
}

/// What is wrong with the name that so many CNAMEs lead to.
async fn at_the_end(at: &Name, cnames: usize, resolver: &Resolver) -> Option<CnameFault> {
    match resolver.ask(at, RecordType::A).await {
        Reply::Broken { dnssec: Some(true), .. } => Some(CnameFault::Signatures),
        Reply::Broken { .. } => Some(CnameFault::Failure),
        Reply::NoSuchName { .. } => Some(CnameFault::NoSuchName),
        Reply::Records { records, .. } if records.is_empty() => Some(CnameFault::NoAddress),
        Reply::Records { .. } => (cnames >= LONG_CHAIN).then_some(CnameFault::TooLong),
        Reply::Failed(_) | Reply::Unreadable | Reply::Silent(_) => None,
    }
}

/// The same, in words.
pub(super) fn why(chain: &Chain, name: &str) -> String {
    let last = chain.cnames.last().map_or(name, String::as_str);
    let zone = chain.zone.as_ref().map_or(last, |zone| &zone.name);
    match chain.fault {
        CnameFault::Loop => {
            let way = chain.cnames.iter().take(SHOWN).map(String::as_str);
            let more = (chain.cnames.len() > SHOWN).then_some("…");
            let way: Vec<&str> = std::iter::once(name).chain(way).chain(more).collect();
            format!("its CNAMEs lead in a circle, {}", way.join(" → "))
        }
        CnameFault::TooLong => {
            let or_more = if chain.cnames.len() < MOST { "" } else { " or more" };
            let length = chain.cnames.len();
            format!("its chain of {length}{or_more} CNAMEs is longer than resolvers follow")
        }
        CnameFault::NoSuchName if last.parse::<IpAddr>().is_ok() => {
            format!("{last} is an address, and a CNAME leads to names only")
        }
        CnameFault::NoSuchName => format!("{last} does not exist"),
        CnameFault::NoAddress => format!("{last} has no address"),
        CnameFault::Failure => {
            format!("the name servers of {zone} do not answer as they should (SERVFAIL)")
        }
        CnameFault::Signatures => format!("the DNSSEC signatures of {zone} are wrong"),
    }
}

fn names(seen: &[Name]) -> Vec<String> {
    seen.iter().skip(1).map(text).collect()
}
