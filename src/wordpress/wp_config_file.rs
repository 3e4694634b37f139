use std::{collections::BTreeMap, path::PathBuf};

use config::{Map, Value};

use super::{
    DatabaseUrl, InvalidDatabaseUrl, Setting, Unknown, WpConfig, database_parts::DatabaseParts,
};
use crate::settings::{Layers, Provenance, Reader, others_may_read};

/// A `wp-config.php`, and what it says or why it could not be read.
#[derive(Debug, Clone)]
pub struct WpConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub config: Result<WpConfig, String>,
    /// Those of [`CLOSTE`] whose value is of another kind. They are for advice only, and so stop nothing.
    unfit: Vec<&'static str>,
}

/// The origin of a `wp-config.php` that nobody named.
const FOUND: &str = "found there";

/// The settings that say which network it is. [`TABLES`] of them say which of the database's tables.
const NETWORK: [(&str, &str); 4] = [
    ("$table_prefix", "wordpress.table_prefix"),
    ("SITE_ID_CURRENT_SITE", "wordpress.network_id"),
    ("PRIMARY_NETWORK_ID", "wordpress.primary_network_id"),
    ("DOMAIN_CURRENT_SITE", "wordpress.current_site"),
];
const TABLES: usize = 3;

/// The other settings that it sets by single values.
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
    /// The one that was named, or the first that is there. One that was named and cannot be read is an
    /// error; one that was found is passed over, but remembered. What it sets is from then on the
    /// weakest layer of the settings, as far as each value `is_fit` for its setting.
    pub fn find(
        layers: &Layers,
        reader: &mut Reader,
        is_fit: impl Fn(&str, &str) -> bool,
    ) -> Option<Self> {
        let set = reader.section("wordpress").optional::<PathBuf>("config_file")?;
        let named = layers.wp_config.clone().or_else(|| set.clone());
        let is_named = named.is_some();
        let path = named.or_else(|| layers.wp_config_found())?;
        let config = WpConfig::read(&path, &layers.environment).map_err(|error| error.to_string());
        if let (true, Err(error)) = (is_named, &config) {
            reader.problem(error);
            return None;
        }
        if layers.wp_config.is_some() || set.is_none() {
            let origin = if is_named { "--wp-config" } else { FOUND };
            let shown = path.display().to_string();
            reader.section("wordpress").show("config_file", shown, Some(origin.to_owned()));
        }
        let mut file = Self { path, config, unfit: Vec::new() };
        let is_unfit = |(name, key): &(&str, &str)| {
            file.setting(name).is_some_and(|setting| !is_fit(key, setting.value.trim()))
        };
        file.unfit = CLOSTE.into_iter().filter(is_unfit).map(|(name, _)| name).collect();
        reader.add_weakest(file.values());
        if others_may_read(&file.path) && file.has_secrets() {
            reader.secret_file(&file.path);
        }
        Some(file)
    }

    fn setting(&self, name: &str) -> Option<&Setting> {
        self.config.as_ref().ok()?.get(name)
    }

    /// Whether a password or the key stands in it, not only where to get them: whether it says the
    /// same without the environment.
    fn has_secrets(&self) -> bool {
        let by_itself = WpConfig::read(&self.path, &BTreeMap::new());
        ["DB_PASSWORD", "CLOSTE_CLIENT_API_KEY"].iter().any(|name| {
            let value = self.setting(name).map(|setting| &setting.value);
            let is_same =
                |config: &WpConfig| config.get(name).map(|setting| &setting.value) == value;
            value.is_some_and(|value| !value.is_empty()) && by_itself.as_ref().is_ok_and(is_same)
        })
    }

    /// Where a value stands: `wp-config.php:12`.
    fn source(&self, setting: &Setting) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        format!("{}:{}", name.display(), setting.line)
    }

    /// The settings that it sets, each with its line.
    fn values(&self) -> Map<String, Value> {
        let value = |(name, key): (&str, &str)| {
            let setting = self.setting(name).filter(|_| !self.unfit.contains(&name))?;
            let value = Value::new(Some(&self.source(setting)), setting.value.clone());
            Some((key.to_owned(), value))
        };
        NETWORK.into_iter().chain(CLOSTE).filter_map(value).collect()
    }

    /// The database that it names, if it does so in full. `localhost` is PHP's default socket.
    pub(super) fn database(&self) -> Option<(DatabaseParts, String)> {
        let config = self.config.as_ref().ok()?;
        // A password that is there and not known is not the same as none, nor is one that other code may
        // set.
        let is_unknown = config
            .unknown
            .iter()
            .any(|unknown| unknown.name.starts_with("DB_") && unknown.name != "DB_COLLATE");
        let lacks = |name| config.get(name).is_none() && !config.not_followed.is_empty();
        if is_unknown || lacks("DB_HOST") || lacks("DB_PASSWORD") {
            return None;
        }
        let text = |name| self.setting(name).map(|setting| setting.value.clone());
        let name = self.setting("DB_NAME")?;
        let parts = DatabaseParts {
            host: text("DB_HOST").unwrap_or_else(|| "localhost".to_owned()),
            user: text("DB_USER")?,
            password: text("DB_PASSWORD").unwrap_or_default(),
            name: name.value.clone(),
        };
        Some((parts, self.source(name)))
    }

    /// The address with what it says of WordPress's connection and the address does not.
    pub(super) fn connection(&self, url: DatabaseUrl) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
        let value = |name| self.setting(name).map(|setting| setting.value.as_str());
        let url = url.with_charset(value("DB_CHARSET"), value("DB_COLLATE"))?;
        Ok(if self.requires_tls() { url.with_tls() } else { url })
    }

    /// Whether the flags of WordPress's connection ask for TLS. Flags that are not known count as such.
    fn requires_tls(&self) -> bool {
        let is_unknown = |config: &WpConfig| config.unknown.iter().any(|one| one.name == FLAGS);
        match self.setting(FLAGS) {
            Some(flags) => flags.value.split('|').any(|flag| !FLAGS_WITHOUT_TLS.contains(&flag)),
            None => self.config.as_ref().is_ok_and(is_unknown),
        }
    }

    /// Why it does not say which of the database's tables are the network's, by setting, for those that
    /// are left to it. To take the default instead could be to work on another network.
    pub(super) fn doubts(&self, is_left: impl Fn(&str) -> bool) -> Vec<(&'static str, String)> {
        let path = self.path.display();
        let doubt = |(name, setting): (&'static str, &'static str)| {
            let config = match &self.config {
                Ok(config) => config,
                Err(_) if !is_left(setting) => return None,
                Err(error) => {
                    let remedy = format!("Let this user read that file, or set {setting}");
                    return Some((setting, format!("{setting} is not known: {error}. {remedy}")));
                }
            };
            let unknown = config.unknown.iter().find(|one| one.name == name);
            let why = match unknown {
                Some(Unknown { line, why, .. }) => {
                    format!("{path} sets {name} in line {line}, but {why}")
                }
                None if self.setting(name).is_some() => return None,
                None => match config.not_followed.first() {
                    Some((line, what)) => {
                        format!("{path} sets no {name}; perhaps {what} in line {line} does")
                    }
                    // WordPress does not run without one.
                    None if name == "$table_prefix" => {
                        format!("{path} sets no {name}; perhaps it is only half written")
                    }
                    None => return None,
                },
            };
            let doubt = || format!("{setting} is not known: {why}. Set {setting}");
            is_left(setting).then(|| (setting, doubt()))
        };
        NETWORK.into_iter().take(TABLES).filter_map(doubt).collect()
    }

    /// Why the settings say less than with this file by mistake: it is gone or only half written,
    /// perhaps because an editor is between two versions of it, and which network is meant would be left
    /// to the defaults, or to another file.
    pub fn lost_since(&self, now: Option<&Self>, provenance: &Provenance) -> Option<String> {
        let path = self.path.display();
        if let Some(other) = now.filter(|other| other.path != self.path)
            && provenance.is_from("wordpress.config_file", FOUND)
        {
            let other = other.path.display();
            return Some(format!(
                "{path} is gone, and {other} was found instead: if that is meant, restart the daemon"
            ));
        }
        let set = NETWORK.into_iter().filter(|(name, _)| self.setting(name).is_some());
        let network = set.map(|(_, key)| key).find(|key| provenance.is_from(key, "default"));
        let key = network.or_else(|| self.lost_of_connection(now))?;
        Some(format!(
            "{key} was set by {path}, and is no longer: is that file whole? If it is, restart the daemon"
        ))
    }

    /// What it said of WordPress's connection and `now` says no more.
    fn lost_of_connection(&self, now: Option<&Self>) -> Option<&'static str> {
        let lost = |name: &&str| {
            let is_known = |file: &Self| file.setting(name).is_some();
            // Unknown flags count as the strictest.
            let is_said = |file: &Self| is_known(file) || *name == FLAGS && file.requires_tls();
            is_said(self) && !now.is_some_and(is_said)
        };
        ["DB_CHARSET", FLAGS].into_iter().find(lost)
    }

    /// What stands there but cannot be known, a sentence each with the setting that replaces it.
    pub fn unknown(&self) -> Vec<String> {
        let config = match &self.config {
            Ok(config) => config,
            Err(error) => return vec![error.clone()],
        };
        let sentence = |name: &str, line: usize, why: &str| {
            let setting = setting_of(name);
            format!("{name} in line {line} is not known: {why}; {setting} replaces it")
        };
        let unknown = config.unknown.iter().map(|one| sentence(one.name, one.line, &one.why));
        let unfit = self.unfit.iter().filter_map(|name| {
            let setting = self.setting(name)?;
            Some(sentence(name, setting.line, "its value is of another kind"))
        });
        unknown.chain(unfit).collect()
    }
}

/// The setting that is used instead of what the file says.
fn setting_of(name: &str) -> &'static str {
    let settings = NETWORK.into_iter().chain(CLOSTE);
    match (name, settings.into_iter().find(|(one, _)| *one == name)) {
        (_, Some((_, setting))) => setting,
        (FLAGS, None) => "wordpress.database_url (with ?ssl-mode=)",
        ("DB_CHARSET" | "DB_COLLATE", None) => "wordpress.database_url (with ?charset=)",
        (_, None) => "wordpress.database_url",
    }
}
