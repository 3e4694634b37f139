//! Which ledger is the network's.
//!
//! A network is known by its id and its domain without regard to letter case. Where its domain has
//! changed, what it maps tells whether it is the same network: another one may have the same id.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{CycleError, Reconciler};
use crate::{
    domain::DomainName,
    ledger::{Entry, Ledger},
    secrets,
    state::{Known, LedgerId, State, StateError},
    wordpress::{Network, SourceError},
};

/// So many of a ledger's names must still be mapped, in percent, where only the domain is another.
const ENOUGH: usize = 50;

/// The ledger of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    /// It has this one.
    Known(LedgerId),
    /// It has this one, from when its domain was another.
    Renamed(Known),
    /// It has none yet.
    New,
    /// It has none, or this one: it maps nothing now that could tell.
    Undecided(Known),
}

impl Identity {
    /// Finds it out, changing nothing.
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
            let stood_in_rows = entries.values().any(|entry| entry.origin.row_id.is_some());
            if network.rows == 0 && stood_in_rows {
                undecided = Some(ledger);
                continue;
            }
            let still = mapped.share_of(&entries, &ledger.domain);
            // The newest of those that fit as well as each other.
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

    /// The ledger, where there is one.
    ///
    /// # Errors
    /// That it cannot be told whose it is.
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

/// What a network maps, by name and by where it stands.
struct Mapped<'a> {
    domain: String,
    names: HashMap<&'a str, i64>,
    rows: HashMap<i64, &'a DomainName>,
    sites: HashMap<i64, &'a DomainName>,
}

impl<'a> Mapped<'a> {
    fn of(network: &'a Network) -> Self {
        let (rows, sites) = (&network.mappings, &network.sites_without_record);
        let of_rows = rows.iter().map(|mapping| (mapping.domain.as_str(), mapping.blog_id));
        let of_sites = sites.iter().map(|site| (site.domain.as_str(), site.blog_id));
        Self {
            domain: network.domain.to_ascii_lowercase(),
            names: of_rows.chain(of_sites).collect(),
            rows: rows.iter().map(|mapping| (mapping.row_id, &mapping.domain)).collect(),
            sites: sites.iter().map(|site| (site.blog_id, &site.domain)).collect(),
        }
    }

    /// How many of a ledger's names that stood with sites still do, in percent. A name below the
    /// network's old domain may have moved below the new one.
    fn share_of(&self, ledger: &Ledger, old_domain: &str) -> usize {
        let stood =
            |entry: &&Entry| entry.origin.blog_id.is_some() && entry.undesired_since.is_none();
        let all = ledger.values().filter(stood).count();
        let still = ledger.iter().filter(|(name, entry)| {
            stood(entry) && (self.has(name, entry) || self.has_moved(name, entry, old_domain))
        });
        (still.count() * 100).checked_div(all).unwrap_or(0)
    }

    fn has(&self, name: &DomainName, entry: &Entry) -> bool {
        // What is desired only because of its twin stands there without its `www.`.
        let twin = name.as_str().strip_prefix("www.");
        let mut names = [Some(name.as_str()), twin].into_iter().flatten();
        names.any(|name| self.names.get(name).copied() == entry.origin.blog_id)
    }

    fn has_moved(&self, name: &DomainName, entry: &Entry, old_domain: &str) -> bool {
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
    /// The ledger of the network, begun where there is none.
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
            // What cannot be read changes nothing.
            Err(_) => self.state.network(id).await?.check_interval,
        };
        self.state.note_check_interval(id, interval).await?;
        Ok(id)
    }
}
