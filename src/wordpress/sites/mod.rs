//! Decides for which sites the plugin would write a domain record.
//!
//! A record that the plugin would not have written can send all visitors of a host to one site, so in doubt
//! a site gets none.

use std::collections::{HashMap, HashSet};

use strum::IntoStaticStr;
use thiserror::Error;

use super::{Mapping, Network, forms::BaseDomains};
use crate::domain::{DomainName, InvalidDomain};

/// The width of the domain table's column; that of the `blogs` table is wider.
const LONGEST_RECORD: usize = 191;

/// A site without a domain record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    pub blog_id: i64,
    /// From the `blogs` table.
    pub domain: DomainName,
    pub path: String,
    /// An error if the plugin would not have written a record.
    pub record: Result<(), NoRecord>,
}

/// Why a site gets no domain record, regardless of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum NoRecord {
    #[error("it is archived, spam or deleted")]
    Gone,
    /// A network or its main site has it, or WordPress treats it as the network's own.
    #[error("its domain is a network's own")]
    NetworkDomain,
    #[error("it is a network's main site")]
    MainSite,
    #[error("its path is not the network's")]
    OtherPath,
    /// A record would serve only one of them.
    #[error("another site has its domain too")]
    SharedDomain,
    /// Customers' sites are created in its paths or subdomains.
    #[error("checkout forms share its domain")]
    BaseDomain,
    /// The plugin accepts each domain once.
    #[error("the domain table has its domain for another site")]
    HasRowElsewhere,
    /// One record serves a name with and without `www.`.
    #[error("another site or row has its domain with www. or without")]
    TwinElsewhere,
    /// The plugin accepts neither wildcards nor long names.
    #[error("the domain table cannot hold its domain")]
    DoesNotFit,
    /// As in the middle of a manual rename.
    #[error("no site has the network's own address, so it is not known which one is the main site")]
    MainSiteUnknown,
    #[error("the value of DOMAIN_CURRENT_SITE in wp-config.php is not known")]
    CurrentSiteUnknown,
    #[error("it is not known which domains the checkout forms share")]
    BaseDomainsUnknown,
}

impl NoRecord {
    /// The reasons that only mean that something is not known.
    pub const DOUBTS: [Self; 3] =
        [Self::MainSiteUnknown, Self::CurrentSiteUnknown, Self::BaseDomainsUnknown];

    /// Whether the site's own domain is desired nevertheless: no other site can have it.
    pub fn is_still_desired(self) -> bool {
        match self {
            Self::Gone
            | Self::NetworkDomain
            | Self::MainSite
            | Self::OtherPath
            | Self::SharedDomain
            | Self::BaseDomain
            | Self::HasRowElsewhere => false,
            Self::TwinElsewhere
            | Self::DoesNotFit
            | Self::MainSiteUnknown
            | Self::CurrentSiteUnknown
            | Self::BaseDomainsUnknown => true,
        }
    }

    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Network {
    /// The reason with its remedy, if there is one.
    pub fn why_not(&self, reason: NoRecord) -> String {
        match (reason, &self.base_domains) {
            (NoRecord::CurrentSiteUnknown, _) => format!("{reason}: set wordpress.current_site"),
            (NoRecord::BaseDomainsUnknown, Err(error)) => format!("{reason}: {error}"),
            _ => reason.to_string(),
        }
    }
}

/// `DOMAIN_CURRENT_SITE`, which WordPress uses as the network's domain instead of the table's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CurrentSite {
    #[default]
    Unset,
    Known(String),
    /// It is, or may be, set to a value that is not known.
    Unknown,
}

/// A row of the `site` table.
#[derive(Debug, Clone)]
pub(super) struct NetworkRow {
    pub(super) id: i64,
    pub(super) domain: String,
    pub(super) path: String,
}

/// A row of the `blogs` table.
#[derive(Debug, Clone)]
pub(super) struct Blog {
    pub(super) id: i64,
    pub(super) network: i64,
    /// As stored: it may be no text.
    pub(super) domain: Box<[u8]>,
    pub(super) path: Box<[u8]>,
    /// Archived, spam or deleted.
    pub(super) is_gone: bool,
}

