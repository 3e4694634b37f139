//! What to do: pure, without a clock, a socket or a file of its own.
//!
//! | the name is | at Closte | not at Closte |
//! | --- | --- | --- |
//! | wanted | in place | **add**, unless *covered*, *refused* or *waiting* after a failure |
//! | managed, no longer wanted | **remove**, unless *held* by a [`Guard`] or *waiting* | forgotten, in time |
//! | neither | *foreign*: never touched | |
//!
//! [`plan`] also says how the ledger changes. That is written down before the first call is made,
//! so whatever interrupts a cycle, the next one finishes it.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    domain::{DomainName, Pattern},
    ledger::{BackOff, Entry, Ledger, Origin, Progress, REFUSAL_LASTS, later},
};

/// What should be at Closte, as one read of the network told.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Each name and the row that wants it.
    pub names: HashMap<DomainName, Origin>,
    /// The names of the installation's networks themselves. Never removed.
    pub own_names: HashSet<DomainName>,
    /// Rows that are there but are no domain name. A name that such a row held before stays.
    pub rejected_rows: HashSet<i64>,
    /// The domain table had no row at all, which is no reason to remove anything.
    pub table_was_empty: bool,
}

/// What Closte lists.
#[derive(Debug, Clone, Default)]
pub struct Present {
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
}

/// What one cycle would do, and why.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Every name that is not simply in place, sorted.
    pub decisions: Vec<(DomainName, Decision)>,
    /// What to write into the ledger before the first call, sorted.
    pub changes: Vec<Change>,
    /// How many names are wanted and present.
    pub in_place: usize,
    /// How many names are managed, with the changes.
    pub managed: usize,
}

/// What becomes of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Wanted and not there: add it.
    Add(Reason),
    /// Managed, no longer wanted and there: remove it.
    Remove {
        /// Since when no row wants it.
        unwanted_since: Timestamp,
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
    /// Wanted, and a present wildcard already serves it.
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
    /// Present, never wanted: not ours.
    Foreign,
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

/// Why a name that is no longer wanted stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// It matches `sync.exclude`.
    Excluded,
    /// It is the network's own name.
    OwnName,
    /// It matches `sync.keep`.
    Kept,
    /// `sync.policy` is `upsert-only`.
    UpsertOnly,
    /// The domain table was empty, which may be a mistake.
    EmptyTable,
    /// The row that wanted it is still there, and holds something that is no domain name.
    UnreadableRow(i64),
    /// Closte's list was not understood in full.
    ListIncomplete,
    /// A wildcard that still serves a wanted name, which is not there itself yet.
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
            Decision::Add(_) | Decision::Remove { .. } => Some(now),
            Decision::Held(Guard::ListIncomplete | Guard::StillServing(_)) => Some(now),
            Decision::Held(Guard::Grace { until })
            | Decision::Waiting { until, .. }
            | Decision::Refused { until, .. } => Some(*until),
            Decision::Held(_) | Decision::Covered { .. } | Decision::Foreign => None,
        };
        self.decisions.iter().filter_map(due).min()
    }

    /// Whether both ends agree as far as they ever will: nothing to add, nothing to remove.
    pub fn is_settled(&self) -> bool {
        self.decisions.iter().all(|(_, decision)| match decision {
            Decision::Add(_) | Decision::Remove { .. } | Decision::Waiting { .. } => false,
            Decision::Held(guard) => guard.is_lasting(),
            Decision::Covered { .. } | Decision::Refused { .. } | Decision::Foreign => true,
        })
    }
}

impl Guard {
    /// Whether the name stays for good: a rule of the operator or of nature, and no work left.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Excluded | Self::OwnName | Self::Kept | Self::UpsertOnly)
    }
}

/// How the ledger's entry for a name changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The name.
    pub name: DomainName,
    /// Its new entry; none when the name is forgotten.
    pub entry: Option<Entry>,
    /// What there is to say about it.
    pub notice: Option<Notice>,
}

/// What a change of the ledger means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Seen wanted for the first time, and already at Closte.
    Adopted,
    /// No row wants it any more.
    Unmapped,
    /// Wanted again before it was removed.
    MappedAgain,
    /// Closte no longer lists it, and nobody here removed it.
    Lost,
    /// Closte said yes, and its list says no.
    NotListed,
    /// Closte said that it removed the name, and still lists it.
    StillListed,
    /// Neither wanted nor present: no longer managed.
    Forgotten,
}

/// How long a name that vanished without our doing stays in the ledger. A list that is short for
/// an hour must not turn a managed name into a foreign one.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// From how many managed names on `max_removal_percent` counts.
const PERCENT_COUNTS_FROM: usize = 10;

