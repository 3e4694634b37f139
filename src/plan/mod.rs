//! Decides what to do. Pure: it reads no clock, no socket and no file.
//!
//! | the name is | at Closte | not at Closte |
//! | --- | --- | --- |
//! | desired | in place | **add**, unless *covered*, *refused*, *waiting* after a failure, or *missing* from one list only |
//! | managed, no longer desired | **remove**, unless *held* by a [`Guard`] or *waiting* | forgotten after a day |
//! | neither | *unmanaged*: never touched | |
//!
//! [`plan`] also returns how the ledger changes. That is written before the first call, so the next
//! cycle finishes what was interrupted.

mod planner;

use std::{collections::HashSet, time::Duration};

use jiff::Timestamp;
use strum::IntoStaticStr;

use crate::{
    back_off::BackOff,
    domain::{DomainName, DomainRef, Pattern},
    ledger::{CompactRowRef, Entry, Ledger},
    names::{NameMap, NameSet},
};

/// What should be at Closte, by one read of the network.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    pub names: NameMap<CompactRowRef>,
    /// The names of the installation's networks themselves. Never removed.
    pub network_domains: HashSet<DomainName>,
    /// Ids of rows that hold no domain name. The name that such a row held before stays.
    pub invalid_rows: HashSet<i64>,
    /// Domains of archived, spam and deleted sites: desired if managed.
    pub inactive: NameMap<CompactRowRef>,
    /// Domains of live sites that no row maps: kept if managed.
    pub carried: NameSet,
    /// Domains of sites that have other rows, or belong to another network: kept if managed and not
    /// mapped by a row last. If a row mapped one, it was unmapped.
    pub own_domains: NameSet,
    /// Names that the plugin's setting decides about, which is not known.
    pub undetermined: NameSet,
    /// The domain table had no row at all, which is no reason to remove anything.
    pub table_was_empty: bool,
}

impl Desired {
    /// The row that maps a desired name.
    fn origin(&self, name: DomainRef<'_>, is_managed: bool) -> Option<CompactRowRef> {
        let inactive = || self.inactive.get(name.as_str()).filter(|_| is_managed);
        self.names.get(name.as_str()).or_else(inactive).copied()
    }
}

/// What Closte lists.
#[derive(Debug, Clone, Default)]
pub struct Current {
    pub names: NameSet,
    /// Whether every element of the list was understood. If not, nothing is removed.
    pub complete: bool,
}

/// The operator's settings and arguments that plans depend on.
#[derive(Debug, Clone)]
pub struct Policy {
    /// `sync.policy = "upsert-only"`: nothing is ever removed.
    pub upsert_only: bool,
    /// How long a name must have been undesired before it is removed.
    pub removal_grace: Duration,
    /// Since when no other daemon has led, as far as the state shows; none where none can. What another one
    /// saw before is not known, so no name counts as undesired for longer.
    pub leading_since: Option<Timestamp>,
    /// Another daemon leads, and removes what is to be removed. If it hangs, it leads for at most so long, and may
    /// make a late call then.
    pub other_leads: Option<Duration>,
    /// How many percent of the managed names one cycle may remove.
    pub max_removal_percent: u8,
    /// Names that are never removed.
    pub keep: Vec<Pattern>,
    /// Names that are neither added nor removed.
    pub exclude: Vec<Pattern>,
    /// How long to wait after a call that failed.
    pub back_off: BackOff,
    /// `apply --allow-removals`: lifts the guards against removing many names together.
    pub allow_removals: bool,
    /// `apply DOMAIN…`: tried now, whatever their back-off or refusal.
    pub named: HashSet<DomainName>,
}

/// What one cycle would do, and why.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Every name that is not simply in place, sorted.
    pub decisions: Vec<(DomainName, Decision)>,
    /// Names that are seen desired for the first time, and that Closte lists already, each with its row:
    /// they are managed from now on.
    pub adopted: NameMap<CompactRowRef>,
    /// What else to write into the ledger before the first call, sorted.
    pub changes: Vec<LedgerChange>,
    /// How many names are desired.
    pub desired: usize,
    /// How many desired names are current.
    pub in_place: usize,
    /// How many names are managed after the changes.
    pub managed: usize,
}

/// What to do with a name.
#[derive(Debug, Clone, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Decision {
    /// Desired, not current.
    Add(Reason),
    /// Managed, no longer desired, current.
    Remove { undesired_since: Timestamp },
    /// A removal that a guard stopped.
    Held(Guard),
    /// The last call failed with this error. The next one is made at `until`.
    Waiting { until: Timestamp, error: String },
    /// Closte accepted the call. Its list must show it at `until`.
    Unconfirmed { until: Timestamp },
    /// It was at Closte and is not in this list. It is added again if it is missing from the next list
    /// as well.
    Missing,
    /// Desired, and a current wildcard already serves it.
    Covered { by: DomainName },
    /// Closte will not take it. It is asked again at `until`, or when the row changes.
    Refused { until: Timestamp, error: String },
    /// Current, never desired: never touched.
    Unmanaged,
}