/// What decides about the sites.
pub(super) struct SiteFacts<'a> {
    /// The network that is synchronised.
    pub(super) network: &'a NetworkRow,
    /// All of the installation, ordered by id.
    pub(super) networks: &'a [NetworkRow],
    pub(super) current_site: &'a CurrentSite,
    /// The stored main site of each network.
    pub(super) main_sites: &'a HashMap<i64, i64>,
    /// None if they are not known.
    pub(super) bases: Option<&'a BaseDomains>,
    pub(super) mappings: &'a [Mapping],
    /// The sites that have a row, valid or not.
    pub(super) recorded: &'a HashSet<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) sites_without_record: Vec<Site>,
    /// The number of further sites without a record, on the network's own domain.
    pub(super) on_own_domain: usize,
    /// See [`Network::without_row`].
    pub(super) without_row: Vec<(i64, DomainName)>,
    pub(super) invalid: Vec<(i64, Box<[u8]>, InvalidDomain)>,
    pub(super) network_domains: Vec<DomainName>,
}

impl SiteFacts<'_> {
    pub(super) fn sort_out(&self, blogs: &[Blog]) -> Sorted {
        let names = self.own_domains().filter_map(|name| name.parse().ok());
        let mut sorted = Sorted { network_domains: names.collect(), ..Sorted::default() };
        let is_main = |blog: &&Blog| {
            self.main_sites.get(&blog.network) == Some(&blog.id) || self.has_networks_address(blog)
        };
        let mains: HashSet<i64> = blogs.iter().filter(is_main).map(|blog| blog.id).collect();
        let mut main_is_known = false;
        for blog in blogs.iter().filter(|blog| mains.contains(&blog.id)) {
            main_is_known |= blog.network == self.network.id && self.has_networks_address(blog);
            sorted.network_domains.extend(DomainName::from_bytes(&blog.domain));
        }

        let mapped: HashSet<&DomainName> = self.mappings.iter().map(|row| &row.domain).collect();
        let mut candidates = Vec::new();
        for blog in blogs {
            if blog.network != self.network.id || self.recorded.contains(&blog.id) {
                let name = DomainName::from_bytes(&blog.domain).ok();
                let is_own = blog.domain.eq_ignore_ascii_case(self.network.domain.as_bytes());
                let name = name.filter(|name| !is_own && !mapped.contains(name));
                sorted.without_row.extend(name.map(|name| (blog.id, name)));
                continue;
            }
            if blog.domain.eq_ignore_ascii_case(self.network.domain.as_bytes()) {
                sorted.on_own_domain += 1;
                continue;
            }
            match DomainName::from_bytes(&blog.domain) {
                Ok(domain) => candidates.push((blog, domain)),
                Err(_) if blog.is_gone => {}
                Err(reason) => sorted.invalid.push((blog.id, blog.domain.clone(), reason)),
            }
        }
        if candidates.is_empty() {
            return sorted;
        }
        let holders = Holders::of(&candidates, blogs, self.mappings);
        // One that is no domain name, such as `localhost`, is compared as text.
        let as_name = |text: &str| text.parse::<DomainName>().map(String::from);
        let own = self.own_domains().map(|text| as_name(text).unwrap_or(text.to_lowercase()));
        let own: HashSet<String> = own.map(|name| bare(&name).to_owned()).collect();
        let evaluate = |(blog, domain): &(&Blog, DomainName)| {
            Err(if blog.is_gone {
                NoRecord::Gone
            } else if own.contains(bare(domain.as_str())) {
                NoRecord::NetworkDomain
            } else if mains.contains(&blog.id) {
                NoRecord::MainSite
            } else if !is_same_path(&blog.path, self.network.path.as_bytes()) {
                NoRecord::OtherPath
            } else {
                return self.evaluate_domain(blog, domain, holders.get(domain), main_is_known);
            })
        };
        let records: Vec<_> = candidates.iter().map(evaluate).collect();
        let site = |((blog, domain), record): ((&Blog, DomainName), _)| {
            let path = String::from_utf8_lossy(&blog.path).into_owned();
            Site { blog_id: blog.id, domain, path, record }
        };
        sorted.sites_without_record = candidates.into_iter().zip(records).map(site).collect();
        sorted
    }

    fn evaluate_domain(
        &self,
        blog: &Blog,
        domain: &DomainName,
        held: Held,
        main_is_known: bool,
    ) -> Result<(), NoRecord> {
        let reason = if held.sites > 1 {
            NoRecord::SharedDomain
        } else if self.bases.is_some_and(|bases| bases.contains(bare(domain.as_str()))) {
            NoRecord::BaseDomain
        } else if held.rows > 0 {
            NoRecord::HasRowElsewhere
        } else if held.twins > 0 {
            NoRecord::TwinElsewhere
        } else if !fits_a_record(&blog.domain, domain) {
            NoRecord::DoesNotFit
        } else if !main_is_known {
            NoRecord::MainSiteUnknown
        } else if *self.current_site == CurrentSite::Unknown {
            NoRecord::CurrentSiteUnknown
        } else if self.bases.is_none() {
            NoRecord::BaseDomainsUnknown
        } else {
            return Ok(());
        };
        Err(reason)
    }

    /// Whether a site has the domain and the path of its network.
    fn has_networks_address(&self, blog: &Blog) -> bool {
        let domain = bare_bytes(&blog.domain);
        let is_there = |name: &str| bare_bytes(name.as_bytes()).eq_ignore_ascii_case(domain);
        let found = self.networks.binary_search_by_key(&blog.network, |network| network.id);
        found.ok().and_then(|index| self.networks.get(index)).is_some_and(|network| {
            let is_current =
                || network.id == self.network.id && self.current_site_name().is_some_and(is_there);
            is_same_path(&blog.path, network.path.as_bytes())
                && (is_there(&network.domain) || is_current())
        })
    }

    fn current_site_name(&self) -> Option<&str> {
        match self.current_site {
            CurrentSite::Known(name) => Some(name),
            CurrentSite::Unset | CurrentSite::Unknown => None,
        }
    }

    fn own_domains(&self) -> impl Iterator<Item = &str> {
        let networks = self.networks.iter().map(|network| network.domain.as_str());
        networks.chain(self.current_site_name())
    }
}

