//! What the answers mean. Pure.

use std::{cmp::Reverse, net::IpAddr};

use hickory_resolver::proto::rr::rdata::CAA;
use ipnet::IpNet;

use super::{
    dns::Addresses,
    targets::{Expected, contains, known_host},
};
use crate::{
    domain::DomainName,
    standing::{DnsObservation, DnsVerdict, ResolverAnswer},
};

/// What one resolver's answer means on its own.
pub(super) fn judge_answer(
    resolver: &str,
    answer: Addresses,
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> ResolverAnswer {
    let mut judged = ResolverAnswer {
        resolver: resolver.to_owned(),
        verdict: DnsVerdict::Unknown,
        addresses: Vec::new(),
        cnames: Vec::new(),
        error: None,
    };
    judged.verdict = match answer {
        Addresses::Silent(reason) => {
            judged.error = Some(reason);
            DnsVerdict::Unknown
        }
        Addresses::Broken { signatures } => {
            judged.error = Some(if signatures {
                "its DNSSEC signatures are wrong".to_owned()
            } else {
                "its name servers do not answer as they should (SERVFAIL)".to_owned()
            });
            DnsVerdict::Broken
        }
        Addresses::NoSuchName { cnames } => {
            let leads_to = cnames.last();
            judged.error = leads_to.map(|name| format!("its CNAME leads to {name}"));
            judged.cnames = cnames;
            DnsVerdict::NoSuchName
        }
        Addresses::Found { addresses, cnames } => {
            let verdict = judge_addresses(&addresses, &cnames, expected, proxies);
            judged.addresses = addresses;
            judged.cnames = cnames;
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
    if cnames.iter().any(|name| expected.has_host(name)) {
        return DnsVerdict::Ok;
    }
    let all_are = |is: &dyn Fn(IpAddr) -> bool| {
        // Where there is an A record it decides; an AAAA beside it is judged on its own.
        let has_v4 = addresses.iter().any(IpAddr::is_ipv4);
        addresses.iter().filter(|address| address.is_ipv4() == has_v4).all(|address| is(*address))
    };
    if all_are(&|address| expected.has_address(address)) {
        DnsVerdict::Ok
    } else if all_are(&|address| contains(proxies, address)) {
        DnsVerdict::Proxied
    } else {
        DnsVerdict::Elsewhere
    }
}

/// What all answers mean together. Resolvers that could not be asked have no say.
pub(super) fn judge_dns(
    answers: Vec<ResolverAnswer>,
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> DnsObservation {
    let said: Vec<&ResolverAnswer> =
        answers.iter().filter(|answer| answer.verdict != DnsVerdict::Unknown).collect();
    let count = |verdict| said.iter().filter(|answer| answer.verdict == verdict).count();
    let of = said.len();
    let good = count(DnsVerdict::Ok);
    let (verdict, seen) = if of == 0 {
        (DnsVerdict::Unknown, 0)
    } else if good == of {
        (DnsVerdict::Ok, good)
    } else if good > 0 {
        (DnsVerdict::Propagating, good)
    } else {
        // What most of them say; of as many, what tells the owner most.
        let verdicts = [
            DnsVerdict::Elsewhere,
            DnsVerdict::Proxied,
            DnsVerdict::NoAddress,
            DnsVerdict::NoSuchName,
            DnsVerdict::Broken,
        ];
        let most = verdicts.into_iter().min_by_key(|verdict| Reverse(count(*verdict)));
        let verdict = most.unwrap_or(DnsVerdict::Unknown);
        (verdict, count(verdict))
    };

    // While it propagates, the place that it still points at is what its owner may have to mend.
    let speaks_of = match verdict {
        DnsVerdict::Propagating => said.iter().find(|answer| answer.verdict != DnsVerdict::Ok),
        verdict => said.iter().find(|answer| answer.verdict == verdict),
    };
    let error = match verdict {
        DnsVerdict::Unknown if expected.is_none() && answers.iter().any(|a| a.error.is_none()) => {
            Some("it is not known where names should point".to_owned())
        }
        DnsVerdict::Unknown => answers
            .iter()
            .find_map(|answer| Some(format!("{}: {}", answer.resolver, answer.error.as_ref()?))),
        _ => speaks_of.and_then(|answer| answer.error.clone()),
    };
    let addresses = speaks_of.map(|answer| answer.addresses.clone()).unwrap_or_default();
    let host = match (verdict, speaks_of) {
        (DnsVerdict::Elsewhere | DnsVerdict::Proxied | DnsVerdict::Propagating, Some(answer)) => {
            known_host(&answer.addresses, &answer.cnames).map(str::to_owned)
        }
        _ => None,
    };
    let aaaa_elsewhere = aaaa_elsewhere(&said, expected, proxies);
    DnsObservation { verdict, seen, of, addresses, host, aaaa_elsewhere, error, answers }
}

/// The AAAA records beside a right A record that lead to another place.
fn aaaa_elsewhere(
    said: &[&ResolverAnswer],
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> Vec<IpAddr> {
    let Some(expected) = expected else {
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

/// Whether these CAA records, which are all that count for the name, let one of the authorities
/// issue for it; otherwise whom they allow (RFC 8659, section 4).
pub(super) fn judge_caa(
    records: &[CAA],
    name: &DomainName,
    authorities: &[String],
) -> Result<(), Vec<String>> {
    let property = |tag: &str| -> Vec<String> {
        let of_tag = records.iter().filter(|record| record.tag.eq_ignore_ascii_case(tag));
        of_tag.map(|record| issuer(&record.value)).collect()
    };
    let known =
        ["issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"];
    let unknown_critical = |record: &&CAA| {
        record.issuer_critical && !known.iter().any(|tag| record.tag.eq_ignore_ascii_case(tag))
    };
    if let Some(record) = records.iter().find(unknown_critical) {
        return Err(vec![format!("nobody, for its critical property {:?}", record.tag)]);
    }
    let issue = property("issue");
    let wild = property("issuewild");
    let issuers = if name.is_wildcard() && !wild.is_empty() { wild } else { issue };
    let is_ours =
        |issuer: &String| authorities.iter().any(|ours| ours.eq_ignore_ascii_case(issuer));
    if issuers.is_empty() || issuers.iter().any(is_ours) {
        return Ok(());
    }
    Err(issuers.into_iter().filter(|issuer| !issuer.is_empty()).collect())
}

/// The issuer's domain name in a property's value: what stands before its parameters.
fn issuer(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
