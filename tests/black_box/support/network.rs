use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use closte_sync::wordpress::{self, DatabaseUrl, Site, Source};
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, MySqlConnection,
    mysql::MySqlConnectOptions, sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;

use super::mariadb;

/// The password of the user that the program has.
pub const PASSWORD: &str = "m4rker-password";

/// A network's database of its own.
#[derive(Clone)]
pub struct Network {
    /// For `wordpress.database_url`.
    pub url: String,
    place: Place,
}

#[derive(Clone)]
enum Place {
    MariaDb { database: String, socket: String },
    Sqlite { path: PathBuf, _folder: Arc<TempDir> },
}

impl Network {
    /// With tables and rows, in MariaDB. The user may read, and no more.
    pub async fn mariadb() -> Self {
        Self::on(mariadb::server()).await
    }

    /// The same as [`Self::mariadb`], on a server of its own.
    pub async fn on(server: &mariadb::Server) -> Self {
        let network = Self::empty_on(server).await;
        network.sql(include_str!("../../data/network.sql")).await;
        network.sql(&format!("SET sql_mode = ''; {}", include_str!("../../data/sites.sql"))).await;
        network
    }

    /// The user may write domain records as well.
    pub async fn allow_records(&self) {
        let (user, database) = self.user_and_database();
        for host in ["%", "localhost"] {
            let table = format!("{database}.wp_wu_domain_mappings");
            self.sql(&format!("GRANT INSERT ON {table} TO {user}@'{host}'")).await;
        }
    }

    /// The user may write stages as well. In SQLite that needs no right.
    pub async fn allow_stages(&self) {
        if matches!(self.place, Place::Sqlite { .. }) {
            return;
        }
        let (user, database) = self.user_and_database();
        for host in ["%", "localhost"] {
            let table = format!("{database}.wp_wu_domain_mappings");
            let right = "UPDATE (stage, secure, date_modified)";
            self.sql(&format!("GRANT {right} ON {table} TO {user}@'{host}'")).await;
        }
    }

    /// The user may no longer write stages.
    pub async fn forbid_stages(&self) {
        let (user, database) = self.user_and_database();
        for host in ["%", "localhost"] {
            let table = format!("{database}.wp_wu_domain_mappings");
            let right = "UPDATE (stage, secure, date_modified)";
            self.sql(&format!("REVOKE {right} ON {table} FROM {user}@'{host}'")).await;
        }
    }

