use std::time::Duration;

use jiff::{
    Timestamp,
    fmt::serde::timestamp::millisecond::{optional, required},
};
use serde::Serialize;

use super::{
    LedgerId, State, StateError,
    columns::{At, Millis, Text},
    ledger::{json, progress},
};
use crate::{
    domain::DomainName,
    events::EventBatch,
    ledger::LedgerInfo,
    secrets,
    status::{DomainStatus, GoodRun, RowState},
};

/// A desired name, and what is known about it.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedDomain {
    pub name: DomainName,
    pub facts: LedgerInfo,
    /// None if it was not checked yet.
    pub status: Option<DomainStatus>,
    /// When it is checked next; none if it is not in the schedule yet.
    pub due_at: Option<Timestamp>,
    /// When Closte was asked for a certificate last, and its answer.
    pub request: Option<(Timestamp, String)>,
}

#[derive(Debug, Clone)]
pub struct StatusUpdate {
    pub name: DomainName,
    pub status: DomainStatus,
    /// When it is checked next.
    pub due_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkInfo {
    /// In lower case.
    pub domain: String,
    /// That of the plugin.
    pub check_interval: Option<Duration>,
}

/// A managed name with everything that is known about it.
#[derive(Debug)]
struct Row {
    domain: DomainName,
    blog_id: Option<i64>,
    row_state: Option<u16>,
    managed_since: At,
    at_closte_since: Option<At>,
    progress: String,
    attempts: u32,
    next_attempt: Option<At>,
    refused_at: Option<At>,
    error: Option<String>,
    due_at: Option<At>,
    checked_at: Option<At>,
    latest: Option<String>,
    dns_since: Option<At>,
    ssl_since: Option<At>,
    since: Option<At>,
    suspect_since: Option<At>,
    alerted_at: Option<At>,
    lacks_certificate_since: Option<At>,
    good_checks: Option<u32>,
    times_broken: Option<u32>,
    live_since: Option<At>,
    live_after_s: Option<u64>,
    asked_at: Option<At>,
    answer: Option<String>,
}

/// A query of [`Row`]s from a join of `managed m` and `domain_status s`.
macro_rules! rows {
    ($from:literal, $which:literal, $($arg:expr),* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT m.domain AS "domain: DomainName", m.blog_id, m.row_state AS "row_state: u16",
                   m.managed_since AS "managed_since: At",
                   coalesce(m.present_since, iif(m.covered_by IS NULL, NULL, m.managed_since))
                       AS "at_closte_since: At",
                   m.progress, m.attempts AS "attempts: u32", m.next_attempt AS "next_attempt: At",
                   m.refused_at AS "refused_at: At", m.error,
                   s.due_at AS "due_at?: At", s.checked_at AS "checked_at: At", s.latest,
                   s.dns_since AS "dns_since: At", s.ssl_since AS "ssl_since: At",
                   s.since AS "since: At", s.suspect_since AS "suspect_since: At", s.alerted_at AS "alerted_at: At",
                   s.lacks_certificate_since AS "lacks_certificate_since: At",
                   s.good_checks AS "good_checks?: u32", s.times_broken AS "times_broken?: u32",
                   s.live_since AS "live_since: At", s.live_after_s AS "live_after_s: u64",
                   r.asked_at AS "asked_at?: At", r.answer AS "answer?"
               FROM "#
                + $from
                + " LEFT JOIN certificate_request r
                        ON r.ledger_id = m.ledger_id AND r.domain = m.domain "
                + $which,
            $($arg),*
        )
    };
}

