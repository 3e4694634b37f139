//! Derives the DNS verdict from the answers. Pure.

use std::{collections::BTreeSet, fmt::Write as _, net::IpAddr};

use ipnet::IpNet;

use super::{
    hosts::known_host,
    query::ServFailCause,
    reply::Addresses,
    reserved::reserved,
    targets::{Expected, contains},
    votes::LONG_CHAIN,
};
use crate::status::{BrokenBy, DnsHistory, DnsResult, DnsVerdict, ResolverAnswer, Stray};

/// The verdict of one server's answer alone.
pub(super) fn evaluate_answer(
    server: &str,
    answer: Addresses,
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> ResolverAnswer {
    let mut result = ResolverAnswer::of(server);
    result.verdict = match answer {
        Addresses::Silent(reason) | Addresses::Failed(reason) => {
            result.error = Some(reason);
            DnsVerdict::Unknown
        }
        Addresses::Broken { cause, why } => {
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            result.error = Some(match cause {
                ServFailCause::Signatures => format!("its DNSSEC signatures are wrong{why}"),
                ServFailCause::Servers => format!("its name servers fail (SERVFAIL){why}"),
            });
            result.dnssec = cause == ServFailCause::Signatures;
            DnsVerdict::Broken
        }
        Addresses::NoSuchName { cnames, ttl_s } => {
            result.error = cnames.last().map(|name| format!("its CNAME leads to {name}"));
            result.cnames = cnames;
            result.ttl_s = ttl_s;
            DnsVerdict::NoSuchName
        }
        Addresses::Found { addresses, cnames, ttl_s } => {
            let verdict = evaluate_addresses(&addresses, &cnames, expected, proxies);
            result.addresses = addresses;
            result.cnames = cnames;
            result.ttl_s = Some(ttl_s);
            verdict
        }
    };
    result
}

fn evaluate_addresses(
    addresses: &[IpAddr],
    cnames: &[String],
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> DnsVerdict {
    if addresses.is_empty() {
        return DnsVerdict::NoAddress;
    }
    let Some(expected) = expected else {
        return DnsVerdict::Unknown;
    };
    let is_reachable =
        |address: &IpAddr| reserved(*address).is_none() || expected.has_address(*address);
    if cnames.iter().any(|name| expected.has_host(name)) && addresses.iter().all(is_reachable) {
        return DnsVerdict::Ok;
    }
    let all_are = |is: &dyn Fn(IpAddr) -> bool| {
        // Where there are A records, they decide; AAAA records beside them are evaluated separately.
        let has_v4 = addresses.iter().any(IpAddr::is_ipv4);
        addresses.iter().filter(|address| address.is_ipv4() == has_v4).all(|address| is(*address))
    };
    if all_are(&|address| expected.has_address(address)) {
        DnsVerdict::Ok
    } else if all_are(&|address| expected.has_address(address) || contains(proxies, address)) {
        DnsVerdict::Proxied
    } else if expected.is_incomplete() {
        DnsVerdict::Unknown
    } else {
        DnsVerdict::Elsewhere
    }
}

/// The verdict of all counting answers: those of the resolvers and, where they were asked, of the name's
/// own name servers.
pub(super) fn evaluate_dns(
    answers: Vec<ResolverAnswer>,
    name_servers: Vec<ResolverAnswer>,
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> DnsResult {
    let counting: Vec<&ResolverAnswer> = answers.iter().filter(|answer| answer.counts()).collect();
    let mut verdict = verdict_of(&counting);
    let mut representative = match verdict {
        // While it propagates, the old address is what its owner may have to change.
        DnsVerdict::Propagating => counting.iter().find(|answer| !answer.verdict.is_good()),
        verdict => counting.iter().find(|answer| answer.verdict == verdict),
    }
    .copied();
    let (mut broken_by, broken) = match verdict {
        DnsVerdict::Broken => why_broken(&counting, &name_servers).unzip(),
        _ => (None, None),
    };
    let mut error = match verdict {
        DnsVerdict::Unknown => why_unknown(&answers),
        DnsVerdict::Broken => broken,
        _ => representative.and_then(|answer| answer.error.clone()),
    };
    if verdict == DnsVerdict::Propagating {
        let zone: Vec<&ResolverAnswer> =
            name_servers.iter().filter(|answer| answer.counts()).collect();
        let first = zone.first().copied();
        if let Some(first) = first.filter(|first| !first.verdict.is_good())
            && zone.iter().all(|one| one.verdict == first.verdict)
        {
            // The resolvers will have the answer of the name servers in the end.
            (verdict, representative, error) = (first.verdict, Some(first), first.error.clone());
            broken_by = (verdict == DnsVerdict::Broken).then_some(BrokenBy::Failure);
        } else if !zone.iter().all(|one| one.verdict.is_good()) {
            let says = |one: &&ResolverAnswer| format!("{} says {}", one.resolver, one.describe());
            let all: Vec<String> = zone.iter().map(says).collect();
            (verdict, broken_by) = (DnsVerdict::Broken, Some(BrokenBy::Disagreement));
            error = Some(format!("its name servers do not agree: {}", all.join(", ")));
        }
    }
    let agrees = |answer: &&&ResolverAnswer| match verdict {
        DnsVerdict::Propagating => answer.verdict.is_good(),
        verdict => answer.verdict == verdict,
    };
    let seen = counting.iter().filter(agrees).count();
    let addresses = representative.map(|answer| answer.addresses.clone()).unwrap_or_default();
    let host = match (verdict, representative) {
        (DnsVerdict::Elsewhere | DnsVerdict::Proxied | DnsVerdict::Propagating, Some(answer)) => {
            known_host(&answer.addresses, &answer.cnames)
        }
        _ => None,
    };
    let aaaa_elsewhere = aaaa_elsewhere(&counting, expected, proxies);
    let strays = match verdict {
        DnsVerdict::Elsewhere => strays(&addresses, expected, proxies),
        // While it propagates, those that any resolver still returns.
        DnsVerdict::Propagating => {
            let all: BTreeSet<IpAddr> =
                counting.iter().flat_map(|answer| &answer.addresses).copied().collect();
            strays(&all, expected, proxies)
        }
        _ => strays(&aaaa_elsewhere, expected, proxies),
    };
    let of = counting.len();
    DnsResult {
        verdict,
        seen,
        of,
        addresses,
        host,
        aaaa_elsewhere,
        strays,
        broken_by,
        chain: None,
        synthesized_from: None,
        zone: None,
        error,
        answers,
        name_servers,
        history: DnsHistory::default(),
    }
}

/// The addresses that are not expected, each with the well-known host that it belongs to.
fn strays<'a>(
    addresses: impl IntoIterator<Item = &'a IpAddr>,
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> Vec<Stray> {
    let Some(expected) = expected else {
        return Vec::new();
    };
    let is_stray =
        |address: &&IpAddr| !expected.has_address(**address) && !contains(proxies, **address);
    let stray = |address: &IpAddr| Stray { address: *address, host: known_host(&[*address], &[]) };
    addresses.into_iter().filter(is_stray).map(stray).collect()
}

fn verdict_of(counting: &[&ResolverAnswer]) -> DnsVerdict {
    let count = |verdict| counting.iter().filter(|answer| answer.verdict == verdict).count();
    let good = count(DnsVerdict::Ok) + count(DnsVerdict::Proxied);
    if counting.is_empty() {
        DnsVerdict::Unknown
    } else if count(DnsVerdict::Ok) == counting.len() {
        DnsVerdict::Ok
    } else if good == counting.len() {
        // A proxy that is being turned on or off.
        DnsVerdict::Proxied
    } else if good > 0 && count(DnsVerdict::Broken) > 0 || has_long_chain(counting) {
        // A failure beside a good answer does not end with time.
        DnsVerdict::Broken
    } else if good > 0 {
        DnsVerdict::Propagating
    } else {
        most_common(counting)
    }
}

/// The most common verdict; of equals, the one that tells the owner most.
fn most_common(counting: &[&ResolverAnswer]) -> DnsVerdict {
    let count = |verdict| counting.iter().filter(|answer| answer.verdict == verdict).count();
    let tells = |verdict| match verdict {
        DnsVerdict::Elsewhere => 7,
        DnsVerdict::Proxied => 6,
        DnsVerdict::NoAddress => 5,
        DnsVerdict::NoSuchName => 4,
        DnsVerdict::Broken => 3,
        DnsVerdict::Ok => 2,
        DnsVerdict::Propagating => 1,
        DnsVerdict::Unknown => 0,
    };
    let verdicts = counting.iter().map(|answer| answer.verdict);
    verdicts.max_by_key(|verdict| (count(*verdict), tells(*verdict))).unwrap_or(DnsVerdict::Unknown)
}

/// Whether only some resolvers follow a long chain of CNAMEs to its end.
fn has_long_chain(counting: &[&ResolverAnswer]) -> bool {
    let gave_up =
        |answer: &&ResolverAnswer| answer.addresses.is_empty() && answer.cnames.len() >= LONG_CHAIN;
    counting.iter().any(|answer| answer.cnames.len() >= LONG_CHAIN && !answer.addresses.is_empty())
        && counting.iter().any(|answer| answer.verdict == DnsVerdict::Broken || gave_up(answer))
}

fn why_broken(
    counting: &[&ResolverAnswer],
    name_servers: &[ResolverAnswer],
) -> Option<(BrokenBy, String)> {
    if has_long_chain(counting) {
        let longest = counting.iter().map(|answer| answer.cnames.len()).max().unwrap_or_default();
        let why = format!("its chain of {longest} CNAMEs is longer than some resolvers follow");
        return Some((BrokenBy::LongChain, why));
    }
    // The most specific error: wrong signatures, or else the longest text.
    let broken = counting.iter().filter(|answer| answer.verdict == DnsVerdict::Broken);
    let one = broken.max_by_key(|one| (one.dnssec, one.error.as_ref().map(String::len)))?;
    let mut why = one.error.clone()?;
    if one.dnssec {
        return Some((BrokenBy::Signatures, why));
    }
    let fails = |answer: &&ResolverAnswer| answer.addresses.is_empty() && answer.error.is_some();
    for answer in name_servers.iter().filter(fails) {
        let _ = write!(why, "; {} says {}", answer.resolver, answer.describe());
    }
    Some((BrokenBy::Failure, why))
}

fn why_unknown(answers: &[ResolverAnswer]) -> Option<String> {
    let says_where = |one: &ResolverAnswer| one.error.is_none() && one.ignored_because.is_none();
    if answers.iter().any(says_where) {
        return Some("it is not known where names should point".to_owned());
    }
    // The reason why an answer does not count is more useful than its error.
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for answer in answers {
        let Some(why) = answer.ignored_because.as_deref().or(answer.error.as_deref()) else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, resolvers)) => resolvers.push(&answer.resolver),
            None => reasons.push((why, vec![&answer.resolver])),
        }
    }
    let each = reasons.iter().map(|(why, resolvers)| format!("{}: {why}", resolvers.join(", ")));
    (!reasons.is_empty()).then(|| each.collect::<Vec<_>>().join("; "))
}

