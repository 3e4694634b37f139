use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read, Seek, Write},
    path::{Path, PathBuf},
    process,
    time::{Duration, SystemTime},
};

use super::StateError;

/// An advisory lock on a file beside the state database. The system drops it with the process,
/// however that ends.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

impl FileLock {
    pub(super) fn for_daemon(state: &Path) -> Result<Self, StateError> {
        let mut file = open(state, "lock")?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The number is a courtesy: without it the message is as true.
                let _ = file.read_to_string(&mut text);
                let pid = text.trim().parse().ok();
                return Err(StateError::DaemonRuns { path: state.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(not_writable(state, &error)),
        }
        let note = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", process::id())
        };
        // So is writing it: the file may be somebody else's, and the lock holds all the same.
        let _ = note(&mut file);
        Ok(Self { file })
    }

    /// Shows that whoever holds it is alive: [`FileLock::last_beat_of_daemon`].
    ///
    /// # Errors
    /// What the system says, where the file is another user's.
    pub fn beat(&self) -> io::Result<()> {
        self.file.set_modified(SystemTime::now())
    }

    /// When the daemon with this state database last showed that it is alive; none where no daemon
    /// runs. Nothing is made to find out.
    ///
    /// # Errors
    /// What the system says, where this user may not look.
    pub fn last_beat_of_daemon(state: &Path) -> io::Result<Option<SystemTime>> {
        let file = match File::open(path(state, "lock")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => file.metadata()?.modified().map(Some),
            _ => Ok(None),
        }
    }

    pub(super) async fn for_cycle(state: &Path) -> Result<Self, StateError> {
        let file = open(state, "cycle")?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file }),
                Err(TryLockError::WouldBlock) => {
                    tokio::time::sleep(Duration::from_millis(100)).await
                }
                Err(TryLockError::Error(error)) => return Err(not_writable(state, &error)),
            }
        }
    }
}

fn path(state: &Path, suffix: &str) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens the lock file, or makes it. One that another user made can only be read, which is enough
/// to lock it.
fn open(state: &Path, suffix: &str) -> Result<File, StateError> {
    let path = path(state, suffix);
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
        .map_err(|error| not_writable(state, &error))
}

fn not_writable(state: &Path, error: &io::Error) -> StateError {
    StateError::NotWritable { path: state.to_owned(), detail: error.to_string() }
}
