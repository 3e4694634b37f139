//! What answers for a name that has no record of its own, and whether its zone answers for others.

use hickory_resolver::proto::{
    rr::{Name, RData, Record, RecordType},
    serialize::binary::{BinDecodable, BinDecoder},
};

use super::{
    dns::Resolver,
    reply::{Reply, text},
    resolvers::Resolvers,
    zones::find_zone,
};
use crate::status::{BrokenBy, Chain, CnameFault, DnsResult, DnsVerdict, MadeOf};

/// What answers for a name of this zone. `cname` is where its first CNAME leads, if it has any.
pub(super) async fn find(
    host: &Name,
    zone: &Name,
    cname: Option<&str>,
    dns: &DnsResult,
    resolvers: &Resolvers,
) -> Option<MadeOf> {
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

/// The DNAME record that the name's CNAME is made of.
async fn find_dname(
    host: &Name,
    zone: &Name,
    cname: Option<&str>,
    resolvers: &Resolvers,
) -> Option<MadeOf> {
    let mut at = host.base_name();
    while zone.zone_of(&at) {
        let (name, owner) = (text(host), text(&at));
        // The labels below its owner are kept (RFC 6672), so most CNAMEs cannot come of one.
        let kept = name.strip_suffix(&owner)?;
        if cname.is_some_and(|cname| !cname.starts_with(kept)) {
            break;
        }
        if let Reply::Records { records, .. } = resolvers.records(&at, RecordType::DNAME).await
            && let Some(target) = records.iter().find_map(|record| dname(record, &at))
            && cname.is_none_or(|cname| cname.strip_prefix(kept) == Some(&target))
        {
            return Some(MadeOf::Dname { owner, target });
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

/// Where the DNAME record leads a name that cannot be had there.
pub(super) async fn broken_behind(
    host: &Name,
    made_of: &MadeOf,
    dns: &DnsResult,
    resolvers: &Resolvers,
) -> Option<Chain> {
    let MadeOf::Dname { owner, target } = made_of else { return None };
    let fault = match dns.broken_by {
        Some(BrokenBy::Failure) => CnameFault::Failure,
        Some(BrokenBy::Signatures) => CnameFault::Signatures,
        _ => return None,
    };
    let at = format!("{}{target}", text(host).strip_suffix(owner.as_str())?);
    let zone = find_zone(&Name::from_ascii(format!("{at}.")).ok()?, resolvers).await;
    Some(Chain { fault, cnames: vec![at], zone: zone.map(|zone| zone.seen()) })
}

/// The wildcard whose records the name has: names that nobody can have made have them as well, beside
/// it, and below it, where there would be none if it were there itself (RFC 4592).
async fn find_wildcard(
    host: &Name,
    zone: &Name,
    cname: Option<&str>,
    dns: &DnsResult,
    resolvers: &Resolvers,
) -> Option<MadeOf> {
    let (kind, has) = match (cname, dns.addresses.iter().find(|one| one.is_ipv4())) {
        (Some(cname), _) => (RecordType::CNAME, vec![cname.to_owned()]),
        (None, first) => {
            let of_kind = dns.addresses.iter().filter(|one| one.is_ipv4() == first.is_some());
            let kind = if first.is_some() { RecordType::A } else { RecordType::AAAA };
            (kind, of_kind.map(ToString::to_string).collect())
        }
    };
    let mut has: Vec<String> = has;
    has.sort_unstable();
    if has.is_empty() {
        return None;
    }
    let has_it = async |above: &Name| {
        let Some(name) = new_name(above) else { return false };
        match resolvers.records(&name, kind).await {
            Reply::Records { records, .. } => data(&records, kind) == has,
            _ => false,
        }
    };
    let mut parent = host.base_name();
    let (below, beside) = tokio::join!(has_it(host), has_it(&parent));
    if !below || !beside {
        return None;
    }
    while parent != *zone && has_it(&parent.base_name()).await {
        parent = parent.base_name();
    }
    Some(MadeOf::Wildcard { owner: format!("*.{}", text(&parent)) })
}

/// What the records of a kind say, in order.
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

/// Whether a resolver that gets SERVFAIL for a name gets answers for a new one below this one.
pub(super) async fn answers_below(zone: &Name, dns: &DnsResult, resolvers: &Resolvers) -> bool {
    let mut counting = dns.answers.iter().filter(|one| one.counts());
    let failing = counting.find(|one| one.verdict == DnsVerdict::Broken);
    let is_it = |one: &&Resolver| failing.is_some_and(|answer| one.label() == answer.resolver);
    let (Some(resolver), Some(new)) = (resolvers.all.iter().find(is_it), new_name(zone)) else {
        return false;
    };
    let reply = resolver.ask(&new, RecordType::A).await;
    matches!(reply, Reply::Records { .. } | Reply::NoSuchName { .. })
}

/// A name below this one that nobody can have made or asked for.
fn new_name(above: &Name) -> Option<Name> {
    above.prepend_label(format!("closte-sync-{:016x}", rand::random::<u64>()).as_bytes()).ok()
}
