//! Detects that the file of the state database was deleted or replaced.
//!
//! SQLite goes on writing to a file that no longer has a path, and no other process sees it. So the file
//! at the path is compared with the open one before every cycle and every step of the checks. What is
//! written in between is lost if the file was replaced, but not if it was deleted.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use jiff::Timestamp;
use sqlx::{Connection as _, Sqlite, SqliteConnection, pool::PoolConnection};

use super::{State, StateError, not_writable};
use crate::{
    events::conditions::{Condition, Conditions, Finding},
    events::{Event, EventBatch},
};

/// Identifies a file independently of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl FileId {
    /// The file at a path.
    pub(super) fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(Self::of(&found))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn of(found: &fs::Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino() }
    }
}

/// The files beside the database that SQLite finds by their path.
const HELPERS: [&str; 2] = ["-wal", "-shm"];

/// The files that this process has open.
#[derive(Debug, Default)]
pub(super) struct Place {
    files: Mutex<Files>,
    /// Held by the loop that examines the file, until it has reported the result.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Files {
    database: Option<FileId>,
    helpers: [Option<FileId>; 2],
    /// How many were opened.
    connections: u32,
    fate: Fate,
    conditions: Conditions,
}

/// What has happened to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fate {
    #[default]
    InPlace,
    /// Not restored yet.
    Deleted,
    /// The file at its path is left alone.
    Replaced,
}

impl Place {
    fn files(&self) -> std::sync::MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database that this process has open.
    pub(super) fn database(&self) -> Option<FileId> {
        self.files().database
    }

    /// How many connections were opened.
    pub(super) fn connections(&self) -> u32 {
        self.files().connections
    }

    /// Notes the files that a new connection has opened. It must not be used if the database is not the
    /// one of earlier connections.
    pub(super) fn note_connection(&self, path: &Path) -> sqlx::Result<()> {
        let found = FileId::at(path)?;
        let mut files = self.files();
        if files.database.is_some() && files.database != found {
            return Err(sqlx::Error::Configuration(Box::new(StateError::Replaced)));
        }
        files.database = found;
        files.connections += 1;
        files.helpers = HELPERS.map(|suffix| FileId::at(&beside(path, suffix)).ok().flatten());
        Ok(())
    }

    /// Deletes the helper files of this process, which SQLite would use for the database at the path now.
    /// Those of others stay, and are an error.
    fn remove_helpers(&self, path: &Path) -> io::Result<()> {
        for (suffix, ours) in HELPERS.iter().zip(self.files().helpers) {
            let helper = beside(path, suffix);
            match FileId::at(&helper)? {
                None => {}
                found if found == ours => fs::remove_file(&helper)?,
                Some(_) => {
                    let error = format!("{} belongs to another database", helper.display());
                    return Err(io::Error::other(error));
                }
            }
        }
        Ok(())
    }
}

impl State {
    /// Checks that the open file is still at its path, and restores it if it was deleted. Reports what is
    /// wrong.
    ///
    /// # Errors
    /// [`StateError::Deleted`] if it cannot be restored. [`StateError::Replaced`] from then on.
    pub async fn check_file(&self) -> Result<(), StateError> {
        let turn = self.place.turn.lock().await;
        let was_replaced = self.is_replaced();
        let result = self.find_or_restore().await;
        let (events, result) = self.note_fate(result, Instant::now());
        if self.is_replaced() && !was_replaced {
            self.leave().await;
        }
        drop(turn);
        // If the file was replaced, only the log has them.
        if let Err(error) = self.emit(&EventBatch::of(events), Timestamp::now()).await {
            tracing::debug!(%error, "an event was not written down");
        }
        result
    }

    /// Whether another file is at its path.
    pub fn is_replaced(&self) -> bool {
        self.place.files().fate == Fate::Replaced
    }

    /// Returns whether the file was restored now.
    async fn find_or_restore(&self) -> Result<bool, StateError> {
        if self.is_replaced() {
            return Err(StateError::Replaced);
        }
        let found = FileId::at(&self.path).map_err(not_writable)?;
        match found {
            found if found == self.place.database() => Ok(false),
            Some(_) => Err(StateError::Replaced),
            None => {
                let connection = self.pool.acquire().await?;
                self.restore(connection).await.map_err(StateError::Deleted)?;
                Ok(true)
            }
        }
    }