/// Decides what becomes of every name.
pub fn plan(
    wanted: &Wanted,
    present: &Present,
    ledger: &Ledger,
    policy: &Policy,
    now: Timestamp,
) -> Plan {
    let mut planner = Planner {
        wanted,
        present,
        ledger,
        policy,
        now,
        list_is_sound: present.complete
            && !(present.names.is_empty() && ledger.values().any(|e| e.present_since.is_some())),
        still_serving: HashMap::new(),
        plan: Plan { managed: ledger.len(), ..Plan::default() },
    };
    for (name, origin) in &wanted.names {
        planner.wanted_name(name, *origin);
    }
    for (name, entry) in ledger {
        if !wanted.names.contains_key(name) {
            planner.unwanted_name(name, entry);
        }
    }
    for name in &present.names {
        if !wanted.names.contains_key(name) && !ledger.contains_key(name) {
            planner.decide(name, Decision::Foreign);
        }
    }
    planner.hold_a_surprise();
    planner.plan.decisions.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    planner.plan.changes.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    planner.plan
}

struct Planner<'a> {
    wanted: &'a Wanted,
    present: &'a Present,
    ledger: &'a Ledger,
    policy: &'a Policy,
    now: Timestamp,
    /// What the list does not name is really not there.
    list_is_sound: bool,
    /// Wildcards that are to go, each with a wanted name that they alone serve.
    still_serving: HashMap<DomainName, DomainName>,
    plan: Plan,
}