/// Why a name is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    New,
    /// It was at Closte, and no longer is.
    Lost,
    /// Earlier calls have not added it.
    Retry {
        attempts: u32,
    },
}

/// Why a name that is no longer desired stays.
#[derive(Debug, Clone, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Guard {
    /// It matches `sync.exclude`.
    Excluded,
    /// It is one of Closte's own names.
    ClostesOwn,
    /// It is the network's own name.
    OwnName,
    /// A live site still has it, though the plugin would write no domain record for that site.
    Carried,
    /// It matches `sync.keep`.
    Kept,
    /// `sync.policy` is `upsert-only`.
    UpsertOnly,
    /// The domain table was empty, which may be a mistake.
    EmptyTable,
    /// The row that mapped it is still there, and holds something that is no domain name.
    UnreadableRow(i64),
    /// The plugin's setting decides about it, and is not known.
    Undetermined,
    /// Closte's list was not understood in full.
    ListIncomplete,
    /// It is a wildcard and serves this desired name, which is not current itself yet.
    StillServing(DomainName),
    /// `sync.removal_grace` ends at `until`.
    Grace { until: Timestamp },
    /// A cycle may not remove this many of the managed names.
    TooMany { removals: usize, managed: usize },
}

impl Plan {
    /// When a cycle could do more though nothing changes outside, but for names to forget; none if never.
    pub fn replan_at(&self, now: Timestamp) -> Option<Timestamp> {
        let due = |(_, decision): &(DomainName, Decision)| match decision {
            // The next list must show it.
            Decision::Add(_) | Decision::Remove { .. } | Decision::Missing => Some(now),
            Decision::Held(Guard::Grace { until })
            | Decision::Waiting { until, .. }
            | Decision::Unconfirmed { until }
            | Decision::Refused { until, .. } => Some(*until),
            Decision::Held(_) | Decision::Covered { .. } | Decision::Unmanaged => None,
        };
        self.decisions.iter().filter_map(due).min()
    }

    /// Whether a later plan of the same is the same: nothing in it ends by itself, and carrying it out changes
    /// nothing. Names that are to be forgotten are managed without being in it.
    pub fn is_at_rest(&self) -> bool {
        let stays = |(_, decision): &(DomainName, Decision)| match decision {
            Decision::Unmanaged => Some(0),
            Decision::Covered { .. } => Some(1),
            Decision::Held(guard) => guard.is_lasting().then_some(1),
            _ => None,
        };
        let others: Option<usize> = self.decisions.iter().map(stays).sum();
        self.changes.is_empty()
            && self.adopted.is_empty()
            && others.is_some_and(|others| self.in_place + others == self.managed)
    }

    /// Whether nothing is left to add or remove, now or later.
    pub fn is_settled(&self) -> bool {
        self.decisions.iter().all(|(_, decision)| match decision {
            Decision::Add(_)
            | Decision::Remove { .. }
            | Decision::Waiting { .. }
            | Decision::Unconfirmed { .. }
            | Decision::Missing => false,
            Decision::Held(guard) => guard.is_lasting(),
            Decision::Covered { .. } | Decision::Refused { .. } | Decision::Unmanaged => true,
        })
    }
}

impl Guard {
    /// Whether the name stays for good, so that no work is left.
    pub fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Excluded
                | Self::ClostesOwn
                | Self::OwnName
                | Self::Carried
                | Self::Kept
                | Self::UpsertOnly
        )
    }
}

/// A change of the ledger's entry for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerChange {
    pub name: DomainName,
    /// None when the name is forgotten.
    pub entry: Option<Entry>,
    /// What to report about it.
    pub transition: Option<LedgerTransition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerTransition {
    /// No row maps it any more.
    Unmapped,
    /// Desired again before it was removed.
    MappedAgain,
    /// Missing from two of Closte's lists, though this program did not remove it.
    Lost,
    /// Closte accepted the addition, and its list has not shown it in time.
    NotListed,
    /// Closte accepted the removal, and its list has not lost it in time.
    StillListed,
    /// Neither desired nor current: no longer managed.
    Forgotten,
}

pub fn plan(
    desired: &Desired,
    current: &Current,
    ledger: &Ledger,
    policy: &Policy,
    now: Timestamp,
) -> Plan {
    planner::Planner::new(desired, current, ledger, policy, now).plan()
}

#[cfg(test)]
mod tests;
