//! Finds the ledger of a network.
//!
//! A network is identified by its id and its domain in any letter case. If only the domain differs, its
//! mappings show whether it is the same network: another one may have the same id.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{CycleError, Reconciler};
use crate::{
    domain::DomainRef,
    ledger::{Entry, Ledger},
    secrets,
    state::{Known, LedgerId, State, StateError},
    wordpress::{Network, SourceError},
};

/// How many percent of a ledger's names must still be mapped if only the domain differs.
const ENOUGH: usize = 50;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    Known(LedgerId),
    /// The network had another domain.
    Renamed(Known),
    /// It has no ledger yet.
    New,
    /// This ledger or none: the network maps nothing now that could show which.
    Undecided(Known),
}

impl Identity {
    pub(super) async fn of(
        network: &Network,
        account: &str,
        state: &State,
    ) -> Result<Self, StateError> {
        let known = state.ledgers(network.id, account).await?;
        let domain = network.domain.to_ascii_lowercase();
        if let Some(same) = known.iter().find(|ledger| ledger.domain == domain) {
            return Ok(Self::Known(same.id));
        }
        let mapped = Mapped::of(network);
        let (mut best, mut undecided) = (None, None);
        for ledger in known {
            let entries = state.load(ledger.id).await?;
            let had_rows = entries.iter().any(|(_, one)| one.entry().origin.row_id.is_some());
            if network.rows == 0 && had_rows {
                undecided = Some(ledger);
                continue;
            }
            let still = mapped.share_of(&entries, &ledger.domain);
            // Of equally good ones, the newest.
            if still >= ENOUGH && best.as_ref().is_none_or(|(most, _)| still >= *most) {
                best = Some((still, ledger));
            }
        }
        Ok(match (best, undecided) {
            (Some((_, ledger)), _) => Self::Renamed(ledger),
            (None, Some(ledger)) => Self::Undecided(ledger),
            (None, None) => Self::New,
        })
    }

    /// # Errors
    /// [`SourceError::RenamedAndEmpty`] if it is undecided.
    pub(super) fn ledger(self, network: &Network) -> Result<Option<LedgerId>, SourceError> {
        match self {
            Self::Known(id) => Ok(Some(id)),
            Self::Renamed(known) => Ok(Some(known.id)),
            Self::New => Ok(None),
            Self::Undecided(known) => Err(undecided(known, network)),
        }
    }
}

fn undecided(known: Known, network: &Network) -> SourceError {
    let [from, to] = [&known.domain, &network.domain].map(|domain| secrets::mask(domain));
    SourceError::RenamedAndEmpty { from, to }
}

/// What a network maps, by name, row and site.
struct Mapped<'a> {
    domain: String,
    names: HashMap<&'a str, Option<i64>>,
    rows: HashMap<i64, DomainRef<'a>>,
    sites: HashMap<i64, DomainRef<'a>>,
}

impl<'a> Mapped<'a> {
    fn of(network: &'a Network) -> Self {
        let sites =
            network.sites_without_record.iter().map(|site| (site.domain.to_ref(), site.blog_id));
        let of_rows = network.mappings().map(|row| (row.domain.as_str(), Some(row.blog_id)));
        let of_sites = sites.clone().map(|(name, site)| (name.as_str(), Some(site)));
        Self {
            domain: network.domain.to_ascii_lowercase(),
            names: of_rows.chain(of_sites).collect(),
            rows: network.mappings().map(|row| (row.row_id, row.domain)).collect(),
            sites: sites.map(|(name, site)| (site, name)).collect(),
        }
    }

    /// How many percent of a ledger's names that belonged to sites still do. A name below the network's
    /// old domain may have moved below the new one.
    fn share_of(&self, ledger: &Ledger, old_domain: &str) -> usize {
        let (mut all, mut still) = (0_usize, 0);
        for (name, entry) in ledger.iter() {
            let entry = entry.entry();
            if entry.origin.blog_id.is_some() && entry.undesired_since.is_none() {
                all += 1;
                let is_here = self.has(name, &entry) || self.has_moved(name, &entry, old_domain);
                still += usize::from(is_here);
            }
        }
        (still * 100).checked_div(all).unwrap_or(0)
    }

    fn has(&self, name: DomainRef<'_>, entry: &Entry) -> bool {
        // The twin of a mapped name is mapped without `www.`.
        let twin = name.as_str().strip_prefix("www.");
        let mut names = [Some(name.as_str()), twin].into_iter().flatten();
        names.any(|name| self.names.get(name).is_some_and(|site| *site == entry.origin.blog_id))
    }

    fn has_moved(&self, name: DomainRef<'_>, entry: &Entry, old_domain: &str) -> bool {
        let below = name.as_str().strip_suffix(old_domain);
        let Some(below) = below.filter(|below| below.is_empty() || below.ends_with('.')) else {
            return false;
        };
        let now = match (entry.origin.row_id, entry.origin.blog_id) {
            (Some(row), _) => self.rows.get(&row),
            (None, Some(site)) => self.sites.get(&site),
            (None, None) => None,
        };
        now.is_some_and(|now| now.as_str().strip_suffix(&*self.domain) == Some(below))
    }
}

impl Reconciler {
    /// The ledger of the network; a new one if there is none.
    pub(super) async fn start_ledger(
        &self,
        network: &Network,
        now: Timestamp,
    ) -> Result<LedgerId, CycleError> {
        let domain = network.domain.to_ascii_lowercase();
        let id = match Identity::of(network, &self.account, &self.state).await? {
            Identity::Known(id) => id,
            Identity::Renamed(known) => {
                self.state.rename_network(&known, network.id, &domain, now).await?;
                known.id
            }
            Identity::New => {
                self.state.begin_ledger(network.id, &domain, &self.account, now).await?
            }
            Identity::Undecided(known) => {
                return Err(undecided(known, network).into());
            }
        };
        let interval = match &network.plugin {
            Ok(plugin) => plugin.dns_check_interval,
            // A setting that cannot be read stays as it was.
            Err(_) => self.state.network(id).await?.check_interval,
        };
        self.state.note_check_interval(id, interval).await?;
        Ok(id)
    }
}
