use std::{
    collections::BTreeMap, fmt::Display, ops::RangeInclusive, path::PathBuf, str::FromStr,
    time::Duration,
};

use config::{Value, ValueKind};

use super::{
    Entry, Settings, WpConfigFile,
    layers::{DEFAULTS, SECRETS},
    words::Span,
};
use crate::wordpress::DatabaseUrl;

/// The merged layers, and what was found wrong in them so far.
pub(super) struct Values {
    pub(super) values: BTreeMap<String, Value>,
    /// The address that came in parts, and from where.
    pub(super) database: Option<(DatabaseUrl, String)>,
    pub(super) wp_config: Option<WpConfigFile>,
    pub(super) config_file: Option<PathBuf>,
    pub(super) exposed_secrets: Vec<PathBuf>,
    pub(super) unreadable: Vec<String>,
    pub(super) problems: Vec<String>,
}

impl Values {
    /// A setting that must have a value. None when it is wrong: the problem is noted.
    pub(super) fn parse<T: FromStr<Err: Display>>(&mut self, key: &str) -> Option<T> {
        let text = self.text(key)?;
        self.check(key, text.trim().parse())
    }

    /// A setting that may be `""`.
    pub(super) fn optional<T: FromStr<Err: Display>>(&mut self, key: &str) -> Option<Option<T>> {
        let text = self.text(key)?;
        match text.trim() {
            "" => Some(None),
            text => self.check(key, text.parse()).map(Some),
        }
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let text = self.text(key)?;
        let flag = match text.trim() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("it must be true or false"),
        };
        self.check(key, flag)
    }

    pub(super) fn number<T>(&mut self, key: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        let text = self.text(key)?;
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        let why = || format!("it must be a number from {} to {}", range.start(), range.end());
        self.check(key, number.ok_or_else(why))
    }

    pub(super) fn duration(&mut self, key: &str, least: Duration) -> Option<Duration> {
        let Span(duration) = self.parse(key)?;
        let why = || format!("it must be at least {}", Span(least));
        self.check(key, if duration < least { Err(why()) } else { Ok(duration) })
    }

    pub(super) fn duration_up_to(
        &mut self,
        key: &str,
        least: Duration,
        most: Duration,
    ) -> Option<Duration> {
        let duration = self.duration(key, least)?;
        let why = || format!("it must be at most {}", Span(most));
        self.check(key, if duration > most { Err(why()) } else { Ok(duration) })
    }

    pub(super) fn list<T: FromStr<Err: Display>>(&mut self, key: &str) -> Option<Vec<T>> {
        let items: Vec<String> = match &self.values.get(key)?.kind {
            ValueKind::Array(items) => {
                items.iter().map(|item| item.clone().into_string().unwrap_or_default()).collect()
            }
            _ => self.text(key)?.split(',').map(str::to_owned).collect(),
        };
        let mut list = Some(Vec::new());
        for item in items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()) {
            let parsed = item.parse().map_err(|error: T::Err| format!("{item:?}: {error}"));
            match (self.check(key, parsed), &mut list) {
                (Some(item), Some(list)) => list.push(item),
                _ => list = None,
            }
        }
        list
    }

    /// The database's address: the parts of the environment count less than
    /// `CLOSTE_SYNC__WORDPRESS__DATABASE_URL`, and more than a file; those of `wp-config.php` count
    /// least.
    pub(super) fn database(&mut self) -> Option<Option<DatabaseUrl>> {
        match &self.database {
            Some((database, _)) => Some(Some(database.clone())),
            None => {
                let url = self.optional::<DatabaseUrl>("wordpress.database_url")?;
                match (url, &self.wp_config) {
                    (Some(url), Some(file)) => {
                        let url = file.connection(url);
                        self.check("wordpress.database_url", url).map(Some)
                    }
                    (url, _) => Some(url),
                }
            }
        }
    }

    /// Why it is not certain which of the database's tables are the network's.
    pub(super) fn doubts(&self) -> Vec<(&'static str, String)> {
        let doubts = |file: &WpConfigFile| file.doubts(|key| self.is_default(key));
        self.wp_config.as_ref().map(doubts).unwrap_or_default()
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let value = self.values.get(key)?.clone();
        let text = value.into_string().map_err(|_| "it must be a single value");
        self.check(key, text)
    }

    fn check<T, E: Display>(&mut self, key: &str, result: Result<T, E>) -> Option<T> {
        let source = self.source(key);
        result.map_err(|why| self.problems.push(format!("{key} ({source}): {why}"))).ok()
    }

    /// Whether nobody has set it.
    pub(super) fn is_default(&self, key: &str) -> bool {
        self.values.get(key).is_none_or(|value| value.origin().is_none())
    }

    fn source(&self, key: &str) -> String {
        let origin = self.values.get(key).and_then(Value::origin);
        origin.unwrap_or("default").to_owned()
    }

    /// Every setting with its source, in the order of `config/default.toml`.
    pub(super) fn entries(&self, settings: &Settings) -> Vec<Entry> {
        let mut section = "";
        let mut entries = Vec::new();
        for line in DEFAULTS.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name;
            } else if let Some((name, _)) =
                line.split_once(" = ").filter(|_| !line.starts_with('#'))
            {
                let key = format!("{section}.{name}");
                let (value, source) = match key.as_str() {
                    "wordpress.database_url" => {
                        let shown =
                            settings.wordpress.database.as_ref().map(DatabaseUrl::to_string);
                        let parts = self.database.as_ref().map(|(_, source)| source.clone());
                        (shown.unwrap_or_default(), parts.unwrap_or_else(|| self.source(&key)))
                    }
                    key if SECRETS.contains(&key) => {
                        let shown = if self.shown(key).is_empty() { "" } else { "***" };
                        (shown.to_owned(), self.source(key))
                    }
                    "state.url" => {
                        (format!("sqlite:{}", settings.state_path.display()), self.source(&key))
                    }
                    _ => (self.shown(&key), self.source(&key)),
                };
                entries.push(Entry { key, value, source });
            }
        }
        entries
    }

    fn shown(&self, key: &str) -> String {
        match self.values.get(key).map(|value| &value.kind) {
            Some(ValueKind::Array(items)) => {
                items.iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
            }
            Some(kind) => kind.to_string(),
            None => String::new(),
        }
    }
}
