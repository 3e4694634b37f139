//! Looks up the CAA records that count for a name.

use futures_util::future::join_all;
use hickory_resolver::proto::rr::{Name, RData, RecordType, rdata::CAA};

use super::{
    caa::{Forbidden, evaluate_caa},
    chain,
    names::{dns_name, text},
    query::ServFailCause,
    reply::Reply,
    resolver::{Control, Resolver},
    resolvers::Resolvers,
};
use crate::{domain::DomainName, status::Caa};

/// The lookup failed on this side.
pub(super) struct CaaUnknown;

/// The CAA records of a name, as a certificate authority sees them.
enum CaaReply {
    /// The records, with their owner: the queried name, or the target of its CNAME.
    At(Name, Vec<CAA>),
    None,
    /// The query fails, also for certificate authorities.
    Fails(String),
    /// The query failed on this side.
    Unknown,
}

/// Climbs from the name towards the root until there are CAA records (RFC 8659, section 3), and returns
/// them if they forbid a certificate, also by failing.
pub(super) async fn find_forbidding_caa(
    name: &DomainName,
    authorities: &[String],
    resolvers: &Resolvers,
) -> Result<Option<Caa>, CaaUnknown> {
    let should_allow = authorities.first().cloned().unwrap_or_default();
    let mut at = name.as_str().strip_prefix("*.").unwrap_or(name.as_str());
    loop {
        let host = dns_name(at).map_err(|_| CaaUnknown)?;
        let (owner, forbidden) = match query_caa(&host, resolvers).await {
            CaaReply::None => match at.split_once('.') {
                Some((_, above)) => {
                    at = above;
                    continue;
                }
                None => return Ok(None),
            },
            CaaReply::Unknown => return Err(CaaUnknown),
            CaaReply::At(owner, records) => match evaluate_caa(&records, name, authorities) {
                Ok(()) => return Ok(None),
                Err(forbidden) => (owner, forbidden),
            },
            CaaReply::Fails(why) => {
                (chain::end(&host, resolvers).await, Forbidden::unreachable(name, why))
            }
        };
        let owner = text(&owner);
        return Ok(Some(Caa {
            via: (owner != at).then(|| at.to_owned()),
            at: owner,
            fault: forbidden.fault,
            record: forbidden.record,
            why: forbidden.why,
            property: forbidden.property.to_owned(),
            allows: forbidden.allows,
            should_allow,
        }));
    }
}

async fn query_caa(name: &Name, resolvers: &Resolvers) -> CaaReply {
    let mut in_turn: Vec<&Resolver> = resolvers.in_turn().collect();
    // Authorities validate signatures.
    in_turn.sort_by_key(|resolver| !resolver.validates());
    let Some((first, others)) = in_turn.split_first() else { return CaaReply::Unknown };
    let answer = first.ask(name, RecordType::CAA).await;
    let is_enough = answer.is_answer();
    let mut answers = vec![(*first, answer)];
    if !is_enough {
        let others = others.iter().map(async |one| (*one, one.ask(name, RecordType::CAA).await));
        answers.extend(join_all(others).await);
    }
    let bogus = answers.iter().any(|(_, reply)| {
        matches!(reply, Reply::Broken { cause: Some(ServFailCause::Signatures), .. })
    });
    let answered =
        answers.iter().find(|(one, reply)| reply.is_answer() && (!bogus || one.validates()));
    if let Some((_, reply)) = answered {
        return records(reply);
    }
    // An authority may be able to read it.
    if answers.iter().any(|(_, reply)| *reply == Reply::Unreadable) {
        return CaaReply::Unknown;
    }
    // A resolver that fails at control queries, or at CAA queries for the root, proves nothing.
    let failing = answers.iter().filter(|(_, reply)| !reply.is_answer());
    let failing = failing.map(async |(one, reply)| {
        let can_ask = matches!(one.control().await, Control::Passed { .. })
            && one.ask(&Name::root(), RecordType::CAA).await.is_answer();
        can_ask.then(|| reply.why())
    });
    let failing = join_all(failing).await.into_iter().flatten().next();
    failing.map_or(CaaReply::Unknown, CaaReply::Fails)
}

fn records(reply: &Reply) -> CaaReply {
    let Reply::Records { records, .. } = reply else { return CaaReply::None };
    let caa = records.iter().filter_map(|record| match &record.data {
        RData::CAA(caa) => Some((record.name.clone(), caa.clone())),
        _ => None,
    });
    let (names, records): (Vec<Name>, Vec<CAA>) = caa.unzip();
    match names.into_iter().next() {
        Some(name) => CaaReply::At(name, records),
        None => CaaReply::None,
    }
}
