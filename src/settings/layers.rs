use std::{collections::BTreeMap, fmt, fs, path::PathBuf};

use config::{Config, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};

use super::{
    SettingsError, WpConfigFile,
    database::{DATABASE_PARTS, DatabaseParts},
    places::{Found, others_may_read},
    values::Values,
};
use crate::{escape::escape_line, wordpress::WpConfig};

pub(super) const DEFAULTS: &str = include_str!("../../config/default.toml");
const PREFIX: &str = "CLOSTE_SYNC__";
/// What the variables of [`PREFIX`] are easily taken for.
const NEAR_PREFIX: &str = "CLOSTE_SYNC_";
/// These never come from the command line, where every user of the machine could read them.
pub(super) const SECRETS: [&str; 3] = ["closte.api_key", "http.token", "wordpress.database_url"];
/// The origin of a `wp-config.php` that nobody named.
pub(super) const FOUND: &str = "found there";
/// Environment variables with names of their own.
const WELL_KNOWN: [(&str, &str); 2] = [
    ("CLOSTE_CLIENT_API_KEY", "closte.api_key"),
    ("WORDPRESS_TABLE_PREFIX", "wordpress.table_prefix"),
];
/// Files of their own, which systemd hands over as credentials, and the settings that they are.
const CREDENTIALS: [(&str, &str); 3] = [
    ("closte_client_api_key", "closte.api_key"),
    ("database_url", "wordpress.database_url"),
    ("http_token", "http.token"),
];

/// Where settings come from, as data: nothing here reads the process's own environment. Values are
/// not printed.
#[derive(Clone, Default)]
pub struct Layers {
    /// `--config`; without it, `config.toml` of the system's folder where that exists.
    pub config_file: Option<PathBuf>,
    /// `/etc/closte-sync`: the settings of the services, and their secrets in files of their own.
    pub system_folder: Option<PathBuf>,
    /// `--wp-config`
    pub wp_config: Option<PathBuf>,
    /// Where a `wp-config.php` is looked for when nobody names one: the first that is there.
    pub wp_config_places: Vec<PathBuf>,
    /// The environment. What is not UTF-8 in it has a replacement character.
    pub environment: BTreeMap<String, String>,
    /// `--set`, key and value.
    pub overrides: Vec<(String, String)>,
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers")
            .field("config_file", &self.config_file)
            .field("system_folder", &self.system_folder)
            .field("wp_config", &self.wp_config)
            .field("wp_config_places", &self.wp_config_places)
            .field("environment", &self.environment.keys())
            .field("overrides", &self.overrides.iter().map(|(key, _)| key).collect::<Vec<_>>())
            .finish()
    }
}

/// What there is to say after all layers are read.
#[derive(Debug, Default)]
struct Notes {
    problems: Vec<String>,
    /// Files that secrets came from.
    secret_files: Vec<PathBuf>,
    /// Files with secrets that are there, but not for this user.
    unreadable: Vec<String>,
    /// The configuration file, where there is one.
    config_file: Option<PathBuf>,
}

/// A setting as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, such as `sync.interval`.
    pub key: String,
    /// Its value, `***` for a secret one.
    pub value: String,
    /// Where that came from.
    pub source: String,
}

impl Layers {
    pub(super) fn read(&self) -> Result<Values, SettingsError> {
        let mut notes = Notes::default();
        let (environment, parts) = self.environment_values(&mut notes);
        let is_set_there = environment.contains_key("wordpress.database_url");
        let overrides = self.override_values(&mut notes);
        let defaults = toml(DEFAULTS).map_err(|error| SettingsError::one(error.to_string()))?;
        let above = [self.file_values(&mut notes)?, environment, overrides];
        let wp_config = self.wp_config(&above)?;
        let is_exposed = |file: &&WpConfigFile| others_may_read(&file.path) && file.has_secrets();
        if let Some(file) = wp_config.as_ref().filter(is_exposed) {
            notes.secret_files.push(file.path.clone());
        }
        let from_wordpress = wp_config.as_ref().map(WpConfigFile::values).unwrap_or_default();
        let mut merged = Config::builder();
        for layer in [defaults.clone(), from_wordpress].into_iter().chain(above) {
            merged = merged.add_source(Flat(layer));
        }
        let merged = merged.build().map_err(|error| SettingsError::one(error.to_string()))?;
        let mut values = flatten(merged.cache);
        for (key, value) in &values {
            if !defaults.contains_key(key) {
                notes.problems.push(unknown(key, value.origin(), defaults.keys()));
            }
        }
        notes.problems.extend(self.misspelt_variables(defaults.keys()));
        // The parts of the environment count more than a file, and less than a URL beside them; those
        // of wp-config.php count least.
        let from_wordpress = wp_config.as_ref().and_then(WpConfigFile::database);
        let parts = if is_set_there {
            Ok(None)
        } else if parts.iter().any(Option::is_some) {
            DatabaseParts::of_environment(parts, from_wordpress.map(|(parts, _)| parts))
                .map(|parts| Some((parts, "environment WORDPRESS_DB_*".to_owned())))
        } else if is_empty(&values, "wordpress.database_url") {
            Ok(from_wordpress)
        } else {
            Ok(None)
        };
        let database = parts.and_then(|parts| {
            let connection = |url| match &wp_config {
                Some(file) => file.connection(url),
                None => Ok(url),
            };
            let url =
                |(parts, source): (DatabaseParts, String)| match parts.url().and_then(connection) {
                    Ok(url) => Ok((url, source)),
                    Err(error) => Err(format!("the database's address ({source}): {error}")),
                };
            parts.map(url).transpose()
        });
        let database = database.unwrap_or_else(|problem| {
            notes.problems.push(problem);
            None
        });
        if let Some(file) = &wp_config
            && (self.wp_config.is_some() || is_empty(&values, "wordpress.config_file"))
        {
            let origin = if self.wp_config.is_some() { "--wp-config" } else { FOUND };
            let path = file.path.display().to_string();
            let shown = Value::new(Some(&origin.to_owned()), path);
            values.insert("wordpress.config_file".to_owned(), shown);
        }
        notes.secret_files.retain(|path| others_may_read(path));
        let Notes { problems, secret_files: exposed_secrets, unreadable, config_file } = notes;
        Ok(Values {
            values,
            database,
            wp_config,
            config_file,
            exposed_secrets,
            unreadable,
            problems,
        })
    }

