use std::{str::FromStr, time::Duration};

use jiff::Timestamp;

use super::{
    LedgerId, State, StateError,
    columns::{At, Moment},
};
use crate::status::{DnsVerdict, SiteVerdict, SslVerdict};

/// How many desired names have the same verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusCount {
    /// Unknown for names that were not checked yet.
    pub dns: DnsVerdict,
    pub ssl: SslVerdict,
    /// None where the site was not looked at.
    pub site: Option<SiteVerdict>,
    /// Whether they have worked, or not worked, for `late_after`.
    pub is_late: bool,
    pub names: i64,
    /// When the first of their certificates expires.
    pub soonest_expiry: Option<Timestamp>,
}

fn word<T: FromStr>(word: Option<String>) -> Option<T> {
    word?.parse().ok()
}

impl State {
    /// Counts the desired names by verdicts.
    pub async fn status_counts(
        &self,
        ledger: LedgerId,
        late_after: Duration,
        now: Timestamp,
    ) -> Result<Vec<StatusCount>, StateError> {
        let late = now.checked_sub(late_after).unwrap_or(Timestamp::MIN);
        let rows = sqlx::query!(
            r#"SELECT latest->>'$.dns.verdict' AS "dns: String",
                   latest->>'$.ssl.verdict' AS "ssl: String",
                   latest->>'$.site.verdict' AS "site: String",
                   coalesce(CASE WHEN latest->>'$.dns.verdict' IN ('ok', 'proxied')
                       THEN max(since, dns_since) ELSE since END <= ?2, 0) AS "is_late!: bool",
                   count(*) AS "names!: i64",
                   min(latest->>'$.ssl.certificate.not_after') AS "soonest_expiry: Moment"
               FROM domain_status WHERE ledger_id = ?1 GROUP BY 1, 2, 3, 4"#,
            ledger,
            At(late),
        )
        // Verdicts of another version are unknown: those names are checked again.
        .map(|row| StatusCount {
            dns: word(row.dns).unwrap_or(DnsVerdict::Unknown),
            ssl: word(row.ssl).unwrap_or(SslVerdict::Unknown),
            site: word(row.site),
            is_late: row.is_late,
            names: row.names,
            soonest_expiry: row.soonest_expiry.map(|Moment(at)| at),
        });
        Ok(rows.fetch_all(&self.pool).await?)
    }
}
