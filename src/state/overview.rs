//! The list of all managed names, worst first, a part at a time.

use super::{LedgerId, State, StateError};
use crate::{domain::DomainName, status::Severity};

/// Which of the managed names are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OverviewFilter {
    pub severity: Option<Severity>,
    /// A part of the name, in lower case.
    pub part: Option<String>,
}

/// How many names have each severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeverityCounts {
    pub bad: u64,
    pub fair: u64,
    pub good: u64,
    pub gone: u64,
}

impl SeverityCounts {
    pub fn of(&self, severity: Severity) -> u64 {
        match severity {
            Severity::Bad => self.bad,
            Severity::Fair => self.fair,
            Severity::Good => self.good,
            Severity::Gone => self.gone,
        }
    }

    pub fn all(&self) -> u64 {
        self.bad + self.fair + self.good + self.gone
    }
}

/// A query of `domain` and `severity` between two parts of it. The severity is that of
/// [`DomainRow`](crate::overview::DomainRow), which a test compares. Only the small columns are read.
macro_rules! of_names {
    ($query:ident, $before:literal, $after:literal, $($arg:expr),* $(,)?) => {
        sqlx::$query!(
            $before
                + " FROM (
                    SELECT m.domain AS domain, CASE
                        WHEN m.progress = 'failed'
                            OR m.progress = 'refused' AND m.undesired_since IS NULL THEN 0
                        WHEN m.undesired_since IS NOT NULL
                            AND (m.progress = 'accepted' OR m.present_since IS NULL) THEN 3
                        WHEN s.severity = 0 THEN 0
                        WHEN m.undesired_since IS NOT NULL THEN 1
                        WHEN m.missing_since IS NOT NULL
                            AND (m.present_since IS NOT NULL OR m.covered_by IS NOT NULL) THEN 1
                        WHEN m.present_since IS NULL AND m.covered_by IS NULL
                            AND m.progress <> 'accepted' THEN 1
                        ELSE coalesce(s.severity, 2) END AS severity
                    FROM managed m LEFT JOIN domain_status s INDEXED BY domain_status_severity
                        ON s.ledger_id = m.ledger_id AND s.domain = m.domain
                    WHERE m.ledger_id = ?1 AND (?2 IS NULL OR instr(m.domain, ?2) > 0)) "
                + $after,
            $($arg),*
        )
    };
}

impl State {
    /// Up to `most` names, worst first and then by name, after the first `skip` ones.
    pub async fn overview(
        &self,
        ledger: LedgerId,
        filter: &OverviewFilter,
        skip: u32,
        most: u32,
    ) -> Result<Vec<DomainName>, StateError> {
        let names = of_names!(
            query_scalar,
            r#"SELECT domain AS "domain!: DomainName""#,
            "WHERE ?3 IS NULL OR severity = ?3 ORDER BY severity, domain LIMIT ?4 OFFSET ?5",
            ledger,
            filter.part,
            filter.severity.map(Severity::to_number),
            most,
            skip,
        );
        Ok(names.fetch_all(&self.pool).await?)
    }

    /// Counts the names with this part.
    pub async fn severity_counts(
        &self,
        ledger: LedgerId,
        part: Option<&str>,
    ) -> Result<SeverityCounts, StateError> {
        let rows = of_names!(
            query,
            r#"SELECT severity AS "severity!: i64", count(*) AS "names!: u64""#,
            "GROUP BY severity",
            ledger,
            part,
        );
        let mut counts = SeverityCounts::default();
        for row in rows.fetch_all(&self.pool).await? {
            match Severity::from_number(row.severity) {
                Some(Severity::Bad) => counts.bad = row.names,
                Some(Severity::Fair) => counts.fair = row.names,
                Some(Severity::Gone) => counts.gone = row.names,
                Some(Severity::Good) | None => counts.good += row.names,
            }
        }
        Ok(counts)
    }
}