/// How many sites and rows have a domain.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    sites: u32,
    rows: u32,
    /// Sites and rows that have it with `www.` added or removed.
    twins: u32,
}

/// Counts only the names of candidates: most sites have a record.
struct Holders<'a>(HashMap<&'a str, [Held; 2]>);

impl<'a> Holders<'a> {
    fn of(candidates: &'a [(&Blog, DomainName)], blogs: &[Blog], mappings: &[Mapping]) -> Self {
        let names =
            candidates.iter().map(|(_, domain)| (bare(domain.as_str()), Default::default()));
        let mut holders = Self(names.collect());
        for name in blogs.iter().filter_map(|blog| DomainName::from_bytes(&blog.domain).ok()) {
            holders.count(&name, |held| held.sites += 1);
        }
        for mapping in mappings {
            holders.count(&mapping.domain, |held| held.rows += 1);
        }
        holders
    }

    fn count(&mut self, name: &DomainName, add: impl Fn(&mut Held)) {
        if let Some([without, with]) = self.0.get_mut(bare(name.as_str())) {
            let (same, twin) = if has_www(name) { (with, without) } else { (without, with) };
            add(same);
            twin.twins += 1;
        }
    }

    fn get(&self, name: &DomainName) -> Held {
        let [without, with] = self.0.get(bare(name.as_str())).copied().unwrap_or_default();
        if has_www(name) { with } else { without }
    }
}

/// The name without leading `www.`.
pub(super) fn bare(name: &str) -> &str {
    name.strip_prefix("www.").unwrap_or(name)
}

fn bare_bytes(name: &[u8]) -> &[u8] {
    match name.split_at_checked(4) {
        Some((www, bare)) if www.eq_ignore_ascii_case(b"www.") => bare,
        _ => name,
    }
}

fn has_www(name: &DomainName) -> bool {
    name.as_str().starts_with("www.")
}

/// An empty path equals `/`.
fn is_same_path(one: &[u8], other: &[u8]) -> bool {
    without_slashes(one).eq_ignore_ascii_case(without_slashes(other))
}

fn without_slashes(path: &[u8]) -> &[u8] {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    path.strip_suffix(b"/").unwrap_or(path)
}

/// Whether the plugin accepts the domain as it is stored: no wildcard, and not too long.
fn fits_a_record(stored: &[u8], domain: &DomainName) -> bool {
    let last = domain.as_str().rsplit('.').next().unwrap_or_default();
    stored.eq_ignore_ascii_case(domain.as_str().as_bytes())
        && !domain.is_wildcard()
        && domain.as_str().len() <= LONGEST_RECORD
        && last.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !last.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests;
