//! The network's tables, as WordPress and the plugin read and write them.

use sqlx::{
    AssertSqlSafe, Error, MySqlPool, Row as _, SqlitePool,
    mysql::{MySqlConnectOptions, MySqlPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use crate::wordpress::PluginSettings;

/// A row of the plugin's domain table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) id: i64,
    pub(super) site: i64,
    pub(super) domain: String,
    pub(super) is_active: bool,
    pub(super) is_primary: bool,
    pub(super) is_secure: bool,
    /// Empty for NULL.
    pub(super) stage: String,
    pub(super) created: Option<String>,
    pub(super) modified: Option<String>,
}

/// A row of the table of sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SiteRow {
    pub(super) id: i64,
    pub(super) domain: String,
    pub(super) path: String,
    /// Archived, spam or deleted.
    pub(super) is_gone: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Tables {
    MySql(MySqlPool),
    Sqlite(SqlitePool),
}

const MAPPING: &str = "SELECT CAST(id AS CHAR), CAST(blog_id AS CHAR), CAST(domain AS CHAR), \
    CAST(active AS CHAR), CAST(primary_domain AS CHAR), CAST(secure AS CHAR), CAST(stage AS CHAR), \
    CAST(date_created AS CHAR), CAST(date_modified AS CHAR) FROM wp_wu_domain_mappings";

impl Tables {
    pub(super) fn open(url: &str) -> Result<Self, Error> {
        match url.strip_prefix("sqlite:") {
            Some(path) => {
                let options = SqliteConnectOptions::new().filename(path);
                Ok(Self::Sqlite(SqlitePoolOptions::new().connect_lazy_with(options)))
            }
            None => {
                let options: MySqlConnectOptions = url.parse()?;
                let pool = MySqlPoolOptions::new().max_connections(4);
                Ok(Self::MySql(pool.connect_lazy_with(options)))
            }
        }
    }

    /// All columns have to be texts.
    async fn select(&self, sql: &str, values: &[&str]) -> Result<Vec<Columns>, Error> {
        // Every value is bound.
        let sql = AssertSqlSafe(sql.to_owned());
        macro_rules! fetch {
            ($pool:expr) => {{
                let mut query = sqlx::query(sql);
                for value in values {
                    query = query.bind(*value);
                }
                let mut rows = Vec::new();
                for row in query.fetch_all($pool).await? {
                    let columns = (0..row.len()).map(|column| row.try_get(column));
                    rows.push(Columns(columns.collect::<Result<_, _>>()?));
                }
                Ok(rows)
            }};
        }
        match self {
            Self::MySql(pool) => fetch!(pool),
            Self::Sqlite(pool) => fetch!(pool),
        }
    }

    pub(super) async fn settings(&self) -> Result<PluginSettings, Error> {
        let sql = "SELECT CAST(meta_value AS CHAR) FROM wp_sitemeta \
                   WHERE site_id = 1 AND meta_key = 'wp-ultimo_v2_settings'";
        let rows = self.select(sql, &[]).await?;
        let value = rows.first().map(|row| row.text(0));
        PluginSettings::read(value.map(str::as_bytes))
            .map_err(|error| Error::Protocol(error.clone()))
    }

    /// Domain and path of the network.
    pub(super) async fn network(&self) -> Result<(String, String), Error> {
        let sql = "SELECT CAST(domain AS CHAR), CAST(path AS CHAR) FROM wp_site WHERE id = 1";
        let rows = self.select(sql, &[]).await?;
        let row = rows.first().ok_or(Error::RowNotFound)?;
        Ok((row.text(0).to_owned(), row.text(1).to_owned()))
    }

    /// The row that decides for these names.
    pub(super) async fn mapping_of(&self, names: &[String]) -> Result<Option<Mapping>, Error> {
        let [name, twin] = [0, 1].map(|one| names.get(one).map_or("", String::as_str));
        let sql = format!(
            "{MAPPING} WHERE domain IN (?, ?) \
             ORDER BY primary_domain DESC, active DESC, secure DESC LIMIT 1"
        );
        Ok(self.select(&sql, &[name, twin]).await?.first().map(Mapping::read))
    }

    pub(super) async fn mapping(&self, id: i64) -> Result<Option<Mapping>, Error> {
        let rows = self.select(&format!("{MAPPING} WHERE id = ?"), &[&id.to_string()]).await?;
        Ok(rows.first().map(Mapping::read))
    }

    /// The primary rows of a site, newest first.
    pub(super) async fn primaries(&self, site: i64) -> Result<Vec<Mapping>, Error> {
        let sql = format!("{MAPPING} WHERE blog_id = ? AND primary_domain = 1 ORDER BY id DESC");
        Ok(self.select(&sql, &[&site.to_string()]).await?.iter().map(Mapping::read).collect())
    }

    pub(super) async fn site(&self, id: i64) -> Result<Option<SiteRow>, Error> {
        Ok(self.sites("blog_id = ?", &[&id.to_string()]).await?.pop())
    }

    /// The sites of a host.
    pub(super) async fn sites_at(&self, host: &str) -> Result<Vec<SiteRow>, Error> {
        self.sites("domain = ?", &[host]).await
    }

    async fn sites(&self, condition: &str, values: &[&str]) -> Result<Vec<SiteRow>, Error> {
        let sql = format!(
            "SELECT CAST(blog_id AS CHAR), CAST(domain AS CHAR), CAST(path AS CHAR), \
             CAST(archived = 1 OR spam = 1 OR deleted = 1 AS CHAR) FROM wp_blogs WHERE {condition}"
        );
        Ok(self.select(&sql, values).await?.iter().map(SiteRow::read).collect())
    }

    /// Writes columns of a row, and when that was.
    pub(super) async fn write(&self, id: i64, changes: &[(&str, String)]) -> Result<(), Error> {
        let columns: String = changes.iter().map(|(column, _)| format!("{column} = ?, ")).collect();
        let now = match self {
            Self::MySql(_) => "UTC_TIMESTAMP()",
            Self::Sqlite(_) => "datetime('now')",
        };
        let sql =
            format!("UPDATE wp_wu_domain_mappings SET {columns}date_modified = {now} WHERE id = ?");
        let id = id.to_string();
        let mut values: Vec<&str> = changes.iter().map(|(_, value)| value.as_str()).collect();
        values.push(&id);
        self.select(&sql, &values).await.map(drop)
    }
}

/// A row's columns, each as a text or NULL.
struct Columns(Vec<Option<String>>);

impl Columns {
    fn optional(&self, column: usize) -> Option<&str> {
        self.0.get(column)?.as_deref()
    }

    fn text(&self, column: usize) -> &str {
        self.optional(column).unwrap_or_default()
    }

    fn number(&self, column: usize) -> i64 {
        self.text(column).parse().unwrap_or_default()
    }
}

impl Mapping {
    fn read(row: &Columns) -> Self {
        Self {
            id: row.number(0),
            site: row.number(1),
            domain: row.text(2).to_owned(),
            is_active: row.number(3) != 0,
            is_primary: row.number(4) != 0,
            is_secure: row.number(5) != 0,
            stage: row.text(6).to_owned(),
            created: row.optional(7).map(str::to_owned),
            modified: row.optional(8).map(str::to_owned),
        }
    }

    /// Whether the plugin serves its site by it.
    pub(super) fn is_in_use(&self) -> bool {
        let is_waiting = ["checking-dns", "checking-ssl-cert", "failed", "ssl-failed"]
            .contains(&self.stage.as_str());
        self.is_active && !is_waiting
    }
}

impl SiteRow {
    fn read(row: &Columns) -> Self {
        Self {
            id: row.number(0),
            domain: row.text(1).to_owned(),
            path: row.text(2).to_owned(),
            is_gone: row.number(3) != 0,
        }
    }
}
