use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, ColumnIndex, ConnectOptions, Connection as _, Database, Decode, Executor,
    IntoArguments, MySql, MySqlConnection, Row, Sqlite, SqliteConnection, Type,
};

use super::location::Location;

/// A connection to the network's database, of either make. One is opened for each read: at an
/// interval of seconds that costs nothing, and there is never a stale one.
pub(super) enum Connection {
    MySql(MySqlConnection),
    Sqlite(SqliteConnection),
}

/// What every query of this module yields, so that one function reads them all.
pub(super) struct RawRow<'r> {
    pub(super) id: i64,
    pub(super) blog_id: i64,
    /// As bytes: what is no text must not stop the rows after it.
    pub(super) domain: &'r [u8],
    pub(super) modified: Option<i64>,
}

impl Connection {
    pub(super) async fn open(location: &Location) -> sqlx::Result<Self> {
        Ok(match location {
            Location::MySql(options) => Self::MySql(options.connect().await?),
            Location::Sqlite(path) => Self::Sqlite(Location::sqlite_options(path).connect().await?),
        })
    }

    /// Begins a transaction in which every query sees the same moment. It ends with the connection.
    pub(super) async fn begin_snapshot(&mut self) -> sqlx::Result<()> {
        match self {
            Self::MySql(connection) => {
                // A server may be set to a weaker level, at which there is no snapshot.
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
                connection.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
            }
            Self::Sqlite(connection) => {
                connection.execute("BEGIN").await?;
            }
        }
        Ok(())
    }

    /// Hands every row of a query to `take`, one by one. `sql` is made of our own words and of
    /// [`TablePrefix`](super::TablePrefix)es only.
    pub(super) async fn each(
        &mut self,
        sql: String,
        bind: Option<i64>,
        take: impl FnMut(RawRow<'_>),
    ) -> sqlx::Result<()> {
        match self {
            Self::MySql(connection) => each::<MySql>(connection, sql, bind, take).await,
            Self::Sqlite(connection) => each::<Sqlite>(connection, sql, bind, take).await,
        }
    }

    /// Runs a statement made as in [`Self::each`], and returns how many rows it wrote.
    pub(super) async fn execute(&mut self, sql: String) -> sqlx::Result<u64> {
        Ok(match self {
            Self::MySql(connection) => {
                connection.execute(AssertSqlSafe(sql)).await?.rows_affected()
            }
            Self::Sqlite(connection) => {
                connection.execute(AssertSqlSafe(sql)).await?.rows_affected()
            }
        })
    }

    /// The first column of every row of a query with one text to bind.
    pub(super) async fn texts(
        &mut self,
        sql: &'static str,
        bind: &str,
    ) -> sqlx::Result<Vec<String>> {
        match self {
            Self::MySql(connection) => {
                sqlx::query_scalar(sql).bind(bind).fetch_all(connection).await
            }
            Self::Sqlite(connection) => {
                sqlx::query_scalar(sql).bind(bind).fetch_all(connection).await
            }
        }
    }

    /// An SQL expression: `column` in Unix seconds.
    pub(super) fn unix_seconds(&self, column: &str) -> String {
        match self {
            // UNIX_TIMESTAMP would depend on time zones. Zero dates become NULL.
            Self::MySql(_) => format!("TIMESTAMPDIFF(SECOND, '1970-01-01', {column})"),
            Self::Sqlite(_) => format!("CAST(strftime('%s', {column}) AS INTEGER)"),
        }
    }

    /// An SQL expression: the time now in UTC, as WordPress writes it.
    pub(super) fn now(&self) -> &'static str {
        match self {
            Self::MySql(_) => "UTC_TIMESTAMP()",
            Self::Sqlite(_) => "datetime('now')",
        }
    }

    pub(super) async fn close(self) {
        // Whatever goes wrong while saying good-bye, the work is done.
        let _ = match self {
            Self::MySql(connection) => connection.close().await,
            Self::Sqlite(connection) => connection.close().await,
        };
    }
}

async fn each<DB>(
    connection: &mut DB::Connection,
    sql: String,
    bind: Option<i64>,
    mut take: impl FnMut(RawRow<'_>),
) -> sqlx::Result<()>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
    usize: ColumnIndex<DB::Row>,
    for<'r> i64: Decode<'r, DB> + sqlx::Encode<'r, DB> + Type<DB>,
    for<'r> Option<i64>: Decode<'r, DB>,
    for<'r> Option<&'r [u8]>: Decode<'r, DB>,
{
    let mut query = sqlx::query(AssertSqlSafe(sql));
    if let Some(value) = bind {
        query = query.bind(value);
    }
    let mut rows = query.fetch(connection);
    while let Some(row) = rows.try_next().await? {
        // Unchecked: what SQLite and old schemas declare for a column says little of its values.
        take(RawRow {
            id: row.try_get_unchecked(0)?,
            blog_id: row.try_get_unchecked(1)?,
            domain: row.try_get_unchecked::<Option<&[u8]>, _>(2)?.unwrap_or_default(),
            modified: row.try_get_unchecked(3)?,
        });
    }
    Ok(())
}
