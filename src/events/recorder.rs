//! The one road of facts and events: one transaction, then the log.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::Serialize;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::{Event, EventBatch};
use crate::domain::DomainName;

/// The most events that are written by one statement.
const BATCH: usize = 2_000;

/// An event that comes again and again because it cannot be written down is logged this often.
const LOGGED_AGAIN: Duration = Duration::from_secs(60 * 60);
/// How many such events are remembered.
const MOST_UNRECORDED: usize = 200_000;

/// Writes facts together with the events that tell of them.
#[derive(Debug, Default)]
pub struct Recorder {
    unrecorded: Unrecorded,
}

/// Facts on their way into the database, and their events: one transaction. The events are logged when
/// it has ended, however it ends.
pub struct Recording<'a> {
    logging: Logging<'a>,
    transaction: Transaction<'static, Sqlite>,
    now: Timestamp,
}

impl Recorder {
    /// Begins to write facts that these events tell of.
    ///
    /// # Errors
    /// What SQLite says. The events are logged then.
    pub async fn begin<'a>(
        &'a self,
        pool: &SqlitePool,
        batch: &'a EventBatch,
        now: Timestamp,
    ) -> sqlx::Result<Recording<'a>> {
        let logging = Logging { unrecorded: &self.unrecorded, batch, is_recorded: false };
        let transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Recording { logging, transaction, now })
    }
}

impl Recording<'_> {
    /// Where the facts are written.
    pub fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Writes the events beside the facts, and ends the transaction.
    ///
    /// # Errors
    /// What SQLite says. Nothing is written then.
    pub async fn commit(self) -> sqlx::Result<()> {
        let Self { mut logging, mut transaction, now } = self;
        let EventBatch { logged, unlogged } = logging.batch;
        for part in unlogged.chunks(BATCH).chain(logged.chunks(BATCH)) {
            write(&mut transaction, part, now).await?;
        }
        transaction.commit().await?;
        logging.is_recorded = true;
        Ok(())
    }
}

#[derive(Serialize)]
struct Line<'a> {
    level: &'static str,
    name: &'static str,
    domain: Option<&'a DomainName>,
    detail: String,
}

impl<'a> From<&'a Event> for Line<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            level: event.level().as_str(),
            name: event.name(),
            domain: event.domain(),
            detail: event.detail().to_string(),
        }
    }
}

async fn write(
    connection: &mut SqliteConnection,
    events: &[Event],
    now: Timestamp,
) -> sqlx::Result<()> {
    let lines: Vec<_> = events.iter().map(Line::from).collect();
    let lines = serde_json::to_string(&lines).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query!(
        "INSERT INTO event (at, level, name, domain, detail)
         SELECT ?, value->>'level', value->>'name', value->>'domain', value->>'detail' FROM json_each(?)",
        now.as_millisecond(),
        lines,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Logs the events when it is dropped: after the transaction, or when that failed or was given up.
struct Logging<'a> {
    unrecorded: &'a Unrecorded,
    batch: &'a EventBatch,
    is_recorded: bool,
}

impl Drop for Logging<'_> {
    fn drop(&mut self) {
        let (unrecorded, EventBatch { logged, unlogged }) = (self.unrecorded, self.batch);
        if self.is_recorded {
            for event in unlogged {
                unrecorded.forget(event);
            }
            logged.iter().filter(|event| !unrecorded.forget(event)).for_each(Event::log);
        } else {
            let all = logged.iter().chain(unlogged);
            all.filter(|event| unrecorded.is_to_log(event)).for_each(Event::log);
        }
    }
}

/// The events that were logged and not written down, and when that was. Those of facts come again until
/// they can be written.
#[derive(Debug, Default)]
struct Unrecorded(Mutex<HashMap<u64, Instant>>);

impl Unrecorded {
    /// Whether an event that could not be written is to be logged now.
    fn is_to_log(&self, event: &Event) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(event);
        if logged.get(&key).is_some_and(|at| at.elapsed() < LOGGED_AGAIN) {
            return false;
        }
        if logged.len() >= MOST_UNRECORDED {
            logged.clear();
        }
        logged.insert(key, Instant::now());
        true
    }

    /// An event is written at last. Whether it was logged before is the result.
    fn forget(&self, event: &Event) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !logged.is_empty() && logged.remove(&key(event)).is_some()
    }
}

fn key(event: &Event) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{event:?}").hash(&mut hasher);
    hasher.finish()
}
