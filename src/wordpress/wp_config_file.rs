use std::{collections::BTreeMap, path::PathBuf};

use config::{Map, Value};

use super::{
    DatabaseUrl, InvalidDatabaseUrl, Setting, Unknown, WpConfig, database_parts::DatabaseParts,
};
use crate::settings::{Layers, Provenance, Reader, others_may_read};

#[derive(Debug, Clone)]
pub struct WpConfigFile {
    pub path: PathBuf,
    /// Its content, or why it could not be read.
    pub config: Result<WpConfig, String>,
    /// The constants of [`CLOSTE`] with an invalid value. They are ignored, and reported.
    invalid: Vec<&'static str>,
}

/// The displayed origin of a `wp-config.php` that no setting names.
const FOUND: &str = "found there";

/// The settings that identify the network. The first [`TABLES`] of them select the database's tables.
const NETWORK: [(&str, &str); 4] = [
    ("$table_prefix", "wordpress.table_prefix"),
    ("SITE_ID_CURRENT_SITE", "wordpress.network_id"),
    ("PRIMARY_NETWORK_ID", "wordpress.primary_network_id"),
    ("DOMAIN_CURRENT_SITE", "wordpress.current_site"),
];
const TABLES: usize = 3;

/// The other settings that are one constant each.
const CLOSTE: [(&str, &str); 3] = [
    ("CLOSTE_CLIENT_API_KEY", "closte.api_key"),
    ("CLOSTE_APP_ID", "closte.app_id"),
    ("CLOSTE_PUBLIC_IP_ADDRESS", "closte.public_address"),
];

const FLAGS: &str = "MYSQL_CLIENT_FLAGS";
const FLAGS_WITHOUT_TLS: [&str; 6] = [
    "",
    "MYSQLI_CLIENT_COMPRESS",
    "MYSQLI_CLIENT_FOUND_ROWS",
    "MYSQLI_CLIENT_IGNORE_SPACE",
    "MYSQLI_CLIENT_INTERACTIVE",
    "MYSQLI_CLIENT_NO_SCHEMA",
];

impl WpConfigFile {
    /// Reads the file that a setting names, or the first that is found in the usual places. It is an error
    /// if the named file cannot be read; if a found one cannot, the error is kept in `config`. The values
    /// become the weakest layer of the settings, without those that are not valid by `is_valid`.
    pub fn find(
        layers: &Layers,
        reader: &mut Reader,
        is_valid: impl Fn(&str, &str) -> bool,
    ) -> Option<Self> {
        let set = reader.section("wordpress").optional::<PathBuf>("config_file")?;
        let named = layers.wp_config.clone().or_else(|| set.clone());
        let is_named = named.is_some();
        let path = named.or_else(|| layers.wp_config_found())?;
        let config = WpConfig::read(&path, &layers.environment);
        if let (true, Err(error)) = (is_named, &config) {
            if error.is_missing() {
                reader.missing_file(error.to_string());
            } else {
                reader.problem(error.to_string());
            }
            return None;
        }
        let config = config.map_err(|error| error.to_string());
        if layers.wp_config.is_some() || set.is_none() {
            let origin = if is_named { "--wp-config" } else { FOUND };
            let shown = path.display().to_string();
            reader.section("wordpress").show("config_file", shown, Some(origin.to_owned()));
        }
        let mut file = Self { path, config, invalid: Vec::new() };
        let is_invalid = |(name, key): &(&str, &str)| {
            file.setting(name).is_some_and(|setting| !is_valid(key, setting.value.trim()))
        };
        file.invalid = CLOSTE.into_iter().filter(is_invalid).map(|(name, _)| name).collect();
        reader.add_weakest(file.values());
        if others_may_read(&file.path) && file.has_secrets() {
            reader.secret_file(&file.path);
        }
        Some(file)
    }

    fn setting(&self, name: &str) -> Option<&Setting> {
        self.config.as_ref().ok()?.get(name)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.setting(name).map(|setting| setting.value.as_str())
    }

    /// Whether it contains the password or the key itself: whether it has the same value without the
    /// environment.
    fn has_secrets(&self) -> bool {
        let Ok(alone) = WpConfig::read(&self.path, &BTreeMap::new()) else { return false };
        ["DB_PASSWORD", "CLOSTE_CLIENT_API_KEY"].iter().any(|name| {
            let value = self.value(name).unwrap_or_default();
            !value.is_empty() && alone.get(name).is_some_and(|setting| setting.value == value)
        })
    }

