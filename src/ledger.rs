//! What this daemon remembers of each name that it has seen desired. Plain data: [`crate::plan`]
//! reads and changes it, [`crate::state`] keeps it.

use std::{collections::HashMap, fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::domain::DomainName;

/// Every *managed* name: one that was seen desired, and so may be removed one day.
pub type Ledger = HashMap<DomainName, Entry>;

/// Which row of the network's tables wants a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RowRef {
    /// The row of the domain table; none for a site without one and for `sync.extra_domains`.
    pub row_id: Option<i64>,
    /// The site; none for `sync.extra_domains`.
    pub blog_id: Option<i64>,
    /// When the row was last written, in Unix seconds by WordPress's clock.
    pub modified: Option<i64>,
}

/// Where something stands in the network's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowLocation {
    /// In the domain table, under this id.
    Row(i64),
    /// In the sites' own table, under this id.
    Site(i64),
}

impl RowLocation {
    /// `row` or `site`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Row(_) => "row",
            Self::Site(_) => "site",
        }
    }

    /// The id in that table.
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

/// What is remembered of one managed name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The row that wants the name, or desired it last.
    pub origin: RowRef,
    /// When the name was first seen desired.
    pub managed_since: Timestamp,
    /// Since when Closte lists it. One list that lacks it is not believed yet.
    pub present_since: Option<Timestamp>,
    /// Since when lists lack it, though it was at Closte, or a wildcard served it.
    pub missing_since: Option<Timestamp>,
    /// Since when no row wants it.
    pub undesired_since: Option<Timestamp>,
    /// The wildcard at Closte that serves it in its stead, as far as the last list told.
    pub covered_by: Option<DomainName>,
    /// How the call for it stands: adding while it is desired, removing while it is not.
    pub progress: Progress,
}

/// How the call for a name stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Progress {
    /// None is outstanding.
    #[default]
    Idle,
    /// Closte said yes, and its list must agree before it is time for the next attempt.
    Accepted(Attempt),
    /// It failed, or the list did not agree.
    Failed(Attempt, String),
    /// Closte will not take the name. Final until its row changes or [`REFUSAL_LASTS`] is over.
    Refused {
        /// When Closte said so.
        at: Timestamp,
        /// In which words.
        error: String,
    },
}

/// A call that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// How many were made in a row, this one included.
    pub count: u32,
    /// Not to be made again before.
    pub next: Timestamp,
}

/// How long a refusal is believed.
pub const REFUSAL_LASTS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long a name that keeps failing is left alone: `first`, then twice as long each time, at
/// most `longest`.
#[derive(Debug, Clone, Copy)]
pub struct BackOff {
    /// After the first failure.
    pub first: Duration,
    /// However many there were.
    pub longest: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { first: Duration::from_secs(60), longest: Duration::from_secs(60 * 60) }
    }
}

impl BackOff {
    /// How long to wait after the failure number `count`, the first being 1.
    pub fn after(&self, count: u32) -> Duration {
        let doublings = count.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

impl Entry {
    /// An entry for a name that is seen desired for the first time.
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

    /// What a clock that was ahead has noted is so since now.
    pub fn clamp(&mut self, now: Timestamp) {
        self.managed_since = self.managed_since.min(now);
        for since in [&mut self.present_since, &mut self.missing_since, &mut self.undesired_since] {
            *since = since.map(|since| since.min(now));
        }
    }

    /// Whether the last list lacked it, and the next one decides.
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

    /// Notes that Closte said yes.
    pub fn accept(&mut self, back_off: &BackOff, now: Timestamp) {
        self.progress = Progress::Accepted(self.next_attempt(back_off, now));
    }

    /// Notes that the call failed.
    pub fn fail(&mut self, error: String, back_off: &BackOff, now: Timestamp) {
        self.progress = Progress::Failed(self.next_attempt(back_off, now), error);
    }

    /// Notes that Closte will not take the name.
    pub fn refuse(&mut self, error: String, now: Timestamp) {
        self.progress = Progress::Refused { at: now, error };
    }

    fn next_attempt(&self, back_off: &BackOff, now: Timestamp) -> Attempt {
        let count = self.attempts().saturating_add(1);
        Attempt { count, next: later(now, back_off.after(count)) }
    }
}

/// `at` and `wait` after it; the end of time where there is no such moment.
pub fn later(at: Timestamp, wait: Duration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_fails_is_left_alone_for_a_minute_doubling_to_an_hour() {
        let minutes = |count| BackOff::default().after(count).as_secs() / 60;
        assert_eq!([1, 2, 3, 6, 7, 8, 99].map(minutes), [1, 2, 4, 32, 60, 60, 60]);
    }

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
