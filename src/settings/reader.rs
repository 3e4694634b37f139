use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use config::{Map, Value, ValueKind};

use super::{
    catalog::{SECRETS, catalog},
    duration::Span,
    environment::Environment,
    error::SettingsError,
    notes::Notes,
    paths::others_may_read,
    provenance::{Provenance, SettingInForce},
    table::Table,
};
use crate::span::span;

/// The merged layers and their problems so far.
pub struct Reader {
    pub(super) values: BTreeMap<String, Value>,
    /// The settings of the environment and of systemd's credentials.
    pub(super) set_beside_files: BTreeSet<String>,
    pub(super) environment: Environment,
    pub(super) notes: Notes,
    pub(super) config_file: Option<PathBuf>,
    pub(super) is_systemd_service: bool,
    /// Overrides of the shown value and source.
    pub(super) shown: BTreeMap<String, (String, Option<String>)>,
}

impl Reader {
    pub fn section(&mut self, name: &'static str) -> Section<'_> {
        Section { reader: self, name }
    }

    /// Adds a layer above the defaults and below all others.
    pub fn add_weakest(&mut self, layer: Map<String, Value>) {
        for (key, value) in layer {
            if self.is_default(&key) {
                self.values.insert(key, value);
            }
        }
    }

    /// An environment variable that is no setting, or the content of the file that `NAME_FILE` names.
    pub fn variable(&mut self, name: &str) -> Option<String> {
        self.environment.variable(name, &mut self.notes)
    }

    pub fn problem(&mut self, problem: impl Into<String>) {
        self.notes.problems.push(problem.into());
    }

    /// Adds the problem that a file is not there.
    pub fn missing_file(&mut self, problem: String) {
        self.notes.missing_file(problem);
    }

    /// Registers a file with secrets, for the check whether others can read it.
    pub fn secret_file(&mut self, path: &Path) {
        self.notes.secret_files.push(path.to_owned());
    }

    /// Whether no layer above the defaults sets it.
    pub fn is_default(&self, key: &str) -> bool {
        self.values.get(key).is_none_or(|value| value.origin().is_none())
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// With all problems.
    pub fn finish(self) -> Result<Provenance, SettingsError> {
        if !self.notes.problems.is_empty() {
            return Err(self.into_error());
        }
        let entries = catalog().keys().map(|key| self.entry(key)).collect();
        let Notes { secret_files, unusable, .. } = self.notes;
        let exposed_secrets = secret_files.into_iter().filter(|path| others_may_read(path));
        Ok(Provenance {
            config_file: self.config_file,
            exposed_secrets: exposed_secrets.collect(),
            unusable,
            is_systemd_service: self.is_systemd_service,
            entries,
        })
    }

    pub fn into_error(self) -> SettingsError {
        let Notes { problems, missing_files, .. } = self.notes;
        SettingsError { awaits_files: missing_files == problems.len(), problems }
    }

    fn source(&self, key: &str) -> String {
        let origin = self.values.get(key).and_then(Value::origin);
        origin.unwrap_or("default").to_owned()
    }

    fn entry(&self, key: &str) -> SettingInForce {
        let (value, source) = match self.shown.get(key) {
            Some((value, source)) => (value.clone(), source.clone()),
            None => (self.text_of(key), None),
        };
        let is_masked = SECRETS.contains(&key) && !self.shown.contains_key(key);
        let value = if is_masked && !value.is_empty() { "***".to_owned() } else { value };
        let source = source.unwrap_or_else(|| self.source(key));
        SettingInForce { key: key.to_owned(), value, source }
    }

    fn text_of(&self, key: &str) -> String {
        match self.values.get(key).map(|value| &value.kind) {
            Some(ValueKind::Array(items)) => {
                items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            }
            Some(kind) => kind.to_string(),
            None => String::new(),
        }
    }
}

/// One section of the settings. A value with a problem is none, and the problem is collected: read all
/// values before returning, so that all problems are reported.
pub struct Section<'a> {
    reader: &'a mut Reader,
    name: &'static str,
}

impl Section<'_> {
    /// A required value.
    pub fn parse<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        self.check(name, text.trim().parse())
    }

    /// `""` is `Some(None)`.
    pub fn optional<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<Option<T>> {
        let text = self.text(name)?;
        match text.trim() {
            "" => Some(None),
            text => self.check(name, text.parse()).map(Some),
        }
    }

    pub fn flag(&mut self, name: &str) -> Option<bool> {
        let text = self.text(name)?;
        let flag = match text.trim() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("it must be true or false"),
        };
        self.check(name, flag)
    }

    pub fn number<T>(&mut self, name: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        let text = self.text(name)?;
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        let why = || format!("it must be a number from {} to {}", range.start(), range.end());
        self.check(name, number.ok_or_else(why))
    }

    pub fn duration(&mut self, name: &str, least: Duration) -> Option<Duration> {
        let Span(duration) = self.parse(name)?;
        let why = || format!("it must be at least {}", span(least));
        self.check(name, if duration < least { Err(why()) } else { Ok(duration) })
    }

    /// `"auto"` is `Some(None)`.
    pub fn duration_or_auto(&mut self, name: &str, least: Duration) -> Option<Option<Duration>> {
        match self.text(name)?.trim() {
            "auto" => Some(None),
            _ => self.duration(name, least).map(Some),
        }
    }

    pub fn duration_up_to(
        &mut self,
        name: &str,
        least: Duration,
        most: Duration,
    ) -> Option<Duration> {
        let duration = self.duration(name, least)?;
        let why = || format!("it must be at most {}", span(most));
        self.check(name, if duration > most { Err(why()) } else { Ok(duration) })
    }

    /// A list, or comma-separated text.
    pub fn list<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<Vec<T>> {
        let items: Vec<String> = match &self.value(name)?.kind {
            ValueKind::Array(items) => {
                items.iter().map(|item| item.clone().into_string().unwrap_or_default()).collect()
            }
            _ => self.text(name)?.split(',').map(str::to_owned).collect(),
        };
        let mut list = Some(Vec::new());
        for item in items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()) {
            let parsed = item.parse().map_err(|error: T::Err| format!("{item:?}: {error}"));
            match (self.check(name, parsed), &mut list) {
                (Some(item), Some(list)) => list.push(item),
                _ => list = None,
            }
        }
        list
    }

    /// A list of tables, or the same as TOML text.
    pub fn tables(&mut self, name: &str) -> Option<Vec<Table>> {
        let tables = Table::list_of(&self.value(name)?);
        self.check(name, tables)
    }

    /// Collects the error, with the setting's name and source.
    pub fn check<T, E: Display>(&mut self, name: &str, result: Result<T, E>) -> Option<T> {
        let key = self.key(name);
        let source = self.reader.source(&key);
        result.map_err(|why| self.reader.problem(format!("{key} ({source}): {why}"))).ok()
    }

    pub fn problem(&mut self, problem: impl Into<String>) {
        self.reader.problem(problem);
    }

    /// Whether no layer above the defaults sets it.
    pub fn is_default(&self, name: &str) -> bool {
        self.reader.is_default(&self.key(name))
    }

    /// Whether the environment or a credential sets it.
    pub fn is_set_beside_files(&self, name: &str) -> bool {
        self.reader.set_beside_files.contains(&self.key(name))
    }

    /// Shows this instead of the setting's text. It must hold no secret.
    pub fn show(&mut self, name: &str, value: String, source: Option<String>) {
        self.reader.shown.insert(self.key(name), (value, source));
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    fn value(&self, name: &str) -> Option<Value> {
        self.reader.values.get(&self.key(name)).cloned()
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let text = self.value(name)?.into_string().map_err(|_| "it must be a single value");
        self.check(name, text)
    }
}
