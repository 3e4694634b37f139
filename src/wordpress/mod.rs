//! What should be: the network as WordPress and Ultimate Multisite keep it, in MySQL, MariaDB or
//! SQLite.
//!
//! The tables were read from the plugin's public sources and from the database of a network with
//! plugin 2.14.2: `PREFIXwu_domain_mappings` (for another network than the main one
//! `PREFIXwu_N_domain_mappings`), and WordPress's own `PREFIXblogs`, `PREFIXsite`
//! and `PREFIXsitemeta`.

mod budget;
mod choice;
mod config;
mod database;
mod database_parts;
mod error;
mod forms;
mod location;
mod mysql;
mod php;
mod plugin;
mod records;
mod sites;
mod source;
mod wp_config_file;

use crate::{
    domain::{DomainName, InvalidDomain},
    ledger::RowLocation,
};

pub use budget::MOST_ROWS;
pub use config::WordPressConfig;
pub(crate) use config::database_is_not_set;
pub use error::SourceError;
pub use location::{DatabaseUrl, InvalidDatabaseUrl, InvalidTablePrefix, TablePrefix};
pub use mysql::InvalidOption;
pub use php::{Setting, Unknown, WpConfig, WpConfigError};
pub use plugin::{PluginSettings, WwwPolicy, closte_integration};
pub use records::NotCreated;
pub use sites::{CurrentSite, NoRecord, Site};
pub use source::Source;
pub use wp_config_file::WpConfigFile;

/// What to do where TLS with the database fails and the connection is plain.
pub const TLS_REMEDY: &str = "mend the server's TLS; or say in wordpress.database_url what is meant: \
    ?ssl-mode=disabled is plain without trying, ?ssl-mode=required never is";

/// A network, as one consistent read of its database found it.
#[derive(Debug, Clone)]
pub struct Network {
    /// Its number in the `site` table.
    pub id: i64,
    /// Its own domain, as it stands in the `site` table.
    pub domain: String,
    /// Its path, as it stands there.
    pub path: String,
    /// The domains of all networks of the installation and of their main sites, and
    /// `DOMAIN_CURRENT_SITE`.
    pub network_domains: Vec<DomainName>,
    /// The readable rows of the domain table, in the order of their ids.
    pub mappings: Vec<Mapping>,
    /// The sites that have no domain record at all.
    pub sites_without_record: Vec<Site>,
    /// How many more there are on the network's own domain, which never have one.
    pub on_own_domain: usize,
    /// The own domains of all other sites of the installation, where no row of the domain table has them,
    /// each with its site: of those whose records are all for other names, and those of other networks.
    pub without_row: Vec<(i64, DomainName)>,
    /// What is no domain name.
    pub invalid: Vec<InvalidMapping>,
    /// How many rows the domain table has.
    pub rows: usize,
    /// The plugin's own settings, or why they could not be read.
    pub plugin: Result<PluginSettings, String>,
    /// Whether the plugin's own Closte integration is on, or why that could not be read.
    pub closte_integration: Result<Option<bool>, String>,
    /// Why the connection was without TLS, where TLS was tried and failed.
    pub tls_failed: Option<String>,
    /// Why it is not known which domains the checkout forms share, if so.
    pub base_domains: Result<(), String>,
}

/// A row of the domain table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Its id.
    pub row_id: i64,
    /// The site.
    pub blog_id: i64,
    /// The name.
    pub domain: DomainName,
    /// When it was last written, in Unix seconds; none for NULL and zero dates.
    pub modified: Option<i64>,
}

/// Something in a domain column that is no domain name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMapping {
    /// Where it stands.
    pub origin: RowLocation,
    /// The site.
    pub blog_id: i64,
    /// What stands there, at most 200 characters of it. It may hold anything: escape it.
    pub value: String,
    /// Why it is no name.
    pub reason: InvalidDomain,
}
