use std::{collections::HashMap, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use jiff::{civil::DateTime, tz::Offset};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::{
    CurrentSite, DatabaseUrl, InvalidMapping, Network, PluginSettings, SourceError, TablePrefix,
    budget::{Budget, MOST_ROWS},
    choice::{Chosen, NetworkChoice},
    database::Connection,
    error::{DatabaseError, DatabaseErrorKind, WhyMissing},
    forms::{self, BaseDomains},
    location::{Location, quoted},
    plugin::{self, closte_integration},
    raw_row::RawRow,
    serving,
    sites::{Blog, NO_INDEX, NetworkRow, SiteFacts, SiteSorter, Sorted},
};
use crate::{
    domain::{self, DomainName, InvalidDomain, Parsed},
    ledger::{CompactRowRef, RowLocation, RowRef},
    names::NameList,
    secrets,
    status::{RowState, Serving},
};

pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// For one whole read or write.
const QUERY_LIMIT: Duration = Duration::from_secs(60);
/// The most characters of an invalid value that are kept.
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
    /// Does not connect. `network_id` is an id of the `site` table; none is the primary network.
    pub fn new(database: DatabaseUrl, prefix: TablePrefix, network_id: Option<i64>) -> Self {
        let choice = NetworkChoice { id: network_id, ..NetworkChoice::default() };
        let current_site = CurrentSite::Unset;
        Self { database, prefix, choice, current_site, most_rows: MOST_ROWS }
    }

    /// For installations with several networks: the id of the primary one if that is not the lowest, and
    /// why it is not certain which network to use.
    pub fn with_primary_network(mut self, id: Option<i64>, doubts: Vec<String>) -> Self {
        (self.choice.primary, self.choice.doubts) = (id, doubts);
        self
    }

    pub fn with_current_site(self, current_site: CurrentSite) -> Self {
        Self { current_site, ..self }
    }

    /// Limits the rows of one read, and its bytes in proportion.
    pub fn with_most_rows(self, most_rows: u64) -> Self {
        Self { most_rows, ..self }
    }

    /// Reads the network in one transaction, so as of one moment.
    ///
    /// # Errors
    /// Any [`SourceError`] but [`SourceError::InsertDenied`]. A network that can only be read in part is
    /// an error: it must never look like a whole one.
    pub async fn read(&self) -> Result<Network, SourceError> {
        let source = self.clone();
        // As a task of its own: the worker that learns of a packet goes on with it itself, where it would have
        // to wake the main thread.
        let reading = tokio::spawn(async move {
            source.on(async |connection| source.read_with(connection).await).await
        });
        AbortOnDropHandle::new(reading).await.unwrap_or_else(|error| {
            let (database, reason) = (self.database.to_string(), error.to_string());
            Err(SourceError::Fault { database, reason })
        })
    }

    /// Runs `work` on a new connection.
    pub(super) async fn on<T>(
        &self,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        // Boxed, as it is large and deeply nested.
        let work = Box::pin(async {
            let mut connection = self.connect().await?;
            let done = self.in_time(QUERY_LIMIT, work(&mut connection)).await??;
            connection.close().await;
            Ok(done)
        });
        self.catch_panic(work).await
    }

    /// Turns a panic into an error, so that nothing that a database sends ends the daemon.
    async fn catch_panic<T>(
        &self,
        work: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        // Nothing that the work has touched is used after it.
        let outcome = AssertUnwindSafe(work).catch_unwind().await;
        outcome.unwrap_or_else(|panic| {
            let (database, reason) = (self.database.to_string(), crate::panics::reason(&*panic));
            Err(SourceError::Fault { database, reason })
        })
    }

    async fn connect(&self) -> Result<Connection, SourceError> {
        let budget = Budget::new(self.most_rows);
        let opened = Connection::open(&self.database.location, budget);
        self.in_time(CONNECT_LIMIT, opened).await?.map_err(|error| {
            let (database, reason) = (self.database.to_string(), error.to_string());
            match DatabaseErrorKind::of(&error) {
                DatabaseErrorKind::Unreachable => {
                    let reason = format!("{reason}{}", self.database.socket_hint());
                    SourceError::Unreachable { database, reason }
                }
                DatabaseErrorKind::AccessDenied => SourceError::AccessDenied { database, reason },
                DatabaseErrorKind::UnknownDatabase => {
                    SourceError::UnknownDatabase { database, reason }
                }
                DatabaseErrorKind::UnknownCharset => {
                    SourceError::UnknownCharset { database, reason }
                }
                DatabaseErrorKind::Denied => {
                    let grant = self.grants(account_in(&reason).as_deref());
                    let reason = format!("{reason}: check the database's name");
                    SourceError::SelectDenied { database, reason, grant }
                }
                _ => SourceError::Other { database, reason },
            }
        })
    }

    async fn in_time<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, SourceError> {
        let timed_out = |_| SourceError::TimedOut { database: self.database.to_string(), limit };
        timeout(limit, work).await.map_err(timed_out)
    }

    async fn read_with(&self, connection: &mut Connection) -> Result<Network, SourceError> {
        connection.begin_snapshot().await.map_err(|error| self.other(&error))?;
        let site_table = self.prefix.table("site");
        let mut networks = Vec::new();
        let take = |row: RawRow<'_>| {
            let (domain, path) = (lossy(row.domain), lossy(row.path));
            networks.push(NetworkRow { id: row.id, domain, path });
        };
        let columns = "id, 0, domain, NULL, path";
        self.query(connection, &site_table, columns, "ORDER BY id", take).await?;
        let ids: Vec<i64> = networks.iter().map(|network| network.id).collect();
        let chosen = self.choice.among(&ids, &site_table)?;
        let id = chosen.id;
        let network = networks.iter().find(|network| network.id == id);
        let network = network.ok_or(SourceError::NoNetwork { table: site_table })?;
        // An error in these does not stop the read.
        let settings = self.network_option(connection, id, plugin::SETTINGS).await;
        let integrations = self.network_option(connection, id, plugin::INTEGRATIONS).await;
        let bases = self.base_domains(connection, chosen).await;
        let mut table = self.domain_table(connection, chosen).await?;
        let main_sites = self.main_sites(connection).await?;
        let facts = SiteFacts {
            network,
            networks: &networks,
            current_site: &self.current_site,
            main_sites: &main_sites,
            bases: bases.as_ref().ok(),
            mappings: &table.mapped,
            recorded: &table.recorded,
        };
        let Sorted {
            sites_of_rows,
            sites_without_record,
            on_own_domain,
            other_sites,
            invalid,
            network_domains,
        } = self.sites(connection, facts).await?;
        for (blog_id, value, reason) in invalid {
            table.reject(RowLocation::Site(blog_id), blog_id, &value, reason);
        }
        let plugin = settings.and_then(|row| PluginSettings::read(row.as_deref()));
        let mapping_is_on = plugin.as_ref().ok().map(|plugin| plugin.domain_mapping == Some(true));
        serving::evaluate(&mut table.mapped, &sites_of_rows, mapping_is_on);
        Ok(Network {
            id,
            domain: network.domain.clone(),
            path: network.path.clone(),
            network_domains,
            mapped: table.mapped,
            sites_without_record,
            on_own_domain,
            other_sites,
            invalid: table.invalid,
            rows: table.rows,
            plugin,
            closte_integration: integrations.and_then(|row| closte_integration(row.as_deref())),
            base_domains: bases.map(drop),
            tls_failed: connection.tls_failed().map(str::to_owned),
        })
    }

    async fn domain_table(
        &self,
        connection: &mut Connection,
        network: Chosen,
    ) -> Result<DomainTable, SourceError> {
        let table = self.plugin_table("domain_mappings", network);
        let columns = "id, blog_id, domain, date_modified, stage, active, primary_domain, secure";
        let mut read = DomainTable::default();
        self.query(connection, &table, columns, "ORDER BY id", |row| read.take(&row)).await?;
        read.recorded.sort_unstable();
        Ok(read)
    }

    /// All sites of the installation.
    async fn sites(
        &self,
        connection: &mut Connection,
        facts: SiteFacts<'_>,
    ) -> Result<Sorted, SourceError> {
        let table = self.prefix.table("blogs");
        let columns = "blog_id, site_id, domain, NULL, path, archived, spam, deleted";
        let mut sorter = SiteSorter::new(facts);
        let take = |row: RawRow<'_>| {
            sorter.push(Blog {
                id: row.id,
                network: row.blog_id,
                domain: row.domain,
                path: row.path,
                is_gone: row.more.into_iter().any(is_set),
            });
        };
        self.query(connection, &table, columns, "ORDER BY blog_id", take).await?;
        Ok(sorter.finish())
    }

    /// The main site of each network for which WordPress has stored one.
    async fn main_sites(
        &self,
        connection: &mut Connection,
    ) -> Result<HashMap<i64, i64>, SourceError> {
        let table = self.prefix.table("sitemeta");
        let (columns, rest) =
            ("site_id, 0, meta_value, NULL, NULL", "WHERE meta_key = 'main_site'");
        let mut main_sites = HashMap::new();
        let take = |row: RawRow<'_>| {
            main_sites.extend(lossy(row.domain).trim().parse().ok().map(|site| (row.id, site)));
        };
        match self.query(connection, &table, columns, rest, take).await {
            // The plugin's settings, which are in the same table, report these errors.
            Ok(()) | Err(SourceError::TableMissing { .. } | SourceError::SelectDenied { .. }) => {
                Ok(main_sites)
            }
            Err(error) => Err(error),
        }
    }

    /// The base domains of all checkout forms, or why they are unknown.
    async fn base_domains(
        &self,
        connection: &mut Connection,
        network: Chosen,
    ) -> Result<BaseDomains, String> {
        let table = self.plugin_table("forms", network);
        let (mut bases, mut unparsed) = (BaseDomains::new(), None);
        let take = |row: RawRow<'_>| {
            if let Err(reason) = forms::add_base_domains(row.domain, &mut bases) {
                unparsed
                    .get_or_insert(format!("the checkout form {} in {table}: {reason}", row.id));
            }
        };
        let columns = "id, 0, settings, NULL, NULL";
        match self.query(connection, &table, columns, "ORDER BY id", take).await {
            // Without the table, the plugin finds no form either.
            Err(SourceError::TableMissing { .. }) => Ok(bases),
            Err(error) => Err(error.to_string()),
            Ok(()) => unparsed.map_or(Ok(bases), Err),
        }
    }

    /// The stored value of one of the network's options.
    async fn network_option(
        &self,
        connection: &mut Connection,
        network: i64,
        key: &'static str,
    ) -> Result<Option<Vec<u8>>, String> {
        let table = self.prefix.table("sitemeta");
        let columns = "0, 0, meta_value, NULL, NULL";
        let rest =
            format!("WHERE meta_key = '{key}' AND site_id = {network} ORDER BY meta_id LIMIT 1");
        let mut option = None;
        let take = |row: RawRow<'_>| option = Some(row.domain.to_vec());
        match self.query(connection, &table, columns, &rest, take).await {
            Ok(()) => Ok(option),
            Err(SourceError::TableMissing { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn plugin_table(&self, name: &str, network: Chosen) -> String {
        if network.is_primary {
            self.prefix.table(&format!("wu_{name}"))
        } else {
            self.prefix.table(&format!("wu_{}_{name}", network.id))
        }
    }

    /// Runs `SELECT columns FROM table rest`.
    pub(super) async fn query(
        &self,
        connection: &mut Connection,
        table: &str,
        columns: &str,
        rest: &str,
        take: impl FnMut(RawRow<'_>),
    ) -> Result<(), SourceError> {
        let sql = format!("SELECT {columns} FROM {} {rest}", quoted(table));
        let Err(error) = connection.each(&sql, take).await else { return Ok(()) };
        let kind = DatabaseErrorKind::of(&error);
        let (database, reason) = (self.database.to_string(), error.to_string());
        Err(match kind {
            DatabaseErrorKind::TableMissing | DatabaseErrorKind::Denied => {
                // A server checks the right before it checks whether the table exists.
                let similar = self.similar_prefixes(connection, table).await;
                let is_elsewhere =
                    !similar.is_empty() && !similar.contains(&self.prefix.to_string());
                if kind == DatabaseErrorKind::TableMissing || is_elsewhere {
                    let reason = match similar.is_empty() {
                        false => WhyMissing::OtherPrefix(similar),
                        true => self.why_missing(connection, table).await,
                    };
                    SourceError::TableMissing { database, table: table.to_owned(), reason }
                } else {
                    let account = self.account(connection).await;
                    let grant = self.grants(account.as_deref());
                    SourceError::SelectDenied { database, reason, grant }
                }
            }
            DatabaseErrorKind::Unreachable => SourceError::Unreachable { database, reason },
            _ => SourceError::Other { database, reason },
        })
    }

    /// The name of the network's domain table, for a write, and the network.
    pub(super) async fn find_mapping_table(
        &self,
        connection: &mut Connection,
    ) -> Result<(String, Chosen), SourceError> {
        let table = self.prefix.table("site");
        let mut networks = Vec::new();
        let take = |row: RawRow<'_>| networks.push(row.id);
        self.query(connection, &table, "id, 0, NULL, NULL, NULL", "ORDER BY id", take).await?;
        let chosen = self.choice.among(&networks, &table)?;
        Ok((self.plugin_table("domain_mappings", chosen), chosen))
    }

    /// The prefixes with which such a table exists: a missing table usually means a wrong prefix. Errors
    /// are ignored: the list only adds to another error.
    async fn similar_prefixes(&self, connection: &mut Connection, table: &str) -> Vec<String> {
        let suffix = table.strip_prefix(self.prefix.to_string().as_str()).unwrap_or(table);
        let (name, tables) = if connection.is_sqlite() {
            ("name", "sqlite_master WHERE type = 'table'")
        } else {
            ("table_name", "information_schema.tables WHERE table_schema = DATABASE()")
        };
        let sql = format!(
            "SELECT 0, 0, {name}, NULL, NULL FROM {tables} AND {name} LIKE '%{suffix}' LIMIT 10"
        );
        let mut prefixes = Vec::new();
        let take = |row: RawRow<'_>| {
            prefixes.extend(lossy(row.domain).strip_suffix(suffix).map(secrets::mask));
        };
        let _ = connection.each(&sql, take).await;
        prefixes
    }

    /// The account to which the server has matched this user, as in `'wp'@'%'`.
    pub(super) async fn account(&self, connection: &mut Connection) -> Option<String> {
        if connection.is_sqlite() {
            return None;
        }
        let mut account = None;
        let sql = "SELECT 0, 0, CURRENT_USER(), NULL, NULL";
        connection.each(sql, |row| account = Some(lossy(row.domain))).await.ok()?;
        let (name, host) = account.as_deref()?.rsplit_once('@')?;
        Some(format!("'{name}'@'{host}'"))
    }

    /// The statements that grant an account all rights that are needed.
    fn grants(&self, account: Option<&str>) -> String {
        // The ids of the networks are in a table that cannot be read: the lowest is usually 1.
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

    /// The statement that grants an account a right on a table.
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

/// The rows of the domain table; `invalid` also takes those of the `blogs` table.
#[derive(Default)]
struct DomainTable {
    rows: usize,
    mapped: NameList<CompactRowRef>,
    invalid: Vec<InvalidMapping>,
    /// The site of each row, and the row's index in `mapped`; [`NO_INDEX`] for an invalid one.
    recorded: Vec<(i64, u32)>,
}

impl DomainTable {
    fn take(&mut self, row: &RawRow<'_>) {
        self.rows += 1;
        let index = u32::try_from(self.mapped.len()).unwrap_or(NO_INDEX);
        match domain::parse(row.domain) {
            Ok(domain) => {
                let (row_id, blog_id) = (Some(row.id), Some(row.blog_id));
                let serving = match &domain {
                    Parsed::Normalised(name) if !is_sent_as(name, row.domain) => {
                        Serving::OtherSpelling
                    }
                    _ => Serving::Unknown,
                };
                let (modified, state) = (unix_seconds(row.extra), Some(state(row, serving)));
                self.mapped.push(domain.name(), RowRef { row_id, blog_id, modified, state }.into());
                self.recorded.push((row.blog_id, index));
            }
            Err(reason) => {
                self.reject(RowLocation::Row(row.id), row.blog_id, row.domain, reason);
                self.recorded.push((row.blog_id, NO_INDEX));
            }
        }
    }

    fn reject(&mut self, origin: RowLocation, blog_id: i64, value: &[u8], reason: InvalidDomain) {
        let value = secrets::mask(&lossy(value)).chars().take(VALUE_KEPT).collect();
        self.invalid.push(InvalidMapping { origin, blog_id, value, reason });
    }
}

/// Whether the database finds a row with this value by the name that browsers send.
fn is_sent_as(name: &DomainName, value: &[u8]) -> bool {
    value.trim_ascii_end().eq_ignore_ascii_case(name.as_str().as_bytes())
}

/// What a row of the domain table says. Whether it is served is known when its site is.
fn state(row: &RawRow<'_>, serving: Serving) -> RowState {
    let [active, primary, secure] = row.more.map(is_set);
    let stage = std::str::from_utf8(row.path).ok().and_then(|stage| stage.parse().ok());
    RowState { stage, active, primary, secure, serving }
}

/// Whether a flag is set, as PHP reads it.
fn is_set(flag: &[u8]) -> bool {
    !matches!(flag, b"" | b"0")
}

/// The Unix time of a date as WordPress stores it, in UTC; none for a zero date.
pub(super) fn unix_seconds(date: &[u8]) -> Option<i64> {
    let date = usual_date(date).or_else(|| std::str::from_utf8(date).ok()?.parse().ok())?;
    Some(Offset::UTC.to_timestamp(date).ok()?.as_second())
}

/// A date of the usual form, such as `2025-11-30 08:15:00`. The general parser takes longer than all else
/// that a row needs.
fn usual_date(date: &[u8]) -> Option<DateTime> {
    let two = |tens: u8, ones: u8| {
        let are_digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        are_digits.then(|| ((tens - b'0') * 10 + (ones - b'0')).cast_signed())
    };
    #[rustfmt::skip]
    let &[y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b' ', h1, h2, b':', mi1, mi2, b':', s1, s2] = date
    else {
        return None;
    };
    let year = i16::from(two(y1, y2)?) * 100 + i16::from(two(y3, y4)?);
    let (month, day) = (two(mo1, mo2)?, two(d1, d2)?);
    DateTime::new(year, month, day, two(h1, h2)?, two(mi1, mi2)?, two(s1, s2)?, 0).ok()
}

/// An SQL expression that is not 0 if a site is archived, spam or deleted. It compares texts: in old
/// dumps the columns are enums, whose numbers are not their values. `table` is the alias with its dot.
pub(super) fn is_gone(table: &str) -> String {
    let is_set = |column| format!("CAST(COALESCE({table}{column}, '') AS CHAR) NOT IN ('', '0')");
    let [archived, spam, deleted] = ["archived", "spam", "deleted"].map(is_set);
    format!("({archived} OR {spam} OR {deleted})")
}

pub(super) fn lossy(bytes: &[u8]) -> String {
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
    use proptest::prelude::*;

    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error() {
        let database = "mysql://wp:pw@db/wordpress".parse().unwrap();
        let source = Source::new(database, "wp_".parse().unwrap(), None);
        let error = source.catch_panic::<()>(async { panic!("impossible") }).await.unwrap_err();
        assert!(matches!(&error, SourceError::Fault { reason, .. } if reason == "impossible"));
        assert!(error.to_string().contains("please report this"), "{error}");
    }

    proptest! {
        #[test]
        fn a_usual_date_is_what_the_general_parser_reads(
            date in "[0-2][0-9]{3}-[0-1][0-9]-[0-3][0-9][ T][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.5)?|[0-9 :-]{19}",
        ) {
            if let Some(usual) = usual_date(date.as_bytes()) {
                prop_assert_eq!(date.parse().ok(), Some(usual));
            }
        }

        #[test]
        fn a_date_is_read_as_it_was_written(second in 0..253_402_300_800_i64) {
            let date = Offset::UTC.to_datetime(jiff::Timestamp::from_second(second).unwrap());
            let date = date.strftime("%Y-%m-%d %H:%M:%S").to_string();
            prop_assert!(usual_date(date.as_bytes()).is_some());
            prop_assert_eq!(unix_seconds(date.as_bytes()), Some(second));
        }
    }
}
