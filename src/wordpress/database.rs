use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, Executor, Row, SqliteConnection,
    sqlite::SqliteRow,
};

use super::{
    budget::Budget,
    error::DatabaseError,
    location::Location,
    mysql::{MySqlConnection, MySqlError},
};

/// A connection to the network's database, of either make, for one read or write: at an interval of
/// seconds that costs nothing, and there is never a stale one.
pub(super) struct Connection {
    link: Link,
    budget: Budget,
}

enum Link {
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
    pub(super) async fn open(location: &Location, budget: Budget) -> Result<Self, DatabaseError> {
        let link = match location {
            Location::MySql(options) => Link::MySql(MySqlConnection::open(options).await?),
            Location::Sqlite(path) => Link::Sqlite(Location::sqlite_options(path).connect().await?),
        };
        Ok(Self { link, budget })
    }

    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self.link, Link::Sqlite(_))
    }

    /// Why the connection is plain, where TLS was tried and failed.
    pub(super) fn tls_failed(&self) -> Option<&str> {
        match &self.link {
            Link::MySql(connection) => connection.tls_failed.as_deref(),
            Link::Sqlite(_) => None,
        }
    }

    /// Begins a transaction in which every query sees the same moment. It ends with the connection.
    pub(super) async fn begin_snapshot(&mut self) -> Result<(), DatabaseError> {
        match &mut self.link {
            Link::MySql(connection) => {
                // A server may be set to a weaker level, at which there is no snapshot.
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
                connection.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
            }
            Link::Sqlite(connection) => {
                connection.execute("BEGIN").await?;
            }
        }
        Ok(())
    }

    /// Hands every row of a query to `take`, one by one. `sql` is made of our own words, of
    /// [`TablePrefix`](super::TablePrefix)es and of numbers only.
    pub(super) async fn each(
        &mut self,
        sql: &str,
        mut take: impl FnMut(RawRow<'_>),
    ) -> Result<(), DatabaseError> {
        let budget = &mut self.budget;
        match &mut self.link {
            Link::MySql(connection) => {
                let take = |row: &[Option<&[u8]>], bytes| {
                    budget.take(bytes)?;
                    take(RawRow::of_mysql(row)?);
                    Ok::<_, DatabaseError>(())
                };
                connection.each(sql, 4, take).await
            }
            Link::Sqlite(connection) => {
                let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(connection);
                while let Some(row) = rows.try_next().await? {
                    let row = RawRow::of_sqlite(&row)?;
                    budget.take(row.domain.len())?;
                    take(row);
                }
                Ok(())
            }
        }
    }

    /// Runs a statement made as in [`Self::each`], and returns how many rows it wrote.
    pub(super) async fn execute(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        Ok(match &mut self.link {
            Link::MySql(connection) => connection.execute(sql).await?,
            Link::Sqlite(connection) => {
                connection.execute(AssertSqlSafe(sql)).await?.rows_affected()
            }
        })
    }

    /// The only column of every row of a query made as in [`Self::each`].
    pub(super) async fn texts(&mut self, sql: &str) -> Result<Vec<String>, DatabaseError> {
        let budget = &mut self.budget;
        match &mut self.link {
            Link::MySql(connection) => {
                let mut texts = Vec::new();
                let take = |row: &[Option<&[u8]>], bytes| {
                    budget.take(bytes)?;
                    let value = row.first().copied().flatten().unwrap_or_default();
                    texts.push(String::from_utf8_lossy(value).into_owned());
                    Ok::<_, DatabaseError>(())
                };
                connection.each(sql, 1, take).await?;
                Ok(texts)
            }
            Link::Sqlite(connection) => {
                Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await?)
            }
        }
    }

    /// An SQL expression: `column` in Unix seconds.
    pub(super) fn unix_seconds(&self, column: &str) -> String {
        match self.link {
            // UNIX_TIMESTAMP would depend on time zones. Zero dates become NULL.
            Link::MySql(_) => format!("TIMESTAMPDIFF(SECOND, '1970-01-01', {column})"),
            Link::Sqlite(_) => format!("CAST(strftime('%s', {column}) AS INTEGER)"),
        }
    }

    /// An SQL expression: the time now in UTC, as WordPress writes it.
    pub(super) fn now(&self) -> &'static str {
        match self.link {
            Link::MySql(_) => "UTC_TIMESTAMP()",
            Link::Sqlite(_) => "datetime('now')",
        }
    }

    pub(super) async fn close(self) {
        match self.link {
            Link::MySql(connection) => connection.close().await,
            // Whatever goes wrong while saying good-bye, the work is done.
            Link::Sqlite(connection) => drop(connection.close().await),
        }
    }
}

impl<'r> RawRow<'r> {
    fn of_mysql(row: &[Option<&'r [u8]>]) -> Result<Self, MySqlError> {
        let value = |index: usize| row.get(index).copied().flatten();
        let number = |index: usize, what| {
            let parse = |value: &[u8]| std::str::from_utf8(value).ok()?.parse().ok();
            value(index).map(|value| parse(value).ok_or(MySqlError::NoNumber(what))).transpose()
        };
        Ok(Self {
            id: number(0, "id")?.ok_or(MySqlError::NoNumber("id"))?,
            blog_id: number(1, "blog_id")?.ok_or(MySqlError::NoNumber("blog_id"))?,
            domain: value(2).unwrap_or_default(),
            modified: number(3, "date")?,
        })
    }

    fn of_sqlite(row: &'r SqliteRow) -> sqlx::Result<Self> {
        // Unchecked: what SQLite and old schemas declare for a column says little of its values.
        Ok(Self {
            id: row.try_get_unchecked(0)?,
            blog_id: row.try_get_unchecked(1)?,
            domain: row.try_get_unchecked::<Option<&[u8]>, _>(2)?.unwrap_or_default(),
            modified: row.try_get_unchecked(3)?,
        })
    }
}
