use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the state database cannot be used. Nothing was changed in it.
#[derive(Debug, Error)]
pub enum StateError {
    /// Its folder cannot be made.
    #[error("cannot make the folder {} for the state database ({source}); make it, or set state.url", folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It cannot be opened.
    #[error("cannot open the state database {} ({detail}); check that this user may read and write it and its folder (root may), or set state.url", path.display())]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system said.
        detail: String,
    },
    /// It is no SQLite database, or no longer one.
    #[error("the state database {} is damaged ({detail}); restore it from a backup, or move it away to begin anew: what is at Closte then counts as unmanaged unless it is desired", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// A newer version of this program wrote it.
    #[error("the state database {} was written by a newer version of closte-sync; install that version", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// An older version of this program wrote it, and it is open for reading only.
    #[error("the state database {} was written by an older version of closte-sync; `closte-sync run` or `apply` brings it up to date", path.display())]
    Older {
        /// The file.
        path: PathBuf,
    },
    /// A daemon uses it.
    #[error("another closte-sync daemon{} runs with the state database {}; stop it first, or give this one a state.url of its own", process(.pid), path.display())]
    DaemonRuns {
        /// The file.
        path: PathBuf,
        /// The daemon's process, as it noted it.
        pid: Option<u32>,
    },
    /// Another process held it for too long.
    #[error("another process keeps the state database {} locked: another closte-sync, or a backup of the file? Try again, or stop it", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// There is no room for more.
    #[error("the disk with the state database {} is full ({detail}): make room there", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// The system could not read or write it.
    #[error("the state database {} cannot be read or written ({detail}, SQLite's code {code}): is the disk full or broken, or a limit reached?", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
        /// SQLite's extended result code, which says in what it failed.
        code: i32,
    },
    /// It has another name as well.
    #[error("the state database {} has a second name (a hard link), by which another daemon could take it for its own; remove one of them (find / -samefile finds both)", path.display())]
    SecondName {
        /// The file.
        path: PathBuf,
    },
    /// It is no longer there, and could not be written anew.
    #[error("the state database {} was deleted ({detail})", path.display())]
    Deleted {
        /// The file.
        path: PathBuf,
        /// Why it is not there again.
        detail: String,
    },
    /// Another file is at its name.
    #[error("the state database {} was replaced while the daemon ran; restart the daemon, which then works with the file that is there now", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// Anything else that SQLite says.
    #[error("the state database {} cannot be used: {detail}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
}

impl StateError {
    /// Whether [`State::attend`](super::State::attend) tells of it, so that nobody else has to.
    pub fn is_told(&self) -> bool {
        matches!(self, Self::Deleted { .. } | Self::Replaced { .. })
    }

    /// Sorts SQLite's errors by its primary result codes (<https://sqlite.org/rescode.html>).
    pub(super) fn from_sqlx(path: &Path, error: sqlx::Error) -> Self {
        let path = path.to_owned();
        let detail =
            error.as_database_error().map_or_else(|| error.to_string(), |e| e.message().to_owned());
        let code = error.as_database_error().and_then(|e| e.code()?.parse::<i32>().ok());
        match code.map(|code| code & 0xff) {
            Some(5 | 6 | 15) => Self::Locked { path },
            Some(13) => Self::Full { path, detail },
            Some(10) => Self::Disk { path, detail, code: code.unwrap_or_default() },
            Some(3 | 8 | 14 | 23) => Self::NotWritable { path, detail },
            Some(11 | 26) => Self::Damaged { path, detail },
            _ => Self::Other { path, detail },
        }
    }
}

fn process(pid: &Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
