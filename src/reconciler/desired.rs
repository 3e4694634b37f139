use std::{collections::HashSet, time::Duration};

use crate::{
    domain::{CLOSTES_OWN, DomainName, DomainRef},
    ledger::{CompactRowRef, RowLocation, RowRef},
    names::NameList,
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

/// Which desired names have a `www.` twin that is desired too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twins {
    OfNone,
    OfAll,
    /// Of names that can be registered.
    OfMain,
    /// The plugin's setting, which decides it, is not known.
    Unknown,
}

impl Twins {
    /// The twins of these names, each with the row of its name.
    fn of(self, names: &NameList<CompactRowRef>) -> NameList<CompactRowRef> {
        let mut twins = NameList::default();
        if self != Self::OfNone {
            for (name, origin) in names.iter() {
                if let Some(twin) = name.www_twin(self == Self::OfMain) {
                    twins.push(twin.to_ref(), *origin);
                }
            }
        }
        twins
    }
}

impl Rules {
    fn twins(&self, network: &Network) -> Twins {
        match self.www {
            Www::Off => Twins::OfNone,
            Www::Always => Twins::OfAll,
            Www::MainOnly => Twins::OfMain,
            Www::Plugin => match network.plugin.as_ref().ok().and_then(|plugin| plugin.www) {
                Some(WwwPolicy::Never) => Twins::OfNone,
                Some(WwwPolicy::Always) => Twins::OfAll,
                Some(WwwPolicy::MainOnly) => Twins::OfMain,
                None => Twins::Unknown,
            },
        }
    }

    fn is_excluded(&self, name: DomainRef<'_>) -> bool {
        self.policy.exclude.iter().any(|pattern| pattern.matches(name))
    }

    pub fn desired(&self, network: &Network) -> Desired {
        let of_site = |blog_id| RowRef { blog_id: Some(blog_id), ..RowRef::default() };
        let [mut names, mut inactive, mut carried, mut own_domains] =
            [const { NameList::new() }; 4];
        let want = |names: &mut NameList<CompactRowRef>, name: DomainRef<'_>, origin| {
            if !self.is_excluded(name) && !name.is_clostes_own() {
                names.push(name, origin);
            }
        };
        // The first row counts where several hold one name: rows come in their order.
        for (name, origin) in network.mapped.iter() {
            want(&mut names, name, *origin);
        }
        for site in &network.sites_without_record {
            let names = match site.record {
                Err(NoRecord::Gone) => &mut inactive,
                Err(reason) if !reason.is_still_desired() => &mut carried,
                _ => &mut names,
            };
            want(names, site.domain.to_ref(), of_site(site.blog_id).into());
        }
        for name in &self.extra_domains {
            want(&mut names, name.to_ref(), RowRef::default().into());
        }
        for (name, blog_id) in network.other_sites.iter() {
            want(&mut own_domains, name, of_site(*blog_id).into());
        }

        let twins = self.twins(network);
        let own: HashSet<&str> = network.network_domains.iter().map(DomainName::as_str).collect();
        let mut undetermined = NameList::new();
        // A twin that is desired by itself, excluded, or a network's own name stays as it is.
        let with_twins = |mut names: NameList<CompactRowRef>| {
            for (twin, origin) in twins.of(&names).iter() {
                if twins == Twins::Unknown {
                    // What was desired when the setting could be read must not go because it cannot be.
                    undetermined.push(twin, ());
                } else if !self.is_excluded(twin) && !own.contains(twin.as_str()) {
                    names.push(twin, *origin);
                }
            }
            names.sorted()
        };
        let [names, inactive, carried, own_domains] =
            [names, inactive, carried, own_domains].map(with_twins);
        Desired {
            names,
            inactive,
            carried,
            own_domains,
            undetermined: undetermined.sorted(),
            network_domains: network
                .network_domains
                .iter()
                .flat_map(with_and_without_www)
                .collect(),
            invalid_rows: network.invalid.iter().filter_map(invalid_row).collect(),
            table_was_empty: network.rows == 0,
        }
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
    let own = |name: DomainRef<'_>, origin: RowLocation, blog_id: i64| {
        name.is_clostes_own().then(|| InvalidRow {
            origin,
            blog_id,
            value: name.to_string(),
            reason: CLOSTES_OWN.to_owned(),
        })
    };
    let rows = network
        .mappings()
        .filter_map(|row| own(row.domain, RowLocation::Row(row.row_id), row.blog_id));
    let sites = network.sites_without_record.iter().filter_map(|site| {
        own(site.domain.to_ref(), RowLocation::Site(site.blog_id), site.blog_id)
    });
    network.invalid.iter().map(one).chain(rows).chain(sites).collect()
}
