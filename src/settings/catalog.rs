//! `config/default.toml`, the one list of all settings, compiled in and parsed once.

use std::sync::LazyLock;

use config::{Config, ConfigError, File, FileFormat, Map, Value};

use super::flat::flatten;

pub struct Catalog {
    /// The lines of the comment at the head of the file.
    pub head: Vec<&'static str>,
    /// In the order of the file.
    pub settings: Vec<SettingSpec>,
    /// The weakest layer.
    pub(super) defaults: Result<Map<String, Value>, ConfigError>,
}

/// A setting's entry in the file.
pub struct SettingSpec {
    /// The full name, such as `sync.interval`.
    pub key: String,
    /// The default, in TOML.
    pub default: &'static str,
    /// The lines of its comment: a summary and, after an empty line, optional details.
    pub comment: Vec<&'static str>,
}

/// Never shown, and refused on the command line, which every user of the machine can read.
pub(super) const SECRETS: [&str; 6] = [
    "closte.api_key",
    "http.sync_token",
    "http.token",
    "notify.heartbeat_url",
    "notify.targets",
    "wordpress.database_url",
];

/// Environment variables with other names than `CLOSTE_SYNC__…`, and the settings that they set.
pub(super) const WELL_KNOWN: [(&str, &str); 2] = [
    ("CLOSTE_CLIENT_API_KEY", "closte.api_key"),
    ("WORDPRESS_TABLE_PREFIX", "wordpress.table_prefix"),
];

/// Files that hold one secret each (systemd credentials), and the settings that they set.
pub(super) const CREDENTIALS: [(&str, &str); 6] = [
    ("closte_client_api_key", "closte.api_key"),
    ("database_url", "wordpress.database_url"),
    ("http_token", "http.token"),
    ("http_sync_token", "http.sync_token"),
    ("notify_targets", "notify.targets"),
    ("notify_heartbeat_url", "notify.heartbeat_url"),
];

pub fn catalog() -> &'static Catalog {
    static CATALOG: LazyLock<Catalog> =
        LazyLock::new(|| Catalog::read(include_str!("../../config/default.toml")));
    &CATALOG
}

impl Catalog {
    fn read(text: &'static str) -> Self {
        let mut catalog =
            Self { head: Vec::new(), settings: Vec::new(), defaults: toml_values(text) };
        let (mut section, mut comment) = ("", Vec::new());
        for line in text.lines() {
            if let Some(line) = line.strip_prefix('#') {
                comment.push(line.strip_prefix(' ').unwrap_or(line));
            } else if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
                section = name;
            } else if let Some((name, default)) = line.split_once(" = ") {
                let comment = std::mem::take(&mut comment);
                let key = format!("{section}.{name}");
                catalog.settings.push(SettingSpec { key, default, comment });
            } else if section.is_empty() {
                catalog.head.append(&mut comment);
            }
        }
        catalog
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.settings.iter().map(|setting| setting.key.as_str())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.keys().any(|known| known == key)
    }
}

impl SettingSpec {
    /// `sync.interval` is `("sync", "interval")`.
    pub fn section_and_name(&self) -> (&str, &str) {
        self.key.split_once('.').unwrap_or(("", &self.key))
    }

    /// The summary on one line.
    pub fn summary(&self) -> String {
        let lines = self.comment.iter().take_while(|line| !line.is_empty());
        lines.copied().collect::<Vec<_>>().join(" ")
    }

    pub fn details(&self) -> impl Iterator<Item = &'static str> {
        self.comment.iter().skip_while(|line| !line.is_empty()).skip(1).copied()
    }
}

/// The values of a TOML text under dotted keys.
pub(super) fn toml_values(text: &str) -> Result<Map<String, Value>, ConfigError> {
    let parsed = Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build()?;
    Ok(flatten(parsed.cache).into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_catalog_agrees_with_the_toml_parser() {
        let catalog = catalog();
        let defaults = catalog.defaults.as_ref().unwrap();
        let keys: BTreeSet<&str> = catalog.keys().collect();
        assert_eq!(keys, defaults.keys().map(String::as_str).collect());
        assert_eq!(keys.len(), catalog.settings.len());
        for setting in &catalog.settings {
            let alone = toml_values(&format!("x = {}", setting.default)).unwrap();
            assert_eq!(alone["x"].kind, defaults[&setting.key].kind, "{}", setting.key);
            assert!(setting.summary().ends_with('.'), "{}: {}", setting.key, setting.summary());
        }
        assert!(catalog.head.first().is_some_and(|line| line.starts_with("Every setting")));
    }

    #[test]
    fn other_names_belong_to_known_settings() {
        let named = WELL_KNOWN.iter().chain(&CREDENTIALS).map(|(_, key)| key);
        for key in named.chain(&SECRETS) {
            assert!(catalog().has(key), "{key}");
        }
    }
}
