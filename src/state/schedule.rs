//! When each domain is checked next.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    LedgerId, State, StateError,
    columns::{At, Millis},
    ledger::BATCH,
};

/// The longest time between the checks of names that are due together, in milliseconds; less if they do not
/// fit into the interval otherwise.
const GAP: i64 = 100;

impl State {
    /// Scales the times of the next checks to a new interval.
    pub async fn rescale(
        &self,
        ledger: LedgerId,
        from: Duration,
        to: Duration,
        now: Timestamp,
    ) -> Result<(), StateError> {
        sqlx::query!(
            "UPDATE domain_status SET due_at = ?2 + (due_at - ?2) * ?4 / ?3
             WHERE ledger_id = ?1 AND due_at > ?2",
            ledger,
            At(now),
            Millis(from.max(Duration::from_millis(1))),
            Millis(to),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Adds names that are desired now to the schedule, due from `now` on, and removes those that are not. In
    /// batches, each in a transaction: what is left when it is broken off is added by the next call.
    pub async fn sync_schedule(
        &self,
        ledger: LedgerId,
        interval: Duration,
        now: Timestamp,
    ) -> Result<(), StateError> {
        sqlx::query!(
            "DELETE FROM domain_status WHERE ledger_id = ?1 AND domain IN (
                 SELECT domain FROM domain_status WHERE ledger_id = ?1
                 EXCEPT SELECT domain FROM managed
                     WHERE ledger_id = ?1 AND undesired_since IS NULL
                 ORDER BY domain)",
            ledger,
        )
        .execute(&self.pool)
        .await?;
        let total = self.desired_count(ledger).await?;
        let (mut last, mut done) = (String::new(), 0);
        loop {
            // Both sides are read in the order of their keys and merged; nothing is sorted.
            let added = sqlx::query_scalar!(
                "INSERT INTO domain_status (ledger_id, domain, due_at)
                 SELECT ?1, domain, ?2 + min(number * ?3, number * ?4 / ?5, ?4)
                 FROM (SELECT domain, ?6 + row_number() OVER () - 1 AS number
                       FROM (SELECT domain FROM managed
                             WHERE ledger_id = ?1 AND domain > ?7 AND undesired_since IS NULL
                             EXCEPT SELECT domain FROM domain_status
                                 WHERE ledger_id = ?1 AND domain > ?7
                             ORDER BY domain LIMIT ?8))
                 RETURNING domain",
                ledger,
                At(now),
                GAP,
                Millis(interval),
                total,
                done,
                last,
                BATCH as i64,
            )
            .fetch_all(&self.pool)
            .await?;
            done += added.len() as i64;
            let is_full = added.len() == BATCH;
            match added.into_iter().max() {
                Some(name) if is_full => last = name,
                _ => return Ok(()),
            }
        }
    }

    /// Spreads over the interval the checks that are overdue, and those that are further ahead than an
    /// interval. In batches, each in a transaction.
    pub async fn spread(
        &self,
        ledger: LedgerId,
        interval: Duration,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let total = self.desired_count(ledger).await?;
        let (from, to) = (now.as_millisecond(), (now + interval).as_millisecond());
        let mut done = 0;
        for (after, before) in [(i64::MIN, from), (to, i64::MAX)] {
            loop {
                let moved = sqlx::query!(
                    "UPDATE domain_status SET due_at = batch.at FROM (
                         SELECT domain, ?2 + min(number * ?3, number * ?4 / ?5, ?4) AS at
                         FROM (SELECT domain, ?6 + row_number() OVER (ORDER BY due_at) - 1 AS number
                               FROM (SELECT domain, due_at FROM domain_status
                                     WHERE ledger_id = ?1 AND due_at > ?7 AND due_at < ?8
                                     ORDER BY due_at LIMIT ?9))) AS batch
                     WHERE ledger_id = ?1 AND domain_status.domain = batch.domain",
                    ledger,
                    from,
                    GAP,
                    Millis(interval),
                    total,
                    done,
                    after,
                    before,
                    BATCH as i64,
                )
                .execute(&self.pool)
                .await?;
                if moved.rows_affected() == 0 {
                    break;
                }
                done += moved.rows_affected() as i64;
            }
        }
        Ok(())
    }

