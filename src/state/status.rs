use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::{AssertSqlSafe, Row, sqlite::SqliteRow};

use super::{
    LedgerId, State, StateError, from_millis,
    ledger::{json, progress},
    to_millis,
};
use crate::{
    domain::DomainName,
    event::News,
    secrets,
    status::{DomainStatus, LedgerInfo},
};

/// A desired name, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedDomain {
    /// The name.
    pub name: DomainName,
    /// What the ledger knows of it.
    pub facts: LedgerInfo,
    /// How it stood when it was looked at last, if it was.
    pub status: Option<DomainStatus>,
    /// When it is to be looked at; none for a name that was not enrolled yet.
    pub due_at: Option<Timestamp>,
    /// When Closte was asked for a certificate last, and what it said.
    pub request: Option<(Timestamp, String)>,
}

/// What a look left to remember.
#[derive(Debug, Clone)]
pub struct StatusUpdate {
    /// The name.
    pub name: DomainName,
    /// How it stands.
    pub status: DomainStatus,
    /// When it is to be looked at next.
    pub due_at: Timestamp,
}

/// Names that come together are looked at so far apart, in milliseconds, or closer where that would
/// not fit into the interval.
const GAP: i64 = 100;

const COLUMNS: &str = "m.domain, m.blog_id, m.managed_since,
    coalesce(m.present_since, iif(m.covered_by IS NULL, NULL, m.managed_since)) AS at_closte_since,
    m.progress, m.attempts, m.next_attempt, m.refused_at, m.error,
    s.due_at, s.checked_at, s.latest, s.dns_since, s.ssl_since, s.since, s.suspect_since, s.alerted_at,
    s.lacks_certificate_since, r.asked_at, r.answer";

/// What [`COLUMNS`] may lack.
const REQUESTS: &str =
    "LEFT JOIN certificate_request r ON r.ledger_id = m.ledger_id AND r.domain = m.domain";