/// Replaces the verdict `propagating` where it has lasted too long to end with time.
pub(super) fn end_propagation(dns: &mut DnsResult) {
    let counting: Vec<&ResolverAnswer> =
        dns.answers.iter().filter(|answer| answer.counts()).collect();
    let most = most_common(&counting);
    let mut zone = dns.name_servers.iter().filter(|answer| answer.counts()).peekable();
    let is_right_in_zone = zone.peek().is_some() && zone.all(|answer| answer.verdict.is_good());
    if !most.is_good() && is_right_in_zone {
        // There is nothing left to fix in the zone.
        let old = counting.iter().filter(|answer| !answer.verdict.is_good());
        let old: Vec<String> =
            old.map(|one| format!("{} has {}", one.resolver, one.describe())).collect();
        let why = format!(
            "its name servers are right, but {}, for longer than caches may keep an old answer: other \
             name servers, such as those that it had before, still serve it",
            old.join(", ")
        );
        (dns.verdict, dns.seen) = (DnsVerdict::Broken, 0);
        (dns.broken_by, dns.error) = (Some(BrokenBy::Disagreement), Some(why));
        return;
    }
    let representative = counting.iter().find(|answer| answer.verdict == most).copied().cloned();
    dns.verdict = most;
    dns.seen = counting.iter().filter(|answer| answer.verdict == most).count();
    if most.is_good() {
        let others = dns.answers.iter_mut().filter(|answer| answer.counts());
        for answer in others.filter(|answer| !answer.verdict.is_good()) {
            let stale = "it has kept an old answer for longer than caches may keep any";
            answer.ignored_because = Some(stale.to_owned());
        }
        dns.of = dns.answers.iter().filter(|answer| answer.counts()).count();
    }
    if let Some(answer) = representative {
        let is_elsewhere = matches!(most, DnsVerdict::Elsewhere | DnsVerdict::Proxied);
        let host = known_host(&answer.addresses, &answer.cnames).filter(|_| is_elsewhere);
        dns.host = host;
        let is_meant = |address: &IpAddr| match most {
            DnsVerdict::Elsewhere => answer.addresses.contains(address),
            _ => dns.aaaa_elsewhere.contains(address),
        };
        dns.strays.retain(|stray| is_meant(&stray.address));
        (dns.addresses, dns.error) = (answer.addresses, answer.error);
    }
}

/// The AAAA records beside a right A record that are not expected.
fn aaaa_elsewhere(
    counting: &[&ResolverAnswer],
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> Vec<IpAddr> {
    let Some(expected) = expected.filter(|expected| !expected.is_incomplete()) else {
        return Vec::new();
    };
    let elsewhere: BTreeSet<IpAddr> = counting
        .iter()
        .filter(|answer| answer.verdict.is_good())
        .filter(|answer| !answer.cnames.iter().any(|name| expected.has_host(name)))
        .flat_map(|answer| &answer.addresses)
        .filter(|address| address.is_ipv6())
        .filter(|address| !expected.has_address(**address) && !contains(proxies, **address))
        .copied()
        .collect();
    elsewhere.into_iter().collect()
}

#[cfg(test)]
mod tests;
