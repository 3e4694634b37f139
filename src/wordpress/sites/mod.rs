//! Which sites the plugin would write a domain record for.
//!
//! A record that the plugin would not have written can send all visitors of a host to one site, so
//! whatever is in doubt gets none.

use std::collections::{HashMap, HashSet};

use strum::IntoStaticStr;
use thiserror::Error;

use super::{Mapping, Network, forms::BaseDomains};
use crate::domain::{DomainName, InvalidDomain};

/// The domain table's column takes so many bytes; the sites' own takes more.
const LONGEST_RECORD: usize = 191;

/// A site without any domain record, and its own domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its id.
    pub blog_id: i64,
    /// Its own domain.
    pub domain: DomainName,
    /// Its path.
    pub path: String,
    /// Whether the plugin would have written a record for it.
    pub record: Result<(), NoRecord>,
}

/// Why a site gets no domain record, whatever the operator's settings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum NoRecord {
    /// The plugin removes nothing then, and neither do we.
    #[error("it is archived, spam or deleted")]
    Gone,
    /// The main site of a network stands on it, or WordPress takes it for the network's own.
    #[error("its domain is a network's own")]
    NetworkDomain,
    /// Visitors of the network's own domain come to it.
    #[error("it is a network's main site")]
    MainSite,
    /// It lives in a path of a host that belongs to others.
    #[error("its path is not the network's")]
    OtherPath,
    /// A record could serve only one of them.
    #[error("another site has its domain too")]
    SharedDomain,
    /// Sites that customers order live in its paths or below it.
    #[error("checkout forms share its domain")]
    BaseDomain,
    /// The plugin takes each domain once.
    #[error("the domain table has its domain for another site")]
    HasRowElsewhere,
    /// WordPress serves a name with and without `www.` by one record.
    #[error("another site or row has its domain with www. or without")]
    TwinElsewhere,
    /// The plugin takes neither wildcards nor long names.
    #[error("the domain table cannot hold its domain")]
    DoesNotFit,
    /// Half way through a rename by hand it looks like this.
    #[error(
        "no site stands at the network's own address, so which one is the main site is not known"
    )]
    MainSiteUnknown,
    /// `DOMAIN_CURRENT_SITE` is set, but to what is not known.
    #[error("what wp-config.php sets DOMAIN_CURRENT_SITE to is not known")]
    CurrentSiteUnknown,
    /// The checkout forms cannot be read.
    #[error("which domains the checkout forms share is not known")]
    BaseDomainsUnknown,
}

impl NoRecord {
    /// What stands in the way only because something is not known.
    pub const DOUBTS: [Self; 3] =
        [Self::MainSiteUnknown, Self::CurrentSiteUnknown, Self::BaseDomainsUnknown];

    /// Whether the site's own domain is desired at Closte all the same: nobody else can have it.
    pub fn is_wanted_still(self) -> bool {
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

    /// A stable word for programs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Network {
    /// Why a site gets no domain record, with the remedy where there is one.
    pub fn why_not(&self, reason: NoRecord) -> String {
        match (reason, &self.base_domains) {
            (NoRecord::CurrentSiteUnknown, _) => format!("{reason}: set wordpress.current_site"),
            (NoRecord::BaseDomainsUnknown, Err(error)) => format!("{reason}: {error}"),
            _ => reason.to_string(),
        }
    }
}

/// `DOMAIN_CURRENT_SITE`, which WordPress takes for the network's domain whatever the tables say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CurrentSite {
    /// It is not set.
    #[default]
    Unset,
    /// It is this.
    Known(String),
    /// It is set, but to what is not known.
    Unknown,
}

/// A row of the `site` table: a network.
#[derive(Debug, Clone)]
pub(super) struct NetworkRow {
    pub(super) id: i64,
    pub(super) domain: String,
    pub(super) path: String,
}

/// A row of the `blogs` table: a site of any network.
#[derive(Debug, Clone)]
pub(super) struct Blog {
    pub(super) id: i64,
    pub(super) network: i64,
    /// As it stands there: it may be no text.
    pub(super) domain: Box<[u8]>,
    pub(super) path: Box<[u8]>,
    /// Archived, spam or deleted.
    pub(super) is_gone: bool,
}

/// What the sites are judged by.
pub(super) struct SiteFacts<'a> {
    /// The network that is kept.
    pub(super) network: &'a NetworkRow,
    /// All of the installation.
    pub(super) networks: &'a [NetworkRow],
    pub(super) current_site: &'a CurrentSite,
    /// The main site of each network, as WordPress noted it.
    pub(super) main_sites: &'a HashMap<i64, i64>,
    /// None where they are not known.
    pub(super) bases: Option<&'a BaseDomains>,
    pub(super) mappings: &'a [Mapping],
    /// The sites that have a row, readable or not.
    pub(super) recorded: &'a HashSet<i64>,
}

