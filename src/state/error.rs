use std::{io, path::PathBuf};

use strum::IntoStaticStr;
use thiserror::Error;

use crate::settings::user;

/// Why the state database cannot be used. Nothing was changed in it. As with [`std::io::Error`], the
/// caller adds the path.
#[derive(Debug, Error, IntoStaticStr)]
pub enum StateError {
    #[error(
        "cannot create the folder {} for the state database as the user with the id {} ({source}); create it and let that user write it, or set state.url",
        folder.display(),
        user()
    )]
    NoFolder { folder: PathBuf, source: io::Error },
    /// With the message of SQLite or the system.
    #[error(
        "cannot open the state database as the user with the id {user} ({0}); let that user read and write it and its folder, as by chown -R {user} (of a mounted folder: on the host), or set state.url",
        user = user()
    )]
    NotWritable(String),
    /// It is no SQLite database, or contains invalid values.
    #[error(
        "the state database is damaged ({0}); restore it from a backup, or move it away to start with a new one, in which names at Closte are unmanaged unless they are desired"
    )]
    Damaged(String),
    #[error(
        "the state database was written by a newer version of closte-sync; install that version"
    )]
    Newer,
    /// It is open for reading only, and its schema is older.
    #[error(
        "the state database was written by an older version of closte-sync; `closte-sync run` or `apply` brings it up to date"
    )]
    Older,
    /// With the process that the daemon noted.
    #[error("another closte-sync daemon{} runs with the state database; stop it first, or give this one a state.url of its own", process(.0))]
    DaemonRuns(Option<u32>),
    /// Another process has locked it for longer than SQLite waits.
    #[error(
        "another process keeps the state database locked: another closte-sync, or a backup of the file? Try again, or stop it"
    )]
    Locked,
    /// With SQLite's message.
    #[error("the disk with the state database is full ({0}): free some space on it")]
    Full(String),
    /// An I/O error.
    #[error(
        "the state database cannot be read or written ({detail}, SQLite's code {code}): is the disk full or broken, or a limit reached?"
    )]
    Disk {
        detail: String,
        /// SQLite's extended result code.
        code: i32,
    },
    /// It has a hard link.
    #[error(
        "the state database has a second name (a hard link), under which another daemon could use it; remove one of them (find / -samefile finds both)"
    )]
    SecondName,
    /// With the reason why it could not be restored.
    #[error("the state database was deleted ({0})")]
    Deleted(String),
    /// Another file is at its path.
    #[error(
        "the state database was replaced while the daemon ran; restart the daemon, which then works with the file that is there now"
    )]
    Replaced,
    #[error("the state database cannot be used: {0}")]
    Other(String),
}

impl StateError {
    /// Whether [`State::check_file`](super::State::check_file) reports it.
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
