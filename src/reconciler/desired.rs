use std::{collections::HashSet, time::Duration};

use super::StageRules;
use crate::{
    domain::{CLOSTES_OWN, DomainName, DomainRef},
    ledger::{RowLocation, RowRef},
    names::{NameList, NameMap},
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
    pub stages: StageRules,
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
    /// The twins of these names, each with the value of its name.
    fn of<V: Copy>(self, names: &NameList<V>) -> NameList<V> {
        let mut twins = NameList::new();
        if self != Self::OfNone {
            for (name, value) in names.iter() {
                if let Some(twin) = name.www_twin(self == Self::OfMain) {
                    twins.push(twin.to_ref(), *value);
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

    /// The names that the network and the settings want at Closte.
    pub fn desired(&self, network: Network) -> Desired {
        let with_twins = WithTwins {
            rules: self,
            twins: self.twins(&network),
            own: network.network_domains.iter().map(DomainName::as_str).collect(),
        };
        let of_site = |blog_id| RowRef { blog_id: Some(blog_id), ..RowRef::default() }.into();
        // If several rows hold one name, the first counts.
        let (mut names, mut inactive) = (network.mapped, NameList::new());
        let mut carried = NameList::new();
        for site in &network.sites_without_record {
            let name = site.domain.to_ref();
            match site.record {
                Err(NoRecord::Gone) => inactive.push(name, of_site(site.blog_id)),
                Err(reason) if !reason.is_still_desired() => carried.push(name, ()),
                _ => names.push(name, of_site(site.blog_id)),
            }
        }
        for name in &self.extra_domains {
            names.push(name.to_ref(), RowRef::default().into());
        }
        let mut undetermined = NameList::new();
        Desired {
            names: with_twins.of(names, &mut undetermined),
            inactive: with_twins.of(inactive, &mut undetermined),
            carried: with_twins.of(carried, &mut undetermined),
            own_domains: with_twins.of(network.other_sites.without_values(), &mut undetermined),
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

/// Completes names by their twins.
struct WithTwins<'a> {
    rules: &'a Rules,
    twins: Twins,
    /// The network's own names.
    own: HashSet<&'a str>,
}

impl WithTwins<'_> {
    /// The names without those that are excluded, and with their twins. A twin that is there itself, is
    /// excluded, or is the network's own stays as it is.
    fn of<V: Copy>(&self, names: NameList<V>, undetermined: &mut NameList<()>) -> NameMap<V> {
        let is_excluded = |name: DomainRef<'_>| self.rules.is_excluded(name);
        let mut names = names.retain(|name| !is_excluded(name) && !name.is_clostes_own());
        for (twin, value) in self.twins.of(&names).iter() {
            if self.twins == Twins::Unknown {
                // Twins must not be removed because the setting cannot be read.
                undetermined.push(twin, ());
            } else if !is_excluded(twin) && !self.own.contains(twin.as_str()) {
                names.push(twin, *value);
            }
        }
        names.sorted()
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