    /// How many names are desired; 1 where there are none, to divide by.
    async fn desired_count(&self, ledger: LedgerId) -> Result<i64, StateError> {
        let count = sqlx::query_scalar!(
            "SELECT count(*) FROM managed WHERE ledger_id = ? AND undesired_since IS NULL",
            ledger,
        );
        Ok(count.fetch_one(&self.pool).await?.max(1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{
        events::EventBatch,
        ledger::{Entry, RowRef},
        names::NameMap,
        plan::LedgerChange,
    };

    const MINUTE: Duration = Duration::from_secs(60);
    /// Several batches.
    const NAMES: i64 = 2 * BATCH as i64 + 500;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    async fn map(state: &State, ledger: LedgerId, names: impl Iterator<Item = String>) {
        let changes: Vec<_> = names
            .map(|name| LedgerChange {
                name: name.parse().unwrap(),
                entry: Some(Entry::new(RowRef::default(), at(0))),
                transition: None,
            })
            .collect();
        let none = (NameMap::default(), EventBatch::default());
        state.record(ledger, &none.0, &changes, &none.1, at(0)).await.unwrap();
    }

    async fn place() -> (tempfile::TempDir, State, LedgerId) {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("state.db")).await.unwrap();
        let ledger = state.begin_ledger(1, "agency.example", "key", at(0)).await.unwrap();
        (folder, state, ledger)
    }

    /// In the order of names.
    async fn due(state: &State) -> Vec<i64> {
        let query = "SELECT due_at FROM domain_status ORDER BY domain";
        sqlx::query_scalar(query).fetch_all(&state.pool).await.unwrap()
    }

    fn assert_is_spread(due: &[i64], from: i64) {
        assert!(due.is_sorted(), "{due:?}");
        let millis = MINUTE.as_millis() as i64;
        assert!(due.iter().all(|at| (from..=from + millis).contains(at)), "{due:?}");
        let moments = due.iter().collect::<HashSet<_>>().len();
        assert_eq!(moments, due.len(), "each has a moment of its own");
        let densest = due.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
        assert!(densest >= millis / NAMES, "{densest} ms");
    }

    #[tokio::test]
    async fn all_names_fill_the_interval_and_new_ones_come_after_now() {
        let (_folder, state, ledger) = place().await;
        map(&state, ledger, (0..NAMES).map(|number| format!("n{number:05}.example"))).await;
        state.sync_schedule(ledger, MINUTE, at(1_000)).await.unwrap();
        let first = due(&state).await;
        assert_eq!(first.len() as i64, NAMES);
        assert_is_spread(&first, 1_000);
        state.sync_schedule(ledger, MINUTE, at(2_000)).await.unwrap();
        assert_eq!(due(&state).await, first, "nothing is new");
        map(&state, ledger, ["a.example", "z.example"].map(str::to_owned).into_iter()).await;
        state.sync_schedule(ledger, MINUTE, at(3_000)).await.unwrap();
        let all = due(&state).await;
        assert_eq!(all[1..=first.len()], first);
        assert_eq!((all[0], all.last().unwrap() - all[0] < 100), (3_000, true));
        let undesired = "UPDATE managed SET undesired_since = 1 WHERE domain < 'z'";
        sqlx::raw_sql(undesired).execute(&state.pool).await.unwrap();
        state.sync_schedule(ledger, MINUTE, at(4_000)).await.unwrap();
        assert_eq!(due(&state).await.len(), 1);
    }

    #[tokio::test]
    async fn what_is_overdue_or_too_far_ahead_is_spread_in_its_order() {
        let (_folder, state, ledger) = place().await;
        map(&state, ledger, (0..NAMES).map(|number| format!("n{number:05}.example"))).await;
        state.sync_schedule(ledger, Duration::from_secs(86_400), at(0)).await.unwrap();
        let now = at(220_000);
        state.spread(ledger, MINUTE, now).await.unwrap();
        let (ahead, rest): (Vec<_>, Vec<_>) = due(&state)
            .await
            .into_iter()
            .enumerate()
            .partition(|(number, _)| (2_200..=2_800).contains(number));
        let kept: Vec<i64> = ahead.iter().map(|(number, _)| *number as i64 * 100).collect();
        assert_eq!(ahead.into_iter().map(|(_, at)| at).collect::<Vec<_>>(), kept, "due within it");
        assert_is_spread(&rest.into_iter().map(|(_, at)| at).collect::<Vec<_>>(), 220_000);
    }
}
