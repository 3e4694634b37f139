//! What is remembered of each managed name. Plain data: [`crate::plan`] reads and changes it,
//! [`crate::state`] stores it.

use std::{collections::BTreeMap, fmt, iter, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    back_off::BackOff,
    domain::{DomainName, DomainRef},
    names::{NameList, NameMap},
    status::RowState,
};

/// Every *managed* name: one that was seen desired, and so may be removed one day.
///
/// Nearly all of them are settled, and cost neither an allocation nor an [`Entry`] each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    settled: NameMap<Settled>,
    /// The names that are not settled.
    others: BTreeMap<DomainName, Entry>,
}

/// The entry of a name that is listed, counts as desired or is kept, and has no call outstanding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    origin: CompactRowRef,
    /// As in [`Entry`], but in Unix milliseconds.
    managed_since: i64,
    present_since: i64,
}

/// An entry of the ledger as it is kept.
#[derive(Debug, Clone, Copy)]
pub enum EntryRef<'a> {
    Settled(&'a Settled),
    Other(&'a Entry),
}

/// The row of the network's tables that maps a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RowRef {
    /// The row of the domain table; none for a site without one and for `sync.extra_domains`.
    pub row_id: Option<i64>,
    /// The site; none for `sync.extra_domains`.
    pub blog_id: Option<i64>,
    /// When the row was last written, in Unix seconds by WordPress's clock.
    pub modified: Option<i64>,
    /// What the row says; none without a row.
    pub state: Option<RowState>,
}

impl RowRef {
    /// Whether it is the same row, not written since, whatever its state.
    pub fn is_as_written(&self, other: &Self) -> bool {
        (self.row_id, self.blog_id, self.modified) == (other.row_id, other.blog_id, other.modified)
    }
}

/// The same as [`RowRef`] in less than half of the memory: its last number is `modified` before the 16 bits
/// of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CompactRowRef([i64; 3]);

/// Stands for none. WordPress counts its ids from 1, and time from 1970.
const NONE: i64 = i64::MIN;

/// The bits of a state.
const STATE: u32 = 16;

impl From<RowRef> for CompactRowRef {
    fn from(row: RowRef) -> Self {
        let [row_id, blog_id] = [row.row_id, row.blog_id].map(|number| number.unwrap_or(NONE));
        // A time that does not fit is as good as none: dates end with the year 9999.
        let modified = row.modified.filter(|at| at << STATE >> STATE == *at);
        let modified = modified.unwrap_or(NONE >> STATE) << STATE;
        let state = row.state.map_or(0, RowState::to_bits);
        Self([row_id, blog_id, modified | i64::from(state)])
    }
}

impl From<CompactRowRef> for RowRef {
    fn from(CompactRowRef([row_id, blog_id, last]): CompactRowRef) -> Self {
        let number = |number: i64, none: i64| (number != none).then_some(number);
        Self {
            row_id: number(row_id, NONE),
            blog_id: number(blog_id, NONE),
            modified: number(last >> STATE, NONE >> STATE),
            state: RowState::from_bits((last & 0xffff) as u16),
        }
    }
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

/// What the ledger contains about a name that is checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerInfo {
    pub blog_id: Option<i64>,
    /// What the plugin's table says; none for a name without a row.
    pub row: Option<RowState>,
    /// When the name was first desired; none for a name that is not desired.
    pub added_at: Option<Timestamp>,
    /// Since when Closte lists it, or a wildcard that covers it.
    pub at_closte_since: Option<Timestamp>,
    /// The state of the call that adds it.
    pub progress: Progress,
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

impl Settled {
    /// A name that is seen desired for the first time, and is listed.
    pub fn adopted(origin: CompactRowRef, now: Timestamp) -> Self {
        let now = now.as_millisecond();
        Self { origin, managed_since: now, present_since: now }
    }

    /// None where the entry says more than that the name is settled.
    fn of(entry: &Entry) -> Option<Self> {
        let Entry {
            origin,
            managed_since,
            present_since,
            missing_since: None,
            undesired_since: None,
            covered_by: None,
            progress: Progress::Idle,
        } = entry
        else {
            return None;
        };
        let present_since = (*present_since)?.as_millisecond();
        let managed_since = managed_since.as_millisecond();
        Some(Self { origin: (*origin).into(), managed_since, present_since })
    }

    pub fn entry(&self) -> Entry {
        // They were made of timestamps.
        let at = |millis| Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
        let entry = Entry::new(self.origin.into(), at(self.managed_since));
        Entry { present_since: Some(at(self.present_since)), ..entry }
    }

