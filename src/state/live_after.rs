use std::time::Duration;

use jiff::Timestamp;

use super::{LedgerId, State, StateError, columns::At};

/// The names that [`LiveAfter`] counts came live within this time.
const WINDOW: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long names took from their mapping until visitors got the site, in the last 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveAfter {
    pub median: Duration,
    /// How many names this is of.
    pub names: usize,
}

impl State {
    /// None where no name came live in the last 30 days, as far as that was seen.
    pub async fn live_after(
        &self,
        ledger: LedgerId,
        now: Timestamp,
    ) -> Result<Option<LiveAfter>, StateError> {
        let since = At(now.checked_sub(WINDOW).unwrap_or(Timestamp::MIN));
        // The lower one of two in the middle.
        let middle = sqlx::query!(
            r#"WITH live AS (
                   SELECT live_after_s FROM domain_status
                   WHERE ledger_id = ?1 AND live_after_s IS NOT NULL AND live_since >= ?2
               )
               SELECT live_after_s AS "median_s!: u64", (SELECT count(*) FROM live) AS "names!: i64"
               FROM live ORDER BY live_after_s
               LIMIT 1 OFFSET (SELECT (max(count(*), 1) - 1) / 2 FROM live)"#,
            ledger,
            since,
        )
        .map(|row| LiveAfter {
            median: Duration::from_secs(row.median_s),
            names: row.names as usize,
        });
        Ok(middle.fetch_optional(&self.pool).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_median_is_of_the_last_30_days() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("state.db")).await.unwrap();
        let now = Timestamp::from_second(100 * 86_400).unwrap();
        let ledger = state.begin_ledger(1, "agency.example", "key", now).await.unwrap();
        assert_eq!(state.live_after(ledger, now).await.unwrap(), None);
        for (name, days_ago, after) in [
            ("old", 31, Some(7)),
            ("adopted", 1, None),
            ("slow", 29, Some(90_000)),
            ("quick", 2, Some(40)),
            ("usual", 1, Some(200)),
            ("another", 0, Some(300)),
        ] {
            sqlx::query(
                "INSERT INTO domain_status (ledger_id, domain, due_at, live_since, live_after_s)
                 VALUES (?, ?, 0, ?, ?)",
            )
            .bind(ledger)
            .bind(format!("{name}.example"))
            .bind((100 - days_ago) * 86_400_000_i64)
            .bind(after)
            .execute(&state.pool)
            .await
            .unwrap();
        }
        let live_after = LiveAfter { median: Duration::from_secs(200), names: 4 };
        assert_eq!(state.live_after(ledger, now).await.unwrap(), Some(live_after));
    }
}
