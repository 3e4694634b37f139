//! What keeps an authority from issuing a certificate. Pure.

use std::{collections::BTreeSet, net::IpAddr};

use crate::status::{Blocker, Caa, CaaFault, CheckResult, DnsResult, DnsVerdict};

pub(super) fn add_blockers(result: &mut CheckResult, caa: Option<Caa>) {
    if !result.dns.aaaa_elsewhere.is_empty() {
        result.blockers.push(Blocker::AaaaElsewhere);
        apply_aaaa_elsewhere(result);
    }
    if let Some(caa) = caa {
        result.blockers.push(match caa.fault {
            CaaFault::Unreachable => Blocker::CaaUnreachable,
            _ => Blocker::CaaForbids,
        });
        result.caa = Some(caa);
    }
}

/// Without a certificate, an AAAA record that points elsewhere makes the DNS verdict `elsewhere`:
/// authorities and visitors with IPv6 connect there.
pub(super) fn apply_aaaa_elsewhere(result: &mut CheckResult) {
    let dns = &mut result.dns;
    let is_elsewhere = result.blockers.contains(&Blocker::AaaaElsewhere);
    if is_elsewhere && dns.verdict.is_good() && result.ssl.verdict.is_bad() {
        dns.addresses = visited_addresses(dns);
        dns.verdict = DnsVerdict::Elsewhere;
    }
}

/// The addresses that visitors connect to: those of all good answers, if there are any.
pub(super) fn visited_addresses(dns: &DnsResult) -> Vec<IpAddr> {
    let good = dns.answers.iter().filter(|answer| answer.counts() && answer.verdict.is_good());
    let addresses: BTreeSet<IpAddr> = good.flat_map(|answer| &answer.addresses).copied().collect();
    if addresses.is_empty() { dns.addresses.clone() } else { addresses.into_iter().collect() }
}
