//! Merges all layers into one [`Reader`].

use std::{collections::BTreeMap, path::PathBuf};

use config::{Config, Map, Value};

use super::{
    catalog::{CREDENTIALS, Catalog, SECRETS, catalog, toml_values},
    environment::Environment,
    error::SettingsError,
    flat::{Flat, flatten},
    layers::Layers,
    notes::Notes,
    paths::{OptionalFile, cannot_read},
    reader::Reader,
};
use crate::escape::escape_line;

impl Layers {
    /// Problems with single settings are collected for [`Reader::finish`].
    ///
    /// # Errors
    /// Where the configuration file cannot be read or parsed.
    pub fn read(&self) -> Result<Reader, SettingsError> {
        let (catalog, mut notes) = (catalog(), Notes::default());
        let environment = Environment(self.environment.clone());
        let mut from_environment = self.credential_values(&mut notes);
        from_environment.extend(environment.values(catalog, &mut notes));
        let overrides = self.override_values(&mut notes);
        let broken = |problem: String, notes: &Notes| {
            let problems = notes.problems.iter().cloned().chain([problem]).collect();
            SettingsError { problems, awaits_files: false }
        };
        let (config_file, from_file) = match self.file_values(&mut notes) {
            Ok(read) => read,
            Err(problem) => return Err(broken(problem, &notes)),
        };
        let defaults = match &catalog.defaults {
            Ok(defaults) => defaults.clone(),
            Err(error) => return Err(broken(error.to_string(), &notes)),
        };
        let set_beside_files = from_environment.keys().cloned().collect();
        let mut merged = Config::builder();
        for layer in [defaults, from_file, from_environment, overrides] {
            merged = merged.add_source(Flat(layer));
        }
        let merged = merged.build().map_err(|error| broken(error.to_string(), &notes))?;
        let values = flatten(merged.cache);
        for (key, value) in values.iter().filter(|(key, _)| !catalog.has(key)) {
            notes.problems.push(unknown(key, value.origin(), catalog));
        }
        notes.problems.extend(environment.misspelt_variables(catalog));
        Ok(Reader {
            values,
            set_beside_files,
            environment,
            notes,
            config_file,
            is_systemd_service: self.credentials_folder().is_some(),
            shown: BTreeMap::new(),
        })
    }

    /// Without the files if one of them cannot be read: the environment and the arguments still count.
    pub fn read_what_is_readable(&self) -> Option<Reader> {
        let without_files = || {
            let (environment, overrides) = (self.environment.clone(), self.overrides.clone());
            Self { environment, overrides, ..Self::default() }.read()
        };
        self.read().or_else(|_| without_files()).ok()
    }

    fn file_values(
        &self,
        notes: &mut Notes,
    ) -> Result<(Option<PathBuf>, Map<String, Value>), String> {
        let (path, text) = match self.config_text() {
            OptionalFile::Text(path, text) => (path, text),
            OptionalFile::Nothing | OptionalFile::Empty(_) => return Ok((None, Map::new())),
            OptionalFile::Unreadable(path, error) => return Err(cannot_read(&path, &error)),
        };
        let name = path.display().to_string();
        let values = toml_values(&text).map_err(|error| {
            // Only the first line, the position: the others quote the file, which may hold the
            // key.
            let place = error.to_string();
            let place = place.lines().next().unwrap_or_default();
            format!("{name} is not valid TOML: {place}")
        })?;
        let is_set = |key: &str| values.get(key).is_some_and(|value| !value.to_string().is_empty());
        if SECRETS.iter().any(|key| is_set(key)) {
            notes.secret_files.push(path.clone());
        }
        let from_here = |(key, value): (String, Value)| (key, Value::new(Some(&name), value.kind));
        Ok((Some(path), values.into_iter().map(from_here).collect()))
    }

    fn credential_values(&self, notes: &mut Notes) -> Map<String, Value> {
        let mut values = Map::new();
        for (file, key) in CREDENTIALS {
            match self.secret(file) {
                OptionalFile::Text(path, text) => {
                    let origin = match self.credentials_folder() {
                        Some(_) => format!("credential {file}"),
                        None => path.display().to_string(),
                    };
                    notes.secret_files.push(path);
                    let text = text.trim_end_matches(['\r', '\n']);
                    values.insert(key.to_owned(), Value::new(Some(&origin), text));
                }
                OptionalFile::Nothing => {}
                OptionalFile::Empty(path) => {
                    notes.unusable.push(format!("{} is empty", path.display()));
                }
                OptionalFile::Unreadable(path, error) => {
                    notes.unusable.push(cannot_read(&path, &error));
                }
            }
        }
        values
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

fn unknown(key: &str, origin: Option<&str>, catalog: &Catalog) -> String {
    let origin = origin.unwrap_or("default");
    // A key below a secret may hold that secret: its name is not repeated.
    let is_below = |secret: &&&str| key.starts_with(&format!("{secret}."));
    if let Some(secret) = SECRETS.iter().find(is_below) {
        return format!("{secret} ({origin}): it must be a single value, not a table");
    }
    let likeness = |known: &str| strsim::jaro_winkler(key, known);
    let nearest = catalog.keys().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let nearest = nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"));
    format!("there is no setting {} ({origin}){nearest}", escape_line(key))
}
