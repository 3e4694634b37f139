//! Which wildcard or DNAME record answers for a name without records of its own, and whether its zone
//! answers for other names.

use std::net::IpAddr;

use hickory_resolver::proto::{
    rr::{Name, RData, Record, RecordType},
    serialize::binary::{BinDecodable, BinDecoder},
};

use super::{names::text, reply::Reply, resolvers::Resolvers, zones::find_zone};
use crate::status::{BrokenBy, Chain, CnameFault, DnsResult, DnsVerdict, SynthesizedFrom, Zone};

/// The record that answers for a name of this zone. `cname` is the target of its first CNAME, if any.
pub(super) async fn find(
    host: &Name,
    zone: &Name,
    cname: Option<&str>,
    dns: &DnsResult,
    resolvers: &Resolvers,
) -> Option<SynthesizedFrom> {
    let is_below = zone.zone_of(host) && zone != host && psl::domain_str(&text(zone)).is_some();
    if !is_below {
        return None;
    }
    if (cname.is_some() || dns.verdict == DnsVerdict::Broken)
        && let Some(dname) = find_dname(host, zone, cname, resolvers).await
    {
        return Some(dname);
    }
    find_wildcard(host, zone, cname, dns, resolvers).await
}

/// The DNAME record that the name's CNAME is synthesised from.
async fn find_dname(
    host: &Name,
    zone: &Name,
    cname: Option<&str>,
    resolvers: &Resolvers,
) -> Option<SynthesizedFrom> {
    let mut at = host.base_name();
    while zone.zone_of(&at) {
        let (name, owner) = (text(host), text(&at));
        // A DNAME keeps the labels below its owner (RFC 6672), so most CNAMEs cannot come from one.
        let kept = name.strip_suffix(&owner)?;
        if cname.is_some_and(|cname| !cname.starts_with(kept)) {
            break;
        }
        if let Reply::Records { records, .. } = resolvers.records(&at, RecordType::DNAME).await
            && let Some(target) = records.iter().find_map(|record| dname(record, &at))
            && cname.is_none_or(|cname| cname.strip_prefix(kept) == Some(&target))
        {
            return Some(SynthesizedFrom::Dname { owner, target });
        }
        at = at.base_name();
    }
    None
}

fn dname(record: &Record, of: &Name) -> Option<String> {
    let RData::Unknown { code: RecordType::DNAME, rdata } = &record.data else { return None };
    let target = Name::read(&mut BinDecoder::new(&rdata.anything)).ok()?;
    (record.name == *of).then(|| text(&target))
}

/// The target of the DNAME record, where that makes the name fail.
pub(super) async fn broken_behind(
    host: &Name,
    synthesized_from: &SynthesizedFrom,
    dns: &DnsResult,
    resolvers: &Resolvers,
) -> Option<Chain> {
    let SynthesizedFrom::Dname { owner, target } = synthesized_from else { return None };
    let fault = match dns.broken_by {
        Some(BrokenBy::Failure) => CnameFault::Failure,
        Some(BrokenBy::Signatures) => CnameFault::Signatures,
        _ => return None,
    };
    let at = format!("{}{target}", text(host).strip_suffix(owner.as_str())?);
    let zone = find_zone(&Name::from_ascii(format!("{at}.")).ok()?, resolvers).await;
    Some(Chain { fault, cnames: vec![at], zone: zone.map(Zone::from) })
}

/// The wildcard whose records the name has. Random names beside the name have them too, and below it,
/// where a name with records of its own would keep a wildcard from answering (RFC 4592).
async fn find_wildcard(
    host: &Name,
    zone: &Name,
    cname: Option<&str>,
    dns: &DnsResult,
    resolvers: &Resolvers,
) -> Option<SynthesizedFrom> {
    let (kind, mut own) = match cname {
        Some(cname) => (RecordType::CNAME, vec![cname.to_owned()]),
        None => {
            let has_v4 = dns.addresses.iter().any(IpAddr::is_ipv4);
            let of_kind = dns.addresses.iter().filter(|one| one.is_ipv4() == has_v4);
            let kind = if has_v4 { RecordType::A } else { RecordType::AAAA };
            (kind, of_kind.map(ToString::to_string).collect())
        }
    };
    own.sort_unstable();
    if own.is_empty() {
        return None;
    }
    let answers_below = async |above: &Name| {
        let Some(name) = random_name(above) else { return false };
        match resolvers.records(&name, kind).await {
            Reply::Records { records, .. } => data(&records, kind) == own,
            _ => false,
        }
    };
    let mut parent = host.base_name();
    let (below, beside) = tokio::join!(answers_below(host), answers_below(&parent));
    if !below || !beside {
        return None;
    }
    while parent != *zone && answers_below(&parent.base_name()).await {
        parent = parent.base_name();
    }
    Some(SynthesizedFrom::Wildcard { owner: format!("*.{}", text(&parent)) })
}

/// The data of the records of a kind, sorted.
fn data(records: &[Record], kind: RecordType) -> Vec<String> {
    let of_kind = records.iter().filter(|record| record.record_type() == kind);
    let mut data: Vec<String> = of_kind
        .filter_map(|record| match &record.data {
            RData::CNAME(target) => Some(text(&target.0)),
            RData::A(address) => Some(address.to_string()),
            RData::AAAA(address) => Some(address.to_string()),
            _ => None,
        })
        .collect();
    data.sort_unstable();
    data.dedup();
    data
}

/// Whether a resolver that gets SERVFAIL for the name gets an answer for a random name in the zone.
pub(super) async fn answers_below(zone: &Name, dns: &DnsResult, resolvers: &Resolvers) -> bool {
    let mut counting = dns.answers.iter().filter(|one| one.counts());
    let failing = counting.find(|one| one.verdict == DnsVerdict::Broken);
    let resolver = failing.and_then(|answer| resolvers.with_label(&answer.resolver));
    let (Some(resolver), Some(new)) = (resolver, random_name(zone)) else { return false };
    resolver.ask(&new, RecordType::A).await.is_answer()
}

/// A name below this one that has no records of its own and is in no cache.
fn random_name(above: &Name) -> Option<Name> {
    above.prepend_label(format!("closte-sync-{:016x}", rand::random::<u64>()).as_bytes()).ok()
}