    /// Writes a copy of the open file to its path, and uses that.
    async fn restore(&self, mut connection: PoolConnection<Sqlite>) -> Result<(), String> {
        let in_words = |error: io::Error| error.to_string();
        let in_short = |error| StateError::from(error).to_string();
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(in_words)?;
        }
        let copy = beside(&self.path, ".anew");
        match fs::remove_file(&copy) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(in_words(error)),
            _ => {}
        }
        let name = copy.to_str().ok_or("its name is not UTF-8")?;
        let written = sqlx::query("VACUUM INTO ?").bind(name).execute(&mut *connection).await;
        written.map_err(in_short)?;
        File::open(&copy).and_then(|file| file.sync_all()).map_err(in_words)?;
        self.place.remove_helpers(&self.path).map_err(in_words)?;
        let found = FileId::at(&copy).map_err(in_words)?;
        rename_to_new(&copy, &self.path).map_err(in_words)?;
        self.place.files().database = found;
        // The next one opens the path. SQLite leaves the helper files of a database that has moved alone.
        connection.close().await.map_err(in_short)
    }

    /// Leaves the path to the other file. The open one, wherever it is now, is completed.
    async fn leave(&self) {
        let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await;
        let left = self.place.remove_helpers(&self.path);
        if let Some(error) =
            checkpoint.err().map(|error| error.to_string()).or(left.err().map(|e| e.to_string()))
        {
            tracing::debug!(error, "the helper files of the state database were not removed");
        }
    }

    fn note_fate(
        &self,
        result: Result<bool, StateError>,
        now: Instant,
    ) -> (Vec<Event>, Result<(), StateError>) {
        let mut files = self.place.files();
        let file = self.path.display().to_string();
        let raise = |event| Finding::Raise(Condition::StateFile, event);
        match result {
            Ok(restored) => {
                files.fate = Fate::InPlace;
                let mut events =
                    files.conditions.update([Finding::Clear(Condition::StateFile)], now);
                if restored && events.is_empty() {
                    let outcome = "it was restored from the open file".to_owned();
                    events.push(Event::StateDeleted { file, outcome, for_s: 0 });
                }
                (events, Ok(()))
            }
            Err(StateError::Replaced) => {
                files.fate = Fate::Replaced;
                let remedy = "restart the daemon, which then uses the file that is there now: \
                              nothing is added or removed until then"
                    .to_owned();
                let event = Event::StateReplaced { file, remedy, for_s: 0 };
                let events = files.conditions.update([raise(event)], now);
                (events, Err(StateError::Replaced))
            }
            Err(error @ StateError::Deleted(_)) => {
                files.fate = Fate::Deleted;
                let event = Event::StateDeleted { file, outcome: error.to_string(), for_s: 0 };
                (files.conditions.update([raise(event)], now), Err(error))
            }
            Err(other) => (Vec::new(), Err(other)),
        }
    }
}

/// Whether a connection can be used again. After an error such as a full disk, SQLite has ended the
/// transaction, which the driver does not know: later statements would be in a transaction that is never
/// committed, and lock the file.
pub(super) async fn is_sound(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // An open transaction is rolled back before this is answered.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// The path of the state database without symbolic links. The file itself need not exist.
pub(super) fn canonical(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return found,
    }
    if let Ok(target) = fs::read_link(path) {
        // A link to a file that does not exist yet. A loop of links is another error.
        let folder = path.parent().unwrap_or(Path::new(""));
        return canonical(&folder.join(target));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or(ErrorKind::InvalidFilename)?;
    Ok(fs::canonicalize(folder)?.join(name))
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Renames a file unless the new path exists.
#[cfg(target_os = "linux")]
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::{
        fs::{CWD, RenameFlags, renameat_with},
        io::Errno,
    };
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system does not support it.
        Err(Errno::INVAL | Errno::NOSYS) => check_and_rename(from, to),
        renamed => Ok(renamed?),
    }
}

#[cfg(not(target_os = "linux"))]
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    check_and_rename(from, to)
}

/// Another file can get the path between the two steps.
fn check_and_rename(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() { Err(ErrorKind::AlreadyExists.into()) } else { fs::rename(from, to) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_reported_and_locks_no_process_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let state = State::open(&path).await.unwrap();
        let note = async |state: &State, error: &str| {
            let event = Event::Failed { error: error.to_owned() };
            state.emit(&EventBatch::of([event]), Timestamp::now()).await
        };
        // As if the disk were full.
        sqlx::query("PRAGMA max_page_count = 1").execute(&state.pool).await.unwrap();
        let full = note(&state, &"x".repeat(1 << 20)).await.unwrap_err();
        assert!(
            full.to_string().contains("is full (database or disk is full): free some space"),
            "{full}"
        );
        // SQLite ends the transaction, which the driver does not know.
        let mut transaction = state.pool.begin().await.unwrap();
        sqlx::query("ROLLBACK").execute(&mut *transaction).await.unwrap();
        drop(transaction);
        note(&state, "one").await.unwrap();
        let other = State::open(&path).await.unwrap();
        note(&other, "another").await.unwrap();
        note(&state, "a third").await.unwrap();
        assert_eq!(other.events(None, None, 10).await.unwrap().len(), 3);
    }

    #[test]
    fn a_path_has_one_form_through_any_links() {
        let folder = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(folder.join("real")).unwrap();
        std::os::unix::fs::symlink("real", folder.join("link")).unwrap();
        std::os::unix::fs::symlink("state.db", folder.join("real/other.db")).unwrap();
        std::os::unix::fs::symlink("round", folder.join("round")).unwrap();
        let real = folder.join("real/state.db");
        for _ in 0..2 {
            for path in ["real/state.db", "link/state.db", "real/../link/other.db"] {
                assert_eq!(canonical(&folder.join(path)).unwrap(), real, "{path}");
            }
            fs::write(&real, "").unwrap();
        }
        assert!(canonical(&folder.join("round")).is_err());
        assert!(canonical(&folder.join("nowhere/state.db")).is_err());
    }
}
