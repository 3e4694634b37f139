//! What is remembered of each managed name. Plain data: [`crate::plan`] reads and changes it,
//! [`crate::state`] stores it.

use std::{collections::HashMap, fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{back_off::BackOff, domain::DomainName};

/// Every *managed* name: one that was seen desired, and so may be removed one day.
pub type Ledger = HashMap<DomainName, Entry>;

/// The row of the network's tables that maps a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RowRef {
    /// The row of the domain table; none for a site without one and for `sync.extra_domains`.
    pub row_id: Option<i64>,
    /// The site; none for `sync.extra_domains`.
    pub blog_id: Option<i64>,
    /// When the row was last written, in Unix seconds by WordPress's clock.
    pub modified: Option<i64>,
}

/// A table of the network, and the id of a row in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowLocation {
    /// In the domain table.
    Row(i64),
    /// In the sites' own table.
    Site(i64),
}

impl RowLocation {
    pub fn kind(self) -> &'static str {
        match self {
            Self::Row(_) => "row",
            Self::Site(_) => "site",
        }
    }

    pub fn id(self) -> i64 {
        match self {
            Self::Row(id) | Self::Site(id) => id,
        }
    }
}

impl fmt::Display for RowLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.id())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The row that maps the name, or mapped it last.
    pub origin: RowRef,
    /// When the name was first seen desired.
    pub managed_since: Timestamp,
    /// Since when Closte lists it. It stays when the name is missing from one list only.
    pub present_since: Option<Timestamp>,
    /// Since when it is missing from lists, though it was at Closte, or a wildcard served it.
    pub missing_since: Option<Timestamp>,
    /// Since when no row maps it.
    pub undesired_since: Option<Timestamp>,
    /// The wildcard at Closte that serves it, by the last list.
    pub covered_by: Option<DomainName>,
    pub progress: Progress,
}

/// The state of the call for a name: to add it while it is desired, to remove it while it is not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Progress {
    /// No call was made, or the list agrees with the last one.
    #[default]
    Idle,
    /// Closte accepted it. Its list must agree before the next attempt is due.
    Accepted(Attempt),
    /// It failed with this error, or the list did not agree.
    Failed(Attempt, String),
    /// Closte will not take the name: final until its row changes or [`REFUSAL_LASTS`] is over.
    Refused { at: Timestamp, error: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// How many calls were made in a row, this one included.
    pub count: u32,
    /// When the next one is due.
    pub next: Timestamp,
}

pub const REFUSAL_LASTS: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Entry {
    /// For a name that is seen desired for the first time.
    pub fn new(origin: RowRef, now: Timestamp) -> Self {
        Self {
            origin,
            managed_since: now,
            present_since: None,
            missing_since: None,
            undesired_since: None,
            covered_by: None,
            progress: Progress::Idle,
        }
    }

    /// Sets times that a clock that was ahead has noted to now.
    pub fn clamp(&mut self, now: Timestamp) {
        self.managed_since = self.managed_since.min(now);
        for since in [&mut self.present_since, &mut self.missing_since, &mut self.undesired_since] {
            *since = since.map(|since| since.min(now));
        }
    }

    /// Whether it is missing from the last list, so that the next one decides.
    pub fn is_missing(&self) -> bool {
        let was_there = self.present_since.is_some() || self.covered_by.is_some();
        was_there && self.missing_since.is_some()
    }

    /// How many calls in a row were made for the name without the list agreeing.
    pub fn attempts(&self) -> u32 {
        match self.progress {
            Progress::Accepted(attempt) | Progress::Failed(attempt, _) => attempt.count,
            Progress::Idle | Progress::Refused { .. } => 0,
        }
    }

    pub fn accept(&mut self, back_off: &BackOff, now: Timestamp) {
        self.progress = Progress::Accepted(self.next_attempt(back_off, now));
    }

    pub fn fail(&mut self, error: String, back_off: &BackOff, now: Timestamp) {
        self.progress = Progress::Failed(self.next_attempt(back_off, now), error);
    }

    pub fn refuse(&mut self, error: String, now: Timestamp) {
        self.progress = Progress::Refused { at: now, error };
    }

    fn next_attempt(&self, back_off: &BackOff, now: Timestamp) -> Attempt {
        let count = self.attempts().saturating_add(1);
        Attempt { count, next: later(now, back_off.after(count)) }
    }
}

/// `wait` after `at`; the last moment there is, if that is too late to be expressed.
pub fn later(at: Timestamp, wait: Duration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_count_until_the_list_agrees() {
        let mut entry = Entry::new(RowRef::default(), Timestamp::UNIX_EPOCH);
        let back_off = BackOff::default();
        entry.fail("no answer".into(), &back_off, Timestamp::UNIX_EPOCH);
        entry.accept(&back_off, Timestamp::UNIX_EPOCH);
        assert_eq!(entry.attempts(), 2);
        entry.progress = Progress::Idle;
        assert_eq!(entry.attempts(), 0);
    }
}
