//! What the answers mean. Pure.

use std::{cmp::Reverse, fmt::Write as _, net::IpAddr};

use ipnet::IpNet;

use super::{
    hosts::known_host,
    reply::Addresses,
    reserved::reserved,
    targets::{Expected, contains},
    weigh::LONG_CHAIN,
};
use crate::status::{BrokenBy, DnsHistory, DnsResult, DnsVerdict, ResolverAnswer, Stray};

/// What one server's answer means on its own.
pub(super) fn evaluate_answer(
    server: &str,
    answer: Addresses,
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> ResolverAnswer {
    let mut judged = ResolverAnswer::of(server);
    judged.verdict = match answer {
        Addresses::Silent(reason) | Addresses::Failed(reason) => {
            judged.error = Some(reason);
            DnsVerdict::Unknown
        }
        Addresses::Broken { dnssec, why } => {
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            judged.error = Some(if dnssec {
                format!("its DNSSEC signatures are wrong{why}")
            } else {
                format!("its name servers do not answer as they should (SERVFAIL){why}")
            });
            judged.dnssec = dnssec;
            DnsVerdict::Broken
        }
        Addresses::NoSuchName { cnames, ttl_s } => {
            let leads_to = cnames.last();
            judged.error = leads_to.map(|name| format!("its CNAME leads to {name}"));
            judged.cnames = cnames;
            judged.ttl_s = ttl_s;
            DnsVerdict::NoSuchName
        }
        Addresses::Found { addresses, cnames, ttl_s } => {
            let verdict = judge_addresses(&addresses, &cnames, expected, proxies);
            judged.addresses = addresses;
            judged.cnames = cnames;
            judged.ttl_s = Some(ttl_s);
            verdict
        }
    };
    judged
}

fn judge_addresses(
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
    let may_be_right =
        |address: &IpAddr| reserved(*address).is_none() || expected.has_address(*address);
    if cnames.iter().any(|name| expected.has_host(name)) && addresses.iter().all(may_be_right) {
        return DnsVerdict::Ok;
    }
    let all_are = |is: &dyn Fn(IpAddr) -> bool| {
        // Where there is an A record it decides; an AAAA beside it is judged on its own.
        let has_v4 = addresses.iter().any(IpAddr::is_ipv4);
        addresses.iter().filter(|address| address.is_ipv4() == has_v4).all(|address| is(*address))
    };
    if all_are(&|address| expected.has_address(address)) {
        DnsVerdict::Ok
    } else if all_are(&|address| expected.has_address(address) || contains(proxies, address)) {
        DnsVerdict::Proxied
    } else if expected.has_perhaps_more() {
        DnsVerdict::Unknown
    } else {
        DnsVerdict::Elsewhere
    }
}

/// What all answers mean together, those of the resolvers and, where they were asked, of the name's
/// own servers. Answers that do not count have no say.
pub(super) fn evaluate_dns(
    answers: Vec<ResolverAnswer>,
    name_servers: Vec<ResolverAnswer>,
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> DnsResult {
    let said: Vec<&ResolverAnswer> = answers.iter().filter(|answer| answer.counts()).collect();
    let mut verdict = verdict_of(&said);
    let mut speaks_of = match verdict {
        // While it propagates, the place that it still points at is what its owner may have to mend.
        DnsVerdict::Propagating => said.iter().find(|answer| !answer.verdict.is_good()),
        verdict => said.iter().find(|answer| answer.verdict == verdict),
    }
    .copied();
    let (mut broken_by, broken) = match verdict {
        DnsVerdict::Broken => why_broken(&said, &name_servers).unzip(),
        _ => (None, None),
    };
    let mut error = match verdict {
        DnsVerdict::Unknown => why_unknown(&answers),
        DnsVerdict::Broken => broken,
        _ => speaks_of.and_then(|answer| answer.error.clone()),
    };
    if verdict == DnsVerdict::Propagating {
        let zone: Vec<&ResolverAnswer> =
            name_servers.iter().filter(|answer| answer.counts()).collect();
        let first = zone.first().copied();
        if let Some(first) = first.filter(|first| !first.verdict.is_good())
            && zone.iter().all(|one| one.verdict == first.verdict)
        {
            // Waiting brings what the zone says, and no other answer.
            (verdict, speaks_of, error) = (first.verdict, Some(first), first.error.clone());
            broken_by = (verdict == DnsVerdict::Broken).then_some(BrokenBy::Failure);
        } else if !zone.iter().all(|one| one.verdict.is_good()) {
            let says = |one: &&ResolverAnswer| format!("{} says {}", one.resolver, one.says());
            let all: Vec<String> = zone.iter().map(says).collect();
            (verdict, broken_by) = (DnsVerdict::Broken, Some(BrokenBy::Disagreement));
            error = Some(format!("its name servers do not agree: {}", all.join(", ")));
        }
    }
    let agrees = |answer: &&&ResolverAnswer| match verdict {
        DnsVerdict::Propagating => answer.verdict.is_good(),
        verdict => answer.verdict == verdict,
    };
    let seen = said.iter().filter(agrees).count();
    let addresses = speaks_of.map(|answer| answer.addresses.clone()).unwrap_or_default();
    let host = match (verdict, speaks_of) {
        (DnsVerdict::Elsewhere | DnsVerdict::Proxied | DnsVerdict::Propagating, Some(answer)) => {
            known_host(&answer.addresses, &answer.cnames)
        }
        _ => None,
    };
    let aaaa_elsewhere = aaaa_elsewhere(&said, expected, proxies);
    let strays = match verdict {
        DnsVerdict::Elsewhere => strays(&addresses, expected, proxies),
        // While it propagates, that is every one that anybody still has.
        DnsVerdict::Propagating => {
            let mut all: Vec<IpAddr> =
                said.iter().flat_map(|answer| &answer.addresses).copied().collect();
            all.sort_unstable();
            all.dedup();
            strays(&all, expected, proxies)
        }
        _ => strays(&aaaa_elsewhere, expected, proxies),
    };
    let of = said.len();
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
        made_of: None,
        zone: None,
        error,
        answers,
        name_servers,
        history: DnsHistory::default(),
    }
}

/// Those of the addresses that lead elsewhere, each with whose it is.
fn strays(addresses: &[IpAddr], expected: Option<&Expected>, proxies: &[IpNet]) -> Vec<Stray> {
    let Some(expected) = expected else {
        return Vec::new();
    };
    let is_stray =
        |address: &&IpAddr| !expected.has_address(**address) && !contains(proxies, **address);
    let stray = |address: &IpAddr| Stray { address: *address, host: known_host(&[*address], &[]) };
    addresses.iter().filter(is_stray).map(stray).collect()
}

fn verdict_of(said: &[&ResolverAnswer]) -> DnsVerdict {
    let count = |verdict| said.iter().filter(|answer| answer.verdict == verdict).count();
    let good = count(DnsVerdict::Ok) + count(DnsVerdict::Proxied);
    if said.is_empty() {
        DnsVerdict::Unknown
    } else if count(DnsVerdict::Ok) == said.len() {
        DnsVerdict::Ok
    } else if good == said.len() {
        // A proxy that is being turned on or off.
        DnsVerdict::Proxied
    } else if good > 0 && count(DnsVerdict::Broken) > 0 || has_long_chain(said) {
        // What fails beside an answer does not end by waiting.
        DnsVerdict::Broken
    } else if good > 0 {
        DnsVerdict::Propagating
    } else {
        most_common(said)
    }
}

/// What most of them say; of as many, what tells the owner most.
fn most_common(said: &[&ResolverAnswer]) -> DnsVerdict {
    let count = |verdict| said.iter().filter(|answer| answer.verdict == verdict).count();
    let verdicts = [
        DnsVerdict::Elsewhere,
        DnsVerdict::Proxied,
        DnsVerdict::NoAddress,
        DnsVerdict::NoSuchName,
        DnsVerdict::Broken,
        DnsVerdict::Ok,
    ];
    let most = verdicts.into_iter().min_by_key(|verdict| Reverse(count(*verdict)));
    most.unwrap_or(DnsVerdict::Unknown)
}

/// Whether some follow a chain of CNAMEs that others give up.
fn has_long_chain(said: &[&ResolverAnswer]) -> bool {
    let gave_up =
        |answer: &&ResolverAnswer| answer.addresses.is_empty() && answer.cnames.len() >= LONG_CHAIN;
    said.iter().any(|answer| answer.cnames.len() >= LONG_CHAIN && !answer.addresses.is_empty())
        && said.iter().any(|answer| answer.verdict == DnsVerdict::Broken || gave_up(answer))
}

fn why_broken(
    said: &[&ResolverAnswer],
    name_servers: &[ResolverAnswer],
) -> Option<(BrokenBy, String)> {
    if has_long_chain(said) {
        let longest = said.iter().map(|answer| answer.cnames.len()).max().unwrap_or_default();
        let why = format!("its chain of {longest} CNAMEs is longer than some resolvers follow");
        return Some((BrokenBy::LongChain, why));
    }
    // What tells more comes first: the signatures, or what a resolver says beyond the bare code.
    let broken = said.iter().filter(|answer| answer.verdict == DnsVerdict::Broken);
    let one = broken.max_by_key(|one| (one.dnssec, one.error.as_ref().map(String::len)))?;
    let mut why = one.error.clone()?;
    if one.dnssec {
        return Some((BrokenBy::Signatures, why));
    }
    let fails = |answer: &&ResolverAnswer| answer.addresses.is_empty() && answer.error.is_some();
    for answer in name_servers.iter().filter(fails) {
        let _ = write!(why, "; {} says {}", answer.resolver, answer.says());
    }
    Some((BrokenBy::Failure, why))
}

fn why_unknown(answers: &[ResolverAnswer]) -> Option<String> {
    let says_where = |one: &ResolverAnswer| one.error.is_none() && one.no_say.is_none();
    if answers.iter().any(says_where) {
        return Some("it is not known where names should point".to_owned());
    }
    // Why it does not count says more than what it would say.
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for answer in answers {
        let Some(why) = answer.no_say.as_deref().or(answer.error.as_deref()) else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, resolvers)) => resolvers.push(&answer.resolver),
            None => reasons.push((why, vec![&answer.resolver])),
        }
    }
    let each = reasons.iter().map(|(why, resolvers)| format!("{}: {why}", resolvers.join(", ")));
    (!reasons.is_empty()).then(|| each.collect::<Vec<_>>().join("; "))
}

