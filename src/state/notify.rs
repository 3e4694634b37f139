//! What notifications are made of: the events as an outbox, the troubles that stand, and what each target
//! was told.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{State, StateError, columns::At, ledger::json};
use crate::{
    events::{Event, EventBatch},
    span::between,
    status::{DnsVerdict, SiteVerdict, SslVerdict},
};

/// The most events that are read at once.
const MOST_EVENTS: i64 = 2_000;

/// An event that notifications have not read yet.
#[derive(Debug, Clone)]
pub struct OutboxEvent {
    pub id: i64,
    pub at: Timestamp,
    pub name: String,
    pub domain: Option<String>,
    pub detail: Value,
}

/// A trouble that an event opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenedTrouble {
    pub event: String,
    pub subject: String,
    /// The id of an event that does not last, else 0.
    pub occurrence: i64,
    pub detail: String,
    /// In milliseconds.
    pub since: i64,
}

/// A trouble that an event ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndedTrouble {
    pub event: String,
    pub subject: String,
    /// In milliseconds; in the future if it may be opened again until then.
    pub at: i64,
}

/// What some events say about troubles.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TroubleChanges {
    pub opened: Vec<OpenedTrouble>,
    pub ended: Vec<EndedTrouble>,
    /// These end at this time, in milliseconds, unless they are opened again.
    pub in_doubt: Option<(i64, Vec<&'static str>)>,
}

/// A trouble, as one target knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub id: i64,
    pub event: String,
    pub subject: String,
    pub occurrence: i64,
    pub since: Timestamp,
    pub opened_at: Timestamp,
    /// In the future if it stands until then.
    pub ended_at: Option<Timestamp>,
    /// When the target was told last.
    pub told_at: Option<Timestamp>,
}

/// What is known of the subject of a trouble.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TroubleFacts {
    pub id: i64,
    pub event: String,
    pub is_over: bool,
    pub is_desired: bool,
    pub is_refused: bool,
    /// Whether its row is still no domain name.
    pub is_invalid_row: bool,
    pub dns: Option<DnsVerdict>,
    pub ssl: Option<SslVerdict>,
    pub site: Option<SiteVerdict>,
}

/// What nobody is told of for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mute {
    /// A domain, or `all`.
    pub subject: String,
    pub since: Timestamp,
    pub until: Timestamp,
    pub because: Option<String>,
}

impl State {
    /// The id of the last event that notifications have read.
    pub async fn notify_cursor(&self) -> Result<i64, StateError> {
        let cursor = sqlx::query_scalar!("SELECT event FROM notify_cursor WHERE id = 1");
        Ok(cursor.fetch_optional(&self.pool).await?.unwrap_or(0))
    }

    /// The events after this id, oldest first.
    pub async fn outbox(&self, after: i64) -> Result<Vec<OutboxEvent>, StateError> {
        let rows = sqlx::query!(
            r#"SELECT id AS "id!", at AS "at: At", name, domain, detail FROM event
               WHERE id > ? ORDER BY id LIMIT ?"#,
            after,
            MOST_EVENTS,
        );
        let rows = rows.fetch_all(&self.pool).await?;
        let events = rows.into_iter().map(|row| OutboxEvent {
            id: row.id,
            at: row.at.0,
            name: row.name,
            domain: row.domain,
            detail: serde_json::from_str(&row.detail).unwrap_or_default(),
        });
        Ok(events.collect())
    }

