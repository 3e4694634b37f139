//! What is remembered over a restart: the ledger, attempts, rejected rows and events, in one
//! SQLite file. Its schema is in `migrations/`.

mod census;
mod certificates;
mod error;
mod events;
mod ledger;
mod lock;
mod recording;
mod standings;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use sqlx::{
    ConnectOptions, SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use census::Alike;
pub use certificates::{Asked, Lacking};
pub use error::StateError;
pub use events::{LastCycle, Recorded};
pub use ledger::{LedgerId, Rejected};
pub use lock::FileLock;
use recording::Unrecorded;
pub use standings::{Looked, Outcome};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// The open state database.
#[derive(Debug, Clone)]
pub struct State {
    pool: SqlitePool,
    path: PathBuf,
    /// How often this process changed a ledger.
    changes: Arc<AtomicU64>,
    unrecorded: Arc<Unrecorded>,
}

impl State {
    /// Opens the file, makes it where there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// Any [`StateError`]: a file that is damaged, not writable or from a newer version is never
    /// replaced.
    pub async fn open(path: &Path) -> Result<Self, StateError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|source| StateError::NoFolder { folder: folder.to_owned(), source })?;
        }
        let options = options(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What is written before a call to Closte must outlast a power cut during it.
            .synchronous(SqliteSynchronous::Full);
        let state = Self::connect(path, options).await?;
        MIGRATIONS.run(&state.pool).await.map_err(|error| state.migration_error(error))?;
        state.check_writable().await?;
        Ok(state)
    }

    /// Opens the file for reading only; none when there is no such file.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn open_existing(path: &Path) -> Result<Option<Self>, StateError> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => {
                let detail = error.to_string();
                return Err(StateError::NotWritable { path: path.to_owned(), detail });
            }
        }
        let state = match Self::connect(path, options(path).read_only(true)).await {
            // Somebody else's file at rest: SQLite would make its helper files even to read, unless
            // it is told that nothing changes.
            Err(StateError::NotWritable { .. }) => {
                Self::connect(path, options(path).immutable(true)).await?
            }
            opened => opened?,
        };
        let applied: Vec<i64> = sqlx::query_scalar("SELECT version FROM _sqlx_migrations")
            .fetch_all(&state.pool)
            .await
            .map_err(|error| state.error(error))?;
        let known = |version: i64| MIGRATIONS.iter().any(|known| known.version == version);
        if !applied.iter().all(|version| known(*version)) {
            return Err(StateError::Newer { path: path.to_owned() });
        }
        if applied.len() < MIGRATIONS.iter().count() {
            return Err(StateError::Older { path: path.to_owned() });
        }
        Ok(Some(state))
    }

    async fn connect(path: &Path, options: SqliteConnectOptions) -> Result<Self, StateError> {
        let pool = SqlitePoolOptions::new()
            // One writer is all that SQLite has; a second connection would only wait for it. It stays
            // the same one, so that it can tell when another process has written.
            .max_connections(1)
            .idle_timeout(None)
            // Waiting for it is no news.
            .acquire_slow_threshold(Duration::MAX)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(|error| StateError::from_sqlx(path, error))?;
        let state = Self {
            pool,
            path: path.to_owned(),
            changes: Arc::default(),
            unrecorded: Arc::default(),
        };
        let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(&state.pool)
            .await
            .map_err(|error| state.error(error))?;
        if verdict == "ok" {
            Ok(state)
        } else {
            Err(StateError::Damaged { path: path.to_owned(), detail: verdict })
        }
    }

    /// Finds a read-only file now rather than in the middle of a cycle.
    async fn check_writable(&self) -> Result<(), StateError> {
        let mut transaction =
            self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(self.failed())?;
        sqlx::query("UPDATE last_cycle SET id = id")
            .execute(&mut *transaction)
            .await
            .map_err(self.failed())?;
        transaction.rollback().await.map_err(self.failed())
    }

    /// Makes this process the only daemon on the file, until the lock is dropped.
    ///
    /// # Errors
    /// [`StateError::DaemonRuns`] when there is one already.
    pub fn lock_for_daemon(&self) -> Result<FileLock, StateError> {
        FileLock::for_daemon(&self.path)
    }

    /// Whether a daemon runs with the file.
    pub fn has_daemon(&self) -> bool {
        FileLock::last_beat_of_daemon(&self.path).is_ok_and(|beat| beat.is_some())
    }

    /// Waits until no other process is in the middle of a cycle on the file, and keeps others out
    /// until the lock is dropped.
    ///
    /// # Errors
    /// [`StateError::NotWritable`] when the lock file cannot be made.
    pub async fn lock_for_cycle(&self) -> Result<FileLock, StateError> {
        FileLock::for_cycle(&self.path).await
    }

    /// A number that changes whenever another process writes to the file, and only then.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn others_wrote(&self) -> Result<i64, StateError> {
        // https://sqlite.org/pragma.html#pragma_data_version
        sqlx::query_scalar("PRAGMA data_version").fetch_one(&self.pool).await.map_err(self.failed())
    }

    /// A number that changes whenever a ledger may have changed, in this process or another.
    ///
    /// # Errors
    /// Any [`StateError`].
    pub async fn ledger_version(&self) -> Result<(i64, u64), StateError> {
        Ok((self.others_wrote().await?, self.changes.load(Ordering::Relaxed)))
    }

    /// Closes the file, so that nothing is left in its write-ahead log.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    fn error(&self, error: sqlx::Error) -> StateError {
        StateError::from_sqlx(&self.path, error)
    }

    fn failed(&self) -> impl Fn(sqlx::Error) -> StateError {
        |error| self.error(error)
    }

    fn migration_error(&self, error: sqlx::migrate::MigrateError) -> StateError {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::VersionMissing(_) => StateError::Newer { path: self.path.clone() },
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                self.error(error)
            }
            other => StateError::Damaged { path: self.path.clone(), detail: other.to_string() },
        }
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(10))
        // Elsewhere there may be no folder that can be written, as in a container.
        .pragma("temp_store", "memory")
        .disable_statement_logging()
}

fn to_millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

fn from_millis(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}
