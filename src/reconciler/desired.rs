use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use crate::{
    domain::{CLOSTES_OWN, DomainName, Pattern},
    ledger::{RowLocation, RowRef},
    plan::{Desired, Policy},
    state::InvalidRow,
    wordpress::{self, Network, NoRecord, WwwPolicy},
};

/// The settings and arguments that cycles depend on.
#[derive(Debug, Clone)]
pub struct Rules {
    pub policy: Policy,
    /// Names that are desired though they are in no table.
    pub extra_domains: Vec<DomainName>,
    /// Whether sites without a domain record get one.
    pub create_records: bool,
    /// How long a site must have been without its record.
    pub record_grace: Duration,
    /// `apply --create-record`: written whatever the grace, and though it was deleted before.
    pub record_asked_for: Option<DomainName>,
    /// How often Closte's list is read though nothing has changed.
    pub list_interval: Duration,
    /// How many calls are in flight together.
    pub concurrency: usize,
    pub www: Www,
    /// How long a name may be without a certificate before it is requested; never, if none.
    pub request_certificate_after: Option<Duration>,
}

/// Which names are desired with `www.` in front as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Www {
    Off,
    /// By the plugin's own setting.
    Plugin,
    Always,
    /// Only names that can be registered.
    MainOnly,
}

impl Rules {
    /// Adds the `www.` twins of desired names by `sync.www`, except those that a row maps, that are
    /// excluded, or that are the network's own.
    fn add_twins(&self, network: &Network, desired: &mut Desired) {
        let plugins = || network.plugin.as_ref().ok().and_then(|plugin| plugin.www);
        let main_only = match self.www {
            Www::Off => return,
            Www::Always => false,
            Www::MainOnly => true,
            Www::Plugin => match plugins() {
                Some(WwwPolicy::Never) => return,
                Some(WwwPolicy::Always) => false,
                Some(WwwPolicy::MainOnly) => true,
                // Twins must not be removed because the setting cannot be read.
                None => {
                    let known =
                        [&desired.names, &desired.inactive, &desired.carried, &desired.own_domains];
                    let twins = known.into_iter().flat_map(HashMap::keys);
                    desired.undetermined = twins.filter_map(|name| name.www_twin(false)).collect();
                    return;
                }
            },
        };
        let own: HashSet<&DomainName> = network.network_domains.iter().collect();
        let Desired { names, inactive, carried, own_domains, .. } = desired;
        for names in [names, inactive, carried, own_domains] {
            let twin =
                |(name, origin): (&DomainName, &RowRef)| Some((name.www_twin(main_only)?, *origin));
            let twins: Vec<(DomainName, RowRef)> = names.iter().filter_map(twin).collect();
            for (name, origin) in twins {
                let excluded = self.policy.exclude.iter().any(|pattern| pattern.matches(&name));
                if !excluded && !own.contains(&name) {
                    names.entry(name).or_insert(origin);
                }
            }
        }
    }

    pub fn desired(&self, network: &Network) -> Desired {
        let mut desired = Desired {
            network_domains: network
                .network_domains
                .iter()
                .flat_map(with_and_without_www)
                .collect(),
            invalid_rows: network.invalid.iter().filter_map(invalid_row).collect(),
            table_was_empty: network.rows == 0,
            ..Desired::default()
        };
        desired.names.reserve(network.mappings.len());
        let excluded = |name: &DomainName| {
            self.policy.exclude.iter().any(|p: &Pattern| p.matches(name)) || name.is_clostes_own()
        };
        let mut add = |name: &DomainName, origin: RowRef| {
            if !excluded(name) {
                // If several rows hold one name, the first counts.
                desired.names.entry(name.clone()).or_insert(origin);
            }
        };
        for mapping in &network.mappings {
            let origin = RowRef {
                row_id: Some(mapping.row_id),
                blog_id: Some(mapping.blog_id),
                modified: mapping.modified,
            };
            add(&mapping.domain, origin);
        }
        let origin = |blog_id| RowRef { blog_id: Some(blog_id), ..RowRef::default() };
        for site in &network.sites_without_record {
            if site.record.err().is_none_or(NoRecord::is_still_desired) {
                add(&site.domain, origin(site.blog_id));
            }
        }
        for name in &self.extra_domains {
            add(name, RowRef::default());
        }
        for site in network.sites_without_record.iter().filter(|site| !excluded(&site.domain)) {
            let names = match site.record {
                Err(NoRecord::Gone) => &mut desired.inactive,
                Err(reason) if !reason.is_still_desired() => &mut desired.carried,
                _ => continue,
            };
            names.entry(site.domain.clone()).or_insert(origin(site.blog_id));
        }
        for (site, name) in network.without_row.iter().filter(|(_, name)| !excluded(name)) {
            desired.own_domains.entry(name.clone()).or_insert(origin(*site));
        }
        self.add_twins(network, &mut desired);
        desired
    }
}

/// A name and its twin, which WordPress treats alike.
fn with_and_without_www(name: &DomainName) -> impl Iterator<Item = DomainName> {
    let bare = name.as_str().strip_prefix("www.").and_then(|bare| bare.parse().ok());
    [Some(name.clone()), bare, name.www_twin(false)].into_iter().flatten()
}

fn invalid_row(one: &wordpress::InvalidMapping) -> Option<i64> {
    match one.origin {
        RowLocation::Row(id) => Some(id),
        RowLocation::Site(_) => None,
    }
}

/// What is never sent to Closte, with the reason.
pub(super) fn invalid(network: &Network) -> Vec<InvalidRow> {
    let one = |one: &wordpress::InvalidMapping| InvalidRow {
        origin: one.origin,
        blog_id: one.blog_id,
        value: one.value.clone(),
        reason: one.reason.to_string(),
    };
    let own = |origin: RowLocation, blog_id: i64, name: &DomainName| {
        name.is_clostes_own().then(|| InvalidRow {
            origin,
            blog_id,
            value: name.to_string(),
            reason: CLOSTES_OWN.to_owned(),
        })
    };
    let rows = network
        .mappings
        .iter()
        .filter_map(|row| own(RowLocation::Row(row.row_id), row.blog_id, &row.domain));
    let sites = network
        .sites_without_record
        .iter()
        .filter_map(|site| own(RowLocation::Site(site.blog_id), site.blog_id, &site.domain));
    network.invalid.iter().map(one).chain(rows).chain(sites).collect()
}
