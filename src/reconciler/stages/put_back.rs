//! Which rows somebody put back. Pure.

use crate::{
    ledger::{Entry, Ledger},
    plan::LedgerChange,
    state::PutBack,
    status::Stage,
};

/// The changes whose row was done when it was read before, and is on its way again.
///
/// It does not matter who had made it done, so each of several daemons sees the same. The plugin itself leaves
/// a row alone that is done, apart from a check that was in progress then: whoever wrote the row has its own
/// note of that.
pub(in crate::reconciler) fn put_back<'a>(
    ledger: &Ledger,
    changes: &'a [LedgerChange],
) -> Vec<PutBack<'a>> {
    let one = |change: &'a LedgerChange| {
        let before = ledger.get(change.name.as_str())?.entry();
        let (row_id, stage) = of_entry(&before, change.entry.as_ref()?)?;
        Some(PutBack { name: &change.name, row_id, stage })
    };
    changes.iter().filter_map(one).collect()
}

/// The row that was put back, and its stage now.
fn of_entry(before: &Entry, after: &Entry) -> Option<(i64, Stage)> {
    let is_desired = before.undesired_since.is_none() && after.undesired_since.is_none();
    let row_id = before.origin.row_id.filter(|row| is_desired && after.origin.row_id == Some(*row));
    let (old, new) = (before.origin.state?.stage?, after.origin.state?.stage?);
    let is_back = old.is_done() && !new.is_done();
    row_id.filter(|_| is_back).map(|row_id| (row_id, new))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use strum::VariantArray as _;

    use super::*;
    use crate::{
        ledger::{LedgerBuilder, RowRef},
        status::{RowState, Serving},
    };

    fn any_entry() -> impl Strategy<Value = Entry> {
        let stage = prop::option::of(prop::sample::select(Stage::VARIANTS));
        let state = (stage, any::<bool>()).prop_map(|(stage, active)| RowState {
            stage,
            active,
            primary: false,
            secure: false,
            serving: Serving::StageNotDone,
        });
        let flags = (any::<bool>(), prop::bool::weighted(0.2));
        (prop::option::of(1_i64..3), prop::option::of(state), flags).prop_map(
            |(row_id, state, (is_listed, is_undesired))| {
                let now = Timestamp::UNIX_EPOCH;
                Entry {
                    present_since: is_listed.then_some(now),
                    undesired_since: is_undesired.then_some(now),
                    ..Entry::new(RowRef { row_id, state, ..RowRef::default() }, now)
                }
            },
        )
    }

    proptest! {
        #[test]
        fn only_a_row_that_was_done_and_no_longer_is_was_put_back(
            before in prop::option::of(any_entry()), after in prop::option::of(any_entry()),
        ) {
            let name: crate::domain::DomainName = "shop.example".parse().unwrap();
            let mut ledger = LedgerBuilder::default();
            if let Some(before) = &before {
                ledger.push(name.to_ref(), before.clone());
            }
            let ledger = ledger.build();
            let change = LedgerChange { name, entry: after.clone(), transition: None };
            let changes = [change];
            let found = put_back(&ledger, &changes);
            let stage = |entry: &Option<Entry>| entry.as_ref()?.origin.state?.stage;
            let row = |entry: &Option<Entry>| entry.as_ref()?.origin.row_id;
            let was_done = stage(&before).is_some_and(Stage::is_done);
            let is_on_its_way = stage(&after).is_some_and(|stage| !stage.is_done());
            let is_desired = [&before, &after]
                .iter()
                .all(|entry| entry.as_ref().is_some_and(|entry| entry.undesired_since.is_none()));
            let is_same_row = row(&before).is_some() && row(&before) == row(&after);
            let expected = was_done && is_on_its_way && is_desired && is_same_row;
            prop_assert_eq!(found.len(), usize::from(expected));
            if let [one] = &found[..] {
                prop_assert_eq!((Some(one.row_id), Some(one.stage)), (row(&after), stage(&after)));
            }
        }
    }
}
