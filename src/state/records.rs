use std::collections::HashMap;

use jiff::Timestamp;

use super::{State, StateError, columns::At, ledger::json};
use crate::{
    domain::DomainName,
    events::{Event, EventBatch},
};

/// A domain record that a site does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingRecord {
    /// Everything of the site and its network that the record depends on.
    pub state: String,
    /// Since when it has been missing in this state.
    pub since: Timestamp,
    /// In how many reads it was missing.
    pub reads: u32,
}

/// A domain record that was written once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// When it was written, or first found missing if another program wrote it.
    pub at: Timestamp,
    /// Whether it was seen in the table. If not, writing it was begun.
    pub is_sure: bool,
}

/// What is remembered of a network's domain records.
#[derive(Debug, Clone, Default)]
pub struct RecordNotes {
    /// By site.
    pub missing: HashMap<i64, MissingRecord>,
    /// By site and domain.
    pub written: HashMap<(i64, DomainName), Written>,
}

impl RecordNotes {
    /// Notes records that somebody has deleted.
    pub fn take_back(&mut self, sites: Vec<(i64, DomainName)>, now: Timestamp) {
        for site in sites {
            self.written.entry(site).or_insert(Written { at: now, is_sure: true });
        }
    }
}

impl State {
    pub async fn record_notes(&self, network: i64) -> Result<RecordNotes, StateError> {
        let missing = sqlx::query!(
            r#"SELECT blog_id, state, since AS "since: At", reads AS "reads: u32"
               FROM missing_record WHERE network_id = ?"#,
            network,
        )
        .map(|row| {
            let (state, since, reads) = (row.state, row.since.0, row.reads);
            (row.blog_id, MissingRecord { state, since, reads })
        })
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
            missing: missing.into_iter().collect(),
            written: written.into_iter().collect(),
        })
    }

    /// Records the missing records that have changed, by site; those of `ended` are no longer missing.
    pub async fn note_missing_records(
        &self,
        network: i64,
        changed: &[(i64, &MissingRecord)],
        ended: &[i64],
    ) -> Result<(), StateError> {
        if changed.is_empty() && ended.is_empty() {
            return Ok(());
        }
        let line = |(blog_id, missing): &(i64, &MissingRecord)| {
            let MissingRecord { state, since, reads } = missing;
            serde_json::json!([blog_id, state, since.as_millisecond(), reads])
        };
        let lines: Vec<_> = changed.iter().map(line).collect();
        let mut transaction = self.pool.begin().await?;
        sqlx::query!(
            "INSERT OR REPLACE INTO missing_record (network_id, blog_id, state, since, reads)
             SELECT ?, value->>0, value->>1, value->>2, value->>3 FROM json_each(?)",
            network,
            json(&lines),
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "DELETE FROM missing_record
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
    pub async fn taken_back(
        &self,
        network: i64,
        sites: &[(i64, &DomainName)],
    ) -> Result<Vec<(i64, DomainName)>, StateError> {
        if sites.is_empty() {
            return Ok(Vec::new());
        }
        // In this order, because there are many managed names and few such sites.
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

    /// Records that somebody has deleted these domain records.
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

    /// Notes domain records, given as a JSON list of sites and domains. Older notes stay.
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

    /// Records that writing the domain records of these sites begins.
    pub async fn begin_records(
        &self,
        network: i64,
        sites: &[(i64, &DomainName)],
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.note_written(network, json(&sites), false, now).await
    }

    /// Records which of these domain records were written and which were not.
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
