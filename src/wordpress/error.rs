use std::time::Duration;

use sqlx::mysql::MySqlDatabaseError;
use strum::IntoStaticStr;
use thiserror::Error;

use super::{budget::TooMuch, mysql::error::MySqlError};
use crate::secrets;

/// Why the network's database could not be read or written. No variant holds the password. `database` is
/// its address, `reason` what the server or the system reported, `grant` statements that give the rights.
#[derive(Debug, Error, IntoStaticStr)]
pub enum SourceError {
    #[error(
        "cannot connect to {database} ({reason}); check that the database is running: `closte-sync config` shows where the address comes from"
    )]
    Unreachable { database: String, reason: String },
    #[error(
        "{database} does not accept this user ({reason}); check user and password: `closte-sync config` shows where they come from"
    )]
    AccessDenied { database: String, reason: String },
    #[error(
        "{database}: {reason}; `closte-sync config` shows where the database's name comes from"
    )]
    UnknownDatabase { database: String, reason: String },
    #[error("there is no table {table} in {database}, or this user may not see it; {reason}")]
    TableMissing { database: String, table: String, reason: WhyMissing },
    #[error("{database}: no right to read the network's tables ({reason}); run: {grant}")]
    SelectDenied { database: String, reason: String, grant: String },
    #[error(
        "domain records cannot be written ({reason}); if this is a replica, configure the primary server, or set wordpress.create_domain_records = false"
    )]
    ReadOnly { reason: String },
    #[error(
        "no right to write domain records; run: {grant} (or set wordpress.create_domain_records = false)"
    )]
    InsertDenied { grant: String },
    #[error(
        "stages cannot be written ({reason}); if this is a replica, configure the primary server, or set wordpress.write_stage = \"off\""
    )]
    StageReadOnly { reason: String },
    #[error("no right to write stages; run: {grant} (or set wordpress.write_stage = \"off\")")]
    UpdateDenied { grant: String },
    #[error(
        "there is no network {id} in {table} (there is {known}); check wordpress.network_id and wordpress.primary_network_id"
    )]
    UnknownNetwork { id: i64, table: String, known: String },
    /// `doubts` say what to set.
    #[error(
        "there are networks {known} in {table}, and it is not certain which one to use: {doubts}"
    )]
    NetworkInDoubt { table: String, known: String, doubts: String },
    #[error(
        "{database}: {reason}; DB_CHARSET in wp-config.php sets the character set, or ?charset= in wordpress.database_url"
    )]
    UnknownCharset { database: String, reason: String },
    /// The `site` table is empty, so nothing else in the database can be trusted.
    #[error(
        "{table} has no row: the database is not that of a multisite network, or it is being restored"
    )]
    NoNetwork { table: String },
    /// It may be the same network or another one.
    #[error(
        "the network was {from} and is {to} now, and its domain table is empty, so it is not certain \
         that it is the same network: nothing is done until a domain is mapped again (or start with \
         another state.url)"
    )]
    RenamedAndEmpty { from: String, to: String },
    #[error("{database} did not answer within {} s", .limit.as_secs())]
    TimedOut { database: String, limit: Duration },
    /// A panic of this program or of a library.
    #[error(
        "{database}: closte-sync itself failed on what this database sent ({reason}); please report this"
    )]
    Fault { database: String, reason: String },
    #[error("{database}: {reason}")]
    Other { database: String, reason: String },
}

impl SourceError {
    /// A stable word for it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TableMissing { reason, .. } => reason.into(),
            other => other.into(),
        }
    }
}

