use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::time::timeout;

use super::{
    CurrentSite, DatabaseUrl, InvalidMapping, Mapping, Network, PluginSettings, SourceError,
    TablePrefix,
    budget::{Budget, MOST_ROWS},
    choice::{Chosen, NetworkChoice},
    database::{Connection, RawRow},
    error::{DatabaseError, DatabaseErrorKind},
    forms::{self, BaseDomains},
    location::{Location, quoted},
    plugin::{self, closte_integration},
    sites::{Blog, NetworkRow, SiteFacts, Sorted},
};
use crate::{
    domain::{DomainName, InvalidDomain},
    ledger::RowLocation,
    secrets,
};

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a whole read or write may take.
const QUERY_LIMIT: Duration = Duration::from_secs(60);
/// The most of a invalid value that is kept, in characters.
const VALUE_KEPT: usize = 200;

/// The network's database.
#[derive(Debug, Clone)]
pub struct Source {
    pub(super) database: DatabaseUrl,
    pub(super) prefix: TablePrefix,
    choice: NetworkChoice,
    current_site: CurrentSite,
    most_rows: u64,
}

impl Source {
    /// Names the database. `network_id` is that of the `site` table; none is the primary network. Nothing
    /// is opened before the first read.
    pub fn new(database: DatabaseUrl, prefix: TablePrefix, network_id: Option<i64>) -> Self {
        let choice = NetworkChoice { id: network_id, ..NetworkChoice::default() };
        let current_site = CurrentSite::Unset;
        Self { database, prefix, choice, current_site, most_rows: MOST_ROWS }
    }

    /// For installations with several networks: the id of the primary one, where that is not the lowest,
    /// and why it is not certain which network is meant.
    pub fn with_primary_network(mut self, id: Option<i64>, doubts: Vec<String>) -> Self {
        (self.choice.primary, self.choice.doubts) = (id, doubts);
        self
    }

    /// The same, where `DOMAIN_CURRENT_SITE` is set.
    pub fn with_current_site(self, current_site: CurrentSite) -> Self {
        Self { current_site, ..self }
    }

    /// A read takes no more rows than this, and no more bytes than so many rows have.
    pub fn with_most_rows(self, most_rows: u64) -> Self {
        Self { most_rows, ..self }
    }

    /// Reads the network, all of it as of one moment.
    ///
    /// # Errors
    /// Any [`SourceError`] but [`SourceError::InsertDenied`]. A network that could be read in part
    /// only is an error: half a network must never look like a whole one.
    pub async fn read(&self) -> Result<Network, SourceError> {
        self.on(async |connection| self.read_with(connection).await).await
    }

    /// Does some work on a connection of its own.
    pub(super) async fn on<T>(
        &self,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        self.unbroken(async {
            let mut connection = self.connect().await?;
            let done = self.in_time(work(&mut connection)).await?;
            connection.close().await;
            Ok(done)
        })
        .await
    }

    /// Makes an error of a panic: whatever a database sends, the daemon goes on.
    async fn unbroken<T>(
        &self,
        work: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        // Nothing that the work has touched outlives it.
        let outcome = AssertUnwindSafe(work).catch_unwind().await;
        outcome.unwrap_or_else(|panic| {
            let (database, reason) = (self.database.to_string(), crate::panics::reason(&*panic));
            Err(SourceError::Fault { database, reason })
        })
    }

    async fn connect(&self) -> Result<Connection, SourceError> {
        let budget = Budget::new(self.most_rows);
        let opened = timeout(CONNECT_LIMIT, Connection::open(&self.database.location, budget));
        let limit = CONNECT_LIMIT;
        opened
            .await
            .map_err(|_| SourceError::TimedOut { database: self.database.to_string(), limit })?
            .map_err(|error| {
                let (database, reason) = (self.database.to_string(), error.to_string());
                match DatabaseErrorKind::of(&error) {
                    DatabaseErrorKind::Unreachable => {
                        let reason = format!("{reason}{}", self.database.socket_hint());
                        SourceError::Unreachable { database, reason }
                    }
                    DatabaseErrorKind::AccessDenied => {
                        SourceError::AccessDenied { database, reason }
                    }
                    DatabaseErrorKind::UnknownDatabase => {
                        SourceError::UnknownDatabase { database, reason }
                    }
                    DatabaseErrorKind::UnknownCharset => {
                        SourceError::UnknownCharset { database, reason }
                    }
                    DatabaseErrorKind::Denied => {
                        let grant = self.grants(account_in(&reason).as_deref());
                        let reason = format!("{reason}: is that its name?");
                        SourceError::SelectDenied { database, reason, grant }
                    }
                    _ => SourceError::Other { database, reason },
                }
            })
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        let (database, limit) = (self.database.to_string(), QUERY_LIMIT);
        timeout(limit, work).await.unwrap_or(Err(SourceError::TimedOut { database, limit }))
    }

