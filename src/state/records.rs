use std::collections::HashMap;

use jiff::{Timestamp, fmt::serde::timestamp::millisecond};
use serde::Serialize;

use super::{State, StateError, columns::At, ledger::json};
use crate::{
    domain::DomainName,
    events::{Event, EventBatch},
};

/// How long a site has lacked its domain record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// All of the site and its network that the record depends on, in words.
    pub state: String,
    /// Since when it has been in this state without a record.
    pub since: Timestamp,
    /// In how many reads it was seen so.
    pub reads: u32,
}

/// A domain record that was there once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// When it was written, or missed for the first time if somebody else had written it.
    pub at: Timestamp,
    /// Whether it was seen to be there. If not, it was begun at least.
    pub is_sure: bool,
}

/// What is remembered of a network's domain records.
#[derive(Debug, Clone, Default)]
pub struct RecordNotes {
    /// The sites that lack theirs.
    pub sites_without_record: HashMap<i64, Lack>,
    /// Those that were there, by site and domain.
    pub written: HashMap<(i64, DomainName), Written>,
}

impl RecordNotes {
    /// Somebody has taken these back.
    pub fn take_back(&mut self, sites: Vec<(i64, DomainName)>, now: Timestamp) {
        for site in sites {
            self.written.entry(site).or_insert(Written { at: now, is_sure: true });
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    blog_id: i64,
    state: &'a str,
    #[serde(with = "millisecond::required")]
    since: Timestamp,
    reads: u32,
}

impl State {
    /// What is remembered of the domain records of a network.
    ///
    /// # Errors
    /// Any [`StateError`]; [`StateError::Damaged`] when a name makes no sense.
    pub async fn record_notes(&self, network: i64) -> Result<RecordNotes, StateError> {
        let sites_without_record = sqlx::query!(
            r#"SELECT blog_id, state, since AS "since: At", reads AS "reads: u32"
               FROM lacking_record WHERE network_id = ?"#,
            network,
        )
        .map(|row| (row.blog_id, Lack { state: row.state, since: row.since.0, reads: row.reads }))
        .fetch_all(&self.pool)
        .await?;
        let written = sqlx::query!(
            r#"SELECT blog_id, domain AS "domain: DomainName", at AS "at: At",
                   is_sure AS "is_sure: bool"
               FROM written_record WHERE network_id = ?"#,
            network,
        )
        .map(|row| ((row.blog_id, row.domain), Written { at: row.at.0, is_sure: row.is_sure }))
        .fetch_all(&self.pool)
        .await?;
        Ok(RecordNotes {
            sites_without_record: sites_without_record.into_iter().collect(),
            written: written.into_iter().collect(),
        })
    }

    /// Notes how long sites have lacked their records; `ended` lack them no longer.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn note_lacking(
        &self,
        network: i64,
        changed: &[(i64, &Lack)],
        ended: &[i64],
    ) -> Result<(), StateError> {
        if changed.is_empty() && ended.is_empty() {
            return Ok(());
        }
        let lines: Vec<Line<'_>> = changed
            .iter()
            .map(|(blog_id, lack)| Line {
                blog_id: *blog_id,
                state: &lack.state,
                since: lack.since,
                reads: lack.reads,
            })
            .collect();
        let mut transaction = self.pool.begin().await?;
        sqlx::query!(
            "INSERT OR REPLACE INTO lacking_record (network_id, blog_id, state, since, reads)
             SELECT ?, value->>'blog_id', value->>'state', value->>'since', value->>'reads'
             FROM json_each(?)",
            network,
            json(&lines),
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "DELETE FROM lacking_record
             WHERE network_id = ? AND blog_id IN (SELECT value FROM json_each(?))",
            network,
            json(&ended),
        )
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Those of these sites without a record that had one when the ledger was written last: somebody has
    /// deleted it since.
    ///
    /// # Errors
    /// Any [`StateError`]; [`StateError::Damaged`] when a name makes no sense.
    pub async fn taken_back(
        &self,
        network: i64,
        sites: &[(i64, &DomainName)],
    ) -> Result<Vec<(i64, DomainName)>, StateError> {
        if sites.is_empty() {
            return Ok(Vec::new());
        }
        // In this order: there are many managed names, and few such sites.
        let taken_back = sqlx::query!(
            r#"SELECT blog_id AS "blog_id!", managed.domain AS "domain: DomainName"
               FROM json_each(?) site CROSS JOIN ledger CROSS JOIN managed
               WHERE network_id = ? AND ledger_id = ledger.id AND managed.domain = site.value->>1
                   AND blog_id = site.value->>0 AND row_id IS NOT NULL"#,
            json(&sites),
            network,
        )
        .map(|row| (row.blog_id, row.domain));
        Ok(taken_back.fetch_all(&self.pool).await?)
    }

    /// Notes the domain records that somebody has taken back.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn note_taken_back(
        &self,
        network: i64,
        sites: &[(i64, DomainName)],
        now: Timestamp,
    ) -> Result<(), StateError> {
        if sites.is_empty() {
            return Ok(());
        }
        self.note_written(network, json(&sites), true, now).await
    }

    /// Notes domain records, a list of sites and domains. One that was noted before keeps its note.
    async fn note_written(
        &self,
        network: i64,
        sites: String,
        is_sure: bool,
        now: Timestamp,
    ) -> Result<(), StateError> {
        sqlx::query!(
            "INSERT OR IGNORE INTO written_record (network_id, blog_id, domain, at, is_sure)
             SELECT ?, value->>0, value->>1, ?, ? FROM json_each(?)",
            network,
            At(now),
            is_sure,
            sites,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that the domain records of these sites are about to be written.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn begin_records(
        &self,
        network: i64,
        sites: &[(i64, &DomainName)],
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.note_written(network, json(&sites), false, now).await
    }

    /// Notes which of these domain records were written and which were not, and tells of those that
    /// were.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn end_records(
        &self,
        network: i64,
        written: &[(i64, &DomainName)],
        not_written: &[(i64, &DomainName)],
        now: Timestamp,
    ) -> Result<(), StateError> {
        let created = |(blog_id, domain): &(i64, &DomainName)| Event::RecordCreated {
            domain: (*domain).clone(),
            blog_id: *blog_id,
        };
        let batch = EventBatch::of(written.iter().map(created));
        let mut recording = self.recording(&batch, now).await?;
        sqlx::query!(
            "INSERT OR REPLACE INTO written_record (network_id, blog_id, domain, at, is_sure)
             SELECT ?, value->>0, value->>1, ?, 1 FROM json_each(?)",
            network,
            At(now),
            json(&written),
        )
        .execute(recording.connection())
        .await?;
        sqlx::query!(
            "DELETE FROM written_record WHERE network_id = ? AND (blog_id, domain) IN
                 (SELECT value->>0, value->>1 FROM json_each(?))",
            network,
            json(&not_written),
        )
        .execute(recording.connection())
        .await?;
        Ok(recording.commit().await?)
    }
}