    /// The `wp-config.php` that was named, or the first that is there. One that was named and cannot
    /// be read is an error; one that was found is passed over, but remembered.
    fn wp_config(
        &self,
        above: &[Map<String, Value>],
    ) -> Result<Option<WpConfigFile>, SettingsError> {
        let named = || {
            let mut named =
                above.iter().rev().filter_map(|layer| layer.get("wordpress.config_file"));
            named.find_map(|value| value.clone().into_string().ok()).filter(|path| !path.is_empty())
        };
        let named = self.wp_config.clone().or_else(|| named().map(PathBuf::from));
        if let Some(path) = named {
            let config = WpConfig::read(&path, &self.environment)
                .map_err(|error| SettingsError::one(error.to_string()))?;
            return Ok(Some(WpConfigFile { path, config: Ok(config) }));
        }
        Ok(self.wp_config_found().map(|path| {
            let config = WpConfig::read(&path, &self.environment);
            WpConfigFile { path, config: config.map_err(|error| error.to_string()) }
        }))
    }

    fn file_values(&self, notes: &mut Notes) -> Result<Map<String, Value>, SettingsError> {
        let (path, text) = match self.config_text() {
            Found::Text(path, text) => (path, text),
            Found::Nothing => return Ok(Map::new()),
            Found::Unreadable(path, error) => {
                let problem = format!("cannot read {} ({error})", path.display());
                return Err(SettingsError::one(problem));
            }
        };
        let name = path.display().to_string();
        let values = toml(&text).map_err(|error| {
            // Beyond its first line, which is the place, the message quotes the file, and with it
            // perhaps the key.
            let place = error.to_string();
            let place = place.lines().next().unwrap_or_default();
            SettingsError::one(format!("{name} is not valid TOML: {place}"))
        })?;
        let is_set = |key: &str| values.get(key).is_some_and(|value| !value.to_string().is_empty());
        if SECRETS.iter().any(|key| is_set(key)) {
            notes.secret_files.push(path.clone());
        }
        notes.config_file = Some(path);
        let from_here = |(key, value): (String, Value)| (key, Value::new(Some(&name), value.kind));
        Ok(values.into_iter().map(from_here).collect())
    }

    fn environment_values(&self, notes: &mut Notes) -> (Map<String, Value>, [Option<String>; 4]) {
        let mut values = Map::new();
        for (file, key) in CREDENTIALS {
            if let Some((text, origin)) = self.credential(file, notes) {
                values.insert(key.to_owned(), Value::new(Some(&origin), text));
            }
        }
        for (variable, key) in WELL_KNOWN {
            if let Some(text) = self.variable(variable, notes) {
                values.insert(key.to_owned(), value(variable, text));
            }
        }
        for variable in self.environment.keys() {
            let Some(name) = variable.strip_prefix(PREFIX) else { continue };
            let name = match name.strip_suffix("_FILE") {
                // The settings of these names are themselves the name of a file.
                Some(_) if ["CHECKS__CA_FILE", "WORDPRESS__CONFIG_FILE"].contains(&name) => name,
                Some(stem) if !self.environment.contains_key(&format!("{PREFIX}{stem}")) => stem,
                Some(_) => continue,
                None => name,
            };
            let variable = format!("{PREFIX}{name}");
            if let Some(text) = self.variable(&variable, notes) {
                let key = name.to_lowercase().replace("__", ".");
                values.insert(key, value(&variable, text));
            }
        }
        let parts = DATABASE_PARTS.map(|variable| self.variable(variable, notes));
        (values, parts)
    }

