use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::{State, StateError};
use crate::events::{Event, News};

/// An event that comes again and again because it cannot be written down is logged this often.
const LOGGED_AGAIN: Duration = Duration::from_secs(60 * 60);
/// How many such events are remembered.
const MOST_UNRECORDED: usize = 200_000;

/// Facts on their way into the file, and what there is to say of them: one transaction. What there is
/// to say is logged when that has ended, however it ends.
pub(super) struct Recording<'a> {
    telling: Telling<'a>,
    transaction: Transaction<'static, Sqlite>,
    now: Timestamp,
}

impl Recording<'_> {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Writes the events beside the facts, and ends the transaction.
    pub(super) async fn commit(self) -> Result<(), StateError> {
        let Self { mut telling, mut transaction, now } = self;
        let news = telling.news;
        super::events::write(&mut transaction, &news.recorded, now).await?;
        super::events::write(&mut transaction, &news.told, now).await?;
        transaction.commit().await?;
        telling.is_recorded = true;
        Ok(())
    }
}

impl State {
    /// Begins to write facts of which there is this to say.
    pub(super) async fn recording<'a>(
        &'a self,
        news: &'a News,
        now: Timestamp,
    ) -> Result<Recording<'a>, StateError> {
        let telling = Telling { state: self, news, is_recorded: false };
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Recording { telling, transaction, now })
    }
}

/// Logs what there is to say when it is dropped: after the transaction, or when that failed or was given
/// up.
struct Telling<'a> {
    state: &'a State,
    news: &'a News,
    is_recorded: bool,
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        let unrecorded = &self.state.unrecorded;
        if self.is_recorded {
            for event in &self.news.recorded {
                unrecorded.forget(event);
            }
            let new = self.news.told.iter().filter(|event| !unrecorded.forget(event));
            new.for_each(Event::log);
        } else {
            let all = self.news.told.iter().chain(&self.news.recorded);
            all.filter(|event| unrecorded.is_to_log(event)).for_each(Event::log);
        }
    }
}

/// The events that were logged and not written down, and when that was. Those of facts come again until
/// they can be written.
#[derive(Debug, Default)]
pub(super) struct Unrecorded(Mutex<HashMap<u64, Instant>>);

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

#[cfg(test)]
mod tests {
    use std::{pin::pin, sync::Arc, task::Context};

    use sqlx::{Connection as _, Executor as _, SqliteConnection};
    use tempfile::TempDir;
    use tracing_subscriber::layer::{Layer, SubscriberExt as _};

    use super::*;

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

    fn news() -> News {
        let unmapped = Event::Unmapped { domain: "a.example".parse().unwrap(), blog_id: None };
        let added = Event::MappedAgain { domain: "b.example".parse().unwrap(), blog_id: None };
        News { told: vec![Event::Adopted { domains: 2 }, unmapped], recorded: vec![added] }
    }

    #[tokio::test]
    async fn what_is_recorded_is_logged_but_for_what_something_else_stands_for() {
        let (_folder, state, _) = state().await;
        let (log, _guard) = Log::start();
        state.record_events(&news(), Timestamp::now()).await.unwrap();
        assert_eq!(log.take(), ["ledger.adopted", "domain.unmapped"]);
        let all = ["domain.mapped_again", "ledger.adopted", "domain.unmapped"];
        assert_eq!(recorded(&state).await, all);
    }

    #[tokio::test]
    async fn what_cannot_be_recorded_is_logged_once_and_recorded_when_it_can() {
        let (_folder, state, mut other) = state().await;
        let (log, _guard) = Log::start();
        other.execute(FAIL).await.unwrap();
        for _ in 0..3 {
            state.begin_ledger(1, "agency.example", "key", Timestamp::now()).await.unwrap_err();
        }
        assert_eq!(log.take(), ["ledger.started"], "it is not repeated at every cycle");
        assert_eq!(state.ledgers(1, "key").await.unwrap(), []);
        state.record_events(&news(), Timestamp::now()).await.unwrap_err();
        assert_eq!(log.take().len(), 3, "nothing else stands for it now");

        other.execute("DROP TRIGGER fail").await.unwrap();
        state.begin_ledger(1, "agency.example", "key", Timestamp::now()).await.unwrap();
        state.record_events(&news(), Timestamp::now()).await.unwrap();
        assert_eq!(log.take(), [""; 0], "it was logged before");
        assert_eq!(recorded(&state).await.len(), 4);
        state.record_events(&news(), Timestamp::now()).await.unwrap();
        assert_eq!(log.take().len(), 2, "this is another time");
    }

    #[tokio::test]
    async fn what_is_given_up_in_the_middle_of_writing_is_logged() {
        let (_folder, state, mut other) = state().await;
        let (log, _guard) = Log::start();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let (news, mut context) = (news(), Context::from_waker(std::task::Waker::noop()));
        {
            let writing = pin!(state.record_events(&news, Timestamp::now()));
            assert!(writing.poll(&mut context).is_pending());
            assert_eq!(log.take(), [""; 0]);
        }
        assert_eq!(log.take().len(), 3);
    }
}