    /// The origin of a value, as in `wp-config.php:12`.
    fn source(&self, setting: &Setting) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        format!("{}:{}", name.display(), setting.line)
    }

    fn values(&self) -> Map<String, Value> {
        let value = |(name, key): (&str, &str)| {
            let setting = self.setting(name).filter(|_| !self.invalid.contains(&name))?;
            let value = Value::new(Some(&self.source(setting)), setting.value.clone());
            Some((key.to_owned(), value))
        };
        NETWORK.into_iter().chain(CLOSTE).filter_map(value).collect()
    }

    /// The address of the database, if all its parts are known.
    pub(super) fn database(&self) -> Option<(DatabaseParts, String)> {
        let config = self.config.as_ref().ok()?;
        // An unknown password is not an empty one, nor is one that other code may set.
        let is_unknown = config
            .unknown
            .iter()
            .any(|unknown| unknown.name.starts_with("DB_") && unknown.name != "DB_COLLATE");
        let may_be_elsewhere = |name| config.get(name).is_none() && !config.not_followed.is_empty();
        if is_unknown || may_be_elsewhere("DB_HOST") || may_be_elsewhere("DB_PASSWORD") {
            return None;
        }
        let text = |name| self.value(name).map(str::to_owned);
        let name = self.setting("DB_NAME")?;
        let parts = DatabaseParts {
            host: text("DB_HOST").unwrap_or_else(|| "localhost".to_owned()),
            user: text("DB_USER")?,
            password: text("DB_PASSWORD").unwrap_or_default(),
            name: name.value.clone(),
        };
        Some((parts, self.source(name)))
    }

    /// Adds the properties of WordPress's connection that the address does not set itself.
    pub(super) fn connection(&self, url: DatabaseUrl) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
        let url = url.with_charset(self.value("DB_CHARSET"), self.value("DB_COLLATE"))?;
        Ok(if self.requires_tls() { url.with_tls() } else { url })
    }

    /// Whether the flags of WordPress's connection require TLS. Unknown flags are assumed to.
    fn requires_tls(&self) -> bool {
        let is_unknown = |config: &WpConfig| config.unknown.iter().any(|one| one.name == FLAGS);
        match self.value(FLAGS) {
            Some(flags) => flags.split('|').any(|flag| !FLAGS_WITHOUT_TLS.contains(&flag)),
            None => self.config.as_ref().is_ok_and(is_unknown),
        }
    }

    /// By setting, why the file leaves it unknown which of the database's tables are the network's, for the
    /// settings that are not set elsewhere. Their defaults could mean another network.
    pub(super) fn doubts(&self, is_unset: impl Fn(&str) -> bool) -> Vec<(&'static str, String)> {
        let path = self.path.display();
        let doubt = |(name, setting): (&'static str, &'static str)| {
            let config = match &self.config {
                Ok(config) => config,
                Err(error) => {
                    let remedy = format!("Let this user read that file, or set {setting}");
                    return Some((setting, format!("{setting} is not known: {error}. {remedy}")));
                }
            };
            let unknown = config.unknown.iter().find(|one| one.name == name);
            let why = match (unknown, config.not_followed.first()) {
                (Some(Unknown { line, why, .. }), _) => {
                    format!("{path} sets {name} in line {line}, but {why}")
                }
                _ if config.get(name).is_some() => return None,
                (None, Some((line, what))) => {
                    format!("{path} sets no {name}; {what} in line {line} may set it")
                }
                // WordPress requires one.
                _ if name == "$table_prefix" => {
                    format!("{path} sets no {name}; it may be incomplete")
                }
                _ => return None,
            };
            Some((setting, format!("{setting} is not known: {why}. Set {setting}")))
        };
        let unset = NETWORK.into_iter().take(TABLES).filter(|(_, setting)| is_unset(setting));
        unset.filter_map(doubt).collect()
    }

    /// Why a reload lost values of this file by mistake: it is missing or incomplete, as while an editor
    /// saves it, and defaults or another file would select the network.
    pub fn lost_since(&self, now: Option<&Self>, provenance: &Provenance) -> Option<String> {
        let path = self.path.display();
        if let Some(other) = now.filter(|other| other.path != self.path)
            && provenance.is_from("wordpress.config_file", FOUND)
        {
            let other = other.path.display();
            return Some(format!(
                "{path} is missing, and {other} was found instead: if that is intended, restart the daemon"
            ));
        }
        let set = NETWORK.into_iter().filter(|(name, _)| self.setting(name).is_some());
        let network = set.map(|(_, key)| key).find(|key| provenance.is_from(key, "default"));
        let key = network.or_else(|| self.lost_from_connection(now))?;
        Some(format!(
            "{key} was set by {path}, and is no longer: if that file is complete, restart the daemon"
        ))
    }

    /// A property of WordPress's connection that it sets and `now` does not.
    fn lost_from_connection(&self, now: Option<&Self>) -> Option<&'static str> {
        let lost = |name: &&str| {
            let is_known = |file: &Self| file.setting(name).is_some();
            let is_set = |file: &Self| is_known(file) || *name == FLAGS && file.requires_tls();
            is_set(self) && !now.is_some_and(is_set)
        };
        ["DB_CHARSET", FLAGS].into_iter().find(lost)
    }

    /// One sentence for each unknown or invalid value, with the setting that replaces it.
    pub fn unknown(&self) -> Vec<String> {
        let config = match &self.config {
            Ok(config) => config,
            Err(error) => return vec![error.clone()],
        };
        let sentence = |name: &str, line: usize, problem: &str| {
            format!("{name} in line {line} {problem}; {} replaces it", setting_of(name))
        };
        let unknown = config.unknown.iter().map(|Unknown { name, line, why }| {
            sentence(name, *line, &format!("is not known: {why}"))
        });
        let invalid = self.invalid.iter().filter_map(|name| {
            let setting = self.setting(name)?;
            Some(sentence(name, setting.line, "has an invalid value"))
        });
        unknown.chain(invalid).collect()
    }
}

/// The setting that replaces a constant or variable of the file.
fn setting_of(name: &str) -> &'static str {
    let settings = NETWORK.into_iter().chain(CLOSTE);
    match (name, settings.into_iter().find(|(one, _)| *one == name)) {
        (_, Some((_, setting))) => setting,
        (FLAGS, None) => "wordpress.database_url (with ?ssl-mode=)",
        ("DB_CHARSET" | "DB_COLLATE", None) => "wordpress.database_url (with ?charset=)",
        (_, None) => "wordpress.database_url",
    }
}