    /// An SQL expression for the time in UTC.
    pub fn now(&self) -> &'static str {
        match self.place {
            Place::MariaDb { .. } => "UTC_TIMESTAMP()",
            Place::Sqlite { .. } => "datetime('now')",
        }
    }

    /// The user may read all tables but this one.
    pub async fn hide(&self, table: &str) {
        let (user, database) = self.user_and_database();
        let mut connection = self.connect().await;
        let tables: Vec<String> =
            sqlx::query_scalar("SHOW TABLES").fetch_all(&mut connection).await.unwrap();
        for host in ["%", "localhost"] {
            self.sql(&format!("REVOKE SELECT ON {database}.* FROM {user}@'{host}'")).await;
            for name in tables.iter().filter(|name| *name != table) {
                self.sql(&format!("GRANT SELECT ON {database}.{name} TO {user}@'{host}'")).await;
            }
        }
    }

    fn user_and_database(&self) -> (&str, &str) {
        let (head, database) = self.url.rsplit_once('/').unwrap();
        let (_, user) = head.split_once("://").unwrap();
        (user.split(':').next().unwrap(), database)
    }

    /// With nothing in it, in MariaDB.
    pub async fn empty_mariadb() -> Self {
        Self::empty_on(mariadb::server()).await
    }

    /// With nothing in it.
    async fn empty_on(server: &mariadb::Server) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let (database, user) = (format!("net{number}"), format!("user{number}"));
        let socket = server.socket.clone();
        let network = Self {
            url: format!("mysql://{user}:{PASSWORD}@127.0.0.1:{}/{database}", server.port),
            place: Place::MariaDb { database: "mysql".to_owned(), socket: socket.clone() },
        };
        network
            .sql(&format!(
                "CREATE DATABASE {database} CHARACTER SET utf8mb4;
                 CREATE USER {user}@'%' IDENTIFIED BY '{PASSWORD}';
                 CREATE USER {user}@'localhost' IDENTIFIED BY '{PASSWORD}';
                 GRANT SELECT ON {database}.* TO {user}@'%';
                 GRANT SELECT ON {database}.* TO {user}@'localhost'"
            ))
            .await;
        Self { place: Place::MariaDb { database, socket }, ..network }
    }

    /// With tables and rows, in SQLite.
    pub async fn sqlite() -> Self {
        let network = Self::sqlite_without_rows().await;
        network.sql(include_str!("../../data/sites.sql")).await;
        network
    }

    /// With tables and the two networks in SQLite, and neither a site nor a mapping.
    pub async fn sqlite_without_rows() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".ht.sqlite");
        let url = format!("sqlite:{}", path.display());
        let network = Self { url, place: Place::Sqlite { path, _folder: Arc::new(folder) } };
        network.sql(include_str!("../../data/network.sqlite.sql")).await;
        network
    }

    /// A network in SQLite with one site, domain mapping switched on, and these domains mapped to it.
    pub async fn with_domains(domains: &[&str]) -> Self {
        let network = Self::sqlite_without_rows().await;
        network
            .sql(
                "INSERT INTO wp_site (id, domain, path) VALUES (1, 'agency.example', '/');
                 INSERT INTO wp_blogs (blog_id, site_id, domain) VALUES (1, 1, 'agency.example');
                 INSERT INTO wp_sitemeta (site_id, meta_key, meta_value) VALUES
                 (1, 'wp-ultimo_v2_settings', 'a:1:{s:21:\"enable_domain_mapping\";s:1:\"1\";}')",
            )
            .await;
        for domain in domains {
            network.map(domain).await;
        }
        network
    }

    /// Writes a mapping as the plugin does.
    pub async fn map(&self, domain: &str) {
        self.sql(&format!(
            "INSERT INTO wp_wu_domain_mappings (blog_id, domain) VALUES (1, '{domain}')"
        ))
        .await;
    }

    /// Deletes a mapping as the plugin does.
    pub async fn unmap(&self, domain: &str) {
        self.sql(&format!("DELETE FROM wp_wu_domain_mappings WHERE domain = '{domain}'")).await;
    }

    /// The database, for a user who may do everything, with SQLx's options.
    pub fn administrator_url(&self) -> String {
        match &self.place {
            Place::MariaDb { database, socket } => {
                format!("mysql://root@localhost/{database}?socket={socket}")
            }
            Place::Sqlite { .. } => self.url.clone(),
        }
    }

    /// A domain record: its id, site, domain, active, primary, secure and stage.
    pub async fn row(&self, id: i64) -> Value {
        let sql = format!(
            "SELECT CAST(CONCAT_WS('|', id, blog_id, domain, active, primary_domain, secure, stage) AS \
             CHAR) FROM wp_wu_domain_mappings WHERE id = {id}"
        );
        let row: String = match &self.place {
            Place::MariaDb { .. } => self.text(&sql).await,
            Place::Sqlite { path, .. } => {
                let mut connection =
                    SqliteConnectOptions::new().filename(path).connect().await.unwrap();
                let query = sqlx::query_scalar(AssertSqlSafe(sql));
                query.fetch_one(&mut connection).await.unwrap()
            }
        };
        let value = |text: &str| text.parse::<i64>().map_or_else(|_| text.into(), Value::from);
        row.split('|').map(value).collect()
    }

    /// Runs statements as the administrator.
    pub async fn sql(&self, statements: &str) {
        let statements = AssertSqlSafe(statements.to_owned());
        match &self.place {
            Place::MariaDb { .. } => {
                let mut connection = self.connect().await;
                connection.execute(sqlx::raw_sql(statements)).await.unwrap();
                connection.close().await.unwrap();
            }
            Place::Sqlite { path, .. } => {
                let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
                let mut connection = options.connect().await.unwrap();
                connection.execute(sqlx::raw_sql(statements)).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// Ends all connections of the program's user, in MariaDB.
    pub async fn cut_connections(&self) -> sqlx::Result<()> {
        let (user, _) = self.user_and_database();
        let mut connection = MySqlConnection::connect(&self.administrator_url()).await?;
        let ids = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = ?";
        let ids: Vec<i64> = sqlx::query_scalar(ids).bind(user).fetch_all(&mut connection).await?;
        for id in ids {
            // It may have ended.
            let kill = AssertSqlSafe(format!("KILL CONNECTION {id}"));
            let _ = connection.execute(sqlx::raw_sql(kill)).await;
        }
        connection.close().await
    }

    /// A connection of the administrator's, for MariaDB.
    pub async fn connect(&self) -> MySqlConnection {
        match &self.place {
            Place::MariaDb { database, socket } => {
                let options = MySqlConnectOptions::new().socket(socket).username("root");
                options.database(database).connect().await.unwrap()
            }
            Place::Sqlite { .. } => panic!("only for MariaDB"),
        }
    }

    /// One number, by a query.
    pub async fn number(&self, query: &str) -> i64 {
        let query = sqlx::query_scalar(AssertSqlSafe(query.to_owned()));
        query.fetch_one(&mut self.connect().await).await.unwrap()
    }

    /// One text, by a query.
    pub async fn text(&self, query: &str) -> String {
        let query = sqlx::query_scalar(AssertSqlSafe(query.to_owned()));
        query.fetch_one(&mut self.connect().await).await.unwrap()
    }

    /// The same network, through the server's socket.
    pub fn socket_url(&self) -> String {
        let (head, database) = self.url.rsplit_once('/').unwrap();
        let (user, _) = head.rsplit_once('@').unwrap();
        let Place::MariaDb { socket, .. } = &self.place else { panic!("only for MariaDB") };
        format!("{user}@localhost/{database}?socket={socket}")
    }

    /// Where the network is, for the library.
    pub fn source(&self, network_id: Option<i64>) -> Source {
        let url: DatabaseUrl = self.url.parse().unwrap();
        Source::new(url, "wp_".parse().unwrap(), network_id)
    }
}

/// The sites that lack the domain record that the plugin would have written.
pub fn fitting(read: &wordpress::Network) -> Vec<Site> {
    read.sites_without_record.iter().filter(|site| site.record.is_ok()).cloned().collect()
}

/// Statements that write the plugin's settings.
pub fn settings_row(fields: &[(&str, &str)]) -> String {
    let text = |text: &str| format!("s:{}:\"{text}\";", text.len());
    let pairs: String = fields.iter().map(|(name, value)| text(name) + &text(value)).collect();
    format!(
        "DELETE FROM wp_sitemeta WHERE meta_key = 'wp-ultimo_v2_settings';
         INSERT INTO wp_sitemeta (site_id, meta_key, meta_value) VALUES
           (1, 'wp-ultimo_v2_settings', 'a:{}:{{{pairs}}}')",
        fields.len()
    )
}
