use std::time::Duration;

use jiff::Timestamp;

use super::{LedgerId, State, StateError, columns::At};
use crate::{clock::CLOCKS_DIFFER, domain::DomainName, events::EventBatch, ledger::later};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingCertificate {
    pub name: DomainName,
    pub blog_id: Option<i64>,
}

/// A request to Closte for a certificate.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub name: &'a DomainName,
    pub answer: &'a str,
    /// Calls that Closte does not have.
    pub absent: &'a [&'static str],
    /// For how long they are not tried again.
    pub absent_lasts: Duration,
}

impl State {
    /// Up to `most` names at Closte whose DNS has been right without a certificate for `after`, and whose
    /// last request is older than `pause`.
    pub async fn missing_certificates(
        &self,
        ledger: LedgerId,
        after: Duration,
        pause: Duration,
        most: u32,
        now: Timestamp,
    ) -> Result<Vec<MissingCertificate>, StateError> {
        let before = |wait: Duration| At(now.checked_sub(wait).unwrap_or(Timestamp::MIN));
        let missing = sqlx::query_as!(
            MissingCertificate,
            r#"SELECT s.domain AS "name: DomainName", m.blog_id FROM domain_status s
               JOIN managed m ON m.ledger_id = s.ledger_id AND m.domain = s.domain
               LEFT JOIN certificate_request r ON r.ledger_id = s.ledger_id AND r.domain = s.domain
               WHERE s.ledger_id = ? AND s.lacks_certificate_since <= ?
               AND m.present_since IS NOT NULL
               AND (r.asked_at IS NULL OR r.asked_at <= ? OR r.asked_at > ?)
               ORDER BY s.lacks_certificate_since LIMIT ?"#,
            ledger,
            before(after),
            before(pause),
            // Noted by a clock that was ahead.
            At(later(now, CLOCKS_DIFFER)),
            most,
        );
        Ok(missing.fetch_all(&self.pool).await?)
    }

    /// Records a request for a certificate.
    pub async fn certificate_requested(
        &self,
        ledger: LedgerId,
        asked: Asked<'_>,
        batch: &EventBatch,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut recording = self.recording(batch, now).await?;
        for path in asked.absent {
            sqlx::query!(
                "INSERT OR REPLACE INTO absent_call (path, until) VALUES (?, ?)",
                *path,
                At(later(now, asked.absent_lasts)),
            )
            .execute(recording.connection())
            .await?;
        }
        sqlx::query!(
            "INSERT OR REPLACE INTO certificate_request (ledger_id, domain, asked_at, answer)
             VALUES (?, ?, ?, ?)",
            ledger,
            asked.name.as_str(),
            At(now),
            asked.answer,
        )
        .execute(recording.connection())
        .await?;
        Ok(recording.commit().await?)
    }

    /// The calls that must not be tried yet, for `lasts` at most.
    pub async fn absent_calls(
        &self,
        lasts: Duration,
        now: Timestamp,
    ) -> Result<Vec<String>, StateError> {
        let paths = sqlx::query_scalar!(
            "SELECT path FROM absent_call WHERE until > ? AND until <= ?",
            At(now),
            At(later(later(now, lasts), CLOCKS_DIFFER)),
        );
        Ok(paths.fetch_all(&self.pool).await?)
    }
}
