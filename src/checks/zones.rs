use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::{hosts::dns_provider, names::text, reply::Reply, resolvers::Resolvers};
use crate::status::Zone;

/// How many names above one are queried.
const MOST_LABELS: usize = 10;

pub(super) struct FoundZone {
    pub(super) name: Name,
    /// Empty where the zone fails.
    pub(super) servers: Vec<Name>,
}

/// The zone that the name is in: the nearest one above that has name servers, or that fails where the
/// one above it does not. A registered domain always is a zone; top-level domains are left out.
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
                if failing.is_none() && (!servers.is_empty() || is_registered(&at)) {
                    return Some(FoundZone { name: at, servers });
                }
                if !servers.is_empty() {
                    break;
                }
            }
            Reply::NoSuchName { .. } => {}
            // The target of its CNAME may fail, which is in another zone.
            Reply::Broken { .. } if has_cname(&at, resolvers).await => {}
            Reply::Broken { .. } => failing = Some(at.clone()),
            Reply::Failed(_) | Reply::Unreadable | Reply::Silent(_) => return None,
        }
        at = at.base_name();
    }
    failing.map(|name| FoundZone { name, servers: Vec::new() })
}

/// Whether the name is one that a registry registers: directly below a public suffix.
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

impl From<FoundZone> for Zone {
    fn from(zone: FoundZone) -> Self {
        let servers: Vec<String> = zone.servers.iter().map(text).collect();
        Self { name: text(&zone.name), provider: dns_provider(&servers).map(str::to_owned) }
    }
}
