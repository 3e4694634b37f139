use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::SqliteConnection;

use super::{LedgerId, State, StateError, columns::At, ledger::json};
use crate::{
    domain::DomainName,
    events::{EventBatch, Recording},
    secrets,
};

/// For how many days with completed cycles events are kept, besides today.
const DAYS_KEPT: i64 = 30;

/// A recorded event.
#[derive(Debug, Clone, Serialize)]
pub struct Recorded {
    /// Later events have greater ones.
    #[serde(skip)]
    pub id: i64,
    pub at: Timestamp,
    /// `ERROR`, `WARN` or `INFO`.
    pub level: String,
    /// Its stable name.
    pub event: String,
    pub domain: Option<String>,
    /// The other fields.
    #[serde(flatten)]
    pub detail: Map<String, Value>,
}

/// The last completed cycle, and the failure of a later one.
#[derive(Debug, Clone, Default)]
pub struct LastCycle {
    pub ledger: Option<LedgerId>,
    pub completed_at: Option<Timestamp>,
    /// Its [report](crate::reconciler::CycleReport), a JSON object.
    pub summary: Option<String>,
    pub failure: Option<(Timestamp, String)>,
}

async fn drop_old(connection: &mut SqliteConnection, now: Timestamp) -> sqlx::Result<()> {
    // Today gets a new id, so that ids are in the order of the events.
    sqlx::query!(
        "INSERT OR REPLACE INTO event_day (day, last_event)
         SELECT ?, coalesce(max(id), 0) FROM event",
        now.as_second().div_euclid(24 * 60 * 60),
    )
    .execute(&mut *connection)
    .await?;
    let old = sqlx::query!(
        "SELECT id, last_event FROM event_day ORDER BY id DESC LIMIT 1 OFFSET ?",
        DAYS_KEPT + 1,
    );
    let Some(old) = old.fetch_optional(&mut *connection).await? else { return Ok(()) };
    sqlx::query!("DELETE FROM event WHERE id <= ?", old.last_event)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM event_day WHERE id <= ?", old.id).execute(connection).await?;
    Ok(())
}

/// Masks events of older versions, which recorded texts of a database unmasked.
fn masked(mut detail: Map<String, Value>) -> Map<String, Value> {
    for value in detail.values_mut() {
        if let Value::String(text) = value {
            *text = secrets::mask(text);
        }
    }
    detail
}

