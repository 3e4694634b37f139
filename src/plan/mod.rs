//! What to do: pure, without a clock, a socket or a file of its own.
//!
//! | the name is | at Closte | not at Closte |
//! | --- | --- | --- |
//! | desired | in place | **add**, unless *covered*, *refused*, *waiting* after a failure, or *missing* from one list only |
//! | managed, no longer desired | **remove**, unless *held* by a [`Guard`] or *waiting* | forgotten, in time |
//! | neither | *unmanaged*: never touched | |
//!
//! [`plan`] also says how the ledger changes. That is written down before the first call is made,
//! so whatever interrupts a cycle, the next one finishes it.

mod planner;

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::Timestamp;
use strum::IntoStaticStr;

use crate::{
    domain::{DomainName, Pattern},
    ledger::{BackOff, Entry, Ledger, RowRef},
};

/// What should be at Closte, as one read of the network told.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// Each name and the row that wants it.
    pub names: HashMap<DomainName, RowRef>,
    /// The names of the installation's networks themselves. Never removed.
    pub network_domains: HashSet<DomainName>,
    /// Rows that are there but are no domain name. A name that such a row held before stays.
    pub rejected_rows: HashSet<i64>,
    /// The domains of archived, spam and deleted sites: those of them that are managed are desired.
    pub asleep: HashMap<DomainName, RowRef>,
    /// Names that no row wants, but that live sites still have. Those of them that are managed stay.
    pub carried: HashMap<DomainName, RowRef>,
    /// The same of sites that have got other rows, or stand in another network. Those of them that are
    /// managed and that no row desired stay: of the others, somebody took the row away.
    pub own_domains: HashMap<DomainName, RowRef>,
    /// Names that may be desired: the plugin's setting, which decides it, is not known.
    pub undetermined: HashSet<DomainName>,
    /// The domain table had no row at all, which is no reason to remove anything.
    pub table_was_empty: bool,
}

impl Desired {
    /// The row that wants a name. An archived, spam or deleted site wants what is managed already.
    fn origin(&self, name: &DomainName, ledger: &Ledger) -> Option<RowRef> {
        let asleep = || self.asleep.get(name).filter(|_| ledger.contains_key(name));
        self.names.get(name).or_else(asleep).copied()
    }
}

/// What Closte lists.
#[derive(Debug, Clone, Default)]
pub struct Current {
    /// The names.
    pub names: HashSet<DomainName>,
    /// Whether every element of the list was understood. If not, nothing is removed.
    pub complete: bool,
}

/// The rules of the operator.
#[derive(Debug, Clone)]
pub struct Policy {
    /// `sync.policy = "upsert-only"`: nothing is ever removed.
    pub upsert_only: bool,
    /// How long a name must have been unwanted before it is removed.
    pub removal_grace: Duration,
    /// The most of the managed names, in percent, that one cycle may remove.
    pub max_removal_percent: u8,
    /// Names that are never removed.
    pub keep: Vec<Pattern>,
    /// Names that are none of our business.
    pub exclude: Vec<Pattern>,
    /// How long a name that failed is left alone.
    pub back_off: BackOff,
    /// `apply --allow-removals`: the operator has seen how many names go, and insists.
    pub allow_removals: bool,
    /// `apply DOMAIN…`: these are tried at once, whatever came of the last attempt.
    pub named: HashSet<DomainName>,
}

/// What one cycle would do, and why.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Every name that is not simply in place, sorted.
    pub decisions: Vec<(DomainName, Decision)>,
    /// What to write into the ledger before the first call, sorted.
    pub changes: Vec<LedgerChange>,
    /// How many names are desired.
    pub desired: usize,
    /// How many of them are present.
    pub in_place: usize,
    /// How many names are managed, with the changes.
    pub managed: usize,
}

