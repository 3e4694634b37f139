//! `[wordpress]`

use std::str::FromStr;

use super::{
    ContentFolder, CurrentSite, DatabaseUrl, SiteUrl, TablePrefix, WriteStage,
    database_parts::{DATABASE_PARTS, DatabaseParts},
    wp_config_file::WpConfigFile,
};
use crate::settings::{Reader, SettingsError};

const PREFIX: &str = "wordpress.table_prefix";

#[derive(Debug, Clone)]
pub struct WordPressConfig {
    /// From `database_url` or from what replaces it.
    pub database: Option<DatabaseUrl>,
    pub table_prefix: TablePrefix,
    pub network_id: Option<i64>,
    pub primary_network_id: Option<i64>,
    /// As WordPress compares it: it may have a port, or no dot.
    pub current_site: Option<String>,
    pub create_domain_records: bool,
    pub write_stage: WriteStage,
    /// None is the network's own address.
    pub url: Option<SiteUrl>,
    pub max_rows: u64,
    pub wp_config: Option<WpConfigFile>,
    /// By setting, why it is uncertain which tables are the network's.
    doubts: Vec<(&'static str, String)>,
}

impl WordPressConfig {
    /// Reads the section; its values override those of the `wp-config.php`.
    pub fn read(reader: &mut Reader, wp_config: Option<WpConfigFile>) -> Option<Self> {
        let database = read_database(reader, wp_config.as_ref());
        let doubts = wp_config.as_ref().map(|file| file.doubts(|key| reader.is_default(key)));
        let mut section = reader.section("wordpress");
        let table_prefix = section.parse("table_prefix");
        let network_id = section.optional::<NetworkId>("network_id");
        let primary_network_id = section.optional::<NetworkId>("primary_network_id");
        let current_site = section.optional("current_site");
        let create_domain_records = section.flag("create_domain_records");
        let write_stage = section.parse("write_stage");
        let url = section.optional("url");
        // The names of so many rows, each with a twin, are less than 4 GiB.
        let max_rows = section.number("max_rows", 1_000..=8_000_000);
        Some(Self {
            database: database?,
            table_prefix: table_prefix?,
            network_id: network_id?.map(|NetworkId(id)| id),
            primary_network_id: primary_network_id?.map(|NetworkId(id)| id),
            current_site: current_site?,
            create_domain_records: create_domain_records?,
            write_stage: write_stage?,
            url: url?,
            max_rows: max_rows?,
            wp_config,
            doubts: doubts.unwrap_or_default(),
        })
    }

    /// # Errors
    /// The table prefix is uncertain.
    pub fn database(&self) -> Result<Option<&DatabaseUrl>, SettingsError> {
        match self.doubts.iter().find(|(setting, _)| *setting == PREFIX) {
            Some((_, doubt)) => Err(SettingsError::one(doubt)),
            None => Ok(self.database.as_ref()),
        }
    }

    /// `DOMAIN_CURRENT_SITE`
    pub fn current_site(&self) -> CurrentSite {
        if let Some(domain) = &self.current_site {
            return CurrentSite::Known(domain.clone());
        }
        // A file that it requires may set it.
        let is_unset = self.wp_config.as_ref().is_none_or(|file| {
            file.config.as_ref().is_ok_and(|config| {
                config.not_followed.is_empty()
                    && config.unknown.iter().all(|one| one.name != "DOMAIN_CURRENT_SITE")
            })
        });
        if is_unset { CurrentSite::Unset } else { CurrentSite::Unknown }
    }

    pub fn content_folder(&self) -> ContentFolder {
        let wp_config = self.wp_config.as_ref().map(|file| file.path.as_path());
        ContentFolder::find(wp_config, self.database.as_ref())
    }

    /// Why it is uncertain which network to use, if the database has several.
    pub fn network_doubts(&self) -> Vec<String> {
        let others = self.doubts.iter().filter(|(setting, _)| *setting != PREFIX);
        others.map(|(_, doubt)| doubt.clone()).collect()
    }
}

pub(crate) fn database_is_not_set(is_systemd_service: bool) -> String {
    let remedy = if is_systemd_service {
        "tell the service where the network's wp-config.php is, by `systemctl edit` and \
         LoadCredential=wp-config.php:/its/path below [Service]"
    } else {
        "name the network's wp-config.php with --wp-config, or set \
         CLOSTE_SYNC__WORDPRESS__DATABASE_URL, or WORDPRESS_DB_HOST, WORDPRESS_DB_USER, \
         WORDPRESS_DB_PASSWORD and WORDPRESS_DB_NAME"
    };
    format!("wordpress.database_url is not set: {remedy}")
}

/// `CLOSTE_SYNC__WORDPRESS__DATABASE_URL` overrides the parts in the environment, these override
/// `database_url` in a file, and that overrides `wp-config.php`.
fn read_database(
    reader: &mut Reader,
    wp_config: Option<&WpConfigFile>,
) -> Option<Option<DatabaseUrl>> {
    let variables = DATABASE_PARTS.map(|variable| reader.variable(variable));
    let mut section = reader.section("wordpress");
    let of_file = wp_config.and_then(WpConfigFile::database);
    let with_connection = |url| match wp_config {
        Some(file) => file.connection(url),
        None => Ok(url),
    };
    let is_in_parts = variables.iter().any(Option::is_some);
    let parts = if is_in_parts && !section.is_set_beside_files("database_url") {
        match DatabaseParts::of_environment(variables, of_file.map(|(parts, _)| parts)) {
            Ok(parts) => Some((parts, "environment WORDPRESS_DB_*".to_owned())),
            Err(problem) => {
                section.problem(problem);
                return None;
            }
        }
    } else if let Some(url) = section.optional("database_url")? {
        let url: DatabaseUrl = section.check("database_url", with_connection(url))?;
        section.show("database_url", url.to_string(), None);
        return Some(Some(url));
    } else {
        of_file
    };
    let Some((parts, source)) = parts else { return Some(None) };
    match parts.url().and_then(with_connection) {
        Ok(url) => {
            section.show("database_url", url.to_string(), Some(source));
            Some(Some(url))
        }
        Err(error) => {
            section.problem(format!("the database's address ({source}): {error}"));
            None
        }
    }
}

struct NetworkId(i64);

impl FromStr for NetworkId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().ok().filter(|id| *id > 0).map(Self).ok_or("it must be a number from 1 on")
    }
}
