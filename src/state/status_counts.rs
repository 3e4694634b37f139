use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row;

use super::{LedgerId, State, StateError, to_millis};
use crate::status::{DnsVerdict, SslVerdict};

/// Desired names that stand alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusCount {
    /// Their DNS verdict; unknown for those that were not looked at yet.
    pub dns: DnsVerdict,
    /// Their SSL verdict.
    pub ssl: SslVerdict,
    /// Whether they have worked, or not worked, for as long as was asked.
    pub is_late: bool,
    /// How many they are.
    pub names: i64,
    /// When the first of their certificates ends.
    pub soonest_expiry: Option<Timestamp>,
}

impl State {
    /// How many desired names stand alike. `late_after` is how long a name works, or does not, until
    /// that counts as late.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn status_counts(
        &self,
        ledger: LedgerId,
        late_after: Duration,
        now: Timestamp,
    ) -> Result<Vec<StatusCount>, StateError> {
        let late = now.checked_sub(late_after).unwrap_or(Timestamp::MIN);
        let rows = sqlx::query(
            "SELECT latest->>'$.dns.verdict' AS dns, latest->>'$.ssl.verdict' AS ssl,
                 coalesce(CASE WHEN latest->>'$.dns.verdict' IN ('ok', 'proxied')
                     THEN max(since, dns_since) ELSE since END <= ?2, 0) AS is_late, count(*) AS names,
                 min(latest->>'$.ssl.certificate.not_after') AS soonest_expiry
             FROM domain_status WHERE ledger_id = ?1 GROUP BY dns, ssl, is_late",
        )
        .bind(ledger.number())
        .bind(to_millis(late))
        .fetch_all(&self.pool)
        .await
        .map_err(self.failed())?;
        let read = |row: &sqlx::sqlite::SqliteRow| -> sqlx::Result<StatusCount> {
            let (dns, ssl): (Option<String>, Option<String>) =
                (row.try_get("dns")?, row.try_get("ssl")?);
            let expiry: Option<String> = row.try_get("soonest_expiry")?;
            // Words of another version count as unknown: the names are looked at anew.
            let dns = DnsVerdict::ALL.iter().find(|case| dns.as_deref() == Some(case.as_str()));
            let ssl = SslVerdict::ALL.iter().find(|case| ssl.as_deref() == Some(case.as_str()));
            Ok(StatusCount {
                dns: dns.copied().unwrap_or(DnsVerdict::Unknown),
                ssl: ssl.copied().unwrap_or(SslVerdict::Unknown),
                is_late: row.try_get("is_late")?,
                names: row.try_get("names")?,
                soonest_expiry: expiry.and_then(|text| text.parse().ok()),
            })
        };
        rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(self.failed())
    }
}
