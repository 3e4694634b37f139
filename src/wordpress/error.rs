use std::time::Duration;

use sqlx::mysql::MySqlDatabaseError;
use thiserror::Error;

use super::{budget::TooMuch, mysql::error::MySqlError};
use crate::secrets;

/// Why the network's database could not be read or written. No case holds the password.
#[derive(Debug, Error)]
pub enum SourceError {
    /// Nobody answers there.
    #[error(
        "cannot connect to {database} ({reason}); does the database run? `closte-sync config` shows where the address comes from"
    )]
    Unreachable {
        /// The address, without its password.
        database: String,
        /// What the network or the file system said.
        reason: String,
    },
    /// User or password are wrong.
    #[error(
        "{database} does not let this user in ({reason}); check user and password: `closte-sync config` shows where they come from"
    )]
    AccessDenied {
        /// The address, without its password.
        database: String,
        /// What the server said.
        reason: String,
    },
    /// No such database.
    #[error(
        "{database}: {reason}; `closte-sync config` shows where the database's name comes from"
    )]
    UnknownDatabase {
        /// The address, without its password.
        database: String,
        /// What the server said.
        reason: String,
    },
    /// A table that must be there is not.
    #[error("there is no table {table} in {database}, at least not for this user; {}", hint(.similar))]
    TableMissing {
        /// The address, without its password.
        database: String,
        /// The table's full name.
        table: String,
        /// Prefixes under which a table of that kind exists there.
        similar: Vec<String>,
    },
    /// The user may not read a table.
    #[error("{database}: no right to read the network's tables ({reason}); run: {grant}")]
    SelectDenied {
        /// The address, without its password.
        database: String,
        /// What the server said.
        reason: String,
        /// The statements that give all rights that are needed.
        grant: String,
    },
    /// Nobody may write there.
    #[error(
        "domain records cannot be written ({reason}); is it a replica? Name the primary server, or set wordpress.create_domain_records = false"
    )]
    ReadOnly {
        /// What the server said.
        reason: String,
    },
    /// The user may not write domain records.
    #[error(
        "no right to write domain records; run: {grant} (or set wordpress.create_domain_records = false)"
    )]
    InsertDenied {
        /// The statement, or what else gives the right.
        grant: String,
    },
    /// The `site` table does not have the network.
    #[error(
        "there is no network {id} in {table} (there is {known}); check wordpress.network_id and wordpress.primary_network_id"
    )]
    UnknownNetwork {
        /// The network that is meant.
        id: i64,
        /// The `site` table.
        table: String,
        /// The networks that there are.
        known: String,
    },
    /// There are several networks, and which is meant is not certain.
    #[error("there are networks {known} in {table}, and which is meant is not certain: {doubts}")]
    NetworkInDoubt {
        /// The `site` table.
        table: String,
        /// The networks that there are.
        known: String,
        /// Why, and what to set.
        doubts: String,
    },
    /// The database knows no such character set.
    #[error(
        "{database}: {reason}; DB_CHARSET in wp-config.php names the character set, or ?charset= in wordpress.database_url"
    )]
    UnknownCharset {
        /// The address, without its password.
        database: String,
        /// What the server said.
        reason: String,
    },
    /// The `site` table is empty, so nothing else in the database can be trusted.
    #[error(
        "{table} has no row: the database is not that of a multisite network, or is being restored"
    )]
    NoNetwork {
        /// The `site` table.
        table: String,
    },
    /// Nothing tells whether it is the network that it was, or another one.
    #[error(
        "the network was {from} and is {to} now, and its domain table is empty, so it is not certain \
         that it is the same network: nothing is done until a domain is mapped again (or start with \
         another state.url)"
    )]
    RenamedAndEmpty {
        /// Its domain, as it was.
        from: String,
        /// Its domain, as it is.
        to: String,
    },
    /// The database takes too long.
    #[error("{database} did not answer within {} s", .limit.as_secs())]
    TimedOut {
        /// The address, without its password.
        database: String,
        /// How long it had.
        limit: Duration,
    },
    /// A fault of this program, or of a library.
    #[error(
        "{database}: closte-sync itself failed over what this database sent ({reason}); please report this"
    )]
    Fault {
        /// The address, without its password.
        database: String,
        /// What was found to be impossible, and where.
        reason: String,
    },
    /// Anything else that the database says.
    #[error("{database}: {reason}")]
    Other {
        /// The address, without its password.
        database: String,
        /// What it said.
        reason: String,
    },
}

fn hint(similar: &[String]) -> String {
    if similar.is_empty() {
        return "no table of that kind is there under any prefix: is this the network's database, \
                and is Ultimate Multisite active on the network?"
            .to_owned();
    }
    let prefixes: Vec<_> =
        similar.iter().map(|prefix| format!("wordpress.table_prefix = \"{prefix}\"")).collect();
    format!("that kind of table is there under another prefix: set {}", prefixes.join(" or "))
}

/// What a database says, of either make.
#[derive(Debug, Error)]
pub(super) enum DatabaseError {
    #[error(transparent)]
    MySql(#[from] MySqlError),
    #[error("{}", sqlx_reason(.0))]
    Sqlx(#[from] sqlx::Error),
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

/// The most of what a database said that is repeated, in characters.
const REASON: usize = 500;

/// What the database said, without what our library puts around it.
fn sqlx_reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => secrets::excerpt(error.message(), REASON),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::ColumnDecode { .. } => {
            "a row has a value that is not of its column's kind: is this the network's database?"
                .to_owned()
        }
        _ => "the database gives no answer that makes sense; is it well?".to_owned(),
    }
}

/// What a database's error is about, whichever database it is.
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
            DatabaseError::MySql(_) | DatabaseError::TooMuch(_) => Self::Other,
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
