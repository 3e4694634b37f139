//! The state database: one SQLite file, whose schema is in `migrations/`.

mod certificates;
mod clock;
mod columns;
mod config;
mod error;
mod events;
mod kept_conditions;
mod leadership;
mod ledger;
mod live_after;
mod lock;
mod notify;
mod overview;
mod place;
mod records;
mod schedule;
mod signing_key;
mod stages;
mod status;
mod status_counts;
#[cfg(test)]
mod tests;

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{
    ConnectOptions, SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::events::Recorder;

pub use certificates::{Asked, MissingCertificate};
pub use clock::Loop;
pub use config::StateConfig;
pub use error::StateError;
pub use events::{LastCycle, Recorded};
pub use leadership::LeadershipNote;
pub use ledger::{InvalidRow, Known, LedgerId};
pub use live_after::LiveAfter;
pub use lock::{FileLock, RunningDaemon};
pub use notify::{
    EndedTrouble, Mute, OpenedTrouble, OutboxEvent, Trouble, TroubleChanges, TroubleFacts,
};
pub use overview::{OverviewFilter, SeverityCounts};
pub use place::Fate;
use place::{Place, is_sound};
pub use records::{MissingRecord, RecordNotes, Written};
pub use stages::{ChecksDoubt, PutBack, StageCandidate, StageNote, StageSearch};
pub use status::{CheckedDomain, NetworkInfo, StatusUpdate};
pub use status_counts::StatusCount;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// The open state database.
#[derive(Debug, Clone)]
pub struct State {
    pool: SqlitePool,
    path: PathBuf,
    /// How often this process has changed a ledger.
    changes: Arc<AtomicU64>,
    recorder: Arc<Recorder>,
    place: Arc<Place>,
}

impl State {
    /// Opens or creates the file, and migrates its schema. A file that is damaged, not writable or from a
    /// newer version is never replaced.
    pub async fn open(path: &Path) -> Result<Self, StateError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|source| StateError::NoFolder { folder: folder.to_owned(), source })?;
        }
        let path = &place::canonical(path).map_err(not_writable)?;
        check_name(path)?;
        if !path.exists() && FileLock::daemon(path).is_ok_and(|daemon| daemon.is_some()) {
            let detail = "the daemon that uses it restores it: try again";
            return Err(StateError::Deleted(detail.to_owned()));
        }
        let options = options(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What is written before a call to Closte must survive a power cut during it.
            .synchronous(SqliteSynchronous::Full);
        let state = Self::connect(path, options.clone()).await?;
        // From now on, a missing file was deleted.
        state.pool.set_connect_options(options.create_if_missing(false));
        MIGRATIONS.run(&state.pool).await?;
        state.check_writable().await?;
        Ok(state)
    }

    /// Opens the file for reading only; none if there is no such file.
    pub async fn open_existing(path: &Path) -> Result<Option<Self>, StateError> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => return Err(not_writable(error)),
        }
        check_name(path)?;
        let state = match Self::connect(path, options(path).read_only(true)).await {
            // SQLite creates helper files even to read, which a file of another user may not allow, unless
            // it knows that nothing changes.
            Err(StateError::NotWritable(_)) => {
                Self::connect(path, options(path).immutable(true)).await?
            }
            opened => opened?,
        };
        let applied: Vec<i64> = sqlx::query_scalar("SELECT version FROM _sqlx_migrations")
            .fetch_all(&state.pool)
            .await?;
        let known = |version: i64| MIGRATIONS.iter().any(|known| known.version == version);
        if !applied.iter().all(|version| known(*version)) {
            return Err(StateError::Newer);
        }
        if applied.len() < MIGRATIONS.iter().count() {
            return Err(StateError::Older);
        }
        Ok(Some(state))
    }

    async fn connect(path: &Path, options: SqliteConnectOptions) -> Result<Self, StateError> {
        let place = Arc::new(Place::default());
        let pool = SqlitePoolOptions::new()
            // SQLite has one writer at a time, so a second connection would only wait. It stays open,
            // because only the same connection can tell when another process has written.
            .max_connections(1)
            .idle_timeout(None)
            .acquire_slow_threshold(Duration::MAX)
            .max_lifetime(None)
            .after_connect({
                let (place, path) = (place.clone(), path.to_owned());
                move |connection, _| {
                    let (place, path) = (place.clone(), path.clone());
                    Box::pin(async move {
                        // The first read opens the file. Its errors show in later reads.
                        let _ = sqlx::query("PRAGMA schema_version").execute(connection).await;
                        place.note_connection(&path)
                    })
                }
            })
            .after_release(|connection, _| Box::pin(is_sound(connection)))
            .connect_with(options)
            .await?;
        let state = Self {
            pool,
            path: path.to_owned(),
            changes: Arc::default(),
            recorder: Arc::default(),
            place,
        };
        let verdict: String =
            sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&state.pool).await?;
        if verdict == "ok" { Ok(state) } else { Err(StateError::Damaged(verdict)) }
    }

    /// Detects a read-only file before a cycle.
    async fn check_writable(&self) -> Result<(), StateError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query!("UPDATE last_cycle SET id = id").execute(&mut *transaction).await?;
        Ok(transaction.rollback().await?)
    }

    /// Makes this process the only daemon on the file until the lock is dropped.
    ///
    /// # Errors
    /// [`StateError::DaemonRuns`] if there is one already.
    pub fn lock_for_daemon(&self) -> Result<FileLock, StateError> {
        FileLock::for_daemon(&self.path, self.place.database())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until no other process runs a cycle on the file, and locks them out until the lock is
    /// dropped.
    pub async fn lock_for_cycle(&self) -> Result<FileLock, StateError> {
        FileLock::for_cycle(&self.path).await
    }

    /// A number that changes whenever another process writes to the file, and only then.
    pub async fn data_version(&self) -> Result<i64, StateError> {
        // https://sqlite.org/pragma.html#pragma_data_version
        let version: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(&self.pool).await?;
        // Versions of different connections cannot be compared.
        Ok((i64::from(self.place.connections()) << 32) + version)
    }

    /// A number that changes whenever a ledger may have changed, in this process or another.
    pub async fn ledger_version(&self) -> Result<(i64, u64), StateError> {
        Ok((self.data_version().await?, self.changes.load(Ordering::Relaxed)))
    }

    /// Closes the file and empties its write-ahead log.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A file with two paths has two lock files, and SQLite would write two logs beside it.
fn check_name(path: &Path) -> Result<(), StateError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() && found.nlink() > 1 => Err(StateError::SecondName),
        _ => Ok(()),
    }
}

fn not_writable(error: std::io::Error) -> StateError {
    StateError::NotWritable(error.to_string())
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(10))
        // There may be no writable folder for temporary files, as in a container.
        .pragma("temp_store", "memory")
        .disable_statement_logging()
}