impl Planner<'_> {
    fn wanted_name(&mut self, name: &DomainName, origin: Origin) {
        let old = self.ledger.get(name);
        let mut entry = old.cloned().unwrap_or_else(|| Entry::new(origin, self.now));
        let mut notice = None;
        if old.is_none() {
            self.plan.managed += 1;
        }
        if entry.unwanted_since.take().is_some() {
            entry.progress = Progress::Idle;
            notice = Some(Notice::MappedAgain);
        }
        if entry.origin != origin {
            entry.origin = origin;
            if matches!(entry.progress, Progress::Refused { .. }) {
                entry.progress = Progress::Idle;
            }
        }

        if self.present.names.contains(name) {
            self.plan.in_place += 1;
            entry.present_since.get_or_insert(self.now);
            entry.covered_by = None;
            entry.progress = Progress::Idle;
            if old.is_none() {
                notice = Some(Notice::Adopted);
            }
        } else {
            let was_present = entry.present_since.is_some();
            if self.list_is_sound && was_present {
                entry.present_since = None;
                notice = Some(Notice::Lost);
            }
            if self.list_is_sound
                && let Progress::Accepted(attempt) = entry.progress
            {
                let error = "Closte accepted it, but does not list it".to_owned();
                entry.progress = Progress::Failed(attempt, error);
                notice = Some(Notice::NotListed);
            }
            let decision = self.missing_name(name, &entry, was_present);
            entry.covered_by = match &decision {
                Decision::Covered { by } => Some(by.clone()),
                _ => None,
            };
            self.decide(name, decision);
        }
        self.change(name, old, entry, notice);
    }

    fn missing_name(&mut self, name: &DomainName, entry: &Entry, was_present: bool) -> Decision {
        if let Some(wildcard) = name.covering_wildcard().filter(|w| self.present.names.contains(w))
        {
            if self.stays(&wildcard) {
                return Decision::Covered { by: wildcard };
            }
            self.still_serving.insert(wildcard, name.clone());
        }
        match &entry.progress {
            Progress::Refused { at, error } if later_by(*at, REFUSAL_LASTS) > self.now => {
                Decision::Refused { until: later_by(*at, REFUSAL_LASTS), error: error.clone() }
            }
            Progress::Failed(attempt, error) if attempt.next > self.now => {
                Decision::Waiting { until: attempt.next, error: error.clone() }
            }
            Progress::Accepted(attempt) if attempt.next > self.now => Decision::Waiting {
                until: attempt.next,
                error: "waiting for a list that can be read in full".to_owned(),
            },
            Progress::Failed(attempt, _) | Progress::Accepted(attempt) => {
                Decision::Add(Reason::Retry { attempts: attempt.count })
            }
            Progress::Idle | Progress::Refused { .. } if was_present => Decision::Add(Reason::Lost),
            Progress::Idle | Progress::Refused { .. } => Decision::Add(Reason::New),
        }
    }

    /// Whether a present name is one that no cycle is going to remove.
    fn stays(&self, name: &DomainName) -> bool {
        self.wanted.names.contains_key(name)
            || !self.ledger.contains_key(name)
            || self.lasting_guard(name).is_some()
    }

    fn unwanted_name(&mut self, name: &DomainName, old: &Entry) {
        let listed = self.present.names.contains(name);
        if matches_any(&self.policy.exclude, name) {
            if listed {
                self.decide(name, Decision::Held(Guard::Excluded));
            }
            return;
        }

        let mut entry = old.clone();
        let mut notice = None;
        let unwanted_since = *entry.unwanted_since.get_or_insert(self.now);
        if old.unwanted_since.is_none() {
            entry.progress = Progress::Idle;
            notice = Some(Notice::Unmapped);
        }
        if listed {
            if self.list_is_sound
                && let Progress::Accepted(attempt) = entry.progress
            {
                let error = "Closte said that it is removed, but still lists it".to_owned();
                entry.progress = Progress::Failed(attempt, error);
                notice = Some(Notice::StillListed);
            }
            let decision = self.surplus_name(name, &entry, unwanted_since);
            self.decide(name, decision);
        } else if self.list_is_sound {
            let long_gone = later_by(unwanted_since, FORGET_AFTER) <= self.now;
            let removed = matches!(entry.progress, Progress::Accepted(_));
            if removed || (long_gone && !self.wanted.table_was_empty) {
                self.plan.managed -= 1;
                self.plan.changes.push(Change {
                    name: name.clone(),
                    entry: None,
                    notice: Some(Notice::Forgotten),
                });
                return;
            }
            entry.present_since = None;
        }
        self.change(name, Some(old), entry, notice);
    }

    fn surplus_name(
        &self,
        name: &DomainName,
        entry: &Entry,
        unwanted_since: Timestamp,
    ) -> Decision {
        if let Some(guard) = self.guard(name, entry, unwanted_since) {
            return Decision::Held(guard);
        }
        match &entry.progress {
            Progress::Failed(attempt, error) if attempt.next > self.now => {
                Decision::Waiting { until: attempt.next, error: error.clone() }
            }
            _ => Decision::Remove { unwanted_since },
        }
    }

    /// The first guard that stops the removal of this name, whatever happens to the others.
    fn guard(&self, name: &DomainName, entry: &Entry, unwanted_since: Timestamp) -> Option<Guard> {
        if let Some(guard) = self.lasting_guard(name) {
            return Some(guard);
        }
        if self.wanted.table_was_empty && !self.policy.allow_removals {
            return Some(Guard::EmptyTable);
        }
        if let Some(row) = entry.origin.row_id.filter(|row| self.wanted.rejected_rows.contains(row))
        {
            return Some(Guard::UnreadableRow(row));
        }
        if !self.list_is_sound {
            return Some(Guard::ListIncomplete);
        }
        if let Some(served) = self.still_serving.get(name) {
            return Some(Guard::StillServing(served.clone()));
        }
        let until = later(unwanted_since, self.policy.removal_grace);
        (until > self.now).then_some(Guard::Grace { until })
    }

    fn lasting_guard(&self, name: &DomainName) -> Option<Guard> {
        if matches_any(&self.policy.exclude, name) {
            Some(Guard::Excluded)
        } else if self.wanted.own_names.contains(name) {
            Some(Guard::OwnName)
        } else if matches_any(&self.policy.keep, name) {
            Some(Guard::Kept)
        } else {
            self.policy.upsert_only.then_some(Guard::UpsertOnly)
        }
    }

    /// Holds all removals when they are more than anybody would expect of one cycle. Those that
    /// wait for another attempt count too: they were part of the same surprise.
    fn hold_a_surprise(&mut self) {
        let (managed, wanted) = (self.plan.managed, self.wanted);
        let is_removal = |(name, decision): &(DomainName, Decision)| match decision {
            Decision::Remove { .. } => true,
            Decision::Waiting { .. } => !wanted.names.contains_key(name),
            _ => false,
        };
        let removals = self.plan.decisions.iter().filter(|one| is_removal(one)).count();
        let over_the_limit = managed >= PERCENT_COUNTS_FROM
            && removals * 100 > managed * usize::from(self.policy.max_removal_percent);
        let everything = removals >= 2 && removals == managed;
        if self.policy.allow_removals || !(over_the_limit || everything) {
            return;
        }
        for one in self.plan.decisions.iter_mut().filter(|one| is_removal(one)) {
            one.1 = Decision::Held(Guard::TooMany { removals, managed });
        }
    }

    fn decide(&mut self, name: &DomainName, decision: Decision) {
        self.plan.decisions.push((name.clone(), decision));
    }

    fn change(
        &mut self,
        name: &DomainName,
        old: Option<&Entry>,
        entry: Entry,
        notice: Option<Notice>,
    ) {
        if old != Some(&entry) {
            self.plan.changes.push(Change { name: name.clone(), entry: Some(entry), notice });
        }
    }
}

fn matches_any(patterns: &[Pattern], name: &DomainName) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

fn later_by(at: Timestamp, wait: SignedDuration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}
