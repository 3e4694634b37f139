use std::{io, path::PathBuf};

use thiserror::Error;

/// Why the state database cannot be used. Nothing was changed in it. As with [`std::io::Error`], whoever
/// named the file says which one it is.
#[derive(Debug, Error)]
pub enum StateError {
    /// Its folder cannot be made.
    #[error("cannot make the folder {} for the state database ({source}); make it, or set state.url", folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It cannot be opened: what SQLite or the system said.
    #[error(
        "cannot open the state database ({0}); check that this user may read and write it and its folder (root may), or set state.url"
    )]
    NotWritable(String),
    /// It is no SQLite database, no longer one, or holds what makes no sense.
    #[error(
        "the state database is damaged ({0}); restore it from a backup, or move it away to begin anew: what is at Closte then counts as unmanaged unless it is desired"
    )]
    Damaged(String),
    /// A newer version of this program wrote it.
    #[error(
        "the state database was written by a newer version of closte-sync; install that version"
    )]
    Newer,
    /// An older version of this program wrote it, and it is open for reading only.
    #[error(
        "the state database was written by an older version of closte-sync; `closte-sync run` or `apply` brings it up to date"
    )]
    Older,
    /// A daemon uses it: its process, as it noted it.
    #[error("another closte-sync daemon{} runs with the state database; stop it first, or give this one a state.url of its own", process(.0))]
    DaemonRuns(Option<u32>),
    /// Another process held it for too long.
    #[error(
        "another process keeps the state database locked: another closte-sync, or a backup of the file? Try again, or stop it"
    )]
    Locked,
    /// There is no room for more: what SQLite said.
    #[error("the disk with the state database is full ({0}): make room there")]
    Full(String),
    /// The system could not read or write it.
    #[error(
        "the state database cannot be read or written ({detail}, SQLite's code {code}): is the disk full or broken, or a limit reached?"
    )]
    Disk {
        /// What SQLite said.
        detail: String,
        /// SQLite's extended result code, which says in what it failed.
        code: i32,
    },
    /// It has another name as well.
    #[error(
        "the state database has a second name (a hard link), by which another daemon could take it for its own; remove one of them (find / -samefile finds both)"
    )]
    SecondName,
    /// It is no longer there, and could not be written anew: why not.
    #[error("the state database was deleted ({0})")]
    Deleted(String),
    /// Another file is at its name.
    #[error(
        "the state database was replaced while the daemon ran; restart the daemon, which then works with the file that is there now"
    )]
    Replaced,
    /// Anything else that SQLite says.
    #[error("the state database cannot be used: {0}")]
    Other(String),
}

impl StateError {
    /// Whether [`State::attend`](super::State::attend) reports it.
    pub fn is_reported(&self) -> bool {
        matches!(self, Self::Deleted(_) | Self::Replaced)
    }
}

/// Sorts SQLite's errors by its primary result codes (<https://sqlite.org/rescode.html>).
impl From<sqlx::Error> for StateError {
    fn from(error: sqlx::Error) -> Self {
        let error = match error {
            sqlx::Error::Database(error) => error,
            sqlx::Error::ColumnDecode { source, .. } => return Self::Damaged(source.to_string()),
            other => return Self::Other(other.to_string()),
        };
        let detail = error.message().to_owned();
        let code = error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
        match code & 0xff {
            5 | 6 | 15 => Self::Locked,
            13 => Self::Full(detail),
            10 => Self::Disk { detail, code },
            3 | 8 | 14 | 23 => Self::NotWritable(detail),
            11 | 26 => Self::Damaged(detail),
            _ => Self::Other(detail),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StateError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::VersionMissing(_) => Self::Newer,
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

fn process(pid: &Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