impl State {
    /// Notes the check interval of the plugin of the network that a ledger belongs to.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn note_check_interval(
        &self,
        ledger: LedgerId,
        check_interval: Option<Duration>,
    ) -> Result<(), StateError> {
        sqlx::query(
            "UPDATE ledger SET check_interval = ?2 WHERE id = ?1 AND check_interval IS NOT ?2",
        )
        .bind(ledger.number())
        .bind(check_interval.map(millis))
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(self.failed())
    }

    /// The own domain of the network that a ledger belongs to, and the plugin's check interval.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn network(
        &self,
        ledger: LedgerId,
    ) -> Result<(Option<String>, Option<Duration>), StateError> {
        let (domain, interval): (Option<String>, Option<i64>) =
            sqlx::query_as("SELECT domain, check_interval FROM ledger WHERE id = ?")
                .bind(ledger.number())
                .fetch_one(&self.pool)
                .await
                .map_err(self.failed())?;
        let interval = interval.and_then(|millis| millis.try_into().ok());
        Ok((domain, interval.map(Duration::from_millis)))
    }

    /// The interval has changed: what is still to come is drawn together or apart by as much.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn rescale(
        &self,
        ledger: LedgerId,
        from: Duration,
        to: Duration,
        now: Timestamp,
    ) -> Result<(), StateError> {
        sqlx::query(
            "UPDATE domain_status SET due_at = ?2 + (due_at - ?2) * ?4 / ?3
             WHERE ledger_id = ?1 AND due_at > ?2",
        )
        .bind(ledger.number())
        .bind(to_millis(now))
        .bind(millis(from).max(1))
        .bind(millis(to))
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(self.failed())
    }

    /// The ledger that is worked with: that of the last completed cycle, else the newest one.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn current_ledger(&self) -> Result<Option<LedgerId>, StateError> {
        let id: Option<i64> = sqlx::query_scalar(
            "SELECT coalesce((SELECT ledger_id FROM last_cycle), (SELECT max(id) FROM ledger))",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(self.failed())?;
        Ok(id.map(LedgerId::from_number))
    }

    /// Puts names that are desired now into the schedule, to be looked at from `now` on, and takes out
    /// those that are not.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn sync_schedule(
        &self,
        ledger: LedgerId,
        interval: Duration,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut transaction = self.pool.begin().await.map_err(self.failed())?;
        sqlx::query(
            "DELETE FROM domain_status WHERE ledger_id = ?1 AND NOT EXISTS (
                 SELECT 1 FROM managed m WHERE m.ledger_id = ?1 AND m.domain = domain_status.domain
                 AND m.undesired_since IS NULL)",
        )
        .bind(ledger.number())
        .execute(&mut *transaction)
        .await
        .map_err(self.failed())?;
        sqlx::query(
            "INSERT INTO domain_status (ledger_id, domain, due_at)
             SELECT ledger_id, domain,
                 ?2 + (row_number() OVER () - 1) * min(?3, ?4 / count(*) OVER ())
             FROM managed m WHERE ledger_id = ?1 AND undesired_since IS NULL AND NOT EXISTS (
                 SELECT 1 FROM domain_status s WHERE s.ledger_id = ?1 AND s.domain = m.domain)",
        )
        .bind(ledger.number())
        .bind(to_millis(now))
        .bind(GAP)
        .bind(millis(interval))
        .execute(&mut *transaction)
        .await
        .map_err(self.failed())?;
        transaction.commit().await.map_err(self.failed())
    }

    /// Spreads what should have been looked at before `now` over the interval, and what another
    /// interval had put off for longer than this one.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn spread(
        &self,
        ledger: LedgerId,
        interval: Duration,
        now: Timestamp,
    ) -> Result<(), StateError> {
        sqlx::query(
            "UPDATE domain_status SET due_at = spread.at FROM (
                 SELECT domain,
                     ?2 + (row_number() OVER (ORDER BY due_at) - 1) * min(?3, ?4 / count(*) OVER ())
                     AS at
                 FROM domain_status
                 WHERE ledger_id = ?1 AND (due_at < ?2 OR due_at > ?2 + ?4)) AS spread
             WHERE ledger_id = ?1 AND domain_status.domain = spread.domain",
        )
        .bind(ledger.number())
        .bind(to_millis(now))
        .bind(GAP)
        .bind(millis(interval))
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(self.failed())
    }

    /// Up to `most` names whose time has come, the longest overdue first.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn due(
        &self,
        ledger: LedgerId,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<CheckedDomain>, StateError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM domain_status s
             JOIN managed m ON m.ledger_id = s.ledger_id AND m.domain = s.domain {REQUESTS}
             WHERE s.ledger_id = ? AND s.due_at <= ? ORDER BY s.due_at LIMIT ?"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(ledger.number()).bind(to_millis(now));
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = query.bind(most).fetch_all(&self.pool).await.map_err(self.failed())?;
        rows.iter().map(|row| self.read_looked(row)).collect()
    }

    /// Every desired name, or those of `only`, with how it stands.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn desired(
        &self,
        ledger: LedgerId,
        only: &[DomainName],
    ) -> Result<Vec<CheckedDomain>, StateError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM managed m
             LEFT JOIN domain_status s ON s.ledger_id = m.ledger_id AND s.domain = m.domain {REQUESTS}
             WHERE m.ledger_id = ?1 AND m.undesired_since IS NULL
             AND (?2 IS NULL OR m.domain IN (SELECT value FROM json_each(?2))) ORDER BY m.domain"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(ledger.number())
            .bind((!only.is_empty()).then(|| json(&only)))
            .fetch_all(&self.pool)
            .await
            .map_err(self.failed())?;
        rows.iter().map(|row| self.read_looked(row)).collect()
    }

    fn read_looked(&self, row: &SqliteRow) -> Result<CheckedDomain, StateError> {
        let damaged = |detail| StateError::Damaged { path: self.path.clone(), detail };
        let name: String = row.try_get("domain").map_err(self.failed())?;
        let name = name.parse().map_err(|error| damaged(format!("{name:?}: {error}")))?;
        let time = |column: &str| -> sqlx::Result<Option<Timestamp>> {
            Ok(row.try_get::<Option<i64>, _>(column)?.map(from_millis))
        };
        let read = || -> sqlx::Result<_> {
            let facts = LedgerInfo {
                blog_id: row.try_get("blog_id")?,
                added_at: time("managed_since")?,
                at_closte_since: time("at_closte_since")?,
                progress: progress(
                    row.try_get("progress")?,
                    row.try_get("attempts")?,
                    time("next_attempt")?,
                    time("refused_at")?,
                    row.try_get("error")?,
                )
                .unwrap_or_default(),
            };
            let latest: Option<String> = row.try_get("latest")?;
            // An observation in the words of another version is none: it is made anew.
            let latest = latest.and_then(|latest| serde_json::from_str(&latest).ok());
            let status = match time("checked_at")?.zip(latest) {
                None => None,
                Some((checked_at, latest)) => Some(DomainStatus {
                    checked_at,
                    latest,
                    dns_since: time("dns_since")?.unwrap_or(checked_at),
                    ssl_since: time("ssl_since")?.unwrap_or(checked_at),
                    since: time("since")?.unwrap_or(checked_at),
                    suspect_since: time("suspect_since")?,
                    alerted_at: time("alerted_at")?,
                    lacks_certificate_since: time("lacks_certificate_since")?,
                }),
            };
            let answer: Option<String> = row.try_get("answer")?;
            let request = time("asked_at")?.zip(answer.map(|answer| secrets::mask(&answer)));
            Ok((facts, time("due_at")?, status, request))
        };
        let (facts, due_at, status, request) = read().map_err(self.failed())?;
        Ok(CheckedDomain { name, facts, status, due_at, request })
    }

    /// Writes down what came of looks, and what there is to say of them, all or nothing; and logs that,
    /// whatever becomes of the writing. A name that is no longer in the schedule is passed over.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn record_looks(
        &self,
        ledger: LedgerId,
        outcomes: &[StatusUpdate],
        news: &News,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let line = |outcome: &StatusUpdate| -> Line {
            let status = &outcome.status;
            Line {
                domain: outcome.name.as_str().to_owned(),
                due_at: to_millis(outcome.due_at),
                checked_at: to_millis(status.checked_at),
                latest: json(&status.latest),
                dns_since: to_millis(status.dns_since),
                ssl_since: to_millis(status.ssl_since),
                since: to_millis(status.since),
                suspect_since: status.suspect_since.map(to_millis),
                alerted_at: status.alerted_at.map(to_millis),
                lacks_certificate_since: status.lacks_certificate_since.map(to_millis),
            }
        };
        let lines: Vec<Line> = outcomes.iter().map(line).collect();
        let mut recording = self.recording(news, now).await?;
        sqlx::query(
            "INSERT INTO domain_status (ledger_id, domain, due_at, checked_at, latest, dns_since,
                 ssl_since, since, suspect_since, alerted_at, lacks_certificate_since)
             SELECT ?1, value->>'domain', value->>'due_at', value->>'checked_at',
                 value->>'latest', value->>'dns_since', value->>'ssl_since', value->>'since',
                 value->>'suspect_since', value->>'alerted_at', value->>'lacks_certificate_since'
             FROM json_each(?2)
             WHERE EXISTS (SELECT 1 FROM domain_status s
                 WHERE s.ledger_id = ?1 AND s.domain = value->>'domain')
             ON CONFLICT (ledger_id, domain) DO UPDATE SET due_at = excluded.due_at,
                 checked_at = excluded.checked_at, latest = excluded.latest,
                 dns_since = excluded.dns_since, ssl_since = excluded.ssl_since,
                 since = excluded.since, suspect_since = excluded.suspect_since,
                 alerted_at = excluded.alerted_at,
                 lacks_certificate_since = excluded.lacks_certificate_since",
        )
        .bind(ledger.number())
        .bind(json(&lines))
        .execute(recording.connection())
        .await
        .map_err(self.failed())?;
        recording.commit().await
    }

    /// Lets up to `most` names that work be looked at now rather than later. Returns how many.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn expedite_healthy(
        &self,
        ledger: LedgerId,
        most: u32,
        now: Timestamp,
    ) -> Result<u64, StateError> {
        // Those that are looked at last of all, else: the others come by themselves.
        sqlx::query(
            "UPDATE domain_status SET due_at = ?2 WHERE ledger_id = ?1 AND domain IN (
                 SELECT domain FROM domain_status WHERE ledger_id = ?1 AND suspect_since IS NULL
                 AND due_at > ?2 AND latest->>'$.ssl.verdict' IN ('valid', 'old-tls', 'expiring')
                 AND latest->>'$.dns.verdict' IN ('ok', 'proxied')
                 ORDER BY due_at DESC LIMIT ?3)",
        )
        .bind(ledger.number())
        .bind(to_millis(now))
        .bind(most)
        .execute(&self.pool)
        .await
        .map(|updated| updated.rows_affected())
        .map_err(self.failed())
    }
}

/// A standing on its way in: many travel in one JSON text, which SQLite takes apart.
#[derive(Serialize)]
struct Line {
    domain: String,
    due_at: i64,
    checked_at: i64,
    latest: String,
    dns_since: i64,
    ssl_since: i64,
    since: i64,
    suspect_since: Option<i64>,
    alerted_at: Option<i64>,
    lacks_certificate_since: Option<i64>,
}

fn millis(duration: Duration) -> i64 {
    duration.as_millis().try_into().unwrap_or(i64::MAX)
}
