//! Decides for which sites the plugin would write a domain record.
//!
//! A record that the plugin would not have written can send all visitors of a host to one site, so in doubt
//! a site gets none.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use strum::IntoStaticStr;
use thiserror::Error;

use super::{Network, forms::BaseDomains};
use crate::{
    domain::{self, DomainName, DomainRef, InvalidDomain, bare},
    ledger::CompactRowRef,
    names::NameList,
};

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
#[derive(Debug, Clone, Copy)]
pub(super) struct Blog<'a> {
    pub(super) id: i64,
    pub(super) network: i64,
    /// As stored: it may be no text.
    pub(super) domain: &'a [u8],
    pub(super) path: &'a [u8],
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
    pub(super) mappings: &'a NameList<CompactRowRef>,
    /// The site of each row, in the order of their ids, with the row's index in `mappings`; [`NO_INDEX`] for
    /// an invalid one.
    pub(super) recorded: &'a [(i64, u32)],
}

/// The index of a row that is not in the list of mappings.
pub(super) const NO_INDEX: u32 = u32::MAX;

/// What the `blogs` table says about the site of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SiteOfRow {
    Missing,
    Live,
    /// It is live, and its own address is the row's domain.
    OwnAddress,
    /// Archived, spam or deleted.
    Gone,
}

#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// In the order of the mappings.
    pub(super) sites_of_rows: Vec<SiteOfRow>,
    pub(super) sites_without_record: Vec<Site>,
    /// The number of further sites without a record, on the network's own domain.
    pub(super) on_own_domain: usize,
    /// See [`Network::other_sites`].
    pub(super) other_sites: NameList<i64>,
    pub(super) invalid: Vec<(i64, Box<[u8]>, InvalidDomain)>,
    pub(super) network_domains: Vec<DomainName>,
}

/// Sorts sites as they are read.
pub(super) struct SiteSorter<'a> {
    facts: SiteFacts<'a>,
    sorted: Sorted,
    candidates: Vec<Candidate>,
    main_is_known: bool,
    /// How many of [`SiteFacts::recorded`] belong to the sites so far.
    rows_passed: usize,
}

/// A site of the network that has no row, and is not on the network's own domain.
struct Candidate {
    blog_id: i64,
    domain: DomainName,
    path: String,
    is_gone: bool,
    is_main: bool,
    /// Whether the domain table can hold its domain.
    fits: bool,
}

impl<'a> SiteSorter<'a> {
    pub(super) fn new(facts: SiteFacts<'a>) -> Self {
        let network_domains = facts.own_domains().filter_map(|name| name.parse().ok()).collect();
        let sites_of_rows = vec![SiteOfRow::Missing; facts.mappings.len()];
        let sorted = Sorted { sites_of_rows, network_domains, ..Sorted::default() };
        Self { facts, sorted, candidates: Vec::new(), main_is_known: false, rows_passed: 0 }
    }

    pub(super) fn push(&mut self, blog: Blog<'_>) {
        let Self { facts, sorted, .. } = self;
        let domain = domain::parse(blog.domain);
        let is_at_its_networks = facts.has_networks_address(&blog);
        let is_main = is_at_its_networks || facts.main_sites.get(&blog.network) == Some(&blog.id);
        let is_of_network = blog.network == facts.network.id;
        self.main_is_known |= is_of_network && is_at_its_networks;
        if let (true, Ok(domain)) = (is_main, &domain) {
            sorted.network_domains.push(domain.name().to_name());
        }
        let range = facts.rows_of(blog.id, self.rows_passed);
        self.rows_passed = range.end;
        let rows = facts.recorded.get(range).unwrap_or_default();
        for (_, index) in rows {
            let index = usize::try_from(*index).unwrap_or(usize::MAX);
            let name = facts.mappings.get(index).map(|(name, _)| name);
            if let Some(site) = sorted.sites_of_rows.get_mut(index) {
                *site = if blog.is_gone {
                    SiteOfRow::Gone
                } else if domain.as_ref().ok().map(|domain| domain.name()) == name {
                    SiteOfRow::OwnAddress
                } else {
                    SiteOfRow::Live
                };
            }
        }
        let is_own = blog.domain.eq_ignore_ascii_case(facts.network.domain.as_bytes());
        let needs_record = is_of_network && rows.is_empty();
        match domain {
            _ if is_own => sorted.on_own_domain += usize::from(needs_record),
            Ok(domain) if needs_record => self.candidates.push(Candidate {
                blog_id: blog.id,
                domain: domain.name().to_name(),
                path: String::from_utf8_lossy(blog.path).into_owned(),
                is_gone: blog.is_gone,
                is_main,
                fits: fits_a_record(blog.domain, domain.name()),
            }),
            Ok(domain) => sorted.other_sites.push(domain.name(), blog.id),
            Err(_) if blog.is_gone || !needs_record => {}
            Err(reason) => sorted.invalid.push((blog.id, blog.domain.into(), reason)),
        }
    }

