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
    place::{FileId, canonical},
};

/// An advisory lock on a file beside the state database. The system drops it with the process,
/// however that ends.
#[derive(Debug)]
pub struct FileLock {
    /// The state database.
    state: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    file: File,
    /// The database that the file says the daemon works with.
    noted: Option<FileId>,
}

/// A daemon that runs with a state database.
#[derive(Debug, Clone, Copy)]
pub struct RunningDaemon {
    /// When it showed last that it is alive.
    pub last_beat: SystemTime,
    /// Whether the database that it works with is at its name; as far as it noted that.
    pub file: TheFile,
}

/// What is at the name of the database that a daemon works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TheFile {
    /// That database.
    InPlace,
    /// Nothing.
    Deleted,
    /// Another file.
    Replaced,
}

impl RunningDaemon {
    /// What is wrong with the database at this path, with which it runs.
    pub fn trouble(&self, path: &Path) -> Option<String> {
        let path = path.display();
        match self.file {
            TheFile::InPlace => None,
            TheFile::Deleted => Some(format!(
                "the state database {path} was deleted: the daemon writes it anew, unless its log says \
                 why it cannot; do not restart it before"
            )),
            TheFile::Replaced => Some(format!(
                "the state database {path} was replaced while the daemon runs, which does nothing any \
                 more: restart it"
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

    /// Makes sure that the locked file is still the one at its name, and locks that if it is not.
    ///
    /// # Errors
    /// [`StateError::DaemonRuns`] where another daemon was quicker.
    pub fn keep(&self, state: &State) -> Result<(), StateError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = FileId::of(&held.file.metadata().map_err(not_writable)?);
        let database = state.place.database();
        if FileId::at(&path(&self.state, "lock")).map_err(not_writable)? != Some(ours) {
            held.file = lock_daemons_file(&self.state)?;
        } else if held.noted == database {
            return Ok(());
        }
        held.noted = database;
        held.note();
        Ok(())
    }

    /// Shows that whoever holds it is alive: [`FileLock::daemon`].
    ///
    /// # Errors
    /// What the system says, where the file is another user's.
    pub fn beat(&self) -> io::Result<()> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.file.set_modified(SystemTime::now())
    }

    /// The daemon with this state database; none where no daemon runs. Nothing is made to find out.
    ///
    /// # Errors
    /// What the system says, where this user may not look.
    pub fn daemon(state: &Path) -> io::Result<Option<RunningDaemon>> {
        let open = || {
            let state = canonical(state)?;
            File::open(path(&state, "lock")).map(|file| (state, file))
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
        // A daemon that could not write into it says nothing of its database.
        let _ = file.read_to_string(&mut text);
        let file = match (noted_database(&text), FileId::at(&state)?) {
            (None, _) => TheFile::InPlace,
            (Some(_), None) => TheFile::Deleted,
            (noted, found) if noted == found => TheFile::InPlace,
            _ => TheFile::Replaced,
        };
        Ok(Some(RunningDaemon { last_beat, file }))
    }

    pub(super) async fn for_cycle(state: &Path) -> Result<Self, StateError> {
        let file = open(state, "cycle")?;
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
    /// Writes down whose lock it is, and with which database. That is a courtesy: the file may be
    /// somebody else's, and the lock holds all the same.
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
    let mut file = open(state, "lock")?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // The number is a courtesy: without it the message is as true.
            let _ = file.read_to_string(&mut text);
            let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
            Err(StateError::DaemonRuns(pid))
        }
        Err(TryLockError::Error(error)) => Err(not_writable(error)),
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
        .map_err(not_writable)
}
