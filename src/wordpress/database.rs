use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, Executor, Row, SqliteConnection,
    sqlite::SqliteConnectOptions,
};

use super::{
    budget::Budget, error::DatabaseError, location::Location, mysql::MySqlConnection,
    raw_row::RawRow,
};

/// A connection to the network's database for one read or write: opening one every few seconds costs
/// little, and it is never stale.
pub(super) enum Connection {
    /// Its relay enforces the budget.
    MySql(MySqlConnection),
    Sqlite(SqliteConnection, Budget),
}

impl Connection {
    pub(super) async fn open(location: &Location, budget: Budget) -> Result<Self, DatabaseError> {
        Ok(match location {
            Location::MySql(options) => Self::MySql(MySqlConnection::open(options, budget).await?),
            Location::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .busy_timeout(Duration::from_secs(10))
                    .disable_statement_logging();
                Self::Sqlite(options.connect().await?, budget)
            }
        })
    }

    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(..))
    }

    /// Why TLS failed, if the connection is unencrypted because of that.
    pub(super) fn tls_failed(&self) -> Option<&str> {
        match self {
            Self::MySql(connection) => connection.tls_failed.as_deref(),
            Self::Sqlite(..) => None,
        }
    }

    /// Begins a transaction in which all queries see the same moment. It ends with the connection.
    pub(super) async fn begin_snapshot(&mut self) -> Result<(), DatabaseError> {
        let statements: &[&'static str] = if self.is_sqlite() {
            &["BEGIN"]
        } else {
            // The server's default may be a weaker level, which has no snapshot.
            &[
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            ]
        };
        for statement in statements {
            self.execute(statement).await?;
        }
        Ok(())
    }

    /// Begins a transaction that writes. Without a COMMIT it is rolled back.
    pub(super) async fn begin(&mut self) -> Result<(), DatabaseError> {
        let begin = if self.is_sqlite() { "BEGIN IMMEDIATE" } else { "START TRANSACTION" };
        self.execute(begin).await.map(drop)
    }

    /// Calls `take` with each row of a query. `sql` may contain only constants,
    /// [`TablePrefix`](super::TablePrefix)es, numbers and [`Self::literal`]s.
    pub(super) async fn each(
        &mut self,
        sql: &str,
        mut take: impl FnMut(RawRow<'_>),
    ) -> Result<(), DatabaseError> {
        match self {
            Self::MySql(connection) => connection.each(sql, take).await,
            Self::Sqlite(connection, budget) => {
                let mut rows = connection.fetch(sqlx::raw_sql(AssertSqlSafe(sql)));
                while let Some(row) = rows.try_next().await? {
                    // Unchecked: values may be of other types than their columns.
                    let bytes = |column: usize| -> sqlx::Result<&[u8]> {
                        Ok(row.try_get_unchecked::<Option<&[u8]>, _>(column)?.unwrap_or_default())
                    };
                    let more = |column: usize| match column < row.len() {
                        true => bytes(column),
                        false => Ok(&[][..]),
                    };
                    let row = RawRow {
                        id: row.try_get_unchecked(0)?,
                        blog_id: row.try_get_unchecked(1)?,
                        domain: bytes(2)?,
                        extra: bytes(3)?,
                        path: bytes(4)?,
                        more: [more(5)?, more(6)?, more(7)?],
                    };
                    budget.take(row.domain.len() + row.path.len())?;
                    take(row);
                }
                Ok(())
            }
        }
    }

    /// Runs a statement and returns the number of rows that it wrote. `sql` is as for [`Self::each`].
    pub(super) async fn execute(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        Ok(match self {
            Self::MySql(connection) => connection.execute(AssertSqlSafe(sql)).await?,
            Self::Sqlite(connection, _) => {
                connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?.rows_affected()
            }
        })
    }

    /// An SQL expression for any text.
    pub(super) fn literal(&self, text: &str) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "./-_*".contains(c);
        if text.chars().all(is_plain) {
            return format!("'{text}'");
        }
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::MySql(_) => format!("_utf8mb4 X'{hex}'"),
            Self::Sqlite(..) => format!("CAST(X'{hex}' AS TEXT)"),
        }
    }

    /// An SQL expression for the current time in UTC, as WordPress stores it.
    pub(super) fn now(&self) -> &'static str {
        match self {
            Self::MySql(_) => "UTC_TIMESTAMP()",
            Self::Sqlite(..) => "datetime('now')",
        }
    }

    /// An SQL expression for the seconds since the time in a column; NULL for NULL and for zero dates.
    pub(super) fn seconds_since(&self, column: &str) -> String {
        match self {
            Self::MySql(_) => format!("TIMESTAMPDIFF(SECOND, {column}, UTC_TIMESTAMP())"),
            Self::Sqlite(..) => format!(
                "(CAST(strftime('%s', 'now') AS INTEGER) - CAST(strftime('%s', {column}) AS INTEGER))"
            ),
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::MySql(connection) => connection.close().await,
            // The work is done: an error no longer matters.
            Self::Sqlite(connection, _) => drop(connection.close().await),
        }
    }
}