impl State {
    /// Records the plugin's check interval for the network of a ledger.
    pub async fn note_check_interval(
        &self,
        ledger: LedgerId,
        check_interval: Option<Duration>,
    ) -> Result<(), StateError> {
        sqlx::query!(
            "UPDATE ledger SET check_interval = ?2 WHERE id = ?1 AND check_interval IS NOT ?2",
            ledger,
            check_interval.map(Millis),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The network of a ledger.
    pub async fn network(&self, ledger: LedgerId) -> Result<NetworkInfo, StateError> {
        let network = sqlx::query!(
            r#"SELECT domain AS "domain!: Text", check_interval AS "check_interval: Millis"
               FROM ledger WHERE id = ?"#,
            ledger,
        )
        .map(|row| NetworkInfo {
            domain: row.domain.0,
            check_interval: row.check_interval.map(|Millis(interval)| interval),
        });
        Ok(network.fetch_one(&self.pool).await?)
    }

    /// The ledger of the last completed cycle, or else the newest one.
    pub async fn current_ledger(&self) -> Result<Option<LedgerId>, StateError> {
        let id = sqlx::query_scalar!(
            r#"SELECT coalesce((SELECT ledger_id FROM last_cycle), (SELECT max(id) FROM ledger))
                   AS "id?: LedgerId""#
        );
        Ok(id.fetch_one(&self.pool).await?)
    }

    /// Up to `most` names that are due, the longest overdue first.
    pub async fn due(
        &self,
        ledger: LedgerId,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<CheckedDomain>, StateError> {
        let rows = rows!(
            "domain_status s JOIN managed m ON m.ledger_id = s.ledger_id AND m.domain = s.domain",
            "WHERE s.ledger_id = ? AND s.due_at <= ? ORDER BY s.due_at LIMIT ?",
            ledger,
            At(now),
            i64::try_from(most).unwrap_or(i64::MAX),
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(Row::read).collect()
    }

    /// Every desired name; those of `only`, if it is not empty.
    pub async fn desired(
        &self,
        ledger: LedgerId,
        only: &[DomainName],
    ) -> Result<Vec<CheckedDomain>, StateError> {
        let rows = rows!(
            "managed m LEFT JOIN domain_status s ON s.ledger_id = m.ledger_id AND s.domain = m.domain",
            "WHERE m.ledger_id = ?1 AND m.undesired_since IS NULL
             AND (?2 IS NULL OR m.domain IN (SELECT value FROM json_each(?2))) ORDER BY m.domain",
            ledger,
            (!only.is_empty()).then(|| json(&only)),
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(Row::read).collect()
    }

    /// Records checks with their events. A name that is no longer in the schedule is skipped.
    pub async fn record_checks(
        &self,
        ledger: LedgerId,
        outcomes: &[StatusUpdate],
        batch: &EventBatch,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let line = |outcome| -> Line<'_> {
            let StatusUpdate { name, status, due_at }: &StatusUpdate = outcome;
            Line {
                domain: name,
                due_at: *due_at,
                checked_at: status.checked_at,
                latest: json(&status.latest),
                dns_since: status.dns_since,
                ssl_since: status.ssl_since,
                since: status.since,
                suspect_since: status.suspect_since,
                alerted_at: status.alerted_at,
                lacks_certificate_since: status.lacks_certificate_since,
                good_checks: status.good.checks,
                times_broken: status.good.times_broken,
                live_since: status.live_since,
                live_after_s: status.live_after_s,
                severity: status.latest.severity().to_number(),
            }
        };
        let lines: Vec<Line<'_>> = outcomes.iter().map(line).collect();
        let mut recording = self.recording(batch, now).await?;
        // The list first, so that each of its lines is looked up in the table, which may have many rows.
        sqlx::query!(
            "WITH line AS MATERIALIZED (SELECT value, value->>'domain' AS name FROM json_each(?2))
             UPDATE domain_status SET due_at = value->>'due_at', checked_at = value->>'checked_at',
                 latest = value->>'latest', dns_since = value->>'dns_since',
                 ssl_since = value->>'ssl_since', since = value->>'since',
                 suspect_since = value->>'suspect_since', alerted_at = value->>'alerted_at',
                 lacks_certificate_since = value->>'lacks_certificate_since',
                 good_checks = value->>'good_checks', times_broken = value->>'times_broken',
                 live_since = value->>'live_since', live_after_s = value->>'live_after_s',
                 severity = value->>'severity'
             FROM line WHERE ledger_id = ?1 AND domain = name",
            ledger,
            json(&lines),
        )
        .execute(recording.connection())
        .await?;
        Ok(recording.commit().await?)
    }

    /// Makes up to `most` names that work due now. Returns how many.
    pub async fn expedite_healthy(
        &self,
        ledger: LedgerId,
        most: u32,
        now: Timestamp,
    ) -> Result<u64, StateError> {
        // Those that would be checked last: the others are due sooner.
        let expedited = sqlx::query!(
            "UPDATE domain_status SET due_at = ?2 WHERE ledger_id = ?1 AND domain IN (
                 SELECT domain FROM domain_status WHERE ledger_id = ?1 AND suspect_since IS NULL
                 AND due_at > ?2 AND latest->>'$.ssl.verdict' IN ('valid', 'old-tls', 'expiring')
                 AND latest->>'$.dns.verdict' IN ('ok', 'proxied')
                 ORDER BY due_at DESC LIMIT ?3)",
            ledger,
            At(now),
            most,
        )
        .execute(&self.pool)
        .await?;
        Ok(expedited.rows_affected())
    }
}

impl Row {
    fn read(self) -> Result<CheckedDomain, StateError> {
        let at = |column: Option<At>| column.map(|At(at)| at);
        let progress = progress(
            &self.progress,
            self.attempts,
            at(self.next_attempt),
            at(self.refused_at),
            self.error.as_deref(),
        )
        .map_err(|why| StateError::Damaged(format!("the entry of {}: {why}", self.domain)))?;
        let facts = LedgerInfo {
            blog_id: self.blog_id,
            row: self.row_state.and_then(RowState::from_bits),
            added_at: Some(self.managed_since.0),
            at_closte_since: at(self.at_closte_since),
            progress,
        };
        let status = self.status();
        let answer = self.answer.map(|answer| secrets::mask(&answer));
        Ok(CheckedDomain {
            name: self.domain,
            facts,
            status,
            due_at: at(self.due_at),
            request: at(self.asked_at).zip(answer),
        })
    }

    /// None if the last check cannot be read, such as one of another version: the name is checked again,
    /// and does not hold up all others.
    fn status(&self) -> Option<DomainStatus> {
        let at = |column: Option<At>| column.map(|At(at)| at);
        let checked_at = at(self.checked_at)?;
        let latest = self.latest.as_deref().unwrap_or_default();
        let latest = match serde_json::from_str(latest) {
            Ok(latest) => latest,
            Err(error) => {
                let domain = self.domain.as_str();
                tracing::debug!(domain, %error, "its last check cannot be read");
                return None;
            }
        };
        Some(DomainStatus {
            checked_at,
            latest,
            dns_since: at(self.dns_since).unwrap_or(checked_at),
            ssl_since: at(self.ssl_since).unwrap_or(checked_at),
            since: at(self.since).unwrap_or(checked_at),
            suspect_since: at(self.suspect_since),
            alerted_at: at(self.alerted_at),
            lacks_certificate_since: at(self.lacks_certificate_since),
            good: GoodRun {
                checks: self.good_checks.unwrap_or(0),
                times_broken: self.times_broken.unwrap_or(0),
            },
            live_since: at(self.live_since),
            live_after_s: self.live_after_s,
        })
    }
}

/// A status in the JSON text that SQLite reads many of them from.
#[derive(Serialize)]
struct Line<'a> {
    domain: &'a DomainName,
    #[serde(with = "required")]
    due_at: Timestamp,
    #[serde(with = "required")]
    checked_at: Timestamp,
    latest: String,
    #[serde(with = "required")]
    dns_since: Timestamp,
    #[serde(with = "required")]
    ssl_since: Timestamp,
    #[serde(with = "required")]
    since: Timestamp,
    #[serde(with = "optional")]
    suspect_since: Option<Timestamp>,
    #[serde(with = "optional")]
    alerted_at: Option<Timestamp>,
    #[serde(with = "optional")]
    lacks_certificate_since: Option<Timestamp>,
    good_checks: u32,
    times_broken: u32,
    #[serde(with = "optional")]
    live_since: Option<Timestamp>,
    live_after_s: Option<u64>,
    severity: i64,
}