/// Why a table is missing, as far as the other tables tell.
#[derive(Debug, Clone, PartialEq, Eq, Error, IntoStaticStr)]
pub enum WhyMissing {
    /// A table of that kind exists with these.
    #[error("that kind of table exists with another prefix: set {}", prefixes(.0))]
    OtherPrefix(Vec<String>),
    /// There is a WordPress with this prefix, and it is no multisite network.
    #[strum(serialize = "NoNetworkYet")]
    #[error(
        "this WordPress is no network yet: set WP_ALLOW_MULTISITE in wp-config.php, and create one under Tools > Network Setup"
    )]
    NoNetwork,
    #[error(
        "Ultimate Multisite is not active on the network: activate it under Network Admin > Plugins, and go through its set-up wizard, which makes its tables"
    )]
    PluginInactive,
    #[error(
        "Ultimate Multisite is active, but its set-up wizard, which makes its tables, was not finished: open Network Admin > Ultimate Multisite"
    )]
    NotSetUp,
    #[error(
        "no table of that kind exists with any prefix: is this the network's database? A new WordPress makes its tables when it is installed, in the browser"
    )]
    Unknown,
}

fn prefixes(similar: &[String]) -> String {
    let settings: Vec<_> =
        similar.iter().map(|prefix| format!("wordpress.table_prefix = \"{prefix}\"")).collect();
    settings.join(" or ")
}

/// An error of MySQL, MariaDB or SQLite.
#[derive(Debug, Error)]
pub(super) enum DatabaseError {
    #[error(transparent)]
    MySql(#[from] MySqlError),
    #[error("{}", sqlx_reason(.0))]
    Sqlx(#[from] sqlx::Error),
    #[error(
        "a row has a value that is not of its column's type; check that this is the network's database"
    )]
    WrongType,
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

impl DatabaseError {
    /// The number of an error that the server itself reports.
    pub(super) fn server_code(&self) -> Option<u16> {
        match self {
            Self::MySql(MySqlError::Server { code, .. }) => Some(*code),
            Self::Sqlx(sqlx::Error::Database(error)) => {
                error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
            }
            _ => None,
        }
    }
}

/// The database's own message, without what sqlx adds to it.
fn sqlx_reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => secrets::excerpt(error.message()),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::ColumnDecode { .. } => DatabaseError::WrongType.to_string(),
        _ => "the database sends no valid answer; check its own log".to_owned(),
    }
}

/// The kind of a database's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DatabaseErrorKind {
    Unreachable,
    AccessDenied,
    UnknownDatabase,
    TableMissing,
    Denied,
    ReadOnly,
    UnknownCharset,
    Other,
}

impl DatabaseErrorKind {
    pub(super) fn of(error: &DatabaseError) -> Self {
        match error {
            DatabaseError::MySql(MySqlError::Io(_)) => Self::Unreachable,
            DatabaseError::MySql(MySqlError::Server { code, .. }) => Self::of_mysql(*code),
            DatabaseError::MySql(_) | DatabaseError::WrongType | DatabaseError::TooMuch(_) => {
                Self::Other
            }
            DatabaseError::Sqlx(error) => Self::of_sqlx(error),
        }
    }

    fn of_mysql(code: u16) -> Self {
        // https://mariadb.com/kb/en/mariadb-error-code-reference/
        match code {
            1045 | 1698 | 3118 | 4151 => Self::AccessDenied,
            1049 => Self::UnknownDatabase,
            1146 => Self::TableMissing,
            1044 | 1142 | 1143 => Self::Denied,
            1290 | 1836 => Self::ReadOnly,
            1115 | 1231 => Self::UnknownCharset,
            _ => Self::Other,
        }
    }

    fn of_sqlx(error: &sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = error else {
            let is_io = matches!(error, sqlx::Error::Io(_));
            return if is_io { Self::Unreachable } else { Self::Other };
        };
        if let Some(error) = database.try_downcast_ref::<MySqlDatabaseError>() {
            return Self::of_mysql(error.number());
        }
        // https://sqlite.org/rescode.html: the low byte is the primary code.
        let code =
            database.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
        match code {
            Some(8) => Self::Denied,
            Some(14 | 26) => Self::Unreachable,
            _ if database.message().starts_with("no such table") => Self::TableMissing,
            _ => Self::Other,
        }
    }
}
