use proptest::prelude::*;

use super::*;
use crate::{clock::CLOCKS_DIFFER, ledger::REFUSAL_LASTS};

prop_compose! {
    fn any_name()(index in 0..8, wild in any::<bool>()) -> DomainName {
        let label = if wild { "*" } else { "www" };
        format!("{label}.shop{index}.example").parse().unwrap()
    }
}

prop_compose! {
    fn any_entry()(
        present in any::<bool>(),
        missing in prop::option::of(0i64..100),
        undesired in prop::option::of(0i64..200_000),
        progress in 0..4,
        next in -100i64..100,
        row_id in prop::option::of(1i64..5),
    ) -> Entry {
        let mut entry = Entry::new(RowRef { row_id, ..RowRef::default() }, ago(300_000));
        entry.present_since = present.then(|| ago(200_000));
        entry.missing_since = missing.map(ago);
        entry.undesired_since = undesired.map(ago);
        let attempt = Attempt { count: 1, next: ago(-next) };
        entry.progress = match progress {
            0 => Progress::Idle,
            1 => Progress::Accepted(attempt),
            2 => Progress::Failed(attempt, String::new()),
            _ => Progress::Refused { at: ago(next * 10_000), error: String::new() },
        };
        entry
    }
}

prop_compose! {
    fn any_case()(
        desired in prop::collection::hash_map(any_name(), Just(RowRef::default()), 0..16),
        present in prop::collection::hash_set(any_name(), 0..16),
        ledger in prop::collection::hash_map(any_name(), any_entry(), 0..16),
        complete in any::<bool>(),
        table_was_empty in any::<bool>(),
        allow_removals in any::<bool>(),
        own in prop::collection::hash_set(any_name(), 0..2),
        undetermined in prop::collection::hash_set(any_name(), 0..2),
        asleep in prop::collection::hash_map(any_name(), Just(RowRef::default()), 0..3),
        carried in prop::collection::hash_map(any_name(), Just(RowRef::default()), 0..3),
        own_domains in prop::collection::hash_map(any_name(), Just(RowRef::default()), 0..3),
        leading in prop::option::of(-100i64..300),
        other_leads in prop::option::of((0u64..300).prop_map(Duration::from_secs)),
    ) -> Case {
        let table_was_empty = table_was_empty && desired.is_empty();
        Case {
            desired: Desired {
                names: desired,
                network_domains: own,
                undetermined,
                inactive: asleep,
                carried,
                own_domains,
                table_was_empty,
                ..Desired::default()
            },
            current: Current { names: present, complete },
            ledger,
            policy: Policy {
                allow_removals,
                leading_since: leading.map(ago),
                other_leads,
                ..policy()
            },
            now: now(),
        }
    }
}

