use proptest::prelude::*;

use super::*;

prop_compose! {
    fn any_name()(index in 0..8, wild in any::<bool>()) -> DomainName {
        let label = if wild { "*" } else { "www" };
        format!("{label}.shop{index}.example").parse().unwrap()
    }
}

prop_compose! {
    fn any_entry()(
        present in any::<bool>(),
        unwanted in prop::option::of(0i64..200_000),
        progress in 0..4,
        next in -100i64..100,
    ) -> Entry {
        let mut entry = Entry::new(Origin::default(), ago(300_000));
        entry.present_since = present.then(|| ago(200_000));
        entry.unwanted_since = unwanted.map(ago);
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
        wanted in prop::collection::hash_map(any_name(), Just(Origin::default()), 0..16),
        present in prop::collection::hash_set(any_name(), 0..16),
        ledger in prop::collection::hash_map(any_name(), any_entry(), 0..16),
        complete in any::<bool>(),
        table_was_empty in any::<bool>(),
        allow_removals in any::<bool>(),
        own in prop::collection::hash_set(any_name(), 0..2),
        perhaps in prop::collection::hash_set(any_name(), 0..2),
    ) -> Case {
        let table_was_empty = table_was_empty && wanted.is_empty();
        Case {
            wanted: Wanted {
                names: wanted,
                own_names: own,
                perhaps,
                table_was_empty,
                ..Wanted::default()
            },
            present: Present { names: present, complete },
            ledger,
            policy: Policy { allow_removals, ..policy() },
        }
    }
}

proptest! {
    #[test]
    fn whatever_comes_the_rules_hold(case in any_case()) {
        let plan = case.plan();
        let mut removals = 0;
        for (name, decision) in &plan.decisions {
            if let Decision::Remove { unwanted_since } = decision {
                removals += 1;
                prop_assert!(case.ledger.contains_key(name), "a foreign name");
                prop_assert!(!case.wanted.names.contains_key(name));
                prop_assert!(case.present.names.contains(name));
                prop_assert!(case.present.complete);
                prop_assert!(!case.wanted.own_names.contains(name));
                prop_assert!(!case.wanted.perhaps.contains(name));
                prop_assert!(*unwanted_since <= ago(120), "in the blink of an eye");
                prop_assert!(!case.wanted.table_was_empty || case.policy.allow_removals);
            }
            if let Decision::Add(_) = decision {
                prop_assert!(case.wanted.names.contains_key(name));
                prop_assert!(!case.present.names.contains(name));
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
            prop_assert!(!case.wanted.names.contains_key(&change.name));
            prop_assert!(!case.present.names.contains(&change.name));
        }
        prop_assert!(plan.decisions.is_sorted_by(|a, b| a.0 < b.0));
        let accounted = plan.in_place + plan.decisions.len();
        prop_assert!(accounted >= case.wanted.names.len());
    }

    #[test]
    fn a_second_look_at_the_same_changes_nothing(case in any_case()) {
        let first = case.plan();
        let again = case.with(|case| {
            for change in &first.changes {
                match &change.entry {
                    Some(entry) => drop(case.ledger.insert(change.name.clone(), entry.clone())),
                    None => drop(case.ledger.remove(&change.name)),
                }
            }
        });
        prop_assert_eq!(again.plan().changes, []);
    }
}