    /// Variables with one underscore where there should be two, which would be passed over in silence.
    /// Others that begin alike may come from elsewhere, such as a cluster's `CLOSTE_SYNC_SERVICE_HOST`.
    fn misspelt_variables<'a>(&self, known: impl Iterator<Item = &'a String>) -> Vec<String> {
        let right_names: BTreeMap<String, String> = known
            .map(|key| (key.replace('.', "_"), key.replace('.', "__").to_uppercase()))
            .collect();
        let near = self.environment.keys().filter(|variable| !variable.starts_with(PREFIX));
        near.filter_map(|variable| {
            let name = variable.strip_prefix(NEAR_PREFIX)?.to_lowercase().replace("__", "_");
            let (right_name, end) = match right_names.get(&name) {
                Some(right_name) => (right_name, ""),
                None => (right_names.get(name.strip_suffix("_file")?)?, "_FILE"),
            };
            Some(format!("environment {variable}: it is spelt {PREFIX}{right_name}{end}"))
        })
        .collect()
    }

    /// A secret in a file of its own.
    fn credential(&self, file: &str, notes: &mut Notes) -> Option<(String, String)> {
        match self.secret(file) {
            Found::Text(path, text) => {
                let origin = match self.credentials_folder() {
                    Some(_) => format!("credential {file}"),
                    None => path.display().to_string(),
                };
                notes.secret_files.push(path);
                Some((text.trim_end_matches(['\r', '\n']).to_owned(), origin))
            }
            Found::Nothing => None,
            Found::Unreadable(path, error) => {
                notes.unreadable.push(format!("cannot read {} ({error})", path.display()));
                None
            }
        }
    }

    /// A variable's value: its own, or the content of the file that its twin with `_FILE` names. An
    /// empty one counts as not set, as containers have it.
    fn variable(&self, name: &str, notes: &mut Notes) -> Option<String> {
        let get = |name: &str| self.environment.get(name).filter(|text| !text.is_empty());
        let twin = format!("{name}_FILE");
        match (get(name), get(&twin)) {
            (Some(_), Some(_)) => {
                notes.problems.push(format!("{name} and {twin} are both set; unset one"));
                None
            }
            (Some(text), None) if text.contains(char::REPLACEMENT_CHARACTER) => {
                notes.problems.push(format!("environment {name}: it is not UTF-8"));
                None
            }
            (Some(text), None) => Some(text.clone()),
            (None, Some(path)) => match fs::read_to_string(path) {
                Ok(text) => {
                    notes.secret_files.push(path.into());
                    Some(text.trim_end_matches(['\r', '\n']).to_owned())
                }
                Err(error) => {
                    // It may be the secret itself, by mistake.
                    notes.problems.push(format!(
                        "{twin}: cannot read the file that it names ({error}); it takes a path, and \
                         never the value itself"
                    ));
                    None
                }
            },
            (None, None) => None,
        }
    }

    fn override_values(&self, notes: &mut Notes) -> Map<String, Value> {
        let mut values = Map::new();
        for (key, text) in &self.overrides {
            if SECRETS.contains(&key.as_str()) {
                notes.problems.push(format!(
                    "--set {key}: a secret does not belong on a command line, where others can \
                     read it; use the environment or the configuration file"
                ));
            } else {
                let origin = "--set".to_owned();
                values.insert(key.clone(), Value::new(Some(&origin), text.clone()));
            }
        }
        values
    }
}

/// The values of a TOML text under dotted keys.
fn toml(text: &str) -> Result<Map<String, Value>, ConfigError> {
    let parsed = Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build()?;
    Ok(flatten(parsed.cache).into_iter().collect())
}

fn value(variable: &str, text: String) -> Value {
    Value::new(Some(&format!("environment {variable}")), text)
}

fn unknown<'a>(key: &str, origin: Option<&str>, known: impl Iterator<Item = &'a String>) -> String {
    // What stands below a secret may be one, too.
    let is_below = |secret: &&&str| key.starts_with(&format!("{secret}."));
    if let Some(secret) = SECRETS.iter().find(is_below) {
        let origin = origin.unwrap_or("default");
        return format!("{secret} ({origin}): it must be a single value, and its name just that");
    }
    let nearest =
        known.max_by(|a, b| strsim::jaro_winkler(key, a).total_cmp(&strsim::jaro_winkler(key, b)));
    let nearest = nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"));
    let key = escape_line(key);
    format!("nobody knows a setting {key} ({}){nearest}", origin.unwrap_or("default"))
}

fn is_empty(values: &BTreeMap<String, Value>, key: &str) -> bool {
    values.get(key).is_none_or(|value| value.to_string().is_empty())
}

/// Values under dotted keys. They are not printed.
#[derive(Clone)]
struct Flat(Map<String, Value>);

impl fmt::Debug for Flat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Source for Flat {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

fn flatten(root: Value) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    let mut tables = vec![(String::new(), root)];
    while let Some((prefix, value)) = tables.pop() {
        let key =
            |name: &str| if prefix.is_empty() { name.into() } else { format!("{prefix}.{name}") };
        match value.kind {
            ValueKind::Table(table) => {
                tables.extend(table.into_iter().map(|(name, value)| (key(&name), value)));
            }
            _ => {
                flat.insert(prefix, value);
            }
        }
    }
    flat
}