proptest! {
    #[test]
    fn the_rules_hold_for_any_input(case in any_case()) {
        let plan = case.plan();
        let mut removals = 0;
        for (name, decision) in &plan.decisions {
            if let Decision::Remove { undesired_since } = decision {
                removals += 1;
                prop_assert!(case.ledger.contains_key(name), "an unmanaged name");
                prop_assert!(!case.desired.names.contains_key(name));
                prop_assert!(case.current.names.contains(name));
                prop_assert!(case.current.complete);
                prop_assert!(!case.desired.network_domains.contains(name));
                prop_assert!(!case.desired.undetermined.contains(name));
                prop_assert!(!case.desired.inactive.contains_key(name));
                prop_assert!(!case.desired.carried.contains_key(name));
                let had_row = case.ledger[name].origin.row_id.is_some();
                prop_assert!(had_row || !case.desired.own_domains.contains_key(name));
                prop_assert!(*undesired_since <= ago(120), "before the grace is over");
                let leading_since = case.policy.leading_since;
                prop_assert!(leading_since.is_none_or(|at| at <= ago(120)), "another may have led");
                prop_assert!(!case.desired.table_was_empty || case.policy.allow_removals);
            }
            if let Decision::Add(_) = decision {
                let is_inactive =
                    case.desired.inactive.contains_key(name) && case.ledger.contains_key(name);
                prop_assert!(case.desired.names.contains_key(name) || is_inactive);
                prop_assert!(!case.current.names.contains(name));
                let known = plan.changes.iter().any(|change| change.name == *name)
                    || case.ledger.contains_key(name);
                prop_assert!(known, "not in the ledger before the call");
            }
        }
        if !case.policy.allow_removals {
            prop_assert!(plan.managed < 10 || removals * 100 <= plan.managed * 30);
            prop_assert!(removals < 2 || removals < plan.managed);
        }
        for change in plan.changes.iter().filter(|change| change.entry.is_none()) {
            prop_assert!(!case.desired.names.contains_key(&change.name));
            prop_assert!(!case.current.names.contains(&change.name));
        }
        prop_assert!(plan.decisions.is_sorted_by(|a, b| a.0 < b.0));
        let accounted = plan.in_place + plan.decisions.len();
        prop_assert!(accounted >= case.desired.names.len());
    }

    /// The plan goes through sorted names side by side. Name by name it decides as plain sets say, and as
    /// it does where the name is alone with the wildcard that serves it or the name that it serves.
    #[test]
    fn many_names_are_decided_as_each_alone_is(case in any_case()) {
        let case = case.with(|case| {
            case.policy.allow_removals = true;
            case.current.names.insert(name("filler.example"));
        });
        let whole = case.plan();
        let Desired { names, inactive, .. } = &case.desired;
        let all = names.keys().chain(inactive.keys()).chain(&case.current.names).chain(case.ledger.keys());
        let all: HashSet<&DomainName> = all.collect();
        let (mut desired, mut in_place, mut managed) = (0, 0, 0);
        for one in all {
            let decision = whole.decisions.iter().find(|(name, _)| name == one);
            let decision = decision.map(|(_, decision)| decision);
            let (is_listed, is_managed) =
                (case.current.names.contains(one), case.ledger.contains_key(one));
            let is_desired =
                names.contains_key(one) || (inactive.contains_key(one) && is_managed);
            desired += usize::from(is_desired);
            in_place += usize::from(is_desired && is_listed);
            let is_forgotten = |change: &LedgerChange| change.name == *one && change.entry.is_none();
            managed += usize::from(is_desired || is_managed);
            managed -= usize::from(whole.changes.iter().any(is_forgotten));
            let is_right = match (is_desired, is_listed, is_managed) {
                (true, true, _) | (false, false, _) => decision.is_none(),
                (true, false, _) => matches!(
                    decision,
                    Some(
                        Decision::Add(_)
                            | Decision::Waiting { .. }
                            | Decision::Unconfirmed { .. }
                            | Decision::Missing
                            | Decision::Covered { .. }
                            | Decision::Refused { .. }
                    )
                ),
                (false, true, true) => matches!(
                    decision,
                    Some(
                        Decision::Remove { .. }
                            | Decision::Held(_)
                            | Decision::Waiting { .. }
                            | Decision::Unconfirmed { .. }
                    )
                ),
                (false, true, false) => decision == Some(&Decision::Unmanaged),
            };
            prop_assert!(is_right, "{one}: {decision:?}");
            prop_assert_eq!(
                whole.adopted.contains(one.as_str()), is_desired && is_listed && !is_managed
            );

            let alone = case.clone().with(|case| {
                let is_kept = |other: &DomainName| {
                    other == one
                        || other.covering_wildcard().as_ref() == Some(one)
                        || one.covering_wildcard().as_ref() == Some(other)
                        || *other == name("filler.example")
                };
                case.desired.names.retain(|name, _| is_kept(name));
                case.desired.inactive.retain(|name, _| is_kept(name));
                case.current.names.retain(is_kept);
                case.ledger.retain(|name, _| is_kept(name));
            });
            let of_alone = alone.of(one.as_str());
            prop_assert_eq!(of_alone.as_ref(), decision, "{}", one);
            let change = |plan: &Plan| plan.changes.iter().find(|change| change.name == *one).cloned();
            prop_assert_eq!(change(&alone.plan()), change(&whole));
        }
        prop_assert_eq!((whole.desired, whole.in_place, whole.managed), (desired, in_place, managed));
    }

    #[test]
    fn nothing_waits_for_longer_than_it_can(case in any_case(), ahead in -400_000_000i64..400_000_000) {
        let moved = |at: Timestamp| at + SignedDuration::from_secs(ahead);
        let case = case.with(|case| for entry in case.ledger.values_mut() {
            entry.managed_since = moved(entry.managed_since);
            for since in
                [&mut entry.present_since, &mut entry.missing_since, &mut entry.undesired_since]
            {
                *since = since.map(moved);
            }
            match &mut entry.progress {
                Progress::Accepted(attempt) | Progress::Failed(attempt, _) => {
                    attempt.next = moved(attempt.next);
                }
                Progress::Refused { at, .. } => *at = moved(*at),
                Progress::Idle => {}
            }
        });
        let (plan, policy) = (case.plan(), &case.policy);
        let differ = SignedDuration::try_from(CLOCKS_DIFFER).unwrap();
        for (name, decision) in &plan.decisions {
            let (until, longest) = match decision {
                Decision::Waiting { until, .. } | Decision::Unconfirmed { until } => {
                    (*until, policy.back_off.longest.try_into().unwrap())
                }
                Decision::Refused { until, .. } => (*until, REFUSAL_LASTS),
                Decision::Held(Guard::Grace { until }) => {
                    (*until, policy.removal_grace.try_into().unwrap())
                }
                Decision::Remove { undesired_since } => {
                    prop_assert!(*undesired_since <= ago(120), "{name}");
                    continue;
                }
                _ => continue,
            };
            prop_assert!(until <= now() + longest + differ, "{name} waits until {until}");
        }
        // Nothing that it notes is in the future.
        for entry in plan.changes.iter().filter_map(|change| change.entry.as_ref()) {
            let times = [entry.present_since, entry.missing_since, entry.undesired_since];
            let mut times = times.into_iter().flatten().chain([entry.managed_since]);
            prop_assert!(times.all(|time| time <= now()), "{entry:?}");
        }
    }

    #[test]
    fn a_second_plan_of_the_same_changes_nothing(case in any_case()) {
        // What the leader removes is forgotten at the second list.
        let case = case.with(|case| case.policy.other_leads = None);
        prop_assert_eq!(case.after(&case.plan(), 0).plan().changes, []);
    }

    /// What is at rest need not be planned again while neither end changes.
    #[test]
    fn a_plan_at_rest_stays_so(
        case in any_case(), gaps in prop::collection::vec(1i64..100_000, 0..6), later in 0i64..10_000_000
    ) {
        let mut case = case;
        for gap in gaps {
            case = case.after(&case.plan(), gap).obeyed();
        }
        let plan = case.plan();
        if plan.is_at_rest() {
            let later = case.with(|case| case.now += SignedDuration::from_secs(later)).plan();
            prop_assert!(later.is_at_rest());
            let found =
                |plan: Plan| (plan.decisions, plan.desired, plan.in_place, plan.managed);
            prop_assert_eq!(found(later), found(plan));
        }
    }

    /// Closte has all listed names all the time. The lists between show only some of them, but never twice
    /// in a row.
    #[test]
    fn a_name_missing_from_one_list_is_neither_added_again_nor_forgotten(
        case in any_case(),
        gaps in prop::collection::vec(
            (prop::collection::hash_set(any_name(), 0..16), any::<bool>()), 1..4
        ),
    ) {
        let whole = Current { complete: true, ..case.current.clone() };
        let mut case = case.with(|case| case.current = whole.clone());
        for (gone, complete) in gaps {
            case = case.after(&case.plan(), 1);
            let settled = case.clone();
            case.current.names.retain(|name| !gone.contains(name));
            case.current.complete = complete;
            for (name, decision) in &case.plan().decisions {
                let wildcard = name.covering_wildcard();
                let serves = |present: &Current| {
                    wildcard.as_ref().is_some_and(|wildcard| present.names.contains(wildcard))
                };
                // A wildcard that is to be removed covers nothing.
                let is_there = settled.ledger.get(name).is_some_and(|entry| {
                    let listed = entry.present_since.is_some() && whole.names.contains(name);
                    let covered = entry.covered_by.is_some() && serves(&whole);
                    entry.undesired_since.is_none() && (listed || covered)
                });
                if is_there && !serves(&case.current) {
                    prop_assert!(!matches!(decision, Decision::Add(_)), "{name} is added again");
                }
                let is_removed = matches!(decision, Decision::Remove { .. });
                let may_be = case.current.complete && case.current.names.contains(name);
                prop_assert!(may_be || !is_removed, "{name} is removed by a list with gaps");
            }
            case = case.after(&case.plan(), 1).with(|case| case.current = whole.clone());
            for name in whole.names.iter().filter(|name| case.desired.names.contains_key(*name)) {
                prop_assert!(case.ledger.contains_key(name), "{name} is forgotten");
                prop_assert_eq!(case.of(name.as_str()), None, "{} is in place", name);
            }
        }
    }
}
