//! Which zone a name is in, and who runs it.

use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::{
    hosts::dns_provider,
    reply::{Reply, text},
    resolvers::Resolvers,
};
use crate::status::Zone;

/// At most so many names above one are asked about.
const MOST_LABELS: usize = 10;

/// A zone, and its servers.
pub(super) struct FoundZone {
    pub(super) name: Name,
    /// None where the zone is out of order.
    pub(super) servers: Vec<Name>,
}

/// The zone that the name is in: the nearest one above that has name servers, or that fails where the
/// one above it does not. What is registered is one, whatever its servers say. Those of a top-level
/// domain are nobody's here.
pub(super) async fn find_zone(host: &Name, resolvers: &Resolvers) -> Option<FoundZone> {
    let mut failing = None;
    let mut at = host.clone();
    for _ in 0..MOST_LABELS {
        if at.num_labels() < 2 {
            break;
        }
        match resolvers.records(&at, RecordType::NS).await {
            Reply::Records { records, .. } => {
                let of_zone = records.into_iter().filter(|record| record.name == at);
                let servers = of_zone.filter_map(|record| match record.data {
                    RData::NS(server) => Some(server.0),
                    _ => None,
                });
                let servers: Vec<Name> = servers.collect();
                if !servers.is_empty() && failing.is_none() {
                    return Some(FoundZone { name: at, servers });
                }
                if failing.is_none() && is_registered(&at) {
                    return Some(FoundZone { name: at, servers });
                }
                if !servers.is_empty() {
                    break;
                }
            }
            Reply::NoSuchName { .. } => {}
            // What its CNAME leads to may fail, which is another's zone.
            Reply::Broken { .. } if has_cname(&at, resolvers).await => {}
            Reply::Broken { .. } => failing = Some(at.clone()),
            Reply::Failed(_) | Reply::Unreadable | Reply::Silent(_) => return None,
        }
        at = at.base_name();
    }
    failing.map(|name| FoundZone { name, servers: Vec::new() })
}

/// Whether the name is one that a registry gives away.
pub(super) fn is_registered(name: &Name) -> bool {
    let name = text(name);
    let domain = psl::domain(name.as_bytes());
    domain.is_some_and(|domain| {
        let is_private = domain.suffix().typ() == Some(psl::Type::Private);
        !is_private && domain.as_bytes() == name.as_bytes()
    })
}

async fn has_cname(name: &Name, resolvers: &Resolvers) -> bool {
    match resolvers.records(name, RecordType::CNAME).await {
        Reply::Records { records, .. } => records.iter().any(|record| record.name == *name),
        _ => false,
    }
}

impl FoundZone {
    /// What people are told of it.
    pub(super) fn seen(&self) -> Zone {
        let servers: Vec<String> = self.servers.iter().map(text).collect();
        Zone { name: text(&self.name), provider: dns_provider(&servers).map(str::to_owned) }
    }
}
