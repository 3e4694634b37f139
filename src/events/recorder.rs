//! Records facts and their events in one transaction, then logs the events.

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

/// The most events in one statement.
const BATCH: usize = 2_000;

/// How often an event is logged again while it cannot be recorded.
const LOGGED_AGAIN: Duration = Duration::from_secs(60 * 60);
/// The most unrecorded events that are remembered.
const MOST_UNRECORDED: usize = 200_000;

/// Records facts together with their events.
#[derive(Debug, Default)]
pub struct Recorder {
    unrecorded: Unrecorded,
}

/// A transaction of facts and their events. The events are logged when it ends, even if it fails.
pub struct Recording<'a> {
    logging: Logging<'a>,
    transaction: Transaction<'static, Sqlite>,
    now: Timestamp,
}

impl Recorder {
    /// # Errors
    /// SQLite's. The events are logged then.
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
    /// For writing the facts.
    pub fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Writes the events and commits.
    ///
    /// # Errors
    /// SQLite's. Nothing is written then.
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

/// Logs the events when it is dropped: after the commit, or when that failed or was cancelled.
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

/// The events that were logged but not recorded, by hash, and when. A loop repeats those of facts until
/// they can be recorded.
#[derive(Debug, Default)]
struct Unrecorded(Mutex<HashMap<u64, Instant>>);

impl Unrecorded {
    /// Whether an event that could not be recorded is due for the log.
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

    /// Removes a recorded event. Returns whether it was logged before.
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