impl State {
    /// Begins a transaction that writes facts and the events that report them.
    pub(super) async fn recording<'a>(
        &'a self,
        batch: &'a EventBatch,
        now: Timestamp,
    ) -> Result<Recording<'a>, StateError> {
        Ok(self.recorder.begin(&self.pool, batch, now).await?)
    }

    /// Records events, and logs them even if that fails.
    pub async fn emit(&self, batch: &EventBatch, now: Timestamp) -> Result<(), StateError> {
        if batch.is_empty() {
            return Ok(());
        }
        Ok(self.recording(batch, now).await?.commit().await?)
    }

    /// Records a completed cycle, and deletes events that are too old.
    pub async fn cycle_completed(
        &self,
        ledger: LedgerId,
        summary: &impl Serialize,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query!(
            "INSERT OR REPLACE INTO last_cycle (id, ledger_id, completed_at, summary)
             VALUES (1, ?, ?, ?)",
            ledger,
            At(now),
            json(summary),
        )
        .execute(&mut *transaction)
        .await?;
        drop_old(&mut transaction, now).await?;
        Ok(transaction.commit().await?)
    }

    /// Records a failed cycle with its events.
    pub async fn cycle_failed(
        &self,
        error: &str,
        batch: &EventBatch,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut recording = self.recording(batch, now).await?;
        sqlx::query!(
            "INSERT INTO last_cycle (id, failed_at, error) VALUES (1, ?1, ?2)
             ON CONFLICT (id) DO UPDATE SET failed_at = ?1, error = ?2",
            At(now),
            error,
        )
        .execute(recording.connection())
        .await?;
        Ok(recording.commit().await?)
    }

    pub async fn last_cycle(&self) -> Result<LastCycle, StateError> {
        let cycle = sqlx::query!(
            r#"SELECT ledger_id AS "ledger_id: LedgerId", completed_at AS "completed_at: At", summary,
                   failed_at AS "failed_at: At", error
               FROM last_cycle"#
        )
        .map(|row| LastCycle {
            ledger: row.ledger_id,
            completed_at: row.completed_at.map(|At(at)| at),
            summary: row.summary,
            failure: row.failed_at.zip(row.error).map(|(At(at), error)| (at, secrets::mask(&error))),
        });
        Ok(cycle.fetch_optional(&self.pool).await?.unwrap_or_default())
    }

    /// Up to `most` events, oldest first: the newest of all, or those after the event `after`.
    pub async fn events(
        &self,
        domain: Option<&DomainName>,
        after: Option<i64>,
        most: u32,
    ) -> Result<Vec<Recorded>, StateError> {
        // Without `after`, the newest come first.
        let order = if after.is_some() { 1 } else { -1 };
        let rows = sqlx::query!(
            r#"SELECT id, at AS "at: At", level, name, domain, detail FROM event
               WHERE id > ?1 AND (?2 IS NULL OR domain = ?2) ORDER BY id * ?3 LIMIT ?4"#,
            after.unwrap_or(0),
            domain.map(DomainName::as_str),
            order,
            most,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let detail = serde_json::from_str(&row.detail)
                .map_err(|error| StateError::Damaged(format!("event {}: {error}", row.id)))?;
            events.push(Recorded {
                id: row.id,
                at: row.at.0,
                level: row.level,
                event: row.name,
                domain: row.domain,
                detail: masked(detail),
            });
        }
        events.sort_by_key(|event| event.id);
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::{Arc, LazyLock, Mutex},
        task::Context,
    };

    use jiff::SignedDuration;
    use sqlx::{Connection as _, Executor as _};
    use tempfile::TempDir;
    use tracing_subscriber::layer::{Layer, SubscriberExt as _};

    use super::*;
    use crate::events::Event;

    #[tokio::test]
    async fn events_are_kept_for_days_on_which_there_were_cycles() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("state.db")).await.unwrap();
        let mut now = Timestamp::from_second(1_800_000_000).unwrap();
        let ledger = state.begin_ledger(1, "agency.example", "key", now).await.unwrap();
        let kept = async |now| {
            state.cycle_completed(ledger, &"", now).await.unwrap();
            state.events(None, None, 100).await.unwrap().len()
        };
        let all = kept(now).await;
        assert!(all > 0);
        for days in [5_000, 1, -9_000, 1, 1, 4_000] {
            now += SignedDuration::from_hours(24 * days);
            assert_eq!((kept(now).await, kept(now).await), (all, all), "the clock jumped");
        }
        for _ in 0..24 {
            now += SignedDuration::from_hours(24);
            assert_eq!(kept(now).await, all);
        }
        now += SignedDuration::from_hours(24);
        assert_eq!(kept(now).await, 0, "they are older than thirty days");
    }

    /// Keeps the names of what is logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<&'static str>>>);

    impl<S: tracing::Subscriber> Layer<S> for Log {
        fn on_event(
            &self,
            event: &tracing::Event<'_>,
            _: tracing_subscriber::layer::Context<'_, S>,
        ) {
            if event.metadata().target() == "closte_sync" {
                self.0.lock().unwrap().push(event.metadata().name());
            }
        }
    }

    impl Log {
        fn start() -> (Self, tracing::subscriber::DefaultGuard) {
            // While there is one subscriber only, tracing asks the thread that reaches a log line first whether
            // it is wanted, which may be another test's, without a subscriber.
            static OTHER: LazyLock<tracing::Dispatch> =
                LazyLock::new(|| tracing::Dispatch::new(tracing_subscriber::registry()));
            LazyLock::force(&OTHER);
            let log = Self::default();
            let subscriber = tracing_subscriber::registry().with(log.clone());
            (log, tracing::subscriber::set_default(subscriber))
        }

        fn take(&self) -> Vec<&'static str> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    async fn state() -> (TempDir, State, SqliteConnection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let state = State::open(&path).await.unwrap();
        let other = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
        (folder, state, other)
    }

    async fn recorded(state: &State) -> Vec<String> {
        let events = state.events(None, None, 100).await.unwrap();
        events.into_iter().map(|event| event.event).collect()
    }

    const FAIL: &str =
        "CREATE TRIGGER fail BEFORE INSERT ON event BEGIN SELECT RAISE(FAIL, 'disk full'); END";

    fn batch() -> EventBatch {
        let unmapped = Event::Unmapped { domain: "a.example".parse().unwrap(), blog_id: None };
        let added = Event::MappedAgain { domain: "b.example".parse().unwrap(), blog_id: None };
        EventBatch { logged: vec![Event::Adopted { domains: 2 }, unmapped], unlogged: vec![added] }
    }

    #[tokio::test]
    async fn recorded_events_are_logged_except_those_that_a_summary_stands_for() {
        let (_folder, state, _) = state().await;
        let (log, _guard) = Log::start();
        state.emit(&batch(), Timestamp::now()).await.unwrap();
        assert_eq!(log.take(), ["ledger.adopted", "domain.unmapped"]);
        let all = ["domain.mapped_again", "ledger.adopted", "domain.unmapped"];
        assert_eq!(recorded(&state).await, all);
    }

    #[tokio::test]
    async fn events_that_cannot_be_recorded_are_logged_once_and_recorded_later() {
        let (_folder, state, mut other) = state().await;
        let (log, _guard) = Log::start();
        other.execute(FAIL).await.unwrap();
        for _ in 0..3 {
            state.begin_ledger(1, "agency.example", "key", Timestamp::now()).await.unwrap_err();
        }
        assert_eq!(log.take(), ["ledger.started"], "it is not repeated at every cycle");
        assert_eq!(state.ledgers(1, "key").await.unwrap(), []);
        state.emit(&batch(), Timestamp::now()).await.unwrap_err();
        assert_eq!(log.take().len(), 3, "no summary is recorded");

        other.execute("DROP TRIGGER fail").await.unwrap();
        state.begin_ledger(1, "agency.example", "key", Timestamp::now()).await.unwrap();
        state.emit(&batch(), Timestamp::now()).await.unwrap();
        assert_eq!(log.take(), [""; 0], "it was logged before");
        assert_eq!(recorded(&state).await.len(), 4);
        state.emit(&batch(), Timestamp::now()).await.unwrap();
        assert_eq!(log.take().len(), 2, "this is another time");
    }

    #[tokio::test]
    async fn events_whose_recording_is_cancelled_are_logged() {
        let (_folder, state, mut other) = state().await;
        let (log, _guard) = Log::start();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let (batch, mut context) = (batch(), Context::from_waker(std::task::Waker::noop()));
        {
            let writing = pin!(state.emit(&batch, Timestamp::now()));
            assert!(writing.poll(&mut context).is_pending());
            assert_eq!(log.take(), [""; 0]);
        }
        assert_eq!(log.take().len(), 3);
    }
}
