use std::time::Duration;

use jiff::Timestamp;

use super::{LedgerId, State, StateError, columns::At};
use crate::{clock::CLOCKS_DIFFER, domain::DomainName, events::EventBatch, ledger::later};

/// A name that has been without a certificate for too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingCertificate {
    /// The name.
    pub name: DomainName,
    /// The site.
    pub blog_id: Option<i64>,
}

/// Closte was asked for a certificate.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// For which name.
    pub name: &'a DomainName,
    /// What it said.
    pub answer: &'a str,
    /// The calls that it does not know,
    pub absent: &'a [&'static str],
    /// and how long they are not tried again.
    pub absent_lasts: Duration,
}

impl State {
    /// Names at Closte whose DNS has been right without a certificate for `patience`, and which
    /// Closte was not asked about within `pause`; up to `most`.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn lacking_certificates(
        &self,
        ledger: LedgerId,
        patience: Duration,
        pause: Duration,
        most: u32,
        now: Timestamp,
    ) -> Result<Vec<MissingCertificate>, StateError> {
        let before = |wait: Duration| At(now.checked_sub(wait).unwrap_or(Timestamp::MIN));
        let sites_without_record = sqlx::query_as!(
            MissingCertificate,
            r#"SELECT s.domain AS "name: DomainName", m.blog_id FROM domain_status s
               JOIN managed m ON m.ledger_id = s.ledger_id AND m.domain = s.domain
               LEFT JOIN certificate_request r ON r.ledger_id = s.ledger_id AND r.domain = s.domain
               WHERE s.ledger_id = ? AND s.lacks_certificate_since <= ?
               AND m.present_since IS NOT NULL
               AND (r.asked_at IS NULL OR r.asked_at <= ? OR r.asked_at > ?)
               ORDER BY s.lacks_certificate_since LIMIT ?"#,
            ledger,
            before(patience),
            before(pause),
            // By a clock that was ahead then.
            At(later(now, CLOCKS_DIFFER)),
            most,
        );
        Ok(sites_without_record.fetch_all(&self.pool).await?)
    }

    /// Writes down what came of asking for a certificate and what there is to say of it, all or nothing; and
    /// logs that, whatever becomes of the writing.
    ///
    /// # Errors
    /// Any [`StateError`].
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

    /// The calls that are not to be tried before some time after `now`, which is no later than `lasts`.
    ///
    /// # Errors
    /// Any [`StateError`].
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
