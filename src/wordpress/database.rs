use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, ColumnIndex, ConnectOptions, Connection as _, Database, Decode, Executor, MySql,
    Row, Sqlite, SqliteConnection,
};

use super::{
    budget::{Budget, TooMuch},
    error::DatabaseError,
    location::Location,
    mysql::MySqlConnection,
};

/// A connection to the network's database, of either make, for one read or write: at an interval of
/// seconds that costs nothing, and there is never a stale one.
pub(super) enum Connection {
    /// What it may send is watched by its relay.
    MySql(MySqlConnection),
    Sqlite(SqliteConnection, Budget),
}

/// What every query of this module yields, so that one function reads them all.
pub(super) struct RawRow<'r> {
    pub(super) id: i64,
    pub(super) blog_id: i64,
    /// As bytes: what is no text must not stop the rows after it.
    pub(super) domain: &'r [u8],
    pub(super) modified: Option<i64>,
    /// As bytes, too.
    pub(super) path: &'r [u8],
}

impl Connection {
    pub(super) async fn open(location: &Location, budget: Budget) -> Result<Self, DatabaseError> {
        Ok(match location {
            Location::MySql(options) => Self::MySql(MySqlConnection::open(options, budget).await?),
            Location::Sqlite(path) => {
                Self::Sqlite(Location::sqlite_options(path).connect().await?, budget)
            }
        })
    }

    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(..))
    }

    /// Why the connection is plain, where TLS was tried and failed.
    pub(super) fn tls_failed(&self) -> Option<&str> {
        match self {
            Self::MySql(connection) => connection.tls_failed.as_deref(),
            Self::Sqlite(..) => None,
        }
    }

    /// Begins a transaction in which every query sees the same moment. It ends with the connection.
    pub(super) async fn begin_snapshot(&mut self) -> Result<(), DatabaseError> {
        let statements: &[&'static str] = if self.is_sqlite() {
            &["BEGIN"]
        } else {
            // A server may be set to a weaker level, at which there is no snapshot.
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

    /// Begins a transaction that writes. Without [`Self::commit`] nothing of it is done.
    pub(super) async fn begin(&mut self) -> Result<(), DatabaseError> {
        let begin = if self.is_sqlite() { "BEGIN IMMEDIATE" } else { "START TRANSACTION" };
        self.execute(begin).await.map(drop)
    }

    pub(super) async fn commit(&mut self) -> Result<(), DatabaseError> {
        self.execute("COMMIT").await.map(drop)
    }

    /// Hands every row of a query to `take`, one by one. `sql` is made of our own words, of
    /// [`TablePrefix`](super::TablePrefix)es, of numbers and of [`Self::literal`]s only.
    pub(super) async fn each(
        &mut self,
        sql: &str,
        mut take: impl FnMut(RawRow<'_>),
    ) -> Result<(), DatabaseError> {
        match self {
            Self::MySql(connection) => {
                let take = |row: RawRow<'_>| {
                    take(row);
                    Ok(())
                };
                let read = each::<MySql>(&mut connection.sqlx, sql, take).await;
                read.map_err(|error| connection.reason(error))
            }
            Self::Sqlite(connection, budget) => {
                let take = |row: RawRow<'_>| {
                    budget.take(row.domain.len() + row.path.len())?;
                    take(row);
                    Ok(())
                };
                each::<Sqlite>(connection, sql, take).await
            }
        }
    }

    /// Runs a statement made as in [`Self::each`], and returns how many rows it wrote.
    pub(super) async fn execute(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql));
        Ok(match self {
            Self::MySql(connection) => {
                let done = connection.sqlx.execute(statement).await;
                done.map_err(|error| connection.reason(error))?.rows_affected()
            }
            Self::Sqlite(connection, _) => connection.execute(statement).await?.rows_affected(),
        })
    }

    /// The only column of every row of a query made as in [`Self::each`].
    pub(super) async fn texts(&mut self, sql: &str) -> Result<Vec<String>, DatabaseError> {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            Self::MySql(connection) => {
                let rows = connection.sqlx.fetch_all(statement).await;
                let rows = rows.map_err(|error| connection.reason(error))?;
                Ok(rows.iter().map(|row| row.try_get_unchecked(0)).collect::<sqlx::Result<_>>()?)
            }
            Self::Sqlite(connection, _) => {
                let rows = connection.fetch_all(statement).await?;
                Ok(rows.iter().map(|row| row.try_get_unchecked(0)).collect::<sqlx::Result<_>>()?)
            }
        }
    }

    /// An SQL expression: a text, whatever is in it.
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

    /// An SQL expression: `column` in Unix seconds.
    pub(super) fn unix_seconds(&self, column: &str) -> String {
        match self {
            // UNIX_TIMESTAMP would depend on time zones. Zero dates become NULL.
            Self::MySql(_) => format!("TIMESTAMPDIFF(SECOND, '1970-01-01', {column})"),
            Self::Sqlite(..) => format!("CAST(strftime('%s', {column}) AS INTEGER)"),
        }
    }

    /// An SQL expression: the time now in UTC, as WordPress writes it.
    pub(super) fn now(&self) -> &'static str {
        match self {
            Self::MySql(_) => "UTC_TIMESTAMP()",
            Self::Sqlite(..) => "datetime('now')",
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::MySql(connection) => connection.close().await,
            // Whatever goes wrong while saying good-bye, the work is done.
            Self::Sqlite(connection, _) => drop(connection.close().await),
        }
    }
}

async fn each<DB>(
    connection: &mut DB::Connection,
    sql: &str,
    mut take: impl FnMut(RawRow<'_>) -> Result<(), TooMuch>,
) -> Result<(), DatabaseError>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    usize: ColumnIndex<DB::Row>,
    for<'r> i64: Decode<'r, DB>,
    for<'r> Option<i64>: Decode<'r, DB>,
    for<'r> Option<&'r [u8]>: Decode<'r, DB>,
{
    let mut rows = connection.fetch(sqlx::raw_sql(AssertSqlSafe(sql)));
    while let Some(row) = rows.try_next().await? {
        // Unchecked: what SQLite and old schemas declare for a column says little of its values.
        take(RawRow {
            id: row.try_get_unchecked(0)?,
            blog_id: row.try_get_unchecked(1)?,
            domain: row.try_get_unchecked::<Option<&[u8]>, _>(2)?.unwrap_or_default(),
            modified: row.try_get_unchecked(3)?,
            path: row.try_get_unchecked::<Option<&[u8]>, _>(4)?.unwrap_or_default(),
        })?;
    }
    Ok(())
}