/// The sites of the network, sorted out.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// Those without any record.
    pub(super) sites_without_record: Vec<Site>,
    /// How many of them stand on the network's own domain, and are not among these.
    pub(super) on_own_domain: usize,
    /// The domains of all other sites of the installation, where no row has them.
    pub(super) without_row: Vec<(i64, DomainName)>,
    /// Those whose domain is none.
    pub(super) invalid: Vec<(i64, Box<[u8]>, InvalidDomain)>,
    /// The domains of the networks and of their main sites, and `DOMAIN_CURRENT_SITE`.
    pub(super) network_domains: Vec<DomainName>,
}

impl SiteFacts<'_> {
    pub(super) fn sort_out(&self, blogs: &[Blog]) -> Sorted {
        let names = self.own_domains().filter_map(|name| name.parse().ok());
        let mut sorted = Sorted { network_domains: names.collect(), ..Sorted::default() };
        let is_main = |blog: &&Blog| {
            self.main_sites.get(&blog.network) == Some(&blog.id) || self.is_at_its_networks(blog)
        };
        let mains: HashSet<i64> = blogs.iter().filter(is_main).map(|blog| blog.id).collect();
        let mut main_is_known = false;
        for blog in blogs.iter().filter(|blog| mains.contains(&blog.id)) {
            main_is_known |= blog.network == self.network.id && self.is_at_its_networks(blog);
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
        // One that is no name, such as `localhost`, is compared as it stands.
        let as_name = |text: &str| text.parse::<DomainName>().map(String::from);
        let own = self.own_domains().map(|text| as_name(text).unwrap_or(text.to_lowercase()));
        let own: HashSet<String> = own.map(|name| bare(&name).to_owned()).collect();
        let judge = |(blog, domain): &(&Blog, DomainName)| {
            Err(if blog.is_gone {
                NoRecord::Gone
            } else if own.contains(bare(domain.as_str())) {
                NoRecord::NetworkDomain
            } else if mains.contains(&blog.id) {
                NoRecord::MainSite
            } else if !is_same_path(&blog.path, self.network.path.as_bytes()) {
                NoRecord::OtherPath
            } else {
                return self.judge_domain(blog, domain, holders.get(domain), main_is_known);
            })
        };
        let records: Vec<_> = candidates.iter().map(judge).collect();
        let site = |((blog, domain), record): ((&Blog, DomainName), _)| {
            let path = String::from_utf8_lossy(&blog.path).into_owned();
            Site { blog_id: blog.id, domain, path, record }
        };
        sorted.sites_without_record = candidates.into_iter().zip(records).map(site).collect();
        sorted
    }

    fn judge_domain(
        &self,
        blog: &Blog,
        domain: &DomainName,
        held: Held,
        main_is_known: bool,
    ) -> Result<(), NoRecord> {
        let doubt = if held.sites > 1 {
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
        Err(doubt)
    }

    /// Whether a site stands where its network's main site does.
    fn is_at_its_networks(&self, blog: &Blog) -> bool {
        let domain = bare_bytes(&blog.domain);
        let is_there = |name: &str| bare_bytes(name.as_bytes()).eq_ignore_ascii_case(domain);
        // They come in the order of their ids.
        let found = self.networks.binary_search_by_key(&blog.network, |network| network.id);
        found.ok().and_then(|index| self.networks.get(index)).is_some_and(|network| {
            let is_kept = network.id == self.network.id;
            let is_current = || is_kept && self.current_site_name().is_some_and(is_there);
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

/// Who else has a candidate's domain.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    /// How many sites have exactly this domain, the candidate itself included.
    sites: u32,
    /// How many rows do.
    rows: u32,
    /// How many sites and rows have it with `www.` where it has none, or the other way round.
    twins: u32,
}

/// Counts for the names of candidates only: most sites have a record.
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

/// The name without `www.` in front.
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

/// An empty path is the same as `/`.
fn is_same_path(one: &[u8], other: &[u8]) -> bool {
    without_slashes(one).eq_ignore_ascii_case(without_slashes(other))
}

fn without_slashes(path: &[u8]) -> &[u8] {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    path.strip_suffix(b"/").unwrap_or(path)
}

/// Whether the plugin takes the domain for a record: as it stands, no wildcard, and not too long.
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
