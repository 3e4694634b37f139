use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read, Seek, Write},
    path::{Path, PathBuf},
    process,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use super::{
    State, StateError, not_writable,
    place::{Fate, FileId, beside, canonical},
};

/// An advisory lock on a file beside the state database. The system releases it when the process ends.
#[derive(Debug)]
pub struct FileLock {
    /// The path of the state database.
    state: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    file: File,
    /// The database that is written in the file.
    noted: Option<FileId>,
}

/// A daemon that uses a state database.
#[derive(Debug, Clone, Copy)]
pub struct RunningDaemon {
    /// Of [`FileLock::beat`].
    pub last_beat: SystemTime,
    /// [`Fate::InPlace`] if it is not known.
    pub file: Fate,
}

impl RunningDaemon {
    /// What is wrong with its database, which has this path.
    pub fn trouble(&self, path: &Path) -> Option<String> {
        let path = path.display();
        match self.file {
            Fate::InPlace => None,
            Fate::Deleted => Some(format!(
                "the state database {path} was deleted: the daemon restores it, unless its log says why \
                 it cannot; do not restart it before that"
            )),
            Fate::Replaced => Some(format!(
                "the state database {path} was replaced, and the daemon does nothing any more: restart \
                 the daemon"
            )),
        }
    }
}

impl FileLock {
    pub(super) fn for_daemon(state: &Path, database: Option<FileId>) -> Result<Self, StateError> {
        let file = lock_daemons_file(state)?;
        let mut held = Held { file, noted: database };
        held.note();
        Ok(Self { state: state.to_owned(), held: Mutex::new(held) })
    }

    /// Locks the lock file again if it was deleted or replaced.
    ///
    /// # Errors
    /// [`StateError::DaemonRuns`] if another daemon has locked it.
    pub fn keep(&self, state: &State) -> Result<(), StateError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = FileId::of(&held.file.metadata().map_err(not_writable)?);
        let database = state.place.database();
        if FileId::at(&beside(&self.state, ".lock")).map_err(not_writable)? != Some(ours) {
            held.file = lock_daemons_file(&self.state)?;
        } else if held.noted == database {
            return Ok(());
        }
        held.noted = database;
        held.note();
        Ok(())
    }

    /// Shows [`FileLock::daemon`] that the process is alive.
    pub fn beat(&self) -> io::Result<()> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.file.set_modified(SystemTime::now())
    }

    /// The daemon that uses this state database. Creates no file.
    pub fn daemon(state: &Path) -> io::Result<Option<RunningDaemon>> {
        let open = || {
            let state = canonical(state)?;
            File::open(beside(&state, ".lock")).map(|file| (state, file))
        };
        let (state, mut file) = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {}
            _ => return Ok(None),
        }
        let last_beat = file.metadata()?.modified()?;
        let mut text = String::new();
        // It is empty if the daemon could not write to it.
        let _ = file.read_to_string(&mut text);
        let file = match (noted_database(&text), FileId::at(&state)?) {
            (None, _) => Fate::InPlace,
            (Some(_), None) => Fate::Deleted,
            (noted, found) if noted == found => Fate::InPlace,
            _ => Fate::Replaced,
        };
        Ok(Some(RunningDaemon { last_beat, file }))
    }

    pub(super) async fn for_cycle(state: &Path) -> Result<Self, StateError> {
        let file = open(state, ".cycle")?;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    let held = Mutex::new(Held { file, noted: None });
                    return Ok(Self { state: state.to_owned(), held });
                }
                Err(TryLockError::WouldBlock) => {
                    tokio::time::sleep(Duration::from_millis(100)).await
                }
                Err(TryLockError::Error(error)) => return Err(not_writable(error)),
            }
        }
    }
}

impl Held {
    /// Writes the process and its database to the file, which may belong to another user. The lock holds
    /// even if that fails.
    fn note(&mut self) {
        let file = &mut self.file;
        let mut write = || {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", process::id())?;
            match self.noted {
                Some(FileId { device, inode }) => writeln!(file, "{device} {inode}"),
                None => Ok(()),
            }
        };
        let _ = write();
    }
}

fn noted_database(text: &str) -> Option<FileId> {
    let (device, inode) = text.lines().nth(1)?.split_once(' ')?;
    Some(FileId { device: device.parse().ok()?, inode: inode.parse().ok()? })
}

fn lock_daemons_file(state: &Path) -> Result<File, StateError> {
    let mut file = open(state, ".lock")?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // The message names the process if it can be read.
            let _ = file.read_to_string(&mut text);
            let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
            Err(StateError::DaemonRuns(pid))
        }
        Err(TryLockError::Error(error)) => Err(not_writable(error)),
    }
}

/// Opens or creates a lock file. One of another user can only be read, which is enough to lock it.
fn open(state: &Path, suffix: &str) -> Result<File, StateError> {
    let path = beside(state, suffix);
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .or_else(|error| match error.kind() {
            ErrorKind::PermissionDenied => File::open(&path),
            _ => Err(error),
        })
        .map_err(not_writable)
}