    async fn read_with(&self, connection: &mut Connection) -> Result<Network, SourceError> {
        connection.begin_snapshot().await.map_err(|error| self.other(&error))?;

        let site_table = self.prefix.table("site");
        let mut networks = Vec::new();
        let take = |row: RawRow<'_>| {
            let (domain, path) = (lossy(row.domain), lossy(row.path));
            networks.push(NetworkRow { id: row.id, domain, path });
        };
        let sql =
            format!("SELECT id, 0, domain, NULL, path FROM {} ORDER BY id", quoted(&site_table));
        self.query(connection, &site_table, &sql, take).await?;
        let ids: Vec<i64> = networks.iter().map(|network| network.id).collect();
        let chosen = self.choice.among(&ids, &site_table)?;
        let id = chosen.id;
        let kept = networks.iter().find(|network| network.id == id);
        let kept = kept.ok_or(SourceError::NoNetwork { table: site_table })?;

        // What stops these stops nothing else.
        let settings = self.network_option(connection, id, plugin::SETTINGS).await;
        let integrations = self.network_option(connection, id, plugin::INTEGRATIONS).await;
        let bases = self.base_domains(connection, chosen).await;
        let mapping_table = self.plugin_table("domain_mappings", chosen);
        let mut network = Network {
            id,
            domain: kept.domain.clone(),
            path: kept.path.clone(),
            network_domains: Vec::new(),
            mappings: Vec::new(),
            sites_without_record: Vec::new(),
            on_own_domain: 0,
            without_row: Vec::new(),
            invalid: Vec::new(),
            rows: 0,
            plugin: settings.and_then(|row| PluginSettings::read(row.as_deref())),
            closte_integration: integrations.and_then(|row| closte_integration(row.as_deref())),
            base_domains: bases.as_ref().map(drop).map_err(Clone::clone),
            tls_failed: connection.tls_failed().map(str::to_owned),
        };
        let modified = connection.unix_seconds("date_modified");
        let sql = format!(
            "SELECT id, blog_id, domain, {modified}, NULL FROM {} ORDER BY id",
            quoted(&mapping_table)
        );
        let mut recorded = HashSet::new();
        let take = |row: RawRow<'_>| {
            recorded.insert(row.blog_id);
            network.take_mapping(&row);
        };
        self.query(connection, &mapping_table, &sql, take).await?;

        // Sorted out here: at 100,000 rows, the server's own join takes three times as long.
        let blogs = self.blogs(connection).await?;
        let main_sites = self.main_sites(connection).await?;
        let facts = SiteFacts {
            network: kept,
            networks: &networks,
            current_site: &self.current_site,
            main_sites: &main_sites,
            bases: bases.as_ref().ok(),
            mappings: &network.mappings,
            recorded: &recorded,
        };
        let Sorted { sites_without_record, on_own_domain, without_row, invalid, network_domains } =
            facts.sort_out(&blogs);
        network.sites_without_record = sites_without_record;
        network.on_own_domain = on_own_domain;
        network.without_row = without_row;
        network.network_domains = network_domains;
        for (blog_id, value, reason) in invalid {
            network.reject(RowLocation::Site(blog_id), blog_id, &value, reason);
        }
        Ok(network)
    }

    /// All sites of the installation.
    async fn blogs(&self, connection: &mut Connection) -> Result<Vec<Blog>, SourceError> {
        let table = self.prefix.table("blogs");
        let sql = format!(
            "SELECT blog_id, site_id, domain, {}, path FROM {} ORDER BY blog_id",
            is_gone(""),
            quoted(&table)
        );
        let mut blogs = Vec::new();
        let take = |row: RawRow<'_>| {
            blogs.push(Blog {
                id: row.id,
                network: row.blog_id,
                domain: row.domain.into(),
                path: row.path.into(),
                is_gone: row.modified != Some(0),
            });
        };
        self.query(connection, &table, &sql, take).await?;
        Ok(blogs)
    }

    /// The main site of each network, where WordPress has noted it.
    async fn main_sites(
        &self,
        connection: &mut Connection,
    ) -> Result<HashMap<i64, i64>, SourceError> {
        let table = self.prefix.table("sitemeta");
        let sql = format!(
            "SELECT site_id, 0, meta_value, NULL, NULL FROM {} WHERE meta_key = 'main_site'",
            quoted(&table)
        );
        let mut main_sites = HashMap::new();
        let take = |row: RawRow<'_>| {
            main_sites.extend(lossy(row.domain).trim().parse().ok().map(|site| (row.id, site)));
        };
        match self.query(connection, &table, &sql, take).await {
            // The same is told where the plugin's settings are read.
            Ok(()) | Err(SourceError::TableMissing { .. } | SourceError::SelectDenied { .. }) => {
                Ok(main_sites)
            }
            Err(error) => Err(error),
        }
    }

    /// The base domains of all checkout forms, or why they are not known.
    async fn base_domains(
        &self,
        connection: &mut Connection,
        network: Chosen,
    ) -> Result<BaseDomains, String> {
        let table = self.plugin_table("forms", network);
        let sql = format!("SELECT id, 0, settings, NULL, NULL FROM {} ORDER BY id", quoted(&table));
        let (mut bases, mut odd) = (BaseDomains::new(), None);
        let take = |row: RawRow<'_>| {
            if let Err(reason) = forms::add_base_domains(row.domain, &mut bases) {
                odd.get_or_insert(format!("the checkout form {} in {table}: {reason}", row.id));
            }
        };
        match self.query(connection, &table, &sql, take).await {
            // The plugin finds no form then, either.
            Err(SourceError::TableMissing { .. }) => Ok(bases),
            Err(error) => Err(error.to_string()),
            Ok(()) => odd.map_or(Ok(bases), Err),
        }
    }

    /// One of the network's options, as it is stored. `key` is one of our own words.
    async fn network_option(
        &self,
        connection: &mut Connection,
        network: i64,
        key: &'static str,
    ) -> Result<Option<Vec<u8>>, String> {
        let table = self.prefix.table("sitemeta");
        let sql = format!(
            "SELECT 0, 0, meta_value, NULL, NULL FROM {}
             WHERE meta_key = '{key}' AND site_id = {network} ORDER BY meta_id LIMIT 1",
            quoted(&table)
        );
        let mut option = None;
        let take = |row: RawRow<'_>| option = Some(row.domain.to_vec());
        match self.query(connection, &table, &sql, take).await {
            Ok(()) => Ok(option),
            Err(SourceError::TableMissing { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The primary network's tables of the plugin have no number in their names, any other network's
    /// have.
    fn plugin_table(&self, name: &str, network: Chosen) -> String {
        if network.is_primary {
            self.prefix.table(&format!("wu_{name}"))
        } else {
            self.prefix.table(&format!("wu_{}_{name}", network.id))
        }
    }

    async fn query(
        &self,
        connection: &mut Connection,
        table: &str,
        sql: &str,
        take: impl FnMut(RawRow<'_>),
    ) -> Result<(), SourceError> {
        let Err(error) = connection.each(sql, take).await else {
            return Ok(());
        };
        let database = self.database.to_string();
        Err(match DatabaseErrorKind::of(&error) {
            DatabaseErrorKind::TableMissing => {
                let similar = self.similar_prefixes(connection, table).await;
                SourceError::TableMissing { database, table: table.to_owned(), similar }
            }
            DatabaseErrorKind::Denied => {
                // The server tells of the right that lacks before it looks whether the table is there.
                let similar = self.similar_prefixes(connection, table).await;
                if !similar.is_empty() && !similar.contains(&self.prefix.to_string()) {
                    return Err(SourceError::TableMissing {
                        database,
                        table: table.to_owned(),
                        similar,
                    });
                }
                let account = self.account(connection).await;
                let grant = self.grants(account.as_deref());
                SourceError::SelectDenied { database, reason: error.to_string(), grant }
            }
            DatabaseErrorKind::Unreachable => {
                SourceError::Unreachable { database, reason: error.to_string() }
            }
            _ => self.other(&error),
        })
    }

    /// The domain table of the network, for a write.
    pub(super) async fn find_mapping_table(
        &self,
        connection: &mut Connection,
    ) -> Result<String, SourceError> {
        let table = self.prefix.table("site");
        let mut networks = Vec::new();
        let sql = format!("SELECT id, 0, NULL, NULL, NULL FROM {} ORDER BY id", quoted(&table));
        self.query(connection, &table, &sql, |row| networks.push(row.id)).await?;
        Ok(self.plugin_table("domain_mappings", self.choice.among(&networks, &table)?))
    }

    /// Under which prefixes a table like this one exists: a wrong prefix is the usual cause of a
    /// missing table. A list that cannot be had is an empty one: this only helps an error along.
    async fn similar_prefixes(&self, connection: &mut Connection, table: &str) -> Vec<String> {
        let suffix = table.strip_prefix(self.prefix.to_string().as_str()).unwrap_or(table);
        // Made of our own words and of a prefix's number, as all statements are.
        let sql = if connection.is_sqlite() {
            format!(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%{suffix}' LIMIT 10"
            )
        } else {
            format!(
                "SELECT CAST(table_name AS CHAR) FROM information_schema.tables
                 WHERE table_schema = DATABASE() AND table_name LIKE '%{suffix}' LIMIT 10"
            )
        };
        let tables = connection.texts(&sql).await.unwrap_or_default();
        tables.iter().filter_map(|name| name.strip_suffix(suffix)).map(secrets::mask).collect()
    }

    /// The account that the server takes this user for, as in `'wp'@'%'`.
    pub(super) async fn account(&self, connection: &mut Connection) -> Option<String> {
        if connection.is_sqlite() {
            return None;
        }
        let account = connection.texts("SELECT CAST(CURRENT_USER() AS CHAR)").await.ok()?.pop()?;
        let (name, host) = account.rsplit_once('@')?;
        Some(format!("'{name}'@'{host}'"))
    }

    /// The statements that give an account all rights that are needed.
    fn grants(&self, account: Option<&str>) -> String {
        // Which ids there are stands in a table that cannot be read: the lowest is usually 1.
        let plugins = |name| self.plugin_table(name, self.choice.with_lowest(1));
        let tables =
            ["site", "blogs", "sitemeta"].map(|table| (self.prefix.table(table), "SELECT"));
        let tables = tables
            .into_iter()
            .chain([(plugins("domain_mappings"), "SELECT, INSERT"), (plugins("forms"), "SELECT")]);
        let grants: Vec<String> =
            tables.map(|(table, right)| self.grant(right, &table, account)).collect();
        grants.join("; ")
    }

    /// The statement that gives an account a right on a table.
    pub(super) fn grant(&self, right: &str, table: &str, account: Option<&str>) -> String {
        let Location::MySql(options) = &self.database.location else {
            return format!(
                "chmod/chown, so that this user may write {} and its folder",
                self.database
            );
        };
        let guess = format!("'{}'@'%'", options.user);
        let (database, table) = (quoted(&options.database), quoted(table));
        let account = account.filter(|account| secrets::mask(account) == *account);
        format!("GRANT {right} ON {database}.{table} TO {}", account.unwrap_or(&guess))
    }

    pub(super) fn other(&self, error: &DatabaseError) -> SourceError {
        SourceError::Other { database: self.database.to_string(), reason: error.to_string() }
    }
}

impl Network {
    fn take_mapping(&mut self, row: &RawRow<'_>) {
        self.rows += 1;
        match DomainName::from_bytes(row.domain) {
            Ok(domain) => self.mappings.push(Mapping {
                row_id: row.id,
                blog_id: row.blog_id,
                domain,
                modified: row.modified,
            }),
            Err(reason) => self.reject(RowLocation::Row(row.id), row.blog_id, row.domain, reason),
        }
    }

    fn reject(&mut self, origin: RowLocation, blog_id: i64, value: &[u8], reason: InvalidDomain) {
        let value = secrets::mask(&lossy(value)).chars().take(VALUE_KEPT).collect();
        self.invalid.push(InvalidMapping { origin, blog_id, value, reason });
    }
}

/// An SQL expression: whether a site is archived, spam or deleted; 0 if not. By value: old dumps have
/// enum columns, whose numbers are something else. `table` is the alias with its dot.
pub(super) fn is_gone(table: &str) -> String {
    let is_set = |column| format!("CAST(COALESCE({table}{column}, '') AS CHAR) NOT IN ('', '0')");
    let [archived, spam, deleted] = ["archived", "spam", "deleted"].map(is_set);
    format!("({archived} OR {spam} OR {deleted})")
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The account in `Access denied for user 'wp'@'%' to database 'wordpress'`.
fn account_in(reason: &str) -> Option<String> {
    let (_, rest) = reason.split_once("for user ")?;
    let account = rest.split_whitespace().next()?;
    account.contains('@').then(|| account.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_read() {
        let database = "mysql://wp:pw@db/wordpress".parse().unwrap();
        let source = Source::new(database, "wp_".parse().unwrap(), None);
        let error = source.unbroken::<()>(async { panic!("cannot be") }).await.unwrap_err();
        assert!(matches!(&error, SourceError::Fault { reason, .. } if reason == "cannot be"));
        assert!(error.to_string().contains("please report this"), "{error}");
    }
}
