use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    Current, Decision, Desired, Guard, LedgerChange, LedgerTransition, Plan, Policy, Reason,
};
use crate::{
    clock::CLOCKS_DIFFER,
    domain::{DomainName, DomainRef, Pattern},
    ledger::{
        Attempt, CompactRowRef, Entry, EntryRef, Ledger, Progress, REFUSAL_LASTS, RowRef, later,
    },
    names::NameList,
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
    /// How many names of the ledger are not desired, and not listed or removed by an accepted call.
    gone: usize,
    /// Wildcards to remove, each with a desired name that only it serves.
    still_serving: HashMap<DomainName, DomainName>,
    adopted: NameList<CompactRowRef>,
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
                && !(current.names.is_empty()
                    && ledger.iter().any(|(_, entry)| should_be_listed(&entry.entry()))),
            gone: 0,
            still_serving: HashMap::new(),
            adopted: NameList::default(),
            plan: Plan { managed: ledger.len(), ..Plan::default() },
        }
    }

    /// Goes through desired, listed and managed names side by side, in alphabetical order.
    pub(super) fn plan(mut self) -> Plan {
        let mut desired = self.desired.names.iter().peekable();
        let mut current = self.current.names.iter().peekable();
        let mut ledger = self.ledger.iter().peekable();
        let mut undesired = Vec::new();
        loop {
            let next = [
                desired.peek().map(|(name, _)| *name),
                current.peek().map(|(name, _)| *name),
                ledger.peek().map(|(name, _)| *name),
            ];
            let Some(name) = next.into_iter().flatten().min() else { break };
            let origin = desired.next_if(|(other, _)| *other == name).map(|(_, origin)| *origin);
            let listed = current.next_if(|(other, _)| *other == name).is_some();
            let old = ledger.next_if(|(other, _)| *other == name).map(|(_, entry)| entry);
            match (origin.or_else(|| self.desired.origin(name, old.is_some())), old) {
                (Some(origin), old) => self.desired_name(name, origin, listed, old),
                (None, Some(old)) => undesired.push((name, listed, old)),
                (None, None) => self.decide(name, Decision::Unmanaged),
            }
        }
        // Whether a wildcard may go depends on the names that it covers.
        for (name, listed, old) in undesired {
            self.undesired_name(name, listed, &old.entry());
        }
        self.hold_mass_removal();
        self.plan.adopted = self.adopted.sorted();
        self.plan.decisions.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.plan.changes.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        self.plan
    }

    fn is_desired(&self, name: DomainRef<'_>) -> bool {
        self.desired.origin(name, self.ledger.contains(name.as_str())).is_some()
    }

    fn is_listed(&self, name: &DomainName) -> bool {
        self.current.names.contains(name.as_str())
    }

    fn desired_name(
        &mut self,
        name: DomainRef<'_>,
        origin: CompactRowRef,
        listed: bool,
        old: Option<EntryRef<'_>>,
    ) {
        self.plan.desired += 1;
        match old {
            // By far the usual case.
            Some(EntryRef::Settled(old)) if listed && old.is_of(origin, self.now) => {
                self.plan.in_place += 1;
                return;
            }
            Some(_) => {}
            None => {
                self.plan.managed += 1;
                if listed {
                    self.plan.in_place += 1;
                    self.adopted.push(name, origin);
                    return;
                }
            }
        }
        let (origin, old) = (RowRef::from(origin), old.map(EntryRef::entry));
        let mut entry = old.clone().unwrap_or_else(|| Entry::new(origin, self.now));
        entry.clamp(self.now);
        let mut transition = None;
        if entry.undesired_since.take().is_some() {
            if matches!(entry.progress, Progress::Accepted(_)) && !listed {
                // This program removed it.
                (entry.present_since, entry.missing_since) = (None, None);
            }
            entry.progress = Progress::Idle;
            transition = Some(LedgerTransition::MappedAgain);
        }
        if !entry.origin.is_as_written(&origin)
            && matches!(entry.progress, Progress::Refused { .. })
        {
            entry.progress = Progress::Idle;
        }
        entry.origin = origin;

        if listed {
            self.plan.in_place += 1;
            entry.present_since.get_or_insert(self.now);
            entry.missing_since = None;
            entry.covered_by = None;
            entry.progress = Progress::Idle;
        } else {
            let (decision, found) = self.unlisted_name(name, &mut entry);
            transition = found.or(transition);
            self.decide(name, decision);
        }
        self.change(name, old.as_ref(), entry, transition);
    }

    fn unlisted_name(
        &mut self,
        name: DomainRef<'_>,
        entry: &mut Entry,
    ) -> (Decision, Option<LedgerTransition>) {
        if let Some(wildcard) = name.covering_wildcard().filter(|one| self.is_listed(one)) {
            if self.stays(wildcard.to_ref()) {
                // The wildcard replaced it: it is not lost.
                if self.list_is_sound {
                    entry.present_since = None;
                }
                entry.missing_since = None;
                entry.covered_by = Some(wildcard.clone());
                return (Decision::Covered { by: wildcard }, None);
            }
            entry.covered_by = None;
            self.still_serving.insert(wildcard, name.to_name());
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
    fn end_acceptance(&self, name: DomainRef<'_>, entry: &mut Entry, error: &str) -> bool {
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
    fn wait(&self, name: DomainRef<'_>, progress: &Progress) -> Option<Decision> {
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

    fn is_named(&self, name: DomainRef<'_>) -> bool {
        self.policy.named.contains(name.as_str())
    }

    /// Whether the next attempt is due. One that is further ahead than the longest back-off was noted
    /// by a clock that was ahead.
    fn is_time(&self, name: DomainRef<'_>, attempt: Attempt) -> bool {
        let latest = later(later(self.now, self.policy.back_off.longest), CLOCKS_DIFFER);
        attempt.next <= self.now || attempt.next > latest || self.is_named(name)
    }

    /// Whether no cycle will remove this current name.
    fn stays(&self, name: DomainRef<'_>) -> bool {
        self.is_desired(name)
            || !self.ledger.contains(name.as_str())
            || self.lasting_guard(name).is_some()
    }

    fn undesired_name(&mut self, name: DomainRef<'_>, listed: bool, old: &Entry) {
        if matches_any(&self.policy.exclude, name) {
            match listed {
                true => self.decide(name, Decision::Held(Guard::Excluded)),
                false => self.gone += 1,
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
        if old.undesired_since.is_none() && self.desired.undetermined.contains(name.as_str()) {
            // Perhaps it is desired.
            match listed {
                true => {
                    let guard = self.guard(name, old, self.now).unwrap_or(Guard::Undetermined);
                    self.decide(name, Decision::Held(guard));
                }
                false => self.gone += 1,
            }
            return;
        }

        let mut entry = old.clone();
        entry.clamp(self.now);
        let mut transition = None;
        let undesired_since = *entry.undesired_since.get_or_insert(self.now);
        if old.undesired_since.is_none() {
            entry.progress = Progress::Idle;
            // A row may still hold it, and it is not removed; or a site has it, and nobody unmapped it.
            let is_unmapped = !name.is_clostes_own() && !self.is_carried(name);
            transition = is_unmapped.then_some(LedgerTransition::Unmapped);
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
            if removed
                || (!self.desired.table_was_empty
                    && (long_gone || self.is_removed_by_leader(old, undesired_since)))
            {
                self.plan.managed -= 1;
                self.plan.changes.push(LedgerChange {
                    name: name.to_name(),
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

    /// Whether the daemon that leads has removed a name that two lists lack now. If somebody puts it back there,
    /// it is unmanaged for this daemon as well.
    fn is_removed_by_leader(&self, old: &Entry, undesired_since: Timestamp) -> bool {
        let Some(late) = self.policy.other_leads else { return false };
        let is_due = later(undesired_since, self.policy.removal_grace.max(late)) <= self.now;
        let lacked_before = old.undesired_since.is_some() && old.present_since.is_none();
        is_due && lacked_before
    }

    /// The first guard that stops the removal of this name, however many others are removed.
    fn guard(
        &self,
        name: DomainRef<'_>,
        entry: &Entry,
        undesired_since: Timestamp,
    ) -> Option<Guard> {
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
        if self.desired.undetermined.contains(name.as_str()) {
            return Some(Guard::Undetermined);
        }
        if !self.list_is_sound {
            return Some(Guard::ListIncomplete);
        }
        if let Some(served) = self.still_serving.get(name.as_str()) {
            return Some(Guard::StillServing(served.clone()));
        }
        let leading_since = self.policy.leading_since.unwrap_or(undesired_since).min(self.now);
        let until = later(undesired_since.max(leading_since), self.policy.removal_grace);
        (until > self.now).then_some(Guard::Grace { until })
    }

    fn lasting_guard(&self, name: DomainRef<'_>) -> Option<Guard> {
        if matches_any(&self.policy.exclude, name) {
            Some(Guard::Excluded)
        } else if name.is_clostes_own() {
            Some(Guard::ClostesOwn)
        } else if self.desired.network_domains.contains(name.as_str()) {
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
    fn is_carried(&self, name: DomainRef<'_>) -> bool {
        let had_no_row = |old: EntryRef<'_>| old.entry().origin.row_id.is_none();
        self.desired.carried.contains(name.as_str())
            || (self.desired.own_domains.contains(name.as_str())
                && self.ledger.get(name.as_str()).is_some_and(had_no_row))
    }

    /// Holds all removals when they are too many for one cycle. Those that wait for another attempt
    /// count too: they began together with the others.
    fn hold_mass_removal(&mut self) {
        // The share is of the names that are left.
        let managed = self.plan.managed - self.gone;
        let (desired, ledger) = (self.desired, self.ledger);
        let is_removal = |(name, decision): &(DomainName, Decision)| match decision {
            Decision::Remove { .. } => true,
            Decision::Waiting { .. } => {
                desired.origin(name.to_ref(), ledger.contains(name.as_str())).is_none()
            }
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

    fn decide(&mut self, name: DomainRef<'_>, decision: Decision) {
        self.plan.decisions.push((name.to_name(), decision));
    }

    fn change(
        &mut self,
        name: DomainRef<'_>,
        old: Option<&Entry>,
        entry: Entry,
        transition: Option<LedgerTransition>,
    ) {
        if old != Some(&entry) {
            self.plan.changes.push(LedgerChange {
                name: name.to_name(),
                entry: Some(entry),
                transition,
            });
        }
    }
}

fn matches_any(patterns: &[Pattern], name: DomainRef<'_>) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

fn later_by(at: Timestamp, wait: SignedDuration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}