/// What becomes of a name.
#[derive(Debug, Clone, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Decision {
    /// Desired and not there: add it.
    Add(Reason),
    /// Managed, no longer desired and there: remove it.
    Remove {
        /// Since when no row wants it.
        undesired_since: Timestamp,
    },
    /// It would be removed, had a guard not stopped that.
    Held(Guard),
    /// The last call for it failed, and it is not time for the next.
    Waiting {
        /// When it will be time.
        until: Timestamp,
        /// Why the last call failed.
        error: String,
    },
    /// Closte said yes, and its list does not show it yet.
    Unconfirmed {
        /// Until when it may take.
        until: Timestamp,
    },
    /// It was at Closte, and this list lacks it. It is added again when another list does, too.
    Missing,
    /// Desired, and a present wildcard already serves it.
    Covered {
        /// That wildcard.
        by: DomainName,
    },
    /// Closte will not take it.
    Refused {
        /// When Closte is asked again, unless the row changes before.
        until: Timestamp,
        /// What Closte said.
        error: String,
    },
    /// Present, never desired: not ours.
    Unmanaged,
}

/// Why a name is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It was never there.
    New,
    /// It was there, and no longer is.
    Lost,
    /// Earlier calls did not get it there.
    Retry {
        /// How many there were.
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
    /// The row that desired it is still there, and holds something that is no domain name.
    UnreadableRow(i64),
    /// It may be desired: the plugin's setting, which decides it, is not known.
    PerhapsDesired,
    /// Closte's list was not understood in full.
    ListIncomplete,
    /// A wildcard that still serves a desired name, which is not there itself yet.
    StillServing(DomainName),
    /// `sync.removal_grace` is not over.
    Grace {
        /// When it will be.
        until: Timestamp,
    },
    /// Too many names would go at once.
    TooMany {
        /// How many.
        removals: usize,
        /// Of how many managed ones.
        managed: usize,
    },
}

impl Plan {
    /// The earliest moment at which another cycle could do more, should nothing change until then;
    /// none when there is no such moment.
    pub fn look_again_at(&self, now: Timestamp) -> Option<Timestamp> {
        let due = |(_, decision): &(DomainName, Decision)| match decision {
            // The next list must show it.
            Decision::Add(_) | Decision::Remove { .. } | Decision::Missing => Some(now),
            Decision::Held(Guard::ListIncomplete | Guard::StillServing(_)) => Some(now),
            Decision::Held(Guard::Grace { until })
            | Decision::Waiting { until, .. }
            | Decision::Unconfirmed { until }
            | Decision::Refused { until, .. } => Some(*until),
            Decision::Held(_) | Decision::Covered { .. } | Decision::Unmanaged => None,
        };
        self.decisions.iter().filter_map(due).min()
    }

    /// Whether both ends agree as far as they ever will: nothing to add, nothing to remove.
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
    /// Whether the name stays for good: a rule of the operator or of nature, and no work left.
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

/// How the ledger's entry for a name changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerChange {
    /// The name.
    pub name: DomainName,
    /// Its new entry; none when the name is forgotten.
    pub entry: Option<Entry>,
    /// What there is to say about it.
    pub transition: Option<LedgerTransition>,
}

/// What a change of the ledger means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerTransition {
    /// Seen desired for the first time, and already at Closte.
    Adopted,
    /// No row wants it any more.
    Unmapped,
    /// Desired again before it was removed.
    MappedAgain,
    /// Two of Closte's lists lack it, and nobody here removed it.
    Lost,
    /// Closte said yes, and its list has not shown it in time.
    NotListed,
    /// Closte said that it removed the name, and its list has not lost it in time.
    StillListed,
    /// Neither desired nor present: no longer managed.
    Forgotten,
}

/// Decides what becomes of every name.
pub fn plan(
    desired: &Desired,
    present: &Current,
    ledger: &Ledger,
    policy: &Policy,
    now: Timestamp,
) -> Plan {
    planner::Planner::new(desired, present, ledger, policy, now).plan()
}

#[cfg(test)]
mod tests;
