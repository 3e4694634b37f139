use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{
    checks::{Verifier, strategies::check_results},
    events::EventBatch,
    ledger::{Attempt, RowRef},
    names::NameMap,
    plan::LedgerChange,
    state::{OverviewFilter, State, StatusUpdate},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn progress() -> impl Strategy<Value = Progress> {
    let attempt = Attempt { count: 1, next: at(60) };
    prop::sample::select(vec![
        Progress::Idle,
        Progress::Idle,
        Progress::Accepted(attempt),
        Progress::Failed(attempt, "no".to_owned()),
        Progress::Refused { at: at(-60), error: "never".to_owned() },
    ])
}

fn entries() -> impl Strategy<Value = Entry> {
    let since = || prop::option::of(Just(at(-100)));
    let covered_by = prop::option::of(Just("*.shops.example".parse::<DomainName>().unwrap()));
    (progress(), since(), since(), since(), covered_by).prop_map(
        |(progress, present_since, missing_since, undesired_since, covered_by)| Entry {
            present_since,
            missing_since,
            undesired_since,
            covered_by,
            progress,
            ..Entry::new(RowRef::default(), at(-1_000))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The state database sorts without reading what it sorts.
    #[test]
    fn the_list_has_the_order_of_the_rows(
        all in prop::collection::vec((entries(), prop::option::of(check_results(at(0)))), 1..20),
        severity in prop::sample::select(vec![None, Some(Severity::Bad), Some(Severity::Fair)]),
        part in prop::sample::select(vec![None, Some("1")]),
        skip in 0u32..4,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (found, counts, mut rows) = runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let state = State::open(&folder.path().join("state.db")).await.unwrap();
            let ledger = state.begin_ledger(1, "agency.example", "key", at(0)).await.unwrap();
            let name = |number: usize| format!("shop{number}.shops.example").parse::<DomainName>().unwrap();
            let change = |(number, (entry, _)): (usize, &(Entry, _))| LedgerChange {
                name: name(number),
                entry: Some(entry.clone()),
                transition: None,
            };
            let changes: Vec<_> = all.iter().enumerate().map(change).collect();
            let (adopted, nothing) = (NameMap::default(), EventBatch::default());
            state.record(ledger, &adopted, &changes, &nothing, at(0)).await.unwrap();
            state.sync_schedule(ledger, Duration::from_secs(60), at(0)).await.unwrap();
            let verifier = Verifier::new(Duration::from_secs(86_400), None);
            let mut updates = Vec::new();
            for checked in state.desired(ledger, &[]).await.unwrap() {
                let number: usize =
                    checked.name.as_str()[4..].split('.').next().unwrap().parse().unwrap();
                if let Some(result) = all[number].1.clone() {
                    let status = verifier.verify(&checked, result, at(0)).status;
                    updates.push(StatusUpdate { name: checked.name, status, due_at: at(60) });
                }
            }
            state.record_checks(ledger, &updates, &nothing, at(0)).await.unwrap();

            let filter = OverviewFilter { severity, part: part.map(str::to_owned) };
            let found = state.overview(ledger, &filter, skip, 5).await.unwrap();
            let counts = state.severity_counts(ledger, part).await.unwrap();
            let names: Vec<DomainName> = (0..all.len()).map(name).collect();
            let mut checked = state.desired(ledger, &[]).await.unwrap();
            let mut rows = Vec::new();
            for (name, entry) in state.entries(ledger, &names).await.unwrap() {
                let place = checked.iter().position(|one| one.name == name);
                rows.push(DomainRow { checked: place.map(|at| checked.remove(at)), name, entry });
            }
            (found, counts, rows)
        });
        prop_assert_eq!(rows.len(), all.len());
        rows.retain(|row| part.is_none_or(|part| row.name.as_str().contains(part)));
        for (which, count) in [
            (Severity::Bad, counts.bad),
            (Severity::Fair, counts.fair),
            (Severity::Good, counts.good),
            (Severity::Gone, counts.gone),
        ] {
            prop_assert_eq!(rows.iter().filter(|row| row.severity() == which).count() as u64, count);
        }
        rows.retain(|row| severity.is_none_or(|severity| row.severity() == severity));
        rows.sort_by(|a, b| (a.severity(), &a.name).cmp(&(b.severity(), &b.name)));
        let expected: Vec<_> =
            rows.into_iter().map(|row| row.name).skip(skip as usize).take(5).collect();
        prop_assert_eq!(found, expected);
    }
}
