use std::hash::{DefaultHasher, Hash, Hasher};

use super::records::RecordDecision;
use crate::{plan::Desired, wordpress::Network};

/// A hash of everything that a cycle acts on, in any order.
pub(super) fn fingerprint(desired: &Desired, network: &Network, records: &[RecordDecision]) -> u64 {
    let hash = |item: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        item(&mut hasher);
        hasher.finish()
    };
    let names = desired.names.iter().map(|name| hash(&|hasher| name.hash(hasher)));
    let own = desired.network_domains.iter().map(|name| hash(&|hasher| ("own", name).hash(hasher)));
    let invalid = network
        .invalid
        .iter()
        .map(|one| hash(&|hasher| (one.origin, one.blog_id, &one.value).hash(hasher)));
    let inactive =
        desired.inactive.keys().map(|name| hash(&|hasher| ("inactive", name).hash(hasher)));
    let own_domains =
        desired.own_domains.keys().map(|name| hash(&|hasher| ("site's", name).hash(hasher)));
    let carried = desired.carried.keys().map(|name| hash(&|hasher| ("carried", name).hash(hasher)));
    let sites_without_record =
        network.sites_without_record.iter().zip(records).map(|(site, record)| {
            hash(&|hasher| ("site", site.blog_id, site.record, record.as_str()).hash(hasher))
        });
    let plugin = hash(&|hasher| network.plugin.as_ref().ok().hash(hasher));
    names
        .chain(own)
        .chain(invalid)
        .chain(sites_without_record)
        .chain(inactive)
        .chain(carried)
        .chain(own_domains)
        .fold(plugin.wrapping_add(network.rows as u64), u64::wrapping_add)
}