/// What they mean when no waiting will bring them together.
pub(super) fn without_waiting(dns: &mut DnsResult) {
    let said: Vec<&ResolverAnswer> = dns.answers.iter().filter(|answer| answer.counts()).collect();
    let most = most_common(&said);
    let mut zone = dns.name_servers.iter().filter(|answer| answer.counts()).peekable();
    let is_right_in_zone = zone.peek().is_some() && zone.all(|answer| answer.verdict.is_good());
    if !most.is_good() && is_right_in_zone {
        // Nothing in the zone is left to be put right.
        let old = said.iter().filter(|answer| !answer.verdict.is_good());
        let old: Vec<String> =
            old.map(|one| format!("{} has {}", one.resolver, one.says())).collect();
        let why = format!(
            "its name servers are right, yet {}, for longer than any old answer may be kept: other \
             name servers, such as those that it had before, still serve it",
            old.join(", ")
        );
        (dns.verdict, dns.seen) = (DnsVerdict::Broken, 0);
        (dns.broken_by, dns.error) = (Some(BrokenBy::Disagreement), Some(why));
        return;
    }
    let speaks_of = said.iter().find(|answer| answer.verdict == most).copied().cloned();
    dns.verdict = most;
    dns.seen = said.iter().filter(|answer| answer.verdict == most).count();
    if most.is_good() {
        let others = dns.answers.iter_mut().filter(|answer| answer.counts());
        for answer in others.filter(|answer| !answer.verdict.is_good()) {
            let stale = "it has kept an old answer for longer than any may be kept";
            answer.no_say = Some(stale.to_owned());
        }
        dns.of = dns.answers.iter().filter(|answer| answer.counts()).count();
    }
    if let Some(answer) = speaks_of {
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

/// The AAAA records beside a right A record that lead to another place.
fn aaaa_elsewhere(
    said: &[&ResolverAnswer],
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> Vec<IpAddr> {
    let Some(expected) = expected.filter(|expected| !expected.has_perhaps_more()) else {
        return Vec::new();
    };
    let mut elsewhere: Vec<IpAddr> = said
        .iter()
        .filter(|answer| answer.verdict.is_good())
        .filter(|answer| !answer.cnames.iter().any(|name| expected.has_host(name)))
        .flat_map(|answer| &answer.addresses)
        .filter(|address| address.is_ipv6())
        .filter(|address| !expected.has_address(**address) && !contains(proxies, **address))
        .copied()
        .collect();
    elsewhere.sort_unstable();
    elsewhere.dedup();
    elsewhere
}

#[cfg(test)]
mod tests;
