//! Finds out why a name does not work: the CNAME at fault, the record that answers, and the zone in which
//! it must be changed.

use hickory_resolver::proto::rr::Name;

use super::{
    chain,
    names::{dns_name, text},
    origin,
    resolvers::Resolvers,
    zones::{FoundZone, find_zone, is_registered},
};
use crate::{
    domain::DomainName,
    status::{BrokenBy, CheckResult, CnameFault, DnsResult, DnsVerdict, Zone},
};

/// Adds the causes to a result, unless nobody needs to act.
pub(super) async fn find_causes(
    name: &DomainName,
    host: &Name,
    result: &mut CheckResult,
    resolvers: &Resolvers,
) {
    let dns = &result.dns;
    let needs_change = match dns.verdict {
        DnsVerdict::Unknown | DnsVerdict::Propagating => false,
        DnsVerdict::Ok => !result.blockers.is_empty(),
        DnsVerdict::Proxied => !result.blockers.is_empty() || result.ssl.verdict.is_bad(),
        _ => true,
    };
    if !needs_change {
        return;
    }
    let chain = async {
        match dns.verdict.is_without_address() {
            true => chain::find_fault(host, dns, resolvers).await,
            false => None,
        }
    };
    // CAA records of a name above this one may be in another zone.
    let caa = result.caa.as_ref();
    let caa = caa.filter(|caa| caa.via.is_none() && !caa.is_of_a_registry());
    let at = caa.and_then(|caa| dns_name(&caa.at).ok()).unwrap_or_else(|| host.clone());
    let (mut chain, mut zone) = tokio::join!(chain, find_zone(&at, resolvers));
    let fails_alone = chain.is_none() && fails_alone(host, dns, &mut zone, resolvers).await;
    let synthesized_from = match &zone {
        Some(zone) if !name.is_wildcard() => {
            let cname = chain.as_ref().and_then(|chain| chain.cnames.first());
            let cname = cname.or_else(|| dns.cnames().first()).map(String::as_str);
            origin::find(host, &zone.name, cname, dns, resolvers).await
        }
        _ => None,
    };
    if let (None, Some(synthesized_from)) = (&chain, &synthesized_from) {
        chain = origin::broken_behind(host, synthesized_from, dns, resolvers).await;
    }
    let dns = &mut result.dns;
    match (&chain, &zone) {
        (Some(chain), _) => {
            dns.error = Some(chain::describe(chain, name.as_str()));
            dns.broken_by = match chain.fault {
                CnameFault::TooLong => Some(BrokenBy::LongChain),
                CnameFault::Loop => None,
                _ => dns.broken_by,
            };
        }
        (None, Some(zone)) if fails_alone => {
            let why = dns.error.as_deref().unwrap_or("SERVFAIL");
            dns.error =
                Some(format!("{why}, though new names below {} are answered", text(&zone.name)));
            dns.broken_by = Some(BrokenBy::OneName);
        }
        _ => {}
    }
    (dns.chain, dns.synthesized_from, dns.zone) = (chain, synthesized_from, zone.map(Zone::from));
}

/// Whether the name's servers fail for it and answer for other names. If so, a name that was taken for a
/// zone because it fails is replaced by the zone above it.
async fn fails_alone(
    host: &Name,
    dns: &DnsResult,
    zone: &mut Option<FoundZone>,
    resolvers: &Resolvers,
) -> bool {
    let is_right_for_some = dns.answers.iter().any(|one| one.counts() && one.verdict.is_good());
    if dns.broken_by != Some(BrokenBy::Failure) || is_right_for_some {
        return false;
    }
    let Some(found) = zone.as_ref() else { return false };
    if !origin::answers_below(&found.name, dns, resolvers).await {
        return false;
    }
    if found.servers.is_empty() && found.name == *host && !is_registered(host) {
        *zone = find_zone(&host.base_name(), resolvers).await;
    }
    zone.is_some()
}