    pub(super) fn finish(self) -> Sorted {
        let Self { facts, mut sorted, candidates, main_is_known, .. } = self;
        if candidates.is_empty() {
            return sorted;
        }
        let holders = Holders::of(&candidates, &sorted.other_sites, facts.mappings);
        // One that is no domain name, such as `localhost`, is compared as text.
        let as_name = |text: &str| text.parse::<DomainName>().map(String::from);
        let own = facts.own_domains().map(|text| as_name(text).unwrap_or(text.to_lowercase()));
        let own: HashSet<String> = own.map(|name| bare(&name).to_owned()).collect();
        let evaluate = |site: &Candidate| {
            Err(if site.is_gone {
                NoRecord::Gone
            } else if own.contains(bare(site.domain.as_str())) {
                NoRecord::NetworkDomain
            } else if site.is_main {
                NoRecord::MainSite
            } else if !is_same_path(site.path.as_bytes(), facts.network.path.as_bytes()) {
                NoRecord::OtherPath
            } else {
                return facts.evaluate_domain(site, holders.get(&site.domain), main_is_known);
            })
        };
        let records: Vec<_> = candidates.iter().map(evaluate).collect();
        let site = |(Candidate { blog_id, domain, path, .. }, record)| Site {
            blog_id,
            domain,
            path,
            record,
        };
        sorted.sites_without_record = candidates.into_iter().zip(records).map(site).collect();
        sorted
    }
}

impl SiteFacts<'_> {
    fn evaluate_domain(
        &self,
        site: &Candidate,
        held: Held,
        main_is_known: bool,
    ) -> Result<(), NoRecord> {
        let reason = if held.sites > 1 {
            NoRecord::SharedDomain
        } else if self.bases.is_some_and(|bases| bases.contains(bare(site.domain.as_str()))) {
            NoRecord::BaseDomain
        } else if held.rows > 0 {
            NoRecord::HasRowElsewhere
        } else if held.twins > 0 {
            NoRecord::TwinElsewhere
        } else if !site.fits {
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
    fn has_networks_address(&self, blog: &Blog<'_>) -> bool {
        let domain = bare_bytes(blog.domain);
        let is_there = |name: &str| bare_bytes(name.as_bytes()).eq_ignore_ascii_case(domain);
        let found = self.networks.binary_search_by_key(&blog.network, |network| network.id);
        found.ok().and_then(|index| self.networks.get(index)).is_some_and(|network| {
            let is_current =
                || network.id == self.network.id && self.current_site_name().is_some_and(is_there);
            is_same_path(blog.path, network.path.as_bytes())
                && (is_there(&network.domain) || is_current())
        })
    }

    /// Where in `recorded` the rows of a site are, valid or not. Sites come in the order of their ids, so
    /// mostly right after the `passed` first.
    fn rows_of(&self, blog_id: i64, passed: usize) -> Range<usize> {
        let count = |from: usize, is_counted: &dyn Fn(i64) -> bool| {
            let rest = self.recorded.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|(site, _)| is_counted(*site)).count()
        };
        let is_passed = |(site, _): &(i64, u32)| *site >= blog_id;
        let last_passed = passed.checked_sub(1).and_then(|last| self.recorded.get(last));
        let from = if last_passed.is_some_and(is_passed) { 0 } else { passed };
        let start = count(from, &|site| site < blog_id);
        start..count(start, &|site| site == blog_id)
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
    fn of(
        candidates: &'a [Candidate],
        others: &'a NameList<i64>,
        mappings: &NameList<CompactRowRef>,
    ) -> Self {
        let names = candidates.iter().map(|site| site.domain.to_ref());
        let mut holders =
            Self(names.clone().map(|name| (bare(name.as_str()), Default::default())).collect());
        for name in names.chain(others.iter().map(|(name, _)| name)) {
            holders.count(name, |held| held.sites += 1);
        }
        for (name, _) in mappings.iter() {
            holders.count(name, |held| held.rows += 1);
        }
        holders
    }

    fn count(&mut self, name: DomainRef<'_>, add: impl Fn(&mut Held)) {
        if let Some([without, with]) = self.0.get_mut(bare(name.as_str())) {
            let (same, twin) = if has_www(name) { (with, without) } else { (without, with) };
            add(same);
            twin.twins += 1;
        }
    }

    fn get(&self, name: &DomainName) -> Held {
        let [without, with] = self.0.get(bare(name.as_str())).copied().unwrap_or_default();
        if has_www(name.to_ref()) { with } else { without }
    }
}

fn bare_bytes(name: &[u8]) -> &[u8] {
    match name.split_at_checked(4) {
        Some((www, bare)) if www.eq_ignore_ascii_case(b"www.") => bare,
        _ => name,
    }
}

fn has_www(name: DomainRef<'_>) -> bool {
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
fn fits_a_record(stored: &[u8], domain: DomainRef<'_>) -> bool {
    let last = domain.as_str().rsplit('.').next().unwrap_or_default();
    stored.eq_ignore_ascii_case(domain.as_str().as_bytes())
        && !domain.is_wildcard()
        && domain.as_str().len() <= LONGEST_RECORD
        && last.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !last.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests;