    /// Opens and ends troubles, as the events up to `cursor` say.
    pub async fn note_troubles(
        &self,
        changes: &TroubleChanges,
        cursor: i64,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let TroubleChanges { opened, ended, in_doubt } = changes;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if let Some((until, events)) = in_doubt {
            sqlx::query!(
                "UPDATE trouble SET ended_at = ?
                 WHERE ended_at IS NULL AND event IN (SELECT value FROM json_each(?))",
                until,
                json(events),
            )
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query!(
            "UPDATE trouble SET ended_at = ended.value->>'at'
             FROM json_each(?1) ended
             WHERE trouble.event = ended.value->>'event' AND trouble.subject = ended.value->>'subject'
               AND trouble.occurrence = 0 AND (trouble.ended_at IS NULL OR trouble.ended_at > ?2)",
            json(ended),
            At(now),
        )
        .execute(&mut *transaction)
        .await?;
        // One whose end nobody was told of goes on.
        sqlx::query!(
            "INSERT INTO trouble (event, subject, occurrence, detail, since, opened_at, ended_at)
             SELECT value->>'event', value->>'subject', value->>'occurrence', value->>'detail',
                 value->>'since', ?2, iif(value->>'occurrence' = 0, NULL, value->>'since')
             FROM json_each(?1) WHERE true
             ON CONFLICT (event, subject, occurrence) DO UPDATE SET
                 detail = excluded.detail,
                 since = iif(ended_at <= ?2 AND id NOT IN (SELECT trouble_id FROM told),
                     excluded.since, since),
                 opened_at = iif(ended_at <= ?2 AND id NOT IN (SELECT trouble_id FROM told),
                     excluded.opened_at, opened_at),
                 ended_at = excluded.ended_at",
            json(opened),
            At(now),
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!("INSERT OR REPLACE INTO notify_cursor (id, event) VALUES (1, ?)", cursor)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Those of these events' troubles that stand or whose end was not told yet, with what is known of their
    /// subjects.
    pub async fn trouble_facts(&self, events: &[&str]) -> Result<Vec<TroubleFacts>, StateError> {
        let rows = sqlx::query!(
            r#"SELECT trouble.id AS "id!", trouble.event,
                   trouble.ended_at IS NOT NULL AS "is_over!: bool",
                   managed.domain IS NOT NULL AND managed.undesired_since IS NULL AS "is_desired!: bool",
                   coalesce(managed.progress = 'refused', 0) AS "is_refused!: bool",
                   invalid_row.id IS NOT NULL AS "is_invalid_row!: bool",
                   latest->>'$.dns.verdict' AS "dns: String",
                   latest->>'$.ssl.verdict' AS "ssl: String",
                   latest->>'$.site.verdict' AS "site: String"
               FROM trouble
               LEFT JOIN last_cycle ON last_cycle.id = 1
               LEFT JOIN managed
                 ON managed.ledger_id = last_cycle.ledger_id AND managed.domain = trouble.subject
               LEFT JOIN domain_status
                 ON domain_status.ledger_id = last_cycle.ledger_id
                 AND domain_status.domain = trouble.subject
               LEFT JOIN invalid_row
                 ON trouble.event = 'row.invalid' AND invalid_row.ledger_id = last_cycle.ledger_id
                 AND invalid_row.kind = trouble.detail->>'kind'
                 AND invalid_row.id = trouble.detail->>'id'
               WHERE last_cycle.ledger_id IS NOT NULL
                 AND trouble.event IN (SELECT value FROM json_each(?))"#,
            json(&events),
        );
        let rows = rows.fetch_all(&self.pool).await?;
        let facts = rows.into_iter().map(|row| TroubleFacts {
            id: row.id,
            event: row.event,
            is_over: row.is_over,
            is_desired: row.is_desired,
            is_refused: row.is_refused,
            is_invalid_row: row.is_invalid_row,
            dns: row.dns.and_then(|word| word.parse().ok()),
            ssl: row.ssl.and_then(|word| word.parse().ok()),
            site: row.site.and_then(|word| word.parse().ok()),
        });
        Ok(facts.collect())
    }

    /// Ends some troubles, opens some again, and forgets others.
    pub async fn settle_troubles(
        &self,
        over: &[i64],
        again: &[i64],
        gone: &[i64],
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query!(
            "UPDATE trouble SET ended_at = ?2 WHERE id IN (SELECT value FROM json_each(?1))",
            json(&over),
            At(now),
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "UPDATE trouble SET ended_at = NULL WHERE id IN (SELECT value FROM json_each(?))",
            json(&again),
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "DELETE FROM trouble WHERE id IN (SELECT value FROM json_each(?))",
            json(&gone),
        )
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Deletes the troubles that ended before `lasting` and whose end nobody has to be told, and events
    /// before `passing` that did not last.
    pub async fn forget_troubles(
        &self,
        lasting: Timestamp,
        passing: Timestamp,
    ) -> Result<(), StateError> {
        sqlx::query!(
            "DELETE FROM trouble WHERE
                 occurrence = 0 AND ended_at < ?1 AND id NOT IN (SELECT trouble_id FROM told)
                 OR occurrence > 0 AND since < ?2",
            At(lasting),
            At(passing),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// All troubles, as this target knows them.
    pub async fn troubles(&self, target: &str) -> Result<Vec<Trouble>, StateError> {
        let rows = sqlx::query!(
            r#"SELECT id AS "id!", event, subject, occurrence, since AS "since: At",
                   opened_at AS "opened_at: At", ended_at AS "ended_at: At", told.at AS "told_at?: At"
               FROM trouble LEFT JOIN told ON told.trouble_id = trouble.id AND told.target = ?"#,
            target,
        );
        let rows = rows.fetch_all(&self.pool).await?;
        let troubles = rows.into_iter().map(|row| Trouble {
            id: row.id,
            event: row.event,
            subject: row.subject,
            occurrence: row.occurrence,
            since: row.since.0,
            opened_at: row.opened_at.0,
            ended_at: row.ended_at.map(|at| at.0),
            told_at: row.told_at.map(|at| at.0),
        });
        Ok(troubles.collect())
    }

    /// The fields of the last event of each of these troubles.
    pub async fn trouble_details(&self, ids: &[i64]) -> Result<Vec<(i64, Value)>, StateError> {
        let rows = sqlx::query!(
            r#"SELECT id AS "id!", detail FROM trouble WHERE id IN (SELECT value FROM json_each(?))"#,
            json(&ids),
        );
        let rows = rows.fetch_all(&self.pool).await?;
        let detail = |text: &str| serde_json::from_str(text).unwrap_or_default();
        Ok(rows.into_iter().map(|row| (row.id, detail(&row.detail))).collect())
    }

    /// How the deliveries to a target go, as [`Self::keep_target`] has kept it.
    pub async fn notify_target(&self, name: &str) -> Result<Option<String>, StateError> {
        let record = sqlx::query_scalar!("SELECT record FROM notify_target WHERE name = ?", name);
        Ok(record.fetch_optional(&self.pool).await?)
    }

    pub async fn keep_target(&self, name: &str, record: &impl Serialize) -> Result<(), StateError> {
        sqlx::query!(
            "INSERT OR REPLACE INTO notify_target (name, record) VALUES (?, ?)",
            name,
            json(record),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes which troubles a target was told of, and of the end of which.
    pub async fn note_told(
        &self,
        target: &str,
        record: &impl Serialize,
        told: &[i64],
        over: &[i64],
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        // One of them may have been forgotten meanwhile.
        sqlx::query!(
            "INSERT OR REPLACE INTO told (target, trouble_id, at)
             SELECT ?1, id, ?3 FROM trouble WHERE id IN (SELECT value FROM json_each(?2))",
            target,
            json(&told),
            At(now),
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "DELETE FROM told WHERE target = ? AND trouble_id IN (SELECT value FROM json_each(?))",
            target,
            json(&over),
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "INSERT OR REPLACE INTO notify_target (name, record) VALUES (?, ?)",
            target,
            json(record),
        )
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Forgets all targets but these.
    pub async fn keep_only_targets(&self, names: &[&str]) -> Result<(), StateError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query!(
            "DELETE FROM notify_target WHERE name NOT IN (SELECT value FROM json_each(?))",
            json(&names),
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "DELETE FROM told WHERE target NOT IN (SELECT value FROM json_each(?))",
            json(&names),
        )
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// What nobody is told of now, by subject.
    pub async fn mutes(&self, now: Timestamp) -> Result<Vec<Mute>, StateError> {
        let rows = sqlx::query!(
            r#"SELECT subject, since AS "since: At", until AS "until: At", because FROM mute
               WHERE until > ? ORDER BY subject"#,
            At(now),
        );
        let rows = rows.fetch_all(&self.pool).await?;
        let mutes = rows.into_iter().map(|row| Mute {
            subject: row.subject,
            since: row.since.0,
            until: row.until.0,
            because: row.because,
        });
        Ok(mutes.collect())
    }

    /// Records that nobody is told of something for a while, with its event.
    pub async fn mute(&self, mute: &Mute) -> Result<(), StateError> {
        let Mute { subject, since, until, because } = mute;
        let batch = EventBatch::of([Event::NotifyMuted {
            subject: subject.clone(),
            for_s: between(*since, *until).as_secs(),
            because: because.clone(),
        }]);
        let mut recording = self.recording(&batch, *since).await?;
        sqlx::query!("DELETE FROM mute WHERE until <= ?", At(*since))
            .execute(recording.connection())
            .await?;
        sqlx::query!(
            "INSERT OR REPLACE INTO mute (subject, since, until, because) VALUES (?, ?, ?, ?)",
            subject,
            At(*since),
            At(*until),
            because,
        )
        .execute(recording.connection())
        .await?;
        Ok(recording.commit().await?)
    }

    /// Ends a mute. Returns whether there was one.
    pub async fn unmute(&self, subject: &str, now: Timestamp) -> Result<bool, StateError> {
        if !self.mutes(now).await?.iter().any(|mute| mute.subject == subject) {
            return Ok(false);
        }
        let batch = EventBatch::of([Event::NotifyUnmuted { subject: subject.to_owned() }]);
        let mut recording = self.recording(&batch, now).await?;
        sqlx::query!("DELETE FROM mute WHERE subject = ?", subject)
            .execute(recording.connection())
            .await?;
        recording.commit().await?;
        Ok(true)
    }
}
