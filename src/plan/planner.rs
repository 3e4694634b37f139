use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    Current, Decision, Desired, Guard, LedgerChange, LedgerTransition, Plan, Policy, Reason,
};
use crate::{
    clock::CLOCKS_DIFFER,
    domain::{DomainName, Pattern},
    ledger::{Attempt, Entry, Ledger, Progress, REFUSAL_LASTS, RowRef, later},
};

/// How long a name that this program did not remove stays in the ledger after it is gone. A list that
/// is cut short for an hour must not make a managed name unmanaged.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// `max_removal_percent` applies from this many managed names.
const PERCENT_COUNTS_FROM: usize = 10;

/// A plan in the making.
pub(super) struct Planner<'a> {
    desired: &'a Desired,
    current: &'a Current,
    ledger: &'a Ledger,
    policy: &'a Policy,
    now: Timestamp,
    /// A name that the list does not have is not at Closte.
    list_is_sound: bool,
    /// How many desired names are in the ledger.
    known: usize,
    /// How many names of the ledger are not desired, and not listed or removed by an accepted call.
    gone: usize,
    /// Wildcards to remove, each with a desired name that only it serves.
    still_serving: HashMap<DomainName, DomainName>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        desired: &'a Desired,
        current: &'a Current,
        ledger: &'a Ledger,
        policy: &'a Policy,
        now: Timestamp,
    ) -> Self {
        let should_be_listed = |entry: &Entry| {
            let removed_by_us =
                entry.undesired_since.is_some() && matches!(entry.progress, Progress::Accepted(_));
            (entry.present_since.is_some() || entry.missing_since.is_some()) && !removed_by_us
        };
        Self {
            desired,
            current,
            ledger,
            policy,
            now,
            // An empty list where names should be is a list that was cut short.
            list_is_sound: current.complete
                && !(current.names.is_empty() && ledger.values().any(should_be_listed)),
            known: 0,
            gone: 0,
            still_serving: HashMap::new(),
            plan: Plan { desired: desired.names.len(), managed: ledger.len(), ..Plan::default() },
        }
    }

    pub(super) fn plan(mut self) -> Plan {
        let (desired, current, ledger) = (self.desired, self.current, self.ledger);
        for (name, origin) in &desired.names {
            self.desired_name(name, *origin);
        }
        for (name, origin) in &desired.inactive {
            if !desired.names.contains_key(name) && ledger.contains_key(name) {
                self.plan.desired += 1;
                self.desired_name(name, *origin);
            }
        }
        // In most cycles all names are in place, and neither loop is needed.
        if self.known < ledger.len() {
            for (name, entry) in ledger {
                if !self.is_desired(name) {
                    self.undesired_name(name, entry);
                }
            }
        }
        if self.plan.in_place < current.names.len() {
            for name in &current.names {
                if !self.is_desired(name) && !ledger.contains_key(name) {
                    self.decide(name, Decision::Unmanaged);
                }
            }
        }
        self.hold_mass_removal();
        self.plan.decisions.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.plan.changes.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        self.plan
    }

    fn is_desired(&self, name: &DomainName) -> bool {
        self.desired.origin(name, self.ledger).is_some()
    }

    fn desired_name(&mut self, name: &DomainName, origin: RowRef) {
        let old = self.ledger.get(name);
        let listed = self.current.names.contains(name);
        if listed && old.is_some_and(|old| is_settled(old, origin, self.now)) {
            self.known += 1;
            self.plan.in_place += 1;
            return;
        }
        let mut entry = old.cloned().unwrap_or_else(|| Entry::new(origin, self.now));
        entry.clamp(self.now);
        let mut transition = None;
        match old {
            Some(_) => self.known += 1,
            None => self.plan.managed += 1,
        }
        if entry.undesired_since.take().is_some() {
            if matches!(entry.progress, Progress::Accepted(_)) && !listed {
                // This program removed it.
                (entry.present_since, entry.missing_since) = (None, None);
            }
            entry.progress = Progress::Idle;
            transition = Some(LedgerTransition::MappedAgain);
        }
        if entry.origin != origin {
            entry.origin = origin;
            if matches!(entry.progress, Progress::Refused { .. }) {
                entry.progress = Progress::Idle;
            }
        }

        if listed {
            self.plan.in_place += 1;
            entry.present_since.get_or_insert(self.now);
            entry.missing_since = None;
            entry.covered_by = None;
            entry.progress = Progress::Idle;
            if old.is_none() {
                transition = Some(LedgerTransition::Adopted);
            }
        } else {
            let (decision, found) = self.unlisted_name(name, &mut entry);
            transition = found.or(transition);
            self.decide(name, decision);
        }
        self.change(name, old, entry, transition);
    }

    fn unlisted_name(
        &mut self,
        name: &DomainName,
        entry: &mut Entry,
    ) -> (Decision, Option<LedgerTransition>) {
        if let Some(wildcard) = name.covering_wildcard().filter(|w| self.current.names.contains(w))
        {
            if self.stays(&wildcard) {
                // The wildcard replaced it: it is not lost.
                if self.list_is_sound {
                    entry.present_since = None;
                }
                entry.missing_since = None;
                entry.covered_by = Some(wildcard.clone());
                return (Decision::Covered { by: wildcard }, None);
            }
            entry.covered_by = None;
            self.still_serving.insert(wildcard, name.clone());
        }
        let mut transition = None;
        if entry.present_since.is_some() || entry.covered_by.is_some() {
            let since = *entry.missing_since.get_or_insert(self.now);
            if since >= self.now && !self.is_named(name) {
                return (Decision::Missing, None);
            }
            transition = entry.present_since.take().map(|_| LedgerTransition::Lost);
            entry.covered_by = None;
        }
        if self.end_acceptance(name, entry, "Closte accepted it, but does not list it") {
            transition = Some(LedgerTransition::NotListed);
        }
        let decision = self.wait(name, &entry.progress).unwrap_or(match &entry.progress {
            Progress::Refused { at, error }
                if *at <= later(self.now, CLOCKS_DIFFER)
                    && later_by(*at, REFUSAL_LASTS) > self.now
                    && !self.is_named(name) =>
            {
                Decision::Refused { until: later_by(*at, REFUSAL_LASTS), error: error.clone() }
            }
            Progress::Failed(attempt, _) | Progress::Accepted(attempt) => {
                Decision::Add(Reason::Retry { attempts: attempt.count })
            }
            _ if transition == Some(LedgerTransition::Lost) => Decision::Add(Reason::Lost),
            Progress::Idle | Progress::Refused { .. } => Decision::Add(Reason::New),
        });
        (decision, transition)
    }

    /// Makes a failure of an accepted call that the list should have shown by now. Whether it did is the
    /// result.
    fn end_acceptance(&self, name: &DomainName, entry: &mut Entry, error: &str) -> bool {
        if let Progress::Accepted(attempt) = entry.progress
            && self.list_is_sound
            && self.is_time(name, attempt)
        {
            entry.progress = Progress::Failed(attempt, error.to_owned());
            return true;
        }
        false
    }

    /// What the next call for the name waits for, if anything.
    fn wait(&self, name: &DomainName, progress: &Progress) -> Option<Decision> {
        match progress {
            Progress::Failed(attempt, error) if !self.is_time(name, *attempt) => {
                Some(Decision::Waiting { until: attempt.next, error: error.clone() })
            }
            Progress::Accepted(attempt) if !self.is_time(name, *attempt) => {
                Some(Decision::Unconfirmed { until: attempt.next })
            }
            _ => None,
        }
    }

    fn is_named(&self, name: &DomainName) -> bool {
        self.policy.named.contains(name)
    }

    /// Whether the next attempt is due. One that is further ahead than the longest back-off was noted
    /// by a clock that was ahead.
    fn is_time(&self, name: &DomainName, attempt: Attempt) -> bool {
        let latest = later(later(self.now, self.policy.back_off.longest), CLOCKS_DIFFER);
        attempt.next <= self.now || attempt.next > latest || self.is_named(name)
    }

    /// Whether no cycle will remove this current name.
    fn stays(&self, name: &DomainName) -> bool {
        self.is_desired(name)
            || !self.ledger.contains_key(name)
            || self.lasting_guard(name).is_some()
    }

    fn undesired_name(&mut self, name: &DomainName, old: &Entry) {
        let listed = self.current.names.contains(name);
        if matches_any(&self.policy.exclude, name) {
            if listed {
                self.decide(name, Decision::Held(Guard::Excluded));
            }
            return;
        }
        if listed && self.is_carried(name) {
            let guard = self.lasting_guard(name).unwrap_or(Guard::Carried);
            self.decide(name, Decision::Held(guard));
            // Nobody unmapped it.
            let mut entry = old.clone();
            entry.clamp(self.now);
            entry.present_since.get_or_insert(self.now);
            (entry.undesired_since, entry.covered_by) = (None, None);
            entry.progress = Progress::Idle;
            self.change(name, Some(old), entry, None);
            return;
        }

        let mut entry = old.clone();
        entry.clamp(self.now);
        let mut transition = None;
        let undesired_since = *entry.undesired_since.get_or_insert(self.now);
        if old.undesired_since.is_none() {
            entry.progress = Progress::Idle;
            // A row may still hold it, and it is not removed.
            transition = (!name.is_clostes_own()).then_some(LedgerTransition::Unmapped);
        }
        if listed {
            let error = "Closte said that it is removed, but still lists it";
            if self.end_acceptance(name, &mut entry, error) {
                transition = Some(LedgerTransition::StillListed);
            }
            let guard = self.guard(name, &entry, undesired_since).map(Decision::Held);
            let decision = guard.or_else(|| self.wait(name, &entry.progress));
            if let Some(Decision::Unconfirmed { .. }) = decision {
                self.gone += 1;
            }
            self.decide(name, decision.unwrap_or(Decision::Remove { undesired_since }));
        } else if self.list_is_sound {
            let long_gone = later_by(undesired_since, FORGET_AFTER) <= self.now;
            let removed = matches!(entry.progress, Progress::Accepted(_));
            if removed || (long_gone && !self.desired.table_was_empty) {
                self.plan.managed -= 1;
                self.plan.changes.push(LedgerChange {
                    name: name.clone(),
                    entry: None,
                    transition: Some(LedgerTransition::Forgotten),
                });
                return;
            }
            (entry.present_since, entry.missing_since) = (None, None);
        }
        if !listed {
            self.gone += 1;
        }
        self.change(name, Some(old), entry, transition);
    }

    /// The first guard that stops the removal of this name, regardless of other names.
    fn guard(&self, name: &DomainName, entry: &Entry, undesired_since: Timestamp) -> Option<Guard> {
        if let Some(guard) = self.lasting_guard(name) {
            return Some(guard);
        }
        if self.desired.table_was_empty && !self.policy.allow_removals {
            return Some(Guard::EmptyTable);
        }
        if let Some(row) = entry.origin.row_id.filter(|row| self.desired.invalid_rows.contains(row))
        {
            return Some(Guard::UnreadableRow(row));
        }
        if self.desired.undetermined.contains(name) {
            return Some(Guard::Undetermined);
        }
        if !self.list_is_sound {
            return Some(Guard::ListIncomplete);
        }
        if let Some(served) = self.still_serving.get(name) {
            return Some(Guard::StillServing(served.clone()));
        }
        let until = later(undesired_since, self.policy.removal_grace);
        (until > self.now).then_some(Guard::Grace { until })
    }

    fn lasting_guard(&self, name: &DomainName) -> Option<Guard> {
        if matches_any(&self.policy.exclude, name) {
            Some(Guard::Excluded)
        } else if name.is_clostes_own() {
            Some(Guard::ClostesOwn)
        } else if self.desired.network_domains.contains(name) {
            Some(Guard::OwnName)
        } else if self.is_carried(name) {
            Some(Guard::Carried)
        } else if matches_any(&self.policy.keep, name) {
            Some(Guard::Kept)
        } else {
            self.policy.upsert_only.then_some(Guard::UpsertOnly)
        }
    }

    /// Whether a site still has a name that nobody unmapped.
    fn is_carried(&self, name: &DomainName) -> bool {
        let had_no_row = || self.ledger.get(name).is_some_and(|it| it.origin.row_id.is_none());
        self.desired.carried.contains_key(name)
            || (self.desired.own_domains.contains_key(name) && had_no_row())
    }

    /// Holds all removals when they are too many for one cycle. Those that wait for another attempt
    /// count too: they began together with the others.
    fn hold_mass_removal(&mut self) {
        // The share is of the names that are left.
        let (managed, desired, ledger) = (self.plan.managed - self.gone, self.desired, self.ledger);
        let is_removal = |(name, decision): &(DomainName, Decision)| match decision {
            Decision::Remove { .. } => true,
            Decision::Waiting { .. } => desired.origin(name, ledger).is_none(),
            _ => false,
        };
        let removals = self.plan.decisions.iter().filter(|one| is_removal(one)).count();
        let over_the_limit = self.plan.managed >= PERCENT_COUNTS_FROM
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
        transition: Option<LedgerTransition>,
    ) {
        if old != Some(&entry) {
            self.plan.changes.push(LedgerChange {
                name: name.clone(),
                entry: Some(entry),
                transition,
            });
        }
    }
}

/// Whether a desired, listed name needs no change: by far the usual case.
fn is_settled(entry: &Entry, origin: RowRef, now: Timestamp) -> bool {
    entry.origin == origin
        && entry.managed_since <= now
        && entry.progress == Progress::Idle
        && entry.present_since.is_some_and(|since| since <= now)
        && entry.missing_since.is_none()
        && entry.undesired_since.is_none()
        && entry.covered_by.is_none()
}

fn matches_any(patterns: &[Pattern], name: &DomainName) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

fn later_by(at: Timestamp, wait: SignedDuration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}
