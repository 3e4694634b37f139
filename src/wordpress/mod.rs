//! The desired state: the network as WordPress and Ultimate Multisite store it in MySQL, MariaDB or
//! SQLite.
//!
//! It is read from the plugin's `PREFIXwu_domain_mappings` (`PREFIXwu_N_domain_mappings` for network N
//! where that is not the main one) and from WordPress's `PREFIXblogs`, `PREFIXsite` and
//! `PREFIXsitemeta`, as plugin 2.14.2 and WordPress 7.0 write them.

mod activation;
mod budget;
mod choice;
mod config;
mod database;
mod database_parts;
mod error;
mod forms;
mod location;
mod mysql;
mod named_locks;
mod php;
mod plugin;
mod raw_row;
mod records;
mod rest;
mod serving;
mod site_url;
mod sites;
mod source;
mod stage;
mod stage_method;
mod wp_config_file;

use crate::{
    domain::{DomainName, DomainRef, InvalidDomain},
    ledger::{CompactRowRef, RowLocation, RowRef},
    names::NameList,
    status::RowState,
};

pub use budget::MOST_ROWS;
pub use config::WordPressConfig;
pub(crate) use config::database_is_not_set;
pub use error::{SourceError, WhyMissing};
pub use location::{DatabaseUrl, InvalidDatabaseUrl, InvalidTablePrefix, TablePrefix};
pub use mysql::InvalidOption;
pub use named_locks::{InvalidLockName, LockError, LockName, LockSession};
pub use php::{Setting, Unknown, WpConfig, WpConfigError};
pub use plugin::{ApiKeyPair, PluginSettings, WwwPolicy, closte_integration};
pub use records::NotCreated;
pub use rest::{RestClient, RestError, SiteAccess};
pub use site_url::{InvalidSiteUrl, SiteUrl};
pub use sites::{CurrentSite, NoRecord, Site};
pub use source::Source;
pub use stage::{PluginCheck, RowFacts, RowSite};
pub use stage_method::{
    ContentFolder, NoStageMethod, NoWriteStage, ObjectCache, StageMethod, WriteStage,
};
pub use wp_config_file::WpConfigFile;

/// What to do when TLS with the database fails and the connection is unencrypted.
pub const TLS_REMEDY: &str = "fix the server's TLS, or set what is intended in wordpress.database_url: \
    ?ssl-mode=disabled never tries TLS, ?ssl-mode=required never connects without it";

/// A network, as one consistent read of its database found it.
#[derive(Debug, Clone)]
pub struct Network {
    /// In the `site` table.
    pub id: i64,
    /// As stored in the `site` table.
    pub domain: String,
    /// As stored in the `site` table.
    pub path: String,
    /// The domains of all networks of the installation and of their main sites, and
    /// `DOMAIN_CURRENT_SITE`.
    pub network_domains: Vec<DomainName>,
    /// The valid rows of the domain table, ordered by id: see [`Self::mappings`].
    pub mapped: NameList<CompactRowRef>,
    pub sites_without_record: Vec<Site>,
    /// The number of sites without a record on the network's own domain, which never get one.
    pub on_own_domain: usize,
    /// The own domains and ids of the other sites of the installation: those that have records, and those
    /// of other networks.
    pub other_sites: NameList<i64>,
    pub invalid: Vec<InvalidMapping>,
    /// The number of rows of the domain table, valid or not.
    pub rows: usize,
    pub plugin: Result<PluginSettings, String>,
    /// Whether the plugin's own Closte integration is on; none if no integration was ever switched.
    pub closte_integration: Result<Option<bool>, String>,
    /// Why TLS failed, if the connection is unencrypted because of that.
    pub tls_failed: Option<String>,
    /// An error if it is not known which domains the checkout forms share.
    pub base_domains: Result<(), String>,
}

/// A row of the domain table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping<'a> {
    pub row_id: i64,
    pub blog_id: i64,
    pub domain: DomainRef<'a>,
    /// Unix seconds of the last write; none for NULL and zero dates.
    pub modified: Option<i64>,
    pub state: RowState,
}

impl Network {
    /// The valid rows of the domain table, ordered by id.
    pub fn mappings(&self) -> impl Iterator<Item = Mapping<'_>> + Clone {
        self.mapped.iter().filter_map(|(domain, row)| {
            let RowRef { row_id, blog_id, modified, state } = (*row).into();
            Some(Mapping { row_id: row_id?, blog_id: blog_id?, domain, modified, state: state? })
        })
    }
}

/// A value in a domain column that is no domain name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMapping {
    pub origin: RowLocation,
    pub blog_id: i64,
    /// At most 200 characters of the value. It may hold any character: escape it.
    pub value: String,
    pub reason: InvalidDomain,
}