    /// Whether it is the entry of this row, and no clock that was ahead has written it.
    pub fn is_of(&self, origin: CompactRowRef, now: Timestamp) -> bool {
        self.origin == origin && self.managed_since.max(self.present_since) <= now.as_millisecond()
    }
}

impl EntryRef<'_> {
    pub fn entry(self) -> Entry {
        match self {
            Self::Settled(settled) => settled.entry(),
            Self::Other(entry) => entry.clone(),
        }
    }
}

impl Ledger {
    pub fn len(&self) -> usize {
        self.settled.len() + self.others.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, name: &str) -> Option<EntryRef<'_>> {
        let other = self.others.get(name).map(EntryRef::Other);
        other.or_else(|| self.settled.get(name).map(EntryRef::Settled))
    }

    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The entry of a name that is not settled: of one that a call is made for.
    pub fn get_mut(&mut self, name: &DomainName) -> Option<&mut Entry> {
        self.others.get_mut(name)
    }

    /// In alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (DomainRef<'_>, EntryRef<'_>)> {
        let mut settled = self.settled.iter().peekable();
        let mut others = self.others.iter().map(|(name, entry)| (name.to_ref(), entry)).peekable();
        iter::from_fn(move || match (settled.peek(), others.peek()) {
            (Some((name, _)), Some((other, _))) if other < name => take(&mut others),
            (None, _) => take(&mut others),
            _ => settled.next().map(|(name, entry)| (name, EntryRef::Settled(entry))),
        })
    }

    /// Takes in names that are desired and listed, and that it does not have.
    pub fn adopt(&mut self, names: &NameMap<CompactRowRef>, now: Timestamp) {
        let settled = |origin: &CompactRowRef| Some(Settled::adopted(*origin, now));
        self.settle(names.iter().map(|(name, origin)| (name, settled(origin))));
    }

    /// Gives names another entry, or none. The changes are in alphabetical order.
    pub fn change(&mut self, changes: Vec<(DomainName, Option<Entry>)>) {
        let settled = |(name, entry): &(DomainName, Option<Entry>)| {
            let settled = entry.as_ref().and_then(Settled::of);
            (settled.is_some() || self.settled.contains(name.as_str())).then_some(settled)
        };
        let settled: Vec<_> = changes.iter().map(settled).collect();
        let changed = changes.iter().zip(&settled);
        let changed = changed.filter_map(|((name, _), settled)| Some((name.to_ref(), (*settled)?)));
        self.settle(changed);
        for ((name, entry), settled) in changes.into_iter().zip(settled) {
            match entry.filter(|_| settled.flatten().is_none()) {
                Some(entry) => self.others.insert(name, entry),
                None => self.others.remove(&name),
            };
        }
    }

    fn settle<'a>(&mut self, names: impl Iterator<Item = (DomainRef<'a>, Option<Settled>)>) {
        let mut names = names.peekable();
        if names.peek().is_some() {
            self.settled = std::mem::take(&mut self.settled).merged(names);
        }
    }
}

fn take<'a>(
    others: &mut impl Iterator<Item = (DomainRef<'a>, &'a Entry)>,
) -> Option<(DomainRef<'a>, EntryRef<'a>)> {
    others.next().map(|(name, entry)| (name, EntryRef::Other(entry)))
}

/// A ledger in the making.
#[derive(Debug, Default)]
pub struct LedgerBuilder {
    settled: NameList<Settled>,
    others: BTreeMap<DomainName, Entry>,
}

impl LedgerBuilder {
    /// Each name once.
    pub fn push(&mut self, name: DomainRef<'_>, entry: Entry) {
        match Settled::of(&entry) {
            Some(entry) => self.settled.push(name, entry),
            None => drop(self.others.insert(name.to_name(), entry)),
        }
    }

    pub fn build(self) -> Ledger {
        Ledger { settled: self.settled.sorted(), others: self.others }
    }
}

impl FromIterator<(DomainName, Entry)> for Ledger {
    fn from_iter<I: IntoIterator<Item = (DomainName, Entry)>>(entries: I) -> Self {
        let mut ledger = LedgerBuilder::default();
        entries.into_iter().for_each(|(name, entry)| ledger.push(name.to_ref(), entry));
        ledger.build()
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
    fn a_compact_row_is_the_row() {
        let state = RowState {
            stage: Some(crate::status::Stage::Failed),
            active: true,
            primary: false,
            secure: true,
            serving: crate::status::Serving::StageNotDone,
        };
        for modified in [None, Some(0), Some(-1), Some(253_402_300_799), Some(-62_135_596_800)] {
            for state in [None, Some(state)] {
                let row = RowRef { row_id: Some(7), blog_id: None, modified, state };
                assert_eq!(RowRef::from(CompactRowRef::from(row)), row);
            }
        }
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
