use std::hash::{DefaultHasher, Hash, Hasher};

use super::records::RecordDecision;
use crate::wordpress::Network;

/// A hash of everything that a cycle acts on.
pub(super) fn fingerprint(network: &Network, records: &[RecordDecision]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&network.mapped, &network.other_sites, network.rows).hash(&mut hasher);
    (&network.network_domains, network.plugin.as_ref().ok()).hash(&mut hasher);
    for one in &network.invalid {
        (one.origin, one.blog_id, &one.value).hash(&mut hasher);
    }
    for (site, record) in network.sites_without_record.iter().zip(records) {
        (&site.domain, site.blog_id, site.record, record.as_str()).hash(&mut hasher);
    }
    hasher.finish()
}
