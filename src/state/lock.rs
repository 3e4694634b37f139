use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
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
use crate::{escape::escape_line, span::span};

/// Six times the interval at which the daemon updates the lock file.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

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
    noted: Note,
}

/// What the daemon writes in the file.
#[derive(Debug, Default, PartialEq)]
struct Note {
    /// None where it cannot be known, as that of another container.
    process: Option<u32>,
    database: Option<FileId>,
    wp_config: Option<PathBuf>,
}

/// A daemon that uses a state database.
#[derive(Debug, Clone)]
pub struct RunningDaemon {
    /// Of [`FileLock::beat`].
    pub last_beat: SystemTime,
    /// [`Fate::InPlace`] if it is not known.
    file: Fate,
    /// The `wp-config.php` that it has read; none where it is not known.
    wp_config: Option<PathBuf>,
}

impl RunningDaemon {
    /// What is wrong with it, or with its database, which has this path.
    pub fn trouble(&self, path: &Path) -> Option<String> {
        // After the clock was set back, the last beat can lie in the future: that counts as now.
        let silence = SystemTime::now().duration_since(self.last_beat).unwrap_or_default();
        if silence > LONGEST_SILENCE {
            let silence = span(silence);
            return Some(format!("the daemon hangs: no sign of life for {silence}; restart it"));
        }
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

    /// The `wp-config.php` that it has read and that is not there any more.
    pub fn lost_wp_config(&self) -> Option<&Path> {
        self.wp_config.as_deref().filter(|path| matches!(path.try_exists(), Ok(false)))
    }
}

impl FileLock {
    pub(super) fn for_daemon(state: &Path, database: Option<FileId>) -> Result<Self, StateError> {
        let file = lock_daemons_file(state)?;
        let noted = Note { process: Some(process::id()), database, wp_config: None };
        let mut held = Held { file, noted };
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
        } else if held.noted.database == database {
            return Ok(());
        }
        held.noted.database = database;
        held.note();
        Ok(())
    }

    /// Shows [`RunningDaemon::lost_wp_config`] which file the daemon has read.
    pub fn note_wp_config(&self, path: Option<&Path>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.noted.wp_config = path.map(Path::to_owned);
        held.note();
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
        let Note { database, wp_config, .. } = Note::read(&mut file);
        let file = match (database, FileId::at(&state)?) {
            (None, _) => Fate::InPlace,
            (Some(_), None) => Fate::Deleted,
            (noted, found) if noted == found => Fate::InPlace,
            _ => Fate::Replaced,
        };
        Ok(Some(RunningDaemon { last_beat, file, wp_config }))
    }

    pub(super) async fn for_cycle(state: &Path) -> Result<Self, StateError> {
        let file = open(state, ".cycle")?;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    let held = Mutex::new(Held { file, noted: Note::default() });
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
    /// Writes the note to the file, which may belong to another user. The lock holds even if that fails.
    fn note(&mut self) {
        let file = &mut self.file;
        let text = self.noted.to_string();
        let mut write = || {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(text.as_bytes())
        };
        let _: io::Result<()> = write();
    }
}

impl Note {
    fn read(file: &mut File) -> Self {
        let mut text = String::new();
        // It is empty if the daemon could not write to it.
        let _ = file.read_to_string(&mut text);
        Self::parse(&text)
    }

    /// What an earlier version has not written is none.
    fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let process = lines.next().and_then(|line| {
            let (process, of) = line.split_once(' ')?;
            // The number has a meaning only where it was given.
            if of == processes() { process.parse().ok() } else { None }
        });
        let database = lines.next().and_then(|line| {
            let (device, inode) = line.split_once(' ')?;
            Some(FileId { device: device.parse().ok()?, inode: inode.parse().ok()? })
        });
        let wp_config = lines.next().filter(|line| !line.is_empty()).map(PathBuf::from);
        Self { process, database, wp_config }
    }
}

/// One line each: the process and the namespace of its number, the database, the `wp-config.php`.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = self.process.map(|process| process.to_string()).unwrap_or_default();
        writeln!(f, "{process} {}", processes())?;
        match self.database {
            Some(FileId { device, inode }) => writeln!(f, "{device} {inode}")?,
            None => writeln!(f)?,
        }
        match self.wp_config.as_deref().and_then(Path::to_str) {
            Some(path) => writeln!(f, "{}", escape_line(path)),
            None => Ok(()),
        }
    }
}

/// The namespace of the numbers of processes: each container has its own (pid_namespaces(7)).
fn processes() -> String {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().into_owned()
}

fn lock_daemons_file(state: &Path) -> Result<File, StateError> {
    let mut file = open(state, ".lock")?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            // The message names the process if it is known.
            Err(StateError::DaemonRuns(Note::read(&mut file).process))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let database = Some(FileId { device: 7, inode: 11 });
        for note in [
            Note::default(),
            Note { process: Some(42), database, wp_config: None },
            Note {
                process: Some(42),
                database: None,
                wp_config: Some("/var/www/html/wp-config.php".into()),
            },
        ] {
            assert_eq!(Note::parse(&note.to_string()), note);
        }
        let elsewhere = Note::parse("1 pid:[1]\n7 11\n");
        assert_eq!(elsewhere, Note { process: None, database, wp_config: None });
        let of_earlier_version = Note::parse("4711\n7 11\n");
        assert_eq!(of_earlier_version, Note { process: None, database, wp_config: None });
        assert_eq!(Note::parse(""), Note::default());
    }
}
